/* dns.c - questions to the DNS: asked in parallel, answered in time or not at all, kept for the session */
/*
 * A process of its own reads the answers (resolver_process.c). It is started when the first of them is waited for, and
 * believed as little as the DNS. Where it is silent until the stage ends it is ended, too: whether it or the
 * servers hang is the same to us. The table of questions is the cache: a session asks for a few names, so it
 * is searched from its beginning, and where it is full the oldest answers make room.
 */
#include "dns/dns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cold.h"
#include "base/log.h"
#include "base/process.h"
#include "base/text.h"
#include "dns/hosts.h"
#include "dns/hosts_file.h"
#include "dns/resolver.h"

/* Its place in the table is the number that the resolver knows it by. */
struct question {
    enum dns_kind kind;
    char name[DOMAIN_MAX + 1];
    bool open; /* the resolver has been asked and has not answered */
    struct answer answer;
};

static const struct kind {
    const char *word;
    enum answer_type type;
    int family; /* of addresses in hosts(5) that answer it, AF_UNSPEC for either */
    bool in_hosts;
} kinds[] = {
    [DNS_NAMES] = { "PTR", ANSWER_PTR, AF_UNSPEC, true },
    [DNS_ADDRESSES4] = { "A", ANSWER_A, AF_INET, true },
    [DNS_ADDRESSES6] = { "AAAA", ANSWER_AAAA, AF_INET6, true },
    [DNS_LISTED] = { "A", ANSWER_A, AF_UNSPEC, false },
    [DNS_MX] = { "MX", ANSWER_MX, AF_UNSPEC, false },
    [DNS_TXT] = { "TXT", ANSWER_TXT, AF_UNSPEC, false },
};

static struct {
    const struct dns_settings *settings;
    bool confined;
    uint64_t deadline;          /* of the session */
    uint64_t until;             /* of the stage; 0: nothing was asked in it */
    size_t count;               /* of questions asked so far, those included that made room */
    bool prepared;              /* questions can be sent; without a process, by ourselves */
    pid_t resolver;             /* the process, 0: there is none */
    int channel;                /* to it */
    pid_t resting;              /* one that was let end and has not been waited for */
    size_t sent, sockets;       /* questions, and sockets that it has had for them */
    bool broken;                /* there is nobody to ask, and will not be */
    bool speaks;                /* the log has begun: */
    char trouble[256];          /* what it is to be told before that, "" if nothing */
    const volatile sig_atomic_t *terminated; /* SIGTERM has come: nothing is waited for any more */
} dns;

static struct question questions[RESOLVER_QUESTIONS] COLD_BSS;
static struct resolver_message heard COLD_BSS; /* the last one */

/* ---- hosts(5) ---------------------------------------------------------------------------- */

static bool has_name(struct slice names, const char *wanted)
{
    struct slice name;

    while ((name = hosts_name(&names)).len > 0)
        if (slice_equal_nocase(name, slice_of(wanted)))
            return true;
    return false;
}

/* Does the line answer the question for the names of an address? The first of them is the one that counts. */
static bool is_named(const struct host *host, const struct question *q, struct slice *name)
{
    const char *zone = host->family == AF_INET ? "in-addr.arpa" : "ip6.arpa";
    char reversed[DOMAIN_MAX + 1];
    struct slice names = host->names;

    *name = hosts_name(&names);
    return name->len <= DOMAIN_MAX && wire_reversed(host->family, host->bytes, slice_of(zone), reversed) &&
           strcmp(reversed, q->name) == 0;
}

/*
 * Does the file answer? Where it has no address of the kind that is asked for, the DNS may, even if the name is
 * there with one of the other kind: so does the C library (nss(5), files before dns).
 */
