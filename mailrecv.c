/* mailrecv.c - what each option starts: serving, listening, checking, explaining */
/*
 * Started by xinetd, inetd, tcpserver or systemd for one connection, which is standard input and
 * output. Whatever is wrong with the configuration, the client hears 421 and keeps its mail.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "admin/access.h"
#include "admin/alive.h"
#include "admin/check.h"
#include "admin/explain.h"
#include "admin/ledger_show.h"
#include "admin/lockout_show.h"
#include "admin/makes.h"
#include "admin/milter_check.h"
#include "admin/options.h"
#include "admin/redis_check.h"
#include "admin/remembered.h"
#include "admin/replay.h"
#include "admin/table_check.h"
#include "admin/terminal.h"
#include "base/account.h"
#include "base/inherited.h"
#include "base/log.h"
#include "base/stack.h"
#include "base/text.h"
#include "client/client.h"
#include "client/starttls.h"
#include "conf/conf.h"
#include "listener/listener.h"
#include "listener/renewal.h"
#include "listener/spares.h"
#include "monitor/privileges.h"
#include "smtp/serve.h"
#include "stores/redis.h"
#include "tables/table.h"

enum { DOUBTFUL = 1 }; /* the exit status of -t when there are warnings */

static volatile sig_atomic_t terminated;

static void on_term(int signal)
{
    (void)signal;
    terminated = 1;
}

/* Descriptors 0 to 2 must be taken, or a file that we open could become one of them. */
static void fill_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
            _exit(EX_OSERR);
}

/* SIGTERM is let in only while waiting, so that no delivery is cut short; what ends a listener, when it listens. */
static void set_signals(void)
{
    const struct sigaction term = { .sa_handler = on_term }, ignore = { .sa_handler = SIG_IGN };
    sigset_t blocked;

    (void)sigemptyset(&blocked);
    (void)sigaddset(&blocked, SIGTERM);
    renewal_block(&blocked);
    if (!inherited_reset(&blocked) || sigaction(SIGTERM, &term, NULL) != 0 ||
        sigaction(SIGPIPE, &ignore, NULL) != 0 || /* a command need not read all of its input */
        sigaction(SIGXFSZ, &ignore, NULL) != 0)   /* EFBIG is answered with 4xx */
        log_line(LOG_WARNING, "cannot prepare the process: %m");
}

/* Whether what is written to a person may be coloured (no-color.org). */
static bool wants_colours(void)
{
    const char *none = getenv("NO_COLOR");

    return isatty(STDERR_FILENO) && (none == NULL || none[0] == '\0');
}

/* What a check meets is told as a problem; it is no event of a session. */
static void forget_event(int level, const char *event)
{
    (void)level;
    (void)event;
}

static int check_configuration(struct conf *conf, const struct options *o)
{
    static const int statuses[] = { [SEVERITY_ERROR] = EX_CONFIG, [SEVERITY_WARNING] = DOUBTFUL,
                                    [SEVERITY_NOTE] = EX_OK };
    int status;

    log_divert(forget_event);
    check_conf(conf);
    check_host(conf, o->user);
    milter_check(conf);
    table_check(conf);
    redis_check(conf);
    status = statuses[check_worst(conf)];
    if (o->json)
        check_print_json(conf, stdout, status);
    else
        check_print(conf, stderr, wants_colours());
    if (!o->json && status != EX_CONFIG)
        conf_print(conf, stdout);
    return options_output_status() != EX_OK ? EX_IOERR : status;
}

/* Whether somebody else's server is alive. */
static int ask_servers(const struct options *o, const struct conf *conf)
{
    int status;

    if (conf->errors > 0) {
        check_print(conf, stderr, wants_colours());
        return EX_CONFIG;
    }
    if (o->log == NULL)
        (void)log_open("stderr"); /* for -d */
    status = alive(conf, o->alive, &terminated, stdout);
    return options_output_status() != EX_OK ? EX_IOERR : status;
}

/* What is remembered from one session to the next; a file with mistakes names no place to look for it. */
static int show_remembered(const struct options *o, struct conf *conf)
{
    int status;

    if (conf->errors > 0) {
        check_print(conf, stderr, wants_colours());
        return EX_CONFIG;
    }
    redis_check_patiently(conf);
    if (o->lock != NULL)
        status = lockout_lock_by_hand(conf, o->lock, o->lock_secs, stdout);
    else if (o->clear != NULL && conf->delivery.ledger.len > 0 && ledger_is_delivery(o->clear))
        status = ledger_clear(conf, o->clear, stdout);
    else if (o->clear != NULL)
        status = lockout_clear(conf, o->clear, stdout);
    else
        status = remembered_show(conf, o->json);
    return status != EX_OK ? status : options_output_status();
}

