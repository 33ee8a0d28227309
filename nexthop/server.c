/* server.c - a service that is asked: a connection to it, or a program on pipes, kept for the session */
#include "nexthop/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cold.h"
#include "base/log.h"
#include "base/surroundings.h"
#include "nexthop/connect.h"

enum {
    MESSAGE_LINES = 100, /* of what a program says in a session that are logged */
    END_MS = 1000,       /* how long a program may take to end by itself */
    QUIET_READS = 4      /* of ends of lines that nobody has asked for */
};

enum hearing { ANSWERED, CLOSED, FAILED };

/* ---- what a program says on standard error ------------------------------------------------ */

/* Reads what is there, and logs it line by line; what has no end is a line, too. */
static void read_messages(struct server *s)
{
    char bytes[2048], shown[LOG_TEXT], service[LOG_TEXT], *rest = bytes;
    ssize_t len = read(s->messages, bytes, sizeof bytes - 1);

    if (len == 0 || (len < 0 && errno != EAGAIN && errno != EINTR)) {
        (void)close(s->messages); /* a pipe that was only read */
        s->messages = -1;
    }
    bytes[len > 0 ? len : 0] = '\0';
    for (char *line; (line = strsep(&rest, "\n")) != NULL;)
        if (line[0] != '\0' && s->lines++ < MESSAGE_LINES)
            log_line(LOG_WARNING, "%s output service=\"%s\" text=\"%s\"", s->kind,
                     log_encode(service, sizeof service, s->name), log_encode(shown, sizeof shown, slice_of(line)));
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
static int start_with(struct server *s, const int fds[3])
{
    static struct surroundings surroundings COLD_BSS;
    int error = surroundings_make(&surroundings);
    char **arguments;

    if (error == 0 && s->inherits != NULL)
        error = surroundings_inherit(&surroundings, s->inherits);
    if (error != 0)
        return error;
    arguments = process_arguments(&s->program);
    error = arguments == NULL ? ENOMEM
                              : process_start(&s->pid, arguments[0], arguments, surroundings.variables, fds, 3);
    process_forget_arguments(arguments);
    return error;
}

static int start_program(struct server *s)
{
    int ends[3][2], made = 0, error;

    while (made < 3 && make_pipe(ends[made], made == STDIN_FILENO))
        made++;
    error = made < 3 ? errno : start_with(s, (const int[]){ ends[0][0], ends[1][1], ends[2][1] });
    for (int i = 0; i < made; i++) {
        (void)close(ends[i][i != STDIN_FILENO]); /* the program has it */
        if (error != 0)
            (void)close(ends[i][i == STDIN_FILENO]);
    }
    if (error != 0)
        return error;
    s->out = ends[0][1];
    s->in = ends[1][0];
    s->messages = ends[2][0];
    s->started = clock_ms();
    log_debug('f', "started %s program %ld", s->kind, (long)s->pid);
    return 0;
}

static bool open_service(struct server *s, uint64_t deadline, char reason[SERVER_REASON])
{
    int error;

    s->spoiled = false;
    s->messages = s->process = -1;
    s->pid = 0;
    if (s->program.path.len > 0) {
        error = start_program(s);
        if (error != 0)
            (void)snprintf(reason, SERVER_REASON, "the program cannot be started: %s", strerror(error));
        s->open = error == 0;
    } else {
        s->in = s->out = nexthop_connect(&s->where, deadline, reason, SERVER_REASON);
        s->open = s->in >= 0;
    }
    return s->open;
}

/* Returns how the program has ended, if it is one. */
static struct process_end close_service(struct server *s, uint64_t deadline)
{
    struct process_end end = { .how = PROCESS_UNKNOWN };

    s->open = false;
    (void)close(s->in); /* all was read or written, or nobody wants to know */
    if (s->out != s->in)
        (void)close(s->out);
    if (s->pid > 0)
        end = process_wait(s->pid, deadline);
    else if (s->process >= 0)
        shelf_end(s->process, deadline);
    if (s->messages >= 0)
        read_messages(s);
    if (s->messages >= 0)
        (void)close(s->messages);
    return end;
}

/* Nothing has been said since the last answer, but perhaps an end of line, as echo writes one; without end is not quiet. */
static bool is_quiet(const struct server *s)
{
    char bytes[64];
    ssize_t len = 1;

    if (s->spoiled)
        return false;
    for (int reads = 0; reads < QUIET_READS && (len = read(s->in, bytes, sizeof bytes)) > 0; reads++)
        for (ssize_t i = 0; i < len; i++)
            if (bytes[i] != '\n' && bytes[i] != '\r')
                return false;
    return len < 0 && errno == EAGAIN;
}

/* ---- programs of all sessions --------------------------------------------------------------- */

/* One that waits becomes ours, unless it has ended or said something meanwhile. */
static void take_shelved(struct server *s)
{
    struct shelved program;

    while (!s->open && s->shelf != NULL && shelf_take(s->shelf, &program)) {
        s->open = true;
        s->spoiled = false;
        s->in = program.in;
        s->out = program.out;
        s->messages = program.messages;
        s->process = program.process;
        s->started = program.started;
        s->pid = 0;
        if (!is_quiet(s))
            (void)close_service(s, clock_ms());
    }
}

/* It waits for the next question, whoever asks, if it may and can. Who has started it need not take its status. */
static void put_shelved(struct server *s)
{
    struct shelved program = { s->in, s->out, s->messages, s->process, s->started };

    if (s->shelf == NULL || s->spoiled || s->messages < 0)
        return;
    if (program.process < 0)
        program.process = pidfd_open(s->pid, 0);
    read_messages(s); /* what it has said is of this session */
    s->open = program.process < 0 || s->messages < 0 || !shelf_put(s->shelf, &program);
    if (program.process >= 0 && (!s->open || s->process < 0))
        (void)close(program.process);
    if (s->open)
        return;
    (void)close(s->in); /* the packet has them */
    (void)close(s->out);
    (void)close(s->messages);
}

/* ---- question and answer ------------------------------------------------------------------- */

static enum hearing fail_late(char reason[SERVER_REASON])
{
    (void)snprintf(reason, SERVER_REASON, "it has not answered in time");
    return FAILED;
}

/* Waits until the service can be read from or written to; not for ever, though it goes on to write messages. */
static bool wait_for(struct server *s, int fd, short events, uint64_t deadline, char reason[SERVER_REASON])
{
    struct pollfd fds[2] = { { .fd = fd, .events = events }, { .fd = -1, .events = POLLIN } };
    sigset_t waiting = clock_mask();
    int n;

    do {
        fds[1].fd = s->messages;
        n = clock_poll(fds, 2, deadline, &waiting);
        if (n > 0 && fds[1].revents != 0)
            read_messages(s);
    } while (n > 0 && fds[0].revents == 0 && clock_left(deadline) > 0);
    if (n < 0)
        (void)snprintf(reason, SERVER_REASON, "the service is being stopped");
    else if (n == 0 || fds[0].revents == 0)
        (void)fail_late(reason);
    return n > 0 && fds[0].revents != 0;
}

/* What a failed read or write comes to: 0 to go on waiting. */
static enum hearing failed(const char *what, char reason[SERVER_REASON])
{
    (void)snprintf(reason, SERVER_REASON, "%s: %s", what, strerror(errno));
    return errno == EPIPE || errno == ECONNRESET ? CLOSED : FAILED;
}

static bool is_passing(int error)
{
    return error == EAGAIN || error == EINTR;
}

static enum hearing send_request(struct server *s, struct slice request, uint64_t deadline, char reason[SERVER_REASON])
{
    const int out = s->out;

    while (request.len > 0) {
        ssize_t n = write(out, request.text, request.len);

        if (n < 0 && !is_passing(errno))
            return failed("cannot ask", reason);
        if (n < 0 && !wait_for(s, out, POLLOUT, deadline, reason))
            return FAILED;
        if (n > 0)
            request = (struct slice){ request.text + n, request.len - (size_t)n };
    }
    return ANSWERED;
}

/* Takes what has come. Behind an answer there may be ends of lines only, or the next one would be one to another question. */
static enum server_progress take(struct server *s, struct slice bytes, const struct server_question *question)
{
    size_t used;
    enum server_progress progress = question->take(question->context, bytes, &used);

    for (; used < bytes.len && progress == SERVER_DONE; used++)
        s->spoiled = s->spoiled || (bytes.text[used] != '\n' && bytes.text[used] != '\r');
    return progress;
}

static enum hearing receive_answer(struct server *s, const struct server_question *question, char reason[SERVER_REASON])
{
    enum server_progress progress = SERVER_MORE;
    char bytes[4096];

    question->begin(question->context);
    while (progress == SERVER_MORE) {
        ssize_t n = read(s->in, bytes, sizeof bytes);

        if (n < 0 && !is_passing(errno))
            return failed("cannot read the answer", reason);
        if (n < 0 && !wait_for(s, s->in, POLLIN, question->deadline, reason))
            return FAILED;
        if (n == 0) {
            (void)snprintf(reason, SERVER_REASON, "it has closed the connection");
            return CLOSED;
        }
        if (n > 0)
            progress = take(s, (struct slice){ bytes, (size_t)n }, question);
        if (n > 0 && progress == SERVER_MORE && clock_left(question->deadline) == 0)
            return fail_late(reason); /* of one who never stops there is always something to read */
    }
    explicit_bzero(bytes, sizeof bytes); /* it may have been a secret, and other processes begin as a copy of this one */
    if (progress == SERVER_DONE)
        return ANSWERED;
    (void)snprintf(reason, SERVER_REASON, "its answer is no %s answer", s->kind);
    return FAILED;
}

/* A program that has closed its pipes is ending: how says more than that. */
static void explain_end(const struct process_end *end, char reason[SERVER_REASON])
{
    char text[PROCESS_TEXT];

    if (end->how != PROCESS_UNKNOWN && end->in_time)
        (void)snprintf(reason, SERVER_REASON, "the program %s", process_end_text(end, text));
}

/* `fresh`: of a program that nobody has asked before, if it is one. */
static enum hearing ask_once(struct server *s, const struct server_question *question, bool fresh, char reason[SERVER_REASON])
{
    const uint64_t deadline = question->deadline;
    enum hearing heard;
    struct process_end end;

    if (s->open && !is_quiet(s))
        (void)close_service(s, clock_ms());
    if (!fresh)
        take_shelved(s);
    if (!s->open && !open_service(s, deadline, reason))
        return FAILED;
    heard = send_request(s, question->request, deadline, reason);
    if (heard == ANSWERED)
        heard = receive_answer(s, question, reason);
    if (heard == ANSWERED) {
        put_shelved(s);
        return ANSWERED;
    }
    end = close_service(s, heard == CLOSED ? clock_earlier(deadline, clock_ms() + END_MS) : clock_ms());
    if (heard == CLOSED)
        explain_end(&end, reason);
    return heard;
}

bool server_ask(struct server *server, const struct server_question *question, char reason[SERVER_REASON])
{
    enum hearing heard = ask_once(server, question, false, reason);

    if (heard == CLOSED)
        heard = ask_once(server, question, true, reason);
    return heard == ANSWERED;
}

void server_end(struct server *server)
{
    if (server->open)
        (void)close_service(server, clock_ms() + END_MS);
}
