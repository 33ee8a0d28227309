/* explain.c - why a mail would be accepted or refused, and what would become of it (-x) */
/*
 * There is no second opinion here: smtp.c holds a real session with us, in which nothing is delivered. Two
 * pipes are the connection. Whenever the dialogue wants more input, its reply to the last command is in
 * one of them, and the next command is put into the other. What decides has logged its reasons meanwhile.
 */
#include "admin/explain.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/cold.h"
#include "base/glyph.h"
#include "base/log.h"
#include "client/lockout.h"
#include "delivery/environment.h"
#include "delivery/facts.h"
#include "delivery/path.h"
#include "monitor/monitor.h"
#include "session/line.h"
#include "smtp.h"

enum { REFUSED = 1 }; /* exit status */

/* What is being said; recipients are one step each. */
enum step { GREETING, HELO, MAIL, RCPT, DATA, MESSAGE, QUIT };

static struct play {
    const struct scenario *scenario;
    const struct client *client;
    int commands, replies;  /* our ends of the pipes */
    bool lmtp;
    enum step step;
    size_t recipient;       /* the next one */
    size_t accepted;        /* recipients */
    bool refused;           /* anything */
    bool unknown;           /* what decides could not be read */
    bool stopped;           /* before the recipients */
} play;

/* ---- what is printed --------------------------------------------------------------------- */

/* What the log has encoded, as far as it can be printed: <0x5c> is a backslash again. */
static void print_decoded(const char *event)
{
    for (; *event != '\0'; event++) {
        bool encoded = strncmp(event, "<0x", 3) == 0;
        char *end = NULL;
        unsigned long byte = encoded ? strtoul(event + 3, &end, 16) : 0;

        if (byte >= ' ' && byte <= '~' && end == event + 5 && *end == '>') {
            putchar((int)byte);
            event = end;
        } else {
            putchar(*event);
        }
    }
}

/* For log_divert: reasons, questions to DNS, troubles and refusals; not what any session logs. */
static void print_event(int level, const char *event)
{
    static const char debug[] = "DEBUG r: ";
    size_t skip = sizeof debug - 1;

    if (level == LOG_DEBUG && strlen(event) > skip) {
        fputs(event[skip - 3] == 'h' ? "    DNS: " : "    ", stdout);
        print_decoded(event + skip);
        putchar('\n');
    } else if (level != LOG_INFO && level != LOG_WARNING) {
        printf("    log: %s\n", event);
    }
}

/* A value as it is, but that a terminal is not to be commanded by it. */
static void print_text(const char *text)
{
    for (struct slice rest = slice_of(text); rest.len > 0;) {
        const struct glyph glyph = glyph_at(rest);
        const bool commands = glyph.code < ' ' || (glyph.kind == GLYPH_UNSEEN && glyph.code < 0xa0);

        for (size_t i = 0; i < glyph.len; i++)
            printf(commands ? "<0x%02x>" : "%c", (unsigned char)rest.text[i]);
        rest = (struct slice){ rest.text + glyph.len, rest.len - glyph.len };
    }
}

static void print_command(const struct transaction *t, const struct recipient *r, const struct target *target)
{
    static struct environment environment COLD_BSS;
    struct copy copy;
    char argument[8192];
    int error;

    for (size_t i = 0; target->kind == TARGET_EXEC && i < target->argument_count; i++) {
        fputs(" \"", stdout);
        print_text(facts_argument(t, r, &target->arguments[i], argument, sizeof argument));
        putchar('"');
    }
    putchar('\n');
    copy_begin(&copy, t, r, t->settings->pipe_from_line);
    error = environment_build(&environment, t, r, copy_size(&copy));
    if (error != 0)
        printf("        the environment cannot be made, and the command would not be started: %s\n", strerror(error));
    for (size_t i = 0; i < environment.count; i++) {
        fputs("        ", stdout);
        print_text(environment.variables[i]);
        putchar('\n');
    }
}

