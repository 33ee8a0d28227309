/* verdict.h - what became of the message: an exit status, and a line that the sender may read */
#ifndef VERDICT_H
#define VERDICT_H

#define PROGRAM "mailrecv-publish"

enum verdict {
    CONFIRMED,
    /* The message is not with this broker, and another one may be asked. */
    UNREACHABLE,
    LOCKED_OUT,
    NOT_NOW,
    /* There is no point, or no right, in asking another one: perhaps this one has the message. */
    UNROUTED,
    NOT_TAKEN,
    UNCONFIRMED,
    LATE,
    UNREADABLE,
    UNPREPARED,
    TOO_LARGE,
    NOWHERE,
    FORBIDDEN
};

/* As in sysexits.h, for a command line that is wrong. */
enum { MISUSE = 64 };

/* Writes the line of the verdict, which names no host and nothing that the broker has said; returns its status. */
int verdict_tell(enum verdict verdict);

/* Writes a line for the log, with host and reason: the sender does not hear it, since the line of a verdict follows. */
void verdict_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What was noted last, without the name of the program; empty: nothing. Lives until the next note. */
const char *verdict_last_note(void);

/* Says what is wrong with the command line, and ends. */
void verdict_misuse(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* In so many seconds the verdict is LATE, whatever is being waited for then. */
void verdict_within(unsigned seconds);

#endif
