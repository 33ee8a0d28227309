/* resolver_process.c - the process that reads what the DNS answers, and repeats what it does not answer */
/*
 * c-ares sends the questions, repeats them, goes on to other servers and to TCP, and sees that an answer comes
 * from where it was asked for, with the id and the question that were sent. What the answer says
 * is read by wire.c. The first questions leave before the fork, and their answers are under way while the child
 * is made and confined: no byte of the network is read before that. From then on its sockets, but for a spare one, come
 * from the parent, which connects them to the servers that it knows, so that nobody else can be reached.
 */
#include "dns/resolving.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cold.h"
#include "base/library.h"
#include "base/sandbox.h"

enum { CLASS_IN = 1 };

struct resolving resolving;

static struct {
    void *memory;
    size_t size;
} hidden[RESOLVER_HIDDEN];

/* ---- the library ------------------------------------------------------------------------- */

/* All that is used of it. */
struct resolving_ares resolving_ares;

static const struct library_function functions[] = {
    LIBRARY_FUNCTION(resolving_ares.library_init, ares_library_init_mem),
    LIBRARY_FUNCTION(resolving_ares.init_options, ares_init_options),
    LIBRARY_FUNCTION(resolving_ares.set_servers, ares_set_servers_ports_csv),
    LIBRARY_FUNCTION(resolving_ares.get_servers, ares_get_servers_ports),
    LIBRARY_FUNCTION(resolving_ares.set_socket_functions, ares_set_socket_functions),
    LIBRARY_FUNCTION(resolving_ares.query, ares_query),
    LIBRARY_FUNCTION(resolving_ares.getsock, ares_getsock),
    LIBRARY_FUNCTION(resolving_ares.timeout, ares_timeout),
    LIBRARY_FUNCTION(resolving_ares.process_fd, ares_process_fd),
    LIBRARY_FUNCTION(resolving_ares.free_data, ares_free_data),
    LIBRARY_FUNCTION(resolving_ares.destroy, ares_destroy),
    LIBRARY_FUNCTION(resolving_ares.strerror, ares_strerror),
};

/* ---- questions --------------------------------------------------------------------------- */

/*
 * c-ares has an answer, or none. What it calls no name and no data is for wire.c to see. The parent
 * meets only with questions that could not be sent.
 */
static void on_answer(void *argument, int status, int timeouts, unsigned char *bytes, int len)
{
    static const char *const words[] = { "found", "none", "no usable answer" };
    static struct answer answer COLD_BSS;
    struct question *q = argument;
    bool answered = status == ARES_SUCCESS || status == ARES_ENODATA || status == ARES_ENOTFOUND;

    (void)timeouts;
    q->status = status;
    q->state = resolving.channel > 0 || status == ARES_EDESTRUCTION ? FREE : REFUSED;
    if (resolving.channel == 0)
        return;
    answer.status = ANSWER_UNSURE;
    answer.null_mx = false;
    if (answered && bytes != NULL && len > 0)
        wire_read(bytes, (size_t)len, q->type, q->name, &answer);
    resolving_tell_answer(q, &answer, answered ? words[answer.status] : resolving_ares.strerror(status));
}

static void ask(struct question *q)
{
    q->state = ASKED;
    resolving_ares.query(resolving.ares, q->name, CLASS_IN, (int)q->type, on_answer, q);
}

/* While one is asked others may be told of. */
static void ask_questions(void)
{
    for (size_t i = 0; i < RESOLVER_QUESTIONS; i++)
        if (resolving_own->questions[i].state == TOLD)
            ask(&resolving_own->questions[i]);
}

/* What could not be sent before. */
static void tell_refused(void)
{
    for (size_t i = 0; i < RESOLVER_QUESTIONS; i++)
        if (resolving_own->questions[i].state == REFUSED)
            on_answer(&resolving_own->questions[i], resolving_own->questions[i].status, 0, NULL, 0);
}

/* The sockets that c-ares has, and what it waits for on each. */
static nfds_t list_sockets(struct pollfd *fds, ares_socket_t numbers[SOCKETS])
{
    ares_socket_t all[SOCKETS];
    unsigned wanted = (unsigned)resolving_ares.getsock(resolving.ares, all, SOCKETS);
    nfds_t count = 0;

    for (unsigned i = 0; i < SOCKETS; i++) {
        /* as ARES_GETSOCK_READABLE and _WRITABLE, which shift a bit into the sign of an int */
        bool readable = (wanted >> i & 1) != 0, writable = (wanted >> (i + SOCKETS) & 1) != 0;

        if (!readable && !writable)
            continue;
        fds[count] = (struct pollfd){ .fd = resolving.sockets[all[i]].fd,
                                      .events = (short)((readable ? POLLIN : 0) | (writable ? POLLOUT : 0)) };
        numbers[count++] = all[i];
    }
    return count;
}

