/* peer.c - who is connected: address, confirmed name, certificate, user */
#include "peer.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"

static void set_none(struct peer *peer)
{
    *peer = (struct peer){ .address = "local", .family = AF_UNSPEC, .state = PEER_NAME_NONE, .name = "unknown" };
}

/* IPv6 in full, so that a pattern can be written for fixed columns. */
static void full_text(const unsigned char bytes[16], char *out, size_t size)
{
    size_t used = 0;

    for (size_t i = 0; i < 16; i += 2) {
        int n = snprintf(out + used, size - used, "%s%02x%02x", i == 0 ? "" : ":", bytes[i], bytes[i + 1]);

        used += n > 0 ? (size_t)n : 0;
    }
}

static void set_bytes(struct peer *peer, int family, const void *bytes)
{
    const struct in6_addr *six = bytes;

    if (family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(six)) {
        family = AF_INET;
        bytes = six->s6_addr + 12;
    }
    peer->family = family;
    peer->state = PEER_NAME_UNASKED;
    memcpy(peer->bytes, bytes, family == AF_INET ? 4 : 16);
    (void)inet_ntop(family, peer->bytes, peer->address, sizeof peer->address); /* large enough: cannot fail */
    if (family == AF_INET6)
        full_text(peer->bytes, peer->address_full, sizeof peer->address_full);
}

/* A numeric address as text. Zones ("%eth0") are no part of an address. */
static bool set_text(struct peer *peer, const char *text)
{
    unsigned char bytes[16];
    int family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;

    if (inet_pton(family, text, bytes) != 1)
        return false;
    set_bytes(peer, family, bytes);
    return true;
}

/* Address and port of one end of a TCP connection. */
static void end_text(const struct sockaddr_storage *end, char *out, size_t size, unsigned *port)
{
    struct peer text = { .family = AF_UNSPEC };

    if (end->ss_family == AF_INET) {
        const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)end;

        set_bytes(&text, AF_INET, &four->sin_addr);
        *port = ntohs(four->sin_port);
    } else if (end->ss_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)end;

        set_bytes(&text, AF_INET6, &six->sin6_addr);
        *port = ntohs(six->sin6_port);
    }
    (void)snprintf(out, size, "%s", text.address);
}

bool peer_is_tcp(int fd)
{
    struct sockaddr_storage own = { .ss_family = AF_UNSPEC };
    socklen_t len = sizeof own;
    int type = 0;
    socklen_t type_len = sizeof type;

    return getsockname(fd, (struct sockaddr *)&own, &len) == 0 &&
           (own.ss_family == AF_INET || own.ss_family == AF_INET6) &&
           getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) == 0 && type == SOCK_STREAM;
}

static unsigned port_of(const char *variable)
{
    const char *text = getenv(variable);
    unsigned long port = text != NULL ? strtoul(text, NULL, 10) : 0;

    return port <= 65535 ? (unsigned)port : 0;
}

/* What tcpserver and the wrappers of its family say of a connection that they hold themselves. */
static bool from_environment(struct peer *peer)
{
    const char *remote = getenv("TCPREMOTEIP"), *local = getenv("TCPLOCALIP");
    struct peer own;

    if (remote == NULL || !set_text(peer, remote))
        return false;
    peer->port = port_of("TCPREMOTEPORT");
    if (local != NULL && set_text(&own, local)) {
        memcpy(peer->server_address, own.address, sizeof own.address);
        peer->server_port = port_of("TCPLOCALPORT");
    }
    return true;
}

enum peer_status peer_find(struct peer *peer, int fd)
{
    struct sockaddr_storage end = { .ss_family = AF_UNSPEC };
    socklen_t len = sizeof end;
    char text[INET6_ADDRSTRLEN] = "";

    set_none(peer);
    if (!peer_is_tcp(fd)) {
        if (!from_environment(peer) && isatty(fd) != 0)
            (void)set_text(peer, "127.0.0.1");
        return PEER_OK;
    }
    if (getpeername(fd, (struct sockaddr *)&end, &len) != 0)
        return PEER_GONE;
    end_text(&end, text, sizeof text, &peer->port);
    if (!set_text(peer, text))
        return PEER_GONE;
    len = sizeof end;
    if (getsockname(fd, (struct sockaddr *)&end, &len) == 0)
        end_text(&end, peer->server_address, sizeof peer->server_address, &peer->server_port);
    return PEER_OK;
}

