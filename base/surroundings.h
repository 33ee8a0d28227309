/* surroundings.h - what every program is told that we start for a session: the search path, and who we are */
#ifndef SURROUNDINGS_H
#define SURROUNDINGS_H

#include <stddef.h>

/* The search path of commands; nothing is inherited. */
#define ENVIRONMENT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

enum {
    SURROUNDINGS_MOST = 16,     /* variables */
    SURROUNDINGS_TEXT = 32768   /* bytes of all of them */
};

struct surroundings {
    char *variables[SURROUNDINGS_MOST + 1]; /* for execve(2): ends with NULL */
    size_t count, used;
    char text[SURROUNDINGS_TEXT];
};

/*
 * PATH, and what login(1) sets, of the user that we are and the program will be: HOME, USER, LOGNAME, SHELL. Who has no entry there
 * is called by number. Returns 0, E2BIG, or an error number when it cannot be told who we are (account.h).
 */
int surroundings_make(struct surroundings *surroundings);

/* Adds these variables, as far as we have them ourselves; the list ends with NULL. Returns 0 or E2BIG. */
int surroundings_inherit(struct surroundings *surroundings, const char *const *names);

#endif
