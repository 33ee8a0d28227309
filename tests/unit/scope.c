/* scope.c - unit tests of scope.h: an expression that was written for addresses lets no name in */
#include "patterns/scope.h"

#include <stdio.h>

#include "patterns/pattern.h"
#include "unit.h"

enum { CASES = 20000 };

/* What is tried on names; "" where nothing is. */
static const struct {
    struct slice pattern;
    enum scope scope;
    const char *part; /* of a SCOPE_BOTH, NULL: it cannot be taken apart */
} scopes[] = {
    /* digits, dots and operators */
    { SLICE("^192\\.0\\.2\\."), SCOPE_ADDRESSES, NULL },
    { SLICE("^192.0.2.7$"), SCOPE_ADDRESSES, NULL },
    { SLICE("192"), SCOPE_ADDRESSES, NULL },
    { SLICE("^1"), SCOPE_ADDRESSES, NULL },
    { SLICE("^192\\.0\\.(2|3)\\.[1-9]\\d*$"), SCOPE_ADDRESSES, NULL },
    { SLICE("^192\\.0\\.2\\.1\\."), SCOPE_ADDRESSES, NULL }, /* no address has five numbers, but nobody means a name */
    { SLICE("^300\\."), SCOPE_ADDRESSES, NULL },
    { SLICE("^(\\d{1,3}\\.){3}\\d{1,3}$"), SCOPE_ADDRESSES, NULL },
    { SLICE("^10\\.{1}0"), SCOPE_ADDRESSES, NULL },
    /* other operators */
    { SLICE("^192\\.0\\.2\\.(?!7$)"), SCOPE_ADDRESSES, NULL },
    { SLICE("^192\\.0\\.2\\.(?=7$)"), SCOPE_ADDRESSES, NULL },
    { SLICE("^(?=192\\.0\\.2\\.)."), SCOPE_ADDRESSES, NULL },
    { SLICE("^(?=192\\.0\\.2\\.).+"), SCOPE_ADDRESSES, NULL },
    { SLICE("^(?!192\\.0\\.2\\.)"), SCOPE_ADDRESSES, NULL },
    { SLICE("(?<!1)92\\.0\\.2\\."), SCOPE_ADDRESSES, NULL },
    { SLICE("(?<=192\\.0\\.2\\.)7"), SCOPE_ADDRESSES, NULL },
    { SLICE("(?<=192\\.0\\.2\\.)."), SCOPE_ADDRESSES, NULL },
    { SLICE("\\b192\\.0\\.2\\.1\\b"), SCOPE_ADDRESSES, NULL },
    { SLICE("\\B92\\.0\\.2\\.1"), SCOPE_ADDRESSES, NULL },
    { SLICE("\\A192\\.0\\.2\\."), SCOPE_ADDRESSES, NULL },
    { SLICE("\\G192\\.0\\.2\\."), SCOPE_ADDRESSES, NULL },
    { SLICE("192\\.0\\.2\\.1\\z"), SCOPE_ADDRESSES, NULL },
    { SLICE("192\\.0\\.2\\.1\\Z"), SCOPE_ADDRESSES, NULL },
    { SLICE("^192\\.\\K0\\.2\\."), SCOPE_ADDRESSES, NULL },
    { SLICE("^192\\.0\\.2\\.[^7]"), SCOPE_ADDRESSES, NULL },
    { SLICE("^192\\.0\\.2\\.[^7]+$"), SCOPE_ADDRESSES, NULL },
    { SLICE("^[^1]"), SCOPE_ADDRESSES, NULL },
    { SLICE("^192\\.0\\.2\\.\\w"), SCOPE_ADDRESSES, NULL },
    { SLICE("^192\\.0\\.2\\.\\S+$"), SCOPE_ADDRESSES, NULL },
    { SLICE("^192\\.0\\.2\\..*$"), SCOPE_ADDRESSES, NULL },
    { SLICE("^192\\D0\\D2\\D"), SCOPE_ADDRESSES, NULL },
    { SLICE("^192\\W0\\W2\\W"), SCOPE_ADDRESSES, NULL },
    { SLICE("^192\\N0\\N2\\N"), SCOPE_ADDRESSES, NULL },
    { SLICE("^192[.]0[.]2[.]"), SCOPE_ADDRESSES, NULL },
    { SLICE("^192\\.0\\.2\\.[[:digit:]]+"), SCOPE_ADDRESSES, NULL },
    { SLICE("^192[[:punct:]]0[[:punct:]]2[.]"), SCOPE_BOTH, NULL },
    { SLICE("^192\\.0\\.2\\.[[:^alpha:]]"), SCOPE_ADDRESSES, NULL },
    { SLICE("[[:<:]]192\\.0\\.2\\.1[[:>:]]"), SCOPE_ADDRESSES, NULL },
    { SLICE("^\\x31\\x39\\x32\\.\\x{30}"), SCOPE_ADDRESSES, NULL },
    { SLICE("^\\061\\o{71}2\\."), SCOPE_ADDRESSES, NULL },
    { SLICE("^\\Q192.0.2.\\E"), SCOPE_ADDRESSES, NULL },
    { SLICE("^\\Q192.0.2."), SCOPE_ADDRESSES, NULL },
    { SLICE("^(?i)192\\.0\\.2\\."), SCOPE_ADDRESSES, NULL },
    { SLICE("(?x) ^192 \\. 0 \\. 2 \\. # the office"), SCOPE_ADDRESSES, NULL },
    { SLICE("^192\\.0\\.2\\.(?#office)"), SCOPE_ADDRESSES, NULL },
    { SLICE("(?:192\\.0\\.2\\.)"), SCOPE_ADDRESSES, NULL },
    { SLICE("(?>192)\\.0\\.2\\."), SCOPE_ADDRESSES, NULL },
    { SLICE("(?<net>192\\.0\\.2)\\."), SCOPE_ADDRESSES, NULL },
    { SLICE("(?'net'192\\.0\\.2)\\."), SCOPE_ADDRESSES, NULL },
    { SLICE("(?P<net>192\\.0\\.2)\\."), SCOPE_ADDRESSES, NULL },
    { SLICE("(?|192|193)\\.0\\.2\\."), SCOPE_ADDRESSES, NULL },
    { SLICE("^192\\p{P}0"), SCOPE_ADDRESSES, NULL },
    { SLICE("^(\\d)\\1\\."), SCOPE_BOTH, NULL },
    { SLICE("^(10|x)\\.\\g{1}"), SCOPE_BOTH, NULL },
    { SLICE("^192\\.(*ACCEPT)example"), SCOPE_BOTH, NULL },
    { SLICE("(*UTF)^192\\."), SCOPE_BOTH, NULL },
    { SLICE("^(?(?=1)192|193)\\."), SCOPE_BOTH, NULL },
    { SLICE("^(*pla:192)"), SCOPE_ADDRESSES, NULL },
    { SLICE("^(?R)?192\\."), SCOPE_BOTH, NULL },
    /* IPv6: with colons hexadecimal digits */
    { SLICE("^2001:db8:"), SCOPE_ADDRESSES, NULL },
    { SLICE("^2001:DB8::[0-9a-f]+$"), SCOPE_ADDRESSES, NULL },
    { SLICE("^2001:db8:(0:|a:)"), SCOPE_ADDRESSES, NULL },
    { SLICE("^fe80"), SCOPE_ADDRESSES, NULL },
    { SLICE("^::1$"), SCOPE_ADDRESSES, NULL },
    { SLICE("^fd"), SCOPE_NAMES, NULL },
    { SLICE("^::ffff:192\\.0\\.2\\."), SCOPE_ADDRESSES, NULL },
    /* any text: its address decides */
    { SLICE(""), SCOPE_ADDRESSES, NULL },
    { SLICE("."), SCOPE_ADDRESSES, NULL },
    { SLICE("^.*$"), SCOPE_ADDRESSES, NULL },
    { SLICE("[\\s\\S]"), SCOPE_ADDRESSES, NULL },
    /* names */
    { SLICE("^local$"), SCOPE_NAMES, NULL },
    { SLICE("^mx[0-9]+\\.example\\.com$"), SCOPE_NAMES, NULL },
    { SLICE("\\.example\\.com$"), SCOPE_NAMES, NULL },
    { SLICE("(^|\\.)mail-\\d+\\.example\\.net$"), SCOPE_NAMES, NULL },
    { SLICE("^\\d+\\.\\d+\\.\\d+\\.\\d+\\.dyn\\.example\\.net$"), SCOPE_NAMES, NULL },
    { SLICE("^(10|192)\\.example\\.com$"), SCOPE_NAMES, NULL },
    { SLICE("^(192\\.0\\.2\\.)?mail\\.example$"), SCOPE_NAMES, NULL },
    { SLICE("(?x) \\.example \\.com $ # partner"), SCOPE_NAMES, NULL },
    { SLICE("^(\\w+)\\.\\1\\.example\\.com$"), SCOPE_NAMES, NULL },
    { SLICE("^(?=.*\\.example\\.com$)\\d+"), SCOPE_NAMES, NULL },
    { SLICE("^(?!mail)[^.]+\\.example\\.com$"), SCOPE_NAMES, NULL },
    { SLICE("^(?!.*dyn)"), SCOPE_NAMES, NULL },
    { SLICE("\\Q.example.com\\E$"), SCOPE_NAMES, NULL },
    { SLICE("\\p{L}\\.example"), SCOPE_NAMES, NULL },
    { SLICE("\\.de$"), SCOPE_NAMES, NULL },
    { SLICE("(^|\\.)abc\\.de$"), SCOPE_NAMES, NULL },
    { SLICE(".*\\.fed\\.be$"), SCOPE_NAMES, NULL },
    { SLICE("^db1$"), SCOPE_NAMES, NULL }, /* all of the text: no address */
    { SLICE("^[a-z0-9-]+\\.[a-z0-9-]+$"), SCOPE_NAMES, NULL },
    { SLICE("^.{30,}$"), SCOPE_NAMES, NULL },
    { SLICE("dyn"), SCOPE_NAMES, NULL },
    { SLICE("cafe"), SCOPE_NAMES, NULL },
    { SLICE("^[^.]+$"), SCOPE_NAMES, NULL },
    { SLICE("^[^0-9]"), SCOPE_NAMES, NULL },
    { SLICE("\\w"), SCOPE_NAMES, NULL },
    { SLICE("^\\w+\\.client"), SCOPE_NAMES, NULL },
    { SLICE("\\d+-\\d+"), SCOPE_NAMES, NULL },
    { SLICE("^192\\.0\\.2\\.x"), SCOPE_NAMES, NULL },
    { SLICE("a{2}\\.example"), SCOPE_NAMES, NULL },
    /* neither */
    { SLICE("10.0.0.0/8"), SCOPE_NONE, NULL },
    { SLICE("^2001:db8::x"), SCOPE_NONE, NULL },
    { SLICE("'^192\\.0\\.2\\."), SCOPE_NONE, NULL },
    { SLICE("^a b$"), SCOPE_NONE, NULL },
    /* both */
    { SLICE("^192\\.0\\.2\\.|\\.example\\.com$"), SCOPE_BOTH, "\\.example\\.com$" },
    { SLICE("\\.example\\.com$|^192\\.0\\.2\\."), SCOPE_BOTH, "\\.example\\.com$" },
    { SLICE("^1|a\\.example$|^2|b\\.example$|^3"), SCOPE_BOTH, "a\\.example$|b\\.example$" },
    { SLICE("^(192\\.0\\.2\\.|mx\\.example\\.com$)"), SCOPE_BOTH, "^(mx\\.example\\.com$)" },
    { SLICE("(^192\\.0\\.2\\.|\\.example\\.com$|^198\\.)"), SCOPE_BOTH, "(\\.example\\.com$)" },
    { SLICE("^192\\.0\\.2\\.(x|1)"), SCOPE_BOTH, "^192\\.0\\.2\\.(x)" },
    { SLICE("^2001:db8:|cafe"), SCOPE_BOTH, "cafe" },
    { SLICE("^192\\.|(^10\\.|(x|y\\||^7))$"), SCOPE_BOTH, "((x|y\\|))$" },
    { SLICE("^192\\.0\\.2\\.(mail)?|\\.example$"), SCOPE_BOTH, "\\.example$" },
    { SLICE("(?i)^192\\.|\\.example$"), SCOPE_BOTH, "\\.example$" },
    { SLICE("^192\\.0\\.2\\.(mail)?"), SCOPE_BOTH, NULL },
    { SLICE("(?x)^192\\.|\\.example$"), SCOPE_BOTH, NULL },
    { SLICE("^(1)|(a)\\2\\.example"), SCOPE_BOTH, NULL },
    { SLICE("\\d+[-.]\\d+[-.]\\d+[-.]\\d+"), SCOPE_BOTH, NULL },
    { SLICE("("), SCOPE_BOTH, NULL },
    { SLICE("^192\\.(?C1)"), SCOPE_BOTH, NULL },
};

