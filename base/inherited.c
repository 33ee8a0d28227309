/* inherited.c - what a program finds when it is started, and must not depend on */
/*
 * What survives execve(2), and what is done about it:
 *
 * Set by inherited_reset:
 *   dispositions   an ignored SIGCHLD takes the status of each child away, others make helpers immortal
 *   mask           with SIGALRM blocked no wait for a lock ends
 *   pending        a blocked signal that waits would end us as soon as it is let in
 *   timers         of setitimer(2): the SIGALRM of somebody else would end a session or a delivery
 *   death signal   PR_SET_PDEATHSIG: a thread of the super-server that ends would take a delivery with it
 *   umask          077: what is made is for its owner, unless its mode is set
 *   core           none: it would hold other people's mail
 * Set elsewhere:
 *   descriptors    0 to 2 are there (mailrecv.c), 2 is not the client's (inherited_spare_client), others are closed in service (inherited_close), and never
 *                  handed on (process.c)
 *   environment    commands and helpers get one of our making (environment.c, auth.c, starttls.c). We read
 *                  TCPREMOTEIP and its family, NO_COLOR; the C library TZ, for the log; c-ares RES_OPTIONS, LOCALDOMAIN
 *   capabilities   and securebits such as NO_SETUID_FIXUP: given up with the change of user (account.c)
 * Left as it is, for it is the administrator's will, and whatever fails because of it is a temporary failure:
 *   limits         of files (SIGXFSZ is ignored: EFBIG), descriptors, processes, memory, time; commands inherit them
 *   nice value, scheduling policy, I/O priority, CPUs (process_pin gives them back), OOM score, timer slack
 *   directory      relative paths of the command line and of the configuration count from it; commands start in it
 *   no_new_privs, seccomp filters, namespaces, cgroup, root directory, personality, keyrings
 *   O_NONBLOCK     of standard input: every read and write there stands behind a poll, and EAGAIN means to wait
 *   options        of the socket, as SO_LINGER
 */
#include "base/inherited.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

static sigset_t ignored; /* before */

/*
 * To ignore a pending signal is to drop it. But SIGCHLD stays: it is dropped when it is let in, and whichever child of a
 * listener that was executed anew (renewal.h) ended while it is ignored would never be heard of.
 */
static void drop_pending(const sigset_t *blocked)
{
    const struct sigaction ignore = { .sa_handler = SIG_IGN }, standard = { .sa_handler = SIG_DFL };
    sigset_t pending;

    (void)sigpending(&pending); /* cannot fail */
    for (int i = 1; i <= SIGRTMAX; i++)
        if (i != SIGCHLD && sigismember(blocked, i) == 0 && sigismember(&pending, i) == 1) {
            (void)sigaction(i, &ignore, NULL); /* fails for none that can be pending here */
            (void)sigaction(i, &standard, NULL);
        }
}

/* Real-time signals mean nothing to us, and process.c resets those of other programs, too. */
static void reset_dispositions(void)
{
    const struct sigaction standard = { .sa_handler = SIG_DFL };
    struct sigaction before;

    (void)sigemptyset(&ignored);
    for (int i = 1; i <= SIGSYS; i++)
        if (i != SIGKILL && i != SIGSTOP && sigaction(i, &standard, &before) == 0 && before.sa_handler == SIG_IGN)
            (void)sigaddset(&ignored, i);
}

static bool stop_timers(void)
{
    static const struct itimerval off; /* all zeros */

    return setitimer(ITIMER_REAL, &off, NULL) == 0 && setitimer(ITIMER_VIRTUAL, &off, NULL) == 0 &&
           setitimer(ITIMER_PROF, &off, NULL) == 0;
}

bool inherited_reset(const sigset_t *blocked)
{
    const struct rlimit none = { 0, 0 };
    bool stopped = stop_timers(), done; /* first, so that none expires behind the look at what is pending */

    drop_pending(blocked);
    reset_dispositions();
    done = sigprocmask(SIG_SETMASK, blocked, NULL) == 0 && prctl(PR_SET_PDEATHSIG, 0) == 0 &&
           setrlimit(RLIMIT_CORE, &none) == 0;
    (void)umask(S_IRWXG | S_IRWXO);
    return stopped && done;
}

bool inherited_was_ignored(int signal)
{
    return sigismember(&ignored, signal) == 1;
}

static bool is_client(int fd, const struct stat *error)
{
    struct stat status;

    return fstat(fd, &status) == 0 && status.st_dev == error->st_dev && status.st_ino == error->st_ino;
}

bool inherited_spare_client(void)
{
    struct stat error;
    bool done;
    int nothing;

    if (fstat(STDERR_FILENO, &error) != 0 || !(S_ISSOCK(error.st_mode) || S_ISFIFO(error.st_mode)) ||
        !(is_client(STDIN_FILENO, &error) || is_client(STDOUT_FILENO, &error)))
        return true;
    nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    done = nothing >= 0 && dup2(nothing, STDERR_FILENO) == STDERR_FILENO;
    if (nothing >= 0)
        (void)close(nothing);
    return done;
}

void inherited_close(void)
{
    (void)close_range(STDERR_FILENO + 1, ~0U, 0); /* without that system call they stay open, as before */
}
