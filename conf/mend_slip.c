/* mend_slip.c - slips within an expression: in a class or in braces */
#include "conf/mend.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "patterns/pattern.h"

/* Behind the digits at `at`. */
static size_t digits_end(struct slice text, size_t at, unsigned *number)
{
    size_t begin = at;

    for (*number = 0; at < text.len && isdigit((unsigned char)text.text[at]) && at - begin < 3; at++)
        *number = *number * 10 + (unsigned)(text.text[at] - '0');
    return at;
}

/* [0-255]: numbers, of which one has several digits, in a class that holds nothing else */
static bool is_number_class(struct slice inside, unsigned *low, unsigned *high)
{
    size_t hyphen = digits_end(inside, 0, low), end;

    if (hyphen == 0 || hyphen + 1 >= inside.len || inside.text[hyphen] != '-')
        return false;
    end = digits_end(inside, hyphen + 1, high);
    return end == inside.len && end > hyphen + 1 && (hyphen > 1 || end > hyphen + 2) && *low < *high;
}

/* [com|net]: words with bars between them */
static bool is_word_class(struct slice inside)
{
    size_t letters = 0, most = 0, bars = 0;

    for (size_t i = 0; i < inside.len; i++) {
        char c = inside.text[i];

        if (!isalnum((unsigned char)c) && strchr("|.-", c) == NULL)
            return false;
        letters = c == '|' ? 0 : letters + 1;
        most = letters > most ? letters : most;
        bars += c == '|';
    }
    return bars > 0 && most > 1 && inside.text[0] != '|' && inside.text[inside.len - 1] != '|';
}

/* The offset of a range such as A-z, which holds what stands between Z and a. */
static bool find_case_range(struct slice inside, size_t *at)
{
    for (*at = 0; *at + 2 < inside.len; ++*at)
        if (inside.text[*at + 1] == '-' && isupper((unsigned char)inside.text[*at]) &&
            islower((unsigned char)inside.text[*at + 2]))
            return true;
    return false;
}

/* Does the expression match exactly the numbers from `low` to `high`, of those that have up to three digits? */
static bool try_numbers(struct slice group, unsigned low, unsigned high)
{
    char expression[MEND_MAX], number[8];
    bool good = true;

    (void)snprintf(expression, sizeof expression, "^%.*s$", (int)group.len, group.text);
    for (unsigned i = 0; i < 1000 && good; i++) {
        (void)snprintf(number, sizeof number, "%u", i);
        good = mend_matches(slice_of(expression), slice_of(number), false) == (i >= low && i <= high);
    }
    return good;
}

/* Does the group match each of its words, and no single letter of them? */
static bool try_words(struct slice group, struct slice inside)
{
    char expression[MEND_MAX];
    bool good = true;

    (void)snprintf(expression, sizeof expression, "^%.*s$", (int)group.len, group.text);
    for (size_t at = 0; at < inside.len && good;) {
        const char *bar = memchr(inside.text + at, '|', inside.len - at);
        size_t end = bar != NULL ? (size_t)(bar - inside.text) : inside.len;
        struct slice word = { inside.text + at, end - at };

        good = mend_matches(slice_of(expression), word, false) &&
               (word.len == 1 || !mend_matches(slice_of(expression), (struct slice){ word.text, 1 }, false));
        at = end + 1;
    }
    return good;
}

/* Does the class match the same characters as before, but for what stands between Z and a? */
static bool try_case(struct slice before, struct slice after)
{
    bool good = true;

    for (unsigned c = ' '; c < 0x7f && good; c++) {
        char text = (char)c;
        bool between = strchr("[\\]^_`", text) != NULL;

        good = between || mend_matches(before, (struct slice){ &text, 1 }, false) ==
                              mend_matches(after, (struct slice){ &text, 1 }, false);
    }
    return good && !mend_matches(after, slice_of("^"), false);
}

/* Digits from `low` to `high`, as one character. */
static void put_digits(struct text *out, unsigned low, unsigned high)
{
    static const char digits[] = "0123456789";

    if (low == high) {
        text_put(out, (struct slice){ digits + low, 1 });
    } else if (low == 0 && high == 9) {
        text_put(out, slice_of("\\d"));
    } else if (high > low + 1) {
        char class[] = { '[', digits[low], '-', digits[high], ']' };

        text_put(out, (struct slice){ class, sizeof class });
    } else {
        text_put(out, slice_of("["));
        text_put(out, (struct slice){ digits + low, high - low + 1 });
        text_put(out, slice_of("]"));
    }
}

/* Numbers from `low` to `high`, at most 999: \d|[1-9]\d|1[01]\d|12[0-7] */
static void put_numbers(struct text *out, unsigned low, unsigned high)
{
    for (unsigned at = low; at <= high;) {
        unsigned ten = at / 10, tens = ten, end = at % 10 == 0 ? at + 9 : (ten + 1) * 10 - 1;

        end = end > high ? high : end;
        if (ten > 0 && at % 10 == 0 && end % 10 == 9) /* more whole tens of the same hundred */
            while (tens + 1 <= (high - 9) / 10 && (tens + 1) / 10 == ten / 10)
                tens++;
        if (at > low)
            text_put(out, slice_of("|"));
        if (ten >= 10)
            text_number(out, ten / 10, 1);
        if (ten > 0)
            put_digits(out, ten % 10, tens % 10);
        put_digits(out, at % 10, end % 10);
        at = tens > ten ? tens * 10 + 10 : end + 1;
    }
}

