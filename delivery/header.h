/* header.h - the fields of a message's header: where each begins and ends, and all of them for a person to look at */
#ifndef HEADER_H
#define HEADER_H

#include "session/message.h"

/*
 * Bytes of the field that begins here, with all lines that continue it (RFC 5322 2.2.3); 0: its end cannot be seen, since
 * the text may go on, unless it is the whole message.
 */
size_t header_field_length(struct slice rest, bool whole);

/* Where in a field its value begins, right behind the colon, and the length of its name; 0: this is no field. */
size_t header_value_at(struct slice field, size_t *name_len);

enum { HEADER_MAX = 65536 }; /* bytes of a message that are looked at */

struct header_field {
    uint16_t name, name_len, value, value_len; /* places in the text */
};

struct header {
    size_t count;
    bool cut;                                  /* there is more of it than was looked at */
    char text[HEADER_MAX];
    struct header_field fields[HEADER_MAX / 2]; /* none has less than two bytes */
};

/*
 * Reads the header of a message (RFC 5322 2.2), and before it the whole fields that stand above it, in their order: names in
 * lower case, values without the line ends of their folding and without blanks around them, otherwise as they are, whatever
 * their bytes. It ends with an empty line, or before a line that is no field. A field that is not there whole, and what
 * could not be read, is cut.
 */
void header_read(struct header *header, struct slice above, const struct spool *spool);

/* Puts the first `count` fields into the order of their names; those of one name stay in theirs. */
void header_sort(struct header *header, size_t count);

static inline struct slice header_name(const struct header *header, size_t i)
{
    return (struct slice){ header->text + header->fields[i].name, header->fields[i].name_len };
}

static inline struct slice header_value(const struct header *header, size_t i)
{
    return (struct slice){ header->text + header->fields[i].value, header->fields[i].value_len };
}

#endif
