/* keywords.c - all directives: the tables of the rooms put together, how each kind is read and written, spelling */
#include "conf/parser.h"

#define AT(member) .offset = offsetof(struct conf, member)

/* A build with sanitizers or for valgrind needs system calls that a session must not have. */
#ifndef SANDBOX_DEFAULT
#define SANDBOX_DEFAULT "try"
#endif

/* An empty default means that there is none; the domain's is the name of this host. */
static const struct keyword conf_keywords[] = {
    { .name = "domain", .order = 10, .kind = KEYWORD_DOMAIN, AT(rules.domain) },
    { .name = "user", .order = 20, .kind = KEYWORD_WORD, AT(user) },
    { .name = "sandbox", .order = 30, .kind = KEYWORD_CHOICE, AT(sandbox), .words = "off try on",
      .default_text = SANDBOX_DEFAULT },
    { .name = "greeting", .order = 40, .kind = KEYWORD_TEXT, AT(greeting) },
    { .name = "debug", .order = 50, .kind = KEYWORD_FLAGS, AT(debug), .default_text = "-" },
    { .name = "logfile", .order = 60, .kind = KEYWORD_WORD, AT(logfile), .default_text = "syslog" },
    { .name = "loghex", .order = 70, .kind = KEYWORD_SWITCH, AT(loghex), .default_text = "on" },
    { .name = "deadletter_file", .order = 80, .kind = KEYWORD_WORD, AT(deadletter_file) },
    { .name = "spool_directory", .order = 90, .kind = KEYWORD_WORD, AT(spool_directory),
      .default_text = "/var/tmp" },
    { .name = "fsync", .order = 100, .kind = KEYWORD_SWITCH, AT(fsync), .default_text = "on" },
    { .name = "pipe.from_line", .order = 110, .kind = KEYWORD_SWITCH, AT(pipe_from_line), .default_text = "off" },
    { .name = "recipient_delimiter", .order = 120, .kind = KEYWORD_WORD, AT(rules.delimiters) },
    { .name = "tls", .order = 130, .kind = KEYWORD_CHOICE, AT(tls), .words = "off optional required implicit",
      .default_text = "off" },
    { .name = "tls.cert", .order = 140, .kind = KEYWORD_WORD, AT(tls_cert) },
    { .name = "tls.key", .order = 150, .kind = KEYWORD_WORD, AT(tls_key) },
    { .name = "tls.client_ca", .order = 160, .kind = KEYWORD_WORD, AT(tls_client_ca) },
    { .name = "tls.min_version", .order = 170, .kind = KEYWORD_CHOICE, AT(tls_min_version), .words = "1.2 1.3",
      .default_text = "1.2" },
    { .name = "tls.ciphers", .order = 180, .kind = KEYWORD_WORD, AT(tls_ciphers) },
    { .name = "tls.helper", .order = 190, .kind = KEYWORD_WORD, AT(tls_helper) },
    { .name = "auth", .order = 200, .kind = KEYWORD_CHOICE, AT(auth), .words = "off optional required",
      .default_text = "off" },
    { .name = "auth.insecure", .order = 210, .kind = KEYWORD_SWITCH, AT(auth_insecure), .default_text = "off" },
    { .name = "auth.users", .order = 220, .kind = KEYWORD_WORD, AT(auth_users) },
    { .name = "auth.command", .order = 230, .kind = CONF_PROGRAM, AT(auth_command) },
    { .name = "auth.sender_check", .order = 240, .kind = KEYWORD_SWITCH, AT(auth_sender_check),
      .default_text = "off" },
    { .name = "auth.senders", .order = 250, .kind = KEYWORD_WORD, AT(auth_senders) },
    { .name = "dns.server", .kind = CONF_SERVER, AT(dns) },
    { .name = "dns.timeout", .order = 260, .kind = KEYWORD_COUNT, AT(dns.timeout), .max = KEYWORD_MAX,
      .default_text = "5000" },
    { .name = "lockout.db", .order = 270, .kind = KEYWORD_WORD, AT(lockout_db) },
    { .name = "lockout.violations", .order = 280, .kind = KEYWORD_COUNT, AT(lockout_violations),
      .max = KEYWORD_MAX, .default_text = "3" },
    { .name = "lockout.period", .order = 290, .kind = KEYWORD_COUNT, AT(lockout_period), .max = KEYWORD_MAX,
      .default_text = "3600" },
    { .name = "lockout.secs", .order = 300, .kind = KEYWORD_COUNT, AT(lockout_secs), .max = KEYWORD_MAX,
      .default_text = "3600" },
    { .name = "lockout.exempt", .kind = CONF_CLIENTS, AT(rules.exempt) },
    { .name = "limit.smtp_commands", .order = 310, .kind = KEYWORD_LIMIT, AT(smtp_commands), .max = KEYWORD_MAX,
      .default_text = "25 421 Too many commands that lead nowhere", .status = "7.0" },
    { .name = "limit.smtp_undelivered", .order = 320, .kind = KEYWORD_LIMIT, AT(smtp_undelivered),
      .max = KEYWORD_MAX,
      .default_text = "1000 421 Too many commands without a delivery", .status = "7.0" },
    { .name = "limit.smtp_unknowncmd", .order = 330, .kind = KEYWORD_LIMIT, AT(smtp_unknowncmd),
      .max = KEYWORD_MAX,
      .default_text = "4 421 Too many unknown commands", .status = "7.0" },
    { .name = "limit.smtp_failcmds", .order = 340, .kind = KEYWORD_LIMIT, AT(smtp_failcmds), .max = KEYWORD_MAX,
      .default_text = "4 421 Too many failed commands", .status = "7.0" },
    { .name = "limit.smtp_refused_rcpts", .order = 350, .kind = KEYWORD_LIMIT, AT(smtp_refused_rcpts),
      .max = KEYWORD_MAX,
      .default_text = "25 421 Too many refused recipients", .status = "7.0" },
    { .name = "limit.connection_secs", .order = 360, .kind = KEYWORD_LIMIT, AT(connection_secs),
      .max = KEYWORD_MAX,
      .default_text = "600 421 The session took too long", .status = "4.2" },
    { .name = "limit.command_secs", .order = 370, .kind = KEYWORD_LIMIT, AT(command_secs), .max = KEYWORD_MAX,
      .default_text = "300 421 Waited too long for input", .status = "4.2" },
    { .name = "limit.smtp_data_size", .order = 380, .kind = KEYWORD_LIMIT, AT(smtp_data_size),
      .max = 1000000000000000,
      .default_text = "24000000 552 Message is too large", .status = "3.4" },
    { .name = "limit.smtp_rcpt_to", .order = 390, .kind = KEYWORD_LIMIT, AT(smtp_rcpt_to), .max = 999999,
      .default_text = "100 452 Too many recipients", .status = "5.3" },
    { .name = "limit.smtp_ascii", .order = 400, .kind = KEYWORD_CHECK, AT(smtp_ascii),
      .default_text = "on 500 Commands must be printable ASCII", .status = "5.2" },
    { .name = "limit.fcrdns_check", .order = 410, .kind = KEYWORD_CHECK, AT(fcrdns_check),
      .default_text = "off 450 Your host has no name that leads back to its address", .status = "7.25" },
    { .name = "limit.helo_dns_check", .order = 420, .kind = KEYWORD_CHECK, AT(helo_dns_check),
      .default_text = "off 450 Your HELO name has no address", .status = "7.1" },
    { .name = "limit.helo_syntax_check", .order = 430, .kind = KEYWORD_CHECK, AT(helo_syntax_check),
      .default_text = "off 501 Give your host name, or your address in brackets", .status = "5.4" },
    { .name = "limit.sender_dns_check", .order = 440, .kind = KEYWORD_CHECK, AT(sender_dns_check),
      .default_text = "off 450 The domain of the sender does not exist", .status = "1.8" },
    { .name = "limit.rcpt_dns_check", .order = 450, .kind = KEYWORD_CHECK, AT(rcpt_dns_check),
      .default_text = "off 450 The domain of the recipient does not exist", .status = "1.2" },
    { .name = "limit.sender_syntax_check", .order = 460, .kind = KEYWORD_CHECK, AT(sender_syntax_check),
      .default_text = "off 553 The address of the sender is not a plain one", .status = "1.7" },
    { .name = "limit.rcpt_syntax_check", .order = 470, .kind = KEYWORD_CHECK, AT(rcpt_syntax_check),
      .default_text = "off 553 The address of the recipient is not a plain one", .status = "1.3" },
    { .name = "limit.helo_required", .order = 480, .kind = KEYWORD_CHECK, AT(helo_required),
      .default_text = "off 503 Say HELO or EHLO first", .status = "5.1" },
    { .name = "limit.bare_newline", .order = 490, .kind = KEYWORD_CHECK, AT(bare_newline),
      .words = "normalize reject",
      .default_text = "normalize 550 Lines must end in CRLF", .status = "5.2" },
    { .name = "limit.hops", .order = 500, .kind = KEYWORD_LIMIT, AT(hops), .max = KEYWORD_MAX,
      .default_text = "100 554 Too many hops, the message is in a loop", .status = "4.6" },
    { .name = "limit.auth_failures", .order = 510, .kind = KEYWORD_LIMIT, AT(auth_failures), .max = KEYWORD_MAX,
      .default_text = "3 421 Too many failed logins", .status = "7.0" },
    { .name = "limit.pipe_secs", .order = 520, .kind = KEYWORD_LIMIT, AT(pipe_secs), .max = KEYWORD_MAX,
      .default_text = "120 451 The delivery took too long", .status = "3.0" },
    { .name = "limit.lock_secs", .order = 530, .kind = KEYWORD_LIMIT, AT(lock_secs), .max = KEYWORD_MAX,
      .default_text = "30 451 The mailbox is locked", .status = "2.0" },
    { .name = "limit.early_talker", .order = 540, .kind = KEYWORD_PAUSE, AT(early_talker), .max = KEYWORD_MAX,
      .default_text = "off 5 554 You talk before you are greeted", .status = "5.1" },
    { .name = "tarpit", .order = 550, .kind = KEYWORD_DELAY, AT(tarpit), .max = KEYWORD_MAX, .default_text = "0" },
    { .name = "allow", .kind = CONF_HOSTS, AT(rules.allow) },
    { .name = "deny", .kind = CONF_HOSTS, AT(rules.deny) },
    { .name = "proxy_protocol", .kind = CONF_CLIENTS, AT(rules.proxies) },
    { .name = "allowgroup", .kind = CONF_GROUP },
    { .name = "dnsbl", .kind = CONF_DNSBL, .status = "7.1" },
    { .name = "dnswl", .kind = CONF_DNSWL },
    { .name = "bypass", .kind = CONF_BYPASS },
    { .name = "deliver", .kind = CONF_DELIVER },
    { .name = "error", .kind = CONF_ERROR, .status = "7.1" },
};

