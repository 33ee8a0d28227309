/* class.c - the characters of a regular expression: single ones, classes, properties */
#include "patterns/class.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

char class_peek(const struct parser *p, size_t offset)
{
    return (char)(p->at + offset < p->text.len ? p->text.text[p->at + offset] : '\0');
}

bool class_take_words(struct parser *p, const char *words)
{
    size_t len = strlen(words);

    if (p->text.len - p->at < len || memcmp(p->text.text + p->at, words, len) != 0)
        return false;
    p->at += len;
    return true;
}

/* Past the next `end`. */
void class_skip_past(struct parser *p, char end)
{
    const char *found = memchr(p->text.text + p->at, end, p->text.len - p->at);

    p->lost = p->lost || found == NULL;
    p->at = found != NULL ? (size_t)(found - p->text.text) + 1 : p->text.len;
}

void class_include(struct characters *set, unsigned char c)
{
    set->in[c] = true;
    set->in[tolower(c)] = set->in[toupper(c)] = true;
}

/* The members of a class that is named by a letter: \d, \W. */
static bool is_in_class(char class, unsigned char c)
{
    switch (tolower((unsigned char)class)) {
    case 'd': return isdigit(c) != 0;
    case 'w': return isalnum(c) != 0 || c == '_';
    case 's': return isspace(c) != 0;
    case 'h': return c == ' ' || c == '\t' || c == 0xa0;
    case 'v': return (c >= '\n' && c <= '\r') || c == 0x85;
    default: return c == '\n';
    }
}

static void include_class(struct characters *set, char class)
{
    set->wild = set->wild || class != 'd';
    for (unsigned c = 0; c < 256; c++)
        if (is_in_class(class, (unsigned char)c) != (isupper((unsigned char)class) != 0))
            set->in[c] = true;
}

/* \p{L} and \pN; of other properties nothing is known. */
static void include_property(struct parser *p, struct characters *set, bool without)
{
    bool braced = class_take_words(p, "{"), negated = braced && class_take_words(p, "^");
    char name = class_peek(p, 0);

    if (braced)
        class_skip_past(p, '}');
    else
        p->at++;
    for (unsigned c = 0; c < 256; c++)
        if (strchr("LN", name) == NULL || name == '\0' ||
            (name == 'L' ? isalpha((int)c) != 0 : isdigit((int)c) != 0) != (without != negated))
            set->in[c] = true;
    set->wild = true;
    set->numeric = set->numeric || name != 'L';
}

/* Digits of a number in a base, at most `most`. */
static unsigned char take_number(struct parser *p, int base, size_t most)
{
    char digits[8] = "";
    size_t used = 0;

    while (used < most && used < sizeof digits - 1 && isxdigit((unsigned char)class_peek(p, 0)) &&
           (base == 16 || strchr("01234567", class_peek(p, 0)) != NULL))
        digits[used++] = p->text.text[p->at++];
    return (unsigned char)strtoul(digits, NULL, base);
}

/* What stands behind a backslash for a single character: \x2e, \t, \. */
static unsigned char take_character(struct parser *p, char c)
{
    static const char controls[] = "aefnrt", meanings[] = "\a\033\f\n\r\t";
    const char *control = memchr(controls, c, sizeof controls - 1);

    if (control != NULL)
        return (unsigned char)meanings[control - controls];
    if (c == 'c')
        return p->at < p->text.len ? (unsigned char)(toupper((unsigned char)p->text.text[p->at++]) ^ 0x40) : 0;
    if (c == '0')
        return take_number(p, 8, 2);
    if ((c == 'x' || c == 'o') && class_take_words(p, "{")) {
        unsigned char number = take_number(p, c == 'x' ? 16 : 8, 7);

        class_skip_past(p, '}');
        return number;
    }
    return c == 'x' ? take_number(p, 16, 2) : (unsigned char)c;
}

