/* answer.h - whether a password is right */
#ifndef ANSWER_H
#define ANSWER_H

enum { QUESTION_FD = 3 };

/*
 * The checkpassword interface of D. J. Bernstein: reads name, password and timestamp from QUESTION_FD, each with a NUL
 * behind it, and looks them up in the users file (users.h). Runs the program, if there is one, when the password is
 * right. Returns the exit status.
 */
int answer_question(const char *file, int fd, char **program);

#endif
