/* words.c - a line to words: blanks, quotes, backslashes, comments, and what cannot be seen */
#include "conf/parser.h"

#include "base/text.h"

void word_skip_blanks(struct parser *p)
{
    while (p->at < p->line.len && is_blank(p->line.text[p->at]))
        p->at++;
}

/* The next backslash before a character of `which`, from `at` on; the end of the text if there is none. */
static size_t find_escape(struct slice text, size_t at, const char *which)
{
    while (at < text.len) {
        const char *backslash = memchr(text.text + at, '\\', text.len - at);

        at = backslash != NULL ? (size_t)(backslash - text.text) : text.len;
        if (at + 1 < text.len && text.text[at + 1] != '\0' && strchr(which, text.text[at + 1]) != NULL)
            return at;
        at++;
    }
    return text.len;
}

/* Takes the backslash from before each character of `which`; copies only if there is one. */
static struct slice unescape(struct parser *p, struct slice text, const char *which)
{
    size_t escape = p->conf != NULL ? find_escape(text, 0, which) : text.len, used = 0, at = 0;
    char *copy;

    if (escape == text.len)
        return text;
    copy = memory_take(p->conf, text.len);
    while (at < text.len) {
        memcpy(copy + used, text.text + at, escape - at);
        used += escape - at;
        at = escape;
        if (at < text.len) { /* the character behind the backslash, whatever it is */
            copy[used++] = text.text[at + 1];
            at += 2;
        }
        escape = find_escape(text, at, which);
    }
    return (struct slice){ copy, used };
}

size_t word_end_of_quoted(struct slice line, size_t at)
{
    if (line.text[at] != '"')
        return 0;
    for (size_t i = at + 1; i < line.len; i++) {
        if (line.text[i] == '\\' && i + 1 < line.len && (line.text[i + 1] == '"' || line.text[i + 1] == '\\'))
            i++;
        else if (line.text[i] == '"')
            return i + 1 == line.len || is_blank(line.text[i + 1]) ? i + 1 : 0;
    }
    return 0;
}

static bool is_quote(char c)
{
    return c == '"' || c == '\'';
}

static struct slice unfold(struct parser *p, struct slice text)
{
    return p->lines != NULL && p->lines->goes_on ? lines_unfold(p->conf, text) : text;
}

bool word_take(struct parser *p, struct word *word)
{
    const char *text = p->line.text;
    size_t begin, end;
    bool has_hash = false; /* nothing else can be escaped */

    word_skip_blanks(p);
    begin = p->at;
    *word = (struct word){ .text = { text + begin, 0 }, .column = parser_column(p) };
    if (begin == p->line.len || text[begin] == '#')
        return false;
    end = word_end_of_quoted(p->line, begin);
    if (end > 0) {
        p->at = end;
        word->quoted = true;
        word->text = unescape(p, unfold(p, (struct slice){ text + begin + 1, end - begin - 2 }), "\"\\#");
        return true;
    }
    for (end = begin; end < p->line.len && !is_blank(text[end]); end++) {
        has_hash = has_hash || text[end] == '#';
        word->odd = word->odd || text[end] < ' ' || text[end] > '~';
    }
    p->at = end;
    word->text.len = end - begin;
    word->odd = word->odd || is_quote(text[begin]) || is_quote(text[end - 1]) || text[end - 1] == '\\';
    if (has_hash)
        word->text = unescape(p, word->text, "#");
    return true;
}

/* ---- words that are not what they seem to be ----------------------------------------------- */

void word_advise(struct parser *p, struct slice word)
{
    char room[512];
    struct text text = { room, sizeof room, 0 };
    bool quote = word.len == 0 || word.text[0] == '"' || memchr(word.text, ' ', word.len) != NULL ||
                 memchr(word.text, '\t', word.len) != NULL || memchr(word.text, '#', word.len) != NULL ||
                 word.text[word.len - 1] == '\\';

    for (size_t i = 0; i < word.len; i++) {
        if (quote && strchr("\"\\", word.text[i]) != NULL)
            text_put(&text, slice_of("\\"));
        text_put(&text, (struct slice){ word.text + i, 1 });
    }
    if (text.len < text.size) /* nothing is advised that was cut */
        conf_advise(p->conf, quote ? "write: \"%.*s\"" : "write: %.*s", (int)text.len, room);
}

