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

/*
 * Gives up, for good, everything but reading and writing the descriptors that are open (and one
 * file that may be handed over), waiting, and the clock: no new privileges, no core, not
 * dumpable, Landlock without any right, files of at most file_size bytes, and a seccomp filter
 * that kills the process at any other system call. What the kernel lacks is left out. Returns
 * false with errno set when something that it has does not work.
 */
bool sandbox_enter(uint64_t file_size);

#endif
