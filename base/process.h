/* process.h - another program, started with just the descriptors that it is to have */
#ifndef PROCESS_H
#define PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/slice.h"

enum { PROCESS_DESCRIPTORS = 9 };

/* A program of the configuration, with its arguments. */
struct program {
    struct slice path; /* empty: there is none */
    struct slice *arguments;
    size_t argument_count;
};

/* The arguments for process_start: a vector with its strings. NULL without memory. What is forgotten is in no process that is forked. */
char **process_arguments(const struct program *program);
void process_forget_arguments(char **arguments);

/*
 * From here on this process, and those that it forks, stay on the CPU that they are on: two that wait for each
 * other by turns then do not have to wake another CPU each time, which takes a fifteenth off a session of two
 * milliseconds. It is for moments only: processes that go on for longer would crowd one CPU while others idle.
 * False where it is not possible; then nothing has changed.
 */
bool process_pin(void);

/* Has another process stay where this one is, which is pinned. False if it is not, or that is not possible. */
bool process_accompany(pid_t pid);

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
 * The same, but the program dies with this process, however that ends. What it has started itself does not. (Nor does a
 * program that is setuid, setgid or has capabilities.)
 */
int process_start_mortal(pid_t *pid, const char *program, char *const arguments[], char *const variables[],
                         const int fds[], size_t count);

/*
 * The same as process_start in place of this process, which keeps its signals. Returns only if that fails, an error
 * number.
 */
int process_become(const char *program, char *const arguments[], char *const variables[], const int fds[], size_t count);

/*
 * The path of a program of ours: beside the running one, or else in LIBEXECDIR. Writes at most
 * `size` bytes; false if it is in neither place (`path` then names the latter).
 */
bool process_find(const char *name, char *path, size_t size);

/*
 * The path that the configuration has chosen, or where it has not, that of process_find. What is not there fails when
 * it is started.
 */
void process_choose(struct slice chosen, const char *name, char *path, size_t size);

/* How a child has ended. Zeroed it is PROCESS_UNKNOWN, which is neither yes nor no. */
struct process_end {
    enum { PROCESS_UNKNOWN, PROCESS_EXITED, PROCESS_KILLED } how;
    int number;   /* the exit status, the signal, or the error number of waitpid(2): ETIMEDOUT if there is no end */
    bool in_time; /* of process_wait: nobody had to end it */
};

enum {
    PROCESS_GRACE_MS = 2000, /* between SIGTERM, by which a process is asked to end, and SIGKILL: its status counts until then */
    PROCESS_REAP_MS = 3000   /* what has ended or was killed, and is not gone then, hangs in the kernel */
};

/* Takes the status of a child that has ended or was killed, waiting for PROCESS_REAP_MS at most; `in_time` is false. */
struct process_end process_reap(pid_t pid);

/*
 * Waits until a child ends, or the deadline (clock.h) or SIGTERM comes: then its group, which it leads, is asked
 * to end, and killed at last. It may have exited with a status then, too, which says what it has done.
 */
struct process_end process_wait(pid_t pid, uint64_t deadline);

/* Has it exited with this status, for certain? */
static inline bool process_exited(const struct process_end *end, int status)
{
    return end->how == PROCESS_EXITED && end->number == status;
}

/* How it has ended, for the log: "exited with status 1", "was killed by signal 9", "has an unknown status: ...". */
enum { PROCESS_TEXT = 128 };
const char *process_end_text(const struct process_end *end, char text[PROCESS_TEXT]);

#endif
