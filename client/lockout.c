/* lockout.c - three strikes and you are out: which clients are kept out for a while, and why */
/*
 * Times are those of the real-time clock, because they are compared across reboots. It can be set: no lock that
 * is found in the file ends later than lockout.secs from now, unless a person has set its end, and no count begins in
 * the future.
 */
#include "client/lockout.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/text.h"
#include "client/groups.h"
#include "dns/dns.h"

/* What the functions that change a contact need to know. */
struct terms {
    uint64_t now, limit, period, secs;
    uint64_t until; /* of a lock by hand */
};

/* Whether a locked client has heard so: it is told by the first connection, and was when it comes again. */
enum { NOT_TOLD, BEING_TOLD, TOLD };

/*
 * What a violation is: a refusal at one of these stages with one of these codes, or, where there are no codes, what
 * the whole session has come to (state_verdict). Tests hold the filters of fail2ban and the manuals against this table.
 */
static const struct {
    const char *reason;
    unsigned first, last;
} violations[] = {
    { "limit", 400, 599 },   /* filter mailrecv: more guesses than a limit allows */
    { "connect", 500, 599 }, /* filter mailrecv: a host that is not accepted */
    { "input", 500, 599 },   /* filter mailrecv: another protocol, or lone line feeds where they are refused */
    { "rcpt", 0, 0 },        /* filter mailrecv: more recipients refused than accepted, and no message */
    { "command", 0, 0 },     /* filter mailrecv: a delivery command has said so, by its status */
    { "auth", 535, 535 },    /* filter mailrecv-auth: a wrong password */
    { "cut", 0, 0 },         /* no filter: a client that has gone in the middle of a command */
};

/* ---- what becomes of a contact ---------------------------------------------------------------- */

static bool is_locked(const struct contact *contact, const struct terms *terms)
{
    return contact->until > terms->now;
}

/* What time has done to it: locks end, counts begin anew, and a clock that was set back locks nobody for long. */
static void age(struct contact *contact, const struct terms *terms)
{
    bool served = contact->until != 0 && !is_locked(contact, terms);

    if (contact->until > terms->now + terms->secs && contact->by_hand == 0)
        contact->until = terms->now + terms->secs;
    /* unsigned: a count that began in the future is over, too */
    if (served || (contact->until == 0 && terms->now - contact->begin >= terms->period)) {
        contact->begin = terms->now;
        contact->until = 0;
        contact->violations = contact->deliveries = 0;
        contact->told = NOT_TOLD;
        contact->by_hand = 0;
    }
}

/* To come all the same makes no lock longer: mail servers try again every few minutes, and are to find the end of it. */
static void count_connection(struct contact *contact, const void *context)
{
    const struct terms *terms = context;

    age(contact, terms);
    contact->connections++;
    if (is_locked(contact, terms))
        contact->told = contact->told == NOT_TOLD ? BEING_TOLD : TOLD;
}

/* So many violations lock it out: each message that it has delivered allows one more. */
static uint64_t allowance(const struct contact *contact, uint64_t limit)
{
    return limit + contact->deliveries;
}

static void count_violation(struct contact *contact, const void *context)
{
    const struct terms *terms = context;

    age(contact, terms);
    contact->violations++;
    if (is_locked(contact, terms) || contact->violations < allowance(contact, terms->limit))
        return; /* sessions that were under way already make no lock longer */
    contact->locks++;
    contact->until = terms->now + terms->secs;
}

/* In the place of a lock that there is. */
static void lock(struct contact *contact, const void *context)
{
    const struct terms *terms = context;

    age(contact, terms);
    contact->locks++;
    contact->until = terms->until;
    contact->told = NOT_TOLD;
    contact->by_hand = 1;
}

static void forget_violations(struct contact *contact, const void *context)
{
    const struct terms *terms = context;

    age(contact, terms);
    contact->violations = 0;
    contact->deliveries += contact->deliveries < UINT32_MAX;
}

/* ---- the file ------------------------------------------------------------------------------ */

struct lockout_db lockout_contacts(const struct client_settings *settings, char *path, bool serving)
{
    text_string(path, PATH_MAX, settings->lockout_db); /* conf/ has checked that it fits */
    return (struct lockout_db){ .engine = store_engine_at(settings->lockout_db), .path = path,
                                .keep = settings->lockout_period, .serving = serving };
}

static bool is_on(const struct lockout *l)
{
    return l->settings->lockout_db.len > 0 && l->client->family != AF_UNSPEC;
}

static struct terms terms_of(const struct client_settings *settings)
{
    return (struct terms){ .now = (uint64_t)time(NULL), .limit = settings->lockout_violations,
                           .period = settings->lockout_period, .secs = settings->lockout_secs };
}

bool lockout_present(const struct client_settings *settings, struct contact *contact)
{
    const struct terms terms = terms_of(settings);

    age(contact, &terms);
    return is_locked(contact, &terms) || contact->last > terms.now || terms.now - contact->last <= terms.period;
}