/* An escape that stands for characters, behind its backslash; `single` is its only one, where it is one. */
bool class_take_characters(struct parser *p, struct characters *set, unsigned char *single)
{
    char c = class_peek(p, 0);

    p->at++;
    if (c != '\0' && strchr("dDwWsShHvVN", c) != NULL) {
        include_class(set, c);
        return false;
    }
    if (c == 'p' || c == 'P') {
        include_property(p, set, c == 'P');
        return false;
    }
    *single = take_character(p, c);
    class_include(set, *single);
    return true;
}

/* [:alpha:] at `at` */
static bool take_posix(struct parser *p, struct characters *set)
{
    static const struct {
        char name[10];
        int (*is)(int c);
    } classes[] = { { "alpha", isalpha }, { "lower", isalpha }, { "upper", isalpha }, { "alnum", isalnum },
                    { "ascii", isascii }, { "blank", isblank }, { "cntrl", iscntrl }, { "digit", isdigit },
                    { "graph", isgraph }, { "print", isprint }, { "punct", ispunct }, { "space", isspace },
                    { "xdigit", isxdigit } };
    size_t before = p->at;
    bool negated;

    if (!class_take_words(p, "[:"))
        return false;
    negated = class_take_words(p, "^");
    for (size_t i = 0; i <= sizeof classes / sizeof classes[0]; i++) {
        bool word = i == sizeof classes / sizeof classes[0];

        if (!class_take_words(p, word ? "word" : classes[i].name))
            continue;
        for (int c = 0; c < 256; c++)
            if ((word ? isalnum(c) != 0 || c == '_' : classes[i].is(c) != 0) != negated)
                set->in[c] = true;
        set->wild = set->wild || negated;
        if (class_take_words(p, ":]"))
            return true;
    }
    p->at = before;
    return false;
}

/* One member of a class, or a range of them. */
static void take_member(struct parser *p, struct characters *set)
{
    unsigned char low, high;
    struct characters ignored = { .wild = false };

    if (take_posix(p, set))
        return;
    if (p->text.text[p->at] != '\\') {
        low = (unsigned char)p->text.text[p->at++];
        class_include(set, low);
    } else {
        p->at++;
        if (class_peek(p, 0) == 'b' && ++p->at > 0)
            return; /* a backspace */
        if (class_peek(p, 0) == 'Q' || class_peek(p, 0) == 'E') {
            p->lost = true; /* nobody does */
            return;
        }
        if (isdigit((unsigned char)class_peek(p, 0)))
            class_include(set, low = take_number(p, 8, 3));
        else if (!class_take_characters(p, set, &low))
            return;
    }
    if (class_peek(p, 0) != '-' || class_peek(p, 1) == ']' || p->at + 1 >= p->text.len)
        return;
    p->at++;
    if (p->text.text[p->at] != '\\') {
        high = (unsigned char)p->text.text[p->at++];
    } else {
        p->at++;
        if (!class_take_characters(p, &ignored, &high)) {
            p->lost = true; /* [a-\d] */
            return;
        }
    }
    for (unsigned c = low; c <= high; c++)
        class_include(set, (unsigned char)c);
}

struct piece class_add_characters(struct parser *p, const struct characters *set)
{
    unsigned kinds = 0;

    for (unsigned c = 0; c < 256; c++)
        kinds |= set->in[c] ? automaton_kind((unsigned char)c) : 0;
    return automaton_set(p, kinds, set->wild, set->numeric);
}

/* A class, behind its bracket. [^7] tells digits apart, and so is about numbers; [^0-9] does not. */
struct piece class_read(struct parser *p)
{
    struct characters set = { .wild = false };
    bool negated = class_take_words(p, "^"), first = true;
    unsigned digits = 0;

    for (; p->at < p->text.len && (first || p->text.text[p->at] != ']') && !p->lost; first = false)
        take_member(p, &set);
    class_skip_past(p, ']');
    for (unsigned c = '0'; c <= '9'; c++)
        digits += set.in[c];
    if (negated) {
        for (unsigned c = 0; c < 256; c++)
            set.in[c] = !set.in[c];
        set.wild = true;
        set.numeric = set.numeric || (digits > 0 && digits < 10);
    }
    return class_add_characters(p, &set);
}
