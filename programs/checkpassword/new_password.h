/* new_password.h - a line for the users file, with the hash of a password that is asked for (-p) */
#ifndef NEW_PASSWORD_H
#define NEW_PASSWORD_H

/*
 * Asks for a password, on the terminal twice and without showing it, or reads it as a line of standard input. Prints
 * NAME:HASH, or only the hash when `name` is NULL. `method_word` begins the name of the method; NULL: libcrypt's choice.
 * Returns the exit status.
 */
int new_password(const char *method_word, const char *name);

#endif
