/* listener.c - accepts connections, and has a process of its own serve each */
#include "listener/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "listener/guests.h"
#include "listener/keeper.h"
#include "listener/renewal.h"
#include "listener/spares.h"

enum {
    RENEW_SESSIONS = 1000,    /* so many, or */
    RENEW_MS = 3600 * 1000,   /* so long, and the program is executed anew */
    REST_MS = 1000,           /* without accepting, when the system is out of something and no session ends */
    SPARE_MS = 2,             /* after the last client, before there is time for the next */
    ACCEPT_SECS = 1,          /* a client may vanish between the wait and accept, which then waits for the next */
    QUIET_MS = 60 * 1000      /* between two lines that say the same */
};

/* What has happened since. */
static struct {
    volatile sig_atomic_t child_ended, asked_to_end; /* by signals */
    bool crashed;        /* a session, and who knows by whom */
    unsigned served;     /* sessions, of this program */
    uint64_t begin;      /* of this program */
    uint64_t idle_since; /* when the last client came or went */
    uint64_t rest_until; /* nothing is accepted */
    uint64_t spares_rest; /* until when no spare is made */
    uint64_t tidy_at;    /* 0: since it was tidied there was no session */
    uint64_t told;       /* of being out of something */
    pid_t counting;      /* a process that counts against a client; 0: there is none */
} now;

static void on_child(int signal)
{
    (void)signal;
    now.child_ended = 1;
}

static void on_end(int signal)
{
    (void)signal;
    now.asked_to_end = 1;
}

static void on_alarm(int signal)
{
    (void)signal; /* it has ended a system call */
}

static const struct {
    int signal;
    void (*handler)(int signal);
    bool blocked; /* but for the wait */
} signals[] = {
    { SIGCHLD, on_child, true }, { SIGHUP, on_end, true }, { SIGUSR1, on_end, true }, { SIGALRM, on_alarm, false },
};

enum { SIGNALS = sizeof signals / sizeof signals[0] };

/* Signals are let in while waiting, so that none comes between a look and the wait. */
static bool take_signals(sigset_t *waiting)
{
    sigset_t blocked;
    bool done = true;

    *waiting = clock_mask();
    (void)sigemptyset(&blocked);
    for (size_t i = 0; i < SIGNALS; i++)
        if (signals[i].blocked) {
            (void)sigaddset(&blocked, signals[i].signal);
            (void)sigdelset(waiting, signals[i].signal); /* of a listener that was executed anew some are blocked already */
        }
    done = sigprocmask(SIG_BLOCK, &blocked, NULL) == 0;
    for (size_t i = 0; i < SIGNALS; i++)
        done = done && sigaction(signals[i].signal, &(struct sigaction){ .sa_handler = signals[i].handler }, NULL) == 0;
    return done;
}

/* In a session: as if somebody else had started it. */
static bool give_signals_back(void)
{
    sigset_t blocked;
    bool done = true;

    for (size_t i = 0; i < SIGNALS; i++)
        done = done && sigaction(signals[i].signal, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL) == 0;
    (void)sigemptyset(&blocked);
    for (size_t i = 0; i < SIGNALS; i++)
        (void)sigaddset(&blocked, signals[i].signal);
    return done && sigprocmask(SIG_UNBLOCK, &blocked, NULL) == 0;
}

/* ---- sessions ------------------------------------------------------------------------------ */

/* A session that has crashed may have been an attempt to find out how memory lies: the next program's lies elsewhere. */
static void note_end(pid_t pid, int status)
{
    bool ours = true;

    if (spares_remove(pid)) { /* not again at once */
        now.spares_rest = clock_ms() + REST_MS;
    } else if (guests_remove(pid)) {
        now.idle_since = clock_ms();
        now.rest_until = 0;
        now.crashed = now.crashed || WIFSIGNALED(status) || WEXITSTATUS(status) == LISTENER_CRASHED;
    } else if (keeper_crashed(pid, status)) {
        now.crashed = true;
    } else if (pid == now.counting) {
        now.counting = 0;
    } else {
        ours = false; /* the first process of a container is given what others leave behind */
    }
    if (ours && WIFSIGNALED(status))
        log_line(LOG_ERR, "listener: process %ld was ended by signal %d", (long)pid, WTERMSIG(status));
}

