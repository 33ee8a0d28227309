/* behalf.c - XCLIENT and XFORWARD: whose client a peer speaks for, and what is known of the peer meanwhile */
/*
 * The client is always in one place, s->client, from where rules, lockout, log and deliveries have it. By XCLIENT it becomes
 * another for good, as if that had connected now; by XFORWARD for one transaction, and the peer waits here.
 */
#include "monitor/state.h"

#include "base/cold.h"
#include "base/log.h"
#include "base/text.h"
#include "client/checks.h"
#include "dns/dns.h"
#include "handlers/milter.h"

static const struct reply no_objection = { .code = 0 };

static struct {
    struct told told; /* by XFORWARD, for the next transaction */
    struct client peer;
    char helo[HELO_MAX + 1];
    struct reply helo_refusal;
    bool extended, lmtp;
    bool used;        /* there was a MAIL behind it */
} kept COLD_BSS;

static bool may_say(const struct session_state *s, enum told_command command)
{
    return (s->speaks & 1U << command) != 0 && !s->in_transaction && !s->forwarded;
}

void state_change_client(struct session_state *s)
{
    struct groups *groups = &s->conf->rules.groups;
    const char *verdict = state_settle(s, false);

    if (verdict[0] != '\0')
        log_line(LOG_INFO, "client ends violation=%s", verdict);
    milter_end(&s->conf->handlers);
    s->message_came = s->violation = s->command_objects = false;
    counts_forget_guesses(&s->counts);
    groups_forget(groups);
    dnsbl_forget(groups->lists);
    checks_forget_senders();
    s->lockout = (struct lockout){ .settings = &s->conf->client, .groups = groups, .client = s->client };
    s->locked = LOCKOUT_NONE;
}

void state_show_client(const struct session_state *s, const char *ident)
{
    const struct client *client = s->client;
    char shown[LOG_TEXT];

    log_line(LOG_INFO, "client is remote host %s [%s] via=%s%s%s%s", client->name, client->address,
             client->via[0] != '\0' ? client->via : client->address, ident[0] != '\0' ? " ident=\"" : "",
             log_encode(shown, sizeof shown, slice_of(ident)), ident[0] != '\0' ? "\"" : "");
}

/* How the client has greeted the peer; the name that it gave there gets the checks of HELO, if it is to be served. */
static void take_greeting(struct session_state *s, const struct told *told, bool served)
{
    const char *helo = told_has(told, TOLD_HELO) ? told->helo : "";

    text_string(s->helo, sizeof s->helo, slice_of(helo));
    s->helo_refusal = no_objection;
    if ((told->given & 1U << TOLD_PROTO) != 0) {
        s->extended = told_has(told, TOLD_PROTO) && told->extended;
        s->lmtp = told_has(told, TOLD_PROTO) && told->lmtp;
    }
    dns_new_deadline();
    if (served && helo[0] != '\0')
        (void)state_check_helo(s, s->extended, slice_of(s->helo));
}

/* ---- for good -------------------------------------------------------------------------------- */

/*
 * As if the client had connected now. Of TLS stays what the connection is; the certificate was the peer's, and so was a login
 * that LOGIN does not repeat: nobody has rights by what somebody else has shown.
 */
struct reply state_xclient(struct session_state *s, struct slice argument)
{
    struct told told = { .given = 0 };
    struct reply reply;

    if (!state_is_possible(s) || !may_say(s, TOLD_XCLIENT) || told_parse(argument, TOLD_XCLIENT, &told) != TOLD_OK)
        return state_contradict(s);
    state_reset(s);
    s->mistold = false;
    state_note(s, CAME_ON);
    state_change_client(s);
    client_from_peer(s->client, &told);
    log_set_client(s->client->address);
    s->extended = false;
    s->lmtp = session_lmtp(&s->conf->session);
    s->auth_failures = 0;
    s->helo_told = told_has(&told, TOLD_HELO);
    s->proto_told = told_has(&told, TOLD_PROTO);
    dns_new_deadline();
    s->locked = lockout_connect(&s->lockout, true);
    reply = state_judge(s);
    s->announced = false;
    state_announce(s);
    if (reply.code == 0)
        reply = state_ask_connect(s);
    s->greeted = reply.code == 0;
    take_greeting(s, &told, s->greeted);
    return reply;
}

/* ---- for a transaction ------------------------------------------------------------------------ */

void state_xforward(struct session_state *s, struct slice argument)
{
    if (!s->told || kept.used)
        kept.told.given = kept.told.missing = 0;
    kept.used = false;
    if (!state_is_possible(s) || !may_say(s, TOLD_XFORWARD) || told_parse(argument, TOLD_XFORWARD, &kept.told) != TOLD_OK) {
        (void)state_contradict(s);
        return;
    }
    state_note(s, CAME_ON);
    s->told = true;
    s->mistold = s->mistold && (kept.told.given & 1U << TOLD_ADDR) == 0;
}

/* A peer hardly looks at what it is answered, and would go on with MAIL. */
void state_mistold(struct session_state *s)
{
    if (s->speaks == 0)
        (void)state_contradict(s);
    s->told = false;
    s->mistold = true;
}

/* May mail of that client come at all? */
static struct reply judge_forwarded(struct session_state *s)
{
    struct reply reply;

    dns_new_deadline();
    s->locked = lockout_connect(&s->lockout, true);
    reply = s->locked != LOCKOUT_NONE ? lockout_reply(&s->lockout) : rules_forward(&s->conf->rules, s->client);
    state_log_trouble();
    dnsbl_log(s->conf->rules.groups.lists);
    return reply.code != 0 ? reply : state_ask_connect(s);
}

/* The lists of hosts are asked again about a peer that has been somebody else; the answers are there still. */
static struct reply begin_own(struct session_state *s)
{
    struct reply reply = no_objection;

    if (s->unlisted && s->conf->rules.groups.lists != NULL) {
        dns_new_deadline();
        reply = rules_forward(&s->conf->rules, s->client);
        state_log_trouble();
    }
    s->unlisted = false;
    return reply;
}

/* Mail without an address or a name of its client is the peer's own. */
struct reply state_begin_forwarded(struct session_state *s)
{
    static const struct reply mistold = REPLY(451, "5.4", "Whose mail this is was not understood, say that again or RSET");
    struct reply reply;

    if (s->mistold)
        return mistold;
    if (!s->told)
        return begin_own(s);
    kept.used = true;
    if (told_is_another(&kept.told)) {
        kept.peer = *s->client;
        text_string(kept.helo, sizeof kept.helo, slice_of(s->helo));
        kept.helo_refusal = s->helo_refusal;
        kept.extended = s->extended;
        kept.lmtp = s->lmtp;
        state_change_client(s);
        s->forwarded = true;
        client_from_peer(s->client, &kept.told);
        log_set_client(s->client->address);
    }
    state_show_client(s, told_has(&kept.told, TOLD_IDENT) ? kept.told.ident : "");
    if (!s->forwarded)
        return begin_own(s);
    reply = judge_forwarded(s);
    take_greeting(s, &kept.told, reply.code == 0);
    return reply;
}

void state_end_forwarded(struct session_state *s)
{
    if (!s->forwarded)
        return;
    state_change_client(s);
    s->forwarded = false;
    s->unlisted = true;
    s->lockout.counted = true; /* it is a peer that speaks for others */
    *s->client = kept.peer;
    log_set_client(s->client->address);
    text_string(s->helo, sizeof s->helo, slice_of(kept.helo));
    s->helo_refusal = kept.helo_refusal;
    s->extended = kept.extended;
    s->lmtp = kept.lmtp;
}
