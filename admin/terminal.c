/* terminal.c - a session that a person types: a prompt, and the log lines beneath each command */
/*
 * The dialogue reads from a pipe and knows nothing of this. Whenever it wants more, its
 * replies are on the screen; then the next line is prompted for and put into the pipe. The
 * session must be one process with its monitor: else log lines would come when they like.
 */
#include "admin/terminal.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

#define PROMPT "mailrecv> "

enum { TYPED_LINE = 4096 }; /* what a terminal gives at once (termios(3)) */

static int keyboard; /* the pipe's end to be written into */

/* For a while only, as a client would be waited for; line.c finds out by itself when the time is up. */
static bool wait_for_line(const struct line_io *io)
{
    struct pollfd typed = { .fd = STDIN_FILENO, .events = POLLIN };
    sigset_t waiting = clock_mask();

    return clock_poll(&typed, 1, clock_earlier(io->deadline, clock_ms() + io->idle_ms), &waiting) > 0;
}

static void prompt(struct line_io *io)
{
    char line[TYPED_LINE + 2];
    size_t len;
    ssize_t n;

    (void)dprintf(STDERR_FILENO, "%s", PROMPT); /* the session goes on without it */
    if (!wait_for_line(io))
        return;
    n = read(STDIN_FILENO, line, TYPED_LINE);
    if (n <= 0) {
        (void)dprintf(STDERR_FILENO, "\n"); /* Ctrl-D leaves the cursor behind the prompt */
        (void)close(keyboard);
        return;
    }
    len = (size_t)n;
    if (line[len - 1] == '\n') {
        line[len - 1] = '\r';
        line[len++] = '\n';
    }
    if (write(keyboard, line, len) != (ssize_t)len) /* one line into an empty pipe */
        (void)close(keyboard);
}

bool terminal_begin(struct line_io *io)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    keyboard = ends[1];
    io->in = ends[0];
    io->before_wait = prompt;
    return true;
}

void terminal_log(int level, const char *event)
{
    (void)level;
    (void)dprintf(STDERR_FILENO, "    %s\n", event); /* who reads it is in front of it */
}
