/* reply.h - what a service says of a key, as it comes in pieces, whatever its protocol */
#ifndef TABLES_REPLY_H
#define TABLES_REPLY_H

#include "base/slice.h"
#include "tables/answer.h"

enum {
    TABLE_KEY = 1024,               /* bytes of a key */
    TABLE_REQUEST = 3 * TABLE_KEY + 64, /* bytes of a question with names and keys that there can be, in any protocol */
    TABLE_REPLY = TABLE_VALUE + 64  /* bytes of a reply that is read */
};

/* What has come of a reply; with `len` 0 it is nothing. */
struct table_reply {
    size_t len;
    char bytes[TABLE_REPLY];
    enum table_answer kind;
    struct slice value; /* of TABLE_FOUND: a part of `bytes` */
    struct slice text;  /* of any other all that it says, for people: "TEMP The database is down" */
};

/*
 * Adds what has come, up to `most` bytes of a reply (at most TABLE_REPLY). Ends of lines before it do not count. Returns how many
 * bytes were looked at.
 */
static inline size_t table_reply_add(struct table_reply *reply, struct slice bytes, size_t most)
{
    const size_t room = most - reply->len;
    size_t skipped = 0, taken;

    while (reply->len == 0 && skipped < bytes.len && (bytes.text[skipped] == '\n' || bytes.text[skipped] == '\r'))
        skipped++;
    taken = bytes.len - skipped < room ? bytes.len - skipped : room;
    if (taken > 0)
        memcpy(reply->bytes + reply->len, bytes.text + skipped, taken);
    reply->len += taken;
    return skipped + taken;
}

#endif
