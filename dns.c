/* dns.c - questions to the DNS: asked in parallel, answered in time or not at all, kept for the session */
/*
 * c-ares sends the questions, repeats them, goes on to other servers and to TCP, and sees that an answer comes
 * from where it was asked for, with the id and the question that were sent. What the answer says
 * is read by answer.c. The table of questions is the cache, too: a session asks for a few names, so it
 * is searched from its beginning, and where it is full the oldest answers make room.
 */
#include "dns.h"

#include <ares.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "late.h"
#include "library.h"
#include "log.h"

enum { QUESTIONS = 64, TRIES = 3, CLASS_IN = 1 };

struct question {
    enum dns_kind kind;
    char name[DOMAIN_MAX + 1];
    bool open; /* c-ares has not said its last word */
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
    uint64_t deadline;          /* of the session */
    uint64_t until;             /* of the stage; 0: nothing was asked in it */
    size_t count;               /* of questions asked so far, those included that made room */
    ares_channel channel;       /* NULL before the first one that goes out */
    bool broken;                /* there is no channel and will be none */
    bool speaks;                /* the log has begun: */
    char trouble[256];          /* what it is to be told before that, "" if nothing */
    const volatile sig_atomic_t *terminated; /* SIGTERM has come: nothing is waited for any more */
} dns;

static struct question questions[QUESTIONS] LATE;

/* ---- the library ------------------------------------------------------------------------- */

/* All that is used of it. */
static struct {
    __typeof__(ares_library_init) *library_init;
    __typeof__(ares_init_options) *init_options;
    __typeof__(ares_set_servers_ports_csv) *set_servers;
    __typeof__(ares_query) *query;
    __typeof__(ares_getsock) *getsock;
    __typeof__(ares_timeout) *timeout;
    __typeof__(ares_process_fd) *process_fd;
    __typeof__(ares_cancel) *cancel;
    __typeof__(ares_destroy) *destroy;
    __typeof__(ares_strerror) *strerror;
} ares;

static const struct library_function functions[] = {
    LIBRARY_FUNCTION(ares.library_init, ares_library_init),
    LIBRARY_FUNCTION(ares.init_options, ares_init_options),
    LIBRARY_FUNCTION(ares.set_servers, ares_set_servers_ports_csv),
    LIBRARY_FUNCTION(ares.query, ares_query),
    LIBRARY_FUNCTION(ares.getsock, ares_getsock),
    LIBRARY_FUNCTION(ares.timeout, ares_timeout),
    LIBRARY_FUNCTION(ares.process_fd, ares_process_fd),
    LIBRARY_FUNCTION(ares.cancel, ares_cancel),
    LIBRARY_FUNCTION(ares.destroy, ares_destroy),
    LIBRARY_FUNCTION(ares.strerror, ares_strerror),
};

static const char *load(void)
{
    return library_load("libcares.so.2", functions, sizeof functions / sizeof functions[0]);
}

/* Tells c-ares about dns.server. */
static int set_servers(ares_channel channel)
{
    char list[DNS_SERVERS * 64] = "";
    size_t used = 0;

    if (dns.settings->server_count == 0)
        return ARES_SUCCESS;
    for (size_t i = 0; i < dns.settings->server_count; i++) /* an address with its port has at most 53 bytes */
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%.*s", i == 0 ? "" : ",",
                                 (int)dns.settings->servers[i].len, dns.settings->servers[i].text);
    return ares.set_servers(channel, list);
}

/* Makes a channel. The first tries together are shorter than a stage, so that a lost packet is made up for. */
static int make_channel(void)
{
    static char lookups[] = "b"; /* not hosts(5), which is ours */
    struct ares_options options = { .flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES, .tries = TRIES,
                                    .lookups = lookups, .timeout = (int)(dns.settings->timeout / 4) + 1 };
    int status = ares.library_init(ARES_LIB_INIT_ALL);

    if (status == ARES_SUCCESS)
        status = ares.init_options(&dns.channel, &options, ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
                                   ARES_OPT_LOOKUPS | ARES_OPT_DOMAINS);
    if (status == ARES_SUCCESS)
        status = set_servers(dns.channel);
    return status;
}

static void complain(const char *why)
{
    if (dns.speaks)
        log_line(LOG_ERR, "the DNS cannot be asked: %s", why);
    else
        (void)snprintf(dns.trouble, sizeof dns.trouble, "%s", why); /* cut when too long */
}

void dns_speak(void)
{
    dns.speaks = true;
    if (dns.trouble[0] != '\0')
        complain(dns.trouble);
    dns.trouble[0] = '\0';
}

