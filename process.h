/* process.h - another program, started with just the descriptors that it is to have */
#ifndef PROCESS_H
#define PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { PROCESS_DESCRIPTORS = 8 };

/*
 * Starts a program: fds[i] becomes its descriptor i, for `count` of them (at most
 * PROCESS_DESCRIPTORS), and it has no others. It leads a session and a process group of its own; its
 * signals are as after boot: none ignored, none blocked. Returns 0 and the process in `pid`, or an
 * error number.
 */
int process_start(pid_t *pid, const char *program, char *const arguments[], char *const variables[], const int fds[],
                  size_t count);

/*
 * The path of a program of ours: beside the running one, or else in LIBEXECDIR. Writes at most
 * `size` bytes; false if it is in neither place (`path` then names the latter).
 */
bool process_find(const char *name, char *path, size_t size);

/* Waits until `pid`, a child, ends or the deadline (clock.h) or SIGTERM comes; then kills its group.
 * Returns its status as waitpid(2) does; `timely` says whether it has ended by itself. */
int process_wait(pid_t pid, uint64_t deadline, bool *timely);

#endif
