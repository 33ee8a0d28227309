/* starttls.c - the monitor's side of TLS: starts mailrecv-tls and hears what became of it */
#include "client/starttls.h"

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
#include "client/keeper.h"

enum { MESSAGE_MAX = 1024, ARGUMENTS_MAX = 10, FIRST_FILE = 4, END_MS = 4000 };

_Static_assert(FIRST_FILE + STARTTLS_FILES <= PROCESS_DESCRIPTORS, "the helper must get all of its files");

static int opened[STARTTLS_FILES] = { -1, -1, -1, -1, -1 };

struct slice starttls_path(const struct client_settings *settings, enum starttls_file file)
{
    const struct slice paths[STARTTLS_FILES] = { settings->tls_cert[0], settings->tls_key[0], settings->tls_client_ca,
                                                 settings->tls_cert[1], settings->tls_key[1] };

    return paths[file];
}

void starttls_open(const struct client_settings *settings)
{
    for (enum starttls_file i = 0; i < STARTTLS_FILES; i++)
        if (starttls_path(settings, i).len > 0)
            opened[i] = guarded_read(starttls_path(settings, i));
}

/* Opens what is not open yet. False: the log says what cannot be opened. */
static bool open_files(const struct client_settings *settings)
{
    for (enum starttls_file i = 0; i < STARTTLS_FILES; i++) {
        struct slice path = starttls_path(settings, i);

        if (path.len == 0 || opened[i] >= 0)
            continue;
        opened[i] = guarded_read(path);
        if (opened[i] < 0) {
            log_line(LOG_ERR, "TLS failed reason=\"cannot open %.*s: %s\"", (int)path.len, path.text, strerror(errno));
            return false;
        }
    }
    return true;
}

static void close_files(void)
{
    for (enum starttls_file i = 0; i < STARTTLS_FILES; i++) {
        if (opened[i] >= 0)
            (void)close(opened[i]); /* only read */
        opened[i] = -1;
    }
}

enum purpose { SERVE, KEEP, TEST };

/*
 * Starts the helper, or becomes the one that waits, with its own descriptors, those of files, and /dev/null for such as
 * are not there. Returns 0 or an error number.
 */
static int launch(pid_t *helper, const struct client_settings *settings, enum purpose purpose, const int own[FIRST_FILE],
                  const int files[STARTTLS_FILES], int nothing)
{
    static char keep[] = "-k", test[] = "-t", minimum[] = "-m", version[] = "1.3", list[] = "-C", ask[] = "-a", second[] = "-s";
    char path[PATH_MAX], ciphers[1024];
    char *arguments[ARGUMENTS_MAX] = { path }, *none[] = { NULL };
    int fds[FIRST_FILE + STARTTLS_FILES];
    size_t count = 1, descriptors = FIRST_FILE;

    memcpy(fds, own, FIRST_FILE * sizeof *own);
    for (enum starttls_file i = 0; i < STARTTLS_FILES; i++) {
        fds[FIRST_FILE + i] = files[i] >= 0 ? files[i] : nothing;
        if (starttls_path(settings, i).len > 0)
            descriptors = FIRST_FILE + i + 1;
    }
    process_choose(settings->tls_helper, "mailrecv-tls", path, sizeof path);
    if (purpose != SERVE)
        arguments[count++] = purpose == TEST ? test : keep;
    if (settings->tls_min_version != 0) {
        arguments[count++] = minimum;
        arguments[count++] = version;
    }
    if (settings->tls_ciphers.len > 0) {
        (void)snprintf(ciphers, sizeof ciphers, "%.*s", (int)settings->tls_ciphers.len, settings->tls_ciphers.text);
        arguments[count++] = list;
        arguments[count++] = ciphers;
    }
    if (settings->tls_client_ca.len > 0)
        arguments[count++] = ask;
    if (settings->tls_cert[1].len > 0)
        arguments[count++] = second;
    if (purpose == KEEP)
        return process_become(path, arguments, none, fds, descriptors);
    return process_start(helper, path, arguments, none, fds, descriptors);
}

int starttls_test(const struct client_settings *settings, const int files[STARTTLS_FILES], int output, pid_t *helper)
{
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC), error = errno;

    if (nothing >= 0) {
        const int own[FIRST_FILE] = { nothing, output, output, nothing };

        error = launch(helper, settings, TEST, own, files, nothing);
        (void)close(nothing);
    }
    return error;
}

/* A message of the helper, as a string; false: none is there, or it has ended. */
static bool hear(const struct starttls *tls, char *message, int flags)
{
    ssize_t len;

    errno = 0;
    len = recv(tls->channel, message, MESSAGE_MAX, flags);
    message[len > 0 ? len : 0] = '\0';
    return len > 0;
}

static void log_failure(const char *message)
{
    char shown[LOG_TEXT];
    const char *reason = strncmp(message, "failed ", 7) == 0 ? message + 7 : "mailrecv-tls has died";

    log_line(LOG_NOTICE, "TLS failed reason=\"%s\"", log_encode(shown, sizeof shown, slice_of(reason)));
}

static bool wait_ready(const struct starttls *tls, uint64_t deadline)
{
    struct pollfd ready = { .fd = tls->channel, .events = POLLIN };
    sigset_t waiting = clock_mask();
    char message[MESSAGE_MAX + 1] = "failed it is not ready in time";

    if (clock_poll(&ready, 1, deadline, &waiting) == 1 && hear(tls, message, 0) && strcmp(message, "ready") == 0)
        return true;
    log_failure(message);
    return false;
}