struct slice word_without_quotes(struct parser *p, struct slice text)
{
    char *copy = memory_take(p->conf, text.len + 1);
    struct glyph glyph;
    size_t used = 0;

    for (size_t at = 0; at < text.len; at += glyph.len) {
        glyph = glyph_at((struct slice){ text.text + at, text.len - at });
        if (glyph.kind != GLYPH_QUOTE) {
            memcpy(copy + used, text.text + at, glyph.len);
            used += glyph.len;
        }
    }
    return (struct slice){ copy, used };
}

/* The index of the quote that ends what begins at `at`: the next one of that kind before a blank or the end. */
static size_t find_end_quote(struct slice line, size_t at, uint32_t begins)
{
    struct glyph glyph;

    while (glyph_find(line, GLYPH_QUOTE, &at, &glyph)) {
        size_t behind = at + glyph.len;

        if ((glyph.code == '"') == (begins == '"') && (behind == line.len || is_blank(line.text[behind])))
            return at;
        at = behind;
    }
    return 0;
}

/* A word that begins with a quote, and is not a quoted one. */
static void fail_quote(struct parser *p, const struct word *word, struct glyph glyph)
{
    size_t begin = word->column - 1, inside = begin + glyph.len, end = find_end_quote(p->line, inside, glyph.code);
    size_t second = inside;
    struct slice rest = { p->line.text + begin, word->text.len };

    while (glyph.code == '"' && second < p->line.len && p->line.text[second] != '"')
        second += p->line.text[second] == '\\' && second + 1 < p->line.len ? 2 : 1;
    if (glyph.code != '"')
        fail(p, word->column, "a %s (U+%04X), expected \" around a word, or no quotes", glyph.name, (unsigned)glyph.code);
    else if (second < p->line.len)
        fail(p, (unsigned)second + 2, "text right behind the closing quote, expected a blank");
    else
        fail(p, word->column, "this quote is never closed, expected another \" behind the word");
    if (glyph.code != '"' && end > 0)
        word_advise(p, (struct slice){ p->line.text + inside, end - inside });
    else
        word_advise(p, word_without_quotes(p, rest));
    p->misread = true;
}

/* The first invisible character of a word, in the text of the line. */
static bool find_unseen(const struct parser *p, const struct word *word, unsigned *column, struct glyph *glyph)
{
    struct slice text = { p->line.text + word->column - 1, p->at - (word->column - 1) };
    size_t at = 0;
    bool found = glyph_find(text, GLYPH_UNSEEN, &at, glyph);

    *column = word->column + (unsigned)at;
    return found;
}

/* A backslash that seems to be at the end of the line, and is not: behind it are blanks. */
static void check_backslash(struct parser *p)
{
    size_t end = p->at, backslashes = 0;

    while (backslashes < end && p->line.text[end - 1 - backslashes] == '\\')
        backslashes++;
    while (end < p->line.len && is_blank(p->line.text[end]))
        end++;
    if (backslashes % 2 == 0 || end < p->line.len)
        return;
    fail(p, (unsigned)p->at + 1,
         "a blank behind the backslash, expected the end of the line, which then goes on in the next");
    p->misread = true;
}

static bool begins_with_quote(const struct word *word)
{
    return word->odd && glyph_at(word->text).kind == GLYPH_QUOTE;
}

/* Has the word been written as it is meant? If not, that is an error. */
static bool check_ends(struct parser *p, const struct word *word)
{
    if (!word->odd || p->conf == NULL || p->number == 0)
        return true;
    if (word->text.text[word->text.len - 1] == '\\' && !p->misread)
        check_backslash(p);
    if (!p->misread && begins_with_quote(word))
        fail_quote(p, word, glyph_at(word->text));
    return !p->misread;
}

bool word_check(struct parser *p, const struct word *word)
{
    struct glyph glyph;
    unsigned column;

    if (word->odd && p->conf != NULL && p->number > 0 && find_unseen(p, word, &column, &glyph)) {
        fail(p, column, "an invisible character, U+%04X (%s), expected a blank, or the word in \"", (unsigned)glyph.code,
             glyph.name);
        p->misread = true;
    }
    return check_ends(p, word);
}

