/* sockets.c - the sockets that are listened on: those that whoever started us has opened, or our own */
#include "listener/sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cold.h"
#include "base/inherited.h"
#include "base/text.h"
#include "nexthop/where.h"

enum {
    FIRST_GIVEN = 3, /* SD_LISTEN_FDS_START of sd_listen_fds(3) */
    PORT_MOST = 65535,
    TURN_AWAY_SECS = 2
};

union address {
    struct sockaddr any;
    struct sockaddr_in four;
    struct sockaddr_in6 six;
    struct sockaddr_un local;
};

static int option_of(int fd, int option)
{
    int value = 0;
    socklen_t len = sizeof value;

    return getsockopt(fd, SOL_SOCKET, option, &value, &len) == 0 ? value : -1;
}

static bool is_listening(int fd)
{
    return option_of(fd, SO_ACCEPTCONN) == 1 && option_of(fd, SO_TYPE) == SOCK_STREAM;
}

static void add(struct sockets *sockets, int fd)
{
    sockets->polled[sockets->count++] = (struct pollfd){ .fd = fd, .events = POLLIN };
}

/* What is written to 0 to 2 must not go to a socket that others listen on, nor keep it open in a child. */
static bool detach(void)
{
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    bool done = nothing >= 0;

    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO && done; fd++)
        if (is_listening(fd))
            done = dup2(nothing, fd) == fd;
    if (nothing >= 0)
        (void)close(nothing); /* nothing was written */
    return done;
}

static bool take_input(struct sockets *sockets)
{
    int fd;

    inherited_close();
    fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, FIRST_GIVEN);
    if (fd < 0)
        return false;
    add(sockets, fd);
    return detach();
}

/* A number that an environment variable holds; -1: none. */
static long number_of(const char *variable)
{
    const char *text = getenv(variable);
    char *end;
    long number = text != NULL ? strtol(text, &end, 10) : -1;

    return text != NULL && text[0] != '\0' && *end == '\0' ? number : -1;
}

/* sd_listen_fds(3), without its library. */
static bool take_named(struct sockets *sockets)
{
    long count = number_of("LISTEN_PID") == (long)getpid() ? number_of("LISTEN_FDS") : 0;
    int fd = FIRST_GIVEN;

    for (; fd - FIRST_GIVEN < count && fd - FIRST_GIVEN < SOCKETS_MOST; fd++)
        if (is_listening(fd) && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0)
            add(sockets, fd);
        else
            (void)close(fd); /* whatever it is, nothing was written */
    (void)close_range((unsigned)fd, ~0U, 0);
    return sockets->count > 0 && detach();
}

static const struct sockets *given; /* NULL: none yet */

bool sockets_given(struct sockets *sockets)
{
    bool found;

    sockets->count = 0;
    sockets->own = false;
    found = is_listening(STDIN_FILENO) ? take_input(sockets) : take_named(sockets);
    given = found ? sockets : NULL;
    return found;
}

bool sockets_were_given(void)
{
    static struct sockets found RARE_BSS;

    return given != NULL || sockets_given(&found);
}

void sockets_turn_away(void)
{
    static const char reply[] = "421 The service is not configured, try again later\r\n";
    struct pollfd polled[SOCKETS_MOST];
    int fd;

    if (!sockets_were_given())
        return;
    memcpy(polled, given->polled, sizeof polled);
    (void)alarm(TURN_AWAY_SECS); /* a client may vanish between the wait and accept: then this ends the process */
    (void)poll(polled, (nfds_t)given->count, TURN_AWAY_SECS * 1000);
    for (size_t i = 0; i < given->count; i++)
        if (polled[i].revents != 0 && (fd = accept4(polled[i].fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
            (void)send(fd, reply, sizeof reply - 1, MSG_DONTWAIT | MSG_NOSIGNAL); /* a fresh connection takes it, or is gone */
            (void)close(fd);
        }
    (void)alarm(0);
    (void)sleep(TURN_AWAY_SECS);
}

/* ---- our own ------------------------------------------------------------------------------- */

/* A PORT of all addresses. */
static bool parse_port(const char *where, union address *address)
{
    char *end;
    unsigned long number = strtoul(where, &end, 10);

    address->six = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)number),
                                          .sin6_addr = IN6ADDR_ANY_INIT };
    return where[0] >= '0' && where[0] <= '9' && *end == '\0' && number > 0 && number <= PORT_MOST;
}

