/* process.h - another program, started with just the descriptors that it is to have */
#ifndef PROCESS_H
#define PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { PROCESS_DESCRIPTORS = 8 };

/*
 * From here on this process, and those that it forks, stay on the CPU that they are on: two that wait for each
 * other by turns then do not have to wake another CPU each time, which takes a fifteenth off a session of two
 * milliseconds. It is for moments only: processes that go on for longer would crowd one CPU while others idle.
 * False where it is not possible; then nothing has changed.
 */
bool process_pin(void);

/* Lets a process (0: this one) go where it could go before process_pin. */
void process_unpin(pid_t pid);

/*
 * Starts a program, which may go to any CPU, and so may this process then: fds[i] becomes its
 * descriptor i, for `count` of them (at most PROCESS_DESCRIPTORS), and it has no others. It leads a
 * session and a process group of its own; its signals are as after boot: none ignored, none blocked.
 * Returns 0 and the process in `pid`, or an error number.
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
