/* targets.c - where mail goes: files, commands and their arguments, what their exit statuses mean */
#include "conf/parser.h"

#include "delivery/statuses.h"

/* The meanings with this name; a target may name them before a line defines them. */
static struct statuses *statuses_named(struct conf *conf, struct slice name)
{
    struct statuses *statuses = conf->delivery.statuses;

    while (statuses != NULL && !slice_equal(statuses->name, name))
        statuses = statuses->next;
    if (statuses == NULL) {
        statuses = memory_take(conf, sizeof *statuses);
        statuses->name = name;
        statuses->defined = statuses_built_in(name, statuses->meanings);
        statuses->next = conf->delivery.statuses;
        conf->delivery.statuses = statuses;
    }
    return statuses;
}

static bool parse_meaning(struct parser *p, struct word word, unsigned char *meaning)
{
    for (unsigned i = 0; i < MEANINGS; i++)
        if (word_is(word, statuses_meanings[i])) {
            *meaning = (unsigned char)i;
            return true;
        }
    fail(p, word.column, "'%.*s' is no meaning of a status, expected delivered, retry, refused or violation",
         (int)word.text.len, word.text.text);
    return false;
}

/* CODE=MEANING */
static bool parse_status_value(struct parser *p, struct word word, struct statuses *statuses)
{
    const char *equals = memchr(word.text.text, '=', word.text.len);
    struct word code = word, meaning = word;
    uint64_t number;

    if (equals == NULL) {
        fail(p, word.column, "'%.*s' is no status with its meaning, expected CODE=MEANING, as in 69=retry",
             (int)word.text.len, word.text.text);
        return false;
    }
    code.text.len = (size_t)(equals - word.text.text);
    meaning.text = (struct slice){ equals + 1, word.text.len - code.text.len - 1 };
    meaning.column += (unsigned)code.text.len + 1;
    if (word_is(code, "0")) {
        fail(p, word.column, "status 0 always means that the message was delivered");
        return false;
    }
    return value_number(p, code, STATUSES_MOST - 1, &number) &&
           parse_meaning(p, meaning, &statuses->meanings[number]);
}

/* status NAME CODE=MEANING... */
void parse_status(struct parser *p, const struct keyword *k, void *value)
{
    unsigned char built_in[STATUSES_MOST];
    struct statuses *statuses;
    struct word name, word;

    (void)k;
    (void)value;
    if (!word_need_name(p, &name, "a name for the meanings of exit statuses") || !word_need(p, &word, "CODE=MEANING"))
        return;
    if (statuses_built_in(name.text, built_in)) {
        fail(p, name.column, "'%.*s' is built in, expected another name", (int)name.text.len, name.text.text);
        return;
    }
    statuses = statuses_named(p->conf, name.text);
    if (statuses->defined) {
        fail(p, name.column, "'%.*s' is defined on %s already", (int)name.text.len, name.text.text,
             conf_line_text(p->conf, statuses->line, p->number));
        return;
    }
    statuses->defined = true;
    statuses->line = p->number;
    (void)statuses_built_in(slice_of("sysexits"), statuses->meanings);
    do {
        if (!parse_status_value(p, word, statuses))
            return;
    } while (word_next(p, &word));
}

/* ---- what a command's end means, before it ---- */

static void parse_status_option(struct parser *p, struct target *target)
{
    struct statuses *statuses;
    struct word word;

    if (!word_need_name(p, &word, "the name of a status line, sysexits, qmail or postfix"))
        return;
    statuses = statuses_named(p->conf, word.text);
    if (!statuses->defined && statuses->line == 0) {
        statuses->line = p->number;
        statuses->column = word.column;
    }
    target->statuses = statuses;
}

static void parse_temporary_option(struct parser *p, struct target *target)
{
    (void)p;
    target->temporary = true;
}

static const struct {
    struct slice word;
    void (*parse)(struct parser *p, struct target *target);
} options[] = {
    { SLICE("status"), parse_status_option },
    { SLICE("temporary"), parse_temporary_option },
};

enum { OPTIONS = sizeof options / sizeof options[0] };

static size_t option_index(struct word word)
{
    size_t i = 0;

    while (i < OPTIONS && !slice_equal(word.text, options[i].word))
        i++;
    return i;
}

bool target_is_option(struct word word)
{
    return option_index(word) < OPTIONS;
}

bool target_option(struct parser *p, struct word word, struct target *target)
{
    size_t i = option_index(word);

    if (i < OPTIONS)
        options[i].parse(p, target);
    return i < OPTIONS;
}

static const char no_value[] = "%{value} is what a table has for the recipient, expected rcpt_to table:NAME before it";

static bool is_of_recipient(enum placeholder which)
{
    return which == ARGUMENT_RECIPIENT || which == ARGUMENT_LOCAL || which == ARGUMENT_DOMAIN || which == ARGUMENT_EXTENSION ||
           which == ARGUMENT_VALUE;
}

