/* serve.c - requests are read from standard input, replies written to standard output */
/*
 * A process whose database is gone ends. If it was asked before, it says nothing to the request that made it find out:
 * who has started it starts it anew, and asks again. The answer of one that was never asked before is why.
 */
#include "programs/lookup/serve.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/cold.h"
#include "programs/lookup/exits.h"

static struct {
    int fd;
    struct slice words;
} late;

bool serve_write(int fd, struct slice text)
{
    while (text.len > 0) {
        ssize_t n = write(fd, text.text, text.len);

        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0)
            text = (struct slice){ text.text + n, text.len - (size_t)n };
    }
    return true;
}

static void on_alarm(int signal)
{
    (void)signal;
    (void)serve_write(late.fd, late.words); /* whether it is read or not, it is over */
    _exit(EX_TEMPFAIL);
}

static void set_timer(unsigned ms)
{
    const struct itimerval timer = { .it_value = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000L } };

    (void)setitimer(ITIMER_REAL, &timer, NULL); /* fails for numbers only that it cannot be */
}

void serve_begin(unsigned ms, int fd, struct slice words)
{
    const struct sigaction action = { .sa_handler = on_alarm };

    if (late.words.text == NULL)
        (void)sigaction(SIGALRM, &action, NULL); /* later it may no longer be possible */
    late.fd = fd;
    late.words = words;
    set_timer(ms);
}

void serve_end(void)
{
    set_timer(0);
}

/* Is another file in the place of that which was opened? */
static bool is_replaced(const struct opened *opened)
{
    static struct stat first;
    struct stat now;

    if (opened->file == NULL)
        return false;
    if (stat(opened->file, &now) != 0)
        return true;
    if (first.st_ino == 0)
        first = now;
    return now.st_ino != first.st_ino || now.st_dev != first.st_dev;
}

static char reply[SOCKETMAP_REPLY] COLD_BSS;

static bool send_reply(const struct answer *answer)
{
    struct text out = { reply, sizeof reply, 0 };

    socketmap_reply(&out, answer);
    return serve_write(STDOUT_FILENO, text_slice(&out));
}

/* True: go on. */
static bool answer_request(const struct source *source, const struct opened *opened, struct slice key, unsigned ms, bool asked)
{
    static const struct answer in_vain = { ANSWER_TIMEOUT, SLICE("the database has not answered in time") };
    char bytes[128];
    struct text words = { bytes, sizeof bytes, 0 };
    struct answer answer = { .kind = ANSWER_TEMPORARY };
    bool there = false;

    socketmap_reply(&words, &in_vain);
    serve_begin(ms, STDOUT_FILENO, text_slice(&words));
    if (!is_replaced(opened))
        there = source->ask(key, &answer);
    else
        (void)source_fail(&answer, "another file has taken its place");
    serve_end();
    if (!there)
        complain("%.*s", (int)answer.value.len, answer.value.text);
    return (there || !asked) && send_reply(&answer) && there;
}

/* What no database is asked for. */
static bool answer_misfit(struct slice key, bool *sent)
{
    const struct answer never = { ANSWER_NEVER, SLICE("a request is the name of a map, a blank, and a key without NUL") };
    bool is_misfit = key.text == NULL || memchr(key.text, '\0', key.len) != NULL;

    if (is_misfit)
        *sent = send_reply(&never);
    return is_misfit;
}

/* Waits for more of a request; false at the end, or when the server goes away: it says nothing unless it is asked. */
static bool read_more(const struct opened *opened, char *bytes, size_t size, size_t *len, int *status)
{
    struct pollfd fds[] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .fd = opened->connection, .events = POLLIN } };
    ssize_t n;

    while (poll(fds, sizeof fds / sizeof fds[0], -1) < 0)
        ;
    *status = fds[1].revents != 0 ? EX_TEMPFAIL : EX_OK;
    if (fds[1].revents != 0)
        complain("the server has ended the connection");
    n = fds[1].revents == 0 ? read(STDIN_FILENO, bytes + *len, size - *len) : 0;
    if (n < 0 && errno != EINTR && errno != EAGAIN)
        *status = EX_IOERR;
    else if (n < 0)
        return true;
    *len += n > 0 ? (size_t)n : 0;
    return n > 0;
}

int serve(const struct source *source, const struct opened *opened, const struct answer *failure, unsigned ms)
{
    static char bytes[2 * SOCKETMAP_REQUEST];
    size_t len = 0, used;
    int status = EX_OK;
    bool asked = false, good = !is_replaced(opened); /* it is looked at for the first time */

    while (good) {
        struct slice key;
        enum netstring state = socketmap_read((struct slice){ bytes, len }, &key, &used);

        if (state == NETSTRING_BAD) {
            complain("what is on standard input is no request");
            return EX_PROTOCOL;
        }
        if (state == NETSTRING_MORE && read_more(opened, bytes, sizeof bytes, &len, &status))
            continue;
        if (state == NETSTRING_MORE)
            return failure != NULL ? EX_TEMPFAIL : status;
        if (!answer_misfit(key, &good))
            good = failure != NULL ? (void)send_reply(failure), false : answer_request(source, opened, key, ms, asked);
        asked = true;
        memmove(bytes, bytes + used, len - used);
        len -= used;
    }
    return EX_TEMPFAIL;
}
