/* replay.c - saved messages are decided on and delivered once more (-r) */
/*
 * Each message is one transaction of state.c, whose envelope is that of the header lines that mailrecv has put
 * above it, or of the command line. It is marked as begun before it is delivered, and as done behind that;
 * a kill between the two leaves it begun, and then only a person may say that it is to be tried again.
 */
#include "admin/replay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "admin/mailfile.h"
#include "base/clock.h"
#include "base/cold.h"
#include "base/log.h"
#include "delivery/deliver.h"
#include "monitor/state.h"

enum { INCOMPLETE_RUN = 1, ARGUMENT = 2048 };

/* What came of a message: the word of its line. */
enum fate { DELIVERED, REHEARSED, DONE, DEFERRED, REFUSED, BEGUN, INCOMPLETE, FAILED, FATES };

static const struct {
    const char *word;
    bool well; /* as wanted */
} fates[FATES] = {
    [DELIVERED] = { "delivered", true }, [REHEARSED] = { "rehearsed", true },   [DONE] = { "done", true },
    [DEFERRED] = { "deferred", false },  [REFUSED] = { "refused", false },      [BEGUN] = { "begun", false },
    [FAILED] = { "failed", false },      [INCOMPLETE] = { "incomplete", false },
};

/* One message on its way. */
struct attempt {
    struct conf *conf;
    const struct replay *order;
    struct mailfile *box;
    struct mailfile_message *message;
    struct session_state state;
    struct reply reply;   /* code 0: there was none */
    const char *reason;   /* "" or why it failed */
};

/* ---- numbers ----------------------------------------------------------------------------- */

/* Reads N or N-N. */
static bool parse_range(const char *word, unsigned long *first, unsigned long *last)
{
    char *end;

    if (*word < '1' || *word > '9')
        return false;
    *first = *last = strtoul(word, &end, 10);
    if (*end == '-' && end[1] >= '1' && end[1] <= '9')
        *last = strtoul(end + 1, &end, 10);
    return *end == '\0' && *first <= *last;
}

bool replay_is_number(const char *word)
{
    unsigned long first, last;

    return parse_range(word, &first, &last);
}

static bool is_named(const struct replay *order, size_t number)
{
    unsigned long first, last;

    for (size_t i = 0; i < order->count; i++)
        if (parse_range(order->numbers[i], &first, &last) && number >= first && number <= last)
            return true;
    return false;
}

static bool is_wanted(const struct replay *order, size_t number)
{
    return order->count == 0 || is_named(order, number);
}

/* Says which numbers are those of no message. */
static bool all_found(const struct replay *order, size_t found)
{
    unsigned long first, last;
    bool all = true;

    for (size_t i = 0; i < order->count; i++)
        if (parse_range(order->numbers[i], &first, &last) && last > found) {
            fprintf(stderr, "mailrecv: %s has %zu messages, there is no number %lu\n", order->place, found, last);
            all = false;
        }
    return all;
}

/* ---- the envelope ------------------------------------------------------------------------ */

static const char *sender_of(const struct attempt *a)
{
    const struct scenario *s = a->order->scenario;

    return s->from != NULL ? s->from : a->message->ours ? a->message->sender : NULL;
}

static size_t recipient_count(const struct attempt *a)
{
    if (a->order->scenario->count > 0)
        return a->order->scenario->count;
    return a->message->ours ? 1 + a->message->other_count : 0;
}

static const char *recipient_of(const struct attempt *a, size_t i)
{
    return a->order->scenario->count > 0 ? a->order->scenario->recipients[i] : head_recipient(a->message, i);
}

/* "FROM:" and a path, in angle brackets whether it has them or not. */
static struct slice path_argument(char *out, size_t size, const char *word, const char *path, const char *parameters)
{
    bool bracketed = path[0] == '<';
    int len = snprintf(out, size, "%s%s%s%s%s", word, bracketed ? "" : "<", path, bracketed ? "" : ">", parameters);

    return (struct slice){ out, len < 0 ? 0 : (size_t)len < size ? (size_t)len : size - 1 };
}

static bool is_ascii(const char *text)
{
    while (*text != '\0' && (unsigned char)*text < 0x80)
        text++;
    return *text == '\0';
}

static bool needs_utf8(const struct attempt *a)
{
    bool ascii = is_ascii(sender_of(a)) && strncmp(a->message->protocol, "UTF8", 4) != 0;

    for (size_t i = 0; i < recipient_count(a); i++)
        ascii = ascii && is_ascii(recipient_of(a, i));
    return !ascii;
}

/* Who the client is: of the command line, or else as it was, or else local. */
static bool set_peer(const struct attempt *a, struct client *client)
{
    const struct mailfile_message *m = a->message;

    if (client_pretend(client, m->ours ? m->client : "local") != CLIENT_OK)
        return false;
    if (a->order->client != NULL)
        *client = *a->order->client;
    memcpy(client->tls.protocol, m->tls_protocol, sizeof client->tls.protocol);
    memcpy(client->tls.cipher, m->tls_cipher, sizeof client->tls.cipher);
    scenario_apply(a->order->scenario, client);
    return true;
}

