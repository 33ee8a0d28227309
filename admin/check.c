/* check.c - what is wrong or doubtful in a configuration, told to a person */
#include "admin/check.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "admin/access.h"
#include "admin/helper_check.h"
#include "admin/hop_check.h"
#include "admin/lint.h"
#include "admin/services.h"
#include "admin/store_check.h"
#include "base/account.h"
#include "base/json.h"
#include "base/outlet.h"
#include "base/sandbox.h"
#include "conf/mend.h"
#include "rules/rewrite.h"

/* ---- patterns ---------------------------------------------------------------------------- */

/* `skip` is where the pattern begins in its word: behind the slash of /REGEX/. */
static void check_pattern(struct conf *conf, struct pattern *pattern, size_t skip)
{
    char message[256], mended[MEND_MAX];
    size_t offset = 0;

    if (pattern_compile(pattern, message, sizeof message, &offset))
        return;
    conf_complain(conf, SEVERITY_ERROR, pattern->line, conf_column(conf, pattern->line, pattern->column, skip + offset),
                  "bad regular expression: %s", message);
    if (mend_glob(pattern->text, pattern->utf ? REGEX_RECIPIENT : REGEX_NAME, mended) == MEND_FOUND)
        conf_advise(conf, "write: %s", mended);
    else if (strstr(message, "range out of order") != NULL)
        conf_advise(conf, "write the lower one first; case does not matter, so that a-z is all letters");
}

static void check_list(struct patterns *list, void *conf)
{
    for (struct pattern *pattern = list->first; pattern != NULL; pattern = pattern->next)
        check_pattern(conf, pattern, 0);
}

static void check_mailboxes(struct conf *conf, const struct mailboxes *mailboxes)
{
    if (mailboxes->kind == MAILBOXES_PATTERN)
        check_pattern(conf, mailboxes->pattern, 1);
}

static void check_rule(struct conf *conf, const struct rule *rule)
{
    check_mailboxes(conf, &rule->rcpt);
    for (const struct condition *c = rule->conditions; c != NULL; c = c->next)
        if (c->kind == CONDITION_FROM)
            check_mailboxes(conf, c->from);
        else if (c->kind == CONDITION_HELO)
            check_pattern(conf, c->pattern, 1);
}

/* What the new address wants of the expression, it must have. */
static void check_rewrite(struct conf *conf, struct rewrite *rewrite)
{
    const unsigned errors = conf->errors;
    struct slice missing;

    check_pattern(conf, &rewrite->pattern, 1);
    if (conf->errors > errors || !rewrite_misses(rewrite, &missing))
        return;
    conf_complain(conf, SEVERITY_ERROR, rewrite->line, conf_column_of(conf, rewrite->line, missing),
                  "the expression has no group for ${%.*s}", (int)missing.len, missing.text);
    conf_advise(conf, "write ( and ) around what it is to catch, or (?<NAME> and ) for a name");
}

static void check_patterns(struct conf *conf)
{
    groups_each(&conf->rules.groups, check_list, conf);
    for (const struct rule *r = conf->rules.first_rule; r != NULL; r = r->next)
        check_rule(conf, r);
    for (struct refusal *r = conf->rules.first_refusal; r != NULL; r = r->next)
        if (r->table == NULL)
            check_pattern(conf, &r->pattern, 0);
    for (enum rewritten whose = 0; whose < REWRITTEN; whose++)
        for (struct rewrite *r = conf->rules.first_rewrite[whose]; r != NULL; r = r->next)
            check_rewrite(conf, r);
}

/* ---- settings ---------------------------------------------------------------------------- */

static void check_dead_letters(struct conf *conf)
{
    struct conf_place place = conf_place_of(conf, "deadletter_file", conf->delivery.deadletter_file);

    if (conf->delivery.deadletter_file.len == 0) {
        conf_complain(conf, SEVERITY_NOTE, 0, 0, "no deadletter_file: mail for an address without a rule is refused "
                      "with 550");
    } else if (!delivery_keeps_dead_letters(&conf->delivery)) {
        conf_complain(conf, SEVERITY_WARNING, place.line, place.column, "mail for an address without a rule is "
                      "accepted and thrown away; a delivery that fails temporarily is answered with 451");
        conf_advise(conf, "take the line out, or write a file that holds mail");
    }
}

