/* lint.c - rules that load but hardly mean what they say: expressions, addresses with a star, commands */
#include "admin/lint.h"

#include <ctype.h>
#include <string.h>

#include "base/glyph.h"
#include "conf/mend.h"

/* Adds a warning to a configuration: line, column, format. */
#define warn(conf, ...) conf_complain(conf, SEVERITY_WARNING, __VA_ARGS__)

/* What a loose end lets in: a text that was meant, and one that was not. */
static const struct {
    char subject[12], whole[12], meant[20], left[32], right[32];
} loose_ends[] = {
    [REGEX_NAME] = { "names", "name", "example.com", "notexample.com", "example.com.evil.example" },
    [REGEX_ADDRESS] = { "addresses", "address", "92.0.2.1", "192.0.2.1", "92.0.2.10" },
    [REGEX_RECIPIENT] = { "addresses", "address", "joe@example.com", "notjoe@example.com",
                            "joe@example.com.evil.example" },
};

/* An expression that has been tried, or a sentence where none has passed. */
static void advise_loose(struct conf *conf, enum mend mend, enum regex_subject subject, const char *mended)
{
    if (mend == MEND_FOUND)
        conf_advise(conf, "write: %s", mended);
    else
        conf_advise(conf, "write \\. for a dot, and the whole %s between ^ and $", loose_ends[subject].whole);
}

/* An expression for hosts that was to be a network, a range or an address. True: nothing else is said. */
static bool lint_network(struct conf *conf, const struct pattern *p)
{
    char networks[MEND_MAX];
    enum mend mend = mend_network(p->text, networks);

    if (mend == MEND_NOTHING)
        return false;
    warn(conf, p->line, p->column, "as a regular expression this matches other hosts as well, or none");
    if (mend == MEND_VAGUE)
        conf_advise(conf, "write a line for each network of the range");
    else
        conf_advise(conf, "write%s: %s", strchr(networks, ' ') != NULL ? " a line for each of" : "", networks);
    return true;
}

/* An expression that was to be a pattern of the shell. True: nothing else is said. */
static bool lint_glob(struct conf *conf, const struct pattern *p, enum regex_subject subject, size_t skip)
{
    char mended[MEND_MAX];
    enum mend mend = mend_glob(p->text, subject, mended);

    if (mend == MEND_NOTHING)
        return false;
    warn(conf, p->line, conf_column(conf, p->line, p->column, skip),
         "this looks like a pattern of the shell, but is a regular expression: * repeats what stands before it");
    if (mend == MEND_FOUND)
        conf_advise(conf, "write: %s", mended);
    else
        conf_advise(conf, "write .* for any text, and \\. for a dot");
    return true;
}

/* Classes and braces that are not what they seem to be. */
static void lint_slips(struct conf *conf, const struct pattern *p, size_t skip)
{
    static const char *const words[] = {
        [SLIP_CASES] = "between Z and a there are more characters than letters: [ \\ ] ^ _ `",
        [SLIP_NUMBER] = "this is one character, not a number: a class holds single digits",
        [SLIP_ALTERNATIVES] = "this is one character, not a word: in a class | stands for itself",
        [SLIP_BRACES] = "this is text, not a number of repetitions",
    };
    char mended[MEND_MAX];
    enum slip slip;
    enum mend mend;

    for (size_t at = 0; (slip = mend_slip(p->text, &at, &mend, mended)) != SLIP_NONE; at++) {
        warn(conf, p->line, conf_column(conf, p->line, p->column, skip + at), "%s", words[slip]);
        if (mend == MEND_FOUND)
            conf_advise(conf, "write: %s", mended);
    }
}

/* Loose ends and dots. */
static void lint_loose(struct conf *conf, const struct pattern *p, enum regex_subject subject, size_t skip)
{
    struct suspicion found = regex_lint_look(p->text, subject);
    char mended[MEND_MAX];
    enum mend mend = mend_loose(p->text, subject, mended);

    if (mend == MEND_NOTHING)
        return;
    if (found.dots > 0) {
        warn(conf, p->line, conf_column(conf, p->line, p->column, skip + found.first_dot),
             "%s any character, not just a dot",
             found.dots == 1 ? "this dot matches" : "this dot and others match");
        advise_loose(conf, mend, subject, mended);
    }
    if (!found.open_begin && !found.open_end)
        return;
    warn(conf, p->line,
         conf_column(conf, p->line, p->column, skip + (found.open_begin ? 0 : p->text.len)),
         "this matches longer %s as well, as %s for %s", loose_ends[subject].subject,
         found.open_begin ? loose_ends[subject].left : loose_ends[subject].right, loose_ends[subject].meant);
    advise_loose(conf, mend, subject, mended);
}

/* Not for hosts. `skip` is where the pattern begins in its word: behind the slash of /REGEX/. */
static void lint_pattern(struct conf *conf, const struct pattern *p, enum regex_subject subject, size_t skip)
{
    if (lint_glob(conf, p, subject, skip))
        return;
    lint_slips(conf, p, skip);
    lint_loose(conf, p, subject, skip);
}