/* A person tries the rules, and wants to see beneath each command what comes of it. */
static bool is_typed(const struct options *o)
{
    return o->pretend != NULL && o->replay == NULL && isatty(STDIN_FILENO) != 0;
}

/* The log of the configuration, unless an option has named another. In a frame of its own, which stack_clear reaches. */
static void __attribute__((noinline)) open_log_file(const struct options *o, struct conf *conf)
{
    char path[4096];

    text_string(path, sizeof path, conf->base.logfile);
    if (o->log == NULL && is_typed(o))
        log_divert(terminal_log);
    else if (o->log == NULL && privileges_may_open_log(conf, path))
        privileges_open_log(path, NULL);
    if (o->flags == NULL)
        (void)log_set_flags(conf->base.debug); /* conf/ has checked them */
}

/* The log, and what it says first. */
static void open_log(const struct options *o, struct conf *conf)
{
    open_log_file(o, conf);
    conf_log_lines(conf);
    conf_log_problems(conf);
}

/* Finds out who is connected, before there is anything to log. */
static enum client_status find_client(const struct options *o, struct client *client)
{
    enum client_status status = o->pretend != NULL ? CLIENT_OK : client_find(client, STDIN_FILENO);

    log_set_client(client->address);
    return status;
}

/* For conf->delivery.rehearse: its line in the log says it all. */
static void deliver_nothing(const struct transaction *transaction, const struct recipient *recipient,
                            const struct target *target)
{
    (void)transaction;
    (void)recipient;
    (void)target;
}

/* What TLS from the first byte would be to a client on a terminal. */
static bool begin_typed(struct line_io *io, const struct conf *conf, struct client *client)
{
    if (conf->client.tls == TLS_IMPLICIT)
        client_pretend_tls(client);
    return terminal_begin(io);
}

/* Explains to whoever asks, in one process and as that user. */
static int explain_configuration(const struct options *o, struct conf *conf, struct client *client)
{
    int status;

    if (conf->errors > 0) {
        check_print(conf, stderr, wants_colours());
        return EX_CONFIG;
    }
    if (o->pretend == NULL)
        (void)client_find(client, STDIN_FILENO); /* no socket: cannot fail */
    if (o->flags == NULL)
        (void)log_set_flags(slice_of(EXPLAIN_FLAGS));
    status = explain(conf, client, &o->scenario);
    return options_output_status() != EX_OK ? EX_IOERR : status;
}

/* Ctrl-C shall stop between two messages, or end a command, as SIGTERM does; under nohup(1) it goes on. */
static void heed_interrupts(void)
{
    const struct sigaction term = { .sa_handler = on_term }, ignore = { .sa_handler = SIG_IGN };
    sigset_t blocked;

    (void)sigemptyset(&blocked);
    (void)sigaddset(&blocked, SIGINT); /* let in where SIGTERM is */
    if (sigprocmask(SIG_BLOCK, &blocked, NULL) != 0 || sigaction(SIGINT, &term, NULL) != 0 ||
        (inherited_was_ignored(SIGHUP) && sigaction(SIGHUP, &ignore, NULL) != 0))
        log_line(LOG_WARNING, "cannot prepare the process: %m");
}

static int replay_messages(const struct options *o, struct conf *conf, const struct client *client)
{
    const struct replay order = { .place = o->replay, .numbers = o->words, .count = o->numbers,
                                  .client = o->pretend != NULL ? client : NULL, .scenario = &o->scenario };
    int status;

    if (conf->errors > 0) {
        check_print(conf, stderr, wants_colours());
        return EX_CONFIG;
    }
    open_log(o, conf);
    heed_interrupts();
    if (!privileges_become(conf))
        return EX_CONFIG;
    if (geteuid() == 0)
        log_line(LOG_WARNING, "delivering as root: user NAME in the configuration changes that");
    status = replay(conf, &order, &terminated);
    return options_output_status() != EX_OK ? EX_IOERR : status;
}

