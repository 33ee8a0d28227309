/* head.h - the header that a copy was given by us, read again: who sent it to whom, and how */
#ifndef HEAD_H
#define HEAD_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/client.h"
#include "session/envelope.h"

/* What has been done with a copy since it was written (mailfile.h). */
enum mailfile_mark { MAILFILE_WAITING, MAILFILE_BEGUN, MAILFILE_DONE };

/* What there is of a message. Only mailboxes tell. */
enum mailfile_part { MAILFILE_WHOLE, MAILFILE_NO_END, MAILFILE_NO_BEGINNING };

enum { MAILFILE_CLIENT = INET6_ADDRSTRLEN + 1 + DOMAIN_MAX, HEAD_OTHERS = 24576 };

/* One message. What stands behind `ours` is known only if that is true; all of it was true when it was received. */
struct mailfile_message {
    size_t number;               /* in its place, from 1 */
    const char *path;            /* of its file; lives until the next is found */
    bool ours;
    enum mailfile_part part;        /* of ours, what is not whole was never acknowledged */
    enum mailfile_mark mark;
    char sender[ADDRESS_MAX + 1], recipient[ADDRESS_MAX + 1];
    size_t other_count;          /* of a copy that was held: for how many others it was, too; */
    char others[HEAD_OTHERS];    /* their addresses, each with its NUL */
    char client[MAILFILE_CLIENT + 1]; /* as -P has it: ADDRESS, ADDRESS=NAME or local */
    char helo[HELO_MAX + 1];
    char protocol[16];           /* of RFC 3848: ESMTPS... */
    char tls_protocol[CLIENT_TEXT + 1], tls_cipher[CLIENT_TEXT + 1]; /* "": it was not encrypted */

    uint64_t begin, end;         /* of it in the file: the next one begins at this end */
    uint64_t text_end;           /* before the empty line that belongs to no message */
    uint64_t mark_at;            /* where the name of its second line stands */
    uint64_t body;               /* where that begins which is not of this place: below Delivered-To: */
    uint64_t text;               /* of ours: where that begins which the client sent */
};

enum {
    HEAD_SIZE = 4096,         /* bytes of the lines that mailrecv has written above a message, */
    HEAD_MOST = 12 * HEAD_SIZE, /* with those that handlers have added, as far as they are looked at */
    HEAD_MARK = 13
};

/* How each mark is written, in place of Delivered-To: and of the same length. */
extern const char head_marks[][HEAD_MARK + 1];

/* The recipient with this index: the one of Delivered-To:, and behind it the others. */
const char *head_recipient(const struct mailfile_message *m, size_t index);

/*
 * The header lines of copy_begin, without the From_ line, which stand at this offset of a file: fills in what `m` knows of
 * them. False if they are somebody else's.
 */
bool head_parse(struct slice text, uint64_t offset, struct mailfile_message *m);

#endif
