/* process.c - another program, started with just the descriptors that it is to have */
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cold.h"
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

/* What a new process has to do before it is the program. */
struct start {
    const char *program;
    char *const *arguments, *const *variables;
    size_t count;
    pid_t parent;                /* with which it dies; 0: it does not */
    int fds[PROCESS_DESCRIPTORS]; /* what is to be its first descriptors: none of them is that by chance */
    int error;
};

/* The new process, which has the memory of its parent until it is the program, or has ended. */
static int become(void *context)
{
    const struct sigaction usual = { .sa_handler = SIG_DFL };
    struct start *s = context;
    sigset_t none;
    bool done = setsid() >= 0;

    if (s->parent != 0) /* the parent may have died before the kernel was told */
        done = done && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == s->parent;
    for (int i = 1; i < NSIG; i++)
        (void)sigaction(i, &usual, NULL); /* fails for those that are always as usual */
    for (size_t i = 0; i < s->count && done; i++)
        done = dup2(s->fds[i], (int)i) == (int)i;
    (void)sigemptyset(&none);
    if (done && close_range((unsigned)s->count, ~0U, 0) == 0 && sigprocmask(SIG_SETMASK, &none, NULL) == 0)
        (void)execve(s->program, s->arguments, s->variables);
    s->error = errno;
    _exit(EX_OSERR);
}

/* As vfork(2), but on a stack of its own, and without a signal that the new process would handle for us. */
static int spawn(pid_t *pid, struct start *start)
{
    static char stack[32768] COLD_BSS;
    sigset_t all, before;

    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, &before); /* cannot fail with these arguments */
    *pid = clone(become, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, start);
    if (*pid < 0)
        start->error = errno;
    else if (start->error != 0)
        (void)process_reap(*pid); /* it has ended: how does not matter */
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    return start->error;
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

static int start_program(pid_t *pid, struct start *start, const int fds[])
{
    size_t moved;
    int error;

    process_unpin(0);
    error = move_up(fds, start->count, start->fds, &moved);
    if (error == 0)
        error = spawn(pid, start);
    for (size_t i = 0; i < moved; i++)
        if (start->fds[i] >= 0 && start->fds[i] != fds[i])
            (void)close(start->fds[i]); /* a copy */
    return error;
}

int process_start(pid_t *pid, const char *program, char *const arguments[], char *const variables[], const int fds[],
                  size_t count)
{
    return start_program(pid, &(struct start){ program, arguments, variables, count, .parent = 0 }, fds);
}

int process_start_mortal(pid_t *pid, const char *program, char *const arguments[], char *const variables[],
                         const int fds[], size_t count)
{
    return start_program(pid, &(struct start){ program, arguments, variables, count, .parent = getpid() }, fds);
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
