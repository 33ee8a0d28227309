/* process.c - another program, started with just the descriptors that it is to have */
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

#ifndef LIBEXECDIR
#define LIBEXECDIR "/usr/local/libexec"
#endif

enum { LOOK_MS = 2 }; /* between two looks for a status */

static cpu_set_t cpus; /* all that this process may use; none: it is not pinned */

bool process_pin(void)
{
    int cpu = sched_getcpu();
    cpu_set_t one;

    if (cpu < 0 || cpu >= CPU_SETSIZE || sched_getaffinity(0, sizeof cpus, &cpus) != 0)
        return false;
    CPU_ZERO(&one);
    CPU_SET((size_t)cpu, &one);
    return sched_setaffinity(0, sizeof one, &one) == 0;
}

bool process_accompany(pid_t pid)
{
    cpu_set_t own;

    return CPU_COUNT(&cpus) > 0 && sched_getaffinity(0, sizeof own, &own) == 0 &&
           sched_setaffinity(pid, sizeof own, &own) == 0;
}

void process_unpin(pid_t pid)
{
    if (CPU_COUNT(&cpus) > 0)
        (void)sched_setaffinity(pid, sizeof cpus, &cpus); /* it may have ended */
}

static int add_descriptors(posix_spawn_file_actions_t *actions, const int fds[], size_t count)
{
    int error = 0;

    for (size_t i = 0; i < count && error == 0; i++)
        error = posix_spawn_file_actions_adddup2(actions, fds[i], (int)i);
    return error != 0 ? error : posix_spawn_file_actions_addclosefrom_np(actions, (int)count);
}

