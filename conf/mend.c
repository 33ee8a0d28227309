/* mend.c - what was meant by an expression: tried, before it is said, on what it must and must not match */
#include "conf/mend.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "client/client.h"
#include "patterns/pattern.h"

enum { SAMPLES = 8 }; /* texts that are made of one expression, with other alternatives each time */

/* ---- trying ------------------------------------------------------------------------------ */

/* Does the expression compile, and match this text? */
bool mend_matches(struct slice expression, struct slice text, bool utf)
{
    struct pattern pattern = { .text = expression, .utf = utf };
    char why[256];
    bool result = pattern_match(&pattern, text, NULL, why, sizeof why) == MATCH_YES;

    pattern_free(&pattern);
    return result;
}

/* Does the expression match the client with this address, in one of the forms that rules try? */
static bool matches_address(struct slice expression, const char *address)
{
    struct client client;

    return client_pretend(&client, address) == CLIENT_OK &&
           (mend_matches(expression, slice_of(client.address), false) ||
            (client.address_full[0] != '\0' && mend_matches(expression, slice_of(client.address_full), false)));
}

bool mend_finish(const struct text *text, char out[MEND_MAX])
{
    out[text->len < MEND_MAX ? text->len : MEND_MAX - 1] = '\0';
    return text->len < MEND_MAX - 1; /* not cut */
}

/* ---- patterns of the shell --------------------------------------------------------------- */

static bool is_glob(struct slice text)
{
    bool star = false;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.text[i];

        if (c <= ' ' || strchr("^$\\[](){}+|", c) != NULL)
            return false;
        star = star || (c == '*' && (i == 0 || text.text[i - 1] != '.'));
    }
    return star;
}

/* The text with something in the place of its stars; dots become `dot`. */
/* NOLINTNEXTLINE(readability-non-const-parameter): text_put writes there */
static struct slice fill_glob(struct slice glob, const char *star, char dot, char out[MEND_MAX])
{
    struct text text = { out, MEND_MAX, 0 };

    for (size_t i = 0; i < glob.len; i++) {
        const char c = (char)(glob.text[i] == '.' ? dot : glob.text[i]);

        text_put(&text, c == '*' ? slice_of(star) : (struct slice){ c == '?' ? "q" : &c, 1 });
    }
    return text_slice(&text);
}

static bool try_glob(struct slice expression, struct slice glob, bool utf)
{
    static const char *const stars[] = { "a", "17", "a-b" };
    char filled[MEND_MAX], longer[MEND_MAX + 2];
    bool ends[2] = { glob.text[0] != '*', glob.text[glob.len - 1] != '*' }, good = true;

    for (size_t i = 0; i < sizeof stars / sizeof stars[0] && good; i++) {
        struct slice text = fill_glob(glob, stars[i], '.', filled);

        good = text.len < MEND_MAX && mend_matches(expression, text, utf);
        (void)snprintf(longer, sizeof longer, "z%.*s", (int)text.len, text.text);
        good = good && (!ends[0] || !mend_matches(expression, slice_of(longer), utf));
        (void)snprintf(longer, sizeof longer, "%.*sz", (int)text.len, text.text);
        good = good && (!ends[1] || !mend_matches(expression, slice_of(longer), utf));
    }
    return good && (memchr(glob.text, '.', glob.len) == NULL ||
                    !mend_matches(expression, fill_glob(glob, "a", 'z', filled), utf));
}

enum mend mend_glob(struct slice text, enum regex_subject subject, char out[MEND_MAX])
{
    struct text words = { out, MEND_MAX - 1, 0 };
    size_t begin = 0, end = text.len;

    if (!is_glob(text))
        return MEND_NOTHING;
    while (begin < end && text.text[begin] == '*')
        begin++;
    while (end > begin && text.text[end - 1] == '*')
        end--;
    text_put(&words, slice_of(begin == 0 ? "^" : ""));
    for (size_t i = begin; i < end; i++) {
        char c = text.text[i];

        text_put(&words, slice_of(c == '.' ? "\\." : c == '*' ? ".*" : c == '?' ? "." : ""));
        if (strchr(".*?", c) == NULL)
            text_put(&words, (struct slice){ &c, 1 });
    }
    text_put(&words, slice_of(end == text.len ? "$" : ""));
    if (!mend_finish(&words, out) || begin == end)
        return MEND_VAGUE;
    return try_glob(slice_of(out), text, subject == REGEX_RECIPIENT) ? MEND_FOUND : MEND_VAGUE;
}