/* The tables, and where in struct conf the settings are that they are about. */
static const struct {
    const struct keyword *rows;
    size_t count, settings;
} tables[] = {
#define TABLE(rows, settings) { rows, sizeof rows / sizeof rows[0], settings }
    TABLE(conf_keywords, 0),
};

enum { TABLES = sizeof tables / sizeof tables[0] };

_Static_assert(sizeof conf_keywords / sizeof conf_keywords[0] <= KEYWORDS_MOST, "there are more directives");

static const struct {
    kind_parse *parse;
    kind_print *print;
} kinds[CONF_KINDS] = {
    [KEYWORD_SWITCH] = { parse_switch, print_switch },
    [KEYWORD_CHOICE] = { parse_option, print_option },
    [KEYWORD_COUNT] = { parse_count, print_count },
    [KEYWORD_DELAY] = { parse_delay, print_count },
    [KEYWORD_WORD] = { parse_word, print_slice },
    [KEYWORD_TEXT] = { parse_text, print_text_value },
    [KEYWORD_DOMAIN] = { parse_domain, print_slice },
    [KEYWORD_FLAGS] = { parse_flags, print_slice },
    [KEYWORD_LIMIT] = { parse_limit, print_limit },
    [KEYWORD_CHECK] = { parse_check, print_check },
    [KEYWORD_PAUSE] = { parse_pause, print_pause },
    [CONF_PROGRAM] = { parse_program, print_program },
    [CONF_SERVER] = { parse_server, NULL },
    [CONF_HOSTS] = { parse_host_pattern, NULL },
    [CONF_CLIENTS] = { parse_client_pattern, NULL },
    [CONF_GROUP] = { parse_allowgroup, NULL },
    [CONF_DNSBL] = { parse_dnsbl, NULL },
    [CONF_DNSWL] = { parse_dnswl, NULL },
    [CONF_BYPASS] = { parse_bypass, NULL },
    [CONF_DELIVER] = { parse_deliver, NULL },
    [CONF_ERROR] = { parse_error, NULL },
};