static void reap(void)
{
    int status;
    pid_t pid;

    now.child_ended = 0;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        note_end(pid, status);
}

/* Says something at most once a minute: what it is about may happen a thousand times in that. */
static void complain(const char *what)
{
    int error = errno;
    uint64_t time = clock_ms();

    if (now.told != 0 && time - now.told < QUIET_MS)
        return;
    now.told = time;
    errno = error;
    log_line(LOG_ERR, "listener: %s: %m", what);
}

/* The client hears at once why it is not served, and is not waited for. */
static void refuse(int fd, const struct reply *reply, const char *stage, const struct client *client)
{
    char bytes[2048];
    struct text text = { bytes, sizeof bytes, 0 };

    text_number(&text, reply->code, 3);
    text_put(&text, (struct slice)SLICE(" "));
    text_put(&text, reply->text);
    text_put(&text, (struct slice)SLICE("\r\n"));
    log_set_client(client->address);
    reply_log(reply, &(struct reply_context){ .stage = stage, .host = "", .via = "" }, slice_of(""));
    log_set_client("");
    (void)send(fd, bytes, text_slice(&text).len, MSG_DONTWAIT | MSG_NOSIGNAL); /* a fresh connection takes it, or is gone */
    (void)shutdown(fd, SHUT_WR);
}

/*
 * Is the client one whom the limits for one client do not concern? A proxy comes for many. Nothing of the answer is
 * remembered: processes that are forked are for other clients.
 */
static bool is_exempt(const struct listener *l, const struct client *client)
{
    struct groups *groups = l->groups;

    if (groups_match_address(groups, &groups->proxies, client) == MATCH_YES)
        return true;
    for (const struct bypass *b = groups->bypasses; b != NULL; b = b->next)
        if (groups_match_address(groups, &b->group->patterns, client) == MATCH_YES)
            return true;
    return false;
}

/* The process of a session has nothing of the listener's: else nobody could listen there while it lasts. */
static void __attribute__((noreturn)) begin_session(const struct listener *l, int connection, int spare,
                                                    const struct sockaddr_storage *peer)
{
    sockets_close(l->sockets);
    spares_close();
    if (!give_signals_back() || (connection >= 0 && (dup2(connection, STDIN_FILENO) != STDIN_FILENO ||
                                                     dup2(connection, STDOUT_FILENO) != STDOUT_FILENO))) {
        log_line(LOG_ERR, "listener: cannot begin a session: %m");
        _exit(EX_OSERR);
    }
    if (connection >= 0)
        (void)close(connection);
    _exit(l->serve(l->context, spare, peer));
}

/*
 * Who counts may wait for a lock, so another process does. One at a time: who comes a thousand times a second is counted
 * often enough.
 */
static void count_excess(const struct listener *l, int connection, const struct sockaddr_storage *peer)
{
    pid_t pid = l->count != NULL && now.counting == 0 ? _Fork() : -1;

    if (pid > 0)
        now.counting = pid;
    if (pid != 0)
        return; /* without a process it is not counted */
    sockets_close(l->sockets);
    spares_close();
    (void)close(connection); /* it ends when the listener has closed it */
    if (!give_signals_back())
        _exit(EX_OSERR);
    l->count(l->context, peer);
    _exit(EX_OK);
}

/* A process that has the connection: one that waits, or a new one. -1 with errno set. */
static pid_t session_for(const struct listener *l, int connection, const struct sockaddr_storage *peer)
{
    pid_t pid = spares_give(connection, peer);

    if (pid > 0)
        return pid;
    pid = _Fork();
    if (pid == 0)
        begin_session(l, connection, -1, peer);
    return pid;
}

