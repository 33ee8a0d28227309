/* credentials.c - certificates and key of mailrecv-tls: loading them, and what is wrong with them */
#include "programs/tls/credentials.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

enum {
    SECURITY_LEVEL = 2, /* 112 bits: RSA from 2048, no SHA-1 (SSL_CTX_set_security_level(3)) */
    MAX_PEM = 1 << 20,
    FEW_DAYS = 14
};

void copy_printable(char to[TEXT_SIZE], const char *text, size_t len)
{
    size_t used = 0;

    for (; used < len && used < TEXT_SIZE - 1; used++)
        to[used] = (char)(text[used] >= ' ' && text[used] <= '~' ? text[used] : '?');
    to[used] = '\0';
}

const char *credentials_reason(void)
{
    /* the first error is the cause of those behind it */
    unsigned long error = ERR_peek_error();
    const char *text = ERR_SYSTEM_ERROR(error) ? strerror(ERR_GET_REASON(error)) : ERR_reason_error_string(error);

    return text != NULL ? text : "no reason given";
}

/* ---- certificates and keys --------------------------------------------------------------- */

/* A chain and its key. */
static struct pair {
    int certificates, key;   /* descriptors */
    const char *prefix;      /* of what is said of it */
    X509 *certificate;       /* ours; NULL: it could not be loaded */
} pairs[] = { { CERTIFICATES, KEY, "", NULL }, { SECOND_CERTIFICATES, SECOND_KEY, "second pair: ", NULL } };

static size_t count_pairs(const struct credentials_options *o)
{
    return o->second ? 2 : 1;
}

/* A key that is encrypted is of no use here; *asked says that this was it. */
static int refuse_passphrase(char *passphrase, int size, int writing, void *asked)
{
    (void)writing;
    if (size > 0)
        passphrase[0] = '\0';
    *(bool *)asked = true;
    return -1;
}

static char pem_text[MAX_PEM];
static size_t pem_len;

/*
 * All that a descriptor holds, wherever others have read it to; NULL with *why set when that
 * cannot be read. One at a time; close_pem() wipes it.
 */
static BIO *open_pem(int fd, const char **why)
{
    ssize_t got = 1;
    BIO *pem;

    for (pem_len = 0; got > 0 && pem_len < sizeof pem_text; pem_len += got > 0 ? (size_t)got : 0)
        got = pread(fd, pem_text + pem_len, sizeof pem_text - pem_len, (off_t)pem_len);
    if (got != 0) {
        *why = got < 0 ? strerror(errno) : "is too large";
        return NULL;
    }
    pem = BIO_new_mem_buf(pem_text, (int)pem_len);
    if (pem == NULL)
        *why = credentials_reason();
    return pem;
}

static void close_pem(BIO *pem)
{
    BIO_free(pem);
    OPENSSL_cleanse(pem_text, pem_len);
}

/* The next certificate; NULL at the end, with *why set if it is not the end of good ones. */
static X509 *next_certificate(BIO *pem, bool first, const char **why)
{
    bool asked = false;
    X509 *certificate;
    unsigned long error;

    ERR_clear_error();
    certificate = PEM_read_bio_X509(pem, NULL, refuse_passphrase, &asked);
    if (certificate != NULL)
        return certificate;
    error = ERR_peek_error();
    if (ERR_GET_LIB(error) != ERR_LIB_PEM || ERR_GET_REASON(error) != PEM_R_NO_START_LINE)
        *why = credentials_reason();
    else if (first)
        *why = "holds no certificate in PEM";
    return NULL;
}