/* Is it for clients without an address, or was it to be? They have no name. */
static bool is_for_local(const struct pattern *p)
{
    return slice_equal(p->text, (struct slice)SLICE("^local$")) || slice_equal_nocase(p->text, (struct slice)SLICE("local"));
}

/* Finds the pattern for names that stands first in the file; `context` points to the pointer that will be it. */
static void find_first_name(struct patterns *list, void *context)
{
    struct pattern **first = context, *p = list->first;

    while (p != NULL && (is_for_local(p) || (pattern_scope(p) != SCOPE_NAMES && pattern_scope(p) != SCOPE_BOTH)))
        p = p->next;
    if (p != NULL && (*first == NULL || p->line < (*first)->line))
        *first = p;
}

static void check_names(struct conf *conf)
{
    struct pattern *first = NULL;

    groups_each(&conf->rules.groups, find_first_name, &first);
    if (first != NULL)
        conf_complain(conf, SEVERITY_NOTE, first->line, first->column,
                      "host names count only when they are forward-confirmed: when DNS leads from the name back to the address");
}

/* AUTH without TLS would show passwords to whoever listens. */
static void check_auth(struct conf *conf)
{
    struct conf_place place = conf_place_of(conf, "auth", (struct slice){ NULL, 0 });

    if (conf->client.auth == AUTH_OFF || conf->client.tls != TLS_OFF || conf->client.auth_insecure)
        return;
    conf_complain(conf, SEVERITY_WARNING, place.line, place.column,
                  "AUTH is never offered, because that takes TLS and tls is off%s",
                  conf->client.auth == AUTH_REQUIRED ? ": nobody can send mail" : "");
    conf_advise(conf, "write: tls required, tls.cert PATH and tls.key PATH");
}

static void check_commands(struct conf *conf)
{
    bool commands = false;

    for (const struct rule *rule = conf->rules.first_rule; rule != NULL; rule = rule->next)
        commands = commands || rule->target.kind == TARGET_PIPE;
    if (commands && !conf->delivery.pipe_from_line)
        conf_complain(conf, SEVERITY_NOTE, 0, 0, "commands get the message without an mbox From line "
                      "(pipe.from_line on brings it back)");
}

/* The key of a customer is in the name that is asked, and is nobody else's business. */
static void check_keys(struct conf *conf)
{
    for (const struct host_list *list = conf->rules.groups.lists; list != NULL; list = list->next) {
        struct slice shown = list_public_part(list->zone);

        if (shown.len == list->zone.len || shown.text != list->name.text)
            continue;
        conf_complain(conf, SEVERITY_NOTE, list->line, conf_column_of(conf, list->line, list->zone),
                      "clients, commands and the log are told %.*s: what stands before it looks like a key",
                      (int)shown.len, shown.text);
        conf_advise(conf, "write as NAME behind the zone, and its filter, if they are to be told something else");
    }
}

/* Lists answer with errors and hints, too, and zones change hands: then everybody is on the list. */
static void check_lists(struct conf *conf)
{
    for (const struct host_list *list = conf->rules.groups.lists; list != NULL; list = list->next)
        if (!list->filtered) {
            conf_complain(conf, SEVERITY_WARNING, list->line, conf_column_of(conf, list->line, list->zone),
                          "without a filter such as =127.0.0.2..11, any answer of %.*s below 127.0.0.0/8 says that "
                          "a host is listed", (int)list->name.len, list->name.text);
            conf_advise(conf, "write: %.*s =127.0.0.2..11, or what the list says of its answers", (int)list->zone.len,
                        list->zone.text);
        }
}

static void check_lockout(struct conf *conf)
{
    static const char words[][20] = { "lockout.violations", "lockout.period", "lockout.secs", "lockout.exempt" };

    for (size_t i = 0; i < sizeof words / sizeof words[0] && conf->client.lockout_db.len == 0; i++) {
        struct conf_place place = conf_place_of(conf, words[i], (struct slice){ NULL, 0 });

        if (place.line > 0)
            conf_complain(conf, SEVERITY_WARNING, place.line, place.column, "'%s' has no effect without lockout.db",
                          words[i]);
    }
}