static void serve(const struct listener *l, int connection, const struct sockaddr_storage *peer)
{
    static const struct reply no_process = REPLY(421, "3.0", "The service is out of resources, try again later");
    uint64_t time = clock_ms();
    const struct limit *limit;
    struct client client;
    pid_t pid;

    client_at(&client, peer);
    limit = guests_excess(&client, is_exempt(l, &client), time);
    if (limit != NULL) {
        const bool too_often = limit == &l->settings->client_rate; /* many at once a busy sender has, too: no violation */

        refuse(connection, &limit->reply, too_often ? "limit" : "connect", &client);
        if (too_often)
            count_excess(l, connection, peer);
        return;
    }
    pid = session_for(l, connection, peer);
    if (pid > 0) {
        guests_add(pid, &client, time);
        if (now.tidy_at == 0 && l->tidy != NULL)
            now.tidy_at = time + l->tidy_ms;
        now.served++;
        return;
    }
    complain("cannot fork");
    refuse(connection, &no_process, "connect", &client);
}

/* One more for the next connection, where nothing else is to be done. False: there are enough. */
static bool add_spare(const struct listener *l)
{
    int socket;
    pid_t pid;

    if (spares_count() >= l->settings->spares || clock_ms() < now.spares_rest)
        return false;
    pid = spares_fork(&socket);
    if (pid == 0)
        begin_session(l, -1, socket, NULL);
    if (pid < 0) {
        complain("cannot fork");
        now.spares_rest = clock_ms() + REST_MS;
    }
    return pid > 0;
}

/* ---- accepting ----------------------------------------------------------------------------- */

/* As accept(2), but for a second at most; EINTR then. Repeated, for who is stopped in front of accept has missed the first. */
static int accept_soon(int fd, struct sockaddr_storage *peer)
{
    const struct itimerval second = { { ACCEPT_SECS, 0 }, { ACCEPT_SECS, 0 } }, off = { .it_value.tv_sec = 0 };
    socklen_t len = sizeof *peer;
    int connection, error;

    (void)setitimer(ITIMER_REAL, &second, NULL); /* valid values: cannot fail */
    connection = accept4(fd, (struct sockaddr *)peer, &len, SOCK_CLOEXEC);
    error = errno;
    (void)setitimer(ITIMER_REAL, &off, NULL);
    errno = error;
    return connection;
}

/*
 * Is there just nobody, or a client that has gone? Else the system is out of something: connections wait where they are, and
 * somebody's end may help; or somebody else has shut the socket, which poll then always finds ready.
 */
static bool is_passing(int error)
{
    return error == EAGAIN || error == EINTR || error == ECONNABORTED || error == EPROTO;
}

static void accept_one(const struct listener *l, int fd)
{
    struct sockaddr_storage peer = { .ss_family = AF_UNSPEC };
    int connection = accept_soon(fd, &peer);

    if (connection < 0) {
        if (!is_passing(errno)) {
            complain("cannot accept");
            now.rest_until = clock_ms() + REST_MS;
        }
        return;
    }
    now.idle_since = clock_ms();
    serve(l, connection, &peer);
    (void)close(connection); /* the session has it */
}

/* ---- the loop ------------------------------------------------------------------------------ */

static bool is_due(const struct listener *l)
{
    return now.crashed || now.served >= RENEW_SESSIONS || clock_ms() - now.begin >= RENEW_MS || l->is_stale(l->context);
}

/* Has nobody been there for so long that somebody else may listen? */
static bool is_idle(const struct listener *l)
{
    return !l->sockets->own && l->settings->idle_secs > 0 && guests_count() == 0 &&
           clock_ms() - now.idle_since >= l->settings->idle_secs * 1000;
}

