/* serve.c - one client served: as the right user, behind the wall, from the greeting to the end */
#include "smtp/serve.h"

#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cold.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "base/stack.h"
#include "client/lockout.h"
#include "dns/dns.h"
#include "monitor/monitor.h"
#include "monitor/privileges.h"
#include "smtp.h"

enum { REFUSAL_MS = 10000 }; /* how long saying that nothing works may take */

/* The client shall keep its mail. A greeting has no enhanced code (RFC 2034 4). */
static int refuse_service(struct line_io *io, bool greeted, const char *text)
{
    const struct reply reply = { .code = 421, .status = slice_of(greeted ? "3.0" : ""), .text = slice_of(text) };

    reply_log(&reply, &(struct reply_context){ .stage = "connect", .host = "", .via = "" }, slice_of(""));
    smtp_say(io, &reply);
    return greeted ? EX_OSERR : EX_CONFIG;
}

/* What the kernel lacks is said once; `sandbox on` does not go on without it. */
static bool sandbox_usable(const struct conf *conf)
{
    const char *missing = conf->base.sandbox != SANDBOX_OFF ? sandbox_missing() : "";

    if (missing[0] != '\0')
        log_line(conf->base.sandbox == SANDBOX_ON ? LOG_ERR : LOG_WARNING, "sandbox: this kernel has no %s", missing);
    return missing[0] == '\0' || conf->base.sandbox != SANDBOX_ON;
}

/* The bound of the session's files: of its message; none if replies go into one, behind what it holds. */
static uint64_t most_bytes(const struct line_io *io, const struct conf *conf)
{
    struct stat client;

    return fstat(io->out, &client) == 0 && S_ISREG(client.st_mode) ? UINT64_MAX
                                                                   : conf->session.smtp_data_size.value + SPOOL_MEMORY;
}

/* The session process: from here on it can do nothing but talk to the client and to the monitor. */
static void __attribute__((noreturn)) confined_session(struct line_io *io, struct session *session,
                                                       const struct conf *conf)
{
    static const struct reply unsafe = REPLY(421, "3.0", "The service is out of order, try again later");

    if (sandbox_enter(SANDBOX_SESSION, most_bytes(io, conf))) {
        smtp_session(session);
        _exit(EX_OK);
    }
    reply_send(io, &unsafe); /* and nothing is read */
    (void)line_flush(io);
    _exit(EX_NOPERM); /* the monitor logs it */
}

static int split_session(struct line_io *io, struct monitor *monitor, struct session *session,
                         const struct conf *conf, int crashed)
{
    switch (monitor_split(monitor)) {
    case SPLIT_SESSION:
        confined_session(io, session, conf);
    case SPLIT_FAILED:
        return refuse_service(io, true, "The service is out of resources, try again later");
    case SPLIT_ENDED:
    case SPLIT_AHEAD:
        break;
    }
    /* freeing page by page what the kernel frees at once would copy a dozen of them */
    _exit(monitor_crashed(monitor) ? crashed : EX_OK);
}

/* RFC 8314 3.3: the client says nothing in clear, and would not understand it either. */
static bool begin_implicit_tls(struct line_io *io, struct monitor *monitor)
{
    int plain;

    if (monitor_tls(monitor, &plain).code == 0 && line_switch(io, plain))
        return true;
    monitor_end(monitor);
    return false;
}

void serve_excess(struct conf *conf, struct client *client, const volatile sig_atomic_t *terminated)
{
    struct lockout lockout = { .settings = &conf->client, .groups = &conf->rules.groups, .client = client };

    if (!privileges_become(conf))
        return;
    dns_begin(&conf->dns, conf->base.sandbox != SANDBOX_OFF, clock_ms() + conf->session.connection_secs.value * 1000,
              terminated);
    lockout_violation(&lockout, "limit"); /* lockout.exempt may ask the DNS */
    dns_end();
}

/* ---- a client that is yet to come ---------------------------------------------------------- */