static void check_ledger(struct conf *conf)
{
    const struct conf_place secs = conf_place_of(conf, "ledger.secs", (struct slice){ NULL, 0 });

    if (secs.line > 0 && conf->delivery.ledger.len == 0)
        conf_complain(conf, SEVERITY_WARNING, secs.line, secs.column, "'ledger.secs' has no effect without ledger");
}

static void check_early_talker(struct conf *conf)
{
    struct conf_place place = conf_place_of(conf, "limit.early_talker", (struct slice){ NULL, 0 });

    if (conf->client.early_talker.limit.value != 0 && conf->client.tls == TLS_IMPLICIT)
        conf_complain(conf, SEVERITY_WARNING, place.line, place.column, "'limit.early_talker' has no effect with "
                      "tls implicit, where clients have to talk first");
}

/* What is longer than the session never comes to its end. */
static void check_times(struct conf *conf)
{
    const struct { const char *word; uint64_t secs; } longer[] = {
        { "limit.pipe_secs", conf->delivery.pipe_secs.value }, { "limit.handover_secs", conf->delivery.handover_secs.value }
    };
    const struct conf_place timeout = conf_place_of(conf, "dns.timeout", (struct slice){ NULL, 0 });

    for (size_t i = 0; i < sizeof longer / sizeof longer[0]; i++) {
        struct conf_place place = conf_place_of(conf, longer[i].word, (struct slice){ NULL, 0 });

        if (place.line > 0 && longer[i].secs > conf->session.connection_secs.value)
            conf_complain(conf, SEVERITY_WARNING, place.line, place.column,
                          "the session is over before: limit.connection_secs is %" PRIu64,
                          conf->session.connection_secs.value);
    }
    if (timeout.line > 0 && conf->dns.timeout < 100) {
        conf_complain(conf, SEVERITY_WARNING, timeout.line, timeout.column, "these are milliseconds, in which hardly a "
                      "question is answered");
        conf_advise(conf, "write: dns.timeout %" PRIu64 ", if seconds were meant", (uint64_t)conf->dns.timeout * 1000);
    }
}

static void check_greeting(struct conf *conf)
{
    const struct slice text = conf->session.greeting;
    const struct conf_place place = conf_place_of(conf, "greeting", text);

    if (place.line == 0 || text.len < 4 || strncmp(text.text, "220", 3) != 0 || (text.text[3] != ' ' && text.text[3] != '-'))
        return;
    conf_complain(conf, SEVERITY_WARNING, place.line, place.column, "the code is put before the text: clients hear 220 %.*s",
                  (int)text.len, text.text);
    conf_advise(conf, "write: greeting %.*s", (int)text.len - 4, text.text + 4);
}

static void check_default_reply(struct conf *conf)
{
    const struct limit *limit = conf->default_reply;

    if (conf->default_replies > 1)
        conf_complain(conf, SEVERITY_NOTE, limit->line, 1, "without CODE and TEXT %u limits have their default replies",
                      conf->default_replies);
    if (conf->default_replies == 1)
        conf_complain(conf, SEVERITY_NOTE, limit->line, 1, "without CODE and TEXT the reply is the default: %u %u.%.*s %.*s",
                      limit->reply.code, limit->reply.code / 100, (int)limit->reply.status.len, limit->reply.status.text,
                      (int)limit->reply.text.len, limit->reply.text.text);
}

static bool has_delivery(const struct conf *conf)
{
    const struct rule *rule = conf->rules.first_rule;

    while (rule != NULL && rule->kind != RULE_DELIVER)
        rule = rule->next;
    return rule != NULL;
}

/* What somebody who comes from 1.x, or is in a hurry, should know. */
static void check_settings(struct conf *conf)
{
    struct conf_place fsync = conf_place_of(conf, "fsync", (struct slice){ NULL, 0 });

    if (!has_delivery(conf) && conf->delivery.deadletter_file.len == 0)
        conf_complain(conf, SEVERITY_NOTE, 0, 0, "no deliver line: no mail is accepted");
    check_dead_letters(conf);
    check_names(conf);
    check_keys(conf);
    check_lists(conf);
    check_commands(conf);
    check_auth(conf);
    check_lockout(conf);
    check_ledger(conf);
    check_early_talker(conf);
    check_times(conf);
    check_greeting(conf);
    check_default_reply(conf);
    if (!conf->delivery.fsync) {
        conf_complain(conf, SEVERITY_WARNING, fsync.line, fsync.column, "an accepted message can be lost with the power");
        conf_advise(conf, "take the line out, unless the mail is on a temporary file system anyway");
    }
}