/* What stands between slashes; nothing without them. */
static struct slice without_slashes(struct slice text)
{
    return text.len > 2 && text.text[0] == '/' && text.text[text.len - 1] == '/'
           ? (struct slice){ text.text + 1, text.len - 2 } : (struct slice){ "", 0 };
}

/* Does it begin with a word of digits and letters, as db1 and fe80? */
static bool begins_hexadecimal(struct slice text)
{
    size_t i = text.len > 0 && text.text[0] == '^';
    bool letters = false;

    for (; i < text.len && isxdigit((unsigned char)text.text[i]) != 0; i++)
        letters = letters || isalpha((unsigned char)text.text[i]) != 0;
    return letters && (i == text.len || text.text[i] != ':');
}

/* What an expression for hosts is tried on, where that may not be what was meant. */
static void lint_scope(struct conf *conf, struct pattern *p, bool denies)
{
    char room[PATTERN_PART];
    struct slice text;
    bool tried = pattern_on_names(p, denies, room, &text);
    struct slice inner = without_slashes(p->text);

    if (pattern_scope(p) == SCOPE_NONE) {
        warn(conf, p->line, p->column, "no host can match this: it wants characters that addresses and names do not have");
        if (inner.len > 0 && scope_of(inner) != SCOPE_NONE)
            conf_advise(conf, "write: %.*s", (int)inner.len, inner.text);
    } else if (pattern_scope(p) == SCOPE_ADDRESSES && begins_hexadecimal(p->text)) {
        warn(conf, p->line, p->column, "this is for IPv6 addresses, and is not tried on names: its letters are "
             "hexadecimal digits");
        conf_advise(conf, "write more of the name or, with a colon, of the address");
    } else if (pattern_scope(p) == SCOPE_BOTH && tried && text.text != p->text.text) {
        struct suspicion found = regex_lint_look(text, REGEX_NAME);

        conf_complain(conf, SEVERITY_NOTE, p->line, p->column, "the rest is for addresses; on names only this is tried: "
                      "%.*s", (int)text.len, text.text);
        if (found.open_begin || found.open_end)
            warn(conf, p->line, p->column, "what is for names matches longer names as well, as %s for example.com",
                 found.open_begin ? loose_ends[REGEX_NAME].left : loose_ends[REGEX_NAME].right);
    } else if (pattern_scope(p) == SCOPE_BOTH) {
        warn(conf, p->line, p->column, "this can match addresses as well as names; it is %s",
             tried ? "tried on both" : "not tried on names, which clients choose themselves");
        conf_advise(conf, "write a line for the addresses, and one for the names");
    } else if (pattern_scope(p) == SCOPE_NAMES && scope_is_hexadecimal(p->text)) {
        warn(conf, p->line, p->column, "this can match IPv6 addresses as well as names, and is tried on both: its letters "
             "are hexadecimal digits, too");
        conf_advise(conf, "write more of the name or, with a colon, of the address");
    }
}

/* A word for this host that was to be more than part of a name. True: nothing else is said. */
static bool lint_local(struct conf *conf, const struct pattern *p, bool speaks)
{
    static const struct slice local = SLICE("local"), localhost = SLICE("localhost");
    const char *word = speaks ? "local" : "^local$"; /* for clients without an address */

    if (!slice_equal_nocase(p->text, local) && !slice_equal_nocase(p->text, localhost))
        return false;
    warn(conf, p->line, p->column, "as a regular expression this matches names that have it somewhere, as %.*s.evil.example",
         (int)p->text.len, p->text.text);
    if (p->text.len == local.len)
        conf_advise(conf, "write: %s", word);
    else
        conf_advise(conf, "write: %s for UNIX sockets, 127.0.0.0/8 for loopback", word);
    return true;
}

static void lint_hosts(struct patterns *list, void *context)
{
    struct conf *conf = context;
    const struct patterns *speakers = conf->rules.groups.speakers;
    const bool speaks = list == &speakers[TOLD_XCLIENT] || list == &speakers[TOLD_XFORWARD];

    for (struct pattern *p = list->first; p != NULL; p = p->next) {
        enum regex_subject subject = pattern_scope(p) == SCOPE_ADDRESSES ? REGEX_ADDRESS : REGEX_NAME;

        if (lint_local(conf, p, speaks) || lint_network(conf, p) || lint_glob(conf, p, subject, 0))
            continue;
        lint_scope(conf, p, list == &conf->rules.groups.deny);
        lint_slips(conf, p, 0);
        if (pattern_scope(p) == SCOPE_ADDRESSES || pattern_scope(p) == SCOPE_NAMES)
            lint_loose(conf, p, subject, 0);
    }
}

static void complain_of_all(struct conf *conf, unsigned line, struct slice text)
{
    warn(conf, line, conf_column_of(conf, line, text), "this is every host, and each could claim to be any other");
    conf_advise(conf, "name the addresses of your own servers, and no others");
}

