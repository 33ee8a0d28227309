/* groups.h - which groups a client is in, and which lists of patterns for hosts it matches */
#ifndef GROUPS_H
#define GROUPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/source.h"
#include "client/client.h"
#include "client/dnsbl.h"
#include "patterns/network_table.h"
#include "patterns/pattern.h"
#include "session/reply.h"
#include "tables/settings.h"

/* The SHA-256 fingerprint of a client's certificate, as in client.h. */
struct certificate {
    struct certificate *next;
    unsigned line;
    char fingerprint[CLIENT_FINGERPRINT + 1];
};

/* A table whose keys are hosts. */
struct host_table {
    struct host_table *next; /* in the order of the file */
    struct table *table;
};

/* allowgroup NAME: patterns, certificates and results for the name, any of which makes a client a member. */
struct allowgroup {
    struct allowgroup *next, *next_in_bucket;
    uint32_t hash;      /* of the name */
    unsigned line;      /* where it is defined first */
    struct slice name;
    struct patterns patterns;
    struct certificate *certificates;
    unsigned fcrdns;             /* a set of 1 << enum client_name_state */
    bool defined;                /* not just named by a rule */
    /* For which client these are known, which stay the same for a session: its number and 1 (groups_forget). */
    unsigned address_known, known;
    enum match by_address, member;
};

/* bypass allowgroup NAME */
struct bypass {
    struct bypass *next;
    struct allowgroup *group;
    unsigned line, group_column;
};

/* What the configuration says of hosts. All of it lives as long as the configuration. */
struct groups {
    const struct source *sources; /* the files of the configuration, for messages */
    struct patterns allow, deny;
    struct patterns exempt;     /* lockout.exempt */
    struct patterns proxies;    /* proxy_protocol */
    struct patterns speakers[TOLD_COMMANDS]; /* xclient, xforward: who may say on whose behalf it speaks */
    struct patterns quiet;      /* whose sessions are not logged, as long as nothing happens */
    struct network_table networks; /* of all these lists, and of the groups */
    unsigned client;            /* the number of the client */
    bool need_fcrdns;           /* limit.fcrdns_check */
    struct reply fcrdns;
    struct allowgroup *first_group, **last_group;
    struct allowgroup **buckets;    /* chains by the hash of the name */
    uint32_t bucket_count;          /* a power of two, 0: there are no buckets, and no groups */
    struct bypass *bypasses;
    struct host_list *lists, **last_list;
};

extern const char *const groups_membership[]; /* of enum match, for the log: "is a member" */

/* The group with this name, NULL if there is none. */
struct allowgroup *groups_find(const struct groups *groups, struct slice name);

/* Adds a group with a new name; there must be buckets. */
void groups_add(struct groups *groups, struct allowgroup *group);

/* Visits each list of patterns for hosts: those that stand alone, and those of groups in the order of the file. */
void groups_each(struct groups *groups, void (*visit)(struct patterns *list, void *context), void *context);

/* Is the client exempt (bypass) from the checks of hosts, names and lists? */
enum match groups_bypass(struct groups *groups, struct client *client);

/* Does the client match a list of patterns? Its address first; its name is asked for only when that does not decide. */
enum match groups_match(const struct groups *groups, const struct patterns *list, struct client *client);

/* Another client comes: what groups were found out to say of the last one is forgotten. No group is touched for that. */
void groups_forget(struct groups *groups);

/* Why the last decision could not be taken, for the log: the pattern with its line, or DNS. "" if it could. */
const char *groups_trouble(void);
void groups_forget_trouble(void);

/* The parts of these decisions, for those that put them together in another order (rules.c). */

/* Tries one pattern on one text; `captures` may be NULL. Shown under the debug flag r. */
enum match groups_try(const struct groups *groups, struct pattern *pattern, struct slice subject,
                      struct captures *captures);

/*
 * Does the client's address match the list? The networks of the list are asked first; of those that hold the address the
 * one that stands first is shown.
 */
enum match groups_match_address(const struct groups *groups, const struct patterns *list, const struct client *client);

/* The same, and are the tables of the list asked, which is for sessions only? Their key is the address as text. */
enum match groups_ask_address(const struct groups *groups, const struct patterns *list, const struct client *client);

/* Adds a table to the end of a list. */
void groups_add_table(struct patterns *list, struct host_table *table);

/*
 * Does its name? It is asked for only if there is a pattern that it could match, or a table, whose keys are the name and the
 * domains above it:
 */
enum match groups_match_name(const struct groups *groups, const struct patterns *list, struct client *client);
bool groups_want_name(const struct groups *groups, const struct patterns *list);

/* Is the client a member? `group` NULL: everybody is. What the address alone says of it is kept for the session. */
enum match groups_member(const struct groups *groups, struct allowgroup *group, struct client *client);
enum match groups_member_by_address(const struct groups *groups, struct allowgroup *group, const struct client *client);

/* The name of the client was needed and could not be found out: that is the trouble. Returns MATCH_UNSURE. */
enum match groups_blame_dns(void);

/* A pattern decides nothing, and that is the trouble: why. Returns MATCH_UNSURE. */
enum match groups_blame_pattern(const struct groups *groups, const struct pattern *pattern, const char *why);

#endif