static void start_keeper(const struct listener *l)
{
    if (l->keep != NULL)
        keeper_start(l->keep, l->context);
}

static void tidy(const struct listener *l, bool last)
{
    if (l->tidy != NULL)
        l->tidy(l->context, last);
    now.tidy_at = guests_count() > 0 && l->tidy != NULL ? clock_ms() + l->tidy_ms : 0;
}

/* If that fails, it is tried again when it is due again. */
static void renew(const struct listener *l)
{
    keeper_stop();
    tidy(l, true);
    renewal_execute(l->sockets, l->arguments);
    start_keeper(l);
    now.crashed = false;
    now.served = 0;
    now.begin = clock_ms();
}

/* Until when there is nothing to do but to wait for a client, a child or a signal. */
static uint64_t wake_up(const struct listener *l, uint64_t time)
{
    uint64_t until = now.rest_until > time ? now.rest_until : UINT64_MAX;

    if (spares_count() < l->settings->spares)
        until = clock_earlier(until, now.spares_rest);
    if (now.tidy_at != 0)
        until = clock_earlier(until, now.tidy_at);
    if (!l->sockets->own && l->settings->idle_secs > 0 && guests_count() == 0)
        until = clock_earlier(until, now.idle_since + l->settings->idle_secs * 1000);
    return until;
}

/* As poll(2). What can be done for the next client is done while none is there, and the last one has been greeted. */
static int wait_for_client(const struct listener *l, nfds_t count, uint64_t until, const sigset_t *waiting)
{
    int n = 0;

    if (spares_count() < l->settings->spares)
        n = clock_poll(l->sockets->polled, count, clock_ms() + SPARE_MS, waiting);
    if (n == 0 && !add_spare(l))
        n = clock_poll(l->sockets->polled, count, until, waiting);
    return n;
}

/* Waits for clients, and serves those that have come. False: it is time to end. */
static bool wait_once(const struct listener *l, const sigset_t *waiting)
{
    const uint64_t time = clock_ms(), until = wake_up(l, time);
    const bool resting = now.rest_until > time;
    int n = wait_for_client(l, resting ? 0 : (nfds_t)l->sockets->count, until, waiting);

    if (n > 0)
        (void)clock_poll(NULL, 0, 0, waiting); /* no signal is let in where a client waits already: it is now */
    if (now.child_ended)
        reap();
    if (now.tidy_at != 0 && clock_ms() >= now.tidy_at)
        tidy(l, false);
    if (*l->terminated || now.asked_to_end)
        return false;
    if (n == 0)
        return !is_idle(l);
    if (n < 0)
        return true;
    if (is_due(l))
        renew(l);
    for (size_t i = 0; i < l->sockets->count && now.rest_until <= time; i++)
        if (l->sockets->polled[i].revents != 0)
            accept_one(l, l->sockets->polled[i].fd);
    return true;
}

/* Nothing is accepted any more; what is under way goes on. */
static void wait_for_sessions(const struct listener *l, const sigset_t *waiting)
{
    bool told = false;

    while (guests_count() > 0) {
        if (*l->terminated && !told)
            guests_signal(SIGTERM);
        told = *l->terminated;
        (void)clock_poll(NULL, 0, UINT64_MAX, waiting); /* a signal ends it */
        if (now.child_ended)
            reap();
    }
}

int listener_run(const struct listener *listener)
{
    sigset_t waiting;

    if (!guests_begin(listener->settings) || !take_signals(&waiting)) {
        log_line(LOG_ERR, "listener: cannot begin: %m");
        sockets_turn_away();
        return EX_OSERR;
    }
    renewal_resume();
    now.begin = now.idle_since = clock_ms();
    reap(); /* those that have ended since the last program looked */
    start_keeper(listener);
    while (wait_once(listener, &waiting))
        ;
    sockets_close(listener->sockets);
    spares_close();
    tidy(listener, true);
    wait_for_sessions(listener, &waiting);
    return EX_OK;
}
