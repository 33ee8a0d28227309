/* callout.c - does a mail host of a domain answer, so that mail could go there? */
#include "nexthop/callout.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cold.h"
#include "nexthop/dialogue.h"
#include "nexthop/mailhosts.h"

enum {
    SMTP_PORT = 25,
    ALL_MS = 30000,  /* the client waits for the answer to MAIL, for five minutes (RFC 5321 4.5.3.2.2) */
    HOST_MS = 10000, /* some let a client wait for their greeting, to see whether it can */
    ADDRESSES = 6    /* of all hosts together: a stranger has us connect to them */
};

static struct callout {
    const volatile sig_atomic_t *terminated;
    uint64_t deadline;
    size_t left;         /* of ADDRESSES */
    char *why;
    struct dialogue dialogue;
} callouts COLD_BSS;

/* Networks of IPv4 that nobody else's mail host can be in (RFC 6890), and from 224.0.0.0 on what is no host at all. */
static bool is_public4(uint32_t address)
{
    static const struct {
        uint32_t network;
        unsigned bits;
    } others[] = {
        { 0x00000000, 8 },  /* this host */
        { 0x0a000000, 8 },  /* private */
        { 0x64400000, 10 }, /* shared by customers of a carrier */
        { 0x7f000000, 8 },  /* loopback */
        { 0xa9fe0000, 16 }, /* link-local */
        { 0xac100000, 12 }, /* private */
        { 0xc0a80000, 16 }, /* private */
        { 0xe0000000, 3 },  /* multicast, reserved, broadcast */
    };

    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if ((address ^ others[i].network) >> (32 - others[i].bits) == 0)
            return false;
    return true;
}

/* Who chooses the domain must not choose a service in our own network. Of IPv6 only 2000::/3 is of all (RFC 4291 2.4). */
static bool is_public(const union nexthop_address *address)
{
    if (address->family == AF_INET)
        return is_public4(ntohl(address->four.sin_addr.s_addr));
    return address->six.sin6_addr.s6_addr[0] >> 5 == 1;
}

static void explain(const char *host, const union nexthop_address *address, const char *what)
{
    char shown[NEXTHOP_SHOWN];

    (void)snprintf(callouts.why, CALLOUT_WHY, "%s %s: %s", host, nexthop_show(address, shown), what); /* it fits */
}

/* Hears the greeting, and says goodbye. */
static enum answer_status hear(const char *host, const union nexthop_address *address, int fd, uint64_t deadline)
{
    struct dialogue *d = &callouts.dialogue;
    enum answer_status status = ANSWER_FOUND;

    exchange_begin(&d->exchange, fd, deadline, callouts.terminated);
    if (dialogue_greet(d))
        explain(host, address, "220");
    else {
        explain(host, address, d->trouble.text);
        status = d->exchange.end == EXCHANGE_GOES_ON && d->exchange.response.code >= 500 ? ANSWER_NONE : ANSWER_UNSURE;
    }
    dialogue_quit(d);
    return status;
}

static enum answer_status ask_address(const char *host, const union nexthop_address *address)
{
    const uint64_t deadline = clock_earlier(clock_ms() + HOST_MS, callouts.deadline);
    char reason[NEXTHOP_REASON];
    enum answer_status status;
    int fd;

    if (!is_public(address)) {
        explain(host, address, "is not asked, as it is no address of the public internet");
        return ANSWER_NONE;
    }
    if (callouts.left == 0)
        return ANSWER_UNSURE;
    callouts.left--;
    fd = nexthop_reach(address, deadline, reason, sizeof reason);
    if (fd < 0) {
        explain(host, address, reason);
        return ANSWER_UNSURE;
    }
    status = hear(host, address, fd, deadline);
    (void)close(fd); /* all was heard, or is not waited for */
    return status;
}

/* What several say, when one more has said `status`, if none has answered so far. */
static enum answer_status together(enum answer_status before, enum answer_status status)
{
    return before == ANSWER_UNSURE && status == ANSWER_NONE ? ANSWER_UNSURE : status;
}

/* Asks a host at its addresses, until one answers. */
static enum answer_status ask_host(const char *host)
{
    const struct where where = { .kind = WHERE_NAME, .port = SMTP_PORT, .text = slice_of(host) };
    struct nexthop_addresses addresses;
    enum answer_status status = ANSWER_NONE;

    if (!nexthop_find(&where, callouts.deadline, &addresses, callouts.why, CALLOUT_WHY))
        return addresses.unsure ? ANSWER_UNSURE : ANSWER_NONE;
    for (size_t i = 0; status != ANSWER_FOUND && i < addresses.count && !*callouts.terminated; i++)
        status = together(status, ask_address(host, &addresses.at[i]));
    return *callouts.terminated && status != ANSWER_FOUND ? ANSWER_UNSURE : status;
}

enum answer_status callout(const char *domain, uint64_t deadline, const volatile sig_atomic_t *terminated,
                           char why[CALLOUT_WHY])
{
    static struct mail_hosts hosts COLD_BSS;
    enum answer_status status = ANSWER_NONE;

    callouts.terminated = terminated;
    callouts.deadline = clock_earlier(clock_ms() + ALL_MS, deadline);
    callouts.left = ADDRESSES;
    callouts.why = why;
    mail_hosts_find(domain, callouts.deadline, &hosts);
    if (hosts.status != ANSWER_FOUND) {
        (void)snprintf(why, CALLOUT_WHY, "%s", hosts.status == ANSWER_UNSURE ? "the mail hosts cannot be looked up now"
                       : hosts.null_mx ? "the domain wants no mail" : "the mail hosts have no names that hosts can have");
        return hosts.status;
    }
    for (size_t i = 0; status != ANSWER_FOUND && i < hosts.count; i++)
        status = together(status, ask_host(hosts.names[i]));
    return status;
}
