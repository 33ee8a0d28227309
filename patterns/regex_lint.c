/* regex_lint.c - regular expressions that match more than they seem to: loose ends, dots that match anything */
/*
 * No parser of PCRE2, which has compiled the expression already: it is cut into alternatives, and these into
 * atoms (a character, an escape, a class, a group), each with its quantifier.
 */
#include "patterns/regex_lint.h"

#include <ctype.h>
#include <stdio.h>

#include "base/text.h"

enum { LOOSE_MAX = 1024 }; /* bytes of an expression in which loose dots are found */

struct atom {
    size_t begin, end; /* offsets in the text, without the quantifier */
    bool repeated;     /* there is one */
};

/* What is found on the way through an expression. */
struct survey {
    struct slice whole;
    enum regex_subject subject;
    size_t at_sign;          /* where the domain of a recipient begins; 0: it has none */
    bool loose[LOOSE_MAX];   /* by offset: a dot that should be \. */
};

/* ---- cutting ----------------------------------------------------------------------------- */

/* Behind the class that begins at `at`. */
static size_t class_end(struct slice text, size_t at)
{
    at += at + 1 < text.len && text.text[at + 1] == '^' ? 2 : 1;
    for (size_t first = at; at < text.len; at++) {
        if (text.text[at] == ']' && at > first)
            return at + 1;
        at += text.text[at] == '\\' || (text.text[at] == '[' && at + 1 < text.len && text.text[at + 1] == ':');
    }
    return text.len;
}

/* Behind the group that begins at `at`; depth instead of recursion, for a stranger may have written it. */
static size_t group_end(struct slice text, size_t at)
{
    size_t depth = 0;

    while (at < text.len) {
        char c = text.text[at];

        if (c == '[') {
            at = class_end(text, at);
            continue;
        }
        at += c == '\\' ? 2 : 1;
        depth += c == '(';
        depth -= c == ')';
        if (depth == 0)
            return at < text.len ? at : text.len;
    }
    return text.len;
}

/* Behind an escape: \. and \d, \x{2e} and \p{L}. */
static size_t escape_end(struct slice text, size_t at)
{
    const char *brace;

    if (at + 2 >= text.len || text.text[at + 2] != '{' || strchr("xpPogkN", text.text[at + 1]) == NULL)
        return at + 2 < text.len ? at + 2 : text.len;
    brace = memchr(text.text + at, '}', text.len - at);
    return brace != NULL ? (size_t)(brace - text.text) + 1 : text.len;
}

/* Behind a quantifier at `at`, or `at`. */
static size_t quantifier_end(struct slice text, size_t at)
{
    const char *brace;

    if (at >= text.len || strchr("*+?{", text.text[at]) == NULL || text.text[at] == '\0')
        return at;
    if (text.text[at] != '{')
        at++;
    else if ((brace = memchr(text.text + at, '}', text.len - at)) != NULL)
        at = (size_t)(brace - text.text) + 1;
    else
        return at;
    return at < text.len && (text.text[at] == '?' || text.text[at] == '+') ? at + 1 : at;
}

/* The atom at *at, and past it; false at the end. */
static bool next_atom(struct slice text, size_t *at, struct atom *atom)
{
    if (*at >= text.len)
        return false;
    atom->begin = *at;
    switch (text.text[*at]) {
    case '\\': atom->end = escape_end(text, *at); break;
    case '[': atom->end = class_end(text, *at); break;
    case '(': atom->end = group_end(text, *at); break;
    default: atom->end = *at + 1; break;
    }
    *at = quantifier_end(text, atom->end);
    atom->repeated = *at > atom->end;
    if (*at == atom->begin) /* cannot be */
        ++*at;
    return true;
}

/* The alternative at *at, and past it and its |; false behind the last one. An empty text has one. */
static bool next_alternative(struct slice text, size_t *at, struct slice *alternative)
{
    size_t begin = *at, i = begin;
    struct atom atom;

    if (begin > text.len)
        return false;
    while (i < text.len && text.text[i] != '|' && next_atom(text, &i, &atom))
        continue;
    *alternative = (struct slice){ text.text + begin, i - begin };
    *at = i + 1;
    return true;
}