/* ---- loose ends -------------------------------------------------------------------------- */

/* Puts two texts and, in between, a sample together; what is too long is cut, and then matches nothing. */
static struct slice around(const char *before, struct slice text, const char *behind, char out[MEND_MAX])
{
    (void)snprintf(out, MEND_MAX, "%s%.*s%s", before, (int)text.len, text.text, behind);
    return slice_of(out);
}

/* A sample as a whole address, name or recipient. */
static bool complete(struct slice sample, enum regex_subject subject, char out[MEND_MAX])
{
    static const char *const tails[] = { "", "7", ".7", "0.7", ".0.7", "0.0.7", ".0.0.7", ":7", "::7", "0:0:0:0:0:0:7" };
    unsigned char bytes[16];
    bool begins = sample.len > 0 && strchr(".@", sample.text[0]) != NULL;
    char last = (char)(sample.len > 0 ? sample.text[sample.len - 1] : '.');

    if (subject != REGEX_ADDRESS) {
        bool at = subject == REGEX_NAME || memchr(sample.text, '@', sample.len) != NULL;

        (void)around(begins ? "a" : "", sample,
                     at ? (last == '.' || last == '@' ? "b.example" : "") : "@b.example", out);
        return true;
    }
    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++)
        if (inet_pton(memchr(sample.text, ':', sample.len) != NULL ? AF_INET6 : AF_INET,
                      around("", sample, tails[i], out).text, bytes) == 1)
            return true;
    return false;
}

static bool tried(struct slice expression, enum regex_subject subject, const char *text)
{
    return subject == REGEX_ADDRESS ? matches_address(expression, text)
                                      : mend_matches(expression, slice_of(text), subject == REGEX_RECIPIENT);
}

/* What the expression must match no longer: a longer text at this end. Or it never did. */
static bool keeps_out(struct slice pattern, struct slice mended, enum regex_subject subject, struct slice longer)
{
    char text[MEND_MAX];

    return !complete(longer, subject, text) || !tried(pattern, subject, text) || !tried(mended, subject, text);
}

/* Tries both expressions on a text that is made of the first one. */
static bool try_sample(struct slice pattern, struct slice mended, enum regex_subject subject,
                       const struct suspicion *found, unsigned choice)
{
    char sample[MEND_MAX], loose[MEND_MAX], whole[MEND_MAX], longer[MEND_MAX];
    struct slice text;

    if (!regex_lint_sample(pattern, subject, choice, '.', sample, sizeof sample) ||
        !regex_lint_sample(pattern, subject, choice, subject == REGEX_ADDRESS ? '0' : 'x', loose, sizeof loose))
        return false;
    text = slice_of(sample);
    if (!complete(text, subject, whole) || !tried(pattern, subject, whole) || !tried(mended, subject, whole))
        return false;
    if (found->open_begin &&
        !keeps_out(pattern, mended, subject, around(subject == REGEX_ADDRESS ? "1" : "x", text, "", longer)))
        return false;
    if (found->open_end && !keeps_out(pattern, mended, subject,
                                      around("", text, subject == REGEX_ADDRESS ? "0" : ".evil.example", longer)))
        return false;
    return found->dots == 0 || keeps_out(pattern, mended, subject, slice_of(loose));
}

enum mend mend_loose(struct slice pattern, enum regex_subject subject, char out[MEND_MAX])
{
    struct suspicion found = regex_lint_look(pattern, subject);

    if (found.any || (found.dots == 0 && !found.open_begin && !found.open_end))
        return MEND_NOTHING;
    regex_lint_mend(pattern, subject, out, MEND_MAX);
    if (strlen(out) == MEND_MAX - 1)
        return MEND_VAGUE;
    for (unsigned choice = 0; choice < SAMPLES; choice++)
        if (!try_sample(pattern, slice_of(out), subject, &found, choice))
            return MEND_VAGUE;
    return MEND_FOUND;
}
