/* rewrites.c - lines that give an address another form: expression, and what becomes of what it matches */
#include "conf/parser.h"

/* The index of the next "${", text.len if there is none. */
static size_t next_reference(struct slice text)
{
    size_t at = 0;

    while (at < text.len && !(text.text[at] == '$' && at + 1 < text.len && text.text[at + 1] == '{'))
        at++;
    return at;
}

static struct rewrite_part *add_part(struct parser *p, struct rewrite *rewrite)
{
    struct rewrite_part *part = memory_take(p->conf, sizeof *part), **end = &rewrite->parts;

    while (*end != NULL)
        end = &(*end)->next;
    *end = part;
    return part;
}

/* What stands between the braces: a number of one digit, or a name. */
static void take_reference(struct parser *p, struct rewrite *rewrite, struct slice name, unsigned column)
{
    struct rewrite_part *part = add_part(p, rewrite);
    const bool number = name.len > 0 && name.text[0] >= '0' && name.text[0] <= '9';

    part->text = name;
    part->kind = number ? REWRITE_NUMBER : REWRITE_NAME;
    part->group = number ? (size_t)(name.text[0] - '0') : 0;
    if (name.len == 0 || (number && name.len > 1))
        fail(p, column, "'${%.*s}' stands for nothing, expected ${0} for all that was matched, ${1} to ${%d} or ${NAME} for "
             "what a group has caught", (int)name.len, name.text, PATTERN_CAPTURES);
}

/* The new address, in pieces. */
static void take_parts(struct parser *p, struct rewrite *rewrite, struct word word)
{
    struct slice rest = word.text;
    const unsigned begin = word.column + word.quoted;

    while (rest.len > 0 && !p->failed) {
        size_t len = next_reference(rest);
        const char *end;

        if (len > 0)
            add_part(p, rewrite)->text = (struct slice){ rest.text, len };
        rest = (struct slice){ rest.text + len, rest.len - len };
        if (rest.len == 0)
            break;
        end = memchr(rest.text, '}', rest.len);
        if (end == NULL) {
            fail(p, begin + (unsigned)(rest.text - word.text.text), "a ${ without its }");
            break;
        }
        take_reference(p, rewrite, (struct slice){ rest.text + 2, (size_t)(end - rest.text) - 2 },
                       begin + (unsigned)(rest.text - word.text.text));
        rest = (struct slice){ end + 1, rest.len - (size_t)(end + 1 - rest.text) };
    }
}

static void take_address(struct parser *p, enum rewritten whose, struct rewrite *rewrite)
{
    const char *expected = whose == REWRITE_SENDER ? "user@example.com, <>, or one with ${1} in it"
                                                   : "user@example.com, or one with ${1} in it";
    struct address address;
    struct word word;

    if (!word_need(p, &word, "the new address"))
        return;
    rewrite->address = word.text;
    rewrite->null = whose == REWRITE_SENDER && word_is(word, "<>");
    if (rewrite->null)
        return;
    take_parts(p, rewrite, word);
    if (!p->failed && next_reference(word.text) == word.text.len && !envelope_mailbox(word.text, &address))
        fail(p, word.column, "'%.*s' is not an address, expected %s", (int)word.text.len, word.text.text, expected);
}

/* rewrite sender|rcpt_to /REGEX/ ADDRESS */
void parse_rewrite(struct parser *p, const struct keyword *k, void *value)
{
    static const char *const words[REWRITTEN] = { [REWRITE_SENDER] = "sender", [REWRITE_RECIPIENT] = "rcpt_to" };
    static const char *const directives[REWRITTEN] = { [REWRITE_SENDER] = "rewrite sender",
                                                       [REWRITE_RECIPIENT] = "rewrite rcpt_to" };
    struct rewrite *rewrite = memory_take(p->conf, sizeof *rewrite);
    enum rewritten whose = REWRITE_SENDER;
    struct pattern *pattern;
    struct word word;

    (void)k;
    (void)value;
    if (!word_need(p, &word, "'sender' or 'rcpt_to'"))
        return;
    while (whose < REWRITTEN && !word_is(word, words[whose]))
        whose++;
    if (whose == REWRITTEN) {
        fail(p, word.column, "unexpected '%.*s', expected 'sender' or 'rcpt_to'", (int)word.text.len, word.text.text);
        return;
    }
    pattern = expression_parse(p, directives[whose]);
    if (pattern == NULL)
        return;
    rewrite->line = p->number;
    rewrite->pattern = *pattern;
    take_address(p, whose, rewrite);
    word_need_end(p);
    if (p->failed)
        return;
    *p->conf->rules.last_rewrite[whose] = rewrite;
    p->conf->rules.last_rewrite[whose] = &rewrite->next;
}
