/* client.c - who is connected: address, confirmed name, certificate, user */
#include "client/client.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "dns/canonical.h"
#include "dns/dns.h"

static void set_none(struct client *client)
{
    *client = (struct client){ .address = "local", .family = AF_UNSPEC, .state = CLIENT_NAME_NONE, .name = "unknown" };
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

/* Of IPv4 without inet_ntop: nothing else would need printf, which takes five pages, before the greeting. */
static void write_address(int family, const unsigned char bytes[16], char out[INET6_ADDRSTRLEN])
{
    struct text text = { out, INET6_ADDRSTRLEN - 1, 0 };

    if (family == AF_INET6) {
        (void)inet_ntop(AF_INET6, bytes, out, INET6_ADDRSTRLEN); /* large enough: cannot fail */
        return;
    }
    for (size_t i = 0; i < 4; i++) {
        text_put(&text, slice_of(i == 0 ? "" : "."));
        text_number(&text, bytes[i], 1);
    }
    out[text.len] = '\0';
}

static void set_bytes(struct client *client, int family, const void *bytes)
{
    const struct in6_addr *six = bytes;

    if (family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(six)) {
        family = AF_INET;
        bytes = six->s6_addr + 12;
    }
    client->family = family;
    client->state = CLIENT_NAME_UNASKED;
    memcpy(client->bytes, bytes, family == AF_INET ? 4 : 16);
    write_address(family, client->bytes, client->address);
    if (family == AF_INET6)
        full_text(client->bytes, client->address_full, sizeof client->address_full);
}

/* A numeric address as text. Zones ("%eth0") are no part of an address. */
static bool set_text(struct client *client, const char *text)
{
    unsigned char bytes[16];
    int family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;

    if (inet_pton(family, text, bytes) != 1)
        return false;
    set_bytes(client, family, bytes);
    return true;
}

/* Takes address and port of one end of a TCP connection. */
static bool set_end(struct client *client, const struct sockaddr_storage *end, unsigned *port)
{
    const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)end;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)end;

    if (end->ss_family == AF_INET)
        set_bytes(client, AF_INET, &four->sin_addr);
    else if (end->ss_family == AF_INET6)
        set_bytes(client, AF_INET6, &six->sin6_addr);
    else
        return false;
    *port = ntohs(end->ss_family == AF_INET ? four->sin_port : six->sin6_port);
    return true;
}

bool client_is_tcp(int fd)
{
    struct sockaddr_storage own = { .ss_family = AF_UNSPEC };
    socklen_t len = sizeof own;
    int type = 0;
    socklen_t type_len = sizeof type;

    if (getsockname(fd, (struct sockaddr *)&own, &len) != 0)
        return errno != ENOTSOCK;
    return (own.ss_family == AF_INET || own.ss_family == AF_INET6) &&
           (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) != 0 || type == SOCK_STREAM);
}

static unsigned port_of(const char *variable)
{
    const char *text = getenv(variable);
    unsigned long port = text != NULL ? strtoul(text, NULL, 10) : 0;

    return port <= 65535 ? (unsigned)port : 0;
}

/* What tcpserver and the wrappers of its family say of a connection that they hold themselves. */
static bool from_environment(struct client *client)
{
    const char *remote = getenv("TCPREMOTEIP"), *local = getenv("TCPLOCALIP");
    struct client own;

    if (remote == NULL || !set_text(client, remote))
        return false;
    client->port = port_of("TCPREMOTEPORT");
    if (local != NULL && set_text(&own, local)) {
        memcpy(client->server_address, own.address, sizeof own.address);
        client->server_port = port_of("TCPLOCALPORT");
    }
    return true;
}

enum client_status client_find(struct client *client, int fd)
{
    struct sockaddr_storage end = { .ss_family = AF_UNSPEC };
    socklen_t len = sizeof end;
    struct client own;

    set_none(client);
    if (!client_is_tcp(fd)) {
        if (!from_environment(client) && isatty(fd) != 0)
            (void)set_text(client, "127.0.0.1");
        return CLIENT_OK;
    }
    if (getpeername(fd, (struct sockaddr *)&end, &len) != 0 || !set_end(client, &end, &client->port))
        return CLIENT_GONE;
    len = sizeof end;
    if (getsockname(fd, (struct sockaddr *)&end, &len) == 0 && set_end(&own, &end, &client->server_port))
        memcpy(client->server_address, own.address, sizeof own.address);
    return CLIENT_OK;
}

void client_at(struct client *client, const struct sockaddr_storage *peer)
{
    set_none(client);
    (void)set_end(client, peer, &client->port);
}