/* Loads the chain: our certificate first, in the place of one with a key of the same kind. NULL, or what is wrong. */
static const char *load_certificates(SSL_CTX *context, struct pair *pair)
{
    const char *why = NULL;
    BIO *pem = open_pem(pair->certificates, &why);
    X509 *certificate = pem != NULL ? next_certificate(pem, true, &why) : NULL;

    if (certificate != NULL &&
        (SSL_CTX_use_certificate(context, certificate) != 1 || SSL_CTX_clear_chain_certs(context) != 1))
        why = credentials_reason();
    pair->certificate = why == NULL ? certificate : NULL;
    if (why != NULL)
        X509_free(certificate);
    while (why == NULL && (certificate = next_certificate(pem, false, &why)) != NULL) {
        if (SSL_CTX_add0_chain_cert(context, certificate) != 1) {
            why = credentials_reason();
            X509_free(certificate);
        }
    }
    close_pem(pem);
    return why;
}

static const char *load_key(SSL_CTX *context, const struct pair *pair)
{
    const char *why = NULL;
    BIO *pem = open_pem(pair->key, &why);
    bool asked = false;
    EVP_PKEY *key = pem != NULL ? PEM_read_bio_PrivateKey(pem, NULL, refuse_passphrase, &asked) : NULL;

    if (asked)
        why = "is encrypted, and nobody is there to be asked for the passphrase";
    else if (pem != NULL && key == NULL)
        why = "is no private key in PEM";
    else if (key != NULL && pair->certificate != NULL && X509_check_private_key(pair->certificate, key) != 1)
        why = "does not belong to the certificate";
    else if (key != NULL && SSL_CTX_use_PrivateKey(context, key) != 1)
        why = credentials_reason();
    EVP_PKEY_free(key);
    close_pem(pem);
    return why;
}

/* Who may have signed certificates; `announced` are they to clients. */
static const char *load_authorities(SSL_CTX *context, int fd, bool announced)
{
    const char *why = NULL;
    BIO *pem = open_pem(fd, &why);
    X509 *certificate;

    for (bool first = true; pem != NULL && why == NULL; first = false) {
        certificate = next_certificate(pem, first, &why);
        if (certificate == NULL)
            break;
        if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate) != 1 ||
            (announced && SSL_CTX_add_client_CA(context, certificate) != 1))
            why = credentials_reason();
        X509_free(certificate);
    }
    close_pem(pem);
    return why;
}

/* A list may set another level; ours is set behind it. */
static const char *set_ciphers(SSL_CTX *context, const char *list)
{
    const char *why = NULL;

    if (list != NULL && SSL_CTX_set_cipher_list(context, list) != 1)
        why = credentials_reason();
    SSL_CTX_set_security_level(context, SECURITY_LEVEL);
    return why;
}

/* Protocol and options, all but what can be wrong; NULL without memory. */
static SSL_CTX *make_context(const struct credentials_options *o, const SSL_METHOD *method)
{
    const int min_version = strcmp(o->min_version, "1.3") == 0 ? TLS1_3_VERSION : TLS1_2_VERSION;
    SSL_CTX *context;

    /* the file openssl.cnf is for others: what holds here stands here, and an exit needs no cleaning up */
    if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL) != 1)
        return NULL;
    context = SSL_CTX_new(method);
    if (context == NULL || SSL_CTX_set_min_proto_version(context, min_version) != 1 ||
        SSL_CTX_set_num_tickets(context, 0) != 1)
        return NULL;
    (void)SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET);
    (void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE);
    SSL_CTX_set_read_ahead(context, 1);
    return context;
}

/* The same for each side: NULL has been complained of, as a bad list of ciphers. */
static SSL_CTX *begin(const struct credentials_options *o, const SSL_METHOD *method, credentials_complain complain)
{
    SSL_CTX *context = make_context(o, method);
    const char *why;

    if (context == NULL)
        complain("OpenSSL", credentials_reason());
    else if ((why = set_ciphers(context, o->ciphers)) != NULL)
        complain("ciphers", why);
    return context;
}

static void load_pair(SSL_CTX *context, struct pair *pair, credentials_complain complain)
{
    char about[TEXT_SIZE];
    const char *why;

    (void)snprintf(about, sizeof about, "%scertificate", pair->prefix);
    if ((why = load_certificates(context, pair)) != NULL)
        complain(about, why);
    (void)snprintf(about, sizeof about, "%skey", pair->prefix);
    if ((why = load_key(context, pair)) != NULL)
        complain(about, why);
}

