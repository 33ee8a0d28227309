/* sandbox.h - what the session process can no longer do (Landlock, seccomp, limits) */
#ifndef SANDBOX_H
#define SANDBOX_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Which parts of the sandbox this kernel lacks: "" if it has all, else their names, separated by
 * blanks. The text is static.
 */
const char *sandbox_missing(void);

enum sandbox_role {
    SANDBOX_SESSION,  /* talks to the client and to the monitor, writes a file that may be handed over */
    SANDBOX_TLS,      /* passes bytes on, with OpenSSL loaded: needs memory and random numbers besides */
    SANDBOX_RESOLVER, /* asks the DNS by sockets that are connected already, with c-ares loaded */
    SANDBOX_ANSWER,   /* writes one answer and ends: needs memory to find it */
    SANDBOX_FILE_TABLE,  /* answers from a file that is open, and from those beside it that can be read */
    SANDBOX_SERVER_TABLE /* answers by a server that it is connected to already */
};

/*
 * Gives up, for good, everything but what the role needs of reading and writing the descriptors
 * that are open, waiting, memory and the clock: no capabilities and no new privileges, no core, not
 * dumpable, Landlock without any right, files of at most file_size bytes, and a seccomp filter
 * that kills the process at any other system call. What the kernel lacks is left out. Returns
 * false with errno set when something that it has does not work.
 */
bool sandbox_enter(enum sandbox_role role, uint64_t file_size);

/* The same, but what is below an open directory may be read if the role opens files at all; -1: nothing. */
bool sandbox_enter_reading(enum sandbox_role role, uint64_t file_size, int directory);

#endif
