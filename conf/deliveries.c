/* deliveries.c - lines about recipients: conditions, addresses, where their mail goes, errors */
#include "conf/parser.h"

#include "delivery/statuses.h"
#include "dns/canonical.h"
#include "conf/mend.h"

/* Behind an error: what *@example.com and joe@* were meant to be. */
static void advise_glob(struct parser *p, struct slice word)
{
    char glob[MEND_MAX], mended[MEND_MAX];

    (void)snprintf(glob, sizeof glob, "%s%.*s", word.len > 0 && word.text[0] == '@' ? "*" : "", (int)word.len, word.text);
    if (!p->misread && memchr(word.text, '*', word.len) != NULL &&
        mend_glob(slice_of(glob), REGEX_RECIPIENT, mended) == MEND_FOUND)
        conf_advise(p->conf, "write: /%s/", mended);
}

/* The canonical form of a word that is an address. */
static struct slice take_address(struct parser *p, const struct word *word, const struct address *address)
{
    struct address canonical;

    if (address->plain)
        return word->text;
    if (canonical_address(address, WORDS_OURS, &canonical) == CANONICAL_OK)
        return value_keep(p, word->text, address_slice(&canonical));
    fail(p, word->column + address->local_len + 1U, "'%s' is not a domain name: %s", address_domain(address).text,
         canonical_trouble());
    return word->text;
}

/* ADDRESS, @DOMAIN or /REGEX/ */
static void parse_recipient(struct parser *p, struct rule *rule)
{
    struct address address;
    struct word word;

    if (!word_take(p, &word)) {
        fail(p, word.column, "the line ends too early, expected an address, @DOMAIN or /REGEX/");
        return;
    }
    if (word.odd && envelope_mailbox(word.text, &address))
        word_doubt(p, &word);
    else if (!word_check(p, &word))
        return;
    if (word.text.len >= 2 && word.text.text[0] == '/' && word.text.text[word.text.len - 1] == '/') {
        rule->kind = RCPT_PATTERN;
        rule->pattern = memory_take(p->conf, sizeof *rule->pattern);
        *rule->pattern = (struct pattern){ .text = { word.text.text + 1, word.text.len - 2 }, .line = p->number,
                                           .column = word.column, .directive = "deliver rcpt_to", .utf = true };
        p->conf->rules.wants_unicode = p->conf->rules.wants_unicode || !slice_is_ascii(rule->pattern->text);
        if (rule->pattern->text.len == 0)
            fail(p, word.column, "the regular expression is empty, expected /./ for any address");
    } else if (word.text.len >= 1 && word.text.text[0] == '@') {
        rule->kind = RCPT_DOMAIN;
        rule->rcpt = (struct slice){ word.text.text + 1, word.text.len - 1 };
        rule->canonical = value_domain(p, rule->rcpt, word.column + 1, true, "example.com");
        if (p->failed)
            advise_glob(p, word.text);
    } else {
        rule->kind = RCPT_ADDRESS;
        rule->rcpt = rule->canonical = word.text;
        if (envelope_mailbox(word.text, &address)) {
            rule->canonical = take_address(p, &word, &address);
        } else {
            fail(p, word.column, "'%.*s' is not an address, expected user@example.com, @DOMAIN or /REGEX/",
                 (int)word.text.len, word.text.text);
            advise_glob(p, word.text);
        }
    }
}

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

/* Is this the word of an option? Then what belongs to it is read, too. */
static bool parse_option_word(struct parser *p, struct word word, struct target *target)
{
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        if (slice_equal(word.text, options[i].word)) {
            options[i].parse(p, target);
            return true;
        }
    return false;
}

static void parse_group_condition(struct parser *p, struct word word, struct rule *rule)
{
    if (rule->group != NULL)
        fail(p, word.column, "a second group, expected one group for each deliver line");
    else if (word_need_name(p, &word, "the name of a group")) {
        rule->group = client_group(p->conf, word.text);
        rule->group_column = word.column;
    }
}

static void parse_tls_condition(struct parser *p, struct word word, struct rule *rule)
{
    (void)p;
    (void)word;
    rule->needs_tls = true;
}

static void parse_auth_condition(struct parser *p, struct word word, struct rule *rule)
{
    (void)p;
    (void)word;
    rule->needs_auth = true;
}

static const struct {
    struct slice word;
    void (*parse)(struct parser *p, struct word word, struct rule *rule);
} conditions[] = {
    { SLICE("allowgroup"), parse_group_condition },
    { SLICE("auth"), parse_auth_condition },
    { SLICE("tls"), parse_tls_condition },
};