/* What the next server would hear. */
static void print_handover(const struct transaction *t, const struct recipient *r, const struct hop *hop)
{
    static const char *const ways[] = { [HOP_IF_OFFERED] = "with STARTTLS if it is offered", [HOP_CLEAR] = "in clear",
                                        [HOP_STARTTLS] = "with STARTTLS", [HOP_TLS] = "in TLS" };

    printf("        %s, %s%s%s%s\n", hop->lmtp ? "LMTP" : "SMTP", ways[hop->security],
           hop->verify ? ", to nobody without a good certificate" : "", hop->auth.len > 0 ? ", logged in" : "",
           hop->ask ? ", would be asked at RCPT; not asked here" : "");
    fputs("        MAIL FROM:<", stdout);
    print_text(t->sender->text);
    for (; r != NULL; r = r->together) {
        fputs(">\n        RCPT TO:<", stdout);
        print_text(r->address.text);
    }
    puts(">");
}

/* A target that lies where whoever asks may not look: nobody knows whether it is there. */
static void print_target_trouble(struct slice target)
{
    char path[PATH_MAX];
    struct stat status;

    if (target.len > 0 && target.text[0] == '/' &&
        snprintf(path, sizeof path, "%.*s", (int)target.len, target.text) < (int)sizeof path &&
        lstat(path, &status) != 0 && errno == EACCES)
        puts("        you may not look there, so that it is not known whether this can be done; mailrecv -t by root knows");
}

/* The path that a table has chosen; empty if that is none. */
static struct slice print_chosen(const struct target *target, const struct recipient *r, char path[PATH_MAX])
{
    const char *wrong = path_of(target, r, path);

    print_text(path);
    if (wrong != NULL)
        printf(": %s", wrong);
    return slice_of(wrong == NULL ? path : "");
}

/* For conf->delivery.rehearse. */
static void print_delivery(const struct transaction *t, const struct recipient *r, const struct target *target)
{
    static const char *const kinds[] = { [TARGET_APPEND] = "append", [TARGET_MAILDIR] = "maildir",
                                         [TARGET_PIPE] = "pipe", [TARGET_EXEC] = "exec",
                                         [TARGET_LMTP] = "lmtp", [TARGET_SMTP] = "smtp" };

    struct slice text = target->text;
    char path[PATH_MAX];

    fputs("delivery to ", stdout);
    print_text(r->address.text);
    printf("\n    %s:", source_path(t->rules->groups.sources, r->rule->line));
    if (r->rule->line > 0)
        printf("%u: ", source_line(t->rules->groups.sources, r->rule->line));
    else
        fputs(" deadletter_file: ", stdout);
    printf("%s ", kinds[target->kind]);
    if (path_is_chosen(target))
        text = print_chosen(target, r, path);
    else
        printf("%.*s", (int)text.len, text.text);
    if (target->kind == TARGET_PIPE || target->kind == TARGET_EXEC)
        print_command(t, r, target);
    else
        putchar('\n');
    if (target->hop != NULL)
        print_handover(t, r, target->hop);
    else if (target->kind != TARGET_PIPE)
        print_target_trouble(text);
}

static void print_client(const struct client *client)
{
    printf("client %s", client->address);
    if (client->state == CLIENT_NAME_CONFIRMED)
        printf(" %s", client->name);
    if (client->tls.protocol[0] != '\0')
        printf(", %s", client->tls.protocol);
    if (client->tls.fingerprint[0] != '\0')
        printf(", certificate %s", client->tls.fingerprint);
    if (client->user[0] != '\0') {
        fputs(", authenticated as ", stdout);
        print_text(client->user);
    }
    putchar('\n');
}

/* ---- the dialogue ------------------------------------------------------------------------ */

/* Sends a command, and shows it unless nobody has asked for it. */
static void say(const char *verb, const char *path, const char *parameters)
{
    char line[LINE_MAX_COMMAND];
    int len = snprintf(line, sizeof line, "%s%s%s%s%s\r\n", verb, path != NULL && path[0] != '<' ? "<" : "",
                       path != NULL ? path : "", path != NULL && path[0] != '<' ? ">" : "", parameters);

    if (path != NULL || play.step == HELO) {
        print_text(verb);
        printf("%.*s\n", len - (int)strlen(verb) - 2, line + strlen(verb));
    }
    /* words are short enough, and the pipe is empty; if not, the session hears nothing more */
    if (len < 0 || (size_t)len >= sizeof line || write(play.commands, line, (size_t)len) != len)
        play.stopped = true;
}

