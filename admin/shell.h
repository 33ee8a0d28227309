/* shell.h - the commands of a shell's text, and what becomes of their statuses; pure */
#ifndef SHELL_H
#define SHELL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

enum { SHELL_WORDS = 48 }; /* of a command that are looked at */

/* One command, with what is around it. */
struct shell_command {
    struct slice words[SHELL_WORDS]; /* without quotes around all of one, and with the values of variables */
    struct slice raw[SHELL_WORDS];   /* as each of them stands there */
    size_t count;
    struct slice fed_by; /* the name of the command whose output it reads; { for a compound one */
    bool to_file;     /* its output is redirected to a file */
    bool piped;       /* its output goes to another command, and nobody asks for its status */
    bool substituted; /* its output stands in $( ) or ` ` */
    bool judged;      /* its status is a condition, or what it says goes to grep */
    bool decides;     /* its status may be that of all */
    bool background;  /* nobody waits for it */
    bool function;    /* it calls one of the text, whose commands are told as well */
    bool open;        /* some of its words are not known: "$@", or a variable that may be several words */
};

/* How a text can end. */
enum shell_end {
    SHELL_UNKNOWN,   /* it is not understood, or its status is whatever its commands' is */
    SHELL_ALWAYS_0   /* whatever its commands exit with */
};

typedef void shell_found(void *context, const struct shell_command *command);

/*
 * Calls `found` for each simple command (POSIX 2.9.1) in the order of the text. Assignments before it, redirections,
 * reserved words, comments and here-documents are left out; what is in $( ), ` ` and ( ) is read, and what is in
 * quotes, here-documents, traps and files that are sourced is not. Functions are followed: what is around a call is
 * around the commands in it, and a function that is not called has none. Of a text that is not understood, or has more
 * than 256 functions or variables, nothing is said.
 */
enum shell_end shell_each(struct slice text, shell_found *found, void *context);

#endif