void starttls_keep(const struct client_settings *settings, int requests)
{
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC), error = nothing < 0 ? errno : 0;
    const int own[FIRST_FILE] = { nothing, nothing, nothing, requests };

    if (!open_files(settings))
        return;
    if (error == 0)
        error = launch(NULL, settings, KEEP, own, opened, nothing);
    log_line(LOG_ERR, "TLS failed reason=\"cannot start mailrecv-tls: %s\"", strerror(error));
}

/* Asks the one that waits, if there is one. */
static enum keeper_answer ask_keeper(struct starttls *tls, int client, int plain, uint64_t deadline)
{
    int ends[2];
    enum keeper_answer answer;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return KEEPER_NONE; /* what follows will say so */
    answer = keeper_ask(client, plain, ends[1], ends[0], deadline, &tls->helper);
    tls->kept = answer == KEEPER_READY;
    if (tls->kept) {
        tls->channel = ends[0];
        return answer;
    }
    tls->helper = 0;
    (void)close(ends[0]); /* read to its end */
    return answer;
}

/* Has a process of ours serve the connection. */
static bool start_helper(struct starttls *tls, const struct client_settings *settings, int client, int plain,
                         uint64_t deadline)
{
    int ends[2] = { -1, -1 }, nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    int error = nothing < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0 ? errno : 0;
    bool done = error == 0 && open_files(settings);

    if (done) {
        const int own[FIRST_FILE] = { client, plain, nothing, ends[1] };

        error = launch(&tls->helper, settings, SERVE, own, opened, nothing);
        done = error == 0;
        if (!done)
            tls->helper = 0;
    }
    if (error != 0)
        log_line(LOG_ERR, "TLS failed reason=\"cannot start mailrecv-tls: %s\"", strerror(error));
    if (nothing >= 0)
        (void)close(nothing);
    if (ends[1] >= 0)
        (void)close(ends[1]);
    tls->channel = ends[0];
    if (done && wait_ready(tls, deadline)) {
        close_files();
        return true;
    }
    starttls_end(tls, NULL, 0); /* the files stay open: whom we have become may not be able to open them again */
    return false;
}

bool starttls_start(struct starttls *tls, const struct client_settings *settings, int client, int plain,
                    uint64_t deadline)
{
    switch (ask_keeper(tls, client, plain, deadline)) {
    case KEEPER_READY:
        close_files();
        return true;
    case KEEPER_LATE:
        log_failure("failed it is not ready in time");
        return false;
    case KEEPER_NONE:
        break;
    }
    return start_helper(tls, settings, client, plain, deadline);
}

/* key=value lines; text of clients comes in certificates and server names. */
static void take_facts(char *message, struct client_tls *facts)
{
    const struct pair table[] = {
        { "protocol", facts->protocol, sizeof facts->protocol }, { "cipher", facts->cipher, sizeof facts->cipher },
        { "sni", facts->sni, sizeof facts->sni },                { "subject", facts->subject, sizeof facts->subject },
        { "issuer", facts->issuer, sizeof facts->issuer },       { "fingerprint", facts->fingerprint, sizeof facts->fingerprint },
    };

    pairs_take(message, table, sizeof table / sizeof table[0]);
}

static void log_facts(const struct client_tls *facts)
{
    char sni[LOG_TEXT], subject[LOG_TEXT];

    log_line(LOG_INFO, "TLS protocol=%s cipher=%s%s%s sni=\"%s\" subject=\"%s\"", facts->protocol, facts->cipher,
             facts->fingerprint[0] != '\0' ? " fingerprint=" : "", facts->fingerprint,
             log_encode(sni, sizeof sni, slice_of(facts->sni)),
             log_encode(subject, sizeof subject, slice_of(facts->subject)));
}

enum starttls_status starttls_learn(struct starttls *tls, struct client *client)
{
    char message[MESSAGE_MAX + 1];

    if (tls->helper == 0 || tls->told)
        return STARTTLS_NONE;
    if (!hear(tls, message, MSG_DONTWAIT) && (errno == EAGAIN || errno == EWOULDBLOCK))
        return STARTTLS_UNKNOWN;
    tls->told = true;
    if (strncmp(message, "secure\n", 7) != 0) {
        log_failure(message);
        tls->failed = true;
        return STARTTLS_FAILED;
    }
    take_facts(message + 7, &client->tls);
    log_facts(&client->tls);
    return STARTTLS_SECURE;
}

/* The helper has ended: how, if it is not as it should be. */
static void log_end(struct starttls *tls, struct client *client, const struct process_end *end)
{
    char message[MESSAGE_MAX + 1], text[PROCESS_TEXT];
    bool heard;

    (void)starttls_learn(tls, client); /* what it says is in the log, and in `failed` */
    if (tls->failed)
        return;
    heard = hear(tls, message, MSG_DONTWAIT);
    if (tls->kept && strcmp(message, "done") == 0)
        return;
    if (heard || (tls->kept && end->in_time))
        log_failure(message);
    else if (!tls->kept && end->in_time && !process_exited(end, 0))
        log_line(LOG_ERR, "TLS failed reason=\"mailrecv-tls %s\"", process_end_text(end, text));
}

void starttls_end(struct starttls *tls, struct client *client, uint64_t deadline)
{
    struct process_end end;

    if (tls->helper != 0) {
        deadline = clock_earlier(deadline, clock_ms() + END_MS);
        if (tls->kept)
            end = (struct process_end){ .in_time = keeper_wait(tls->helper, tls->channel, deadline) };
        else
            end = process_wait(tls->helper, deadline);
        if (client != NULL)
            log_end(tls, client, &end);
    }
    if (tls->channel >= 0)
        (void)close(tls->channel);
    *tls = (struct starttls){ .channel = -1 };
}