/* ---- one message ------------------------------------------------------------------------- */

static enum fate fail(struct attempt *a, const char *reason)
{
    a->reason = reason;
    return FAILED;
}

static enum fate refuse(struct attempt *a, struct reply reply)
{
    a->reply = reply;
    return reply.code < 500 ? DEFERRED : REFUSED;
}

static bool say_helo(struct attempt *a)
{
    const struct scenario *s = a->order->scenario;
    const char *recorded = a->message->helo[0] != '\0' ? a->message->helo : "localhost";
    struct slice helo = slice_of(s->helo != NULL ? s->helo : recorded);

    return envelope_helo(helo) && state_helo(&a->state, strcmp(a->message->protocol, "SMTP") != 0, helo).code == 0;
}

/* Code 0, or the first refusal. An argument that the dialogue would refuse never comes to state.c. */
static struct reply say_envelope(struct attempt *a)
{
    static const struct reply bad_sender = REPLY(501, "1.7", "Syntax error in the address of the sender");
    static const struct reply bad_recipient = REPLY(501, "1.3", "Syntax error in the address of the recipient");
    const bool lmtp = session_lmtp(&a->conf->session);
    char text[ARGUMENT];
    struct mail_argument mail;
    struct address address;
    struct slice argument = path_argument(text, sizeof text, "FROM:", sender_of(a), needs_utf8(a) ? " SMTPUTF8" : "");
    struct reply reply;

    if (envelope_mail(argument, lmtp, &mail) != ENVELOPE_OK)
        return bad_sender;
    reply = state_mail(&a->state, argument);
    for (size_t i = 0; reply.code == 0 && i < recipient_count(a); i++) {
        argument = path_argument(text, sizeof text, "TO:", recipient_of(a, i), "");
        if (envelope_rcpt(argument, lmtp, mail.smtputf8, &address) != ENVELOPE_OK)
            return bad_recipient;
        reply = state_rcpt(&a->state, argument);
        a->reason = groups_trouble();
    }
    return reply;
}

static int open_spool(void *context, uint64_t *start)
{
    return state_spool(context, start);
}

/* Delivers what the rules have accepted, between its two marks. */
static enum fate deliver(struct attempt *a)
{
    static char memory[SPOOL_MEMORY] COLD_BSS;
    struct spool spool = { .memory = memory, .fd = -1 };
    bool rehearsal = a->conf->delivery.rehearse != NULL, delivered;
    struct message message;
    const char *why;

    message_begin(&message, &spool, UINT64_MAX, false, open_spool, &a->state);
    why = mailfile_take(a->box, a->message, !rehearsal, &message);
    if (why != NULL) {
        spool_clear(&spool);
        return fail(a, why);
    }
    a->reply = state_deliver(&a->state, &spool);
    spool_clear(&spool);
    delivered = a->reply.code == 250;
    a->reason = delivered ? "" : deliver_failure();
    why = rehearsal ? NULL : mailfile_settle(a->box, a->message, delivered ? MAILFILE_DONE : MAILFILE_WAITING);
    if (why != NULL)
        return fail(a, why); /* the reply says whether it was delivered */
    return delivered ? rehearsal ? REHEARSED : DELIVERED : refuse(a, a->reply);
}

static enum fate run_transaction(struct attempt *a)
{
    struct reply refusal;

    if (!say_helo(a))
        return fail(a, "the name behind helo is none that a client may give");
    refusal = say_envelope(a);
    return refusal.code != 0 ? refuse(a, refusal) : deliver(a);
}

static enum fate attempt(struct attempt *a, const volatile sig_atomic_t *terminated)
{
    struct client client;
    enum fate fate;

    if (sender_of(a) == NULL || recipient_count(a) == 0)
        return fail(a, "it does not say its envelope: give from and rcpt");
    if (!set_peer(a, &client))
        return fail(a, "it does not say who the client was: give -P");
    groups_forget(&a->conf->rules.groups);
    log_set_client(client.address);
    if (!state_begin(&a->state, a->conf, &client, terminated))
        return fail(a, "out of memory");
    a->state.greeted = true; /* when its message came */
    a->state.one_fate = true; /* whichever protocol its message came by */
    fate = run_transaction(a);
    state_end(&a->state);
    return fate;
}

/*
 * Why a message is left alone that is not whole, or NULL. What others have written may be whole in their eyes, of
 * which a person knows more.
 */
static const char *why_incomplete(const struct attempt *a)
{
    static const char *const reasons[] = {
        [MAILFILE_NO_END] = "no empty line ends it: if nothing is missing, name it by its number",
        [MAILFILE_NO_BEGINNING] = "no From_ line with address and date begins it: if it is a message all the same, name it "
                               "by its number",
    };
    const struct mailfile_message *m = a->message;

    if (m->part == MAILFILE_WHOLE)
        return NULL;
    if (m->ours)
        return "its end is missing: nobody has acknowledged it, and its sender has kept it";
    return is_named(a->order, m->number) ? NULL : reasons[m->part];
}

