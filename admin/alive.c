/* alive.c - whether a mail server is alive somewhere, and what it says of itself (-M) */
#include "admin/alive.h"

#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cold.h"
#include "base/text.h"
#include "dns/canonical.h"
#include "dns/dns.h"
#include "nexthop/connect.h"
#include "nexthop/dialogue.h"
#include "nexthop/mailhosts.h"
#include "nexthop/tls.h"

enum {
    SMTP_PORT = 25,
    LMTP_PORT = 24,         /* as Dovecot's manual has it */
    SUBMISSIONS_PORT = 465, /* TLS from the first byte (RFC 8314) */
    HOST_MS = 30000,        /* for each address of a host */
    NONE_ALIVE = 1          /* the exit status */
};

/* What is asked, and of whom. */
static struct inquiry {
    FILE *out;
    const struct conf *conf;
    const volatile sig_atomic_t *terminated;
    char own[DOMAIN_MAX + 1]; /* we call ourselves so */
    bool alive;               /* there was one that could be given mail */
    struct nexthop_tls tls;
    struct dialogue dialogue;
} inquiry COLD_BSS;

/* ---- what is printed ----------------------------------------------------------------------- */

/* A line that is part of what is told of an address. What is not printable is a question mark. */
static void tell(const char *before, struct slice text)
{
    fprintf(inquiry.out, "    %s", before);
    for (size_t i = 0; i < text.len; i++)
        fputc(text.text[i] >= ' ' && text.text[i] <= '~' ? text.text[i] : '?', inquiry.out);
    fputc('\n', inquiry.out);
}

/* A line of a reply, as it came. */
static void tell_line(const struct response *response)
{
    char code[sizeof "250 "];

    (void)snprintf(code, sizeof code, "%u ", response->code % 1000);
    tell(code, response_line(response));
}

static bool tell_trouble(const char *reason)
{
    tell("", slice_of(reason));
    return false;
}

static void tell_tls(const struct nexthop_tls *tls)
{
    const long days = strtol(tls->days, NULL, 10);
    const struct slice ca = inquiry.conf->nexthop.tls_ca;

    fprintf(inquiry.out, "    %s %s\n", tls->protocol, tls->cipher);
    fprintf(inquiry.out, "    certificate of %s, ", tls->names[0] != '\0' ? tls->names : tls->subject);
    fprintf(inquiry.out, days < 0 ? "expired %ld days ago, " : "%ld days left, ", labs(days));
    if (tls->trust[0] == '\0')
        fprintf(inquiry.out, "not verified: cannot read %.*s\n", (int)ca.len, ca.text);
    else
        fprintf(inquiry.out, strcmp(tls->trust, "ok") == 0 ? "good\n" : "not good: %s\n", tls->trust);
}

/* ---- one address --------------------------------------------------------------------------- */

static void begin(int fd, uint64_t deadline)
{
    struct exchange *exchange = &inquiry.dialogue.exchange;

    exchange_begin(exchange, fd, deadline, inquiry.terminated);
    exchange->heard = tell_line;
}

/* Goes on in TLS, at *fd. */
static bool encrypt(int *fd, const char *name, uint64_t deadline)
{
    char reason[NEXTHOP_REASON];

    *fd = nexthop_tls_start(&inquiry.tls, *fd, name, NEXTHOP_LOOK, deadline, reason, sizeof reason);
    if (*fd < 0)
        return tell_trouble(reason);
    tell_tls(&inquiry.tls);
    begin(*fd, deadline);
    return true;
}

/* The greeting, who we both are, and TLS where it is offered. Does not come to an end in clear where TLS is offered and broken. */
static bool converse(int *fd, const char *name, bool implicit, uint64_t deadline)
{
    struct dialogue *d = &inquiry.dialogue;

    if ((implicit && !encrypt(fd, name, deadline)) || !dialogue_greet(d) || !dialogue_introduce(d))
        return false;
    if (implicit || !d->offers.starttls)
        return true;
    return dialogue_starttls(d) && encrypt(fd, name, deadline) && dialogue_introduce(d);
}

/* Is a server of this place alive at this address? The certificate should be for `name`. */
static bool ask_address(const union nexthop_address *address, const struct where *where, const char *name)
{
    const uint64_t deadline = clock_ms() + HOST_MS;
    char reason[NEXTHOP_REASON];
    bool done = false;
    int fd = nexthop_reach(address, deadline, reason, sizeof reason);

    if (fd < 0)
        return tell_trouble(reason);
    inquiry.tls = (struct nexthop_tls){ .channel = -1 };
    inquiry.dialogue.name = inquiry.own;
    inquiry.dialogue.lmtp = where->kind == WHERE_UNIX || where->port == LMTP_PORT;
    inquiry.dialogue.trouble.text[0] = '\0';
    begin(fd, deadline);
    done = converse(&fd, name, where->port == SUBMISSIONS_PORT, deadline);
    if (!done && inquiry.dialogue.trouble.text[0] != '\0')
        tell("", slice_of(inquiry.dialogue.trouble.text));
    if (fd >= 0) {
        inquiry.dialogue.exchange.heard = NULL; /* what is said to QUIT does not matter */
        dialogue_quit(&inquiry.dialogue);
        (void)close(fd);
    }
    nexthop_tls_end(&inquiry.tls);
    return done;
}

