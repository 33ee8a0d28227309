/* probe.h - whether a user can read, write, execute or make a path: asked of the kernel, or read from modes */
#ifndef PROBE_H
#define PROBE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "admin/script.h"
#include "base/account.h"
#include "base/slice.h"

/* What is to be possible with a path. */
enum need {
    NEED_READ,
    NEED_EXECUTE,
    NEED_COMMAND, /* the same, and a name without a slash is looked for in the search path of commands */
    NEED_SOCKET,  /* to connect to the UNIX socket */
    NEED_MAILBOX, /* to read and write the file, or to make it */
    NEED_LOG,     /* to write it, or to make it */
    NEED_MAILDIR, /* to make files in the three directories, or to make them */
    NEED_SPOOL,   /* to make files in the directory */
    NEED_ABOVE    /* to look for what is in the directory, and is made there */
};

/* A question and its answer. */
struct question {
    enum need need;
    unsigned line;
    struct slice path;
    bool opened_before; /* by root, before it becomes the user: nothing to be answered */
    bool secret;        /* nobody else may read it, not even a group */
    int error;          /* why it is not possible; 0: it is */
    bool in_parent;     /* that is about the directory above, in which the path would have to be made */
    bool unknown;       /* nothing was found, but some of it could not be looked at */
    struct script script; /* of a program that may be executed */
};

/* Who is asked for. */
extern struct probe_who {
    enum { OURSELVES, BY_BECOMING, BY_MODES } how; /* BY_BECOMING: probe_answer is to be called as that user */
    struct account account;
} probe_who;

/* Sets who is asked for, by name; false: there is no such user. */
bool probe_user(const char *name);

/* Answers the questions, as whom we are; reads modes, where we cannot become the user. */
void probe_answer(struct question *questions, size_t count);

/* The path of a question, of a maildir without slashes at its end, of which no parent can be told. False if it is cut. */
bool probe_path(const struct question *q, char path[PATH_MAX]);

/* The path above: of the same memory, which is changed. */
const char *probe_parent(char *path);

#endif