static void test_scopes(void)
{
    char rest[PATTERN_PART];
    struct slice names;

    for (size_t i = 0; i < COUNT(scopes); i++) {
        struct slice pattern = scopes[i].pattern, part = { "", 0 };
        char room[PATTERN_PART];
        bool found = scope_names_part(pattern, true, room, sizeof room, &part);

        ok_number(scope_of(pattern), scopes[i].scope, "scope of %s", show(pattern));
        if (scopes[i].scope != SCOPE_BOTH)
            continue;
        ok_number(found, scopes[i].part != NULL, "%s is taken apart", show(pattern));
        ok_text(part, slice_of(found && scopes[i].part != NULL ? scopes[i].part : ""), "for names: %s", show(pattern));
    }
    ok(!scope_names_part(slice_of("^192\\.(mail)?|\\.example$"), false, rest, sizeof rest, &names), "what is in doubt stays");
    ok(scope_is_hexadecimal(slice_of("cafe")), "cafe can be of an address");
    ok(scope_is_hexadecimal(slice_of("^2001:db8:|ed$")), "ed$ can be the end of an address");
    ok(!scope_is_hexadecimal(slice_of("\\.de$")), "\\.de$ cannot");
    ok(!scope_is_hexadecimal(slice_of("\\w")), "\\w does not insist on a letter");
}