/* What is in a group: behind (, (?: and (?<name>. False for what matches no text: (?i) and look-arounds. */
static bool inside(struct slice text, const struct atom *group, struct slice *inner)
{
    const char *name_end;

    *inner = (struct slice){ text.text + group->begin + 1, group->end - group->begin - 1 };
    inner->len -= inner->len > 0 && inner->text[inner->len - 1] == ')';
    if (inner->len == 0 || inner->text[0] != '?')
        return true;
    if (inner->len < 2 || strchr(":<P'", inner->text[1]) == NULL ||
        (inner->text[1] == '<' && inner->len > 2 && strchr("=!", inner->text[2]) != NULL))
        return false;
    name_end = inner->text + 1;
    if (inner->text[1] != ':')
        name_end = memchr(inner->text + 2, inner->text[1] == '\'' ? '\'' : '>', inner->len - 2);
    if (name_end == NULL)
        return false;
    inner->len -= (size_t)(name_end + 1 - inner->text);
    inner->text = name_end + 1;
    return true;
}

/* ---- looking ----------------------------------------------------------------------------- */

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* A letter or digit, or something that stands for one. */
static bool is_wordlike(struct slice text, const struct atom *atom)
{
    char c = text.text[atom->begin];

    return is_word(c) || c == '[' ||
           (c == '\\' && atom->begin + 1 < text.len && strchr("dw", text.text[atom->begin + 1]) != NULL);
}

/* NOLINTBEGIN(misc-no-recursion): PCRE2 compiles no expression that nests deeper than 250 groups */

/* Could the text go on before this alternative, in the middle of a word? */
static bool begins_open(const struct survey *s, struct slice text)
{
    struct slice inner, alternative;
    struct atom atom;
    size_t at = 0;

    while (next_atom(text, &at, &atom)) {
        if (text.text[atom.begin] != '(')
            return s->subject == REGEX_ADDRESS ? is_wordlike(text, &atom) : is_word(text.text[atom.begin]);
        if (!inside(text, &atom, &inner))
            continue;
        for (at = 0; next_alternative(inner, &at, &alternative);)
            if (begins_open(s, alternative))
                return true;
        return false;
    }
    return false;
}

/* Is the text at its end behind this atom, which is the last one? */
static bool ends_with(const struct survey *s, struct slice text, const struct atom *atom)
{
    char c = text.text[atom->begin];

    if (s->subject == REGEX_ADDRESS)
        return atom->repeated || !is_wordlike(text, atom);
    if (s->subject == REGEX_RECIPIENT)
        return atom->repeated || s->at_sign == 0 || !is_word(c);
    return c == '$' || (c == '.' && atom->repeated) ||
           (c == '\\' && atom->begin + 1 < text.len && strchr("zZ", text.text[atom->begin + 1]) != NULL);
}

/* Could it go on behind this alternative? */
static bool ends_open(const struct survey *s, struct slice text)
{
    struct slice inner, alternative;
    struct atom atom, last = { .end = 0 };
    size_t at = 0;

    while (next_atom(text, &at, &atom))
        last = atom;
    if (last.end == 0)
        return false;
    if (text.text[last.begin] != '(')
        return !ends_with(s, text, &last);
    if (!inside(text, &last, &inner))
        return false;
    for (at = 0; next_alternative(inner, &at, &alternative);)
        if (ends_open(s, alternative))
            return true;
    return false;
}

/* Marks the dots of an alternative that stand where a name has dots, between letters and digits. */
static void find_dots(struct survey *s, struct slice text)
{
    struct atom atom, next;
    struct slice inner, alternative;
    bool before = text.text == s->whole.text && s->subject != REGEX_RECIPIENT; /* a word, or the very beginning */
    size_t at = 0;

    for (bool more = next_atom(text, &at, &atom); more; atom = next) {
        size_t offset = (size_t)(text.text - s->whole.text) + atom.begin;
        char c = text.text[atom.begin];

        more = next_atom(text, &at, &next);
        if (c == '.' && !atom.repeated && before && offset >= s->at_sign && offset < LOOSE_MAX &&
            (!more || text.text[next.begin] == '(' || text.text[next.begin] == '$' || is_wordlike(text, &next)))
            s->loose[offset] = true;
        before = c == '(' || is_wordlike(text, &atom);
        if (c == '(' && inside(text, &atom, &inner))
            for (size_t i = 0; next_alternative(inner, &i, &alternative);)
                find_dots(s, alternative);
    }
}

