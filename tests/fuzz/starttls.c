/* starttls.c - fuzz target: what a mailrecv-tls that was taken over may tell; nothing of it leaves its place */
/*
 * The input is one packet of the channel, behind a byte: whether the helper is still there.
 */
#include "client/starttls.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "fuzz.h"

/* Printable text with its end in its place. */
static void check_text(const char *text, size_t size)
{
    HOLDS(memchr(text, '\0', size) != NULL);
    for (; *text != '\0'; text++)
        HOLDS(*text >= ' ' && *text <= '~');
}

static void check_facts(const struct client_tls *tls)
{
    check_text(tls->protocol, sizeof tls->protocol);
    check_text(tls->cipher, sizeof tls->cipher);
    check_text(tls->sni, sizeof tls->sni);
    check_text(tls->subject, sizeof tls->subject);
    check_text(tls->fingerprint, sizeof tls->fingerprint);
}

void fuzz_starttls(const uint8_t *data, size_t size)
{
    static const struct client_tls nothing;
    struct starttls tls = { .helper = 1 }; /* only starttls_end would look for it */
    struct client client;
    int ends[2];
    bool lives = size > 0 && data[0] % 2 != 0, sent = false;
    enum starttls_status status;

    HOLDS(log_open("/dev/null"));
    HOLDS(client_pretend(&client, "192.0.2.7") == CLIENT_OK);
    HOLDS(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
    tls.channel = ends[0];
    if (size > 1)
        sent = send(ends[1], data + 1, size - 1, 0) == (ssize_t)(size - 1);
    if (!lives)
        (void)close(ends[1]);
    status = starttls_learn(&tls, &client);
    HOLDS(tls.told == (status != STARTTLS_UNKNOWN));
    HOLDS(status == (!sent && lives                                            ? STARTTLS_UNKNOWN
                     : sent && size > 7 && memcmp(data + 1, "secure\n", 7) == 0 ? STARTTLS_SECURE
                                                                               : STARTTLS_FAILED));
    if (status == STARTTLS_SECURE)
        check_facts(&client.tls);
    else
        HOLDS(memcmp(&client.tls, &nothing, sizeof nothing) == 0);
    if (status != STARTTLS_UNKNOWN)
        HOLDS(starttls_learn(&tls, &client) == STARTTLS_NONE); /* it is heard once */
    if (lives)
        (void)close(ends[1]);
    (void)close(ends[0]);
}