/* Who is believed: whoever that is can get by every rule about hosts. */
static void lint_believed(struct conf *conf, const struct patterns *list)
{
    static const unsigned char first[16], last[16] = { 255, 255, 255, 255, 255, 255, 255, 255,
                                                       255, 255, 255, 255, 255, 255, 255, 255 };
    const struct network_table *networks = &conf->rules.groups.networks;

    for (const struct pattern *p = list->first; p != NULL; p = p->next)
        if (regex_lint_is_any(p->text))
            complain_of_all(conf, p->line, p->text);
    for (unsigned six = 0; six < 2 && list->networks > 0; six++) {
        uint32_t place = network_table_find(networks, list, six != 0, first);
        unsigned line;

        if (place > 0 && place == network_table_find(networks, list, six != 0, last)) {
            struct slice text = network_table_text(networks, place, &line);

            complain_of_all(conf, line, text);
        }
    }
}

/* Balancers look each few seconds whether we are there; each look would be two lines of the log. */
static void lint_looks(struct conf *conf)
{
    const struct groups *groups = &conf->rules.groups;
    const struct pattern *p = groups->proxies.first;
    unsigned line;
    struct slice text;

    if (patterns_none(&groups->proxies) || !patterns_none(&groups->quiet))
        return;
    if (groups->proxies.networks > 0)
        text = network_table_text(&groups->networks, network_table_first(&groups->networks, &groups->proxies), &line);
    else
        text = p->text, line = p->line;
    conf_complain(conf, SEVERITY_NOTE, line, conf_column_of(conf, line, text), "the health checks of this proxy are logged");
    conf_advise(conf, "write: quiet %.*s", (int)text.len, text.text);
}

static void lint_patterns(struct conf *conf)
{
    const struct groups *groups = &conf->rules.groups;

    groups_each(&conf->rules.groups, lint_hosts, conf);
    lint_believed(conf, &groups->proxies);
    lint_looks(conf);
    for (size_t i = 0; i < TOLD_COMMANDS; i++)
        lint_believed(conf, &groups->speakers[i]);
    for (const struct refusal *r = conf->rules.first_refusal; r != NULL; r = r->next)
        if (r->table == NULL)
            lint_pattern(conf, &r->pattern, REGEX_RECIPIENT, 0);
    for (enum rewritten whose = 0; whose < REWRITTEN; whose++)
        for (const struct rewrite *r = conf->rules.first_rewrite[whose]; r != NULL; r = r->next)
            lint_pattern(conf, &r->pattern, REGEX_RECIPIENT, 1);
}

/* A mailbox with a star in its name is one that nobody has. */
static void lint_star(struct conf *conf, unsigned line, const struct mailboxes *mailboxes)
{
    const struct slice text = mailboxes->text;
    const char *at = mailboxes->kind == MAILBOXES_ADDRESS ? memrchr(text.text, '@', text.len) : NULL;
    char mended[MEND_MAX];
    enum mend mend = at != NULL ? mend_glob(text, REGEX_RECIPIENT, mended) : MEND_NOTHING;

    if (mend == MEND_NOTHING || text.text[0] == '"')
        return;
    warn(conf, line, conf_column_of(conf, line, text), "this is one mailbox, called %.*s: * stands for nothing else",
         (int)text.len, text.text);
    if (at == text.text + 1) /* all of the local part */
        conf_advise(conf, "write: %.*s", (int)text.len - 1, at);
    else if (mend == MEND_FOUND)
        conf_advise(conf, "write: /%s/", mended);
    else
        conf_advise(conf, "write /REGEX/ for a pattern");
}

/* The addresses and expressions of a line. */
static void lint_mailboxes(struct conf *conf, const struct rule *rule)
{
    lint_star(conf, rule->line, &rule->rcpt);
    if (rule->rcpt.kind == MAILBOXES_PATTERN)
        lint_pattern(conf, rule->rcpt.pattern, REGEX_RECIPIENT, 1);
    for (const struct condition *c = rule->conditions; c != NULL; c = c->next) {
        if (c->kind == CONDITION_FROM)
            lint_star(conf, rule->line, c->from);
        if (c->kind == CONDITION_FROM && c->from->kind == MAILBOXES_PATTERN)
            lint_pattern(conf, c->from->pattern, REGEX_RECIPIENT, 1);
        if (c->kind == CONDITION_HELO)
            lint_pattern(conf, c->pattern, REGEX_NAME, 1);
    }
}

/* To the shell a no-break space is a letter like others. */
static void lint_command(struct conf *conf, const struct rule *rule)
{
    struct slice text = rule->target.text;
    struct glyph glyph;
    size_t at = 0;

    if (rule->target.kind == TARGET_PIPE && glyph_find(text, GLYPH_UNSEEN, &at, &glyph))
        warn(conf, rule->line, conf_column_of(conf, rule->line, (struct slice){ text.text + at, glyph.len }),
             "an invisible character, U+%04X (%s), which is no blank for the shell", (unsigned)glyph.code, glyph.name);
}

void lint_rules(struct conf *conf)
{
    lint_patterns(conf);
    for (const struct rule *rule = conf->rules.first_rule; rule != NULL; rule = rule->next) {
        lint_mailboxes(conf, rule);
        lint_command(conf, rule);
    }
    lint_commands(conf);
    lint_rewrites(conf);
    lint_reach(conf);
}
