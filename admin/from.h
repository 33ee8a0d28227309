/* from.h - where the messages of an mbox begin and end: From_ lines, of ours and of other programs */
#ifndef FROM_H
#define FROM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a line begins with that begins a message (RFC 4155). */
enum { FROM = 5 };
extern const char from_word[FROM + 1];

/*
 * The length of the From_ line with which a text begins, or 0: one has an address and a date. The end of the file ends
 * one, too: then it is all there is of its message.
 */
size_t from_line(const char *text, size_t len);

/* Where the message of an mbox ends that begins at `begin`, of a file of `size` bytes. `ours`: it was written by us. */
uint64_t from_find_end(int fd, uint64_t begin, uint64_t size, bool ours);

/* Does a text begin with a header field (RFC 5322 3.6.8)? */
bool from_is_field(const char *text, size_t len);

#endif