/* Is there somebody to ask? If not, the log says so once. */
static bool is_ready(void)
{
    const char *why;
    int status;

    if (dns.channel != NULL || dns.broken)
        return !dns.broken;
    dns.broken = true;
    why = load();
    if (why == NULL) {
        status = make_channel();
        dns.broken = status != ARES_SUCCESS;
        why = ares.strerror(status);
    }
    if (dns.broken)
        complain(why);
    return !dns.broken;
}

/* ---- names of addresses ------------------------------------------------------------------ */

bool dns_reversed(int family, const unsigned char bytes[16], struct slice zone, char name[DOMAIN_MAX + 1])
{
    size_t used = 0;

    if (family == AF_INET)
        used = (size_t)snprintf(name, DOMAIN_MAX + 1, "%u.%u.%u.%u.", bytes[3], bytes[2], bytes[1], bytes[0]);
    for (size_t i = 0; family == AF_INET6 && i < 16; i++)
        used += (size_t)snprintf(name + used, DOMAIN_MAX + 1 - used, "%x.%x.", bytes[15 - i] & 15U,
                                 (unsigned)bytes[15 - i] >> 4);
    if (used + zone.len > DOMAIN_MAX)
        return false;
    memcpy(name + used, zone.text, zone.len);
    name[used + zone.len] = '\0';
    return true;
}

/* ---- hosts(5) ---------------------------------------------------------------------------- */

/*
 * Does the address, with its names behind it, answer the question? Adds what it says. A name that is there
 * with an address of the other kind only has none of this kind: ANSWER_NONE.
 */
static void add_host(const struct question *q, int family, const unsigned char bytes[16], char *names,
                     struct answer *answer)
{
    char *rest, reversed[DOMAIN_MAX + 1];
    const char *name = strtok_r(names, " \t", &rest);

    if (q->kind == DNS_NAMES) {
        if (name == NULL || strlen(name) > DOMAIN_MAX || answer->count > 0 ||
            !dns_reversed(family, bytes, slice_of(family == AF_INET ? "in-addr.arpa" : "ip6.arpa"), reversed) ||
            strcmp(reversed, q->name) != 0)
            return;
        memcpy(answer->names[answer->count++], name, strlen(name) + 1);
        return;
    }
    for (; name != NULL; name = strtok_r(NULL, " \t", &rest)) {
        if (!slice_equal_nocase(slice_of(name), slice_of(q->name)))
            continue;
        answer->status = ANSWER_NONE;
        if (kinds[q->kind].family == family && answer->count < ANSWER_ADDRESSES)
            memcpy(answer->addresses[answer->count++], bytes, family == AF_INET ? 4 : 16);
    }
}

/* ADDRESS NAME... */
static void read_hosts_line(const struct question *q, char *line, struct answer *answer)
{
    unsigned char bytes[16];
    size_t len;
    int family;

    line[strcspn(line, "#\r\n")] = '\0';
    line += strspn(line, " \t");
    len = strcspn(line, " \t");
    if (line[len] == '\0')
        return;
    line[len] = '\0';
    family = strchr(line, ':') != NULL ? AF_INET6 : AF_INET;
    if (inet_pton(family, line, bytes) == 1)
        add_host(q, family, bytes, line + len + 1, answer);
}

/* Does the file know the answer? Where it does not hold the name, the DNS may. */
static bool is_in_hosts(struct question *q)
{
    FILE *file = fopen("/etc/hosts", "re");
    char *line = NULL;
    size_t size = 0;

    if (file == NULL)
        return false;
    while (getline(&line, &size, file) >= 0)
        read_hosts_line(q, line, &q->answer);
    free(line);
    (void)fclose(file); /* it was only read */
    if (q->answer.count > 0)
        q->answer.status = ANSWER_FOUND;
    return q->answer.status != ANSWER_UNSURE;
}

/* ---- questions --------------------------------------------------------------------------- */

void dns_begin(const struct dns_settings *settings, uint64_t deadline, const volatile sig_atomic_t *terminated)
{
    dns.terminated = terminated;
    dns.settings = settings;
    dns.deadline = deadline;
    dns.until = 0;
}

void dns_stage(void)
{
    dns.until = 0;
}

static void log_answer(const struct question *q, const char *how)
{
    char shown[LOG_TEXT];

    if (log_wants('h'))
        log_debug('h', "%s \"%s\": %s", kinds[q->kind].word,
                  log_encode(shown, sizeof shown, slice_of(q->name)), how);
}

/* c-ares has an answer, or none. What it calls no name and no data is for answer.c to see. */
static void on_answer(void *argument, int status, int timeouts, unsigned char *message, int len)
{
    static const char *const words[] = { "found", "none", "no usable answer" };
    struct question *q = argument;
    bool answered = status == ARES_SUCCESS || status == ARES_ENODATA || status == ARES_ENOTFOUND;

    (void)timeouts;
    q->open = false;
    if (status == ARES_EDESTRUCTION) /* nobody waits for it any more */
        return;
    if (answered && message != NULL && len > 0)
        answer_read(message, (size_t)len, kinds[q->kind].type, q->name, &q->answer);
    log_answer(q, answered ? words[q->answer.status] : ares.strerror(status));
}