void client_from_proxy(struct client *client, const struct proxy_header *header)
{
    const struct client proxy = *client;
    struct client own = { .family = AF_UNSPEC };

    if (header->family == AF_UNSPEC)
        return;
    set_none(client);
    set_bytes(client, header->family, header->source.bytes);
    set_bytes(&own, header->family, header->destination.bytes);
    memcpy(client->server_address, own.address, sizeof own.address);
    memcpy(client->proxy, proxy.address, sizeof proxy.address);
    client->port = header->source.port;
    client->server_port = header->destination.port;
}

/* Takes a name if it is one that DNS names of hosts may be; a PTR can hold anything. */
static bool set_name(struct client *client, const char *name)
{
    struct slice text = slice_of(name);

    if (text.len > 1 && text.text[text.len - 1] == '.')
        text.len--;
    if (!envelope_domain(text))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.text[i] >= 0x80)
            return false;
        client->name[i] = (char)tolower((unsigned char)text.text[i]);
    }
    client->name[text.len] = '\0';
    return true;
}

/* Whom it was connected to. */
static void set_destination(struct client *client, const struct told *told)
{
    struct client own;

    if (told_has(told, TOLD_DESTADDR)) {
        set_bytes(&own, told->destaddr.family, told->destaddr.bytes);
        memcpy(client->server_address, own.address, sizeof own.address);
    }
    if (told_has(told, TOLD_DESTPORT))
        client->server_port = told->destport;
}

static void set_told_name(struct client *client, const struct told *told)
{
    if (told_has(told, TOLD_NAME) && set_name(client, told->name)) {
        client->state = CLIENT_NAME_CONFIRMED;
    } else if ((told->given & 1U << TOLD_NAME) != 0) {
        client->state = told->later ? CLIENT_NAME_UNSURE : CLIENT_NAME_NONE;
        memcpy(client->name, "unknown", sizeof "unknown");
    }
}

void client_from_peer(struct client *client, const struct told *told)
{
    const struct client peer = *client;

    if ((told->given & 1U << TOLD_ADDR) != 0) {
        set_none(client);
        memcpy(client->address, "unknown", sizeof "unknown");
        memcpy(client->server_address, peer.server_address, sizeof peer.server_address);
        client->server_port = peer.server_port;
        client->tls = peer.tls;
    }
    if (told_has(told, TOLD_ADDR))
        set_bytes(client, told->addr.family, told->addr.bytes);
    if ((told->given & 1U << TOLD_PORT) != 0)
        client->port = told_has(told, TOLD_PORT) ? told->port : 0;
    set_told_name(client, told);
    set_destination(client, told);
    memcpy(client->via, peer.address, sizeof peer.address);
    client->tls.subject[0] = client->tls.issuer[0] = client->tls.fingerprint[0] = '\0';
    text_string(client->user, sizeof client->user, slice_of(told_has(told, TOLD_LOGIN) ? told->login : ""));
}

enum client_status client_pretend(struct client *client, const char *who)
{
    char address[INET6_ADDRSTRLEN], name[DOMAIN_MAX + 1];
    const char *equals = strchr(who, '=');
    size_t len = equals != NULL ? (size_t)(equals - who) : strlen(who);

    set_none(client);
    if (len >= sizeof address)
        return CLIENT_BAD;
    memcpy(address, who, len);
    address[len] = '\0';
    if (strcmp(address, "local") != 0 && !set_text(client, address))
        return CLIENT_BAD;
    if (equals != NULL && !(canonical_domain(slice_of(equals + 1), WORDS_OURS, name) == CANONICAL_OK && set_name(client, name)))
        return CLIENT_BAD;
    client->state = equals != NULL ? CLIENT_NAME_CONFIRMED : CLIENT_NAME_NONE;
    return CLIENT_OK;
}

void client_pretend_tls(struct client *client)
{
    (void)snprintf(client->tls.protocol, sizeof client->tls.protocol, "TLSv1.3");
    (void)snprintf(client->tls.cipher, sizeof client->tls.cipher, "TLS_AES_256_GCM_SHA384");
}

/* ---- its name ---------------------------------------------------------------------------- */

static bool reverse_name(const struct client *client, char name[DOMAIN_MAX + 1])
{
    const char *zone = client->family == AF_INET ? "in-addr.arpa" : "ip6.arpa";

    return wire_reversed(client->family, client->bytes, slice_of(zone), name);
}

void client_send(const struct client *client)
{
    char reversed[DOMAIN_MAX + 1];

    if (client->state == CLIENT_NAME_UNASKED && reverse_name(client, reversed))
        dns_send(DNS_NAMES, reversed);
}