static bool is_in_hosts(struct question *q)
{
    struct slice text = hosts_file_text(), name;
    struct answer *answer = &q->answer;
    struct host host;

    while (hosts_next(&text, &host)) {
        if (q->kind == DNS_NAMES && answer->count == 0 && is_named(&host, q, &name)) {
            memcpy(answer->names[0], name.text, name.len);
            answer->names[0][name.len] = '\0';
            answer->count = 1;
        } else if (kinds[q->kind].family == host.family && answer->count < ANSWER_ADDRESSES &&
                   has_name(host.names, q->name)) {
            memcpy(answer->addresses[answer->count++], host.bytes, sizeof host.bytes);
        }
    }
    if (answer->count > 0)
        answer->status = ANSWER_FOUND;
    return answer->count > 0;
}

bool dns_in_hosts(const char *name)
{
    struct slice text = hosts_file_text();
    struct host host;

    while (hosts_next(&text, &host))
        if (has_name(host.names, name))
            return true;
    return false;
}

/* ---- the session ------------------------------------------------------------------------- */

void dns_begin(const struct dns_settings *settings, bool confined, uint64_t deadline,
               const volatile sig_atomic_t *terminated)
{
    dns.terminated = terminated;
    dns.settings = settings;
    dns.confined = confined;
    dns.deadline = deadline;
    dns.until = 0;
}

bool dns_wants_reverse(void)
{
    return dns.settings->reverse;
}

void dns_new_deadline(void)
{
    dns.until = 0;
}

void dns_new_deadline_by(uint64_t deadline)
{
    dns.until = clock_earlier(deadline, clock_earlier(clock_ms() + dns.settings->timeout, dns.deadline));
}

/* What of a name the log may show; `text` is room for it. */
static struct slice shown_name(const char *name, struct text *text)
{
    struct slice whole = slice_of(name);

    for (const struct dns_alias *a = dns.settings->aliases; a != NULL; a = a->next) {
        size_t begin = whole.len - a->zone.len;

        if (whole.len < a->zone.len || !slice_equal_nocase((struct slice){ name + begin, a->zone.len }, a->zone))
            continue;
        text_put(text, (struct slice){ name, begin });
        text_put(text, a->shown);
        return text_slice(text);
    }
    return whole;
}

static void log_answer(const struct question *q, const char *how)
{
    char shown[LOG_TEXT], name[LOG_TEXT], why[LOG_TEXT];
    struct text text = { name, sizeof name, 0 };

    if (log_wants('h'))
        log_debug('h', "%s \"%s\": %s", kinds[q->kind].word,
                  log_encode(shown, sizeof shown, shown_name(q->name, &text)),
                  log_encode(why, sizeof why, slice_of(how)));
}

/* ---- the resolver ------------------------------------------------------------------------ */

static void complain(const char *why)
{
    if (dns.speaks)
        log_line(LOG_ERR, "the DNS cannot be asked: %s", why);
    else
        (void)snprintf(dns.trouble, sizeof dns.trouble, "%s", why); /* cut when too long */
}

void dns_log_from_now(void)
{
    dns.speaks = true;
    if (dns.trouble[0] != '\0')
        complain(dns.trouble);
    dns.trouble[0] = '\0';
}

/* Takes the status of the one that was let end. */
static struct process_end reap(void)
{
    struct process_end end = { .how = PROCESS_UNKNOWN };

    if (dns.resting != 0)
        end = process_reap(dns.resting);
    dns.resting = 0;
    return end;
}

void dns_rest(void)
{
    (void)reap();
    if (dns.resolver != 0) {
        (void)kill(dns.resolver, SIGKILL); /* it may have ended */
        (void)close(dns.channel);          /* a socket: nothing is buffered */
    }
    dns.resting = dns.resolver;
    dns.resolver = 0;
    dns.prepared = false;
    for (size_t i = 0; i < RESOLVER_QUESTIONS && i < dns.count; i++)
        if (questions[i].open) {
            questions[i].open = false;
            questions[i].name[0] = '\0'; /* as if it had not been asked */
        }
}