static struct question *find(enum dns_kind kind, const char *name)
{
    size_t known = dns.count < QUESTIONS ? dns.count : QUESTIONS;

    for (size_t i = 0; i < known; i++)
        if (questions[i].kind == kind && slice_equal_nocase(slice_of(questions[i].name), slice_of(name)))
            return &questions[i];
    return NULL;
}

/* Room for a question, in the place of the oldest one that c-ares is done with; NULL if there is none. */
static struct question *make_room(void)
{
    for (size_t i = 0; i < QUESTIONS; i++) {
        struct question *q = &questions[dns.count++ % QUESTIONS];

        if (!q->open)
            return q;
    }
    return NULL;
}

static void send_question(struct question *q)
{
    if (kinds[q->kind].in_hosts && is_in_hosts(q)) {
        log_answer(q, "in /etc/hosts");
    } else if (!*dns.terminated && is_ready()) {
        if (dns.until == 0)
            dns.until = clock_earlier(clock_ms() + dns.settings->timeout, dns.deadline);
        q->open = true;
        ares.query(dns.channel, q->name, CLASS_IN, (int)kinds[q->kind].type, on_answer, q);
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

/* The sockets that c-ares has, and what it waits for on each. */
static nfds_t list_sockets(struct pollfd fds[ARES_GETSOCK_MAXNUM])
{
    ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
    unsigned wanted = (unsigned)ares.getsock(dns.channel, sockets, ARES_GETSOCK_MAXNUM);
    nfds_t count = 0;

    for (unsigned i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
        bool readable = (wanted >> i & 1) != 0, writable = (wanted >> (i + ARES_GETSOCK_MAXNUM) & 1) != 0;

        if (readable || writable)
            fds[count++] = (struct pollfd){ .fd = sockets[i],
                                            .events = (short)((readable ? POLLIN : 0) | (writable ? POLLOUT : 0)) };
    }
    return count;
}

/* When c-ares wants to repeat a question, if that is before the stage ends. */
static uint64_t next_try(void)
{
    struct timeval left;

    if (ares.timeout(dns.channel, NULL, &left) == NULL)
        return dns.until;
    return clock_earlier(clock_ms() + (uint64_t)left.tv_sec * 1000 + (uint64_t)left.tv_usec / 1000 + 1, dns.until);
}

/* Lets c-ares do what there is to do, and waits for more. False when the time is up. */
static bool wait_once(void)
{
    struct pollfd fds[ARES_GETSOCK_MAXNUM];
    sigset_t waiting = clock_mask();
    nfds_t count = list_sockets(fds);
    int ready = clock_poll(fds, count, next_try(), &waiting);

    for (nfds_t i = 0; ready > 0 && i < count; i++) {
        bool readable = (fds[i].revents & (POLLIN | POLLERR | POLLHUP)) != 0;
        bool writable = (fds[i].revents & (POLLOUT | POLLERR | POLLHUP)) != 0 && (fds[i].events & POLLOUT) != 0;

        ares.process_fd(dns.channel, readable ? fds[i].fd : ARES_SOCKET_BAD, writable ? fds[i].fd : ARES_SOCKET_BAD);
    }
    if (ready == 0)
        ares.process_fd(dns.channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    return ready >= 0 && !*dns.terminated && clock_left(dns.until) > 0;
}

const struct answer *dns_ask(enum dns_kind kind, const char *name)
{
    static const struct answer unsure = { .status = ANSWER_UNSURE };
    const struct question *q = ask(kind, name);

    if (q == NULL)
        return &unsure;
    if (q->open && dns.until == 0) /* it was sent in a stage before */
        dns.until = clock_earlier(clock_ms() + dns.settings->timeout, dns.deadline);
    while (q->open)
        if (!wait_once())
            ares.cancel(dns.channel); /* on_answer is told of each that is open */
    return &q->answer;
}

void dns_forget(void)
{
    if (dns.count == 0)
        return; /* pages that nobody has written to need not be copied */
    explicit_bzero(questions, (dns.count < QUESTIONS ? dns.count : QUESTIONS) * sizeof questions[0]);
    explicit_bzero(dns.trouble, sizeof dns.trouble);
    dns.settings = NULL;
}

void dns_end(void)
{
    if (dns.channel != NULL)
        ares.destroy(dns.channel);
    dns.channel = NULL;
    dns.count = 0;
}