bool lockout_lock(const struct client_settings *settings, uint64_t secs, struct contact *contact)
{
    char path[PATH_MAX];
    const struct lockout_db contacts = lockout_contacts(settings, path, false);
    struct terms terms = terms_of(settings);

    terms.until = terms.now + secs;
    return lockout_db_change(&contacts, contact, terms.now, lock, &terms);
}

/* Changes the contact of this session's client, as far as the file lets us. */
static struct contact change(struct lockout *l, void (*how)(struct contact *contact, const void *context))
{
    char path[PATH_MAX];
    const struct lockout_db contacts = lockout_contacts(l->settings, path, true);
    struct contact contact = contact_of(l->client->family, l->client->bytes);
    const struct terms terms = terms_of(l->settings);

    if (!lockout_db_change(&contacts, &contact, terms.now, how, &terms) && !l->failed) {
        if (errno != ECANCELED)
            log_line(LOG_ERR, "lockout: %s cannot be kept: %s", path, lockout_db_why(&contacts));
        l->failed = true;
    }
    l->until = is_locked(&contact, &terms) ? contact.until : 0;
    return contact;
}

bool lockout_is_exempt(const struct lockout *lockout)
{
    const struct lockout *l = lockout;

    if (patterns_none(&l->groups->exempt))
        return false;
    dns_new_deadline();
    return groups_match(l->groups, &l->groups->exempt, l->client) != MATCH_NO;
}

/* ---- what the monitor has seen ----------------------------------------------------------------- */

const char *lockout_time(uint64_t seconds, char *out)
{
    const time_t time = (time_t)seconds;
    struct tm utc;

    if (gmtime_r(&time, &utc) == NULL || strftime(out, LOCKOUT_TIME, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
        (void)snprintf(out, LOCKOUT_TIME, "@%ju", (uintmax_t)seconds);
    return out;
}

enum lockout_verdict lockout_connect(struct lockout *lockout, bool told)
{
    struct lockout *l = lockout;
    char until[LOCKOUT_TIME];
    struct contact contact;

    if (!is_on(l))
        return LOCKOUT_NONE;
    contact = change(l, count_connection);
    if (l->until == 0 || lockout_is_exempt(l))
        return LOCKOUT_NONE;
    l->counted = true; /* to be refused for this is no violation */
    if (contact.told != TOLD || told)
        return LOCKOUT_TELL;
    log_line(LOG_NOTICE, "lockout: closed until=%s connections=%ju", lockout_time(l->until, until),
             (uintmax_t)contact.connections);
    return LOCKOUT_CLOSE;
}

uint64_t lockout_until(const struct lockout *lockout)
{
    char path[PATH_MAX];
    const struct lockout_db contacts = lockout_contacts(lockout->settings, path, false);
    const struct contact wanted = contact_of(lockout->client->family, lockout->client->bytes);
    size_t count = 0;
    struct contact *list = is_on(lockout) ? lockout_db_list(&contacts, &count) : NULL;
    uint64_t until = 0;

    for (size_t i = 0; i < count; i++)
        if (list[i].family == wanted.family && memcmp(list[i].network, wanted.network, sizeof wanted.network) == 0 &&
            lockout_present(lockout->settings, &list[i]) && list[i].until > (uint64_t)time(NULL))
            until = list[i].until;
    free(list);
    return until != 0 && !lockout_is_exempt(lockout) ? until : 0;
}

struct reply lockout_reply(const struct lockout *lockout)
{
    static char until[LOCKOUT_TIME];

    return (struct reply){ .code = 454, .text = SLICE("4.7.1 Too many violations, your host is locked out until"),
                           .detail = slice_of(lockout_time(lockout->until, until)) };
}

void lockout_violation(struct lockout *lockout, const char *reason)
{
    struct lockout *l = lockout;
    char until[LOCKOUT_TIME];
    struct contact contact;

    if (!is_on(l) || l->counted || lockout_is_exempt(l))
        return;
    l->counted = true;
    contact = change(l, count_violation);
    log_line(LOG_NOTICE, "lockout: violations=%ju/%ju reason=%s%s%s", (uintmax_t)contact.violations,
             (uintmax_t)allowance(&contact, l->settings->lockout_violations), reason, l->until > 0 ? " until=" : "",
             l->until > 0 ? lockout_time(l->until, until) : "");
}

bool lockout_refusal(struct lockout *lockout, const char *stage, unsigned code)
{
    for (size_t i = 0; i < sizeof violations / sizeof violations[0]; i++)
        if (strcmp(violations[i].reason, stage) == 0 && code >= violations[i].first && code <= violations[i].last) {
            lockout_violation(lockout, stage);
            return true;
        }
    return false;
}

void lockout_forgive(struct lockout *lockout)
{
    if (is_on(lockout))
        (void)change(lockout, forget_violations);
}