SSL_CTX *credentials_load(const struct credentials_options *o, credentials_complain complain)
{
    SSL_CTX *context = begin(o, TLS_server_method(), complain);
    const char *why;

    if (context == NULL)
        return NULL;
    (void)SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                                           SSL_OP_IGNORE_UNEXPECTED_EOF); /* SMTP has an end of its own */
    for (size_t i = 0; i < count_pairs(o); i++)
        load_pair(context, &pairs[i], complain);
    if (o->ask_client && (why = load_authorities(context, CLIENT_CAS, true)) != NULL)
        complain("client CA", why);
    if (o->ask_client)
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    ERR_clear_error();
    return context;
}

SSL_CTX *credentials_client(const struct credentials_options *o, bool verify, credentials_complain complain)
{
    SSL_CTX *context = begin(o, TLS_client_method(), complain);
    const char *why;

    if (context != NULL && verify && (why = load_authorities(context, AUTHORITIES, false)) != NULL)
        complain("authorities", why);
    ERR_clear_error();
    return context;
}

/* RFC 6066 3: an address is no name to ask for. */
bool credentials_expect(SSL *ssl, char *name)
{
    X509_VERIFY_PARAM *expected = SSL_get0_param(ssl);

    (void)X509_VERIFY_PARAM_set_flags(expected, X509_V_FLAG_PARTIAL_CHAIN);
    X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return name[0] == '\0' || X509_VERIFY_PARAM_set1_ip_asc(expected, name) == 1 ||
           (SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1);
}

/* ---- checking ---------------------------------------------------------------------------- */

static bool found_errors;
static const char *subject = ""; /* the prefix of the pair that is looked at */

static void complain(const char *about, const char *why)
{
    char text[TEXT_SIZE];

    copy_printable(text, why, strlen(why));
    printf("error: %s: %s\n", about, text);
    found_errors = true;
}

/* Words of the list that OpenSSL passes over in silence. Those that exclude something do no harm. */
static void check_ciphers(const char *list)
{
    SSL_CTX *scratch = SSL_CTX_new(TLS_server_method());
    char text[TEXT_SIZE], word[TEXT_SIZE];

    while (scratch != NULL && *list != '\0') {
        size_t len = strcspn(list, ":, ;");

        if (len > 0 && len < sizeof word && strchr("!-+@", list[0]) == NULL) {
            (void)snprintf(word, sizeof word, "%.*s", (int)len, list);
            copy_printable(text, word, len);
            if (SSL_CTX_set_cipher_list(scratch, word) != 1)
                printf("warning: ciphers: none is called %s\n", text);
        }
        list += len + (list[len] != '\0' ? 1 : 0);
    }
    SSL_CTX_free(scratch);
}

int credentials_days_until(const ASN1_TIME *date)
{
    int days = 0, seconds = 0;

    (void)ASN1_TIME_diff(&days, &seconds, NULL, date); /* a date that makes no sense is complained of elsewhere */
    return days;
}

/* `name` is what to call it; ours is the one whose days are always told. */
static void check_dates(const X509 *certificate, const char *name, bool ours)
{
    const ASN1_TIME *begin = X509_get0_notBefore(certificate), *end = X509_get0_notAfter(certificate);
    int days = credentials_days_until(end);

    if (X509_cmp_current_time(begin) == 0 || X509_cmp_current_time(end) == 0) {
        printf("error: %s%s has a date that makes no sense\n", subject, name);
        found_errors = true;
    } else if (X509_cmp_current_time(end) < 0) {
        printf("warning: %s%s has expired %d days ago: most servers send mail all the same, "
               "programs of people refuse it\n", subject, name, -days);
    } else if (X509_cmp_current_time(begin) > 0) {
        printf("warning: %s%s is not valid yet: %d days to go\n", subject, name, credentials_days_until(begin));
    } else if (days < FEW_DAYS) {
        printf("warning: %s%s expires in %d days\n", subject, name, days);
    } else if (ours) {
        printf("note: %s%s expires in %d days\n", subject, name, days);
    }
}

