/* pattern.c - unit tests of pattern.h: what is matched without PCRE2 is matched as PCRE2 would */
#include "patterns/pattern.h"

#include <stdio.h>

#include "unit.h"

enum { CASES = 20000 };

static const struct {
    struct slice pattern, subject;
    enum match match;
    bool needs_pcre2;
} matches[] = {
    { SLICE(""), SLICE("192.0.2.7"), MATCH_YES, false },
    { SLICE("^$"), SLICE(""), MATCH_YES, false },
    { SLICE("^$"), SLICE("a"), MATCH_NO, false },
    { SLICE("^192\\.0\\.2\\."), SLICE("192.0.2.7"), MATCH_YES, false },
    { SLICE("^192\\.0\\.2\\."), SLICE("192.0.21.7"), MATCH_NO, false },
    { SLICE("^92"), SLICE("192.0.2.7"), MATCH_NO, false },
    { SLICE("^192.0.2."), SLICE("192x0.2.7"), MATCH_YES, false },
    { SLICE("^192.0.2.7$"), SLICE("192.0.2.70"), MATCH_NO, false },
    { SLICE("\\.Example\\.com$"), SLICE("mail.eXample.com"), MATCH_YES, false },
    { SLICE("\\.example\\.com$"), SLICE("mail.example.com.example.org"), MATCH_NO, false },
    { SLICE("example"), SLICE("exampl"), MATCH_NO, false },
    { SLICE("a$"), SLICE("a\n"), MATCH_YES, false },
    { SLICE("a$"), SLICE("a\n\n"), MATCH_NO, false },
    { SLICE("^."), SLICE("\n"), MATCH_NO, false },
    { SLICE("a\\$"), SLICE("a$"), MATCH_YES, false },
    { SLICE("a\\\\$"), SLICE("a\\"), MATCH_YES, true },
    { SLICE("\\d"), SLICE("d"), MATCH_NO, true },
    { SLICE("a*b"), SLICE("b"), MATCH_YES, true },
    { SLICE("(?i)A"), SLICE("a"), MATCH_YES, true },
    { SLICE("a|b"), SLICE("b"), MATCH_YES, true },
    { SLICE("\xc3\xa4"), SLICE("\xc3\xa4"), MATCH_YES, true },
    { SLICE("a["), SLICE("a["), MATCH_UNSURE, true },
};

static void test_table(void)
{
    char why[256];

    for (size_t i = 0; i < COUNT(matches); i++) {
        struct pattern pattern = { .text = matches[i].pattern };

        ok_number(pattern_match(&pattern, matches[i].subject, NULL, why, sizeof why), matches[i].match,
                  "pattern %s, subject %s", show(matches[i].pattern), show(matches[i].subject));
        if (matches[i].match != MATCH_UNSURE)
            ok_number(pattern.code != NULL, matches[i].needs_pcre2, "pattern %s is compiled", show(matches[i].pattern));
        pattern_free(&pattern);
    }
}

/* K and S have other capitals and small letters in Unicode: U+212A is a k, U+017F an s. */
static void test_unicode(void)
{
    struct pattern pattern = { .text = SLICE("^ks$"), .utf = true };
    char why[256];

    ok_number(pattern_match(&pattern, slice_of("KS"), NULL, why, sizeof why), MATCH_YES, "ASCII in an UTF-8 pattern");
    ok(pattern.code == NULL, "needs no PCRE2");
    ok_number(pattern_match(&pattern, slice_of("\xe2\x84\xaa\xc5\xbf"), NULL, why, sizeof why), MATCH_YES,
              "other letters in an UTF-8 pattern");
    pattern_free(&pattern);
}

static unsigned next_random(unsigned *state)
{
    *state = *state * 1103515245U + 12345U;
    return *state >> 16;
}

static struct slice random_text(unsigned *state, const char *alphabet, char *out, size_t most)
{
    size_t len = next_random(state) % (most + 1), letters = strlen(alphabet);

    for (size_t i = 0; i < len; i++)
        out[i] = alphabet[next_random(state) % letters];
    return (struct slice){ out, len };
}

/* What (?:...) changes is only that the pattern is no plain one. */
static void test_against_pcre2(void)
{
    unsigned state = 1, plain = 0, yes = 0, different = 0;
    char text[8], wrapped[16], subject_text[8], why[256];

    for (unsigned i = 0; i < CASES; i++) {
        struct pattern pattern = { .text = random_text(&state, "ab.^$\\*-", text, sizeof text) };
        struct pattern other = { .text = { wrapped, pattern.text.len + 4 } };
        struct slice subject = random_text(&state, "aAb.\n-$", subject_text, sizeof subject_text);
        enum match match = pattern_match(&pattern, subject, NULL, why, sizeof why);

        (void)snprintf(wrapped, sizeof wrapped, "(?:%.*s)", (int)pattern.text.len, pattern.text.text);
        if (pattern.code == NULL && match != MATCH_UNSURE) {
            plain++;
            yes += match == MATCH_YES;
            if (pattern_match(&other, subject, NULL, why, sizeof why) != match && different++ == 0)
                ok(false, "pattern %s, subject %s", show(pattern.text), show(subject));
        }
        pattern_free(&pattern);
        pattern_free(&other);
    }
    ok(plain > CASES / 4 && yes > CASES / 20, "%u random patterns are plain, %u match", plain, yes);
    ok_number(different, 0, "PCRE2 says the same of each");
}

void test_pattern(void)
{
    test_table();
    test_unicode();
    test_against_pcre2();
}
