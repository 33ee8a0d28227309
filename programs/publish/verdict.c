/* verdict.c - what became of the message: an exit status, and a line that the sender may read */
#include "programs/publish/verdict.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/slice.h"

static const struct {
    int status; /* mailrecv refuses for good with 65, 67 and 77 */
    struct slice line;
} verdicts[] = {
    [CONFIRMED] = { EX_OK, SLICE("") },
    [UNREACHABLE] = { EX_TEMPFAIL, SLICE("The message broker cannot be reached\n") },
    [LOCKED_OUT] = { EX_TEMPFAIL, SLICE("The message broker has refused the login\n") },
    [NOT_NOW] = { EX_TEMPFAIL, SLICE("The message broker takes no messages at present\n") },
    [UNROUTED] = { EX_TEMPFAIL, SLICE("The message broker has no queue or stream that would keep the message\n") },
    [NOT_TAKEN] = { EX_TEMPFAIL, SLICE("The message broker has not taken the message; perhaps a queue is full\n") },
    [UNCONFIRMED] = { EX_TEMPFAIL, SLICE("The message broker has not confirmed the message\n") },
    [LATE] = { EX_TEMPFAIL, SLICE("The message broker has not confirmed the message in time\n") },
    [UNREADABLE] = { EX_TEMPFAIL, SLICE("The message cannot be read\n") },
    [UNPREPARED] = { EX_TEMPFAIL, SLICE("The message broker cannot be asked\n") },
    [TOO_LARGE] = { EX_DATAERR, SLICE("The message is too large for the message broker\n") },
    [NOWHERE] = { EX_NOUSER, SLICE("The message broker knows no such exchange\n") },
    [FORBIDDEN] = { EX_NOPERM, SLICE("The message broker does not permit the message\n") },
};

/* Also called by a handler of a signal. */
int verdict_tell(enum verdict verdict)
{
    (void)!write(STDERR_FILENO, verdicts[verdict].line.text, verdicts[verdict].line.len); /* the status says it, too */
    return verdicts[verdict].status;
}

static char note[1024];

/* What a broker has said stays one line. */
__attribute__((format(printf, 1, 0))) static void put(const char *format, va_list args)
{
    (void)vsnprintf(note, sizeof note, format, args); /* cut when too long */
    for (char *c = note; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == '\x7f')
            *c = ' ';
    fprintf(stderr, PROGRAM ": %s\n", note);
}

const char *verdict_last_note(void)
{
    return note;
}

void verdict_note(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    put(format, args);
    va_end(args);
}

void verdict_misuse(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    put(format, args);
    va_end(args);
    fputs("see " PROGRAM " -h\n", stderr);
    exit(MISUSE);
}

static void too_late(int signal)
{
    (void)signal;
    _exit(verdict_tell(LATE));
}

void verdict_within(unsigned seconds)
{
    const struct sigaction action = { .sa_handler = too_late };

    (void)sigaction(SIGALRM, &action, NULL); /* cannot fail: there is this signal */
    (void)alarm(seconds);
}