void credentials_each_name(const X509 *certificate, void (*take)(void *context, const char *name), void *context)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    char text[TEXT_SIZE];

    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

        if (name->type != GEN_DNS)
            continue;
        copy_printable(text, (const char *)ASN1_STRING_get0_data(name->d.dNSName),
                       (size_t)ASN1_STRING_length(name->d.dNSName));
        take(context, text);
    }
    GENERAL_NAMES_free(names);
}

static void print_name(void *context, const char *name)
{
    bool *any = context;

    if (!*any)
        printf("note: %sthe certificate is for", subject);
    printf(" %s", name);
    *any = true;
}

static void check_names(const X509 *certificate)
{
    bool any = false;

    credentials_each_name(certificate, print_name, &any);
    if (!any)
        printf("warning: %sthe certificate has no DNS name (subjectAltName): programs of people refuse it", subject);
    putchar('\n');
}

/* A client chooses between kinds of keys: of two of one kind, nobody would get the first. */
static void check_kinds(void)
{
    const X509 *first = pairs[0].certificate, *second = pairs[1].certificate;

    if (first != NULL && second != NULL &&
        EVP_PKEY_get_base_id(X509_get0_pubkey(first)) == EVP_PKEY_get_base_id(X509_get0_pubkey(second)))
        complain("second pair: certificate",
                 "is of the same kind as the first one, which nobody gets, expected RSA beside ECDSA");
}

/* Each certificate must be followed by its issuer, up to one whose issuer clients know. */
static void check_chain(SSL_CTX *context, X509 *certificate)
{
    STACK_OF(X509) *chain = NULL;
    X509 *last = certificate;
    char name[TEXT_SIZE];

    (void)SSL_CTX_get0_chain_certs(context, &chain); /* cannot fail */
    check_dates(certificate, "the certificate", true);
    for (int i = 0; i < sk_X509_num(chain); i++) {
        X509 *next = sk_X509_value(chain, i);

        (void)snprintf(name, sizeof name, "certificate %d of the file", i + 2);
        check_dates(next, name, false);
        if (X509_check_issued(next, last) != X509_V_OK)
            printf("warning: %s%s did not issue the one before it: the chain is out of order\n", subject, name);
        last = next;
    }
    if (last == certificate && X509_self_signed(certificate, 0) == 1)
        printf("note: %sthe certificate is self-signed: only clients that know it can trust it\n", subject);
    else if (last == certificate)
        printf("warning: %sthe chain is incomplete, unless clients know the issuer of the certificate\n", subject);
}

bool credentials_check_client(const struct credentials_options *o, bool verify)
{
    SSL_CTX *context = credentials_client(o, verify, complain);
    const STACK_OF(X509_OBJECT) *authorities = context != NULL ? X509_STORE_get0_objects(SSL_CTX_get_cert_store(context)) : NULL;

    if (verify && !found_errors)
        printf("note: authorities: certificates: %d\n", sk_X509_OBJECT_num(authorities));
    SSL_CTX_free(context);
    return !found_errors;
}

bool credentials_check(const struct credentials_options *o)
{
    SSL_CTX *context = credentials_load(o, complain);

    if (context != NULL && o->ciphers != NULL)
        check_ciphers(o->ciphers);
    check_kinds();
    for (size_t i = 0; i < count_pairs(o) && context != NULL; i++) {
        subject = pairs[i].prefix;
        if (pairs[i].certificate == NULL || SSL_CTX_select_current_cert(context, pairs[i].certificate) != 1)
            continue; /* it has no place: that was told */
        check_chain(context, pairs[i].certificate);
        check_names(pairs[i].certificate);
    }
    SSL_CTX_free(context);
    return !found_errors;
}
