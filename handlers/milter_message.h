/* milter_message.h - the message that milters change: its header as a list of fields, its body, and what both become */
#ifndef MILTER_MESSAGE_H
#define MILTER_MESSAGE_H

#include "handlers/milter_packet.h"
#include "session/message.h"

enum {
    MILTER_MOST_HEADER = 1048576, /* most bytes of the header that milters are asked about, and of what they write into it in all */
    MILTER_MOST_FIELDS = 16384    /* most fields that a header has, with those that are added */
};

/*
 * There is one such message in a process at a time. Its header is the list of the fields above our own Received:, which
 * handlers have added, of that field itself, which milters are not shown but which has its place, and of what the client
 * sent. The header of that ends with an empty line, or before a line that is no field. It is in memory from then on, with
 * what is changed; the body stays where it is, and is never copied.
 */

/*
 * Begins with what the client sent, which must stay as it is until milter_message_end, and the fields above: whole lines,
 * which are copied. `directory` is where a new body lies that outgrows its memory; it may have up to `most` bytes. False: errno is set;
 * EMSGSIZE means that the header is larger than is said above, which no other try mends.
 */
bool milter_message_begin(const struct spool *spool, struct slice fields, struct slice directory, uint64_t most);

/*
 * A field as it stands, by its number from 0 on in the order of the message, in which our own Received: has none. Its value is all behind the
 * colon, with the blank there and with LF where it is folded, without the last LF. False: there is no such field. Lives until changes are made.
 */
bool milter_message_field(size_t number, struct slice *name, struct slice *value);

/* A piece of the body as it stands, as spool_piece gives it; at 0 is the first byte behind the empty line. */
struct slice milter_message_body(uint64_t offset, char *buffer, size_t size);

/*
 * A piece of a new body. The first one since the last call of the two functions below empties it. It is kept as octets
 * of BDAT are (message.h), and is the body when milter_message_apply is called. False: errno is set; EMSGSIZE: it is
 * larger than `most`.
 */
bool milter_message_replace(struct slice bytes);

/*
 * Makes the changes that one milter wants, in their order; those that are not about the message itself are passed over. Places
 * are counted as Sendmail and Postfix do: to insert, in the whole list, with our own Received:; to change and to
 * delete, among those of that name that are left, without it. A field is one field whatever its value holds. False: errno is
 * set, EMSGSIZE if that was too much, and nothing is changed.
 */
bool milter_message_apply(const struct milter_change *changes, size_t count);

/* Forgets what there is of a new body that has not become the body. */
void milter_message_undo(void);

/* Is anything not as it was at the beginning? */
bool milter_message_changed(void);

/* What deliveries get, both until milter_message_end: the fields above our own Received:, whole lines, and what is below it. */
struct slice milter_message_fields(void);
const struct spool *milter_message_spool(void);

/* Gives back files and memory. May be called at any time. */
void milter_message_end(void);

#endif
