/* connect.c - a connection to another server: its addresses, found and tried one after the other */
#include "nexthop/connect.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "dns/dns.h"

enum {
    ATTEMPT_MS = 10000, /* a host that is there answers sooner */
    BUSY_MS = 20        /* before a UNIX socket whose queue is full is tried again */
};

/* ---- addresses --------------------------------------------------------------------------- */

struct found {
    enum answer_status status;
    size_t count;
    unsigned char bytes[NEXTHOP_ADDRESSES][16];
};

/* The addresses of a name, of one family. */
static void look_up(enum dns_kind kind, const char *name, struct found *found)
{
    const struct answer *answer = dns_ask(kind, name);

    found->status = answer->status;
    found->count = answer->count < NEXTHOP_ADDRESSES ? answer->count : NEXTHOP_ADDRESSES;
    memcpy(found->bytes, answer->addresses, found->count * sizeof found->bytes[0]);
}

static void add(struct nexthop_addresses *addresses, sa_family_t family, const unsigned char *bytes, uint16_t port)
{
    union nexthop_address *address = &addresses->at[addresses->count];

    if (addresses->count == NEXTHOP_ADDRESSES)
        return;
    addresses->count++;
    *address = (union nexthop_address){ .family = family };
    if (family == AF_INET) {
        address->four.sin_port = htons(port);
        memcpy(&address->four.sin_addr, bytes, sizeof address->four.sin_addr);
    } else {
        address->six.sin6_port = htons(port);
        memcpy(&address->six.sin6_addr, bytes, sizeof address->six.sin6_addr);
    }
}

/* As the name is written, but for the dot of the root. False: no host can be called so. */
static bool copy_name(struct slice name, char copy[WHERE_HOST + 1])
{
    if (name.len > 0 && name.text[name.len - 1] == '.')
        name.len--;
    text_string(copy, WHERE_HOST + 1, name);
    return envelope_domain(name);
}

static bool find_name(const struct where *where, uint64_t deadline, struct nexthop_addresses *addresses, char *reason,
                      size_t size)
{
    struct found six = { .status = ANSWER_NONE }, four = { .status = ANSWER_NONE };
    char name[WHERE_HOST + 1];

    if (where_is_local(where)) {
        add(addresses, AF_INET6, (const unsigned char *)&in6addr_loopback, where->port);
        add(addresses, AF_INET, (const unsigned char[]){ 127, 0, 0, 1 }, where->port);
        return true;
    }
    if (copy_name(where->text, name)) {
        dns_new_deadline_by(deadline);
        dns_send(DNS_ADDRESSES6, name);
        dns_send(DNS_ADDRESSES4, name);
        look_up(DNS_ADDRESSES6, name, &six);
        look_up(DNS_ADDRESSES4, name, &four);
    }
    for (size_t i = 0; i < NEXTHOP_ADDRESSES; i++) {
        if (i < six.count)
            add(addresses, AF_INET6, six.bytes[i], where->port);
        if (i < four.count)
            add(addresses, AF_INET, four.bytes[i], where->port);
    }
    if (addresses->count > 0)
        return true;
    addresses->unsure = six.status != ANSWER_NONE || four.status != ANSWER_NONE;
    (void)snprintf(reason, size, addresses->unsure ? "%s cannot be looked up now" : "%s has no address", name);
    return false;
}

bool nexthop_find(const struct where *where, uint64_t deadline, struct nexthop_addresses *addresses, char *reason,
                  size_t size)
{
    char text[WHERE_HOST + 1];
    unsigned char bytes[16];

    addresses->unsure = false;
    addresses->count = 0;
    text_string(text, sizeof text, where->text);
    switch (where->kind) {
    case WHERE_UNIX:
        addresses->at[addresses->count++].local = (struct sockaddr_un){ .sun_family = AF_UNIX };
        memcpy(addresses->at[0].local.sun_path, text, strlen(text) + 1);
        return true;
    case WHERE_IPV4:
    case WHERE_IPV6:
        (void)inet_pton(where->kind == WHERE_IPV4 ? AF_INET : AF_INET6, text, bytes); /* where_parse has seen to it */
        add(addresses, where->kind == WHERE_IPV4 ? AF_INET : AF_INET6, bytes, where->port);
        return true;
    default:
        return find_name(where, deadline, addresses, reason, size);
    }
}

