/* command.c - a copy into a command: pipe and exec */
/*
 * The command reads from a file that holds its whole copy. Through a pipe it would take our death
 * for the end of the message, and half a message for a whole one. One loop reads what the command
 * says and watches for its end; it sees the end through a pidfd, so that children in the
 * background do not matter.
 */
#include "delivery/command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cold.h"
#include "base/log.h"
#include "base/process.h"
#include "delivery/environment.h"
#include "delivery/facts.h"
#include "delivery/said.h"
#include "delivery/statuses.h"

enum {
    OUTPUT_LINE = 400,     /* bytes of a line of output that are looked at */
    OUTPUT_LINES = 100,    /* lines that are logged; the others are read and dropped */
    DRAIN_MAX = 1 << 20    /* bytes of output that are still read when the command has ended */
};

/* What the command says. */
struct output {
    const struct transaction *transaction;
    size_t lines;
    size_t len;             /* of the line that is being read */
    char line[OUTPUT_LINE];
    char last[OUTPUT_LINE]; /* the last complete line that was not empty */
};

struct run {
    const struct copy *copy;
    pid_t pid;
    int pidfd, out;      /* -1: closed */
    struct output output;
};

/* ---- output ------------------------------------------------------------------------------ */

static void end_line(struct output *o)
{
    char shown[LOG_TEXT];

    if (o->len == 0)
        return;
    memcpy(o->last, o->line, o->len);
    o->last[o->len] = '\0';
    if (o->lines++ < OUTPUT_LINES)
        log_line(LOG_INFO, "output id=%s text=\"%s\"", o->transaction->id,
                 log_encode(shown, sizeof shown, (struct slice){ o->line, o->len }));
    else if (o->lines == OUTPUT_LINES + 1)
        log_line(LOG_INFO, "output id=%s: more than %d lines, the others are not logged", o->transaction->id,
                 OUTPUT_LINES);
    o->len = 0;
}

static void take_output(struct output *o, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '\n')
            end_line(o);
        else if (o->len < sizeof o->line - 1 && bytes[i] != '\0')
            o->line[o->len++] = bytes[i];
    }
}

/* Reads what is there. Returns the number of bytes; closes at the end of the output. */
static size_t read_output(struct run *run)
{
    char bytes[4096];
    ssize_t n = read(run->out, bytes, sizeof bytes);

    if (n > 0) {
        take_output(&run->output, bytes, (size_t)n);
        return (size_t)n;
    }
    if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        (void)close(run->out); /* a pipe that was only read */
        run->out = -1;
    }
    return 0;
}

/* The command has ended: what it said is in the pipe; what its children go on to say is not ours. */
static void drain_output(struct run *run)
{
    size_t total = 0, n;

    while (run->out >= 0 && total < DRAIN_MAX && (n = read_output(run)) > 0)
        total += n;
    end_line(&run->output);
}

/* ---- start ------------------------------------------------------------------------------- */

/* Bytes that an argument takes at most, its end included. */
static size_t argument_room(const struct copy *copy, const struct argument *argument)
{
    const size_t len = argument->stands_for == ARGUMENT_VALUE ? copy->recipient->value.len : argument->text.len;

    return (len > ADDRESS_MAX ? len : ADDRESS_MAX) + 1;
}

/* The arguments for execve(2); one allocation holds the vector and its strings. */
static char **build_arguments(const struct copy *copy, const struct target *target)
{
    size_t count = target->kind == TARGET_PIPE ? 4 : target->argument_count + 2;
    size_t size = count * sizeof(char *) + target->text.len + 16;
    char **vector, *text;

    for (size_t i = 0; i < target->argument_count; i++)
        size += argument_room(copy, &target->arguments[i]);
    vector = calloc(1, size);
    if (vector == NULL)
        return NULL;
    text = (char *)(vector + count);
    if (target->kind == TARGET_PIPE) {
        vector[0] = memcpy(text, "sh", 3);
        vector[1] = memcpy(text + 3, "-c", 3);
        vector[2] = memcpy(text + 6, target->text.text, target->text.len);
        return vector;
    }
    vector[0] = memcpy(text, target->text.text, target->text.len);
    text += target->text.len + 1;
    for (size_t i = 0; i < target->argument_count; i++) {
        size_t room = size - (size_t)(text - (char *)vector);

        vector[i + 1] = text;
        (void)facts_argument(copy->transaction, copy->recipient, &target->arguments[i], text, room);
        text += strlen(text) + 1;
    }
    return vector;
}