/* A text that is too long, or nests too deep, to be understood is neither trusted nor the end of the world. */
static void test_bounds(void)
{
    static char text[20000];
    char room[PATTERN_PART];
    struct slice part;

    memset(text, '1', sizeof text);
    ok_number(scope_of((struct slice){ text, sizeof text }), SCOPE_BOTH, "too long");
    ok(!scope_names_part((struct slice){ text, sizeof text }, true, room, sizeof room, &part), "... is not taken apart");
    memset(text, '(', sizeof text);
    ok_number(scope_of((struct slice){ text, sizeof text }), SCOPE_BOTH, "too deep");
    for (size_t len = 1; len < 100; len++) /* wherever it is cut */
        for (size_t i = 0; i < COUNT(scopes); i++)
            if (len < scopes[i].pattern.len)
                (void)scope_of((struct slice){ scopes[i].pattern.text, len });
    for (size_t i = 0; i < 300; i += 2)
        memcpy(text + i, "1|", 2);        /* NOLINT(bugprone-not-null-terminated-result): no string */
    memcpy(text + 300, "\\.example", 9); /* NOLINT(bugprone-not-null-terminated-result) */
    ok_number(scope_of((struct slice){ text, 309 }), SCOPE_BOTH, "more alternatives than can be told apart");
    ok(!scope_names_part((struct slice){ text, 309 }, true, room, sizeof room, &part), "... is not taken apart");
}

