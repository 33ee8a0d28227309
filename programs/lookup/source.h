/* source.h - the databases that can be asked, each behind the same two functions */
#ifndef SOURCE_H
#define SOURCE_H

#include "base/sandbox.h"
#include "programs/lookup/query.h"
#include "programs/lookup/socketmap.h"

/* What is to be asked, and how long an answer may take. */
struct question {
    const char *place; /* behind the colon of SOURCE */
    const char *query; /* as the database wants it; NULL where there is none */
    size_t places;     /* for the key in it */
    unsigned wait_ms;  /* for a lock that somebody else holds */
};

/* What has been opened, as far as it can go away. */
struct opened {
    int connection;   /* a socket on which the server says nothing unless it is asked; -1: there is none */
    const char *file; /* another file may take its place; NULL: there is none */
};

struct source {
    const char *scheme, *place, *meaning; /* SCHEME:PLACE */
    bool queried;                         /* there is a QUERY: */
    enum query_style style;
    bool backslashes;
    /*
     * Loads the library, opens the database, and gives up all that asking does not need. Both are called once and then as
     * often as wanted. False: `answer` says why.
     */
    bool (*open)(const struct question *question, struct opened *opened, struct answer *answer);
    /* Asks for a key, without NUL. False: the database is no longer there for us; another process may find it again. */
    bool (*ask)(struct slice key, struct answer *answer);
};

extern const struct source source_sqlite, source_postgresql, source_mysql, source_lmdb;

/* An error that may pass; the text is made one line, and lives until the next call. Returns false. */
bool source_fail(struct answer *answer, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What an answer cannot be: a value with a NUL or too long, several rows, no value. These are errors of their own. */
void source_found(struct answer *answer, struct slice value);
void source_several(struct answer *answer);
void source_null(struct answer *answer);
bool source_columns(struct answer *answer, size_t columns); /* false unless it is one */

/*
 * Gives up what the role does not need, see sandbox.h; files below the open directory can be read, -1: none. The
 * directory is closed.
 */
bool source_confine(enum sandbox_role role, int directory, struct answer *answer);

#endif