/* NOLINTEND(misc-no-recursion) */

static void begin_survey(struct survey *s, struct slice pattern, enum regex_subject subject)
{
    const char *sign = memchr(pattern.text, '@', pattern.len);

    *s = (struct survey){ .whole = pattern, .subject = subject };
    if (subject == REGEX_RECIPIENT)
        s->at_sign = sign != NULL ? (size_t)(sign - pattern.text) : 0;
}

bool regex_lint_is_any(struct slice pattern)
{
    static const char texts[][6] = { ".", ".*", ".+", "^", "$", "^.", "^.*", "^.+", ".*$", ".+$", "^.*$", "^.+$", "@" };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (slice_equal(pattern, slice_of(texts[i])))
            return true;
    return false;
}

struct suspicion regex_lint_look(struct slice pattern, enum regex_subject subject)
{
    struct suspicion found = { .any = regex_lint_is_any(pattern) };
    struct slice alternative;
    struct survey s;
    struct atom atom;
    size_t at = 0;

    /* one atom that is no letter asks for a character somewhere */
    if (found.any || (next_atom(pattern, &at, &atom) && at == pattern.len && !is_word(pattern.text[0])))
        return found;
    begin_survey(&s, pattern, subject);
    for (at = 0; next_alternative(pattern, &at, &alternative);) {
        found.open_begin = found.open_begin || begins_open(&s, alternative);
        found.open_end = found.open_end || ends_open(&s, alternative);
        if (subject != REGEX_RECIPIENT || s.at_sign > 0)
            find_dots(&s, alternative);
    }
    for (size_t i = LOOSE_MAX; i-- > 0;)
        if (s.loose[i]) {
            found.dots++;
            found.first_dot = i;
        }
    return found;
}

/* How an expression for addresses that has no end should end: behind a part of an address in its separator. */
static const char *end_of_address(struct slice pattern)
{
    size_t dots = 0, colons = 0;

    for (size_t i = 0; i < pattern.len; i++) {
        dots += pattern.text[i] == '.';
        colons += pattern.text[i] == ':';
    }
    if (colons > 0)
        return colons == 7 || memmem(pattern.text, pattern.len, "::", 2) != NULL ? "$" : ":";
    return dots == 3 || memchr(pattern.text, '|', pattern.len) != NULL ? "$" : "\\.";
}

void regex_lint_mend(struct slice pattern, enum regex_subject subject, char *out, size_t size)
{
    struct suspicion found = regex_lint_look(pattern, subject);
    struct text text = { out, size - 1, 0 };
    struct slice alternative;
    struct survey s;
    size_t at = 0, alternatives = 0;

    begin_survey(&s, pattern, subject);
    for (; next_alternative(pattern, &at, &alternative); alternatives++)
        if (found.dots > 0)
            find_dots(&s, alternative);
    if (found.open_begin)
        text_put(&text, slice_of(subject == REGEX_NAME ? "(^|\\.)" : "^"));
    if (alternatives > 1 && (found.open_begin || found.open_end))
        text_put(&text, slice_of("("));
    for (size_t i = 0; i < pattern.len; i++) {
        if (i < LOOSE_MAX && s.loose[i])
            text_put(&text, slice_of("\\"));
        text_put(&text, (struct slice){ pattern.text + i, 1 });
    }
    if (alternatives > 1 && (found.open_begin || found.open_end))
        text_put(&text, slice_of(")"));
    if (found.open_end)
        text_put(&text, slice_of(subject == REGEX_ADDRESS ? end_of_address(pattern) : "$"));
    out[text.len] = '\0';
}

/* ---- samples ----------------------------------------------------------------------------- */

/* What is put together, of which alternatives, from an expression that was surveyed. */
struct sampler {
    const struct survey *survey;
    struct text text;
    unsigned choice;
    char dot;
};