/* Puts what a class was meant to be. True: it has been tried. */
static bool put_class(struct text *out, enum slip slip, struct slice class)
{
    struct slice inside = { class.text + 1, class.len - 2 }, put = { out->bytes + out->len, 0 };
    unsigned low = 0, high = 0;
    size_t at = 0;

    if (slip == SLIP_NUMBER) {
        (void)is_number_class(inside, &low, &high);
        text_put(out, slice_of("(?:"));
        put_numbers(out, low, high);
        text_put(out, slice_of(")"));
    } else if (slip == SLIP_ALTERNATIVES) {
        text_put(out, slice_of("(?:"));
        for (size_t i = 0; i < inside.len; i++) {
            text_put(out, slice_of(inside.text[i] == '.' ? "\\" : ""));
            text_put(out, (struct slice){ inside.text + i, 1 });
        }
        text_put(out, slice_of(")"));
    } else {
        (void)find_case_range(inside, &at);
        text_put(out, (struct slice){ class.text, at + 1 });
        text_put(out, slice_of("a-z"));
        text_put(out, (struct slice){ class.text + at + 4, class.len - at - 4 });
    }
    put.len = (size_t)(out->bytes + out->len - put.text);
    return slip == SLIP_NUMBER ? try_numbers(put, low, high)
           : slip == SLIP_ALTERNATIVES ? try_words(put, inside) : try_case(class, put);
}

static enum slip slip_of(struct slice class)
{
    struct slice inside = { class.text + 1, class.len - 2 };
    unsigned low, high;
    size_t at;

    if (class.len < 4 || inside.text[0] == '^')
        return SLIP_NONE;
    return is_number_class(inside, &low, &high) ? SLIP_NUMBER
           : is_word_class(inside) ? SLIP_ALTERNATIVES : find_case_range(inside, &at) ? SLIP_CASES : SLIP_NONE;
}

/* {1-3} at `at`: its length, 0: it is none */
static size_t slip_braces(struct slice text, size_t at)
{
    unsigned low, high;
    size_t hyphen = digits_end(text, at + 1, &low), end;

    if (at == 0 || text.text[at] != '{' || hyphen == at + 1 || hyphen >= text.len || text.text[hyphen] != '-')
        return 0;
    end = digits_end(text, hyphen + 1, &high);
    return end > hyphen + 1 && end < text.len && text.text[end] == '}' && low <= high ? end + 1 - at : 0;
}

/* The length of a class at `at`, which ends with its bracket. */
static size_t class_length(struct slice text, size_t at)
{
    const char *end = at + 2 < text.len ? memchr(text.text + at + 2, ']', text.len - at - 2) : NULL;

    return end == NULL ? 0 : (size_t)(end - text.text) + 1 - at;
}

/* The whole expression with the slip at `at` mended. */
static enum mend mend_at(struct slice pattern, size_t at, size_t len, enum slip slip, char out[MEND_MAX])
{
    struct text text = { out, MEND_MAX - 1, 0 };
    struct slice part = { pattern.text + at, len };
    bool good = true;

    text_put(&text, (struct slice){ pattern.text, at });
    for (size_t i = 0; i < len && slip == SLIP_BRACES; i++)
        text_put(&text, part.text[i] == '-' ? slice_of(",") : (struct slice){ part.text + i, 1 });
    if (slip != SLIP_BRACES)
        good = put_class(&text, slip, part);
    text_put(&text, (struct slice){ part.text + len, pattern.len - at - len });
    if (mend_finish(&text, out) && good) {
        struct pattern whole = { .text = slice_of(out) };
        char why[128];
        size_t offset;

        good = pattern_compile(&whole, why, sizeof why, &offset);
        pattern_free(&whole);
        return good ? MEND_FOUND : MEND_VAGUE;
    }
    return MEND_VAGUE;
}

enum slip mend_slip(struct slice pattern, size_t *at, enum mend *mend, char out[MEND_MAX])
{
    while (*at < pattern.len) {
        char c = pattern.text[*at];
        size_t len = c == '[' ? class_length(pattern, *at) : c == '{' ? slip_braces(pattern, *at) : c == '\\' ? 2 : 1;
        enum slip slip = len < 2 ? SLIP_NONE : c == '[' ? slip_of((struct slice){ pattern.text + *at, len })
                                             : c == '{' ? SLIP_BRACES : SLIP_NONE;

        if (slip != SLIP_NONE) {
            *mend = mend_at(pattern, *at, len, slip, out);
            return slip;
        }
        *at += len > 0 ? len : 1;
    }
    return SLIP_NONE;
}
