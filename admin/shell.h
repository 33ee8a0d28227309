/* shell.h - the commands of a shell's text, as far as they are plain to see; pure */
#ifndef SHELL_H
#define SHELL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

enum { SHELL_WORDS = 48 }; /* of a command that are looked at */

/* One command, with what is around it. */
struct shell_command {
    struct slice words[SHELL_WORDS]; /* as they stand there, but for quotes around all of one */
    size_t count;
    bool to_file;     /* its output is redirected to a file */
    bool piped;       /* its output goes to another command */
    bool substituted; /* its output stands in $( ) or ` ` */
    bool guarded;     /* somebody looks at its status: ||, if, while, until, ! or $? */
    bool judged;      /* its list is a condition, or what it says goes to grep */
    bool decides;     /* else its status may be that of all */
};

/*
 * Calls `found` for each simple command (POSIX 2.9.1) in the order of their ends. Assignments before it, redirections,
 * reserved words, comments and here-documents are left out; what is in $( ), ` ` and ( ) is read, and what is in
 * quotes, expansions and functions that are called is not. What cannot be read so is passed over.
 */
void shell_each(struct slice text, void (*found)(void *context, const struct shell_command *command), void *context);

#endif
