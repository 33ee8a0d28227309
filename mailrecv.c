/* mailrecv.c - options, and what each of them starts */
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
#include "admin/check.h"
#include "admin/explain.h"
#include "admin/lockout_show.h"
#include "admin/replay.h"
#include "admin/scenario.h"
#include "admin/terminal.h"
#include "base/account.h"
#include "base/inherited.h"
#include "base/log.h"
#include "base/text.h"
#include "client/client.h"
#include "conf/conf.h"
#include "monitor/privileges.h"
#include "smtp/serve.h"

#ifndef SYSCONFDIR
#define SYSCONFDIR "/etc"
#endif

enum { DOUBTFUL = 1 }; /* the exit status of -t when there are warnings */

struct options {
    const char *conf, *flags, *log, *pretend, *replay, *user;
    const char *clear, *lock, *lock_secs; /* -S: an address, or NULL */
    bool test, rehearse, explain, show, json, version, help;
    char **words;             /* behind the options, NULL: none */
    size_t numbers;           /* how many of them are numbers of messages */
    struct scenario scenario; /* what they say */
};

static volatile sig_atomic_t terminated;

static void on_term(int signal)
{
    (void)signal;
    terminated = 1;
}

static void print_help(void)
{
    puts("usage: mailrecv [-c FILE] [-d FLAGS] [-l syslog|stderr|FILE] [-P ADDRESS[=NAME] [-n]] [-t [json]] [-u USER]\n"
         "       mailrecv [-c FILE] -S [json | clear ADDRESS | lock ADDRESS [SECS]]\n"
         "       mailrecv -x [-c FILE] [-P ADDRESS[=NAME]] [helo NAME] [from ADDRESS] [auth USER] [tls] [cert SHA256]\n"
         "                [rcpt ADDRESS...]\n"
         "       mailrecv -r PLACE [-c FILE] [-l WHERE] [-P ADDRESS[=NAME]] [-n] [-u USER]\n"
         "                [NUMBER...] [WORDS as with -x]\n"
         "\n"
         "Receives mail by SMTP on standard input and output, and gives it to commands and files.\n"
         "  -c FILE            the configuration, instead of " SYSCONFDIR "/mailrecv.conf\n"
         "  -d FLAGS           debug flags, any of " LOG_FLAGS ", instead of the configuration's\n"
         "  -l WHERE           where the log goes, instead of the configuration's logfile\n"
         "  -P ADDRESS[=NAME]  pretend that this client is connected, with this confirmed name or none;\n"
         "                     on a terminal with a prompt, and the log beneath each command\n"
         "  -n                 deliver nothing, say what would have been done\n"
         "  -S                 show the clients that lockout.db remembers (json: for programs), forget one (clear), or lock\n"
         "                     one out (lock)\n"
         "  -t [json]          check the configuration, show the effective settings, or all problems as JSON;\n"
         "                     status 78 on errors, 1 on warnings\n"
         "  -u USER            check what this user, as whom mailrecv is started, can read, write and execute;\n"
         "                     with -P and -r, as root: become this user\n"
         "  -x                 explain what a client that says this meets with, and why; status 1 if refused\n"
         "  -r PLACE           deliver again what a dead-letter file, mbox, maildir or file holds; status 1 if not\n"
         "  -V                 show the version\n"
         "  -h                 show this help\n"
         "\n"
         "mailrecv(8) and mailrecv.conf(5) say more.");
}

/* Says what is wrong with the command line where whoever typed it sees it: never to a client. */
static void __attribute__((format(printf, 1, 2), noreturn)) die_usage(const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args); /* cut when too long */
    va_end(args);
    if (client_is_tcp(STDIN_FILENO))
        log_line(LOG_ERR, "%s", text);
    else
        fprintf(stderr, "mailrecv: %s, see mailrecv -h\n", text);
    exit(EX_USAGE);
}

/* The value of an option: the rest of its word, or the next word. */
static const char *option_value(int argc, char **argv, int *i)
{
    if (argv[*i][2] != '\0')
        return argv[*i] + 2;
    if (*i + 1 >= argc)
        die_usage("option '%s' needs a value", argv[*i]);
    return argv[++*i];
}

/* The exit status of what has printed something. */
static int output_status(void)
{
    return fflush(stdout) == 0 && ferror(stdout) == 0 ? EX_OK : EX_IOERR;
}

/* The word `json` may stand behind -t and -S. */
static void take_json(int argc, char **argv, int *i, struct options *o)
{
    o->json = *i + 1 < argc && strcmp(argv[*i + 1], "json") == 0;
    *i += o->json;
}