/* ---- hosts --------------------------------------------------------------------------------- */

/* Asks a host at all of its addresses. */
static void ask_host(const struct where *where)
{
    struct nexthop_addresses addresses;
    char reason[NEXTHOP_REASON], shown[NEXTHOP_SHOWN], name[WHERE_HOST + 1];

    text_string(name, sizeof name, where->kind == WHERE_UNIX ? slice_of("") : where->text);
    if (!nexthop_find(where, clock_ms() + HOST_MS, &addresses, reason, sizeof reason)) {
        fprintf(inquiry.out, "%s\n", reason);
        return;
    }
    dns_rest();
    for (size_t i = 0; i < addresses.count && !*inquiry.terminated; i++) {
        const uint64_t begin = clock_ms();
        bool alive;

        fprintf(inquiry.out, "%s%s%s\n", where->kind == WHERE_NAME ? name : "", where->kind == WHERE_NAME ? " " : "",
                nexthop_show(&addresses.at[i], shown));
        alive = ask_address(&addresses.at[i], where, name);
        fprintf(inquiry.out, "    %s, %.2f s\n", alive ? "alive" : "of no use", (double)(clock_ms() - begin) / 1000);
        (void)fflush(inquiry.out); /* a person waits */
        inquiry.alive = inquiry.alive || alive;
    }
}

static void ask_domain(const char *domain)
{
    struct mail_hosts hosts;

    mail_hosts_find(domain, clock_ms() + HOST_MS, &hosts);
    if (hosts.null_mx)
        fprintf(inquiry.out, "%s wants no mail: it says so by an MX without a name\n", domain);
    else if (hosts.status != ANSWER_FOUND)
        fprintf(inquiry.out, hosts.status == ANSWER_NONE ? "the mail hosts of %s have no names that hosts can have\n"
                : "the mail hosts of %s cannot be looked up now\n", domain);
    else if (hosts.implicit)
        fprintf(inquiry.out, "%s names no mail hosts, and is its own\n", domain);
    for (size_t i = 0; i < hosts.count && !*inquiry.terminated; i++) {
        const struct where where = { .kind = WHERE_NAME, .port = SMTP_PORT, .text = slice_of(hosts.names[i]) };

        ask_host(&where);
    }
}

/* A place with a port, or an address without one. `text` is room for it. */
static bool is_place(const char *place, char text[NEXTHOP_SHOWN], struct where *where)
{
    if (where_parse(slice_of(place), where) == NULL)
        return true;
    (void)snprintf(text, NEXTHOP_SHOWN, "%s:%d", place, SMTP_PORT); /* cut, it is none */
    if (where_parse(slice_of(text), where) == NULL && where->kind != WHERE_NAME)
        return true;
    (void)snprintf(text, NEXTHOP_SHOWN, "[%s]:%d", place, SMTP_PORT);
    return where_parse(slice_of(text), where) == NULL;
}

/* The name of this host by its configuration, or else as it calls itself. */
static void name_ourselves(void)
{
    text_string(inquiry.own, sizeof inquiry.own, inquiry.conf->rules.domain);
    if (inquiry.own[0] == '\0' && gethostname(inquiry.own, sizeof inquiry.own - 1) != 0)
        text_string(inquiry.own, sizeof inquiry.own, slice_of("localhost"));
}

int alive(const struct conf *conf, const char *place, const volatile sig_atomic_t *terminated, FILE *out)
{
    char text[NEXTHOP_SHOWN], domain[DOMAIN_MAX + 1];
    struct where where;

    inquiry.conf = conf;
    inquiry.terminated = terminated;
    inquiry.out = out;
    name_ourselves();
    dns_begin(&conf->dns, conf->base.sandbox != SANDBOX_OFF, UINT64_MAX, terminated);
    dns_log_from_now();
    nexthop_tls_use(conf->client.tls_helper, conf->nexthop.tls_ca);
    if (is_place(place, text, &where)) {
        ask_host(&where);
    } else if (canonical_domain(slice_of(place), WORDS_OURS, domain) == CANONICAL_OK && envelope_domain(slice_of(domain))) {
        ask_domain(domain);
    } else {
        fprintf(stderr, "mailrecv: '%s' is no domain, HOST:PORT, address or path of a socket\n", place);
        return EX_USAGE;
    }
    dns_end();
    return inquiry.alive ? EX_OK : NONE_ALIVE;
}