static int set_signals(posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    int error;

    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    (void)sigdelset(&all, SIGKILL);
    (void)sigdelset(&all, SIGSTOP);
    if ((error = posix_spawnattr_setsigmask(attributes, &none)) != 0 ||
        (error = posix_spawnattr_setsigdefault(attributes, &all)) != 0)
        return error;
    return posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

static int spawn(pid_t *pid, const char *program, char *const arguments[], char *const variables[], const int fds[],
                 size_t count)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int error = posix_spawn_file_actions_init(&actions);

    if (error != 0)
        return error;
    if ((error = posix_spawnattr_init(&attributes)) == 0) {
        if ((error = add_descriptors(&actions, fds, count)) == 0 && (error = set_signals(&attributes)) == 0)
            error = posix_spawn(pid, program, &actions, &attributes, arguments, variables);
        (void)posix_spawnattr_destroy(&attributes);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return error;
}

/* Copies what is to become another descriptor and must not be overwritten before its turn. Returns 0 or an error number. */
static int move_up(const int fds[], size_t count, int high[PROCESS_DESCRIPTORS], size_t *moved)
{
    int error = 0;

    for (*moved = 0; *moved < count && error == 0; (*moved)++) {
        int fd = fds[*moved];

        high[*moved] = fd >= (int)count ? fd : fcntl(fd, F_DUPFD_CLOEXEC, (int)count);
        error = high[*moved] < 0 ? errno : 0;
    }
    return error;
}

char **process_arguments(const struct program *program)
{
    size_t vector = (program->argument_count + 2) * sizeof(char *), size = vector + program->path.len + 1;
    char **arguments, *text;

    for (size_t i = 0; i < program->argument_count; i++)
        size += program->arguments[i].len + 1;
    arguments = calloc(1, size);
    if (arguments == NULL)
        return NULL;
    text = (char *)arguments + vector;
    for (size_t i = 0; i <= program->argument_count; i++) {
        struct slice word = i == 0 ? program->path : program->arguments[i - 1];

        arguments[i] = memcpy(text, word.text, word.len);
        text += word.len + 1;
    }
    return arguments;
}

void process_forget_arguments(char **arguments)
{
    const char *end = (const char *)arguments;

    for (size_t i = 0; arguments != NULL && arguments[i] != NULL; i++)
        end = arguments[i] + strlen(arguments[i]);
    if (arguments != NULL)
        explicit_bzero(arguments, (size_t)(end - (const char *)arguments));
    free(arguments);
}

int process_start(pid_t *pid, const char *program, char *const arguments[], char *const variables[], const int fds[],
                  size_t count)
{
    int high[PROCESS_DESCRIPTORS] = { 0 }, error;
    size_t moved;

    process_unpin(0);
    error = move_up(fds, count, high, &moved);
    if (error == 0)
        error = spawn(pid, program, arguments, variables, high, count);
    for (size_t i = 0; i < moved; i++)
        if (high[i] >= 0 && high[i] != fds[i])
            (void)close(high[i]); /* a copy */
    return error;
}

int process_become(const char *program, char *const arguments[], char *const variables[], const int fds[], size_t count)
{
    int high[PROCESS_DESCRIPTORS] = { 0 };
    size_t moved;

    process_unpin(0);
    (void)setsid(); /* fails for one that leads a group already */
    if (move_up(fds, count, high, &moved) != 0)
        return errno;
    for (size_t i = 0; i < count; i++)
        if (dup2(high[i], (int)i) < 0)
            return errno;
    if (close_range((unsigned)count, ~0U, 0) == 0)
        (void)execve(program, arguments, variables);
    return errno;
}

bool process_find(const char *name, char *path, size_t size)
{
    char self[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);

    if (len > 0) {
        self[len] = '\0';
        *strrchr(self, '/') = '\0'; /* the kernel's path is absolute */
        if ((size_t)snprintf(path, size, "%s/%s", self, name) < size && access(path, X_OK) == 0)
            return true;
    }
    return (size_t)snprintf(path, size, LIBEXECDIR "/%s", name) < size && access(path, X_OK) == 0;
}

void process_choose(struct slice chosen, const char *name, char *path, size_t size)
{
    if (chosen.len > 0)
        text_string(path, size, chosen);
    else
        (void)process_find(name, path, size);
}

/*
 * waitpid(2) for a while: 0 if there is no end then. Who is traced can have ended before its parent may have its status:
 * after the pidfd it is looked for again and again.
 */
static pid_t wait_a_while(pid_t pid, int *status)
{
    const uint64_t until = clock_ms() + PROCESS_REAP_MS;
    struct pollfd ended = { .fd = -1, .events = POLLIN };
    pid_t waited = waitpid(pid, status, WNOHANG);

    if (waited == 0)
        ended.fd = pidfd_open(pid, 0);
    while (waited == 0 && clock_left(until) > 0) {
        const bool known = ended.fd >= 0 && ended.revents == 0;

        (void)clock_poll(&ended, known ? 1 : 0, known ? until : clock_ms() + LOOK_MS, NULL); /* or a signal ends it */
        waited = waitpid(pid, status, WNOHANG);
    }
    if (ended.fd >= 0)
        (void)close(ended.fd);
    return waited;
}

struct process_end process_reap(pid_t pid)
{
    int status = 0;
    pid_t waited = wait_a_while(pid, &status);

    if (waited != pid)
        return (struct process_end){ .how = PROCESS_UNKNOWN, .number = waited == 0 ? ETIMEDOUT : errno };
    if (WIFEXITED(status))
        return (struct process_end){ .how = PROCESS_EXITED, .number = WEXITSTATUS(status) };
    return (struct process_end){ .how = PROCESS_KILLED, .number = WTERMSIG(status) };
}

/* Ends the group of a child that is still there: politely, then not. */
static void stop(pid_t pid, struct pollfd *ended)
{
    uint64_t until = clock_ms() + PROCESS_GRACE_MS;

    (void)kill(-pid, SIGTERM); /* it may be gone already; so below */
    while (ended->fd >= 0 && clock_left(until) > 0 && clock_poll(ended, 1, until, NULL) < 0 && errno == EINTR)
        continue;
    (void)kill(-pid, SIGKILL);
}

struct process_end process_wait(pid_t pid, uint64_t deadline)
{
    sigset_t waiting = clock_mask();
    struct pollfd ended = { .fd = pidfd_open(pid, 0), .events = POLLIN };
    bool in_time = ended.fd >= 0 && clock_poll(&ended, 1, deadline, &waiting) == 1;
    struct process_end end;

    if (!in_time)
        stop(pid, &ended);
    end = process_reap(pid);
    end.in_time = in_time;
    if (ended.fd >= 0)
        (void)close(ended.fd);
    return end;
}

const char *process_end_text(const struct process_end *end, char text[PROCESS_TEXT])
{
    switch (end->how) {
    case PROCESS_EXITED: (void)snprintf(text, PROCESS_TEXT, "exited with status %d", end->number); break;
    case PROCESS_KILLED: (void)snprintf(text, PROCESS_TEXT, "was killed by signal %d", end->number); break;
    case PROCESS_UNKNOWN:
        (void)snprintf(text, PROCESS_TEXT, "has an unknown status: %s",
                       end->number == ETIMEDOUT ? "it hangs in the kernel" : strerror(end->number));
        break;
    }
    return text;
}