/* Nothing is known of what the resolver was asked and has not answered. Returns how it has ended. */
static struct process_end end_resolver(const char *why)
{
    for (size_t i = 0; i < RESOLVER_QUESTIONS && i < dns.count; i++)
        if (questions[i].open) {
            questions[i].open = false;
            log_answer(&questions[i], why);
        }
    dns_rest();
    return reap();
}

/* Ends a resolver that no other is started after. */
static void __attribute__((format(printf, 1, 2))) break_off(const char *format, ...)
{
    char why[sizeof dns.trouble];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(why, sizeof why, format, args); /* cut when too long */
    va_end(args);
    dns.broken = true;
    complain(why);
    (void)end_resolver("there is nobody to ask");
}

/* Is there somebody to ask? The first question finds out; if not, the log says so once. */
static bool can_ask(void)
{
    char servers[DNS_SERVERS * 64] = "";
    size_t used = 0;
    const char *why;

    if (dns.prepared || dns.broken)
        return !dns.broken;
    for (size_t i = 0; i < dns.settings->server_count; i++) /* an address with its port has at most 53 bytes */
        used += (size_t)snprintf(servers + used, sizeof servers - used, "%s%.*s", i == 0 ? "" : ",",
                                 (int)dns.settings->servers[i].len, dns.settings->servers[i].text);
    why = resolver_prepare(servers, (int)(dns.settings->timeout / 4) + 1);
    if (why != NULL)
        break_off("%s", why);
    dns.prepared = why == NULL;
    dns.sent = dns.sockets = 0;
    return dns.prepared;
}

static void start_resolver(void)
{
    dns.resolver = resolver_start(dns.confined, &dns.channel);
    if (dns.resolver > 0) {
        tzset(); /* the log needs it next, and nothing else is to be done while the answer is under way */
        return;
    }
    dns.resolver = 0;
    break_off("no process for it: %m");
}

/* Each of these hears one kind of message. False: no resolver would tell that. */

static bool hear_failed(const struct resolver_message *m, size_t len)
{
    char shown[LOG_TEXT];

    (void)len;
    if (memchr(m->why, '\0', sizeof m->why) == NULL)
        return false;
    break_off("%s", log_encode(shown, sizeof shown, slice_of(m->why)));
    return true;
}

/* For each question c-ares may try each server so often, by UDP and by TCP. */
static bool hear_socket(const struct resolver_message *m, size_t len)
{
    return dns.sockets++ < dns.sent * RESOLVER_TRIES * RESOLVER_SERVERS * 2 && resolver_serve(dns.channel, m, len);
}

static bool hear_answer(const struct resolver_message *m, size_t len)
{
    struct question *q;

    if (m->number >= RESOLVER_QUESTIONS || !questions[m->number].open)
        return false;
    q = &questions[m->number];
    if (!resolver_read(m, len, kinds[q->kind].type, &q->answer))
        return false;
    q->open = false;
    log_answer(q, m->why);
    return true;
}

/* How it has ended when nobody told it to. */
static void lose_resolver(void)
{
    const struct process_end end = end_resolver("there is nobody to ask");
    char text[PROCESS_TEXT];

    break_off("the resolver %s", process_end_text(&end, text));
}