/* An argument of exec: a word, or a %{name} that stands alone. */
static struct argument parse_argument(struct parser *p, struct word word, const struct target *target)
{
    enum placeholder which = ARGUMENT_SENDER;

    while (which < ARGUMENT_WORD && !slice_equal(word.text, rules_placeholders[which]))
        which++;
    if (which == ARGUMENT_WORD && memmem(word.text.text, word.text.len, "%{", 2) != NULL)
        fail(p, word.column, "'%.*s' is no argument, expected %%{sender}, %%{recipient}, %%{local}, %%{domain}, "
             "%%{extension}, %%{client_address} or %%{value} standing alone", (int)word.text.len, word.text.text);
    else if (which == ARGUMENT_VALUE && !target->takes_value)
        fail(p, word.column, "%s", no_value);
    else if (target->once && is_of_recipient(which))
        fail(p, word.column, "'%.*s' is of one recipient, and with 'once' there may be more, expected a command that "
             "reads RECIPIENTS", (int)word.text.len, word.text.text);
    return (struct argument){ which, word.text };
}

/* Room for one item more behind `count` of them, which may move: for 1, 2, 4, 8... */
static void *add_room(struct conf *conf, void *items, size_t count, size_t size)
{
    void *more;

    if ((count & (count - 1)) != 0)
        return items;
    more = memory_take(conf, (count == 0 ? 1 : count * 2) * size);
    if (count > 0)
        memcpy(more, items, count * size);
    return more;
}

static void add_argument(struct conf *conf, struct target *target, struct argument argument)
{
    target->arguments = add_room(conf, target->arguments, target->argument_count, sizeof argument);
    target->arguments[target->argument_count++] = argument;
}

static bool parse_program_path(struct parser *p, struct slice *path)
{
    struct word word;

    if (!word_need(p, &word, "the path of a program"))
        return false;
    if (word.text.len == 0 || word.text.text[0] != '/')
        fail(p, word.column, "'%.*s' is not the path of a program, expected one that begins with /",
             (int)word.text.len, word.text.text);
    *path = word.text;
    return true;
}

/* exec PROGRAM ARG... */
static void parse_exec(struct parser *p, struct target *target)
{
    struct word word;

    if (!parse_program_path(p, &target->text))
        return;
    while (word_next_value(p, &word))
        add_argument(p->conf, target, parse_argument(p, word, target));
}

/* auth.command PROGRAM ARG...; words stand for nothing but themselves */
void parse_program(struct parser *p, const struct keyword *k, void *value)
{
    struct program *program = value;
    struct word word;

    (void)k;
    program->argument_count = 0; /* of a line before */
    if (!parse_program_path(p, &program->path))
        return;
    while (word_next_value(p, &word)) {
        program->arguments = add_room(p->conf, program->arguments, program->argument_count, sizeof word.text);
        program->arguments[program->argument_count++] = word.text;
    }
}

static const char once_value[] = "%{value} is of one recipient, and with 'once' there may be more, expected a path without it";

static unsigned column_of(struct parser *p, struct word word, const char *at)
{
    return conf_column(p->conf, p->number, word.column, (size_t)(at - word.text.text));
}

/* Other words than that for the value of a table would let a sender choose the file. */
static void check_path(struct parser *p, struct word word, const struct target *target)
{
    const struct slice value = rules_placeholders[ARGUMENT_VALUE];
    const char *begin = word.text.text, *end = begin + word.text.len;
    bool is_value = true;

    while (is_value && (begin = memmem(begin, (size_t)(end - begin), "%{", 2)) != NULL) {
        is_value = (size_t)(end - begin) >= value.len && memcmp(begin, value.text, value.len) == 0;
        if (is_value && (!target->takes_value || target->once))
            fail(p, column_of(p, word, begin), "%s", target->once ? once_value : no_value);
        begin += is_value ? value.len : 0;
    }
    if (is_value)
        return;
    fail(p, column_of(p, word, begin), "a path stands for itself, expected no %%{...} in it: whoever sends mail would choose the file");
    conf_advise(p->conf, "write exec PROGRAM with it as an argument, or pipe COMMAND with \"$RECIPIENT\" and others");
}

static void parse_target_path(struct parser *p, struct target *target)
{
    struct word word;

    if (!word_need_value(p, &word, "a path"))
        return;
    check_path(p, word, target);
    target->text = word.text;
    word_need_end(p);
}

static void parse_command(struct parser *p, struct target *target)
{
    target->text = word_need_rest(p, "a command");
}

/* ---- the next server ---- */

static bool take_flag(struct word word, struct hop *hop)
{
    const struct {
        const char *word;
        bool *flag;
    } flags[] = { { "verify", &hop->verify }, { "ask", &hop->ask } };

    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        if (word_is(word, flags[i].word)) {
            *flags[i].flag = true;
            return true;
        }
    return false;
}