static bool needs_utf8(const struct scenario *s)
{
    bool needs = false;

    for (size_t i = 0; i <= s->count; i++) {
        const char *text = i < s->count ? s->recipients[i] : s->from != NULL ? s->from : "";

        for (; *text != '\0'; text++)
            needs = needs || (unsigned char)*text >= 0x80;
    }
    return needs;
}

/* What a client that does not say its name is supposed to call itself: an address literal (RFC 5321 4.1.4). */
static void say_helo(void)
{
    const struct client *client = play.client;
    const char *verb = play.lmtp ? "LHLO" : "EHLO";
    char line[LINE_MAX_COMMAND];

    if (play.scenario->helo != NULL)
        (void)snprintf(line, sizeof line, "%s %s", verb, play.scenario->helo);
    else if (client->family == AF_UNSPEC)
        (void)snprintf(line, sizeof line, "%s localhost", verb);
    else
        (void)snprintf(line, sizeof line, "%s [%s%s]", verb, client->family == AF_INET6 ? "IPv6:" : "", client->address);
    say(line, NULL, "");
}

/* Goes on to what is to be said next. */
static enum step next_step(void)
{
    const struct scenario *s = play.scenario;

    switch (play.step) {
    case GREETING:
        return HELO;
    case HELO:
        return MAIL;
    case MAIL:
    case RCPT:
        return play.recipient < s->count ? RCPT : play.accepted > 0 ? DATA : QUIT;
    case DATA:
        return MESSAGE;
    case MESSAGE:
    case QUIT:
        break;
    }
    return QUIT;
}

static void say_next(void)
{
    const struct scenario *s = play.scenario;

    play.step = play.stopped ? QUIT : next_step();
    switch (play.step) {
    case HELO:
        say_helo();
        break;
    case MAIL:
        say("MAIL FROM:", s->from != NULL ? s->from : "", needs_utf8(s) ? " SMTPUTF8" : "");
        break;
    case RCPT:
        say("RCPT TO:", s->recipients[play.recipient++], "");
        break;
    case DATA:
        say("DATA", NULL, "");
        break;
    case MESSAGE:
        say(".", NULL, "");
        break;
    case GREETING:
    case QUIT:
        say("QUIT", NULL, "");
        break;
    }
}

/* The reply to the last step: shown where it says something about the mail. */
static void hear(void)
{
    char reply[8192];
    ssize_t n = read(play.replies, reply, sizeof reply - 1);
    bool refuses, shown;

    if (n <= 0)
        return; /* there is none: the session has ended before */
    reply[n] = '\0';
    refuses = reply[0] >= '4';
    shown = refuses || play.step == GREETING || play.step == MAIL || play.step == RCPT;
    play.refused = play.refused || (refuses && play.step != QUIT);
    play.stopped = play.stopped || (refuses && play.step != RCPT);
    play.accepted += play.step == RCPT && !refuses;
    for (const char *line = strtok(reply, "\r\n"); shown && line != NULL; line = strtok(NULL, "\r\n"))
        printf("    %s\n", line);
}

/* For line_io. */
static void go_on(struct line_io *io)
{
    (void)io;
    hear();
    say_next();
}

/* ---- what cannot be read ----------------------------------------------------------------- */

/* May the file not be read by whoever asks? That there is none is another matter. */
static bool is_closed(struct slice path, char name[PATH_MAX])
{
    int fd, error;

    if (path.len == 0 || snprintf(name, PATH_MAX, "%.*s", (int)path.len, path.text) >= PATH_MAX)
        return false;
    fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    error = errno;
    if (fd >= 0)
        (void)close(fd); /* only to see whether it can be opened */
    return fd < 0 && (error == EACCES || error == EPERM);
}