/* Takes one message, if there is one. */
static void hear_resolver(void)
{
    static bool (*const hear[])(const struct resolver_message *m, size_t len) = {
        [RESOLVER_FAILED] = hear_failed,
        [RESOLVER_SOCKET] = hear_socket,
        [RESOLVER_ANSWER] = hear_answer,
    };
    ssize_t len = recv(dns.channel, &heard, sizeof heard, MSG_DONTWAIT | MSG_TRUNC);

    if (len < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (len <= 0)
        lose_resolver();
    else if ((size_t)len < offsetof(struct resolver_message, data) || (size_t)len > sizeof heard ||
             heard.kind >= sizeof hear / sizeof hear[0] || !hear[heard.kind](&heard, (size_t)len))
        break_off("violation: the resolver sent a malformed message and is ended");
}

/* ---- asking ------------------------------------------------------------------------------ */

static struct question *find(enum dns_kind kind, const char *name)
{
    size_t known = dns.count < RESOLVER_QUESTIONS ? dns.count : RESOLVER_QUESTIONS;

    for (size_t i = 0; i < known; i++)
        if (questions[i].kind == kind && slice_equal_nocase(slice_of(questions[i].name), slice_of(name)))
            return &questions[i];
    return NULL;
}

/* Room for a question, in the place of the oldest one that is not open; NULL if there is none. */
static struct question *make_room(void)
{
    for (size_t i = 0; i < RESOLVER_QUESTIONS; i++) {
        size_t asked = dns.count++;
        struct question *q = &questions[asked % RESOLVER_QUESTIONS];

        if (asked < RESOLVER_QUESTIONS || !q->open) /* the first are written to before they are read: one page fault, not two */
            return q;
    }
    return NULL;
}

static void send_question(struct question *q)
{
    if (kinds[q->kind].in_hosts && is_in_hosts(q)) {
        log_answer(q, "in /etc/hosts");
    } else if (!*dns.terminated && can_ask()) {
        if (dns.until == 0)
            dns.until = clock_earlier(clock_ms() + dns.settings->timeout, dns.deadline);
        q->open = true;
        dns.sent++;
        if (dns.resolver != 0)
            resolver_tell(dns.channel, (uint32_t)(q - questions), kinds[q->kind].type, q->name);
        else
            resolver_ask((uint32_t)(q - questions), kinds[q->kind].type, q->name);
    }
}

static struct question *ask(enum dns_kind kind, const char *name)
{
    struct question *q = find(kind, name);

    if (q != NULL || strlen(name) > DOMAIN_MAX || (q = make_room()) == NULL)
        return q;
    q->kind = kind;
    q->answer.status = ANSWER_UNSURE;
    q->answer.count = 0; /* of names and addresses: what they were does not matter */
    q->answer.null_mx = false;
    memcpy(q->name, name, strlen(name) + 1);
    send_question(q);
    return q;
}

void dns_send(enum dns_kind kind, const char *name)
{
    (void)ask(kind, name);
}

/* ---- waiting ----------------------------------------------------------------------------- */

/* Hears what the resolver has to tell, and waits for more. False when the time is up. */
static bool wait_once(void)
{
    struct pollfd ready = { .fd = dns.channel, .events = POLLIN };
    sigset_t waiting = clock_mask();
    int count = clock_poll(&ready, 1, dns.until, &waiting);

    if (count > 0)
        hear_resolver();
    return count >= 0 && !*dns.terminated && clock_left(dns.until) > 0;
}

const struct answer *dns_ask(enum dns_kind kind, const char *name)
{
    static const struct answer unsure = { .status = ANSWER_UNSURE };
    const struct question *q = ask(kind, name);

    if (q == NULL)
        return &unsure;
    if (q->open && dns.until == 0) /* it was sent in a stage before */
        dns.until = clock_earlier(clock_ms() + dns.settings->timeout, dns.deadline);
    if (q->open && dns.resolver == 0)
        start_resolver();
    while (q->open)
        if (!wait_once())
            end_resolver("no answer in time");
    return &q->answer;
}

void dns_forget(void)
{
    if (dns.count == 0)
        return; /* pages that nobody has written to need not be copied */
    explicit_bzero(questions, (dns.count < RESOLVER_QUESTIONS ? dns.count : RESOLVER_QUESTIONS) * sizeof questions[0]);
    explicit_bzero(&heard, sizeof heard);
    explicit_bzero(dns.trouble, sizeof dns.trouble);
    dns.settings = NULL;
}

void dns_end(void)
{
    dns_rest();
    (void)reap();
    resolver_end();
    hosts_file_forget();
    dns.broken = false;
    dns.count = 0;
}
