/* pattern.h - regular expressions of the configuration: PCRE2, loaded for those that need it */
#ifndef PATTERN_H
#define PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "patterns/scope.h"

enum {
    PATTERN_CAPTURES = 9,         /* MATCH_1 to MATCH_9 */
    PATTERN_MATCH_LIMIT = 100000, /* steps of PCRE2 for one match: some milliseconds */
    PATTERN_HEAP_LIMIT = 1024,    /* KiB */
    PATTERN_PART = 2048           /* bytes of that part of a pattern that is tried on names */
};

enum match { MATCH_NO, MATCH_YES, MATCH_UNSURE /* no decision is possible: 451 */ };

/* A PCRE2 pattern, unanchored, without regard to case. */
struct pattern {
    struct pattern *next;
    struct slice text;
    void *code;       /* pcre2_code, NULL before the first use */
    unsigned line, column;
    const char *directive; /* the words that it stands behind, for the log */
    bool utf;         /* for recipients: characters are UTF-8 */
    enum scope scope; /* for hosts, from the first time that a name is there to be tried */
};

struct host_table;

/* A list of them. Of one for hosts, `networks` counts those in the table (network_table.h) that are of this list, too. */
struct patterns {
    struct pattern *first, **tail;
    const char *directive; /* of its networks, for the log */
    uint32_t networks;     /* how many */
    struct host_table *tables; /* of those for hosts: which are asked as well (client/groups.h) */
};

struct span {
    uint16_t start, len;
};

/* What a pattern has matched, and what its groups have captured: spans of the subject, empty for a group that was not set. */
struct captures {
    struct span whole;
    size_t count;
    struct span spans[PATTERN_CAPTURES];
};

/* Adds a pattern to the end of a list. */
void patterns_add(struct patterns *list, struct pattern *pattern);

/* Is there nothing in the list? */
static inline bool patterns_none(const struct patterns *list)
{
    return list->first == NULL && list->networks == 0 && list->tables == NULL;
}

/*
 * Whether processes that are forked from here on get what is compiled. If not, which is so in the beginning, only those
 * may be forked that try no pattern.
 */
void patterns_share(bool share);

/*
 * Compiles a pattern unless it is compiled already. On failure returns false and gives PCRE2's message (at most size
 * bytes) and the offset of the mistake in the pattern.
 */
bool pattern_compile(struct pattern *pattern, char *message, size_t size, size_t *offset);

/*
 * Tries a pattern on a subject of at most 65535 bytes; `captures` may be NULL, and is filled in where the pattern
 * matches. A pattern of nothing but characters, dots, ^ before and $ behind them is matched without
 * PCRE2, with the same result. With MATCH_UNSURE the reason is in `why`, at most `size` bytes.
 */
enum match pattern_match(struct pattern *pattern, struct slice subject, struct captures *captures, char *why,
                         size_t size);

/* What a pattern for hosts can match; looked at once. */
enum scope pattern_scope(struct pattern *pattern);

/*
 * What of a pattern for hosts is tried on names: `text`, which is all of it or is written to `room`. False: nothing.
 * Where it is in doubt whether addresses or names were meant, names that the client has chosen are not let in, but are
 * refused: `denies` says which of the two a match leads to.
 */
bool pattern_on_names(struct pattern *pattern, bool denies, char room[PATTERN_PART], struct slice *text);

/* How many groups of a pattern that compiles capture something; 0 where it does not compile. */
size_t pattern_groups(struct pattern *pattern);

/* The number of the group with this name; false where there is none, or more than one. */
bool pattern_group(struct pattern *pattern, struct slice name, size_t *number);

/* Frees what has been compiled. */
void pattern_free(struct pattern *pattern);

#endif
