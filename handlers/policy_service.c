/* policy_service.c - one policy service: a connection to it, or a program on pipes, kept for the session */
#include "handlers/policy_service.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cold.h"
#include "base/log.h"
#include "delivery/environment.h"
#include "nexthop/connect.h"

enum {
    MESSAGE_LINES = 100, /* of what a program says in a session that are logged */
    END_MS = 1000        /* how long a program may take to end by itself */
};

enum hearing { ANSWERED, CLOSED, FAILED };

/* ---- what a program says on standard error ------------------------------------------------ */

/* Reads what is there, and logs it line by line; what has no end is a line, too. */
static void read_messages(struct policy *policy)
{
    struct policy_connection *c = &policy->connection;
    char bytes[2048], shown[LOG_TEXT], service[LOG_TEXT], *rest = bytes;
    ssize_t len = read(c->messages, bytes, sizeof bytes - 1);

    if (len == 0 || (len < 0 && errno != EAGAIN && errno != EINTR)) {
        (void)close(c->messages); /* a pipe that was only read */
        c->messages = -1;
    }
    bytes[len > 0 ? len : 0] = '\0';
    for (char *line; (line = strsep(&rest, "\n")) != NULL;)
        if (line[0] != '\0' && c->lines++ < MESSAGE_LINES)
            log_line(LOG_WARNING, "policy output service=\"%s\" text=\"%s\"", log_encode(service, sizeof service, policy->name),
                     log_encode(shown, sizeof shown, slice_of(line)));
}

/* ---- the way to the service ---------------------------------------------------------------- */

/* Ours does not block; the program's is as it expects it. */
static bool make_pipe(int ends[2], int ours)
{
    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    if (fcntl(ends[ours], F_SETFL, O_NONBLOCK) == 0)
        return true;
    (void)close(ends[0]);
    (void)close(ends[1]);
    return false;
}

/* Its descriptors 0 to 2 are ends of three pipes. Returns 0 or an error number. */
static int start_with(struct policy *policy, const int fds[3])
{
    static struct environment environment COLD_BSS;
    int error = environment_begin(&environment);
    char **arguments;

    if (error != 0)
        return error;
    arguments = process_arguments(&policy->program);
    error = arguments == NULL ? ENOMEM
                              : process_start(&policy->connection.pid, arguments[0], arguments, environment.variables, fds, 3);
    process_forget_arguments(arguments);
    return error;
}

static int start_program(struct policy *policy)
{
    struct policy_connection *c = &policy->connection;
    int ends[3][2], made = 0, error;

    while (made < 3 && make_pipe(ends[made], made == STDIN_FILENO))
        made++;
    error = made < 3 ? errno : start_with(policy, (const int[]){ ends[0][0], ends[1][1], ends[2][1] });
    for (int i = 0; i < made; i++) {
        (void)close(ends[i][i != STDIN_FILENO]); /* the program has it */
        if (error != 0)
            (void)close(ends[i][i == STDIN_FILENO]);
    }
    if (error != 0)
        return error;
    c->out = ends[0][1];
    c->in = ends[1][0];
    c->messages = ends[2][0];
    log_debug('f', "started policy program %ld", (long)c->pid);
    return 0;
}

static bool open_service(struct policy *policy, uint64_t deadline, char reason[POLICY_REASON])
{
    struct policy_connection *c = &policy->connection;
    int error;

    *c = (struct policy_connection){ .messages = -1, .lines = c->lines };
    if (policy->program.path.len > 0) {
        error = start_program(policy);
        if (error != 0)
            (void)snprintf(reason, POLICY_REASON, "the program cannot be started: %s", strerror(error));
        c->open = error == 0;
    } else {
        c->in = c->out = nexthop_connect(&policy->where, deadline, reason, POLICY_REASON);
        c->open = c->in >= 0;
    }
    return c->open;
}

/* Returns how the program has ended, if it is one. */
static struct process_end close_service(struct policy *policy, uint64_t deadline)
{
    struct policy_connection *c = &policy->connection;
    struct process_end end = { .how = PROCESS_UNKNOWN };

    c->open = false;
    (void)close(c->in); /* all was read or written, or nobody wants to know */
    if (c->out != c->in)
        (void)close(c->out);
    if (c->pid > 0)
        end = process_wait(c->pid, deadline);
    if (c->messages >= 0)
        read_messages(policy);
    if (c->messages >= 0)
        (void)close(c->messages);
    return end;
}

/* Nothing has been said since the last answer, but perhaps an end of line, as echo writes one. */
static bool is_quiet(const struct policy_connection *c)
{
    char bytes[64];
    ssize_t len;

    if (c->spoiled)
        return false;
    while ((len = read(c->in, bytes, sizeof bytes)) > 0)
        for (ssize_t i = 0; i < len; i++)
            if (bytes[i] != '\n' && bytes[i] != '\r')
                return false;
    return len < 0 && errno == EAGAIN;
}

/* ---- question and answer ------------------------------------------------------------------- */

