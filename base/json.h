/* json.h - characters of JSON strings (RFC 8259 7); pure */
#ifndef JSON_H
#define JSON_H

#include "base/slice.h"

enum { JSON_CHARACTER = 8 }; /* bytes that one may take, a terminator included */

/*
 * Takes the next character of a text, which must not be empty, and writes it as it stands in a JSON string: escaped
 * where it must be, U+FFFD for a byte that is no UTF-8. Returns what was written, which ends with NUL.
 */
struct slice json_character(struct slice *text, char out[JSON_CHARACTER]);

#endif