/* The conditions before rcpt_to. */
static void parse_conditions(struct parser *p, struct rule *rule)
{
    enum { CONDITIONS = sizeof conditions / sizeof conditions[0] };
    struct word word;

    while (!p->failed && word_need(p, &word, "'allowgroup', 'auth', 'tls' or 'rcpt_to'")) {
        size_t i = 0;

        if (word_is(word, "rcpt_to"))
            return;
        while (i < CONDITIONS && !slice_equal(word.text, conditions[i].word))
            i++;
        if (i < CONDITIONS)
            conditions[i].parse(p, word, rule);
        else if (!parse_option_word(p, word, &rule->target))
            fail(p, word.column, "unexpected '%.*s', expected 'allowgroup', 'auth', 'tls' or 'rcpt_to'",
                 (int)word.text.len, word.text.text);
    }
}

/* An argument of exec: a word, or a %{name} that stands alone. */
static struct argument parse_argument(struct parser *p, struct word word)
{
    enum placeholder which = ARGUMENT_SENDER;

    while (which < ARGUMENT_WORD && !slice_equal(word.text, rules_placeholders[which]))
        which++;
    if (which == ARGUMENT_WORD && memmem(word.text.text, word.text.len, "%{", 2) != NULL)
        fail(p, word.column, "'%.*s' is no argument, expected %%{sender}, %%{recipient}, %%{local}, %%{domain}, "
             "%%{extension} or %%{client_address} standing alone", (int)word.text.len, word.text.text);
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
        add_argument(p->conf, target, parse_argument(p, word));
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

static void parse_target_path(struct parser *p, struct target *target)
{
    struct word word;

    if (!word_need_value(p, &word, "a path"))
        return;
    target->text = word.text;
    word_need_end(p);
}

static void parse_command(struct parser *p, struct target *target)
{
    target->text = word_need_rest(p, "a command");
}

static const struct {
    struct slice word;
    enum target_kind kind;
    bool runs_command;
    void (*parse)(struct parser *p, struct target *target);
} targets[] = {
    { SLICE("append"), TARGET_APPEND, false, parse_target_path },
    { SLICE("pipe"), TARGET_PIPE, true, parse_command },
    { SLICE("exec"), TARGET_EXEC, true, parse_exec },
    { SLICE("maildir"), TARGET_MAILDIR, false, parse_target_path },
};

static void parse_target(struct parser *p, struct target *target)
{
    struct word word;

    do {
        if (p->failed || !word_need(p, &word, "append, pipe, exec or maildir"))
            return;
    } while (parse_option_word(p, word, target));
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++)
        if (slice_equal(word.text, targets[i].word)) {
            target->kind = targets[i].kind;
            if (!targets[i].runs_command && (target->statuses != NULL || target->temporary))
                fail(p, word.column, "'%.*s' has no exit status, expected pipe or exec behind 'status' and 'temporary'",
                     (int)word.text.len, word.text.text);
            targets[i].parse(p, target);
            return;
        }
    fail(p, word.column, "unexpected '%.*s', expected append, pipe, exec or maildir", (int)word.text.len,
         word.text.text);
}

/* deliver [allowgroup NAME] [auth] [tls] rcpt_to ADDRESS TARGET */
void parse_deliver(struct parser *p, const struct keyword *k, void *value)
{
    struct rule *rule = memory_take(p->conf, sizeof *rule);

    (void)k;
    (void)value;
    rule->line = p->number;
    parse_conditions(p, rule);
    if (!p->failed)
        parse_recipient(p, rule);
    parse_target(p, &rule->target);
    if (p->failed && rule->group == NULL)
        return;
    /* a line with a mistake stays in the list, so that its group is looked up all the same */
    *p->conf->rules.last_rule = rule;
    p->conf->rules.last_rule = &rule->next;
}

/* error rcpt_to REGEX CODE TEXT */
void parse_error(struct parser *p, const struct keyword *k, void *value)
{
    struct refusal *refusal = memory_take(p->conf, sizeof *refusal);
    struct word word;

    (void)value;
    if (!word_need_exactly(p, "rcpt_to") || !value_pattern(p, "error rcpt_to", true, &refusal->pattern) ||
        !word_need(p, &word, "a reply code"))
        return;
    value_reply(p, word, slice_of(k->status), &refusal->reply);
    *p->conf->rules.last_refusal = refusal;
    p->conf->rules.last_refusal = &refusal->next;
}
