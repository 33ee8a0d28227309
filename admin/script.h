/* script.h - whether a program that may be executed can be: the #! line of a script, and what that names */
#ifndef SCRIPT_H
#define SCRIPT_H

#include <stdbool.h>
#include <stddef.h>

/* What the kernel reads of a file to find out how it is executed (execve(2), "Interpreter scripts"). */
enum { SCRIPT_LINE = 256 };

enum script_fault {
    SCRIPT_FINE,
    SCRIPT_CR,         /* the line ends in CR LF */
    SCRIPT_EMPTY,      /* it names nothing */
    SCRIPT_LONG,       /* the name does not end within what the kernel reads */
    SCRIPT_RELATIVE,   /* `name` is no full path */
    SCRIPT_CANNOT,     /* `name` cannot be executed, for the reason `error` */
    SCRIPT_ENV_EMPTY,  /* env(1) is given no program, and would start the script again */
    SCRIPT_ENV_BLANKS, /* env(1) takes all of `name` for one word */
    SCRIPT_ENV_CANNOT, /* env(1) does not find `name`, or cannot execute it */
    SCRIPT_NEITHER     /* there is no such line, and it is no other program */
};

struct script {
    enum script_fault fault;
    int error;
    char name[SCRIPT_LINE]; /* "" where nothing is named */
};

/*
 * Looks at the file of a program, and at the interpreters that it leads to. A file that cannot be read is fine: of that
 * nothing is known. `by_shell`: a shell executes it, which takes a file without #! for a script of its own. `test` says
 * whether a program can be executed, of which only names without a slash are looked for in the search path: 0 or an
 * error number.
 */
void script_check(struct script *script, const char *path, bool by_shell, int (*test)(const char *name));

/* What is wrong, for a person, encoded as in the log; "" if nothing is. */
void script_explain(const struct script *script, char *out, size_t size);

/* What to do about it with the script of this path. */
void script_advise(const struct script *script, const char *path, char *out, size_t size);

#endif