static unsigned next_random(unsigned *state)
{
    *state = *state * 1103515245U + 12345U;
    return *state >> 16;
}

static void add(char *out, size_t size, const char *words)
{
    size_t len = strlen(out);

    if (len + strlen(words) < size)
        memcpy(out + len, words, strlen(words) + 1);
}

/* A random expression of what is in addresses, and of operators. */
/* NOLINTNEXTLINE(misc-no-recursion): at most `depth` deep */
static void add_pieces(char *out, size_t size, unsigned *state, unsigned depth)
{
    static const char *const pieces[] = { "192", "0", "2", "\\.", "\\.", ".", "\\d", "\\d+", "[0-9]", "[^7]", "[^0-4]+",
                                          "[.]", "1?", "(?!7)", "(?<!3)", "(?=.)", "\\b", "\\B", "\\d{1,3}", "[[:digit:]]",
                                          "\\x31", "\\Q1.\\E", "(?i)", "(?:)", "\\W", "\\K", "[\\d.]*", "(?#x)", ".*", "\\w" };
    unsigned count = 1 + next_random(state) % 5;

    for (unsigned i = 0; i < count; i++) {
        bool group = depth > 0 && next_random(state) % 5 == 0;

        add(out, size, group ? "(?:" : pieces[next_random(state) % COUNT(pieces)]);
        if (!group)
            continue;
        add_pieces(out, size, state, depth - 1);
        if (next_random(state) % 2 == 0) {
            add(out, size, "|");
            add_pieces(out, size, state, depth - 1);
        }
        add(out, size, next_random(state) % 3 == 0 ? ")+" : ")");
    }
}

/*
 * 192.0.2.1.evil.example is never let in by an expression of that kind that begins with a part of an address, unless the
 * expression matches every address as well.
 */
static void test_random(void)
{
    static const char *const names[] = { "192.0.2.1.evil.example", "192.0.2.x.evil.example", "192-0-2-1.evil.example",
                                         "1.evil.example" };
    unsigned state = 1, compiled = 0, let_in = 0;

    for (unsigned i = 0; i < CASES; i++) {
        char text[256], room[PATTERN_PART], why[256];
        struct pattern pattern = { .text = { text, 0 } };
        struct slice part;
        size_t offset;

        (void)snprintf(text, sizeof text, "%s", next_random(&state) % 2 == 0 ? "^192\\.0" : "\\b1");
        add_pieces(text, sizeof text - 32, &state, 3);
        pattern.text.len = strlen(text);
        if (!pattern_compile(&pattern, why, sizeof why, &offset))
            continue;
        compiled++;
        for (size_t n = 0; n < COUNT(names); n++) {
            struct pattern tried = { .text = pattern.text };

            if (pattern_on_names(&pattern, false, room, &part)) {
                tried.text = part;
                if (pattern_match(&tried, slice_of(names[n]), NULL, why, sizeof why) == MATCH_YES && let_in++ < 5)
                    ok(false, "%s lets in %s", show(pattern.text), names[n]);
            }
            pattern_free(&tried);
        }
        pattern_free(&pattern);
    }
    ok(compiled > CASES / 2, "%u random expressions compile", compiled);
    ok_number(let_in, 0, "none lets in a name");
}

void test_scope(void)
{
    test_scopes();
    test_bounds();
    test_random();
}
