/* users_check.h - what is wrong or doubtful in a users file (-t) */
#ifndef USERS_CHECK_H
#define USERS_CHECK_H

/*
 * Checks the users file of that descriptor, or of that name when it is negative (users.h), and prints each problem to
 * standard output as a line that begins with "error: " or "warning: ", and at the end one with "note: ". Returns the exit
 * status.
 */
int users_check(const char *file, int fd);

#endif
