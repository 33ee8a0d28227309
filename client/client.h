/* client.h - who is connected: address, confirmed name, certificate, user */
#ifndef CLIENT_H
#define CLIENT_H

#include <netinet/in.h>
#include <stdbool.h>

#include "client/proxy.h"
#include "session/told.h"

/* What is known of the client's name. It counts only when it is forward-confirmed. */
enum client_name_state {
    CLIENT_NAME_UNASKED,
    CLIENT_NAME_CONFIRMED,
    CLIENT_NAME_NONE,   /* no PTR */
    CLIENT_NAME_FAIL,   /* its names do not lead back to the address */
    CLIENT_NAME_UNSURE  /* temporary DNS failure */
};

enum {
    CLIENT_TEXT = 255,       /* bytes of a text about the client */
    CLIENT_FINGERPRINT = 64  /* hexadecimal digits of a SHA-256 hash, in lower case */
};

/* What TLS says of the connection and, by a certificate that was verified, of the client. */
struct client_tls {
    char protocol[CLIENT_TEXT + 1];  /* TLSv1.3; "": the connection is not encrypted */
    char cipher[CLIENT_TEXT + 1];
    char sni[CLIENT_TEXT + 1];       /* the name that the client wanted to reach, "" if it said none */
    char subject[CLIENT_TEXT + 1];   /* of the client's certificate (RFC 4514), "" without one */
    char issuer[CLIENT_TEXT + 1];    /* the same */
    char fingerprint[CLIENT_FINGERPRINT + 1]; /* the same */
};

struct client {
    char address[INET6_ADDRSTRLEN];      /* as text; IPv4-mapped as IPv4; or "local"; "unknown" to the peer that spoke for it */
    char address_full[INET6_ADDRSTRLEN]; /* IPv6 in full (eight groups of four digits), else "" */
    char server_address[INET6_ADDRSTRLEN]; /* ours; "" when there is none */
    unsigned port, server_port;          /* 0 when there is none */
    char proxy[INET6_ADDRSTRLEN];        /* the proxy that has told all this, "" if there is none */
    char via[INET6_ADDRSTRLEN];          /* the peer that has told it by XCLIENT or XFORWARD, "" if there is none */
    int family;                          /* AF_INET, AF_INET6, or AF_UNSPEC for "local" and "unknown" */
    unsigned char bytes[16];             /* the address in network order */
    enum client_name_state state;
    char name[DOMAIN_MAX + 1];           /* the confirmed name in lower case, else "unknown" */
    struct client_tls tls;
    char user[CLIENT_TEXT + 1];            /* who has authenticated, "" if nobody has */
};

enum client_status {
    CLIENT_OK,
    CLIENT_GONE, /* the client has disconnected already; errno says how */
    CLIENT_BAD   /* only client_pretend: no valid address, or no valid name behind '=' */
};

/*
 * Finds out who is on a descriptor: the client of a TCP socket; otherwise the valid address in
 * TCPREMOTEIP (with TCPREMOTEPORT, TCPLOCALIP, TCPLOCALPORT), 127.0.0.1 on a terminal, "local".
 */
enum client_status client_find(struct client *client, int fd);

/* Who is at the other end of a connection, as accept(2) has it; without a name, "local" for a UNIX socket. */
void client_at(struct client *client, const struct sockaddr_storage *peer);

/* Becomes ADDRESS or ADDRESS=NAME: that client, with that confirmed name or with none. */
enum client_status client_pretend(struct client *client, const char *who);

/* Pretends that the connection is encrypted. */
void client_pretend_tls(struct client *client);

/*
 * The confirmed name, asked for at most once: PTR, then A/AAAA of its names, one of which must
 * be the client's address (RFC 1912 2.1). Of several confirmed names the first in alphabetical order
 * is the one. Takes as long as a stage of dns.h.
 */
enum client_name_state client_name(struct client *client);

/*
 * The name for people and commands, "unknown" without one. Asks for it, unless dns.reverse is off: then it is what a
 * decision has found out.
 */
const char *client_shown_name(struct client *client);

/* The confirmed name, if it has been found out already; else "". */
const char *client_known_name(const struct client *client);

/* Sends the question that client_name begins with, and does not wait. */
void client_send(const struct client *client);

/* What is known of the name, in a word: pass, fail, none or temperr; "" when it has not been asked for. */
const char *client_fcrdns(const struct client *client);

/* Bits of the key that TLS uses, which the name of its cipher tells: "256"; "0" where it does not. */
const char *client_tls_bits(const struct client_tls *tls);

/* What a trusted proxy has said: that the client is another, or nothing of the kind. */
void client_from_proxy(struct client *client, const struct proxy_header *header);

/*
 * What a peer that is trusted has said of a client by XCLIENT or XFORWARD: the peer becomes that client. A name that was given is
 * confirmed; of a client without one DNS is asked. Certificate and user are what they were of the peer, and no longer
 * there. How the connection is encrypted stays.
 */
void client_from_peer(struct client *client, const struct told *told);

/* Is the descriptor a connected TCP socket? True also where that cannot be told: then nobody is a local client. */
bool client_is_tcp(int fd);

#endif
