/* accept.c - what a session was allowed so far: greeting, HELO, envelope, delivery */
#include "monitor/accept.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/text.h"
#include "client/auth.h"
#include "client/checks.h"
#include "delivery/deliver.h"
#include "dns/canonical.h"
#include "dns/dns.h"

enum { PROXY_MS = 10000 }; /* how long a proxy may take for its header */

static const struct reply no_objection = { .code = 0 };

static struct reply contradict(struct acceptance *a)
{
    static const struct reply contradiction = REPLY(451, "3.0", "Internal contradiction, please report it");

    a->contradiction = true;
    return contradiction;
}

static size_t recipients_size(const struct conf *conf)
{
    return (size_t)conf->session.smtp_rcpt_to.value *
           (sizeof(struct recipient) + sizeof(uint32_t) + sizeof(struct recipient_forms));
}

bool accept_begin(struct acceptance *a, struct conf *conf, struct client *client,
                  const volatile sig_atomic_t *terminated)
{
    void *room = mmap(NULL, recipients_size(conf), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    *a = (struct acceptance){ .conf = conf, .client = client, .terminated = terminated, .recipients = room,
                              .tls.channel = -1, 
                              .lockout = { .settings = &conf->client, .groups = &conf->rules.groups, .client = client },
                              .deadline = clock_ms() + conf->session.connection_secs.value * 1000 };
    dns_begin(&conf->dns, conf->base.sandbox != SANDBOX_OFF, a->deadline, terminated);
    canonical_confine(conf->base.sandbox != SANDBOX_OFF);
    a->hashes = (uint32_t *)(void *)(a->recipients + conf->session.smtp_rcpt_to.value);
    a->forms = (struct recipient_forms *)(void *)(a->hashes + conf->session.smtp_rcpt_to.value);
    if (room == MAP_FAILED)
        log_line(LOG_ERR, "no memory for %ju recipients", (uintmax_t)conf->session.smtp_rcpt_to.value);
    return room != MAP_FAILED;
}

void accept_end(struct acceptance *a)
{
    starttls_end(&a->tls, a->client, a->deadline);
    dns_end();
    (void)munmap(a->recipients, recipients_size(a->conf)); /* ours: cannot fail */
}

static void log_trouble(void)
{
    if (groups_trouble()[0] != '\0')
        log_line(LOG_ERR, "%s", groups_trouble());
}

/*
 * From a proxy that the configuration trusts, learns who the client is. This is the one thing that the monitor reads
 * from a connection: so many bytes as the header has, before the first of the client's (proxy.c).
 */
static bool learn_client(struct acceptance *a)
{
    static const char *const reasons[] = { [PROXY_BAD] = "malformed", [PROXY_GONE] = "gone", [PROXY_LATE] = "late",
                                           [PROXY_STOPPED] = "terminated" };
    const struct patterns *proxies = &a->conf->rules.groups.proxies;
    enum match trusted = proxies->first != NULL ? groups_match(&a->conf->rules.groups, proxies, a->client) : MATCH_NO;
    struct proxy_header header;
    enum proxy_status status;

    if (trusted == MATCH_UNSURE)
        log_line(LOG_ERR, "%s", groups_trouble());
    if (trusted != MATCH_YES)
        return trusted == MATCH_NO;
    status = proxy_read(STDIN_FILENO, clock_earlier(clock_ms() + PROXY_MS, a->deadline), a->terminated, &header);
    if (status == PROXY_OK)
        client_from_proxy(a->client, &header);
    else
        log_line(LOG_NOTICE, "no PROXY header reason=%s", reasons[status]);
    log_set_client(a->client->address);
    return status == PROXY_OK;
}

/* Waits, and sees whether the client talks, without reading what it says. It may just go: that is no talk. */
static bool talks_early(const struct acceptance *a)
{
    uint64_t until = clock_ms() + a->conf->client.early_talker.secs * 1000;
    struct pollfd client = { .fd = STDIN_FILENO, .events = POLLIN };
    sigset_t waiting = clock_mask();
    int bytes = 0;

    return clock_poll(&client, 1, clock_earlier(until, a->deadline), &waiting) > 0 &&
           ioctl(client.fd, FIONREAD, &bytes) == 0 && bytes > 0;
}

/* limit.early_talker; with implicit TLS it is the client who begins. */
static struct reply check_silence(struct acceptance *a)
{
    const struct limit *limit = &a->conf->client.early_talker.limit;
    enum match bypass;

    if (limit->value == 0 || a->conf->client.tls == TLS_IMPLICIT)
        return no_objection;
    bypass = groups_bypass(&a->conf->rules.groups, a->client);
    accept_announce(a); /* not only when the pause is over */
    if (bypass == MATCH_YES || !talks_early(a))
        return no_objection;
    return bypass == MATCH_UNSURE ? reply_for_now(limit->reply) : limit->reply;
}

bool accept_admit(struct acceptance *a)
{
    dns_stage();
    if (!learn_client(a))
        return false;
    a->locked = lockout_connect(&a->lockout);
    return a->locked != LOCKOUT_CLOSE;
}

struct reply accept_connect(struct acceptance *a)
{
    struct reply reply;

    dns_stage();
    reply = a->locked == LOCKOUT_TELL ? lockout_reply(&a->lockout) : rules_connect(&a->conf->rules, a->client);
    if (reply.code == 0)
        reply = check_silence(a);
    a->greeted = reply.code == 0;
    if (reply.code != 0 || log_wants('s'))
        accept_announce(a); /* the greeting is logged, and this stands before it */
    return reply;
}

void accept_announce(struct acceptance *a)
{
    struct client *client = a->client;

    if (a->announced)
        return;
    a->announced = true;
    if (log_wants('h'))
        (void)client_name(client); /* asked for so that the log has it */
    log_line(LOG_INFO, "SMTP connection from remote host %s [%s]%s%s%s", client->name, client->address,
             client->proxy[0] != '\0' ? " by proxy [" : "", client->proxy, client->proxy[0] != '\0' ? "]" : "");
    if (geteuid() == 0)
        log_line(LOG_WARNING, "serving as root: user NAME in the configuration changes that");
    log_trouble();
    dnsbl_log(a->conf->rules.groups.lists);
    dns_speak();
}

/* ---- what is counted ---------------------------------------------------------------------------- */

void accept_note(struct acceptance *a, enum came_to came_to)
{
    if (counts_note(&a->counts, &a->conf->session, came_to, 1).limit != NULL)
        a->excess = true;
}

/* refused=N/MAX, for the log: what one of them comes to the end of the session tells (accept_verdict). */
static struct slice refused_fact(const struct acceptance *a, struct slice note)
{
    static char fact[2 * LOG_TEXT];
    struct text text = { fact, sizeof fact, 0 };

    text_put(&text, (struct slice)SLICE("refused="));
    text_number(&text, a->counts.of[COUNTED_REFUSED], 1);
    text_put(&text, (struct slice)SLICE("/"));
    text_number(&text, a->conf->session.smtp_refused_rcpts.value, 1);
    text_put(&text, slice_of(note.len > 0 ? " " : ""));
    text_put(&text, note);
    return text_slice(&text);
}

void accept_refusal(struct acceptance *a, const char *stage, const struct reply *reply, struct slice line)
{
    bool recipient = reply->code >= 500 && strcmp(stage, "rcpt") == 0;
    struct reply shown = *reply;

    a->mail_refused = a->mail_refused || strcmp(stage, "mail") == 0;
    if (!a->refusal_counted) /* the session has refused it by itself */
        accept_note(a, recipient && a->in_transaction ? CAME_REFUSED : CAME_LATER);
    a->refusal_counted = false;
    a->message_came = a->message_came || (a->count > 0 && strcmp(stage, "data") == 0);
    if (recipient)
        shown.note = refused_fact(a, reply->note);
    reply_log(&shown, stage, a->in_transaction ? address_slice(&a->mail.sender) : slice_of(""), line);
    a->violation = lockout_refusal(&a->lockout, stage, reply->code) || a->violation;
}

const char *accept_verdict(struct acceptance *a, bool cut)
{
    bool guessed = counts_guesses(&a->counts) && !a->message_came && !a->violation;

    if (a->ended)
        return "";
    (void)starttls_learn(&a->tls, a->client); /* what it says is in the log */
    dns_rest();
    a->ended = true;
    if (guessed || cut)
        lockout_violation(&a->lockout, guessed ? "rcpt" : "cut");
    return guessed ? " violation=rcpt" : "";
}

/* ---- questions ---------------------------------------------------------------------------------- */

/*
 * A client that was refused in the greeting can go on with nothing, and behind STARTTLS nothing can arrive before the
 * helper has told of its handshake.
 */
static bool is_possible(struct acceptance *a)
{
    (void)starttls_learn(&a->tls, a->client); /* what it says is in the log, and in the client */
    return a->greeted && (a->tls.helper == 0 || a->client->tls.protocol[0] != '\0');
}

struct reply accept_helo(struct acceptance *a, bool extended, struct slice name)
{
    struct reply reply;

    if (!is_possible(a) || !envelope_helo(name))
        return contradict(a);
    accept_note(a, a->helo[0] != '\0' ? CAME_IDLE : CAME_ON);
    dns_stage();
    reply = a->helo_refusal = checks_helo(&a->conf->client, &a->conf->rules.groups, a->client, name);
    reply.status.len = 0; /* RFC 2034 4: nothing that answers HELO has an enhanced code */
    if (reply.code != 0)
        return reply;
    accept_reset(a);
    a->extended = extended;
    memcpy(a->helo, name.text, name.len);
    a->helo[name.len] = '\0';
    return no_objection;
}

/* What RFC 3207 4 and RFC 4954 6 call for before a transaction. */
static struct reply check_requirements(const struct acceptance *a)
{
    static const struct reply need_tls = REPLY(530, "7.0", "Say STARTTLS first");
    static const struct reply need_auth = REPLY(530, "7.0", "Authentication is required");
    static const struct reply other_sender = REPLY(553, "7.1", "That is not an address of yours");
    static const struct reply unknown = REPLY(451, "3.0", "It cannot be checked now whose address that is, try again later");
    const struct client *client = a->client;

    if (a->conf->client.tls == TLS_REQUIRED && client->tls.protocol[0] == '\0')
        return need_tls;
    if (a->conf->client.auth == AUTH_REQUIRED && client->user[0] == '\0')
        return need_auth;
    if (!a->conf->client.auth_sender_check || client->user[0] == '\0')
        return no_objection;
    switch (auth_may_send(&a->conf->client, client->user, &a->sender)) {
    case AUTH_YES: return no_objection;
    case AUTH_NO: return other_sender;
    case AUTH_BROKEN: break;
    }
    return unknown;
}

/* Is the sender's address one that can be? */
static struct reply know_sender(struct acceptance *a)
{
    static const struct reply forbidden = REPLY(553, "1.7", "The domain of the sender is none that can exist");
    static const struct reply unsure = REPLY(451, "3.0", "This address cannot be checked now, try again later");

    switch (canonical_address(&a->mail.sender, WORDS_OF_STRANGERS, &a->sender)) {
    case CANONICAL_OK:
        break;
    case CANONICAL_FORBIDDEN:
        return forbidden;
    case CANONICAL_UNKNOWN:
        return unsure;
    }
    return no_objection;
}

struct reply accept_mail(struct acceptance *a, struct slice argument)
{
    struct reply reply;

    if (!is_possible(a) || a->in_transaction || envelope_mail(argument, &a->mail) != ENVELOPE_OK)
        return contradict(a);
    reply = know_sender(a);
    if (reply.code == 0)
        reply = check_requirements(a);
    if (reply.code != 0)
        return reply;
    dns_stage();
    reply = a->helo_refusal.code != 0 ? a->helo_refusal
                                      : checks_sender(&a->conf->client, &a->conf->rules.groups, a->client, &a->mail.sender,
                                                      &a->sender);
    if (reply.code != 0)
        return reply;
    accept_note(a, CAME_MAIL);
    a->in_transaction = true;
    a->spooled = false;
    a->count = a->named = 0;
    return no_objection;
}

static uint32_t hash_address(const struct address *address)
{
    uint32_t hash = HASH_BEGIN;

    for (size_t i = 0; i < address->len; i++) {
        const char lower = lower_ascii(address->text[i]);

        hash = hash_on(hash, &lower, 1);
    }
    return hash;
}

static bool is_same(const struct recipient *a, const struct recipient *b)
{
    if (a->rule != b->rule)
        return false;
    if (a->rule->kind == RCPT_PATTERN) /* it may be about just that, and tell one token from another */
        return slice_equal(address_slice(&a->address), address_slice(&b->address));
    return slice_equal_nocase(address_slice(&a->address), address_slice(&b->address));
}

/*
 * Was the recipient behind the last of the list not named before, in whatever way it is written? Else it gets no further
 * copy; unless another rule is for the other way, which only an expression can see.
 */
static bool is_new(struct acceptance *a)
{
    const struct recipient *recipient = &a->recipients[a->count];
    uint32_t hash = a->hashes[a->count] = hash_address(&recipient->address);

    for (size_t i = 0; i < a->count; i++)
        if (a->hashes[i] == hash && is_same(&a->recipients[i], recipient))
            return false;
    return true;
}

/* What becomes of a recipient; one that is accepted is the last of the list then, if it is not there already. */
static struct reply decide_recipient(struct acceptance *a, const struct address *address)
{
    struct reply reply;

    if (a->named >= a->conf->session.smtp_rcpt_to.value)
        return a->conf->session.smtp_rcpt_to.reply;
    dns_stage();
    reply = checks_recipient(&a->conf->client, &a->conf->rules.groups, a->client, address);
    if (reply.code != 0)
        return reply;
    a->recipients[a->count].other = &a->forms[a->count];
    reply = rules_rcpt(&a->conf->rules, a->client, address, &a->recipients[a->count]);
    log_trouble();
    if (reply.code == 0 && a->recipients[a->count].rule->kind == RCPT_PATTERN)
        reply = checks_accepted(&a->conf->client, &a->conf->rules.groups, a->client, &a->recipients[a->count].address);
    if (reply.code == 0) {
        a->named++;
        a->count += is_new(a);
    }
    return reply;
}

/* Refused recipients are counted here, because a session that was taken over would not tell of them. */
struct reply accept_rcpt(struct acceptance *a, struct slice argument)
{
    struct address address;
    struct reply reply;

    if (!a->in_transaction || envelope_rcpt(argument, a->mail.smtputf8, &address) != ENVELOPE_OK)
        return contradict(a);
    reply = decide_recipient(a, &address);
    a->refusal_counted = reply.code != 0;
    if (reply.code == 0)
        accept_note(a, CAME_RECIPIENT);
    else
        accept_note(a, reply.code >= 500 && reply.counts != COUNTS_NOT ? CAME_REFUSED : CAME_LATER);
    return reply;
}

struct reply accept_tls(struct acceptance *a, int client, int plain)
{
    static const struct reply no_tls = REPLY(454, "7.0", "TLS is not available now");
    uint64_t until = clock_ms() + a->conf->session.command_secs.value * 1000;

    if (a->conf->client.tls == TLS_OFF || a->tls.helper != 0 || a->in_transaction)
        return contradict(a);
    accept_note(a, CAME_IDLE);
    if (!starttls_start(&a->tls, &a->conf->client, client, plain, clock_earlier(until, a->deadline)))
        return no_tls;
    /* RFC 3207 4.2: what was said before is forgotten */
    accept_reset(a);
    a->helo[0] = '\0';
    a->helo_refusal.code = 0;
    a->extended = false;
    a->client->user[0] = '\0';
    return no_objection;
}

/* Guessing costs time: a second more each time. SIGTERM and the session's deadline end the wait. */
static void delay_failure(const struct acceptance *a)
{
    uint64_t until = clock_ms() + (uint64_t)a->auth_failures * 1000;
    sigset_t waiting = clock_mask();

    (void)clock_poll(NULL, 0, clock_earlier(until, a->deadline), &waiting);
}

/* KEY=NAME as one word, blanks encoded as well: a fact has no quotes, and a name could bring others along. */
static void put_fact(struct text *text, const char *key, struct slice name)
{
    char shown[LOG_TEXT];

    text_put(text, slice_of(text->len > 0 ? " " : ""));
    text_put(text, slice_of(key));
    text_put(text, (struct slice)SLICE("="));
    for (const char *c = log_encode(shown, sizeof shown, name); *c != '\0'; c++)
        text_put(text, *c == ' ' ? (struct slice)SLICE("<0x20>") : (struct slice){ c, 1 });
}

/* Whose password it was, and for whom it was to be; that is empty where none was named. */
static struct slice login_facts(struct slice user, struct slice identity)
{
    static char facts[LOG_TEXT * 2];
    struct text text = { facts, sizeof facts, 0 };

    put_fact(&text, "user", user);
    if (identity.len > 0)
        put_fact(&text, "identity", identity);
    return text_slice(&text);
}

/* Failed logins are counted here, because a session that was taken over would not tell of them. */
static struct reply refuse_password(struct acceptance *a, struct slice user)
{
    struct reply reply = REPLY(535, "7.8", "Authentication failed");

    a->auth_failures++;
    lockout_violation(&a->lockout, "auth");
    delay_failure(a);
    reply.note = login_facts(user, slice_of(""));
    reply.counts = COUNTS_AUTH;
    return reply;
}

struct reply accept_auth(struct acceptance *a, struct slice identity, struct slice user, struct slice password)
{
    static const struct reply broken = REPLY(454, "7.0", "Passwords cannot be checked now, try again later");
    /* the password was right: nobody has guessed */
    struct reply stranger = { .code = 535, .status = SLICE("7.8"), .counts = COUNTS_IDLE,
                              .text = SLICE("You can act for nobody but yourself") };
    char shown[LOG_TEXT];
    uint64_t until;

    if (!is_possible(a) || a->conf->client.auth == AUTH_OFF || a->in_transaction || a->client->user[0] != '\0' ||
        (a->client->tls.protocol[0] == '\0' && !a->conf->client.auth_insecure) || user.len == 0 || user.len > CLIENT_TEXT ||
        a->auth_failures > a->conf->session.auth_failures.value)
        return contradict(a);
    accept_note(a, CAME_IDLE);
    until = clock_ms() + a->conf->delivery.pipe_secs.value * 1000;
    switch (auth_check(&a->conf->client, user, password, clock_earlier(until, a->deadline))) {
    case AUTH_YES:
        break;
    case AUTH_NO:
        return refuse_password(a, user);
    case AUTH_BROKEN:
        return broken;
    }
    /* mail programs write the name once more, and not always in the same case; it is the user's name that counts */
    if (identity.len > 0 && !slice_equal_nocase(identity, user)) {
        stranger.note = login_facts(user, identity);
        return stranger;
    }
    memcpy(a->client->user, user.text, user.len);
    a->client->user[user.len] = '\0';
    log_line(LOG_INFO, "authenticated user=\"%s\"", log_encode(shown, sizeof shown, user));
    return no_objection;
}

void accept_reset(struct acceptance *a)
{
    if (a->in_transaction || a->mail_refused)
        accept_note(a, CAME_RESET);
    a->in_transaction = a->mail_refused = false;
    a->count = 0;
}

void accept_prepare(struct acceptance *a)
{
    if (a->count > 0) {
        dns_stage();
        (void)client_name(a->client); /* kept */
    }
}

/* Of RFC 3848 and RFC 6531 4.3. */
static const char *protocol(const struct acceptance *a)
{
    static const char *const names[2][2][2] = {
        { { "ESMTP", "ESMTPA" }, { "ESMTPS", "ESMTPSA" } },
        { { "UTF8SMTP", "UTF8SMTPA" }, { "UTF8SMTPS", "UTF8SMTPSA" } },
    };

    if (!a->extended)
        return "SMTP";
    return names[a->mail.smtputf8][a->client->tls.protocol[0] != '\0'][a->client->user[0] != '\0'];
}

/* The id is time, process and number of the message in it: no other message on this host has the same. */
static void stamp(struct acceptance *a)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail with these arguments */
    (void)snprintf(a->id, sizeof a->id, "%08jx%05lx.%lx.%x", (uintmax_t)now.tv_sec, (unsigned long)now.tv_nsec / 1000,
                   (unsigned long)getpid(), ++a->messages);
    a->received = now.tv_sec;
}