/*
 * Where a person tries something as root, which serves as another user, root must not make files in the way of that
 * user; who that is must be said.
 */
static void __attribute__((noinline)) take_user(const struct options *o, struct conf *conf)
{
    char path[MAKES_PATH], log[MAKES_PATH];

    if (o->user != NULL)
        conf->base.user = slice_of(o->user);
    if (geteuid() != 0 || conf->base.user.len > 0 || conf->errors > 0)
        return;
    text_string(log, sizeof log, conf->base.logfile);
    if (makes_for_others(conf, o->log != NULL ? o->log : is_typed(o) ? NULL : log, path))
        options_die("%s would be made by root, and others than root use that directory: say who serves with -u USER "
                  "(-u root: really root), or with 'user' in the configuration", path);
}

/* ---- service ----------------------------------------------------------------------------- */

/* For the functions that the listener calls. */
struct service {
    const struct options *options;
    struct conf *conf;
    struct client *client;
    int spare; /* where the connection of a spare process comes */
    struct sockaddr_storage peer; /* whom the listener has accepted */
};

/* Some health checks of `quiet` reset the connection at once: only the listener knows by then who that was. */
static void tell_gone(const struct service *s)
{
    struct groups *groups = &s->conf->rules.groups;

    client_at(s->client, &s->peer);
    log_set_client(s->client->address);
    if (groups_match_address(groups, &groups->quiet, s->client) != MATCH_YES)
        log_line(LOG_NOTICE, "the client has gone before it was greeted");
}

/* One client, at standard input and output; `crashed` is the exit status when a signal has ended the session. */
static int serve(const struct service *s, int crashed)
{
    enum client_status found = find_client(s->options, s->client);

    open_log(s->options, s->conf);
    stack_clear(); /* of lines of the configuration, which are in the log */
    if (found != CLIENT_OK) {
        tell_gone(s);
        return EX_NOINPUT;
    }
    return serve_client(s->conf, s->client, &terminated, is_typed(s->options) ? begin_typed : NULL, crashed);
}

/* Waits for the client that a spare process is for. */
static bool arrive(void *context)
{
    struct service *s = context;
    int connection = spares_await(s->spare, &s->peer);
    bool there = connection >= 0 && dup2(connection, STDIN_FILENO) == STDIN_FILENO &&
                 dup2(connection, STDOUT_FILENO) == STDOUT_FILENO;

    if (connection >= 0)
        (void)close(connection);
    if (!there)
        return false;
    there = find_client(s->options, s->client) == CLIENT_OK;
    conf_log_lines(s->conf);
    conf_log_problems(s->conf);
    stack_clear();
    if (!there)
        tell_gone(s);
    return there;
}

/* In a process that the listener has forked. The log may be another file by now. */
static int serve_accepted(void *context, int spare, const struct sockaddr_storage *peer)
{
    struct service *s = context;

    conf_withhold(s->conf);
    redis_withhold();
    if (s->options->log != NULL)
        privileges_open_log(s->options->log, s->options->log);
    if (spare < 0) {
        s->peer = *peer;
        return serve(s, LISTENER_CRASHED);
    }
    s->spare = spare;
    open_log_file(s->options, s->conf);
    return serve_ahead(s->conf, s->client, &terminated, LISTENER_CRASHED, arrive, s);
}

/* In another, which the client never hears of. */
static void count_excess(void *context, const struct sockaddr_storage *peer)
{
    const struct service *s = context;

    client_at(s->client, peer);
    log_set_client(s->client->address);
    serve_excess(s->conf, s->client, &terminated);
}

/* In another. Certificate and key are opened while we may be root. */
static void keep_tls(void *context, int requests)
{
    const struct service *s = context;

    if (privileges_become(s->conf))
        starttls_keep(&s->conf->client, requests);
}

static bool is_stale(void *context)
{
    return conf_changed(((const struct service *)context)->conf);
}

static void end_programs(void *context, bool last)
{
    table_rest(&((const struct service *)context)->conf->tables, last);
}

/* The sockets to listen on, if any: those that we had or were given, or those of -L. Nothing else stays open. */
static void find_sockets(const struct options *o, struct sockets *sockets)
{
    char why[256];

    if (renewal_sockets(sockets) || (o->listen_count == 0 && sockets_given(sockets)))
        return;
    inherited_close();
    for (size_t i = 0; i < o->listen_count; i++)
        if (!sockets_open(sockets, o->listen[i], why, sizeof why)) {
            fprintf(stderr, "mailrecv: %s\n", why);
            exit(EX_UNAVAILABLE);
        }
}

