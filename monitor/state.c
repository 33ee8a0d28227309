/* state.c - what the monitor knows for certain of a session: HELO, envelope, counts */
#include "monitor/state.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/cold.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/text.h"
#include "client/auth.h"
#include "client/checks.h"
#include "delivery/ledger.h"
#include "dns/canonical.h"
#include "dns/dns.h"
#include "handlers/milter.h"
#include "handlers/milter_message.h"
#include "handlers/policy.h"
#include "nexthop/tls.h"
#include "tables/table.h"

enum { OWED_BEFORE = 1000 }; /* deliveries of earlier messages that a client may not know of yet */

static const struct reply no_objection = { .code = 0 };

struct reply state_contradict(struct session_state *s)
{
    static const struct reply contradiction = REPLY(451, "3.0", "Internal contradiction, please report it");

    s->contradiction = true;
    return contradiction;
}

/* With a copy of each for each also line, and those that handlers ask for. */
static size_t recipients_most(const struct conf *conf)
{
    return (size_t)conf->session.smtp_rcpt_to.value * (1 + conf->rules.also_count) +
           (conf->handlers.first_policy != NULL ? POLICY_COPIES : 0) +
           (conf->handlers.first_milter != NULL ? MILTER_RECIPIENTS : 0);
}

/* Of messages that a client sends without waiting for replies there may be several. */
static size_t owed_most(const struct conf *conf)
{
    return recipients_most(conf) + OWED_BEFORE;
}

static size_t recipients_size(const struct conf *conf)
{
    return recipients_most(conf) *
               (sizeof(struct recipient) + sizeof(struct outcome) + sizeof(struct ledger_entry) +
                2 * sizeof(uint32_t) + sizeof(struct recipient_forms)) +
           owed_most(conf) * sizeof(struct ledger_entry);
}