void check_conf(struct conf *conf)
{
    check_patterns(conf);
    if (conf->errors > 0)
        return;
    check_settings(conf);
    lint_rules(conf);
}

/* ---- this host --------------------------------------------------------------------------- */

static void check_sandbox(struct conf *conf)
{
    const char *missing = conf->base.sandbox != SANDBOX_OFF ? sandbox_missing() : "";

    if (missing[0] != '\0')
        conf_complain(conf, conf->base.sandbox == SANDBOX_TRY ? SEVERITY_WARNING : SEVERITY_ERROR, 0, 0,
                      "sandbox: this kernel has no %s", missing);
}

/* `user` is whom the super-server makes it, NULL: that is not known. */
static void check_user(struct conf *conf, const char *user)
{
    struct conf_place place = conf_place_of(conf, "user", conf->base.user);
    struct account account;
    char name[ACCOUNT_NAME];
    bool known;

    (void)snprintf(name, sizeof name, "%.*s", (int)conf->base.user.len, conf->base.user.text);
    known = account_find(&account, user != NULL ? user : name) == 0;
    if (user == NULL && conf->base.user.len == 0 && geteuid() == 0) {
        conf_complain(conf, SEVERITY_NOTE, 0, 0, "no user: when it is started as root, mailrecv serves as root");
        conf_advise(conf, "write: user mailrecv; or, if the super-server sees to that, ask mailrecv -t -u mailrecv");
    } else if (user == NULL && conf->base.user.len > 0 && !known) {
        conf_complain(conf, SEVERITY_WARNING, place.line, place.column,
                      "there is no user %s: started as root, mailrecv would serve nobody", name);
        conf_advise(conf, "run: useradd --system --user-group --home-dir / --shell /usr/sbin/nologin %s", name);
    } else if (known && (user != NULL || conf->base.user.len > 0) && account.uid == 0) {
        conf_complain(conf, SEVERITY_WARNING, place.line, place.column,
                      "mailrecv serves as root: a mistake in a command is root's");
        conf_advise(conf, "write: user mailrecv");
    }
}

/* Who has not written that the log goes to syslog is told in the log that it went to standard error. */
static void check_log(struct conf *conf)
{
    struct conf_place place = conf_place_of(conf, "logfile", conf->base.logfile);
    struct outlet outlet;

    if (place.line == 0 || !slice_equal(conf->base.logfile, slice_of("syslog")))
        return;
    if (!outlet_connect_syslog(&outlet)) {
        conf_complain(conf, SEVERITY_WARNING, place.line, place.column,
                      "the log is to go to syslog, but nothing listens at /dev/log: %s", strerror(errno));
        conf_advise(conf, "start a syslog daemon, or write: logfile /var/log/mailrecv.log, or logfile stderr");
    }
    outlet_close(&outlet);
}

void check_host(struct conf *conf, const char *user)
{
    check_sandbox(conf);
    if (conf->errors > 0)
        return;
    check_log(conf);
    check_user(conf, user);
    services_check(conf);
    helper_check(conf, access_check(conf, user));
    hop_check(conf);
    store_check(conf);
}

enum severity check_worst(const struct conf *conf)
{
    enum severity worst = SEVERITY_NOTE;

    for (const struct conf_problem *p = conf->problems; p != NULL; p = p->next)
        worst = p->severity < worst ? p->severity : worst;
    return worst;
}

/* ---- for people -------------------------------------------------------------------------- */

enum colour { PLAIN, BOLD, RED, MAGENTA, CYAN, GREEN };

/* Writes the text in a colour, where there are colours. */
static void __attribute__((format(printf, 4, 5)))
paint(FILE *out, bool colours, enum colour colour, const char *format, ...)
{
    static const char codes[][8] = { [PLAIN] = "", [BOLD] = "\033[1m", [RED] = "\033[1;31m", [MAGENTA] = "\033[1;35m",
                                     [CYAN] = "\033[1;36m", [GREEN] = "\033[1;32m" };
    va_list args;

    va_start(args, format);
    if (colours && colour != PLAIN)
        fputs(codes[colour], out);
    vfprintf(out, format, args);
    if (colours && colour != PLAIN)
        fputs("\033[0m", out);
    va_end(args);
}