static struct transaction transaction_of(const struct acceptance *a, const struct spool *spool)
{
    return (struct transaction){
        .settings = &a->conf->delivery,
        .session = &a->conf->session,
        .rules = &a->conf->rules,
        .client = a->client,
        .sender = &a->mail.sender,
        .spool = spool,
        .once = a->count == 1 && !delivery_keeps_dead_letters(&a->conf->delivery),
        .helo = a->helo,
        .protocol = protocol(a),
        .id = a->id,
        .received = a->received,
        .deadline = a->deadline,
        .terminated = a->terminated,
    };
}

/* What goes to one command only may become its copy. Returns false with errno set. */
static bool begin_copy(struct acceptance *a, int fd)
{
    struct transaction transaction;
    ssize_t len;

    if (!a->in_transaction || a->count != 1)
        return true;
    dns_stage();
    stamp(a);
    transaction = transaction_of(a, NULL);
    len = deliver_begin(&transaction, a->recipients, fd);
    a->start = len > 0 ? (uint64_t)len : 0;
    return len >= 0;
}

int accept_spool(struct acceptance *a, uint64_t *start)
{
    struct slice directory = a->conf->delivery.spool_directory;
    int fd;

    a->start = 0;
    accept_note(a, CAME_ON);
    errno = EBUSY;
    if (a->count == 0 || a->spooled)
        return -1; /* there is one for each message, so that what a session can fill is bounded */
    a->spooled = true;
    fd = spool_file(directory);
    if (fd >= 0 && !begin_copy(a, fd)) {
        int error = errno;

        (void)close(fd); /* nobody has seen it */
        errno = error;
        fd = -1;
    }
    if (fd < 0)
        log_line(LOG_ERR, "cannot make a file in spool_directory %.*s: %m", (int)directory.len, directory.text);
    else
        log_debug('f', "opened a spool file in %.*s", (int)directory.len, directory.text);
    *start = a->start;
    return fd;
}

struct reply accept_deliver(struct acceptance *a, const struct spool *spool)
{
    struct transaction transaction;
    struct reply reply;

    if (!a->in_transaction || a->count == 0)
        return contradict(a);
    dns_stage();
    if (spool->start == 0)
        stamp(a);
    transaction = transaction_of(a, spool);
    dns_rest(); /* the name of the client is known by now */
    reply = deliver_all(&transaction, a->recipients, a->count);
    a->count = 0; /* nothing is delivered twice */
    a->message_came = true;
    if (reply.code < 500)
        accept_note(a, reply.code == 250 ? CAME_DELIVERY : CAME_DEFERRAL);
    if (reply.code == 250)
        lockout_forgive(&a->lockout);
    return reply;
}