/* Our end of the pipe does not block; the command's end is as it expects it. */
static bool make_pipe(int out[2])
{
    if (pipe2(out, O_CLOEXEC) != 0)
        return false;
    if (fcntl(out[0], F_SETFL, O_NONBLOCK) == 0)
        return true;
    (void)close(out[0]);
    (void)close(out[1]);
    return false;
}

/* With a ledger the command dies with us: who sends again because we were killed is not to have it twice. */
static int start_program(struct run *run, const char *program, char **arguments, char **variables, const int fds[3])
{
    if (run->copy->transaction->settings->ledger.len > 0)
        return process_start_mortal(&run->pid, program, arguments, variables, fds, 3);
    return process_start(&run->pid, program, arguments, variables, fds, 3);
}

/* Starts the command with `in` as its input; returns 0 or an error number. */
static int launch(struct run *run, const struct target *target, int in)
{
    static struct environment environment COLD_BSS;
    char **arguments;
    int out[2], fds[3], error;

    error = environment_build(&environment, run->copy->transaction, run->copy->recipient, copy_size(run->copy));
    if (error != 0)
        return error;
    if (!make_pipe(out))
        return errno;
    run->out = out[0];
    fds[0] = in;
    fds[1] = fds[2] = out[1];
    arguments = build_arguments(run->copy, target);
    error = arguments == NULL ? ENOMEM
                              : start_program(run, target->kind == TARGET_PIPE ? "/bin/sh" : arguments[0], arguments,
                                              environment.variables, fds);
    free(arguments);
    (void)close(out[1]);
    return error;
}

static bool start(struct run *run, const struct target *target, struct outcome *outcome)
{
    int in = copy_as_file(run->copy), error;

    if (in < 0) {
        outcome_errno(outcome, "cannot write the copy for the command");
        return false;
    }
    error = launch(run, target, in);
    (void)close(in); /* the command has it, or nobody needs it */
    if (error != 0) {
        errno = error;
        outcome_errno(outcome, "cannot be started");
        return false;
    }
    log_debug('f', "started command %ld", (long)run->pid);
    return true;
}

/* ---- the loop ---------------------------------------------------------------------------- */

enum wait { GO_ON, TIMED_OUT, STOPPED };

/* Waits once, until `until` at the latest; does what can be done. */
static enum wait wait_once(struct run *run, uint64_t until, bool *ended)
{
    const struct transaction *t = run->copy->transaction;
    struct pollfd fds[2] = { { .fd = run->pidfd, .events = POLLIN }, { .fd = run->out, .events = POLLIN } };
    sigset_t waiting = clock_mask();
    int n = clock_poll(fds, 2, until, &waiting);

    if (t->terminated != NULL && *t->terminated)
        return STOPPED;
    if (n == 0 || (n < 0 && errno != EINTR))
        return TIMED_OUT;
    if (n < 0)
        return GO_ON;
    if (fds[1].revents != 0)
        (void)read_output(run);
    *ended = fds[0].revents != 0;
    return GO_ON;
}

/* Ends the process group: politely, then not. */
static void end_group(struct run *run)
{
    uint64_t until = clock_ms() + PROCESS_GRACE_MS;
    bool ended = false;

    (void)kill(-run->pid, SIGTERM); /* it may be gone already */
    while (!ended && clock_left(until) > 0) {
        struct pollfd fds[2] = { { .fd = run->pidfd, .events = POLLIN }, { .fd = run->out, .events = POLLIN } };
        int n = clock_poll(fds, 2, until, NULL);

        if (n < 0 && errno != EINTR)
            break;
        if (n > 0 && fds[1].revents != 0)
            (void)read_output(run);
        ended = n > 0 && fds[0].revents != 0;
    }
    (void)kill(-run->pid, SIGKILL); /* whoever is left of the group */
}

static enum wait run_to_end(struct run *run, uint64_t until)
{
    enum wait wait = GO_ON;
    bool ended = false;

    while (!ended && wait == GO_ON)
        wait = wait_once(run, until, &ended);
    if (wait != GO_ON)
        end_group(run);
    return wait;
}

/* ---- the verdict ------------------------------------------------------------------------- */

/* The result that a meaning of an exit status has for the message. */
static enum result result_of(enum meaning meaning, bool temporary)
{
    static const enum result results[MEANINGS] = {
        [MEANING_RETRY] = RESULT_DEFERRED, [MEANING_DELIVERED] = RESULT_DELIVERED, [MEANING_REFUSED] = RESULT_REFUSED,
        [MEANING_VIOLATION] = RESULT_REFUSED
    };

