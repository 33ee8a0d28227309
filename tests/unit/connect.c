/* connect.c - unit tests: connections to other servers, over TCP and UNIX sockets, and what is said where there are none */
#include "nexthop/connect.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "unit.h"

enum { SOON_MS = 200, PATIENCE_MS = 10000, QUEUED = 3 };

static char directory[] = "/tmp/connect.XXXXXX";

/* A TCP socket of this host, which listens or only holds its port, and how it is called. */
static int open_tcp(const char *host, int backlog, char where[NEXTHOP_SHOWN])
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0 || (backlog >= 0 && listen(fd, backlog) != 0) ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        abort();
    (void)snprintf(where, NEXTHOP_SHOWN, "%s:%u", host, ntohs(address.sin_port));
    return fd;
}

static int open_unix(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 0) != 0)
        abort();
    return fd;
}

/* Connects, and says how that went: "" or the reason. */
static const char *reach(const char *text, uint64_t patience)
{
    static char reason[NEXTHOP_REASON];
    struct where where;
    int fd;

    reason[0] = '\0';
    if (where_parse(slice_of(text), &where) != NULL)
        abort();
    fd = nexthop_connect(&where, clock_ms() + patience, reason, sizeof reason);
    if (fd >= 0) {
        ok((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0 && (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0, "%s: does not wait, and exec closes it",
           text);
        (void)close(fd);
    }
    return fd >= 0 ? "" : reason;
}

/* The same, with X in place of the port or the path, which are others each time. */
static void expect(const char *text, uint64_t patience, const char *want)
{
    const char *colon = strrchr(text, ':'), *varied = colon != NULL ? colon + 1 : text, *from = reach(text, patience), *found;
    char got[NEXTHOP_REASON];
    struct text copy = { got, sizeof got, 0 };

    while ((found = strstr(from, varied)) != NULL) {
        text_put(&copy, (struct slice){ from, (size_t)(found - from) });
        text_put(&copy, slice_of("X"));
        from = found + strlen(varied);
    }
    text_put(&copy, slice_of(from));
    ok_text(text_slice(&copy), slice_of(want), "%s", text);
}

/* Fills the queue of a listening socket: who connects then waits. */
static void fill_queue(int listener, int queue[QUEUED])
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;

    if (getsockname(listener, (struct sockaddr *)&address, &size) != 0)
        abort();
    for (size_t i = 0; i < QUEUED; i++) {
        queue[i] = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(queue[i], (struct sockaddr *)&address, size); /* under way, until it is full */
    }
}

static void close_queue(const int queue[QUEUED])
{
    for (size_t i = 0; i < QUEUED; i++)
        (void)close(queue[i]);
}

static void test_tcp(void)
{
    char listening[NEXTHOP_SHOWN], held[NEXTHOP_SHOWN], hanging[NEXTHOP_SHOWN], named[NEXTHOP_SHOWN];
    int first = open_tcp("127.0.0.1", 1, listening), second = open_tcp("127.0.0.1", -1, held), queue[QUEUED];
    int third = open_tcp("localhost", 1, named), fourth = open_tcp("127.0.0.1", 0, hanging);
    uint64_t begin;

    expect(listening, PATIENCE_MS, "");
    expect(held, PATIENCE_MS, "cannot connect to 127.0.0.1:X: Connection refused");
    expect(named, PATIENCE_MS, ""); /* only its IPv4 address listens */
    (void)close(third);
    expect(named, PATIENCE_MS, "cannot connect to [::1]:X: Connection refused, 127.0.0.1:X: Connection refused");
    fill_queue(fourth, queue);
    begin = clock_ms();
    expect(hanging, SOON_MS, "cannot connect to 127.0.0.1:X: no answer in time");
    ok(clock_ms() - begin >= SOON_MS && clock_ms() - begin < PATIENCE_MS, "no sooner, and not much later");
    close_queue(queue);
    (void)close(fourth);
    (void)close(second);
    (void)close(first);
}

/* A host whose first address hangs has time left for its second. */
static void test_shares(void)
{
    struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    char where[NEXTHOP_SHOWN];
    int four = open_tcp("localhost", 1, where), hanging = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), queue[QUEUED];
    uint64_t begin;

    six.sin6_port = htons((uint16_t)strtoul(strchr(where, ':') + 1, NULL, 10));
    if (hanging < 0 || bind(hanging, (struct sockaddr *)&six, sizeof six) != 0 || listen(hanging, 0) != 0)
        abort();
    fill_queue(hanging, queue);
    begin = clock_ms();
    expect(where, (uint64_t)6 * SOON_MS, "");
    begin = clock_ms() - begin;
    ok(begin >= 3 * SOON_MS - 1 && begin < (uint64_t)6 * SOON_MS, "the first address has had half of the time");
    close_queue(queue);
    (void)close(hanging);
    (void)close(four);
}

static void test_unix(void)
{
    char path[64];
    int fd, queued[2];

    (void)snprintf(path, sizeof path, "%s/socket", directory);
    expect(path, PATIENCE_MS, "cannot connect to X: No such file or directory");
    fd = open_unix(path);
    expect(path, PATIENCE_MS, "");
    for (size_t i = 0; i < 2; i++) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
        queued[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(queued[i], (struct sockaddr *)&address, sizeof address); /* until the queue is full */
    }
    expect(path, SOON_MS, "cannot connect to X: no answer in time");
    (void)close(queued[0]);
    (void)close(queued[1]);
    (void)close(fd);
    expect(path, PATIENCE_MS, "cannot connect to X: Connection refused");
    (void)unlink(path);
}

void test_connect(void)
{
    if (mkdtemp(directory) == NULL)
        abort();
    test_tcp();
    test_shares();
    test_unix();
    (void)rmdir(directory);
    expect("mail..example.com:25", SOON_MS, "mail..example.com has no address");
}