/* The session process: confined, it waits for its client. */
static void __attribute__((noreturn)) waiting_session(struct line_io *io, struct monitor *monitor, const struct conf *conf)
{
    struct introduction introduction;
    int client;

    if (!sandbox_enter(SANDBOX_SESSION, conf->session.smtp_data_size.value + SPOOL_MEMORY))
        _exit(EX_NOPERM); /* the monitor cannot introduce its client, and logs it */
    client = monitor_await(monitor, &introduction);
    if (client < 0)
        _exit(EX_OK);
    if (!line_switch(io, client))
        _exit(EX_OSERR);
    smtp_session(smtp_take_over(io, monitor, conf, &introduction));
    _exit(EX_OK);
}

/* The client is there, and so is its session. */
static int serve_arrived(struct line_io *io, struct conf *conf, struct client *client,
                         const volatile sig_atomic_t *terminated, int crashed)
{
    struct monitor *monitor;
    struct introduction introduction;

    line_init(io, STDIN_FILENO, STDOUT_FILENO, terminated);
    io->deadline = clock_ms() + REFUSAL_MS;
    monitor = monitor_begin(conf, client, terminated);
    if (monitor == NULL)
        return refuse_service(io, false, "The service is out of resources, try again later");
    if (!monitor_admits(monitor))
        _exit(EX_OK); /* and with this process ends the session's */
    if (conf->client.tls == TLS_IMPLICIT && !begin_implicit_tls(io, monitor))
        _exit(EX_UNAVAILABLE);
    introduction = smtp_introduction(smtp_greet(io, monitor, conf));
    if (!monitor_introduce(monitor, &introduction))
        return refuse_service(io, true, "The service is out of resources, try again later");
    _exit(monitor_crashed(monitor) ? crashed : EX_OK);
}

int serve_ahead(struct conf *conf, struct client *client, const volatile sig_atomic_t *terminated, int crashed,
                serve_arrival *arrive, void *context)
{
    static struct line_io io COLD_BSS;
    bool splits = conf->errors == 0 && conf->base.sandbox != SANDBOX_OFF && sandbox_usable(conf) && privileges_become(conf);
    struct monitor *monitor = splits ? monitor_prepare(conf) : NULL;

    if (monitor == NULL)
        return arrive(context) ? serve_client(conf, client, terminated, NULL, crashed) : EX_OK;
    line_init(&io, STDIN_FILENO, STDOUT_FILENO, terminated);
    stack_clear();
    switch (monitor_split_ahead(monitor)) {
    case SPLIT_SESSION:
        waiting_session(&io, monitor, conf);
    case SPLIT_FAILED:
    case SPLIT_ENDED:
        return EX_OSERR;
    case SPLIT_AHEAD:
        break;
    }
    return arrive(context) ? serve_arrived(&io, conf, client, terminated, crashed) : EX_OK;
}

/* ---- one that is there --------------------------------------------------------------------- */

int serve_client(struct conf *conf, struct client *client, const volatile sig_atomic_t *terminated, serve_typed *typed,
                 int crashed)
{
    static struct line_io io COLD_BSS;
    struct monitor *monitor;
    struct session *session;
    int status = EX_OK;

    line_init(&io, STDIN_FILENO, STDOUT_FILENO, terminated);
    io.deadline = clock_ms() + REFUSAL_MS;
    if (conf->errors > 0 || !sandbox_usable(conf) || !privileges_become(conf) ||
        (monitor = monitor_begin(conf, client, terminated)) == NULL) {
        privileges_retry_log(conf);
        return refuse_service(&io, false, "The service is not configured, try again later");
    }
    if (!monitor_admits(monitor)) {
        monitor_end(monitor);
        return EX_OK;
    }
    if (typed != NULL && !typed(&io, conf, client))
        return refuse_service(&io, false, "The service is out of resources, try again later");
    if (typed == NULL && conf->client.tls == TLS_IMPLICIT && !begin_implicit_tls(&io, monitor))
        return EX_UNAVAILABLE;
    session = smtp_greet(&io, monitor, conf);
    if (typed != NULL || conf->base.sandbox == SANDBOX_OFF) {
        monitor_announce(monitor);
        smtp_session(session);
    } else {
        stack_clear(); /* of names of files that were opened, and of rules that were tried */
        status = split_session(&io, monitor, session, conf, crashed);
    }
    monitor_end(monitor);
    return status;
}