/* Says which files decide, in the service, and cannot be read here: what follows is then not what the service does. */
static void consider_files(const struct conf *conf, const struct client *client)
{
    bool user = client->user[0] != '\0', tls = conf->client.tls != TLS_OFF && client->tls.protocol[0] != '\0';
    const struct {
        const char *keyword;
        struct slice path;
        bool decides;
        const char *what;
    } files[] = {
        { "lockout.db", conf->client.lockout_db, true, "whether the client is locked out" },
        { "auth.users", conf->client.auth_users, user && conf->client.auth_command.path.len == 0,
          "whether that user can log in" },
        { "auth.senders", conf->client.auth_senders, user && conf->client.auth_sender_check,
          "which senders that user may be" },
        { "tls.cert", conf->client.tls_cert[0], tls, "whether TLS can begin" },
        { "tls.key", conf->client.tls_key[0], tls, "whether TLS can begin" },
        { "tls.cert", conf->client.tls_cert[1], tls, "whether TLS can begin" },
        { "tls.key", conf->client.tls_key[1], tls, "whether TLS can begin" },
        { "tls.client_ca", conf->client.tls_client_ca, tls, "whose certificates are believed" },
    };
    char name[PATH_MAX];

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        if (files[i].decides && is_closed(files[i].path, name)) {
            printf("    %s: you may not read %s, so that it is not known %s; ask as root or as the user of the service\n",
                   files[i].keyword, name, files[i].what);
            play.unknown = true;
        }
}

/*
 * What is kept of clients between sessions is looked at and not changed; what only takes time, or needs a
 * connection, is left out.
 */
static void consider_lockout(struct conf *conf, struct client *client)
{
    const struct lockout lockout = { .settings = &conf->client, .groups = &conf->rules.groups, .client = client };
    uint64_t until = lockout_until(&lockout);
    char text[LOCKOUT_TIME];

    if (until != 0)
        printf("    lockout.db: locked out until %s, whatever the rules say; mailrecv -S clear %s ends that\n",
               lockout_time(until, text), client->address);
    play.refused = until != 0;
    conf->client.lockout_db = (struct slice){ "", 0 };
    conf->session.tarpit = 0;
    conf->client.early_talker.limit.value = 0;
}

static bool connect_pipes(struct line_io *io)
{
    int commands[2], replies[2];

    if (pipe2(commands, O_CLOEXEC) != 0 || pipe2(replies, O_CLOEXEC) != 0 ||
        fcntl(replies[0], F_SETFL, O_NONBLOCK) != 0)
        return false;
    play.commands = commands[1];
    play.replies = replies[0];
    line_init(io, commands[0], replies[1], NULL);
    io->before_wait = go_on;
    return true;
}

int explain(struct conf *conf, struct client *client, const struct scenario *scenario)
{
    static struct line_io io COLD_BSS;
    static const volatile sig_atomic_t terminated;
    struct monitor *monitor;
    struct session *session;

    play = (struct play){ .scenario = scenario, .client = client, .lmtp = session_lmtp(&conf->session) };
    if (client->family != AF_UNSPEC && client->state == CLIENT_NAME_NONE)
        client->state = CLIENT_NAME_UNASKED; /* nobody has said that it has none */
    if (conf->client.tls == TLS_IMPLICIT)
        client_pretend_tls(client);
    scenario_apply(scenario, client);
    conf->delivery.rehearse = print_delivery;
    log_divert(print_event);
    monitor = monitor_begin(conf, client, &terminated);
    if (monitor == NULL || !connect_pipes(&io)) {
        fprintf(stderr, "mailrecv: cannot begin: %s\n", strerror(errno));
        return EX_OSERR;
    }
    print_client(client);
    consider_files(conf, client);
    consider_lockout(conf, client);
    session = smtp_greet(&io, monitor, conf);
    monitor_announce(monitor); /* what there was wrong with the decision */
    smtp_session(session);
    hear(); /* its last word */
    monitor_end(monitor);
    return play.unknown ? EX_NOPERM : play.refused ? REFUSED : EX_OK;
}