/* A character of a class: the first that it names. */
static bool sample_class(struct slice text, const struct atom *atom, char *c)
{
    *c = text.text[atom->begin + 1];
    if (*c == '^')
        *c = (char)(memchr(text.text + atom->begin, 'x', atom->end - atom->begin) == NULL ? 'x' : '5');
    else if (*c == '\\')
        *c = (char)(text.text[atom->begin + 2] == 'd' ? '1' : text.text[atom->begin + 2] == 'w' ? 'a' : text.text[atom->begin + 2]);
    return *c != '[';
}

/* The character that an atom stands for; '\0': none, as for an anchor. False: that is not known. */
static bool sample_atom(const struct sampler *s, struct slice text, const struct atom *atom, char *c)
{
    static const char escapes[] = "dwSDbBAzZG", stand_for[] = "1aaa\0\0\0\0\0\0";
    const char *escape;

    *c = text.text[atom->begin];
    switch (*c) {
    case '^': case '$': *c = '\0'; return true;
    case '[': return sample_class(text, atom, c);
    case '.': {
        size_t offset = (size_t)(text.text - s->survey->whole.text) + atom->begin;

        *c = (char)(offset < LOOSE_MAX && s->survey->loose[offset] ? s->dot
                    : s->survey->subject == REGEX_ADDRESS        ? '1' : 'x');
        return true;
    }
    case '\\': break;
    default: return true;
    }
    *c = text.text[atom->begin + 1];
    escape = strchr(escapes, *c);
    if (escape != NULL)
        *c = stand_for[escape - escapes];
    return escape != NULL || ispunct((unsigned char)text.text[atom->begin + 1]) != 0;
}

/* May the atom be left out? */
static bool is_optional(struct slice text, const struct atom *atom)
{
    return atom->repeated && (strchr("*?", text.text[atom->end]) != NULL ||
                              (text.text[atom->end] == '{' && text.text[atom->end + 1] == '0'));
}

/* How often {3} wants it. */
static unsigned repetitions(struct slice text, const struct atom *atom)
{
    unsigned n = 0;

    if (!atom->repeated || text.text[atom->end] != '{')
        return 1;
    for (size_t i = atom->end + 1; i < text.len && isdigit((unsigned char)text.text[i]) && n < 100; i++)
        n = n * 10 + (unsigned)(text.text[i] - '0');
    return n;
}

/* NOLINTBEGIN(misc-no-recursion): as above */

static bool sample_alternatives(struct sampler *s, struct slice text)
{
    struct slice alternative = text, inner;
    struct atom atom;
    unsigned count = 0;
    size_t at = 0;

    while (next_alternative(text, &at, &alternative))
        count++;
    at = 0;
    for (unsigned i = 0; i <= s->choice % count; i++)
        (void)next_alternative(text, &at, &alternative);
    for (at = 0; next_atom(alternative, &at, &atom);) {
        char c;

        if (is_optional(alternative, &atom))
            continue;
        for (unsigned n = repetitions(alternative, &atom); n > 0; n--) {
            if (alternative.text[atom.begin] == '(') {
                if (inside(alternative, &atom, &inner) && !sample_alternatives(s, inner))
                    return false;
            } else if (!sample_atom(s, alternative, &atom, &c)) {
                return false;
            } else if (c != '\0') {
                text_put(&s->text, (struct slice){ &c, 1 });
            }
        }
    }
    return true;
}

/* NOLINTEND(misc-no-recursion) */

bool regex_lint_sample(struct slice pattern, enum regex_subject subject, unsigned choice, char dot, char *out,
                    size_t size)
{
    struct sampler sampler;
    struct slice alternative;
    struct survey s;
    size_t at = 0;
    bool made;

    begin_survey(&s, pattern, subject);
    while (next_alternative(pattern, &at, &alternative))
        if (subject != REGEX_RECIPIENT || s.at_sign > 0)
            find_dots(&s, alternative);
    sampler = (struct sampler){ &s, { out, size - 1, 0 }, choice, dot };
    made = sample_alternatives(&sampler, pattern);
    out[sampler.text.len] = '\0';
    return made && sampler.text.len < size - 1;
}