bool word_next(struct parser *p, struct word *word)
{
    if (!word_take(p, word))
        return false;
    if (word->odd)
        (void)word_check(p, word);
    return true;
}

bool word_ends_in_quote(const struct word *word, size_t *offset, struct glyph *glyph)
{
    struct glyph found;
    size_t count = 0, end = 0;

    for (size_t at = 0; word->odd && glyph_find(word->text, GLYPH_QUOTE, &at, &found); at += found.len) {
        *glyph = found;
        *offset = at;
        end = at + found.len;
        count++;
    }
    return count % 2 == 1 && end == word->text.len;
}

void word_doubt(struct parser *p, const struct word *word)
{
    struct glyph glyph;
    unsigned column;

    if (word->odd && find_unseen(p, word, &column, &glyph))
        conf_complain(p->conf, SEVERITY_WARNING, p->number, column, "an invisible character, U+%04X (%s), in a word",
                      (unsigned)glyph.code, glyph.name);
}

bool word_next_value(struct parser *p, struct word *word)
{
    struct glyph glyph;
    size_t offset = 0;

    if (!word_take(p, word))
        return false;
    if (!word->odd || !check_ends(p, word) || p->number == 0)
        return true;
    word_doubt(p, word);
    if (!word_ends_in_quote(word, &offset, &glyph))
        return true;
    conf_complain(p->conf, SEVERITY_WARNING, p->number, conf_column(p->conf, p->number, word->column, offset),
                  "nothing has opened this quote: it is a character of the word");
    word_advise(p, word->text);
    return true;
}

bool word_next_if(struct parser *p, struct word *word, bool (*is_wanted)(struct word word))
{
    size_t at = p->at;

    if (!p->failed && word_next(p, word) && is_wanted(*word))
        return true;
    p->at = at;
    return false;
}

/* ---- what must be there -------------------------------------------------------------------- */

struct slice word_rest(struct parser *p)
{
    struct slice text;
    size_t begin, end;

    word_skip_blanks(p);
    begin = p->at;
    for (end = begin; end < p->line.len; end++)
        if (p->line.text[end] == '#' && (end == begin || is_blank(p->line.text[end - 1])))
            break;
    p->at = end;
    while (end > begin && is_blank(p->line.text[end - 1]))
        end--;
    text = (struct slice){ p->line.text + begin, end - begin };
    if (p->lines != NULL && (p->lines->goes_on || (text.len > 0 && text.text[text.len - 1] == '\\')))
        lines_check_text(p, text);
    p->at = p->line.len;
    return unescape(p, unfold(p, text), "#");
}

bool word_need(struct parser *p, struct word *word, const char *what)
{
    if (word_next(p, word))
        return true;
    fail(p, word->column, "the line ends too early, expected %s", what);
    return false;
}

bool word_need_value(struct parser *p, struct word *word, const char *what)
{
    if (!word_next_value(p, word))
        fail(p, word->column, "the line ends too early, expected %s", what);
    else if (word->text.len == 0)
        fail(p, word->column, "an empty word, expected %s", what);
    return !p->failed;
}

bool word_need_name(struct parser *p, struct word *word, const char *what)
{
    if (!word_need(p, word, what))
        return false;
    if (word->text.len == 0)
        fail(p, word->column, "an empty word, expected %s", what);
    return !p->failed;
}

void word_need_end(struct parser *p)
{
    struct word word;

    if (!p->failed && word_next(p, &word))
        fail(p, word.column, "unexpected '%.*s', expected the end of the line", (int)word.text.len, word.text.text);
}

struct slice word_need_rest(struct parser *p, const char *what)
{
    struct slice text;
    unsigned column;

    word_skip_blanks(p);
    column = parser_column(p);
    text = word_rest(p);
    if (text.len == 0)
        fail(p, column, "the line ends too early, expected %s", what);
    return text;
}

bool word_is(struct word word, const char *text)
{
    return slice_equal(word.text, slice_of(text));
}

bool word_need_exactly(struct parser *p, const char *expected)
{
    struct word word;

    if (!word_next(p, &word))
        fail(p, word.column, "the line ends too early, expected '%s'", expected);
    else if (!word_is(word, expected))
        fail(p, word.column, "unexpected '%.*s', expected '%s'", (int)word.text.len, word.text.text, expected);
    return !p->failed;
}