static void *map_room(const struct conf *conf)
{
    return mmap(NULL, recipients_size(conf), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

/* Writing here now is what counts: the pages are ours then, and not to be copied while the client waits. */
void state_make_room(struct session_state *s, const struct conf *conf)
{
    *s = (struct session_state){ .recipients = map_room(conf) };
}

bool state_begin(struct session_state *s, struct conf *conf, struct client *client,
                  const volatile sig_atomic_t *terminated)
{
    void *room = s->recipients != NULL ? s->recipients : map_room(conf);
    struct ledger_entry *owed;

    *s = (struct session_state){
        .conf = conf, .client = client, .terminated = terminated, .recipients = room, .tls.channel = -1,
        .lockout = { .settings = &conf->client, .groups = &conf->rules.groups, .client = client },
        .lmtp = session_lmtp(&conf->session), .deadline = clock_ms() + conf->session.connection_secs.value * 1000
    };
    (void)clock_gettime(CLOCK_REALTIME, &s->connected_at); /* cannot fail with these arguments */
    dns_begin(&conf->dns, conf->base.sandbox != SANDBOX_OFF, s->deadline, terminated);
    nexthop_tls_use(conf->client.tls_helper, conf->nexthop.tls_ca);
    canonical_confine(conf->base.sandbox != SANDBOX_OFF);
    s->outcomes = (struct outcome *)(void *)(s->recipients + recipients_most(conf));
    s->entries = (struct ledger_entry *)(void *)(s->outcomes + recipients_most(conf));
    owed = s->entries + recipients_most(conf);
    s->hashes = (uint32_t *)(void *)(owed + owed_most(conf));
    s->order = s->hashes + recipients_most(conf);
    s->forms = (struct recipient_forms *)(void *)(s->order + recipients_most(conf));
    ledger_give_room(owed, owed_most(conf));
    if (room == MAP_FAILED)
        log_line(LOG_ERR, "no memory for %zu recipients", recipients_most(conf));
    return room != MAP_FAILED;
}

void state_end(struct session_state *s)
{
    starttls_end(&s->tls, s->client, s->deadline);
    policy_end(&s->conf->handlers);
    table_end(&s->conf->tables);
    milter_end(&s->conf->handlers);
    milter_message_end();
    state_rest(s);
    dns_end();
    free(s->held_fields);
    (void)munmap(s->recipients, recipients_size(s->conf)); /* ours: cannot fail */
    s->recipients = NULL;
}

void state_note(struct session_state *s, enum came_to came_to)
{
    if (counts_note(&s->counts, &s->conf->session, came_to, 1).limit != NULL)
        s->excess = true;
}

/* refused=N/MAX, for the log: what one of them comes to the end of the session tells (state_verdict). */
static struct slice refused_fact(const struct session_state *s, struct slice note)
{
    static char fact[2 * LOG_TEXT] RARE_BSS;
    struct text text = { fact, sizeof fact, 0 };

    text_put(&text, (struct slice)SLICE("refused="));
    text_number(&text, s->counts.of[COUNTED_REFUSED], 1);
    text_put(&text, (struct slice)SLICE("/"));
    text_number(&text, s->conf->session.smtp_refused_rcpts.value, 1);
    text_put(&text, slice_of(note.len > 0 ? " " : ""));
    text_put(&text, note);
    return text_slice(&text);
}

/* What the client calls itself: in the line that was refused for that, or before. */
static struct slice helo_of(const struct session_state *s, const char *stage, struct slice line)
{
    const char *blank = strcmp(stage, "helo") == 0 ? memchr(line.text, ' ', line.len) : NULL;

    return blank != NULL ? (struct slice){ blank + 1, line.len - (size_t)(blank + 1 - line.text) } : slice_of(s->helo);
}

/* Is the refusal one of the replies to a message that each recipient has? */
static bool is_answer(struct session_state *s, const char *stage)
{
    if (!s->answers_each || s->refusals_due == 0 || strcmp(stage, "data") != 0)
        return false;
    s->refusals_due--;
    return true;
}

void state_refusal(struct session_state *s, const char *stage, const struct reply *reply, struct slice line)
{
    bool recipient = reply->code >= 500 && strcmp(stage, "rcpt") == 0;
    struct reply shown = *reply;

    s->mail_refused = s->mail_refused || strcmp(stage, "mail") == 0;
    if (!s->refusal_counted && !is_answer(s, stage)) /* the session has refused it by itself */
        state_note(s, recipient && s->in_transaction ? CAME_REFUSED : CAME_LATER);
    s->refusal_counted = false;
    s->message_came = s->message_came || (s->count > 0 && strcmp(stage, "data") == 0);
    if (recipient)
        shown.note = refused_fact(s, reply->note);
    reply_log(&shown, &(struct reply_context){ .stage = stage, .host = client_known_name(s->client), .via = s->client->via,
                                               .helo = helo_of(s, stage, line),
                                               .sender = s->in_transaction ? address_slice(&s->mail.sender) : slice_of("") },
              line);
    s->violation = lockout_refusal(&s->lockout, stage, reply->code) || s->violation;
    if (!s->in_transaction && s->forwarded)
        state_end_forwarded(s); /* it was MAIL that was refused */
}

const char *state_settle(struct session_state *s, bool cut)
{
    bool guessed = counts_guesses(&s->counts) && !s->message_came && !s->violation;

    if (s->speaks != 0 && !s->forwarded)
        return ""; /* what a peer does that speaks for others is not its own doing */
    if (s->command_objects)
        return "command"; /* counted when that was */
    if (guessed || cut)
        lockout_violation(&s->lockout, guessed ? "rcpt" : "cut");
    return guessed ? "rcpt" : "";
}

const char *state_verdict(struct session_state *s, bool cut)
{
    if (s->ended)
        return "";
    state_end_forwarded(s);
    (void)starttls_learn(&s->tls, s->client); /* what it says is in the log */
    dns_rest();
    s->ended = true;
    return state_settle(s, cut);
}

/*
 * A client that was refused in the greeting can go on with nothing, and behind STARTTLS nothing can arrive before the
 * helper has told of its handshake.
 */
bool state_is_possible(struct session_state *s)
{
    (void)starttls_learn(&s->tls, s->client); /* what it says is in the log, and in the client */
    return s->greeted && (s->tls.helper == 0 || s->client->tls.protocol[0] != '\0');
}

struct reply state_check_helo(struct session_state *s, bool extended, struct slice name)
{
    struct reply reply = checks_helo(&s->conf->client, &s->conf->rules.groups, s->client, name);

    return s->helo_refusal = reply.code != 0 ? reply : state_ask_helo(s, extended, name);
}

struct reply state_helo(struct session_state *s, bool extended, struct slice name)
{
    struct reply reply;

    if (!state_is_possible(s) || s->forwarded || !envelope_helo(name))
        return state_contradict(s);
    state_note(s, s->helo[0] != '\0' ? CAME_IDLE : CAME_ON);
    dns_new_deadline();
    reply = s->helo_told ? no_objection : state_check_helo(s, extended, name);
    reply.status.len = 0; /* RFC 2034 4: nothing that answers HELO has an enhanced code */
    if (reply.code != 0)
        return reply;
    state_reset(s);
    s->helos++;
    if (!s->proto_told)
        s->extended = extended;
    if (!s->helo_told)
        text_string(s->helo, sizeof s->helo, name);
    return no_objection;
}

/* What RFC 3207 4 and RFC 4954 6 call for before a transaction. */
static struct reply check_requirements(const struct session_state *s)
{
    static const struct reply need_tls = REPLY(530, "7.0", "Say STARTTLS first");
    static const struct reply need_auth = REPLY(530, "7.0", "Authentication is required");
    static const struct reply other_sender = REPLY(553, "7.1", "That is not an address of yours");
    static const struct reply unknown = REPLY(451, "3.0", "It cannot be checked now whose address that is, try again later");
    const struct client *client = s->client;

    if (s->conf->client.tls == TLS_REQUIRED && client->tls.protocol[0] == '\0')
        return need_tls;
    if (s->conf->client.auth == AUTH_REQUIRED && client->user[0] == '\0')
        return need_auth;
    if (!s->conf->client.auth_sender_check || client->user[0] == '\0')
        return no_objection;
    switch (auth_may_send(&s->conf->client, client->user, &s->sender)) {
    case AUTH_YES: return no_objection;
    case AUTH_NO: return other_sender;
    case AUTH_BROKEN: break;
    }
    return unknown;
}

/* Is the sender's address one that can be? */
static struct reply know_sender(struct session_state *s)
{
    static const struct reply forbidden = REPLY(553, "1.7", "The domain of the sender is none that can exist");

    switch (canonical_address(&s->mail.sender, WORDS_OF_STRANGERS, &s->sender)) {
    case CANONICAL_OK:
        break;
    case CANONICAL_FORBIDDEN:
        return forbidden;
    case CANONICAL_UNKNOWN:
        return rules_unsure;
    }
    return no_objection;
}

struct reply state_mail(struct session_state *s, struct slice argument)
{
    const bool lmtp = session_lmtp(&s->conf->session);
    struct reply reply;

    log_release(); /* this is no mere look at whether somebody is there */
    state_rest(s);
    if (!state_is_possible(s) || s->in_transaction || envelope_mail(argument, lmtp, &s->mail) != ENVELOPE_OK)
        return state_contradict(s);
    if (lmtp && s->mail.sender.len > 0)
        recipient_complete(&s->conf->rules, &s->mail.sender);
    reply = state_rewrite_sender(s, &s->mail.sender);
    if (reply.code == 0)
        reply = know_sender(s);
    if (reply.code == 0)
        reply = check_requirements(s);
    if (reply.code != 0)
        return reply;
    reply = state_begin_forwarded(s);
    if (reply.code != 0)
        return reply;
    dns_new_deadline();
    reply = s->helo_refusal.code != 0 ? s->helo_refusal
                                      : checks_sender(&s->conf->client, &s->conf->rules.groups, s->client, &s->mail.sender,
                                                      &s->sender);
    if (reply.code == 0)
        reply = state_ask_mail(s);
    if (reply.code == 0) /* what costs others comes late; milters need not hear of who is refused */
        reply = checks_sender_hosts(&s->conf->client, &s->conf->rules.groups, s->client, &s->sender, s->deadline,
                                    s->terminated);
    text_string(s->parameters, sizeof s->parameters,
                (struct slice){ argument.text + s->mail.parameters, argument.len - s->mail.parameters });
    s->spooled = s->stamped = s->data_accepted = false;
    if (reply.code == 0)
        reply = state_milter_mail(s);
    if (reply.code != 0)
        return reply;
    state_note(s, CAME_MAIL);
    s->in_transaction = true;
    table_forget(); /* values of the recipients before */
    s->count = s->named = s->refusals_due = 0;
    s->answers_each = (lmtp || s->mail.prdr) && !s->one_fate;
    return no_objection;
}

static bool is_same(const struct recipient *s, const struct recipient *b)
{
    if (s->rule != b->rule)
        return false;
    if (s->rule->rcpt.kind == MAILBOXES_PATTERN) /* it may be about just that, and tell one token from another */
        return slice_equal(address_slice(&s->address), address_slice(&b->address));
    return slice_equal_nocase(address_slice(&s->address), address_slice(&b->address));
}

/*
 * Which one of the list is the recipient behind the last, in whatever way it is written? The same index: it is new. Else
 * it gets no further copy; unless another rule is for the other way, which only an expression can see.
 */
static size_t find_recipient(struct session_state *s)
{
    const struct recipient *recipient = &s->recipients[s->count];
    uint32_t hash = s->hashes[s->count] = hash_nocase(HASH_BEGIN, address_slice(&recipient->address));

    for (size_t i = 0; i < s->count; i++)
        if (s->hashes[i] == hash && is_same(&s->recipients[i], recipient))
            return i;
    return s->count;
}

/* The accepted recipient behind the last of the list, if it is new, and copies by also lines. False: who gets one is unknown. */
static bool add_recipient(struct session_state *s, const struct asking *asking)
{
    const size_t accepted = s->count;
    const struct rule *last = NULL;
    size_t count = accepted + 1;
    enum match result;

    s->order[s->named] = (uint32_t)find_recipient(s);
    if (s->order[s->named] < accepted)
        return true;
    while ((result = rules_also(&s->conf->rules, asking, &s->recipients[accepted], &last, &s->recipients[count])) == MATCH_YES)
        s->hashes[count++] = s->hashes[accepted];
    if (result == MATCH_NO)
        s->count = count;
    return result == MATCH_NO;
}

struct asking state_asking(const struct session_state *s)
{
    return (struct asking){ .client = s->client, .sender = &s->mail.sender, .canonical = &s->sender, .helo = s->helo };
}

/* What becomes of a recipient; one that is accepted is in the list then, with the copies that others get. */
static struct reply decide_recipient(struct session_state *s, struct address *address)
{
    const struct asking asking = state_asking(s);
    const size_t before = s->count;
    struct reply reply;
    bool rewritten = false;

    if (s->named >= s->conf->session.smtp_rcpt_to.value)
        return s->conf->session.smtp_rcpt_to.reply;
    dns_new_deadline();
    reply = state_rewrite_recipient(s, address, &s->forms[s->count], &rewritten);
    if (reply.code == 0)
        reply = checks_recipient(&s->conf->client, &s->conf->rules.groups, s->client, address);
    if (reply.code != 0)
        return reply;
    s->recipients[s->count].other = &s->forms[s->count];
    reply = rules_rcpt(&s->conf->rules, &asking, address, &s->recipients[s->count]);
    s->recipients[s->count].has_original = rewritten;
    state_log_trouble();
    if (reply.code == 0 && s->recipients[s->count].rule->rcpt.kind == MAILBOXES_PATTERN)
        reply = checks_accepted(&s->conf->client, &s->conf->rules.groups, s->client, &s->recipients[s->count].address);
    if (reply.code == 0)
        reply = state_ask_rcpt(s, &s->recipients[s->count].address);
    if (reply.code == 0)
        reply = state_milter_rcpt(s, &s->recipients[s->count]);
    if (reply.code == 0 && !add_recipient(s, &asking)) {
        state_log_trouble();
        reply = rules_unsure;
    }
    if (reply.code == 0 && s->count > before)
        reply = state_inquire(s, &s->recipients[before]);
    if (reply.code != 0)
        s->count = before;
    s->named += reply.code == 0;
    s->refusals_due += reply.code == 0;
    return reply;
}

/* Refused recipients are counted here, because a session that was taken over would not tell of them. */
struct reply state_rcpt(struct session_state *s, struct slice argument)
{
    const bool lmtp = session_lmtp(&s->conf->session);
    struct address address;
    struct reply reply;

    if (!s->in_transaction || s->data_accepted || envelope_rcpt(argument, lmtp, s->mail.smtputf8, &address) != ENVELOPE_OK)
        return state_contradict(s);
    if (lmtp)
        recipient_complete(&s->conf->rules, &address); /* for expressions, too */
    reply = decide_recipient(s, &address);
    s->refusal_counted = reply.code != 0;
    if (reply.code == 0)
        state_note(s, CAME_RECIPIENT);
    else
        state_note(s, reply.code >= 500 && reply.counts != COUNTS_NOT ? CAME_REFUSED : CAME_LATER);
    return reply;
}

struct reply state_tls(struct session_state *s, int client, int plain)
{
    static const struct reply no_tls = REPLY(454, "7.0", "TLS is not available now");
    uint64_t until = clock_ms() + s->conf->session.command_secs.value * 1000;

    if (s->conf->client.tls == TLS_OFF || s->tls.helper != 0 || s->in_transaction)
        return state_contradict(s);
    state_note(s, CAME_IDLE);
    if (!starttls_start(&s->tls, &s->conf->client, client, plain, clock_earlier(until, s->deadline)))
        return no_tls;
    /* RFC 3207 4.2: what was said before is forgotten */
    state_reset(s);
    s->helo[0] = '\0';
    s->helo_refusal.code = 0;
    s->extended = s->helo_told = s->proto_told = false;
    s->client->user[0] = '\0';
    return no_objection;
}

void state_reset(struct session_state *s)
{
    if (s->in_transaction || s->mail_refused)
        state_note(s, CAME_RESET);
    s->mistold = s->mistold && s->in_transaction; /* it was about the next one */
    s->in_transaction = s->mail_refused = false;
    s->count = s->answers_due = 0;
    s->told = false;
    state_rest(s);
    milter_abort(&s->conf->handlers);
    state_end_forwarded(s);
}