size_t keywords_count(void)
{
    size_t count = 0;

    for (size_t t = 0; t < TABLES; t++)
        count += tables[t].count;
    return count;
}

/* Which table an index is in; it becomes the index there. */
static size_t table_of(size_t *index)
{
    size_t t = 0;

    for (; *index >= tables[t].count; t++)
        *index -= tables[t].count;
    return t;
}

const struct keyword *keywords_row(size_t index)
{
    size_t t = table_of(&index);

    return &tables[t].rows[index];
}

void *keywords_value(struct conf *conf, size_t index)
{
    size_t t = table_of(&index);

    return (char *)conf + tables[t].settings + tables[t].rows[index].offset;
}

static bool is_called(const struct keyword *k, struct slice name)
{
    return name.len < sizeof k->name && k->name[name.len] == '\0' && memcmp(k->name, name.text, name.len) == 0;
}

/* From the end: those of which a file has many stand there. */
size_t keywords_find(struct slice name)
{
    size_t begin = keywords_count();

    for (size_t t = TABLES; t-- > 0;) {
        begin -= tables[t].count;
        for (size_t i = tables[t].count; i-- > 0;)
            if (is_called(&tables[t].rows[i], name))
                return begin + i;
    }
    return keywords_count();
}

void keywords_parse(struct parser *p, size_t index)
{
    const struct keyword *k = keywords_row(index);

    kinds[k->kind].parse(p, k, keywords_value(p->conf, index));
}