/* Waits until the service can be read from or written to. */
static bool wait_for(struct policy *policy, int fd, short events, uint64_t deadline, char reason[POLICY_REASON])
{
    struct pollfd fds[2] = { { .fd = fd, .events = events }, { .fd = -1, .events = POLLIN } };
    sigset_t waiting = clock_mask();
    int n;

    do {
        fds[1].fd = policy->connection.messages;
        n = clock_poll(fds, 2, deadline, &waiting);
        if (n > 0 && fds[1].revents != 0)
            read_messages(policy);
    } while (n > 0 && fds[0].revents == 0);
    if (n <= 0)
        (void)snprintf(reason, POLICY_REASON, "%s", n == 0 ? "it has not answered in time" : "the service is being stopped");
    return n > 0;
}

/* What a failed read or write comes to: 0 to go on waiting. */
static enum hearing failed(const char *what, char reason[POLICY_REASON])
{
    (void)snprintf(reason, POLICY_REASON, "%s: %s", what, strerror(errno));
    return errno == EPIPE || errno == ECONNRESET ? CLOSED : FAILED;
}

static bool is_passing(int error)
{
    return error == EAGAIN || error == EINTR;
}

static enum hearing send_request(struct policy *policy, struct slice request, uint64_t deadline, char reason[POLICY_REASON])
{
    const int out = policy->connection.out;

    while (request.len > 0) {
        ssize_t n = write(out, request.text, request.len);

        if (n < 0 && !is_passing(errno))
            return failed("cannot ask", reason);
        if (n < 0 && !wait_for(policy, out, POLLOUT, deadline, reason))
            return FAILED;
        if (n > 0)
            request = (struct slice){ request.text + n, request.len - (size_t)n };
    }
    return ANSWERED;
}

/* Takes what has come. Behind an answer there may be ends of lines only, or the next one would be one to another question. */
static enum policy_progress take(struct policy_connection *c, struct slice bytes, struct policy_answer *answer)
{
    size_t used;
    enum policy_progress progress = policy_answer_feed(answer, bytes, &used);

    for (; used < bytes.len && progress == POLICY_DONE; used++)
        c->spoiled = c->spoiled || (bytes.text[used] != '\n' && bytes.text[used] != '\r');
    return progress;
}

static enum hearing receive_answer(struct policy *policy, uint64_t deadline, struct policy_answer *answer,
                                   char reason[POLICY_REASON])
{
    struct policy_connection *c = &policy->connection;
    enum policy_progress progress = POLICY_MORE;
    char bytes[4096];

    policy_answer_begin(answer);
    while (progress == POLICY_MORE) {
        ssize_t n = read(c->in, bytes, sizeof bytes);

        if (n < 0 && !is_passing(errno))
            return failed("cannot read the answer", reason);
        if (n < 0 && !wait_for(policy, c->in, POLLIN, deadline, reason))
            return FAILED;
        if (n == 0) {
            (void)snprintf(reason, POLICY_REASON, "it has closed the connection");
            return CLOSED;
        }
        if (n > 0)
            progress = take(c, (struct slice){ bytes, (size_t)n }, answer);
    }
    if (progress == POLICY_DONE)
        return ANSWERED;
    (void)snprintf(reason, POLICY_REASON, "its answer is no policy answer");
    return FAILED;
}

/* A program that has closed its pipes is ending: how says more than that. */
static void explain_end(const struct process_end *end, char reason[POLICY_REASON])
{
    char text[PROCESS_TEXT];

    if (end->how != PROCESS_UNKNOWN && end->in_time)
        (void)snprintf(reason, POLICY_REASON, "the program %s", process_end_text(end, text));
}

static enum hearing ask_once(struct policy *policy, struct slice request, uint64_t deadline, struct policy_answer *answer,
                             char reason[POLICY_REASON])
{
    enum hearing heard;
    struct process_end end;

    if (policy->connection.open && !is_quiet(&policy->connection))
        (void)close_service(policy, clock_ms());
    if (!policy->connection.open && !open_service(policy, deadline, reason))
        return FAILED;
    heard = send_request(policy, request, deadline, reason);
    if (heard == ANSWERED)
        heard = receive_answer(policy, deadline, answer, reason);
    if (heard == ANSWERED)
        return ANSWERED;
    end = close_service(policy, heard == CLOSED ? clock_earlier(deadline, clock_ms() + END_MS) : clock_ms());
    if (heard == CLOSED)
        explain_end(&end, reason);
    return heard;
}

bool policy_service_ask(struct policy *policy, struct slice request, uint64_t deadline, struct policy_answer *answer,
                        char reason[POLICY_REASON])
{
    enum hearing heard = ask_once(policy, request, deadline, answer, reason);

    if (heard == CLOSED)
        heard = ask_once(policy, request, deadline, answer, reason);
    return heard == ANSWERED;
}

void policy_service_end(struct policy *policy)
{
    if (policy->connection.open)
        (void)close_service(policy, clock_ms() + END_MS);
}
