/* tls.c - TLS with another server: starts mailrecv-tls as a client, and hears what became of it */
#include "nexthop/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/pairs.h"
#include "base/guarded.h"
#include "base/log.h"
#include "base/process.h"
#include "base/text.h"

enum {
    MESSAGE_MAX = 1024,
    DESCRIPTORS = 5, /* server, plain bytes, standard error, channel, authorities: as in mailrecv-tls(8) */
    AUTHORITIES = 4,
    END_MS = 2000
};

static struct slice helper_path, authorities_path;

void nexthop_tls_use(struct slice helper, struct slice authorities)
{
    helper_path = helper;
    authorities_path = authorities;
}

/* Starts the helper with these descriptors, or only `tests` what it would need. Returns 0 or an error number. */
static int launch(pid_t *helper, const char *name, bool tests, const int fds[DESCRIPTORS])
{
    static char client[] = "-c", look[] = "-v", test[] = "-t";
    size_t len = strlen(name) - (name[0] != '\0' && name[strlen(name) - 1] == '.'); /* the dot of the root */
    const bool verify = fds[AUTHORITIES] >= 0;
    char path[PATH_MAX], copy[NEXTHOP_TLS_TEXT];
    char *arguments[] = { path, client, copy, verify ? look : NULL, verify && tests ? test : NULL, NULL }, *none[] = { NULL };

    process_choose(helper_path, "mailrecv-tls", path, sizeof path);
    text_string(copy, sizeof copy, (struct slice){ name, len });
    return process_start(helper, path, arguments, none, fds, DESCRIPTORS - !verify);
}

int nexthop_tls_test(int authorities, int output, pid_t *helper)
{
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC), error = errno;
    const int fds[DESCRIPTORS] = { nothing, output, output, nothing, authorities };

    if (nothing >= 0) {
        error = launch(helper, "", true, fds);
        (void)close(nothing); /* nothing was written */
    }
    return error;
}

/* A message of the helper, as a string; false: there is none, or it has ended. */
static bool hear(const struct nexthop_tls *tls, char message[MESSAGE_MAX + 1])
{
    ssize_t len = recv(tls->channel, message, MESSAGE_MAX, MSG_DONTWAIT);

    message[len > 0 ? len : 0] = '\0';
    return len > 0;
}

static void take_facts(struct nexthop_tls *tls, char *message)
{
    const struct pair facts[] = {
        { "protocol", tls->protocol, sizeof tls->protocol }, { "cipher", tls->cipher, sizeof tls->cipher },
        { "subject", tls->subject, sizeof tls->subject },    { "names", tls->names, sizeof tls->names },
        { "fingerprint", tls->fingerprint, sizeof tls->fingerprint },
        { "days", tls->days, sizeof tls->days },             { "trust", tls->trust, sizeof tls->trust },
    };

    pairs_take(message, facts, sizeof facts / sizeof facts[0]);
}

/* What the handshake comes to. False with a reason. */
static bool await_handshake(struct nexthop_tls *tls, uint64_t deadline, char *reason, size_t size)
{
    struct pollfd ready = { .fd = tls->channel, .events = POLLIN };
    sigset_t waiting = clock_mask();
    char message[MESSAGE_MAX + 1], shown[LOG_TEXT];
    int count = clock_poll(&ready, 1, deadline, &waiting);

    if (count != 1) {
        (void)snprintf(reason, size, "TLS failed: %s", count == 0 ? "no answer in time" : strerror(errno));
    } else if (!hear(tls, message)) {
        (void)snprintf(reason, size, "TLS failed: mailrecv-tls has died");
    } else if (strncmp(message, "secure\n", 7) == 0) {
        take_facts(tls, message + 7);
        return true;
    } else {
        (void)snprintf(reason, size, "TLS failed: %s",
                       log_encode(shown, sizeof shown, slice_of(message + (strncmp(message, "failed ", 7) == 0 ? 7 : 0))));
    }
    return false;
}

static void close_all(const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (fds[i] >= 0)
            (void)close(fds[i]); /* nothing of ours is buffered there */
}

/* Opens what the helper needs besides, and starts it. Returns our end of the plain bytes, or -1 with a reason. */
static int start_helper(struct nexthop_tls *tls, int server, const char *name, int authorities, char *reason, size_t size)
{
    int plain[2] = { -1, -1 }, channel[2] = { -1, -1 }, nothing = open("/dev/null", O_RDWR | O_CLOEXEC), error = errno;

    if (nothing >= 0 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, plain) == 0 &&
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) == 0) {
        const int own[DESCRIPTORS] = { server, plain[1], nothing, channel[1], authorities };

        tls->channel = channel[0];
        error = launch(&tls->helper, name, false, own);
    } else if (nothing >= 0) {
        error = errno;
    }
    close_all((const int[]){ nothing, plain[1], channel[1] }, 3); /* its end shall show at ours */
    if (error == 0)
        return plain[0];
    tls->helper = 0;
    close_all(plain, 1);
    (void)snprintf(reason, size, "TLS failed: cannot start mailrecv-tls: %s", strerror(error));
    return -1;
}

static bool is_trusted(const struct nexthop_tls *tls, const char *name, char *reason, size_t size)
{
    if (name[0] != '\0' && strcmp(tls->trust, "ok") == 0)
        return true;
    (void)snprintf(reason, size, "TLS failed: the certificate is not to be trusted: %s",
                   name[0] != '\0' ? tls->trust : "the server has no name");
    return false;
}

int nexthop_tls_start(struct nexthop_tls *tls, int server, const char *name, enum nexthop_trust trust,
                      uint64_t deadline, char *reason, size_t size)
{
    int authorities = trust != NEXTHOP_ANYBODY ? guarded_read(authorities_path) : -1, plain = -1;

    *tls = (struct nexthop_tls){ .channel = -1 };
    if (trust == NEXTHOP_VERIFY && authorities < 0)
        (void)snprintf(reason, size, "TLS failed: cannot open %.*s: %s", (int)authorities_path.len, authorities_path.text,
                       strerror(errno));
    else
        plain = start_helper(tls, server, name, authorities, reason, size);
    close_all((const int[]){ server, authorities }, 2);
    if (plain >= 0 && await_handshake(tls, deadline, reason, size) &&
        (trust != NEXTHOP_VERIFY || is_trusted(tls, name, reason, size))) {
        if (authorities < 0)
            tls->trust[0] = '\0'; /* without them it says nothing */
        return plain;
    }
    close_all(&plain, 1);
    if (tls->channel >= 0)
        (void)shutdown(tls->channel, SHUT_RDWR); /* the helper ends at once, and does not wait for the server to do so */
    nexthop_tls_end(tls);
    return -1;
}

bool nexthop_tls_is_whole(const struct nexthop_tls *tls)
{
    char message[MESSAGE_MAX + 1];

    return hear(tls, message) && strcmp(message, "closed") == 0;
}

void nexthop_tls_end(struct nexthop_tls *tls)
{
    const uint64_t until = clock_ms() + END_MS;
    struct pollfd other = { .fd = tls->channel };
    struct process_end end;
    char text[PROCESS_TEXT];

    if (tls->helper != 0) {
        (void)clock_poll(&other, 1, until, NULL); /* without the channel it ends at once */
        (void)close(tls->channel);
        end = process_wait(tls->helper, until + END_MS);
        if (end.how != PROCESS_EXITED)
            log_line(LOG_ERR, "TLS failed reason=\"mailrecv-tls %s\"", process_end_text(&end, text));
    } else if (tls->channel >= 0) {
        (void)close(tls->channel);
    }
    *tls = (struct nexthop_tls){ .channel = -1 };
}