/* What -S is to do: nothing behind it, json, clear ADDRESS, or lock ADDRESS [SECS]. */
static void parse_show(int argc, char **argv, int *i, struct options *o)
{
    const char *word = *i + 1 < argc ? argv[*i + 1] : "";

    o->show = true;
    take_json(argc, argv, i, o);
    if (strcmp(word, "clear") != 0 && strcmp(word, "lock") != 0)
        return;
    if (*i + 2 >= argc)
        die_usage("option '-S %s' needs an address", word);
    *(word[0] == 'c' ? &o->clear : &o->lock) = argv[*i + 2];
    *i += 2;
    if (o->lock != NULL && *i + 1 < argc && argv[*i + 1][0] != '-')
        o->lock_secs = argv[++*i];
}

/* -t, or -t json. */
static void parse_test(int argc, char **argv, int *i, struct options *o)
{
    o->test = true;
    take_json(argc, argv, i, o);
}

/* Takes the option at argv[*i], and its value. False if there is no such option. */
static bool parse_option(int argc, char **argv, int *i, struct options *o)
{
    const struct {
        char letter;
        const char **value;
    } with_value[] = { { 'c', &o->conf }, { 'd', &o->flags }, { 'l', &o->log }, { 'P', &o->pretend },
                       { 'r', &o->replay }, { 'u', &o->user } };
    const struct {
        const char *word;
        bool *flag;
    } switches[] = { { "-n", &o->rehearse }, { "-x", &o->explain }, { "-V", &o->version }, { "-h", &o->help } };
    const struct {
        const char *word;
        void (*parse)(int argc, char **argv, int *i, struct options *o);
    } with_words[] = { { "-S", parse_show }, { "-t", parse_test } };
    const char *word = argv[*i];

    for (size_t j = 0; j < sizeof with_value / sizeof with_value[0]; j++)
        if (word[0] == '-' && word[1] == with_value[j].letter) {
            *with_value[j].value = option_value(argc, argv, i);
            return true;
        }
    for (size_t j = 0; j < sizeof switches / sizeof switches[0]; j++)
        if (strcmp(word, switches[j].word) == 0) {
            *switches[j].flag = true;
            return true;
        }
    for (size_t j = 0; j < sizeof with_words / sizeof with_words[0]; j++)
        if (strcmp(word, with_words[j].word) == 0) {
            with_words[j].parse(argc, argv, i, o);
            return true;
        }
    return false;
}

static void parse_options(int argc, char **argv, struct options *o)
{
    for (int i = 1; i < argc; i++) {
        if ((o->explain || o->replay != NULL) && argv[i][0] != '-') {
            o->words = argv + i;
            return;
        }
        if (!parse_option(argc, argv, &i, o))
            die_usage("unknown %s '%s'", argv[i][0] == '-' ? "option" : "argument", argv[i]);
        if (o->version)
            puts("mailrecv " VERSION);
        else if (o->help)
            print_help();
        if (o->version || o->help)
            exit(output_status());
    }
}

/* Descriptors 0 to 2 must be taken, or a file that we open could become one of them. */
static void fill_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
            _exit(EX_OSERR);
}