    return temporary && results[meaning] == RESULT_REFUSED ? RESULT_DEFERRED : results[meaning];
}

static const char refusal[] = "the command refused the message"; /* where it says nothing */

/* The last line of output may be the reply that the client gets, if it is of the class that the exit status allows. */
static void take_reply(const struct run *run, unsigned status, struct outcome *outcome)
{
    static const unsigned classes[] = { [RESULT_DELIVERED] = 2, [RESULT_DEFERRED] = 4, [RESULT_REFUSED] = 5 };
    struct said said = said_read(slice_of(run->output.last));

    if (said.code == 0)
        return;
    if (said.code / 100 != classes[outcome->result]) {
        log_line(LOG_WARNING, "output id=%s: the client is not told %u, exit status %u does not allow it",
                 run->copy->transaction->id, said.code, status);
        return;
    }
    outcome->code = said.code;
    (void)snprintf(outcome->status, sizeof outcome->status, "%.*s", (int)said.status.len, said.status.text);
    if (said.text.len > 0)
        (void)snprintf(outcome->reason, sizeof outcome->reason, "%.*s", (int)said.text.len, said.text.text);
    else if (outcome->result != RESULT_DEFERRED) /* the reason is the code so far */
        (void)snprintf(outcome->reason, sizeof outcome->reason, "%s", outcome->result == RESULT_REFUSED ? refusal : "");
}

/* What the exit status says, and perhaps the output. */
static void outcome_of_exit(const struct run *run, const struct target *target, const struct process_end *end,
                         struct outcome *outcome)
{
    enum meaning meaning = statuses_meaning(target->statuses, (unsigned)end->number);
    enum result result = result_of(meaning, target->temporary);
    char text[PROCESS_TEXT];

    if (result == RESULT_DELIVERED) /* some say here what went wrong, and exit with 0 */
        outcome_set(outcome, result, "%.*s", REASON_MAX - 1, run->output.last);
    else if (result == RESULT_DEFERRED)
        outcome_set(outcome, result, "the command %s", process_end_text(end, text));
    else
        outcome_set(outcome, result, "%.*s", REASON_MAX - 1,
                    run->output.last[0] != '\0' ? run->output.last : refusal);
    outcome->violation = result == RESULT_REFUSED && meaning == MEANING_VIOLATION;
    take_reply(run, (unsigned)end->number, outcome);
}

/*
 * Exit status 0 means that the message was taken, however late it comes. Any other of a command that was asked to
 * end may come of just that, and decides nothing.
 */
static void outcome_of_end(struct run *run, enum wait wait, const struct target *target, const struct limit *limit,
                  struct outcome *outcome)
{
    struct process_end end = process_reap(run->pid);
    char text[PROCESS_TEXT];

    drain_output(run);
    if (end.how == PROCESS_EXITED && (wait == GO_ON || end.number == 0))
        outcome_of_exit(run, target, &end, outcome);
    else if (wait == TIMED_OUT && end.how != PROCESS_UNKNOWN)
        outcome_timeout(outcome, run->copy->transaction, limit);
    else if (wait == STOPPED && end.how != PROCESS_UNKNOWN)
        outcome_set(outcome, RESULT_DEFERRED, "the service is being stopped");
    else
        outcome_set(outcome, RESULT_DEFERRED, "the command %s", process_end_text(&end, text));
}

void command_run(const struct transaction *transaction, const struct recipient *recipient,
                 const struct target *target, struct outcome *outcome)
{
    const struct limit *limit = &transaction->settings->pipe_secs;
    uint64_t until = clock_earlier(clock_ms() + limit->value * 1000, transaction->deadline);
    struct run run = { .pid = -1, .pidfd = -1, .out = -1, .output.transaction = transaction };
    struct copy copy;

    copy_begin(&copy, transaction, recipient, transaction->settings->pipe_from_line);
    run.copy = &copy;
    if (start(&run, target, outcome)) {
        run.pidfd = pidfd_open(run.pid, 0);
        if (run.pidfd >= 0) {
            outcome_of_end(&run, run_to_end(&run, until), target, limit, outcome);
            (void)close(run.pidfd);
        } else {
            outcome_errno(outcome, "pidfd_open");
            (void)kill(-run.pid, SIGKILL);
            (void)process_reap(run.pid); /* killed: how it has ended does not matter */
        }
        log_debug('f', "command %ld has ended", (long)run.pid);
    }
    if (run.out >= 0)
        (void)close(run.out);
}