/*
 * What spare processes have opened is theirs: the log, and what only root can open, before they became the user of the
 * service; and the helper for TLS has certificates and keys. When one of these files is another, so must they be.
 */
static void watch_opened(const struct options *o, struct conf *conf)
{
    const struct client_settings *c = &conf->client;
    struct slice log = o->log != NULL ? slice_of(o->log) : conf->base.logfile;

    if (!slice_equal(log, slice_of("syslog")) && !slice_equal(log, slice_of("stderr")))
        conf_watch(conf, log, true);
    for (enum starttls_file i = 0; i < STARTTLS_FILES; i++)
        conf_watch(conf, starttls_path(c, i), false);
    if (geteuid() != 0)
        return;
    conf_watch(conf, c->auth_users, false);
    conf_watch(conf, c->auth_senders, false);
}

static int listen_for_clients(const struct service *service, struct sockets *sockets, char **arguments)
{
    struct service context = *service;
    const bool tls = service->conf->errors == 0 && service->conf->client.tls != TLS_OFF;
    struct listener listener = { .settings = &service->conf->listener, .groups = &service->conf->rules.groups,
                                 .sockets = sockets, .arguments = arguments, .terminated = &terminated,
                                 .is_stale = is_stale, .keep = tls ? keep_tls : NULL, .serve = serve_accepted,
                                 .count = service->conf->client.lockout_db.len > 0 ? count_excess : NULL,
                                 .tidy_ms = service->conf->tables.keep_secs * 1000, .context = &context };

    if (sockets->own)
        heed_interrupts(); /* in the foreground, and as a container's first process, which no signal ends by itself */
    (void)unsetenv("TCPREMOTEIP"); /* who comes is what accept says; a valid name: cannot fail */
    conf_index(service->conf);
    open_log(service->options, service->conf);
    stack_clear();
    watch_opened(service->options, service->conf);
    listener.tidy = table_share(&service->conf->tables) ? end_programs : NULL;
    redis_share(service->conf->client.lockout_db, service->conf->delivery.ledger);
    conf_share(service->conf); /* all of it: nothing is taken from its memory behind this */
    return listener_run(&listener);
}

int main(int argc, char **argv)
{
    struct options options = { .conf = NULL };
    static struct conf conf;
    static struct client client;
    struct sockets sockets = { .count = 0 };
    const struct service service = { .options = &options, .conf = &conf, .client = &client, .spare = -1 };
    int status;

    fill_descriptors();
    set_signals();
    options_parse(argc, argv, &options);
    if (options_in_service(&options)) /* else a person may name /dev/fd/N */
        find_sockets(&options, &sockets);
    if (options_in_service(&options) && sockets.count == 0 && !inherited_spare_client())
        _exit(EX_OSERR);
    if (options.log != NULL && !options.test && !options.show)
        privileges_open_log(options.log, options.log);
    options_check(&options, &client);
    conf_load(&conf, options.conf);
    redis_use(&conf.stores);
    stack_clear();
    if (options.rehearse)
        conf.delivery.rehearse = deliver_nothing;
    conf.handlers.unasked = options.rehearse || options.replay != NULL;
    if (options.rehearse || is_typed(&options)) /* nobody shall be locked out, or miss mail, by somebody else's tests */
        conf.client.lockout_db = conf.delivery.ledger = (struct slice){ "", 0 };
    if (options.replay != NULL || (options.pretend != NULL && !options.explain && !options.test && !options.show))
        take_user(&options, &conf);
    if (options.test) {
        status = check_configuration(&conf, &options);
    } else if (options.show) {
        status = show_remembered(&options, &conf);
    } else if (options.alive != NULL) {
        status = ask_servers(&options, &conf);
    } else if (options.explain) {
        status = explain_configuration(&options, &conf, &client);
    } else if (options.replay != NULL) {
        status = replay_messages(&options, &conf, &client);
    } else if (sockets.count > 0) {
        status = listen_for_clients(&service, &sockets, argv);
    } else {
        status = serve(&service, EX_OK);
        if (conf.errors > 0 && isatty(STDERR_FILENO))
            check_print(&conf, stderr, wants_colours());
    }
    conf_free(&conf);
    return status;
}