/* SIGTERM is let in only while waiting, so that no delivery is cut short. */
static void set_signals(void)
{
    const struct sigaction term = { .sa_handler = on_term }, ignore = { .sa_handler = SIG_IGN };

    if (!inherited_reset(SIGTERM) || sigaction(SIGTERM, &term, NULL) != 0 ||
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

static int check_configuration(struct conf *conf, const struct options *o)
{
    static const int statuses[] = { [SEVERITY_ERROR] = EX_CONFIG, [SEVERITY_WARNING] = DOUBTFUL,
                                    [SEVERITY_NOTE] = EX_OK };
    int status;

    check_conf(conf);
    check_host(conf, o->user);
    status = statuses[check_worst(conf)];
    if (o->json)
        check_print_json(conf, stdout, status);
    else
        check_print(conf, stderr, wants_colours());
    if (!o->json && status != EX_CONFIG)
        conf_print(conf, stdout);
    return output_status() != EX_OK ? EX_IOERR : status;
}

/* The table of contacts; a file with mistakes names no place to look for it. */
static int show_contacts(const struct options *o, const struct conf *conf)
{
    int status;

    if (conf->errors > 0) {
        check_print(conf, stderr, wants_colours());
        return EX_CONFIG;
    }
    if (o->lock != NULL)
        status = lockout_lock_by_hand(conf, o->lock, o->lock_secs, stdout);
    else if (o->clear != NULL)
        status = lockout_clear(conf, o->clear, stdout);
    else
        status = lockout_show(conf, o->json, stdout);
    return status != EX_OK ? status : output_status();
}

/* A person tries the rules, and wants to see beneath each command what comes of it. */
static bool is_typed(const struct options *o)
{
    return o->pretend != NULL && o->replay == NULL && isatty(STDIN_FILENO) != 0;
}

/* The log of the configuration, unless an option has named another, and what it says first. */
static void open_log(const struct options *o, struct conf *conf)
{
    char path[4096];

    text_string(path, sizeof path, conf->base.logfile);
    if (o->log == NULL && is_typed(o))
        log_divert(terminal_log);
    else if (o->log == NULL && privileges_may_open_log(conf, path))
        privileges_open_log(path, NULL);
    if (o->flags == NULL)
        (void)log_set_flags(conf->base.debug); /* conf/ has checked them */
    conf_log_lines(conf);
    conf_log_problems(conf);
}

/* What can be wrong with the values of options, found before anything else is done. */
static void check_options(struct options *o, struct client *client)
{
    struct slice flags = slice_of(o->flags != NULL ? o->flags : "");
    size_t bad = log_set_flags(flags);
    char message[256];

    if (bad < flags.len)
        die_usage("'%c' is no debug flag, expected any of " LOG_FLAGS, flags.text[bad]);
    if (o->user != NULL && !o->test && o->pretend == NULL && o->replay == NULL)
        die_usage("-u is for -t, -P and -r");
    if (o->user != NULL && account_find(&(struct account){ .uid = 0 }, o->user) != 0)
        die_usage("there is no user '%s'", o->user);
    if (o->user != NULL && !o->test && geteuid() != 0)
        die_usage("only root can become '%s'", o->user);
    if ((o->explain || o->replay != NULL) && client_is_tcp(STDIN_FILENO))
        die_usage("-%c is not for real connections", o->explain ? 'x' : 'r');
    while (!o->explain && o->words != NULL && o->words[o->numbers] != NULL && replay_is_number(o->words[o->numbers]))
        o->numbers++;
    if (o->words != NULL && !scenario_parse(&o->scenario, o->words + o->numbers, message, sizeof message))
        die_usage("%s", message);
    if (o->rehearse && o->pretend == NULL && !o->explain && o->replay == NULL)
        die_usage("-n needs -P or -r");
    if (o->pretend == NULL)
        return;
    if (client_is_tcp(STDIN_FILENO))
        die_usage("-P is not for real connections");
    if (client_pretend(client, o->pretend) != CLIENT_OK)
        die_usage("'%s' is no client, expected ADDRESS or ADDRESS=NAME", o->pretend);
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
    return output_status() != EX_OK ? EX_IOERR : status;
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
    return output_status() != EX_OK ? EX_IOERR : status;
}

/*
 * Where a person tries something as root, which serves as another user, root must not make files in the way of that
 * user; who that is must be said.
 */
static void take_user(const struct options *o, struct conf *conf)
{
    char path[REACH_PATH], log[REACH_PATH];

    if (o->user != NULL)
        conf->base.user = slice_of(o->user);
    if (geteuid() != 0 || conf->base.user.len > 0 || conf->errors > 0)
        return;
    text_string(log, sizeof log, conf->base.logfile);
    if (access_makes_for_others(conf, o->log != NULL ? o->log : is_typed(o) ? NULL : log, path))
        die_usage("%s would be made by root, and others than root use that directory: say who serves with -u USER "
                  "(-u root: really root), or with 'user' in the configuration", path);
}

/* Is this for a client, and not for a person who tries something? */
static bool in_service(const struct options *o)
{
    return !o->test && !o->show && !o->explain && o->replay == NULL && o->pretend == NULL;
}

int main(int argc, char **argv)
{
    struct options options = { .conf = SYSCONFDIR "/mailrecv.conf" };
    static struct conf conf;
    static struct client client;
    int status;

    fill_descriptors();
    set_signals();
    parse_options(argc, argv, &options);
    if (in_service(&options))
        inherited_close(); /* a person may name /dev/fd/N */
    if (options.log != NULL && !options.test && !options.show)
        privileges_open_log(options.log, options.log);
    check_options(&options, &client);
    conf_load(&conf, options.conf);
    if (options.rehearse)
        conf.delivery.rehearse = deliver_nothing;
    if (options.rehearse || is_typed(&options))
        conf.client.lockout_db = (struct slice){ "", 0 }; /* nobody shall be locked out by somebody else's tests */
    if (options.replay != NULL || (options.pretend != NULL && !options.explain && !options.test && !options.show))
        take_user(&options, &conf);
    if (options.test) {
        status = check_configuration(&conf, &options);
    } else if (options.show) {
        status = show_contacts(&options, &conf);
    } else if (options.explain) {
        status = explain_configuration(&options, &conf, &client);
    } else if (options.replay != NULL) {
        status = replay_messages(&options, &conf, &client);
    } else {
        enum client_status found = find_client(&options, &client);

        open_log(&options, &conf);
        if (found != CLIENT_OK)
            log_line(LOG_NOTICE, "the client has gone before it was greeted");
        status = found == CLIENT_OK
                     ? serve_client(&conf, &client, &terminated, is_typed(&options) ? begin_typed : NULL)
                     : EX_NOINPUT;
        if (conf.errors > 0 && isatty(STDERR_FILENO))
            check_print(&conf, stderr, wants_colours());
    }
    conf_free(&conf);
    return status;
}