/* Lets c-ares do what there is to do on these sockets, or, if it is on none, what it does when time has passed. */
static void process(const struct pollfd *fds, const ares_socket_t *numbers, nfds_t count)
{
    for (nfds_t i = 0; i < count; i++) {
        bool readable = (fds[i].revents & (POLLIN | POLLERR | POLLHUP)) != 0;
        bool writable = (fds[i].revents & (POLLOUT | POLLERR | POLLHUP)) != 0 && (fds[i].events & POLLOUT) != 0;

        if (readable || writable)
            resolving_ares.process_fd(resolving.ares, readable ? numbers[i] : ARES_SOCKET_BAD,
                            writable ? numbers[i] : ARES_SOCKET_BAD);
    }
    resolving_ares.process_fd(resolving.ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static void __attribute__((noreturn)) serve(void)
{
    for (;;) {
        struct pollfd fds[1 + SOCKETS];
        ares_socket_t numbers[SOCKETS];
        nfds_t count = list_sockets(fds + 1, numbers);
        struct timeval left = { 0, 0 };
        struct timespec until;
        bool timed = resolving_ares.timeout(resolving.ares, NULL, &left) != NULL;

        until = (struct timespec){ left.tv_sec, left.tv_usec * 1000 };
        fds[0] = (struct pollfd){ .fd = resolving.channel, .events = POLLIN };
        if (ppoll(fds, count + 1, timed ? &until : NULL, NULL) < 0 && errno != EINTR)
            _exit(EXIT_FAILURE);
        process(fds + 1, numbers, count);
        if (fds[0].revents != 0)
            resolving_take_order(MSG_DONTWAIT);
        ask_questions();
    }
}

/* ---- before the fork --------------------------------------------------------------------- */

/* Makes a channel. The first tries together are shorter than a stage, so that a lost packet is made up for. */
static int make_channel(const char *servers, int timeout)
{
    static char lookups[] = "b"; /* not hosts(5), which is read before */
    struct ares_options options = { .flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES, .tries = RESOLVER_TRIES,
                                    .lookups = lookups, .timeout = timeout };
    int status = resolving_ares.library_init(ARES_LIB_INIT_ALL, resolving_take, resolving_give, resolving_resize);

    if (status == ARES_SUCCESS)
        status = resolving_ares.init_options(&resolving.ares, &options,
                                             ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
                                                 ARES_OPT_DOMAINS);
    if (status == ARES_SUCCESS && servers[0] != '\0')
        status = resolving_ares.set_servers(resolving.ares, servers);
    if (status == ARES_SUCCESS)
        resolving_ares.set_socket_functions(resolving.ares, &resolving_sockets, NULL);
    return status;
}

static void forget(void)
{
    if (resolving.ares != NULL)
        resolving_ares.destroy(resolving.ares);
    resolving.ares = NULL;
}

const char *resolver_prepare(const char *servers, int timeout)
{
    const char *why;
    int status;

    forget();
    if (!resolving_make_own())
        return strerror(errno);
    resolving_own->used = 0;
    why = library_load("libcares.so.2", functions, sizeof functions / sizeof functions[0]);
    if (why != NULL)
        return why;
    resolving.count = 0;
    status = make_channel(servers, timeout);
    return status == ARES_SUCCESS ? NULL : resolving_ares.strerror(status);
}

void resolver_end(void)
{
    forget();
    resolving_drop_own();
}

void resolver_ask(uint32_t number, enum answer_type type, const char *name)
{
    struct question *q = &resolving_own->questions[number];

    q->type = type;
    memcpy(q->name, name, strlen(name) + 1);
    ask(q);
}

/* ---- the fork ---------------------------------------------------------------------------- */

void resolver_hide(void *memory, size_t size)
{
    for (size_t i = 0; i < RESOLVER_HIDDEN; i++)
        if (hidden[i].memory == NULL || hidden[i].memory == memory) {
            hidden[i].memory = memory;
            hidden[i].size = size;
            return;
        }
}

/* What is hidden is not only out of sight: some of it is shared. */
static bool drop_hidden(void)
{
    bool done = true;

    for (size_t i = 0; done && i < RESOLVER_HIDDEN && hidden[i].memory != NULL; i++)
        done = munmap(hidden[i].memory, hidden[i].size) == 0;
    return done;
}

/* Closes all but the channel and the sockets of c-ares. */
static bool close_others(void)
{
    unsigned next = 0;
    bool done = true;

    while (done) {
        unsigned keep = (unsigned)resolving.channel >= next ? (unsigned)resolving.channel : ~0U;

        for (size_t i = 0; i < SOCKETS; i++)
            if (resolving.sockets[i].used && resolving.sockets[i].fd >= 0 &&
                (unsigned)resolving.sockets[i].fd >= next && (unsigned)resolving.sockets[i].fd < keep)
                keep = (unsigned)resolving.sockets[i].fd;
        if (keep == ~0U)
            break;
        done = keep == next || close_range(next, keep - 1, 0) == 0;
        next = keep + 1;
    }
    return done && close_range(next, ~0U, 0) == 0;
}

/* Deaf to signals (SIGKILL ends it), dies with its parent, and holds what it needs only. */
static bool prepare_process(pid_t parent)
{
    sigset_t all;

    (void)sigfillset(&all);
    return sigprocmask(SIG_SETMASK, &all, NULL) == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent &&
           prctl(PR_SET_NAME, "mailrecv-dns") == 0 && close_others() && drop_hidden();
}

/* False with errno set. */
static bool become_resolver(bool confined, pid_t parent)
{
    if (!prepare_process(parent))
        return false;
    resolving_connect_spare();
    return !confined || sandbox_enter(SANDBOX_RESOLVER, 0);
}

static void __attribute__((noreturn)) run(bool confined, pid_t parent)
{
    if (!become_resolver(confined, parent)) {
        (void)snprintf(resolving_message.why, sizeof resolving_message.why, "sandbox: %s",
                       strerror(errno)); /* cut when too long */
        resolving_tell(RESOLVER_FAILED, 0);
        _exit(EXIT_FAILURE);
    }
    tell_refused();
    serve();
}

pid_t resolver_start(bool confined, int *channel)
{
    pid_t parent = getpid(), child;
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return -1;
    resolving_share_own(true);
    child = _Fork();
    if (child == 0) {
        resolving.channel = ends[1];
        run(confined, parent);
    }
    resolving_share_own(false);
    if (child < 0) {
        int error = errno;

        (void)close(ends[0]); /* nothing was written */
        (void)close(ends[1]);
        errno = error;
        return -1;
    }
    (void)close(ends[1]); /* the child has it */
    *channel = ends[0];
    return child;
}