static bool take_security(struct parser *p, struct word word, struct hop *hop)
{
    static const char words[][9] = { [HOP_CLEAR] = "clear", [HOP_STARTTLS] = "starttls", [HOP_TLS] = "tls" };

    for (unsigned i = HOP_CLEAR; i <= HOP_TLS; i++)
        if (word_is(word, words[i])) {
            if (hop->security != HOP_IF_OFFERED)
                fail(p, word.column, "'%s' is too much, there is '%s' already", words[i], words[hop->security]);
            hop->security = (enum hop_security)i;
            return true;
        }
    return false;
}

static void parse_hop_option(struct parser *p, struct word word, struct hop *hop)
{
    if (take_flag(word, hop) || take_security(p, word, hop))
        return;
    if (!word_is(word, "auth")) {
        fail(p, word.column, "unexpected '%.*s', expected tls, starttls, clear, verify, auth or ask",
             (int)word.text.len, word.text.text);
        return;
    }
    if (word_need_value(p, &word, "the path of a file with user:password"))
        hop->auth = word.text;
}

/* What was not said: nothing that stays on this host is encrypted, and who wants to know the server wants TLS. */
static void decide_security(struct parser *p, unsigned column, struct hop *hop)
{
    if (hop->verify && hop->where.kind == WHERE_UNIX)
        fail(p, column, "a UNIX socket has no name that a certificate could be for, expected no 'verify'");
    else if (hop->verify && hop->security == HOP_CLEAR)
        fail(p, column, "without TLS there is no certificate, expected no 'clear' beside 'verify'");
    if (hop->security == HOP_IF_OFFERED && hop->verify)
        hop->security = HOP_STARTTLS;
    else if (hop->security == HOP_IF_OFFERED && where_is_local(&hop->where))
        hop->security = HOP_CLEAR;
}

/* lmtp WHERE [OPTION...], smtp WHERE [OPTION...] */
static void parse_hop(struct parser *p, struct target *target)
{
    struct hop *hop = memory_take(p->conf, sizeof *hop);
    struct word where, word;
    const char *wrong;

    target->hop = hop;
    hop->lmtp = target->kind == TARGET_LMTP;
    if (!word_need_value(p, &where, "unix:PATH, HOST:PORT or [ADDRESS]:PORT"))
        return;
    target->text = where.text;
    wrong = where_parse(where.text, &hop->where);
    if (wrong != NULL) {
        fail(p, where.column, "'%.*s' is no place of a server, expected unix:PATH, HOST:PORT or [ADDRESS]:PORT: %s",
             (int)where.text.len, where.text.text, wrong);
        return;
    }
    while (!p->failed && word_next_value(p, &word))
        parse_hop_option(p, word, hop);
    decide_security(p, where.column, hop);
    p->conf->rules.asks = p->conf->rules.asks || hop->ask;
}

/* What may stand before it. */
enum { NOTHING, MAY_BE_TEMPORARY, HAS_STATUS };

static const struct {
    struct slice word;
    enum target_kind kind;
    unsigned before;
    void (*parse)(struct parser *p, struct target *target);
} targets[] = {
    { SLICE("append"), TARGET_APPEND, NOTHING, parse_target_path },
    { SLICE("pipe"), TARGET_PIPE, HAS_STATUS, parse_command },
    { SLICE("exec"), TARGET_EXEC, HAS_STATUS, parse_exec },
    { SLICE("maildir"), TARGET_MAILDIR, NOTHING, parse_target_path },
    { SLICE("lmtp"), TARGET_LMTP, MAY_BE_TEMPORARY, parse_hop },
    { SLICE("smtp"), TARGET_SMTP, MAY_BE_TEMPORARY, parse_hop },
};

static void check_options(struct parser *p, struct word word, const struct target *target, unsigned before)
{
    if (target->statuses != NULL && before < HAS_STATUS)
        fail(p, word.column, "'%.*s' has no exit status, expected pipe or exec behind 'status'", (int)word.text.len,
             word.text.text);
    else if (target->temporary && before < MAY_BE_TEMPORARY)
        fail(p, word.column, "'%.*s' refuses nothing, expected pipe, exec, lmtp or smtp behind 'temporary'",
             (int)word.text.len, word.text.text);
}

static const char kinds[] = "append, pipe, exec, maildir, lmtp or smtp";

void target_parse(struct parser *p, struct target *target)
{
    struct word word;

    do {
        if (p->failed || !word_need(p, &word, kinds))
            return;
    } while (target_option(p, word, target));
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++)
        if (slice_equal(word.text, targets[i].word)) {
            target->kind = targets[i].kind;
            check_options(p, word, target, targets[i].before);
            targets[i].parse(p, target);
            return;
        }
    fail(p, word.column, "unexpected '%.*s', expected %s", (int)word.text.len, word.text.text, kinds);
}