const char *nexthop_show(const union nexthop_address *address, char text[NEXTHOP_SHOWN])
{
    char ip[INET6_ADDRSTRLEN] = "";

    switch (address->family) {
    case AF_INET:
        (void)inet_ntop(AF_INET, &address->four.sin_addr, ip, sizeof ip); /* it fits */
        (void)snprintf(text, NEXTHOP_SHOWN, "%s:%u", ip, ntohs(address->four.sin_port));
        break;
    case AF_INET6:
        (void)inet_ntop(AF_INET6, &address->six.sin6_addr, ip, sizeof ip);
        (void)snprintf(text, NEXTHOP_SHOWN, "[%s]:%u", ip, ntohs(address->six.sin6_port));
        break;
    default:
        (void)snprintf(text, NEXTHOP_SHOWN, "%s", address->local.sun_path);
    }
    return text;
}

/* ---- connecting -------------------------------------------------------------------------- */

/* Waits until the connection is there. Returns 0 or an error number. */
static int await(int fd, uint64_t deadline)
{
    struct pollfd done = { .fd = fd, .events = POLLOUT };
    sigset_t waiting = clock_mask();
    int count = clock_poll(&done, 1, deadline, &waiting), error = 0;
    socklen_t size = sizeof error;

    if (count <= 0)
        return count == 0 ? ETIMEDOUT : errno;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 ? errno : error;
}

/* Returns 0 or an error number. */
static int try(int fd, const union nexthop_address *address, uint64_t deadline)
{
    socklen_t size = address->family == AF_UNIX    ? sizeof address->local
                     : address->family == AF_INET ? sizeof address->four
                                                   : sizeof address->six;
    sigset_t waiting = clock_mask();

    while (connect(fd, &address->any, size) != 0) {
        if (errno == EINPROGRESS)
            return await(fd, deadline);
        if (errno != EAGAIN || address->family != AF_UNIX)
            return errno;
        if (clock_left(deadline) == 0)
            return ETIMEDOUT;
        if (clock_poll(NULL, 0, clock_ms() + BUSY_MS, &waiting) < 0)
            return errno;
    }
    return 0;
}

int nexthop_reach(const union nexthop_address *address, uint64_t deadline, char *reason, size_t size)
{
    int fd = socket(address->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error = fd < 0 ? errno : try(fd, address, deadline);

    if (error == 0)
        return fd;
    (void)snprintf(reason, size, "%s", error == ETIMEDOUT ? "no answer in time" : strerror(error));
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

int nexthop_connect(const struct where *where, uint64_t deadline, char *reason, size_t size)
{
    struct nexthop_addresses addresses;
    char shown[NEXTHOP_SHOWN];
    size_t used = 0;
    int fd = -1;

    if (!nexthop_find(where, deadline, &addresses, reason, size))
        return -1;
    for (size_t i = 0; i < addresses.count && fd < 0; i++) {
        uint64_t share = (uint64_t)clock_left(deadline) / (addresses.count - i);

        (void)snprintf(reason + used, size - used, "%s%s: ", i == 0 ? "cannot connect to " : ", ",
                       nexthop_show(&addresses.at[i], shown)); /* cut when too long */
        used += strlen(reason + used);
        fd = nexthop_reach(&addresses.at[i], clock_ms() + (share < ATTEMPT_MS ? share : ATTEMPT_MS), reason + used,
                           size - used);
        used += strlen(reason + used);
    }
    return fd;
}
