/* dns.h - questions to the DNS: asked in parallel, answered in time or not at all, kept for the session */
#ifndef DNS_H
#define DNS_H

#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>

#include "dns/wire.h"

/*
 * What one decision needs is a stage: its questions are sent without waiting, then their answers are asked
 * for one by one, and all of that together takes settings.timeout at most. hosts(5) has the first word, for names and
 * for the addresses of each family. What the DNS answers is read by a confined process of its own, which is started
 * when the first answer is waited for, and lives until a delivery, a stage without answer, or the session ends.
 */
enum dns_kind {
    DNS_NAMES,      /* the names of an address (PTR); its name is wire_reversed */
    DNS_ADDRESSES4, /* of a host (A) */
    DNS_ADDRESSES6, /* of a host (AAAA) */
    DNS_LISTED,     /* an entry of a list of hosts (A), which is no host: hosts(5) has no say */
    DNS_MX,
    DNS_TXT
};

enum { DNS_SERVERS = 8 };

/* A zone that is asked, and what the log shows in its place, since it may hold a key. */
struct dns_alias {
    struct dns_alias *next;
    struct slice zone, shown;
};

struct dns_settings {
    struct slice servers[DNS_SERVERS]; /* ADDRESS:PORT or [ADDRESS]:PORT */
    size_t server_count;               /* 0: those of resolv.conf(5) */
    uint64_t timeout;                  /* of a stage, milliseconds */
    bool reverse;                      /* names of addresses are asked for where they are only shown */
    struct dns_alias *aliases;
};

/*
 * Prepares for a session that ends by `deadline` (clock.h) or when SIGTERM has set `terminated`; settings and flag
 * must outlive it. Asks nothing. Whether what reads the answers is `confined`, or only a process of its own.
 */
void dns_begin(const struct dns_settings *settings, bool confined, uint64_t deadline,
               const volatile sig_atomic_t *terminated);

/* Is a name to be asked for that nothing is decided by? */
bool dns_wants_reverse(void);

/* A new stage: the time of the next question is its beginning. */
void dns_new_deadline(void);

/* A new stage that begins now and ends by `deadline` (clock.h), if not before. */
void dns_new_deadline_by(uint64_t deadline);

/*
 * Sends a question unless it has been asked before in this session, and does not wait. `name` has no final
 * dot; it must be well-formed (envelope_domain, without UTF-8) or come from wire_reversed.
 */
void dns_send(enum dns_kind kind, const char *name);

/*
 * The answer, which is waited for until the stage ends, SIGTERM comes, or the session ends: then it
 * is ANSWER_UNSURE. Lives until the next call of dns_send or dns_ask.
 */
const struct answer *dns_ask(enum dns_kind kind, const char *name);

/* Does hosts(5) hold the name, with an address of either family? */
bool dns_in_hosts(const char *name);

/* What goes wrong with asking is logged at once from here on; until this is called it waits. */
void dns_log_from_now(void);

/* For a forked process that is to know nothing of what was asked, and asks nothing. */
void dns_forget(void);

/*
 * Lets the process that reads answers end, while other things are done, for nothing is likely to be asked soon. The
 * next question starts another.
 */
void dns_rest(void);

/* Forgets all questions, and ends the process that asks. */
void dns_end(void);

#endif