/* Takes a name if it is one that DNS names of hosts may be; a PTR can hold anything. */
static bool set_name(struct peer *peer, const char *name)
{
    struct slice text = slice_of(name);

    if (text.len > 1 && text.text[text.len - 1] == '.')
        text.len--;
    if (!envelope_domain(text))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.text[i] >= 0x80)
            return false;
        peer->name[i] = (char)tolower((unsigned char)text.text[i]);
    }
    peer->name[text.len] = '\0';
    return true;
}

enum peer_status peer_pretend(struct peer *peer, const char *who)
{
    char address[INET6_ADDRSTRLEN];
    const char *equals = strchr(who, '=');
    size_t len = equals != NULL ? (size_t)(equals - who) : strlen(who);

    set_none(peer);
    if (len >= sizeof address)
        return PEER_BAD;
    memcpy(address, who, len);
    address[len] = '\0';
    if (strcmp(address, "local") != 0 && !set_text(peer, address))
        return PEER_BAD;
    if (equals != NULL && !set_name(peer, equals + 1))
        return PEER_BAD;
    peer->state = equals != NULL ? PEER_NAME_CONFIRMED : PEER_NAME_NONE;
    return PEER_OK;
}

static socklen_t to_sockaddr(const struct peer *peer, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof *out);
    out->ss_family = (sa_family_t)peer->family;
    if (peer->family == AF_INET) {
        memcpy(&((struct sockaddr_in *)(void *)out)->sin_addr, peer->bytes, 4);
        return sizeof(struct sockaddr_in);
    }
    memcpy(&((struct sockaddr_in6 *)(void *)out)->sin6_addr, peer->bytes, 16);
    return sizeof(struct sockaddr_in6);
}

/* Does the name lead back to the address? 0 yes, else a code of getaddrinfo(3). */
static int confirm(const struct peer *peer, const char *name)
{
    const struct addrinfo hints = { .ai_family = peer->family, .ai_socktype = SOCK_STREAM };
    struct addrinfo *found = NULL;
    int result = getaddrinfo(name, NULL, &hints, &found);
    bool same = false;

    if (result != 0)
        return result;
    for (const struct addrinfo *a = found; a != NULL && !same; a = a->ai_next) {
        if (a->ai_family == AF_INET)
            same = memcmp(&((const struct sockaddr_in *)(const void *)a->ai_addr)->sin_addr, peer->bytes, 4) == 0;
        else if (a->ai_family == AF_INET6)
            same = memcmp(&((const struct sockaddr_in6 *)(const void *)a->ai_addr)->sin6_addr, peer->bytes, 16) == 0;
    }
    freeaddrinfo(found);
    return same ? 0 : EAI_NONAME;
}

static bool passing(int code)
{
    return code == EAI_AGAIN || code == EAI_SYSTEM || code == EAI_MEMORY;
}

enum peer_name_state peer_name(struct peer *peer)
{
    struct sockaddr_storage address;
    char name[NI_MAXHOST], shown[LOG_TEXT];
    socklen_t len;
    int result;

    if (peer->state != PEER_NAME_UNASKED)
        return peer->state;
    len = to_sockaddr(peer, &address);
    result = getnameinfo((struct sockaddr *)&address, len, name, sizeof name, NULL, 0, NI_NAMEREQD);
    if (result == 0) {
        log_debug('h', "address %s has the name \"%s\"", peer->address,
                  log_encode(shown, sizeof shown, slice_of(name)));
        /* a name that looks like an address would be taken as one instead of being looked up */
        result = set_name(peer, name) && isdigit((unsigned char)name[strlen(name) - 1]) == 0 &&
                         strchr(name, ':') == NULL
                     ? confirm(peer, peer->name)
                     : EAI_NONAME;
    }
    peer->state = result == 0 ? PEER_NAME_CONFIRMED : passing(result) ? PEER_NAME_UNSURE : PEER_NAME_NONE;
    log_debug('h', "name of %s: %s", peer->address, result == 0 ? peer->name : gai_strerror(result));
    if (result != 0)
        (void)snprintf(peer->name, sizeof peer->name, "unknown");
    return peer->state;
}
