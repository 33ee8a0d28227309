/* socketmap.h - the socketmap protocol of Sendmail and Postfix (socketmap_table(5)): questions and answers; pure */
#ifndef TABLES_SOCKETMAP_H
#define TABLES_SOCKETMAP_H

#include "base/netstring.h"
#include "tables/answer.h"

enum {
    SOCKETMAP_REQUEST = 2048,              /* bytes of a question with names and keys that there can be */
    SOCKETMAP_ANSWER = TABLE_VALUE + 64    /* bytes of an answer that is read */
};

/* Puts the question for a key of a map. */
void socketmap_ask(struct text *out, struct slice map, struct slice key);

/* What has come of an answer. */
struct socketmap_answer {
    size_t len;
    char bytes[SOCKETMAP_ANSWER];
    enum table_answer kind;
    struct slice value; /* behind OK: a part of `bytes` */
    struct slice text;  /* of any other answer all that it says, for people: "TEMP The database is down" */
};

void socketmap_begin(struct socketmap_answer *answer);

/*
 * Takes bytes up to the end of the answer; `used` says how many. Ends of lines before it do not count. NETSTRING_BAD: it is none, is
 * too long, or does not begin with OK, NOTFOUND, TEMP, TIMEOUT or PERM.
 */
enum netstring socketmap_feed(struct socketmap_answer *answer, struct slice bytes, size_t *used);

#endif
