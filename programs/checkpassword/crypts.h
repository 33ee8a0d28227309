/* crypts.h - hashes of passwords: the methods of libcrypt, making and testing */
#ifndef CRYPTS_H
#define CRYPTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

/* Bytes of a hash or a setting with its NUL: CRYPT_OUTPUT_SIZE of libcrypt. */
enum { CRYPTS_SIZE = 384 };

/* A method of libcrypt. */
struct method {
    struct slice prefix; /* of its hashes; empty for DES */
    const char *name;
    size_t tail;         /* bytes of a hash behind its last "$"; a hash with fewer is not complete */
    unsigned long cost;  /* for new hashes; 0: libcrypt's own choice, which is too little for some methods */
    bool weak;           /* warn about it, and make no new ones */
};

/* What crypts_copy returns for a hash that says that nobody can log in: compared as a pointer. */
extern const char crypts_locked[];

/* Which method a hash is of; NULL when libcrypt knows none. */
const struct method *crypts_method(const char *hash);

/* The method whose name begins with `word` (of -m), for new hashes; NULL: libcrypt's choice. Exits if there is none, or several. */
const struct method *crypts_choose(const char *word);

/* Copies a hash out of the users file, because libcrypt needs a terminator. Returns what is wrong with it, or NULL. */
const char *crypts_copy(char out[CRYPTS_SIZE], struct slice hash);

/* A setting for a new hash of a method, with a new salt; NULL: libcrypt's choice. False with errno set. */
bool crypts_setting(char out[CRYPTS_SIZE], const struct method *method);

/* The hash of a password by a setting, which may be a hash. NULL with errno set. Lives until the next call or crypts_wipe. */
const char *crypts_hash(const char *password, const char *setting);

/* Wipes what libcrypt keeps of the last password. */
void crypts_wipe(void);

#endif