/* unix:PATH, /PATH, ADDRESS:PORT, [ADDRESS]:PORT */
static bool parse_place(const char *where, union address *address, socklen_t *size)
{
    struct where place;
    char text[sizeof address->local.sun_path];

    if (where_parse(slice_of(where), &place) != NULL)
        return false;
    text_string(text, sizeof text, where_is_local(&place) && place.kind == WHERE_NAME ? slice_of("127.0.0.1") : place.text);
    if (place.kind == WHERE_UNIX) {
        address->local.sun_family = AF_UNIX;
        *size = sizeof address->local;
        memcpy(address->local.sun_path, text, sizeof text);
        return true;
    }
    if (place.kind == WHERE_IPV6) {
        address->six.sin6_family = AF_INET6;
        address->six.sin6_port = htons(place.port);
        return inet_pton(AF_INET6, text, &address->six.sin6_addr) == 1;
    }
    address->four.sin_family = AF_INET;
    address->four.sin_port = htons(place.port);
    *size = sizeof address->four;
    return inet_pton(AF_INET, text, &address->four.sin_addr) == 1;
}

/* Does nobody listen at the socket that is there? Then it is what a process has left that was killed. */
static bool is_left(const union address *address, socklen_t size)
{
    struct stat status;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool left = fd >= 0 && lstat(address->local.sun_path, &status) == 0 && S_ISSOCK(status.st_mode) &&
                connect(fd, &address->any, size) != 0 && errno == ECONNREFUSED;

    if (fd >= 0)
        (void)close(fd); /* it was only tried */
    return left;
}

/* Binds a socket for `address`; who may connect to one in the file system is decided by its directory. */
static bool bind_socket(int fd, const union address *address, socklen_t size)
{
    const int on = 1, off = 0;

    if (address->any.sa_family != AF_UNIX)
        return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
               (address->any.sa_family != AF_INET6 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) == 0) &&
               bind(fd, &address->any, size) == 0;
    if (bind(fd, &address->any, size) != 0 &&
        !(errno == EADDRINUSE && is_left(address, size) && unlink(address->local.sun_path) == 0 &&
          bind(fd, &address->any, size) == 0))
        return false;
    return chmod(address->local.sun_path, S_IRUSR | S_IWUSR | S_IRGRP | S_IWGRP | S_IROTH | S_IWOTH) == 0;
}

/* A listening socket, or -1 with errno set. */
static int open_socket(const union address *address, socklen_t size)
{
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), error;

    if (fd < 0 || (bind_socket(fd, address, size) && listen(fd, SOMAXCONN) == 0))
        return fd;
    error = errno;
    (void)close(fd); /* unused */
    errno = error;
    return -1;
}

/* Why that place cannot be had, in words that say what to do, where there are some. */
static const char *cause(const union address *address, int error)
{
    struct stat status;

    if (error == EACCES && address->any.sa_family != AF_UNIX)
        return "ports below 1024 need root, or a super-server";
    if (error == EADDRINUSE && address->any.sa_family == AF_UNIX && lstat(address->local.sun_path, &status) == 0 &&
        !S_ISSOCK(status.st_mode))
        return "a file is there that is no socket";
    return strerror(error);
}

bool sockets_open(struct sockets *sockets, const char *where, char *why, size_t size)
{
    union address address = { 0 };
    socklen_t len = sizeof address.six;
    int fd;

    if (sockets->count == SOCKETS_MOST) {
        (void)snprintf(why, size, "more than %d sockets", SOCKETS_MOST);
        return false;
    }
    if (strncmp(where, "unix:", 5) == 0 && where[5] != '/') {
        (void)snprintf(why, size, "'%s' is no place to listen: PATH begins with /", where);
        return false;
    }
    if (!parse_port(where, &address) && !parse_place(where, &address, &len)) {
        (void)snprintf(why, size, "'%s' is no place to listen, expected PORT, ADDRESS:PORT, [ADDRESS]:PORT or unix:PATH", where);
        return false;
    }
    fd = open_socket(&address, len);
    if (fd < 0 && errno == EAFNOSUPPORT && strchr(where, ':') == NULL) { /* a host without IPv6 */
        address.four = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = address.six.sin6_port };
        fd = open_socket(&address, sizeof address.four);
    }
    if (fd < 0) {
        (void)snprintf(why, size, "cannot listen at %s: %s", where, cause(&address, errno));
        return false;
    }
    sockets->own = true;
    add(sockets, fd);
    return true;
}

/* ---- all of them --------------------------------------------------------------------------- */

void sockets_keep(const struct sockets *sockets, bool keep)
{
    for (size_t i = 0; i < sockets->count; i++)
        (void)fcntl(sockets->polled[i].fd, F_SETFD, keep ? 0 : FD_CLOEXEC); /* ours, and open: cannot fail */
}

void sockets_close(struct sockets *sockets)
{
    for (size_t i = 0; i < sockets->count; i++)
        (void)close(sockets->polled[i].fd); /* nothing was written */
    sockets->count = 0;
}