/* The line itself and a caret under the column; tabs stay tabs, so that the caret meets its place. */
static void print_source(struct place at, FILE *out, bool colours)
{
    struct slice line = at.text;

    fputs("    ", out);
    for (size_t i = 0; i < line.len; i++) /* control characters are for nobody's terminal */
        fputc(line.text[i] != '\t' && iscntrl((unsigned char)line.text[i]) != 0 ? '?' : line.text[i], out);
    fputs("\n    ", out);
    for (unsigned i = 1; i < at.column; i++)
        fputc(i <= line.len && line.text[i - 1] == '\t' ? '\t' : ' ', out);
    paint(out, colours, GREEN, "^");
    fputc('\n', out);
}

static void print_problem(const struct conf *conf, const struct conf_problem *problem, FILE *out, bool colours)
{
    static const struct {
        char word[10];
        enum colour colour;
    } kinds[] = { [SEVERITY_ERROR] = { "", RED }, [SEVERITY_WARNING] = { "warning: ", MAGENTA },
                  [SEVERITY_NOTE] = { "note: ", CYAN } };

    struct place at = conf_problem_place(conf, problem);

    paint(out, colours, BOLD, "%s:", at.path);
    if (problem->line > 0)
        paint(out, colours, BOLD, "%u:%u:", at.line, at.column);
    fputc(' ', out);
    paint(out, colours, kinds[problem->severity].colour, "%s", kinds[problem->severity].word);
    paint(out, colours, problem->severity == SEVERITY_ERROR ? RED : PLAIN, "%s", problem->message);
    fputc('\n', out);
    if (problem->line > 0 && problem->severity != SEVERITY_NOTE)
        print_source(at, out, colours);
    if (problem->advice == NULL)
        return;
    paint(out, colours, GREEN, "    %s", problem->advice);
    fputc('\n', out);
}

void check_print(const struct conf *conf, FILE *out, bool colours)
{
    for (const struct conf_problem *problem = conf->problems; problem != NULL; problem = problem->next)
        print_problem(conf, problem, out, colours);
}

/* ---- for programs ------------------------------------------------------------------------ */

static void print_json_text(FILE *out, struct slice text)
{
    char escaped[JSON_CHARACTER];

    fputc('"', out);
    while (text.len > 0) {
        const char *character = json_character(&text, escaped).text;

        fputs(character[0] == '\x7f' ? "\\u007f" : character, out); /* terminals show it, too */
    }
    fputc('"', out);
}

static void print_json_problem(const struct conf *conf, const struct conf_problem *problem, FILE *out)
{
    static const char words[][8] = { [SEVERITY_ERROR] = "error", [SEVERITY_WARNING] = "warning",
                                     [SEVERITY_NOTE] = "note" };

    struct place at = conf_problem_place(conf, problem);

    fprintf(out, "{\"severity\":\"%s\",\"file\":", words[problem->severity]);
    print_json_text(out, slice_of(at.path));
    fputs(",\"line\":", out);
    if (problem->line > 0)
        fprintf(out, "%u,\"column\":%u,\"source\":", at.line, at.column);
    else
        fputs("null,\"column\":null,\"source\":", out);
    if (problem->line > 0)
        print_json_text(out, at.text);
    else
        fputs("null", out);
    fputs(",\"message\":", out);
    print_json_text(out, slice_of(problem->message));
    fputs(",\"advice\":", out);
    if (problem->advice != NULL)
        print_json_text(out, slice_of(problem->advice));
    else
        fputs("null", out);
    fputc('}', out);
}

void check_print_json(const struct conf *conf, FILE *out, int status)
{
    fputs("{\"file\":", out);
    print_json_text(out, slice_of(conf->path));
    fprintf(out, ",\"status\":%d,\"problems\":[", status);
    for (const struct conf_problem *problem = conf->problems; problem != NULL; problem = problem->next) {
        fputs(problem == conf->problems ? "\n" : ",\n", out);
        print_json_problem(conf, problem, out);
    }
    fputs("]}\n", out);
}
