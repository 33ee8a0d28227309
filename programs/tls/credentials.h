/* credentials.h - certificates and key of mailrecv-tls: loading them, and what is wrong with them */
#ifndef CREDENTIALS_H
#define CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/ssl.h>

/* Where they are read from, in PEM: the chain with our certificate first, the key, who signs certificates of clients,
 * and a second pair of chain and key. The files are read from their beginnings; the offsets stay. */
enum { CERTIFICATES = 4, KEY = 5, CLIENT_CAS = 6, SECOND_CERTIFICATES = 7, SECOND_KEY = 8 };

/* And where we are the client, those who may have signed certificates of servers. */
enum { AUTHORITIES = 4 };

enum { TEXT_SIZE = 256 }; /* of a text that is told, with its NUL */

struct credentials_options {
    const char *min_version; /* "1.2" or "1.3" */
    const char *ciphers;     /* for TLS 1.2, NULL: OpenSSL's */
    bool ask_client;         /* ask clients for a certificate; one that is sent must verify */
    bool second;             /* there is a second pair, for clients that like its kind of key better */
};

/* Called for each thing that is bad: `about` is a word or some, `why` may hold any bytes. */
typedef void (*credentials_complain)(const char *about, const char *why);

/*
 * A context to serve TLS with, loaded with all that was good. NULL when there is no context at all, which is
 * complained of, too. Secrets are wiped from where they were read to.
 */
SSL_CTX *credentials_load(const struct credentials_options *o, credentials_complain complain);

/*
 * The same for a client, of which the versions and ciphers count. To `verify`, the authorities are read; whether a
 * certificate is good decides nothing in the handshake, but SSL_get_verify_result(3) says it.
 */
SSL_CTX *credentials_client(const struct credentials_options *o, bool verify, credentials_complain complain);

/* Says whom a client speaks to: a name to ask for and to verify, an address to verify, or "". False without memory. The
 * name is not changed; OpenSSL does not say so. */
bool credentials_expect(SSL *ssl, char *name);

/* Calls `take` for each DNS name of a certificate, by which its server is known. */
void credentials_each_name(const X509 *certificate, void (*take)(void *context, const char *name), void *context);

/* Whole days from now until a date, which may lie in the past. */
int credentials_days_until(const ASN1_TIME *date);

/* Loads them and prints to standard output all that is wrong or worth knowing, a line each that begins with
 * `error: `, `warning: ` or `note: `. False if there was an error. */
bool credentials_check(const struct credentials_options *o);

/* The same for what a client needs. */
bool credentials_check_client(const struct credentials_options *o, bool verify);

/* Why OpenSSL has just failed, by the errors that it has queued since the last ERR_clear_error(). */
const char *credentials_reason(void);

/* Copies a text as printable ASCII: other bytes become `?`, and it is cut to fit. */
void copy_printable(char to[TEXT_SIZE], const char *text, size_t len);

#endif
