/* lint.c - rules that load but hardly mean what they say: patterns, order, groups, postmaster */
#include "admin/lint.h"

#include <ctype.h>
#include <string.h>

#include "base/glyph.h"
#include "conf/mend.h"

/* Adds a warning to a configuration: line, column, format. */
#define warn(conf, ...) conf_complain(conf, SEVERITY_WARNING, __VA_ARGS__)

/* ---- patterns ---------------------------------------------------------------------------- */

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

/* What an expression in a host's or a recipient's place may be instead of an expression. True: nothing else is said. */
static bool lint_other_language(struct conf *conf, const struct pattern *p, enum regex_subject subject, size_t skip)
{
    char mended[MEND_MAX];
    enum mend mend = subject == REGEX_RECIPIENT ? MEND_NOTHING : mend_network(p->text, mended);
    bool network = mend != MEND_NOTHING;

    if (!network)
        mend = mend_glob(p->text, subject, mended);
    if (mend == MEND_NOTHING)
        return false;
    warn(conf, p->line, conf_column(conf, p->line, p->column, skip),
         network ? "networks and addresses are no regular expressions: this matches other hosts, or none"
                 : "this looks like a pattern of the shell, but is a regular expression: * repeats what stands before it");
    if (mend == MEND_FOUND)
        conf_advise(conf, "write: %s", mended);
    else
        conf_advise(conf, network ? "write expressions that begin with ^, one for each part of the range"
                                  : "write .* for any text, and \\. for a dot");
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

/* Loose ends and dots. `skip` is where the pattern begins in its word: behind the slash of /REGEX/. */
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

static void lint_pattern(struct conf *conf, const struct pattern *p, enum regex_subject subject, size_t skip)
{
    if (lint_other_language(conf, p, subject, skip))
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

static void lint_hosts(struct patterns *list, void *context)
{
    struct conf *conf = context;

    for (struct pattern *p = list->first; p != NULL; p = p->next) {
        enum regex_subject subject = pattern_scope(p) == SCOPE_ADDRESSES ? REGEX_ADDRESS : REGEX_NAME;

        if (lint_other_language(conf, p, subject, 0))
            continue;
        lint_scope(conf, p, list == &conf->rules.groups.deny);
        lint_slips(conf, p, 0);
        if (pattern_scope(p) == SCOPE_ADDRESSES || pattern_scope(p) == SCOPE_NAMES)
            lint_loose(conf, p, subject, 0);
    }
}

static void lint_patterns(struct conf *conf)
{
    groups_each(&conf->rules.groups, lint_hosts, conf);
    for (const struct rule *r = conf->rules.first_rule; r != NULL; r = r->next)
        if (r->kind == RCPT_PATTERN)
            lint_pattern(conf, r->pattern, REGEX_RECIPIENT, 1);
    for (const struct refusal *r = conf->rules.first_refusal; r != NULL; r = r->next)
        lint_pattern(conf, &r->pattern, REGEX_RECIPIENT, 0);
}

/* A mailbox with a star in its name is one that nobody has. */
static void lint_star(struct conf *conf, const struct rule *rule)
{
    const char *at = rule->kind == RCPT_ADDRESS ? memrchr(rule->rcpt.text, '@', rule->rcpt.len) : NULL;
    char mended[MEND_MAX];
    enum mend mend = at != NULL ? mend_glob(rule->rcpt, REGEX_RECIPIENT, mended) : MEND_NOTHING;

    if (mend == MEND_NOTHING || rule->rcpt.text[0] == '"')
        return;
    warn(conf, rule->line, conf_column_of(conf, rule->line, rule->rcpt),
         "this is one mailbox, called %.*s: * stands for nothing else", (int)rule->rcpt.len, rule->rcpt.text);
    if (at == rule->rcpt.text + 1) /* all of the local part */
        conf_advise(conf, "write: %.*s", (int)rule->rcpt.len - 1, at);
    else if (mend == MEND_FOUND)
        conf_advise(conf, "write: /%s/", mended);
    else
        conf_advise(conf, "write /REGEX/ for a pattern");
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

/* ---- order ------------------------------------------------------------------------------- */

static bool has_auth(const struct conf *conf)
{
    return conf->client.auth != AUTH_OFF && (conf->client.tls != TLS_OFF || conf->client.auth_insecure);
}

/* Why no client can meet the conditions of a rule; NULL: one may. */
static const char *impossible(const struct conf *conf, const struct rule *rule)
{
    if (rule->needs_tls && conf->client.tls == TLS_OFF)
        return "it wants TLS, and tls is off";
    if (rule->needs_auth && !has_auth(conf))
        return "it wants a password, and AUTH is never offered";
    return NULL;
}

/* Does every client that meets the conditions of `later` meet those of `earlier`? */
static bool asks_no_more(const struct conf *conf, const struct rule *earlier, const struct rule *later)
{
    bool always_tls = conf->client.tls == TLS_REQUIRED || conf->client.tls == TLS_IMPLICIT;
    bool always_auth = conf->client.auth == AUTH_REQUIRED;

    return (earlier->group == NULL || earlier->group == later->group) &&
           (!earlier->needs_tls || later->needs_tls || always_tls) &&
           (!earlier->needs_auth || later->needs_auth || always_auth);
}

/* The domain in what a rule names; empty for a pattern. */
static struct slice domain_in(const struct rule *rule, struct slice rcpt)
{
    const char *at = rule->kind == RCPT_ADDRESS ? memrchr(rcpt.text, '@', rcpt.len) : NULL;

    if (rule->kind == RCPT_PATTERN)
        return (struct slice){ "", 0 };
    return at == NULL ? rcpt : (struct slice){ at + 1, rcpt.len - (size_t)(at + 1 - rcpt.text) };
}

/* In the form that is compared. */
static struct slice domain_of(const struct rule *rule)
{
    return domain_in(rule, rule->canonical);
}

/* Does `earlier` name all recipients that `later` names, which for RCPT_ADDRESS is `address`? No where that is
 * hard to say. */
static bool names_all(const struct conf *conf, struct rule *earlier, const struct rule *later,
                      const struct address *address)
{
    if (earlier->kind == RCPT_PATTERN && regex_lint_is_any(earlier->pattern->text))
        return true;
    if (earlier->kind == RCPT_DOMAIN)
        return slice_equal_nocase(earlier->canonical, domain_of(later));
    if (earlier->kind == RCPT_ADDRESS && conf->rules.delimiters.len == 0) /* most pairs of a long file */
        return later->kind == RCPT_ADDRESS && slice_equal_nocase(earlier->canonical, later->canonical);
    if (later->kind == RCPT_ADDRESS)
        return rules_names(&conf->rules, earlier, address) == MATCH_YES;
    return earlier->kind == RCPT_PATTERN && later->kind == RCPT_PATTERN &&
           slice_equal(earlier->pattern->text, later->pattern->text);
}

static unsigned column_of(const struct conf *conf, const struct rule *rule)
{
    return rule->kind == RCPT_PATTERN ? rule->pattern->column : conf_column_of(conf, rule->line, rule->rcpt);
}

static void complain_unreachable(struct conf *conf, const struct rule *rule, unsigned by)
{
    warn(conf, rule->line, column_of(conf, rule),
         "this line is never reached: %s takes all the mail that it could take", conf_line_text(conf, by, rule->line));
    conf_advise(conf, "move it above %s, or take it out", conf_line_text(conf, by, rule->line));
}

/* 1.x used the last of several lines for one address. */
static void note_repeated(struct conf *conf, const struct rule *rule, unsigned first)
{
    conf_complain(conf, SEVERITY_NOTE, rule->line, column_of(conf, rule),
                  "%.*s has a rule on %s, too: the first one that accepts the client decides", (int)rule->rcpt.len,
                  rule->rcpt.text, conf_line_text(conf, first, rule->line));
}

static void lint_rule(struct conf *conf, struct rule *rule)
{
    const char *why = impossible(conf, rule);
    struct address address = { .len = 0 };
    unsigned repeated = 0;

    if (why != NULL) {
        warn(conf, rule->line, conf_column_of(conf, rule->line, (struct slice){ NULL, 0 }),
             "this line is never reached: %s", why);
        return;
    }
    if (rule->kind == RCPT_ADDRESS)
        (void)envelope_mailbox(rule->canonical, &address); /* it was parsed before */
    for (struct rule *r = conf->rules.first_rule; r != rule; r = r->next) {
        if (asks_no_more(conf, r, rule) && impossible(conf, r) == NULL && names_all(conf, r, rule, &address)) {
            complain_unreachable(conf, rule, r->line);
            return;
        }
        if (repeated == 0 && r->kind == RCPT_ADDRESS && rule->kind == RCPT_ADDRESS &&
            slice_equal_nocase(r->canonical, rule->canonical))
            repeated = r->line;
    }
    if (repeated > 0)
        note_repeated(conf, rule, repeated);
}

static void lint_refusals(struct conf *conf)
{
    for (const struct refusal *r = conf->rules.first_refusal; r != NULL; r = r->next)
        for (const struct refusal *e = conf->rules.first_refusal; e != r; e = e->next)
            if (regex_lint_is_any(e->pattern.text) || slice_equal(e->pattern.text, r->pattern.text)) {
                warn(conf, r->pattern.line, r->pattern.column,
                     "this line is never reached: %s refuses all that it could refuse",
                     conf_line_text(conf, e->pattern.line, r->pattern.line));
                conf_advise(conf, "move it above %s, or take it out",
                            conf_line_text(conf, e->pattern.line, r->pattern.line));
                break;
            }
}

static void lint_deny(struct conf *conf)
{
    for (const struct pattern *p = conf->rules.groups.deny.first; p != NULL; p = p->next)
        if (regex_lint_is_any(p->text))
            warn(conf, p->line, p->column, "nobody can connect: this denies all hosts");
}

/* ---- groups ------------------------------------------------------------------------------ */

static bool is_used(const struct conf *conf, const struct allowgroup *group)
{
    for (const struct rule *r = conf->rules.first_rule; r != NULL; r = r->next)
        if (r->group == group)
            return true;
    for (const struct bypass *b = conf->rules.groups.bypasses; b != NULL; b = b->next)
        if (b->group == group)
            return true;
    return false;
}

static void lint_group(struct conf *conf, const struct allowgroup *group)
{
    const struct certificate *c = group->certificates;

    if (c != NULL && (conf->client.tls == TLS_OFF || conf->client.tls_client_ca.len == 0)) {
        warn(conf, c->line, conf_column_of(conf, c->line, group->name),
             "no client is ever a member by this: none is asked for a certificate");
        conf_advise(conf, "write: %stls.client_ca PATH",
                    conf->client.tls == TLS_OFF ? "tls optional, tls.cert PATH, tls.key PATH and " : "");
    }
    if (is_used(conf, group))
        return;
    warn(conf, group->line, conf_column_of(conf, group->line, group->name), "no line is for this group");
    conf_advise(conf, "write: deliver allowgroup %.*s rcpt_to ..., or take the group out", (int)group->name.len,
                group->name.text);
}

/* ---- postmaster -------------------------------------------------------------------------- */

static bool reaches_somebody(struct conf *conf, const char *text)
{
    struct address address = { .len = 0 };

    if (strchr(text, '@') == NULL) { /* the bare one: given without a domain */
        (void)memcpy(address.text, text, strlen(text) + 1);
        address.len = address.local_len = (uint16_t)strlen(text);
    } else if (!envelope_mailbox(slice_of(text), &address)) {
        return true; /* too long to be asked for */
    }
    for (struct rule *r = conf->rules.first_rule; r != NULL; r = r->next)
        if (rules_names(&conf->rules, r, &address) == MATCH_YES)
            return true;
    return false;
}

static bool is_first_of_domain(const struct conf *conf, const struct rule *rule)
{
    for (const struct rule *r = conf->rules.first_rule; r != rule; r = r->next)
        if (slice_equal_nocase(domain_of(r), domain_of(rule)))
            return false;
    return domain_of(rule).len > 0;
}

/* RFC 5321 4.5.1: whoever takes mail for a domain takes that for its postmaster, and that for a bare <postmaster>. */
static void lint_postmaster(struct conf *conf)
{
    const struct rule *first = NULL;
    struct conf_place place = conf_place_of(conf, "domain", conf->rules.domain);
    char address[ADDRESS_MAX + 16];
    size_t others = 0;

    for (const struct rule *r = conf->rules.first_rule; r != NULL; r = r->next) {
        if (!is_first_of_domain(conf, r))
            continue;
        (void)snprintf(address, sizeof address, "postmaster@%.*s", (int)domain_of(r).len, domain_of(r).text);
        if (reaches_somebody(conf, address))
            continue;
        others += first != NULL;
        first = first == NULL ? r : first;
    }
    if (first != NULL)
        warn(conf, first->line, conf_column_of(conf, first->line, domain_in(first, first->rcpt)),
             "nobody gets mail for postmaster@%.*s%s, which every domain must take (RFC 5321 4.5.1)",
             (int)domain_of(first).len, domain_of(first).text, others > 0 ? " and other postmasters" : "");
    else if (!reaches_somebody(conf, "postmaster"))
        warn(conf, place.line, place.column, "nobody gets mail for <postmaster>, which is "
             "postmaster@%.*s and every server must take (RFC 5321 4.5.1)", (int)conf->rules.domain.len,
             conf->rules.domain.text);
    else
        return;
    conf_advise(conf, "write: deliver rcpt_to /^postmaster(@|$)/ append /var/lib/mailrecv/postmaster");
}

void lint_rules(struct conf *conf)
{
    lint_patterns(conf);
    for (struct rule *rule = conf->rules.first_rule; rule != NULL; rule = rule->next) {
        lint_star(conf, rule);
        lint_command(conf, rule);
        lint_rule(conf, rule);
    }
    lint_refusals(conf);
    lint_deny(conf);
    for (const struct allowgroup *g = conf->rules.groups.first_group; g != NULL; g = g->next)
        lint_group(conf, g);
    /* where strangers cannot send anything, nobody will write to a postmaster */
    if (conf->rules.first_rule != NULL && conf->delivery.deadletter_file.len == 0 && conf->client.auth != AUTH_REQUIRED)
        lint_postmaster(conf);
}