/* The names that a PTR answer holds, in alphabetical order: servers change theirs from answer to answer. */
struct names {
    size_t count;
    char names[ANSWER_NAMES][DOMAIN_MAX + 1];
};

static void add_name(struct names *list, const char *name)
{
    size_t at = list->count++;

    for (; at > 0 && strcmp(list->names[at - 1], name) > 0; at--)
        memcpy(list->names[at], list->names[at - 1], strlen(list->names[at - 1]) + 1);
    memcpy(list->names[at], name, strlen(name) + 1);
}

/* Leaves out what is no name of a host. */
static void take_names(struct client *client, const struct answer *answer, struct names *list)
{
    char shown[LOG_TEXT];

    list->count = 0;
    for (size_t i = 0; i < answer->count; i++) {
        log_debug('h', "address %s has the name \"%s\"", client->address,
                  log_encode(shown, sizeof shown, slice_of(answer->names[i])));
        if (set_name(client, answer->names[i]) && envelope_host(slice_of(client->name)))
            add_name(list, client->name);
    }
}

static bool leads_back(const struct client *client, const struct answer *answer)
{
    for (size_t i = 0; i < answer->count; i++)
        if (memcmp(answer->addresses[i], client->bytes, client->family == AF_INET ? 4 : 16) == 0)
            return true;
    return false;
}

/* Does one of the names lead back to the address? The first that does is the name. */
static enum client_name_state confirm(struct client *client, const struct names *list)
{
    enum dns_kind kind = client->family == AF_INET ? DNS_ADDRESSES4 : DNS_ADDRESSES6;
    bool unsure = false;

    for (size_t i = 0; i < list->count; i++)
        dns_send(kind, list->names[i]);
    for (size_t i = 0; i < list->count; i++) {
        const struct answer *answer = dns_ask(kind, list->names[i]);

        if (answer->status == ANSWER_FOUND && leads_back(client, answer)) {
            memcpy(client->name, list->names[i], strlen(list->names[i]) + 1);
            return CLIENT_NAME_CONFIRMED;
        }
        unsure = unsure || answer->status == ANSWER_UNSURE;
    }
    return unsure ? CLIENT_NAME_UNSURE : CLIENT_NAME_FAIL;
}

static enum client_name_state find_name(struct client *client)
{
    char reversed[DOMAIN_MAX + 1];
    struct names list;
    const struct answer *answer;

    if (!reverse_name(client, reversed))
        return CLIENT_NAME_NONE;
    answer = dns_ask(DNS_NAMES, reversed);
    if (answer->status != ANSWER_FOUND)
        return answer->status == ANSWER_NONE ? CLIENT_NAME_NONE : CLIENT_NAME_UNSURE;
    take_names(client, answer, &list);
    return confirm(client, &list);
}

const char *client_known_name(const struct client *client)
{
    return client->state == CLIENT_NAME_CONFIRMED ? client->name : "";
}

const char *client_fcrdns(const struct client *client)
{
    static const char *const words[] = {
        [CLIENT_NAME_UNASKED] = "", [CLIENT_NAME_CONFIRMED] = "pass", [CLIENT_NAME_NONE] = "none",
        [CLIENT_NAME_FAIL] = "fail", [CLIENT_NAME_UNSURE] = "temperr",
    };

    return words[client->state];
}

enum client_name_state client_name(struct client *client)
{
    if (client->state != CLIENT_NAME_UNASKED)
        return client->state;
    client->state = find_name(client);
    if (client->state != CLIENT_NAME_CONFIRMED)
        (void)snprintf(client->name, sizeof client->name, "unknown");
    log_debug('h', "name of %s: %s fcrdns=%s", client->address, client->name, client_fcrdns(client));
    return client->state;
}

const char *client_shown_name(struct client *client)
{
    if (dns_wants_reverse())
        (void)client_name(client);
    return client->name;
}

const char *client_tls_bits(const struct client_tls *tls)
{
    static const struct {
        const char *in, *bits;
    } sizes[] = { { "AES_128", "128" }, { "AES128", "128" }, { "ARIA128", "128" }, { "CAMELLIA128", "128" },
                  { "_256", "256" }, { "AES256", "256" }, { "ARIA256", "256" }, { "CAMELLIA256", "256" },
                  { "CHACHA20", "256" }, { "", "0" } };
    size_t i = 0;

    while (strstr(tls->cipher, sizes[i].in) == NULL)
        i++;
    return sizes[i].bits;
}