/* What the marks leave to be done. */
static enum fate consider(struct attempt *a, const volatile sig_atomic_t *terminated)
{
    const struct mailfile_message *m = a->message;
    const char *missing = why_incomplete(a);

    if (m->ours && m->mark == MAILFILE_DONE)
        return DONE;
    if (missing != NULL) {
        a->reason = missing;
        return INCOMPLETE;
    }
    if (m->ours && m->mark == MAILFILE_BEGUN && !is_named(a->order, m->number)) {
        a->reason = "a replay that was killed may have delivered it: name it by its number to try again";
        return BEGUN;
    }
    return attempt(a, terminated);
}

/* ---- what is printed --------------------------------------------------------------------- */

static void print_text(const char *key, struct slice text)
{
    char shown[LOG_TEXT];

    printf(" %s=\"%s\"", key, log_encode(shown, sizeof shown, text));
}

static void print_reply(const struct reply *reply)
{
    char text[LOG_TEXT], detail[LOG_TEXT];

    printf(" reply=\"%u %u.%.*s %s%s%s\"", reply->code, reply->code / 100, (int)reply->status.len, reply->status.text,
           log_encode(text, sizeof text, reply->text), reply->detail.len > 0 ? " " : "",
           log_encode(detail, sizeof detail, reply->detail));
    if (reply->note.len > 0)
        printf(" %.*s", (int)reply->note.len, reply->note.text);
}

static void print_fate(const struct attempt *a, enum fate fate)
{
    printf("%zu %s", a->message->number, fates[fate].word);
    if (a->box->count > 1)
        print_text("file", slice_of(a->message->path));
    if (sender_of(a) != NULL)
        print_text("from", slice_of(sender_of(a)));
    for (size_t i = 0; i < recipient_count(a); i++)
        print_text("to", slice_of(recipient_of(a, i)));
    if (a->reply.code != 0)
        print_reply(&a->reply);
    if (fate == INCOMPLETE && !a->message->ours)
        printf(" bytes=%ju-%ju", (uintmax_t)a->message->begin, (uintmax_t)a->message->end - 1);
    if (a->reason[0] != '\0')
        print_text("reason", slice_of(a->reason));
    putchar('\n');
    (void)fflush(stdout); /* main looks whether it could be written */
}

/* ---- the run ----------------------------------------------------------------------------- */

/* Lets SIGTERM and SIGINT in, which are blocked while something is done. */
static bool is_stopped(const volatile sig_atomic_t *terminated)
{
    sigset_t waiting = clock_mask();

    (void)clock_poll(NULL, 0, 0, &waiting); /* returns at once */
    return *terminated != 0;
}

/*
 * What fails stays where it is: a copy of it in the dead-letter file would be one too many. Who has called,
 * and in whose name, was checked when the message came; what DNS says of them today is no matter. Its addresses are
 * those that rewrite lines have made.
 */
static void forget_checks(struct conf *conf)
{
    struct client_settings *s = &conf->client;
    struct limit *const checks[] = { &s->helo_dns_check, &s->helo_syntax_check, &s->sender_dns_check,
                                     &s->rcpt_dns_check, &s->sender_syntax_check, &s->rcpt_syntax_check,
                                     &s->sender_mta_check };

    conf->delivery.deadletter_file = (struct slice){ "", 0 };
    conf->client.lockout_db = conf->delivery.ledger = (struct slice){ "", 0 };
    conf->rules.dead_letter = NULL;
    conf->rules.first_rewrite[REWRITE_SENDER] = conf->rules.first_rewrite[REWRITE_RECIPIENT] = NULL; /* that was done */
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++)
        checks[i]->value = 0;
}

static void complain(const char *path)
{
    fprintf(stderr, "mailrecv: cannot read %s: %s\n", path, strerror(errno));
}

/* One message and its line. Is all well with it? */
static bool replay_one(struct attempt *a, const volatile sig_atomic_t *terminated)
{
    enum fate fate = consider(a, terminated);

    print_fate(a, fate);
    return fates[fate].well;
}

int replay(struct conf *conf, const struct replay *order, const volatile sig_atomic_t *terminated)
{
    struct mailfile box;
    struct mailfile_message message = { .path = order->place };
    bool well = true, any = false;
    int more = 1;

    forget_checks(conf);
    if (!mailfile_open(&box, order->place, conf->delivery.lock_secs.value * 1000)) {
        complain(order->place);
        mailfile_close(&box);
        return EX_NOINPUT;
    }
    while (!is_stopped(terminated) && (more = mailfile_next(&box, &message)) != 0) {
        struct attempt a = { .conf = conf, .order = order, .box = &box, .message = &message, .reason = "" };

        any = any || more > 0;
        if (more < 0)
            complain(message.path);
        else if (!is_wanted(order, message.number) || replay_one(&a, terminated))
            continue;
        well = false;
    }
    well = well && more == 0 && all_found(order, box.found);
    mailfile_close(&box);
    return well ? EX_OK : more == 0 && !any ? EX_NOINPUT : INCOMPLETE_RUN;
}