void keywords_print(struct conf *conf, size_t index, FILE *out)
{
    const struct keyword *k = keywords_row(index);

    kinds[k->kind].print(k, keywords_value(conf, index), out);
}

/* Levenshtein's distance, as far as it matters: names up to 31 bytes. */
static size_t edit_distance(struct slice a, struct slice b)
{
    size_t row[32];

    if (a.len > 31 || b.len > 31)
        return 31;
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t change = diagonal + (a.text[i - 1] != b.text[j - 1]);
            size_t shorter = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;

            diagonal = row[j];
            row[j] = change < shorter ? change : shorter;
        }
    }
    return row[b.len];
}

void keywords_fail_unknown(struct parser *p, struct word word)
{
    const struct keyword *best = NULL;
    size_t distance = 3;

    for (size_t i = 0; i < keywords_count(); i++) {
        const struct keyword *k = keywords_row(i);
        size_t d = edit_distance(word.text, slice_of(k->name));

        if (d < distance) {
            distance = d;
            best = k;
        }
    }
    if (best != NULL)
        fail(p, word.column, "unknown keyword '%.*s', expected perhaps '%s'", (int)word.text.len, word.text.text,
             best->name);
    else
        fail(p, word.column, "unknown keyword '%.*s', expected one of mailrecv.conf(5)", (int)word.text.len,
             word.text.text);
}
