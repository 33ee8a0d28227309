/* conf.c - the text of mailrecv.conf to struct conf: a table of keywords, no policy */
/*
 * The file is read in one go and parsed into slices of its text. A row of `keywords` says what a
 * directive is called, how it is parsed and printed, where it goes and what its default is; the
 * default is written in the language of the file and parsed by the same code. Errors do not stop
 * the parser: they are collected, so that an administrator sees all of them at once.
 */
#include "conf/conf.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cold.h"
#include "base/glyph.h"
#include "base/log.h"
#include "base/text.h"
#include "dns/canonical.h"
#include "patterns/mend.h"

enum { PIPE_MS = 10000 }; /* how long a pipe may take that the configuration is read from */

enum { MEMORY_CHUNK = 256 * 1024, MAX_BUCKETS = 65536 };

/*
 * Memory that lives as long as the configuration: taken piece by piece, given back at once. Of what is written there a
 * session must know nothing, so no forked process gets it; nor does a fork have to copy what leads to it.
 */
struct conf_memory {
    struct conf_memory *next;
    size_t used, size;
    char bytes[] __attribute__((aligned(8)));
};

struct parser {
    struct conf *conf;  /* NULL: words stay as they are written */
    struct slice line;  /* without its end */
    unsigned number;    /* 0 while a default is parsed */
    size_t at;          /* the next byte to look at */
    bool failed;        /* an error was found in this line */
    bool misread;       /* ... in how a word is written: nothing else is said of the line */
    bool has_nul;       /* there is a NUL byte somewhere in the text */
};

struct word {
    struct slice text;
    unsigned column;
    bool quoted;
    bool odd;        /* worth a look: a quote or backslash at an end, or perhaps not printable ASCII */
};

struct keyword;

/* How the value of a directive is read and written. */
struct kind {
    void (*parse)(struct parser *p, const struct keyword *k);
    void (*print)(const struct conf *conf, const struct keyword *k, FILE *out);
    const char *const *words; /* of which the value is one; ends with NULL */
};

struct keyword {
    struct slice name;
    const struct kind *kind;
    size_t offset;        /* of the value in struct conf */
    const char *initial;  /* the default in the language of the file; NULL: may be repeated */
    uint64_t max;         /* of a number */
    struct slice status;  /* of a reply, without its class (RFC 3463) */
};

/* ---- memory ------------------------------------------------------------------------------ */

static void add_chunk(struct conf *conf, size_t size)
{
    size_t wanted = sizeof(struct conf_memory) + size, chunk = wanted > MEMORY_CHUNK ? wanted : MEMORY_CHUNK;
    struct conf_memory *m = mmap(NULL, chunk, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (m == MAP_FAILED || madvise(m, chunk, MADV_DONTFORK) != 0) {
        log_line(LOG_ERR, "out of memory while reading %s", conf->path);
        exit(EX_OSERR);
    }
    m->next = conf->memory;
    m->size = chunk - sizeof *m;
    conf->memory = m;
}

static void *take_memory(struct conf *conf, size_t size)
{
    void *piece;

    size = (size + 7) & ~(size_t)7;
    if (conf->memory == NULL || conf->memory->size - conf->memory->used < size)
        add_chunk(conf, size);
    piece = conf->memory->bytes + conf->memory->used;
    conf->memory->used += size;
    return piece;
}

void conf_share(const struct conf *conf)
{
    for (const struct conf_memory *m = conf->memory; m != NULL; m = m->next)
        (void)madvise((void *)(uintptr_t)m, sizeof *m + m->size, MADV_DOFORK); /* ours: cannot fail */
}

void conf_free(struct conf *conf)
{
    rules_free(&conf->rules);
    for (struct conf_memory *m = conf->memory, *next; m != NULL; m = next) {
        next = m->next;
        (void)munmap(m, sizeof *m + m->size); /* ours: cannot fail */
    }
    conf->memory = NULL;
}

/* ---- problems ---------------------------------------------------------------------------- */

static bool is_behind(const struct conf_problem *problem, unsigned line, unsigned column)
{
    return problem->line > line || (problem->line == line && problem->column > column);
}

/* A format and its arguments, in memory of the configuration. */
static const char *__attribute__((format(printf, 2, 0)))
format_text(struct conf *conf, const char *format, va_list args)
{
    char text[1024], *copy;

    (void)vsnprintf(text, sizeof text, format, args); /* cut when too long */
    for (char *c = text; *c != '\0'; c++) /* from the file, and on its way to a terminal */
        if (iscntrl((unsigned char)*c) != 0)
            *c = '?';
    copy = take_memory(conf, strlen(text) + 1);
    memcpy(copy, text, strlen(text) + 1);
    return copy;
}

void conf_complain(struct conf *conf, enum severity severity, unsigned line, unsigned column, const char *format, ...)
{
    struct conf_problem *problem = take_memory(conf, sizeof *problem), **place = &conf->problems;
    va_list args;

    *problem = (struct conf_problem){ .line = line, .column = column, .severity = severity };
    va_start(args, format);
    problem->message = format_text(conf, format, args);
    va_end(args);
    if (conf->last_problem != NULL && !is_behind(conf->last_problem, line, column))
        place = &conf->last_problem->next; /* nearly always: problems are found in order */
    while (*place != NULL && !is_behind(*place, line, column))
        place = &(*place)->next;
    problem->next = *place;
    *place = problem;
    conf->last_problem = problem;
    conf->errors += severity == SEVERITY_ERROR;
}

void conf_advise(struct conf *conf, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    conf->last_problem->advice = format_text(conf, format, args);
    va_end(args);
}

/* An error in the line that is being parsed: where, what is wrong, what was expected. */
#define fail(p, column, ...) \
    ((p)->misread ? (void)0 \
                  : ((p)->failed = true, conf_complain((p)->conf, SEVERITY_ERROR, (p)->number, column, __VA_ARGS__)))

/* The column of the next byte, counted from 1. */
static unsigned column_of(const struct parser *p)
{
    return (unsigned)p->at + 1;
}

/* ---- words ------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static void skip_blanks(struct parser *p)
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
    copy = take_memory(p->conf, text.len);
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

/* The index behind the closing quote of a word that begins at `at`, or 0 if it is not quoted. */
static size_t end_of_quoted(struct slice line, size_t at)
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

/* The next word of the line, whatever it looks like; false at its end or before a comment. */
static bool take_word(struct parser *p, struct word *word)
{
    const char *text = p->line.text;
    size_t begin, end;
    bool has_hash = false; /* nothing else can be escaped */

    skip_blanks(p);
    begin = p->at;
    *word = (struct word){ .text = { text + begin, 0 }, .column = column_of(p) };
    if (begin == p->line.len || text[begin] == '#')
        return false;
    end = end_of_quoted(p->line, begin);
    if (end > 0) {
        p->at = end;
        word->quoted = true;
        word->text = unescape(p, (struct slice){ text + begin + 1, end - begin - 2 }, "\"\\#");
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

/* Advises to write this word, in quotes where it needs them; it lies behind an error of this line. */
static void advise_word(struct parser *p, struct slice word)
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

/* The text without its quotes of any kind, in memory of the configuration. */
static struct slice without_quotes(struct parser *p, struct slice text)
{
    char *copy = take_memory(p->conf, text.len + 1);
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
        advise_word(p, (struct slice){ p->line.text + inside, end - inside });
    else
        advise_word(p, without_quotes(p, rest));
    p->misread = true;
}

/* The first character of a word that nobody can see, in the text of the line. */
static bool find_unseen(const struct parser *p, const struct word *word, unsigned *column, struct glyph *glyph)
{
    struct slice text = { p->line.text + word->column - 1, p->at - (word->column - 1) };
    size_t at = 0;
    bool found = glyph_find(text, GLYPH_UNSEEN, &at, glyph);

    *column = word->column + (unsigned)at;
    return found;
}

/* Other programs go on in the next line behind a backslash. */
static void check_backslash(struct parser *p)
{
    size_t end = p->at, backslashes = 0;

    while (backslashes < end && p->line.text[end - 1 - backslashes] == '\\')
        backslashes++;
    while (end < p->line.len && is_blank(p->line.text[end]))
        end++;
    if (backslashes % 2 == 0 || end < p->line.len)
        return;
    fail(p, (unsigned)p->at, "a backslash at the end of the line, expected all of the directive on one line");
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

/* The same for a word that only quotes let hold what cannot be seen. */
static bool check_word(struct parser *p, const struct word *word)
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

/* The next word of the line; false at its end or before a comment. An odd one is an error, and there all the same. */
static bool next_word(struct parser *p, struct word *word)
{
    if (!take_word(p, word))
        return false;
    if (word->odd)
        (void)check_word(p, word);
    return true;
}

/* Is the last character a quote that nothing has opened? */
static bool ends_in_quote(const struct word *word, size_t *offset, struct glyph *glyph)
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

static void doubt_unseen(struct parser *p, const struct word *word)
{
    struct glyph glyph;
    unsigned column;

    if (word->odd && find_unseen(p, word, &column, &glyph))
        conf_complain(p->conf, SEVERITY_WARNING, p->number, column, "an invisible character, U+%04X (%s), in a word",
                      (unsigned)glyph.code, glyph.name);
}

/* The next word, which may hold anything, as paths and arguments may, and did in 1.x. What is odd is doubtful only. */
static bool next_value(struct parser *p, struct word *word)
{
    struct glyph glyph;
    size_t offset = 0;

    if (!take_word(p, word))
        return false;
    if (!word->odd || !check_ends(p, word) || p->number == 0)
        return true;
    doubt_unseen(p, word);
    if (!ends_in_quote(word, &offset, &glyph))
        return true;
    conf_complain(p->conf, SEVERITY_WARNING, p->number, conf_column(p->conf, p->number, word->column, offset),
                  "nothing has opened this quote: it is a character of the word");
    advise_word(p, word->text);
    return true;
}

/* ---- the rest of a line -------------------------------------------------------------------- */

/* The rest of the line without comment and trailing blanks. */
static struct slice rest_of_line(struct parser *p)
{
    size_t begin, end;

    skip_blanks(p);
    begin = p->at;
    for (end = begin; end < p->line.len; end++)
        if (p->line.text[end] == '#' && (end == begin || is_blank(p->line.text[end - 1])))
            break;
    p->at = p->line.len;
    while (end > begin && is_blank(p->line.text[end - 1]))
        end--;
    return unescape(p, (struct slice){ p->line.text + begin, end - begin }, "#");
}

/* A word that must be there; `what` says what was expected. */
static bool need_word(struct parser *p, struct word *word, const char *what)
{
    if (next_word(p, word))
        return true;
    fail(p, word->column, "the line ends too early, expected %s", what);
    return false;
}

/* A path or the like, which must be there and must not be "". */
static bool need_value(struct parser *p, struct word *word, const char *what)
{
    if (!next_value(p, word))
        fail(p, word->column, "the line ends too early, expected %s", what);
    else if (word->text.len == 0)
        fail(p, word->column, "an empty word, expected %s", what);
    return !p->failed;
}

/* A word that must be there and must not be "". */
static bool need_name(struct parser *p, struct word *word, const char *what)
{
    if (!need_word(p, word, what))
        return false;
    if (word->text.len == 0)
        fail(p, word->column, "an empty word, expected %s", what);
    return !p->failed;
}

static void need_end(struct parser *p)
{
    struct word word;

    if (!p->failed && next_word(p, &word))
        fail(p, word.column, "unexpected '%.*s', expected the end of the line", (int)word.text.len, word.text.text);
}

/* The rest of the line, which must not be empty. */
static struct slice need_text(struct parser *p, const char *what)
{
    struct slice text;
    unsigned column;

    skip_blanks(p);
    column = column_of(p);
    text = rest_of_line(p);
    if (text.len == 0)
        fail(p, column, "the line ends too early, expected %s", what);
    return text;
}

static bool word_is(struct word word, const char *text)
{
    return slice_equal(word.text, slice_of(text));
}

/* A word that can only be this one. */
static bool need_exactly(struct parser *p, const char *expected)
{
    struct word word;

    if (!next_word(p, &word))
        fail(p, word.column, "the line ends too early, expected '%s'", expected);
    else if (!word_is(word, expected))
        fail(p, word.column, "unexpected '%.*s', expected '%s'", (int)word.text.len, word.text.text, expected);
    return !p->failed;
}

/* ---- numbers, codes, replies ------------------------------------------------------------- */

static bool parse_range(struct parser *p, struct word word, uint64_t min, uint64_t max, uint64_t *number)
{
    uint64_t n = 0;
    size_t digits = 0;

    for (; digits < word.text.len && isdigit((unsigned char)word.text.text[digits]); digits++)
        if (n <= max)
            n = n * 10 + (uint64_t)(word.text.text[digits] - '0');
    if (digits == 0 || digits < word.text.len)
        fail(p, word.column, "'%.*s' is not a number, expected %ju to %ju", (int)word.text.len, word.text.text,
             (uintmax_t)min, (uintmax_t)max);
    else if (n < min || n > max)
        fail(p, word.column, "'%.*s' is out of range, expected %ju to %ju", (int)word.text.len, word.text.text,
             (uintmax_t)min, (uintmax_t)max);
    *number = n;
    return !p->failed;
}

static bool parse_number(struct parser *p, struct word word, uint64_t max, uint64_t *number)
{
    return parse_range(p, word, 1, max, number);
}

/* The number of bytes that look like the part "1.1 " of "5.1.1 text", 0 if they do not. */
static size_t status_length(struct slice text)
{
    size_t i = 0, parts = 0, digits;

    do {
        for (digits = 0; i < text.len && isdigit((unsigned char)text.text[i]) && digits < 3; digits++)
            i++;
        parts++;
    } while (digits > 0 && parts < 2 && i < text.len && text.text[i++] == '.');
    return parts == 2 && digits > 0 && (i == text.len || text.text[i] == ' ') ? i : 0;
}

/* If the text of a reply brings an enhanced code of its own, that is the one. */
static void split_status(struct parser *p, unsigned column, struct reply *reply)
{
    struct slice rest = reply->text;
    size_t len;

    if (rest.len < 5 || strchr("245", rest.text[0]) == NULL || rest.text[1] != '.')
        return;
    rest.text += 2;
    rest.len -= 2;
    len = status_length(rest);
    if (len == 0)
        return;
    if ((unsigned)(reply->text.text[0] - '0') != reply->code / 100) {
        fail(p, column, "the enhanced code '%.*s' contradicts the code %u, expected %u.%.*s", (int)len + 2,
             reply->text.text, reply->code, reply->code / 100, (int)len, rest.text);
        return;
    }
    reply->status = (struct slice){ rest.text, len };
    reply->text = (struct slice){ rest.text + len, rest.len - len };
    while (reply->text.len > 0 && reply->text.text[0] == ' ') {
        reply->text.text++;
        reply->text.len--;
    }
}

/* CODE TEXT. `status` is the enhanced code, without its class, that fits the directive. */
static void parse_reply(struct parser *p, struct word code, struct slice status, struct reply *reply)
{
    const char *c = code.text.text;
    unsigned column;

    if (code.text.len != 3 || (c[0] != '4' && c[0] != '5') || !isdigit((unsigned char)c[1]) ||
        !isdigit((unsigned char)c[2])) {
        fail(p, code.column, "'%.*s' is not a reply code, expected 400 to 599", (int)code.text.len, c);
        return;
    }
    *reply = (struct reply){ .code = (unsigned)((c[0] - '0') * 100 + (c[1] - '0') * 10 + (c[2] - '0')),
                             .status = status };
    skip_blanks(p);
    column = column_of(p);
    reply->text = rest_of_line(p);
    split_status(p, column, reply);
    if (!p->failed && reply->text.len == 0)
        fail(p, column, "the text of the reply is missing, expected CODE TEXT");
    if (reply->text.len > CONF_TEXT)
        fail(p, column, "the text of the reply is too long, expected at most %d bytes", CONF_TEXT);
}

/* The reply of a limit as its row in the table has it. */
static void set_default_reply(struct conf *conf, const struct keyword *k, struct limit *limit)
{
    struct parser p = { .conf = conf, .line = slice_of(k->initial) };
    struct word value, code;

    if (next_word(&p, &value) && next_word(&p, &code) &&
        (code.text.len == 3 || next_word(&p, &code))) /* behind on or off there may be seconds */
        parse_reply(&p, code, k->status, &limit->reply);
}

/* [CODE TEXT] behind the value of a limit. */
static void parse_limit_reply(struct parser *p, const struct keyword *k, struct limit *limit)
{
    struct word code;

    if (p->failed)
        return;
    if (next_word(p, &code)) {
        parse_reply(p, code, k->status, &limit->reply);
        return;
    }
    set_default_reply(p->conf, k, limit);
    p->conf->default_reply_line = p->number;
}

/* ---- kinds of directives ----------------------------------------------------------------- */

static void *value_of(struct conf *conf, const struct keyword *k)
{
    return (char *)conf + k->offset;
}

static const void *setting_of(const struct conf *conf, const struct keyword *k)
{
    return (const char *)conf + k->offset;
}

/* Writes a word so that it reads back as the same, without a warning. */
static void print_word(struct slice word, FILE *out)
{
    bool quote = word.len == 0 || word.text[0] == '#' || word.text[word.len - 1] == '\\' ||
                 memchr(word.text, ' ', word.len) != NULL || memchr(word.text, '\t', word.len) != NULL;
    struct glyph glyph;

    for (size_t at = 0; at < word.len && !quote; at += glyph.len) { /* what could be taken for a mistake */
        glyph = glyph_at((struct slice){ word.text + at, word.len - at });
        quote = glyph.kind == GLYPH_UNSEEN ||
                (glyph.kind == GLYPH_QUOTE && (at == 0 || at + glyph.len == word.len));
    }
    if (!quote) {
        for (size_t i = 0; i < word.len; i++)
            fprintf(out, "%s%c", word.text[i] == '\\' && i + 1 < word.len && word.text[i + 1] == '#' ? "\\" : "",
                    word.text[i]);
        return;
    }
    fputc('"', out);
    for (size_t i = 0; i < word.len; i++)
        fprintf(out, "%s%c", strchr("\"\\", word.text[i]) != NULL ? "\\" : "", word.text[i]);
    fputc('"', out);
}

static void print_text(struct slice text, FILE *out)
{
    for (size_t i = 0; i < text.len; i++)
        fprintf(out, "%s%c", text.text[i] == '#' && (i == 0 || strchr(" \t\\", text.text[i - 1]) != NULL) ? "\\" : "",
                text.text[i]);
}

static void print_reply(const struct reply *reply, FILE *out)
{
    fprintf(out, " %u %u.%.*s ", reply->code, reply->code / 100, (int)reply->status.len, reply->status.text);
    print_text(reply->text, out);
}

static void parse_word(struct parser *p, const struct keyword *k)
{
    struct word word;

    if (!need_value(p, &word, "a value"))
        return;
    *(struct slice *)value_of(p->conf, k) = word.text;
    need_end(p);
}

static void print_slice(const struct conf *conf, const struct keyword *k, FILE *out)
{
    fputc(' ', out);
    print_word(*(const struct slice *)setting_of(conf, k), out);
}

/* The canonical form of what a line holds: that itself, in most cases. */
static struct slice keep_canonical(struct parser *p, struct slice written, struct slice canonical)
{
    char *copy;

    if (slice_equal(written, canonical))
        return written;
    copy = take_memory(p->conf, canonical.len);
    memcpy(copy, canonical.text, canonical.len);
    return (struct slice){ copy, canonical.len };
}

/* A domain in its canonical form, or a literal if there may be one; `text` itself, and an error, if it is none. */
static struct slice take_domain(struct parser *p, struct slice text, unsigned column, bool literal, const char *like)
{
    char canonical[DOMAIN_MAX + 1];

    if (canonical_domain(text, WORDS_OURS, canonical) == CANONICAL_OK && (literal || canonical[0] != '['))
        return keep_canonical(p, text, slice_of(canonical));
    if (envelope_domain(text))
        fail(p, column, "'%.*s' is not a domain name: %s", (int)text.len, text.text, canonical_trouble());
    else
        fail(p, column, "'%.*s' is not a domain name, expected one like %s", (int)text.len, text.text, like);
    return text;
}

static void parse_domain(struct parser *p, const struct keyword *k)
{
    struct word word;

    if (!need_word(p, &word, "a domain name"))
        return;
    *(struct slice *)value_of(p->conf, k) = take_domain(p, word.text, word.column, false, "mail.example.com");
    need_end(p);
}

static void parse_flags(struct parser *p, const struct keyword *k)
{
    struct word word;

    if (!need_word(p, &word, "debug flags, any of " LOG_FLAGS " or -"))
        return;
    for (size_t i = 0; i < word.text.len; i++)
        if (word.text.text[i] == '\0' || strchr(LOG_FLAGS "-", word.text.text[i]) == NULL) {
            fail(p, word.column + (unsigned)i, "'%c' is no debug flag, expected any of " LOG_FLAGS " or -",
                 word.text.text[i]);
            return;
        }
    *(struct slice *)value_of(p->conf, k) = word.text;
    need_end(p);
}

static void parse_text(struct parser *p, const struct keyword *k)
{
    struct slice *text = value_of(p->conf, k);
    unsigned column;

    skip_blanks(p);
    column = column_of(p);
    *text = need_text(p, "a text");
    if (text->len > CONF_TEXT)
        fail(p, column, "the text is too long, expected at most %d bytes", CONF_TEXT);
}

static void print_text_value(const struct conf *conf, const struct keyword *k, FILE *out)
{
    fputc(' ', out);
    print_text(*(const struct slice *)setting_of(conf, k), out);
}

/* "'off', 'try' or 'on'" */
static void list_choices(const char *const *words, char *out, size_t size)
{
    size_t used = 0;

    for (size_t i = 0; words[i] != NULL && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s'%s'", i == 0 ? "" : words[i + 1] != NULL ? ", " : " or ",
                                 words[i]);
}

/* One of the words of the directive's kind; `chosen` is its index. */
static bool parse_choice(struct parser *p, const struct keyword *k, size_t *chosen)
{
    const char *const *words = k->kind->words;
    char expected[64] = "";
    struct word word;
    bool found = next_word(p, &word);

    for (*chosen = 0; found && words[*chosen] != NULL; ++*chosen)
        if (word_is(word, words[*chosen]))
            return true;
    list_choices(words, expected, sizeof expected);
    if (found)
        fail(p, word.column, "unexpected '%.*s', expected %s", (int)word.text.len, word.text.text, expected);
    else
        fail(p, word.column, "the line ends too early, expected %s", expected);
    return false;
}

static void parse_switch(struct parser *p, const struct keyword *k)
{
    size_t chosen;

    if (!parse_choice(p, k, &chosen))
        return;
    *(bool *)value_of(p->conf, k) = chosen != 0;
    need_end(p);
}

static void print_switch(const struct conf *conf, const struct keyword *k, FILE *out)
{
    fprintf(out, " %s", k->kind->words[*(const bool *)setting_of(conf, k)]);
}

/* One of several words; kept as its index. */
static void parse_option(struct parser *p, const struct keyword *k)
{
    size_t chosen;

    if (!parse_choice(p, k, &chosen))
        return;
    *(unsigned *)value_of(p->conf, k) = (unsigned)chosen;
    need_end(p);
}

static void print_option(const struct conf *conf, const struct keyword *k, FILE *out)
{
    fprintf(out, " %s", k->kind->words[*(const unsigned *)setting_of(conf, k)]);
}

static void parse_limit(struct parser *p, const struct keyword *k)
{
    struct limit *limit = value_of(p->conf, k);
    struct word word;

    if (!need_word(p, &word, "a number"))
        return;
    (void)parse_number(p, word, k->max, &limit->value);
    parse_limit_reply(p, k, limit);
}

static void print_limit(const struct conf *conf, const struct keyword *k, FILE *out)
{
    const struct limit *limit = setting_of(conf, k);

    fprintf(out, " %ju", (uintmax_t)limit->value);
    print_reply(&limit->reply, out);
}

/* A number that is all of the value. */
static void parse_count(struct parser *p, const struct keyword *k)
{
    struct word word;

    if (need_word(p, &word, "a number") && parse_number(p, word, k->max, value_of(p->conf, k)))
        need_end(p);
}

/* Seconds, of which there may be none. */
static void parse_delay(struct parser *p, const struct keyword *k)
{
    struct word word;

    if (need_word(p, &word, "a number of seconds") && parse_range(p, word, 0, k->max, value_of(p->conf, k)))
        need_end(p);
}

static void print_count(const struct conf *conf, const struct keyword *k, FILE *out)
{
    fprintf(out, " %ju", (uintmax_t)*(const uint64_t *)setting_of(conf, k));
}

/* A limit whose value is a word. */
static void parse_check(struct parser *p, const struct keyword *k)
{
    struct limit *limit = value_of(p->conf, k);
    size_t chosen;

    if (!parse_choice(p, k, &chosen))
        return;
    limit->value = chosen;
    parse_limit_reply(p, k, limit);
}

static void print_check(const struct conf *conf, const struct keyword *k, FILE *out)
{
    const struct limit *limit = setting_of(conf, k);

    fprintf(out, " %s", k->kind->words[limit->value]);
    print_reply(&limit->reply, out);
}

/* limit.early_talker on|off SECS */
static void parse_early_talker(struct parser *p, const struct keyword *k)
{
    struct limit *limit = value_of(p->conf, k);
    struct word word;
    size_t chosen;

    if (!parse_choice(p, k, &chosen) || !need_word(p, &word, "a number of seconds") ||
        !parse_number(p, word, k->max, &p->conf->early_talker_secs))
        return;
    limit->value = chosen;
    parse_limit_reply(p, k, limit);
}

static void print_early_talker(const struct conf *conf, const struct keyword *k, FILE *out)
{
    const struct limit *limit = setting_of(conf, k);

    fprintf(out, " %s %ju", k->kind->words[limit->value], (uintmax_t)conf->early_talker_secs);
    print_reply(&limit->reply, out);
}

/* ---- DNS --------------------------------------------------------------------------------- */

/* Splits ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT; an IPv6 address without brackets has no port. */
static bool split_server(struct slice text, char address[INET6_ADDRSTRLEN], struct slice *port)
{
    const char *colon = memchr(text.text, ':', text.len), *bracket = memchr(text.text, ']', text.len);
    unsigned char bytes[sizeof(struct in6_addr)];
    struct slice host = text;

    if (text.text[0] == '[' && bracket != NULL)
        host = (struct slice){ text.text + 1, (size_t)(bracket - text.text) - 1 };
    else if (colon != NULL && memrchr(text.text, ':', text.len) == colon)
        host.len = (size_t)(colon - text.text);
    *port = (struct slice){ host.text + host.len, text.len - (size_t)(host.text + host.len - text.text) };
    if (host.text != text.text) { /* behind the bracket */
        port->text++;
        port->len--;
    }
    if (host.len >= INET6_ADDRSTRLEN || (port->len > 0 && port->text[0] != ':'))
        return false;
    memcpy(address, host.text, host.len);
    address[host.len] = '\0';
    return inet_pton(memchr(host.text, ':', host.len) != NULL ? AF_INET6 : AF_INET, address, bytes) == 1;
}

/* dns.server ADDRESS[:PORT], kept as the resolver wants it */
static void parse_server(struct parser *p, const struct keyword *k)
{
    enum { SIZE = INET6_ADDRSTRLEN + sizeof "[]:65535" };
    struct dns_settings *dns = value_of(p->conf, k);
    char address[INET6_ADDRSTRLEN], *text;
    struct word word, port;
    uint64_t number = 53;
    bool six;

    if (!need_name(p, &word, "the address of a DNS server"))
        return;
    if (!split_server(word.text, address, &port.text)) {
        fail(p, word.column, "'%.*s' is not the address of a server, expected one like 192.0.2.53, 192.0.2.53:5353 "
             "or [2001:db8::53]:5353", (int)word.text.len, word.text.text);
        return;
    }
    if (port.text.len > 0) {
        port.column = word.column + (unsigned)(port.text.text - word.text.text) + 1;
        port.text = (struct slice){ port.text.text + 1, port.text.len - 1 };
        if (!parse_number(p, port, UINT16_MAX, &number))
            return;
    }
    if (dns->server_count == DNS_SERVERS) {
        fail(p, word.column, "one DNS server too many, expected at most %d", DNS_SERVERS);
        return;
    }
    six = strchr(address, ':') != NULL;
    text = take_memory(p->conf, SIZE);
    (void)snprintf(text, SIZE, "%s%s%s:%u", six ? "[" : "", address, six ? "]" : "", (unsigned)number); /* it fits */
    dns->servers[dns->server_count++] = slice_of(text);
    need_end(p);
}

/* ---- rules ------------------------------------------------------------------------------- */

/* No host has a quote in its address or name. Addresses of recipients may, but hardly one alone at the end. */
static void check_quotes(struct parser *p, const struct word *word, bool for_recipients)
{
    struct glyph glyph;
    size_t offset = 0;

    if (p->misread || word->quoted ||
        !(for_recipients ? ends_in_quote(word, &offset, &glyph) : glyph_find(word->text, GLYPH_QUOTE, &offset, &glyph)))
        return;
    fail(p, conf_column(p->conf, p->number, word->column, offset), "a %s (U+%04X) in the expression, expected none%s",
         glyph.name, (unsigned)glyph.code, for_recipients ? " that stands alone" : ": no host has one in its name");
    advise_word(p, without_quotes(p, word->text));
}

static void set_pattern(struct parser *p, struct word word, const char *directive, bool for_recipients,
                        struct pattern *pattern)
{
    if (word.text.len == 0)
        fail(p, word.column, "the regular expression is empty, expected . for any text");
    check_quotes(p, &word, for_recipients);
    *pattern = (struct pattern){ .text = word.text, .line = p->number, .column = word.column,
                                 .directive = directive, .utf = for_recipients || !slice_is_ascii(word.text) };
    p->conf->rules.wants_unicode = p->conf->rules.wants_unicode || (for_recipients && !slice_is_ascii(word.text));
}

static bool parse_pattern(struct parser *p, const char *directive, bool for_recipients, struct pattern *pattern)
{
    struct word word;

    if (!need_word(p, &word, "a regular expression"))
        return false;
    set_pattern(p, word, directive, for_recipients, pattern);
    return true;
}

/* allow remotehost REGEX, deny remotehost REGEX */
static void parse_host_pattern(struct parser *p, const struct keyword *k)
{
    struct pattern *pattern = take_memory(p->conf, sizeof *pattern);
    struct patterns *list = value_of(p->conf, k);
    const char *directive = list == &p->conf->rules.deny ? "deny remotehost" : "allow remotehost";

    if (!need_exactly(p, "remotehost") || !parse_pattern(p, directive, false, pattern))
        return;
    patterns_add(list, pattern);
    need_end(p);
}

/* About as many buckets as there are groups in a file that is long because of them. */
static void make_buckets(struct conf *conf)
{
    struct rules *rules = &conf->rules;

    for (rules->bucket_count = 16; rules->bucket_count < conf->text.len / 128 && rules->bucket_count < MAX_BUCKETS;)
        rules->bucket_count *= 2;
    rules->buckets = take_memory(conf, rules->bucket_count * sizeof(struct allowgroup *));
}

/* lockout.exempt REGEX, proxy_protocol REGEX */
static void parse_client_pattern(struct parser *p, const struct keyword *k)
{
    struct pattern *pattern = take_memory(p->conf, sizeof *pattern);

    if (!parse_pattern(p, k->name.text, false, pattern))
        return;
    patterns_add(value_of(p->conf, k), pattern);
    need_end(p);
}

/* The group with this name; rules may name it before it is defined. */
static struct allowgroup *group_named(struct conf *conf, struct slice name)
{
    struct allowgroup *group = rules_group(&conf->rules, name);

    if (group != NULL)
        return group;
    if (conf->rules.bucket_count == 0)
        make_buckets(conf);
    group = take_memory(conf, sizeof *group);
    group->name = name;
    rules_add_group(&conf->rules, group);
    return group;
}

static struct allowgroup *define_group(struct conf *conf, struct slice name, unsigned number)
{
    struct allowgroup *group = group_named(conf, name);

    if (!group->defined)
        group->line = number;
    group->defined = true;
    return group;
}

/* SHA256: 64 hexadecimal digits in any case, with or without colons between the bytes. */
static void parse_certificate(struct parser *p, struct allowgroup *group)
{
    struct certificate *certificate = take_memory(p->conf, sizeof *certificate);
    struct word word;
    size_t digits = 0;

    if (!need_word(p, &word, "the SHA-256 fingerprint of a certificate"))
        return;
    for (size_t i = 0; i < word.text.len && digits <= CLIENT_FINGERPRINT; i++) {
        char c = lower_ascii(word.text.text[i]);

        if (c == ':' && digits > 0 && digits % 2 == 0)
            continue;
        if (digits < CLIENT_FINGERPRINT && c != '\0' && strchr("0123456789abcdef", c) != NULL)
            certificate->fingerprint[digits] = c;
        else
            digits = CLIENT_FINGERPRINT;
        digits++;
    }
    if (digits != CLIENT_FINGERPRINT) {
        fail(p, word.column, "'%.*s' is not a SHA-256 fingerprint, expected 64 hexadecimal digits",
             (int)word.text.len, word.text.text);
        return;
    }
    certificate->line = p->number;
    certificate->next = group->certificates;
    group->certificates = certificate;
    need_end(p);
}

/* pass, fail, none or temperr: what has become of the question for the client's name */
static void parse_fcrdns(struct parser *p, struct allowgroup *group)
{
    static const struct {
        const char *word;
        enum client_name_state state;
    } results[] = { { "pass", CLIENT_NAME_CONFIRMED }, { "fail", CLIENT_NAME_FAIL }, { "none", CLIENT_NAME_NONE },
                    { "temperr", CLIENT_NAME_UNSURE } };
    struct word word;

    if (!need_word(p, &word, "'pass', 'fail', 'none' or 'temperr'"))
        return;
    for (size_t i = 0; i < sizeof results / sizeof results[0]; i++)
        if (word_is(word, results[i].word)) {
            group->fcrdns |= 1U << results[i].state;
            need_end(p);
            return;
        }
    fail(p, word.column, "unexpected '%.*s', expected 'pass', 'fail', 'none' or 'temperr'", (int)word.text.len,
         word.text.text);
}

static const struct {
    struct slice word;
    void (*parse)(struct parser *p, struct allowgroup *group);
} memberships[] = { { SLICE("cert"), parse_certificate }, { SLICE("fcrdns"), parse_fcrdns } };

/* WORD VALUE instead of a pattern. A word that stands alone is a pattern, whatever it is. */
static bool parse_membership(struct parser *p, struct word word, struct slice name)
{
    size_t behind = p->at;
    struct word value;

    for (size_t i = 0; i < sizeof memberships / sizeof memberships[0]; i++)
        if (slice_equal(word.text, memberships[i].word) && next_word(p, &value)) {
            p->at = behind;
            memberships[i].parse(p, define_group(p->conf, name, p->number));
            return true;
        }
    p->at = behind;
    return false;
}

/* allowgroup NAME REGEX, allowgroup NAME cert SHA256, allowgroup NAME fcrdns RESULT */
static void parse_allowgroup(struct parser *p, const struct keyword *k)
{
    struct word name, word;
    struct pattern *pattern;

    (void)k;
    if (!need_name(p, &name, "the name of a group") || !need_word(p, &word, "a regular expression") ||
        parse_membership(p, word, name.text))
        return;
    pattern = take_memory(p->conf, sizeof *pattern);
    set_pattern(p, word, "allowgroup", false, pattern);
    patterns_add(&define_group(p->conf, name.text, p->number)->patterns, pattern);
    need_end(p);
}

/* One octet of a filter, N or N..M; false if there is none. */
static bool parse_octets(const char **at, const char *end, unsigned char *low, unsigned char *high)
{
    unsigned numbers[2] = { 0, 0 };
    size_t count = 0;

    do {
        const char *begin = *at;

        for (; *at < end && isdigit((unsigned char)**at) && numbers[count] <= 255; ++*at)
            numbers[count] = numbers[count] * 10 + (unsigned)(**at - '0');
        if (*at == begin || numbers[count] > 255)
            return false;
    } while (++count < 2 && end - *at >= 2 && memcmp(*at, "..", 2) == 0 && (*at += 2) != NULL);
    *low = (unsigned char)numbers[0];
    *high = (unsigned char)(count == 2 ? numbers[1] : numbers[0]);
    return *low <= *high;
}

/* =127.0.0.2..11: the answers that count */
static void parse_filter(struct parser *p, struct word word, struct host_list *list)
{
    const char *at = word.text.text + 1, *end = word.text.text + word.text.len;
    struct list_filter *f = &list->filter;
    bool good = true;

    for (size_t i = 0; i < 4 && good; i++)
        good = (i == 0 || (at < end && *at++ == '.')) && parse_octets(&at, end, &f->low[i], &f->high[i]);
    list->filtered = true;
    if (!good || at < end || f->low[0] != 127 || f->high[0] != 127)
        fail(p, word.column, "'%.*s' is no filter for the answers of a list, expected one like =127.0.0.2..11",
             (int)word.text.len, word.text.text);
}

/* The name that is told in the place of a zone: one word, which looks the same in a reply, the log and a list of words. */
static void parse_list_name(struct parser *p, struct host_list *list)
{
    struct word word;
    size_t graphic = 0;

    if (!need_word(p, &word, "a name for the list"))
        return;
    while (graphic < word.text.len && word.text.text[graphic] > ' ' && word.text.text[graphic] <= '~')
        graphic++;
    if (word.text.len == 0 || graphic < word.text.len)
        fail(p, word.column, "the name of a list is a word in ASCII without blanks");
    list->name = word.text;
}

/* What a zone is called outside must be known where its questions are logged. */
static void add_alias(struct conf *conf, const struct host_list *list)
{
    struct dns_alias *alias;

    if (slice_equal(list->zone, list->name))
        return;
    alias = take_memory(conf, sizeof *alias);
    *alias = (struct dns_alias){ .next = conf->dns.aliases, .zone = list->zone, .shown = list->name };
    conf->dns.aliases = alias;
}

/* The next word, if it is one that may stand there; else it is left for others. */
static bool next_optional(struct parser *p, struct word *word, bool (*is_wanted)(struct word word))
{
    size_t at = p->at;

    if (!p->failed && next_word(p, word) && is_wanted(*word))
        return true;
    p->at = at;
    return false;
}

static bool is_filter(struct word word)
{
    return word.text.len > 0 && word.text.text[0] == '=';
}

static bool is_as(struct word word)
{
    return word_is(word, "as");
}

/* ZONE [=FILTER] [as NAME], into a list of its own */
static struct host_list *parse_list(struct parser *p)
{
    enum { ZONE_MAX = DOMAIN_MAX - 1 - 64, LISTS_MAX = 32 }; /* an IPv6 address takes 64 bytes of the name */
    struct host_list *list = take_memory(p->conf, sizeof *list);
    struct word word;
    size_t count = 0;
    char zone[DOMAIN_MAX + 1] = "";

    list->line = p->number;
    if (!need_word(p, &word, "the zone of a list, like list.example.com"))
        return NULL;
    if (canonical_domain(word.text, WORDS_OURS, zone) == CANONICAL_OK && zone[0] != '[' && strlen(zone) <= ZONE_MAX)
        list->zone = keep_canonical(p, word.text, slice_of(zone));
    else
        fail(p, word.column, "'%.*s' is not the zone of a list, expected one like list.example.com",
             (int)word.text.len, word.text.text);
    for (const struct host_list *l = p->conf->rules.lists; l != NULL; l = l->next)
        count++;
    if (count == LISTS_MAX)
        fail(p, word.column, "one list too many, expected at most %d", LISTS_MAX);
    if (!p->failed)
        list->name = list_public_part(list->zone);
    if (next_optional(p, &word, is_filter))
        parse_filter(p, word, list);
    if (next_optional(p, &word, is_as))
        parse_list_name(p, list);
    if (p->failed)
        return NULL;
    add_alias(p->conf, list);
    *p->conf->rules.last_list = list;
    p->conf->rules.last_list = &list->next;
    return list;
}

static void set_listed_reply(struct parser *p, struct slice status, struct host_list *list)
{
    static const char words[] = "Your host is listed by ";
    char *text = take_memory(p->conf, sizeof words + list->name.len);

    memcpy(text, words, sizeof words - 1);
    memcpy(text + sizeof words - 1, list->name.text, list->name.len);
    list->reply = (struct reply){ .code = 554, .status = status,
                                  .text = { text, sizeof words - 1 + list->name.len } };
}

/* dnsbl ZONE [=FILTER] [as NAME] [log | CODE TEXT] */
static void parse_dnsbl(struct parser *p, const struct keyword *k)
{
    struct host_list *list = parse_list(p);
    struct word word;

    if (list == NULL)
        return;
    if (!next_word(p, &word))
        set_listed_reply(p, k->status, list);
    else if (word_is(word, "log"))
        need_end(p);
    else
        parse_reply(p, word, k->status, &list->reply);
}

/* dnswl ZONE [=FILTER] [as NAME] */
static void parse_dnswl(struct parser *p, const struct keyword *k)
{
    struct host_list *list = parse_list(p);

    (void)k;
    if (list == NULL)
        return;
    list->allows = true;
    need_end(p);
}

/* bypass allowgroup NAME */
static void parse_bypass(struct parser *p, const struct keyword *k)
{
    struct bypass *bypass = take_memory(p->conf, sizeof *bypass);
    struct word word;

    (void)k;
    if (!need_exactly(p, "allowgroup") || !need_name(p, &word, "the name of a group"))
        return;
    *bypass = (struct bypass){ .next = p->conf->rules.bypasses, .group = group_named(p->conf, word.text),
                               .line = p->number, .group_column = word.column };
    p->conf->rules.bypasses = bypass;
    need_end(p);
}

/* Behind an error: what *@example.com and joe@* were meant to be. */
static void advise_glob(struct parser *p, struct slice word)
{
    char glob[MEND_MAX], mended[MEND_MAX];

    (void)snprintf(glob, sizeof glob, "%s%.*s", word.len > 0 && word.text[0] == '@' ? "*" : "", (int)word.len, word.text);
    if (!p->misread && memchr(word.text, '*', word.len) != NULL &&
        mend_glob(slice_of(glob), REGEX_RECIPIENT, mended) == MEND_FOUND)
        conf_advise(p->conf, "write: /%s/", mended);
}

/* The canonical form of a word that is an address. */
static struct slice take_address(struct parser *p, const struct word *word, const struct address *address)
{
    struct address canonical;

    if (address->plain)
        return word->text;
    if (canonical_address(address, WORDS_OURS, &canonical) == CANONICAL_OK)
        return keep_canonical(p, word->text, address_slice(&canonical));
    fail(p, word->column + address->local_len + 1U, "'%s' is not a domain name: %s", address_domain(address).text,
         canonical_trouble());
    return word->text;
}

/* ADDRESS, @DOMAIN or /REGEX/ */
static void parse_recipient(struct parser *p, struct rule *rule)
{
    struct address address;
    struct word word;

    if (!take_word(p, &word)) {
        fail(p, word.column, "the line ends too early, expected an address, @DOMAIN or /REGEX/");
        return;
    }
    if (word.odd && envelope_mailbox(word.text, &address))
        doubt_unseen(p, &word);
    else if (!check_word(p, &word))
        return;
    if (word.text.len >= 2 && word.text.text[0] == '/' && word.text.text[word.text.len - 1] == '/') {
        rule->kind = RCPT_PATTERN;
        rule->pattern = take_memory(p->conf, sizeof *rule->pattern);
        *rule->pattern = (struct pattern){ .text = { word.text.text + 1, word.text.len - 2 }, .line = p->number,
                                           .column = word.column, .directive = "deliver rcpt_to", .utf = true };
        p->conf->rules.wants_unicode = p->conf->rules.wants_unicode || !slice_is_ascii(rule->pattern->text);
        if (rule->pattern->text.len == 0)
            fail(p, word.column, "the regular expression is empty, expected /./ for any address");
    } else if (word.text.len >= 1 && word.text.text[0] == '@') {
        rule->kind = RCPT_DOMAIN;
        rule->rcpt = (struct slice){ word.text.text + 1, word.text.len - 1 };
        rule->canonical = take_domain(p, rule->rcpt, word.column + 1, true, "example.com");
        if (p->failed)
            advise_glob(p, word.text);
    } else {
        rule->kind = RCPT_ADDRESS;
        rule->rcpt = rule->canonical = word.text;
        if (envelope_mailbox(word.text, &address)) {
            rule->canonical = take_address(p, &word, &address);
        } else {
            fail(p, word.column, "'%.*s' is not an address, expected user@example.com, @DOMAIN or /REGEX/",
                 (int)word.text.len, word.text.text);
            advise_glob(p, word.text);
        }
    }
}

static void parse_group_condition(struct parser *p, struct word word, struct rule *rule)
{
    if (rule->group != NULL)
        fail(p, word.column, "a second group, expected one group for each deliver line");
    else if (need_name(p, &word, "the name of a group")) {
        rule->group = group_named(p->conf, word.text);
        rule->group_column = word.column;
    }
}

static void parse_tls_condition(struct parser *p, struct word word, struct rule *rule)
{
    (void)p;
    (void)word;
    rule->needs_tls = true;
}

static void parse_auth_condition(struct parser *p, struct word word, struct rule *rule)
{
    (void)p;
    (void)word;
    rule->needs_auth = true;
}

static const struct {
    struct slice word;
    void (*parse)(struct parser *p, struct word word, struct rule *rule);
} conditions[] = {
    { SLICE("allowgroup"), parse_group_condition },
    { SLICE("auth"), parse_auth_condition },
    { SLICE("tls"), parse_tls_condition },
};

/* The conditions before rcpt_to. */
static void parse_conditions(struct parser *p, struct rule *rule)
{
    enum { CONDITIONS = sizeof conditions / sizeof conditions[0] };
    struct word word;

    while (!p->failed && need_word(p, &word, "'allowgroup', 'auth', 'tls' or 'rcpt_to'")) {
        size_t i = 0;

        if (word_is(word, "rcpt_to"))
            return;
        while (i < CONDITIONS && !slice_equal(word.text, conditions[i].word))
            i++;
        if (i < CONDITIONS)
            conditions[i].parse(p, word, rule);
        else
            fail(p, word.column, "unexpected '%.*s', expected 'allowgroup', 'auth', 'tls' or 'rcpt_to'",
                 (int)word.text.len, word.text.text);
    }
}

/* An argument of exec: a word, or a %{name} that stands alone. */
static struct argument parse_argument(struct parser *p, struct word word)
{
    enum placeholder which = ARGUMENT_SENDER;

    while (which < ARGUMENT_WORD && !slice_equal(word.text, rules_placeholders[which]))
        which++;
    if (which == ARGUMENT_WORD && memmem(word.text.text, word.text.len, "%{", 2) != NULL)
        fail(p, word.column, "'%.*s' is no argument, expected %%{sender}, %%{recipient}, %%{local}, %%{domain}, "
             "%%{extension} or %%{client_address} standing alone", (int)word.text.len, word.text.text);
    return (struct argument){ which, word.text };
}

static void add_argument(struct conf *conf, struct target *target, struct argument argument)
{
    size_t count = target->argument_count;

    if ((count & (count - 1)) == 0) { /* room for 1, 2, 4, 8... */
        struct argument *more = take_memory(conf, (count == 0 ? 1 : count * 2) * sizeof *more);

        if (count > 0)
            memcpy(more, target->arguments, count * sizeof *more);
        target->arguments = more;
    }
    target->arguments[target->argument_count++] = argument;
}

static bool parse_program_path(struct parser *p, struct target *target)
{
    struct word word;

    if (!need_word(p, &word, "the path of a program"))
        return false;
    if (word.text.len == 0 || word.text.text[0] != '/')
        fail(p, word.column, "'%.*s' is not the path of a program, expected one that begins with /",
             (int)word.text.len, word.text.text);
    *target = (struct target){ .kind = TARGET_EXEC, .text = word.text };
    return true;
}

/* exec PROGRAM ARG... */
static void parse_exec(struct parser *p, struct target *target)
{
    struct word word;

    if (!parse_program_path(p, target))
        return;
    while (next_value(p, &word))
        add_argument(p->conf, target, parse_argument(p, word));
}

/* auth.command PROGRAM ARG...; words stand for nothing but themselves */
static void parse_program(struct parser *p, const struct keyword *k)
{
    struct word word;

    (void)k;
    if (!parse_program_path(p, &p->conf->auth_command))
        return;
    while (next_value(p, &word))
        add_argument(p->conf, &p->conf->auth_command, (struct argument){ ARGUMENT_WORD, word.text });
}

static void print_program(const struct conf *conf, const struct keyword *k, FILE *out)
{
    const struct target *program = &conf->auth_command;

    print_slice(conf, k, out);
    for (size_t i = 0; i < program->argument_count; i++) {
        fputc(' ', out);
        print_word(program->arguments[i].text, out);
    }
}

static void parse_target_path(struct parser *p, struct target *target)
{
    struct word word;

    if (!need_value(p, &word, "a path"))
        return;
    target->text = word.text;
    need_end(p);
}

static void parse_command(struct parser *p, struct target *target)
{
    target->text = need_text(p, "a command");
}

static const struct {
    struct slice word;
    enum target_kind kind;
    void (*parse)(struct parser *p, struct target *target);
} targets[] = {
    { SLICE("append"), TARGET_APPEND, parse_target_path },
    { SLICE("pipe"), TARGET_PIPE, parse_command },
    { SLICE("exec"), TARGET_EXEC, parse_exec },
    { SLICE("maildir"), TARGET_MAILDIR, parse_target_path },
};

static void parse_target(struct parser *p, struct target *target)
{
    struct word word;

    if (p->failed || !need_word(p, &word, "append, pipe, exec or maildir"))
        return;
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++)
        if (slice_equal(word.text, targets[i].word)) {
            target->kind = targets[i].kind;
            targets[i].parse(p, target);
            return;
        }
    fail(p, word.column, "unexpected '%.*s', expected append, pipe, exec or maildir", (int)word.text.len,
         word.text.text);
}

/* deliver [allowgroup NAME] [auth] [tls] rcpt_to ADDRESS TARGET */
static void parse_deliver(struct parser *p, const struct keyword *k)
{
    struct rule *rule = take_memory(p->conf, sizeof *rule);

    (void)k;
    rule->line = p->number;
    parse_conditions(p, rule);
    if (!p->failed)
        parse_recipient(p, rule);
    parse_target(p, &rule->target);
    if (p->failed && rule->group == NULL)
        return;
    /* a line with a mistake stays in the list, so that its group is looked up all the same */
    *p->conf->rules.last_rule = rule;
    p->conf->rules.last_rule = &rule->next;
}

/* error rcpt_to REGEX CODE TEXT */
static void parse_error(struct parser *p, const struct keyword *k)
{
    struct refusal *refusal = take_memory(p->conf, sizeof *refusal);
    struct word word;

    if (!need_exactly(p, "rcpt_to") || !parse_pattern(p, "error rcpt_to", true, &refusal->pattern) ||
        !need_word(p, &word, "a reply code"))
        return;
    parse_reply(p, word, k->status, &refusal->reply);
    *p->conf->rules.last_refusal = refusal;
    p->conf->rules.last_refusal = &refusal->next;
}

/* ---- the table --------------------------------------------------------------------------- */

static const char *const off_on[] = { "off", "on", NULL };
static const char *const off_try_on[] = { [SANDBOX_OFF] = "off", [SANDBOX_TRY] = "try", [SANDBOX_ON] = "on", NULL };
static const char *const tls_words[] = { [TLS_OFF] = "off", [TLS_OPTIONAL] = "optional",
                                         [TLS_REQUIRED] = "required", [TLS_IMPLICIT] = "implicit", NULL };
static const char *const tls_versions[] = { "1.2", "1.3", NULL };
static const char *const auth_words[] = { [AUTH_OFF] = "off", [AUTH_OPTIONAL] = "optional",
                                          [AUTH_REQUIRED] = "required", NULL };
static const char *const normalize_reject[] = { "normalize", "reject", NULL };

static const struct kind domain_kind = { parse_domain, print_slice, NULL };
static const struct kind flags_kind = { parse_flags, print_slice, NULL };
static const struct kind word_kind = { parse_word, print_slice, NULL };
static const struct kind text_kind = { parse_text, print_text_value, NULL };
static const struct kind switch_kind = { parse_switch, print_switch, off_on };
static const struct kind sandbox_kind = { parse_option, print_option, off_try_on };
static const struct kind tls_kind = { parse_option, print_option, tls_words };
static const struct kind version_kind = { parse_option, print_option, tls_versions };
static const struct kind auth_kind = { parse_option, print_option, auth_words };
static const struct kind program_kind = { parse_program, print_program, NULL };
static const struct kind limit_kind = { parse_limit, print_limit, NULL };
static const struct kind check_kind = { parse_check, print_check, off_on };
static const struct kind newline_kind = { parse_check, print_check, normalize_reject };
static const struct kind count_kind = { parse_count, print_count, NULL };
static const struct kind server_kind = { parse_server, NULL, NULL };
static const struct kind host_kind = { parse_host_pattern, NULL, NULL };
static const struct kind delay_kind = { parse_delay, print_count, NULL };
static const struct kind talker_kind = { parse_early_talker, print_early_talker, off_on };
static const struct kind client_kind = { parse_client_pattern, NULL, NULL };
static const struct kind group_kind = { parse_allowgroup, NULL, NULL };
static const struct kind dnsbl_kind = { parse_dnsbl, NULL, NULL };
static const struct kind dnswl_kind = { parse_dnswl, NULL, NULL };
static const struct kind bypass_kind = { parse_bypass, NULL, NULL };
static const struct kind deliver_kind = { parse_deliver, NULL, NULL };
static const struct kind error_kind = { parse_error, NULL, NULL };

#define AT(member) offsetof(struct conf, member)
#define NO_STATUS { NULL, 0 }

enum { MANY = 1000000000 };

/* A build with sanitizers or for valgrind needs system calls that a session must not have. */
#ifndef SANDBOX_DEFAULT
#define SANDBOX_DEFAULT "try"
#endif

/* An empty default means that there is none; the domain's is the name of this host. */
static const struct keyword keywords[] = {
    { SLICE("domain"), &domain_kind, AT(rules.domain), "", 0, NO_STATUS },
    { SLICE("user"), &word_kind, AT(user), "", 0, NO_STATUS },
    { SLICE("sandbox"), &sandbox_kind, AT(sandbox), SANDBOX_DEFAULT, 0, NO_STATUS },
    { SLICE("greeting"), &text_kind, AT(greeting), "", 0, NO_STATUS },
    { SLICE("debug"), &flags_kind, AT(debug), "-", 0, NO_STATUS },
    { SLICE("logfile"), &word_kind, AT(logfile), "syslog", 0, NO_STATUS },
    { SLICE("loghex"), &switch_kind, AT(loghex), "on", 0, NO_STATUS },
    { SLICE("deadletter_file"), &word_kind, AT(deadletter_file), "", 0, NO_STATUS },
    { SLICE("spool_directory"), &word_kind, AT(spool_directory), "/var/tmp", 0, NO_STATUS },
    { SLICE("fsync"), &switch_kind, AT(fsync), "on", 0, NO_STATUS },
    { SLICE("pipe.from_line"), &switch_kind, AT(pipe_from_line), "off", 0, NO_STATUS },
    { SLICE("recipient_delimiter"), &word_kind, AT(rules.delimiters), "", 0, NO_STATUS },
    { SLICE("tls"), &tls_kind, AT(tls), "off", 0, NO_STATUS },
    { SLICE("tls.cert"), &word_kind, AT(tls_cert), "", 0, NO_STATUS },
    { SLICE("tls.key"), &word_kind, AT(tls_key), "", 0, NO_STATUS },
    { SLICE("tls.client_ca"), &word_kind, AT(tls_client_ca), "", 0, NO_STATUS },
    { SLICE("tls.min_version"), &version_kind, AT(tls_min_version), "1.2", 0, NO_STATUS },
    { SLICE("tls.ciphers"), &word_kind, AT(tls_ciphers), "", 0, NO_STATUS },
    { SLICE("tls.helper"), &word_kind, AT(tls_helper), "", 0, NO_STATUS },
    { SLICE("auth"), &auth_kind, AT(auth), "off", 0, NO_STATUS },
    { SLICE("auth.insecure"), &switch_kind, AT(auth_insecure), "off", 0, NO_STATUS },
    { SLICE("auth.users"), &word_kind, AT(auth_users), "", 0, NO_STATUS },
    { SLICE("auth.command"), &program_kind, AT(auth_command.text), "", 0, NO_STATUS },
    { SLICE("auth.sender_check"), &switch_kind, AT(auth_sender_check), "off", 0, NO_STATUS },
    { SLICE("auth.senders"), &word_kind, AT(auth_senders), "", 0, NO_STATUS },
    { SLICE("dns.server"), &server_kind, AT(dns), NULL, 0, NO_STATUS },
    { SLICE("dns.timeout"), &count_kind, AT(dns.timeout), "5000", MANY, NO_STATUS },
    { SLICE("lockout.db"), &word_kind, AT(lockout_db), "", 0, NO_STATUS },
    { SLICE("lockout.violations"), &count_kind, AT(lockout_violations), "3", MANY, NO_STATUS },
    { SLICE("lockout.period"), &count_kind, AT(lockout_period), "3600", MANY, NO_STATUS },
    { SLICE("lockout.secs"), &count_kind, AT(lockout_secs), "3600", MANY, NO_STATUS },
    { SLICE("lockout.exempt"), &client_kind, AT(rules.exempt), NULL, 0, NO_STATUS },
    { SLICE("limit.smtp_commands"), &limit_kind, AT(smtp_commands),
      "25 421 Too many commands that lead nowhere", MANY, SLICE("7.0") },
    { SLICE("limit.smtp_undelivered"), &limit_kind, AT(smtp_undelivered),
      "1000 421 Too many commands without a delivery", MANY, SLICE("7.0") },
    { SLICE("limit.smtp_unknowncmd"), &limit_kind, AT(smtp_unknowncmd),
      "4 421 Too many unknown commands", MANY, SLICE("7.0") },
    { SLICE("limit.smtp_failcmds"), &limit_kind, AT(smtp_failcmds),
      "4 421 Too many failed commands", MANY, SLICE("7.0") },
    { SLICE("limit.smtp_refused_rcpts"), &limit_kind, AT(smtp_refused_rcpts),
      "25 421 Too many refused recipients", MANY, SLICE("7.0") },
    { SLICE("limit.connection_secs"), &limit_kind, AT(connection_secs),
      "600 421 The session took too long", MANY, SLICE("4.2") },
    { SLICE("limit.command_secs"), &limit_kind, AT(command_secs),
      "300 421 Waited too long for input", MANY, SLICE("4.2") },
    { SLICE("limit.smtp_data_size"), &limit_kind, AT(smtp_data_size),
      "24000000 552 Message is too large", 1000000000000000, SLICE("3.4") },
    { SLICE("limit.smtp_rcpt_to"), &limit_kind, AT(smtp_rcpt_to),
      "100 452 Too many recipients", 999999, SLICE("5.3") },
    { SLICE("limit.smtp_ascii"), &check_kind, AT(smtp_ascii),
      "on 500 Commands must be printable ASCII", 0, SLICE("5.2") },
    { SLICE("limit.fcrdns_check"), &check_kind, AT(fcrdns_check),
      "off 450 Your host has no name that leads back to its address", 0, SLICE("7.25") },
    { SLICE("limit.helo_dns_check"), &check_kind, AT(helo_dns_check),
      "off 450 Your HELO name has no address", 0, SLICE("7.1") },
    { SLICE("limit.helo_syntax_check"), &check_kind, AT(helo_syntax_check),
      "off 501 Give your host name, or your address in brackets", 0, SLICE("5.4") },
    { SLICE("limit.sender_dns_check"), &check_kind, AT(sender_dns_check),
      "off 450 The domain of the sender does not exist", 0, SLICE("1.8") },
    { SLICE("limit.rcpt_dns_check"), &check_kind, AT(rcpt_dns_check),
      "off 450 The domain of the recipient does not exist", 0, SLICE("1.2") },
    { SLICE("limit.sender_syntax_check"), &check_kind, AT(sender_syntax_check),
      "off 553 The address of the sender is not a plain one", 0, SLICE("1.7") },
    { SLICE("limit.rcpt_syntax_check"), &check_kind, AT(rcpt_syntax_check),
      "off 553 The address of the recipient is not a plain one", 0, SLICE("1.3") },
    { SLICE("limit.helo_required"), &check_kind, AT(helo_required),
      "off 503 Say HELO or EHLO first", 0, SLICE("5.1") },
    { SLICE("limit.bare_newline"), &newline_kind, AT(bare_newline),
      "normalize 550 Lines must end in CRLF", 0, SLICE("5.2") },
    { SLICE("limit.hops"), &limit_kind, AT(hops),
      "100 554 Too many hops, the message is in a loop", MANY, SLICE("4.6") },
    { SLICE("limit.auth_failures"), &limit_kind, AT(auth_failures),
      "3 421 Too many failed logins", MANY, SLICE("7.0") },
    { SLICE("limit.pipe_secs"), &limit_kind, AT(pipe_secs),
      "120 451 The delivery took too long", MANY, SLICE("3.0") },
    { SLICE("limit.lock_secs"), &limit_kind, AT(lock_secs),
      "30 451 The mailbox is locked", MANY, SLICE("2.0") },
    { SLICE("limit.early_talker"), &talker_kind, AT(early_talker),
      "off 5 554 You talk before you are greeted", MANY, SLICE("5.1") },
    { SLICE("tarpit"), &delay_kind, AT(tarpit), "0", MANY, NO_STATUS },
    { SLICE("allow"), &host_kind, AT(rules.allow), NULL, 0, NO_STATUS },
    { SLICE("deny"), &host_kind, AT(rules.deny), NULL, 0, NO_STATUS },
    { SLICE("proxy_protocol"), &client_kind, AT(rules.proxies), NULL, 0, NO_STATUS },
    { SLICE("allowgroup"), &group_kind, 0, NULL, 0, NO_STATUS },
    { SLICE("dnsbl"), &dnsbl_kind, 0, NULL, 0, SLICE("7.1") },
    { SLICE("dnswl"), &dnswl_kind, 0, NULL, 0, NO_STATUS },
    { SLICE("bypass"), &bypass_kind, 0, NULL, 0, NO_STATUS },
    { SLICE("deliver"), &deliver_kind, 0, NULL, 0, NO_STATUS },
    { SLICE("error"), &error_kind, 0, NULL, 0, SLICE("7.1") },
};

enum { KEYWORDS = sizeof keywords / sizeof keywords[0] };

static const struct keyword *find_keyword(struct slice name)
{
    for (size_t i = KEYWORDS; i-- > 0;) /* from the end: those of which a file has many stand there */
        if (slice_equal(keywords[i].name, name))
            return &keywords[i];
    return NULL;
}

/* Levenshtein's distance, as far as it matters: names up to 31 bytes. */
static size_t edit_distance(struct slice a, struct slice b)
{
    size_t row[32];

    if (a.len > 31 || b.len > 31)
        return 31;
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t change = diagonal + (a.text[i - 1] != b.text[j - 1]);
            size_t shorter = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;

            diagonal = row[j];
            row[j] = change < shorter ? change : shorter;
        }
    }
    return row[b.len];
}

static void fail_unknown(struct parser *p, struct word word)
{
    const struct keyword *best = NULL;
    size_t distance = 3;

    for (size_t i = 0; i < KEYWORDS; i++) {
        size_t d = edit_distance(word.text, keywords[i].name);

        if (d < distance) {
            distance = d;
            best = &keywords[i];
        }
    }
    if (best != NULL)
        fail(p, word.column, "unknown keyword '%.*s', expected perhaps '%s'", (int)word.text.len, word.text.text,
             best->name.text);
    else
        fail(p, word.column, "unknown keyword '%.*s', expected one of mailrecv.conf(5)", (int)word.text.len,
             word.text.text);
}

/* ---- the file ---------------------------------------------------------------------------- */

static bool check_bytes(struct parser *p)
{
    const char *nul = memchr(p->line.text, '\0', p->line.len);

    if (nul != NULL)
        fail(p, (unsigned)(nul - p->line.text) + 1, "a NUL byte, expected text");
    return nul == NULL;
}

static void parse_line(struct parser *p, unsigned seen[KEYWORDS])
{
    const struct keyword *k;
    struct word word;
    bool begins;

    p->at = 0;
    p->failed = p->misread = false;
    begins = take_word(p, &word);
    k = begins ? find_keyword(word.text) : NULL;
    if ((p->has_nul && !check_bytes(p)) || !begins || !check_word(p, &word))
        return;
    if (k == NULL) {
        fail_unknown(p, word);
        return;
    }
    if (k->initial != NULL && seen[k - keywords] > 0)
        conf_complain(p->conf, SEVERITY_WARNING, p->number, word.column,
                      "'%s' stands twice (first on line %u), the last one wins", k->name.text, seen[k - keywords]);
    seen[k - keywords] = p->number;
    k->kind->parse(p, k);
}

static void set_defaults(struct parser *p)
{
    for (size_t i = 0; i < KEYWORDS; i++) {
        if (keywords[i].initial == NULL || keywords[i].initial[0] == '\0')
            continue;
        p->line = slice_of(keywords[i].initial); /* without backslashes */
        p->at = 0;
        keywords[i].kind->parse(p, &keywords[i]);
    }
    p->conf->rules.last_rule = &p->conf->rules.first_rule;
    p->conf->rules.last_refusal = &p->conf->rules.first_refusal;
    p->conf->rules.last_group = &p->conf->rules.first_group;
    p->conf->rules.last_list = &p->conf->rules.lists;
    p->conf->rules.file = p->conf->path;
}

/* The next line of a text; false at its end. */
static bool next_line(struct slice *text, struct slice *line)
{
    const char *lf;

    if (text->len == 0)
        return false;
    lf = memchr(text->text, '\n', text->len);
    line->text = text->text;
    line->len = lf != NULL ? (size_t)(lf - text->text) : text->len;
    text->text += line->len + (lf != NULL);
    text->len -= line->len + (lf != NULL);
    while (line->len > 0 && line->text[line->len - 1] == '\r')
        line->len--;
    return true;
}

static void set_host_name(struct conf *conf)
{
    char name[DOMAIN_MAX + 1] = "";
    char *copy;

    if (gethostname(name, sizeof name - 1) != 0 || !envelope_domain(slice_of(name)))
        (void)snprintf(name, sizeof name, "localhost");
    copy = take_memory(conf, strlen(name) + 1);
    memcpy(copy, name, strlen(name) + 1);
    conf->rules.domain = slice_of(copy);
}

static void set_greeting(struct conf *conf)
{
    static const char tail[] = " ESMTP mailrecv";
    size_t len = conf->rules.domain.len;
    char *text = take_memory(conf, len + sizeof tail);

    memcpy(text, conf->rules.domain.text, len);
    memcpy(text + len, tail, sizeof tail);
    conf->greeting = (struct slice){ text, len + sizeof tail - 1 };
}

struct slice conf_line(const struct conf *conf, unsigned number)
{
    struct slice text = conf->text, line = { "", 0 };

    for (; number > 0; number--)
        if (!next_line(&text, &line))
            return (struct slice){ "", 0 };
    return line;
}

/* The column of the first word. */
static unsigned first_column(struct slice line)
{
    unsigned column = 1;

    while (column < line.len && is_blank(line.text[column - 1]))
        column++;
    return column;
}

unsigned conf_column_of(const struct conf *conf, unsigned number, struct slice text)
{
    struct slice line = conf_line(conf, number);
    uintptr_t begin = (uintptr_t)line.text, at = (uintptr_t)text.text;

    return at >= begin && at < begin + line.len ? (unsigned)(at - begin) + 1 : first_column(line);
}

struct conf_place conf_place_of(const struct conf *conf, const char *keyword, struct slice value)
{
    struct conf_place place = { .line = conf_line_of(conf, keyword) };

    if (place.line > 0)
        place.column = conf_column_of(conf, place.line, value);
    return place;
}

unsigned conf_line_of(const struct conf *conf, const char *keyword)
{
    struct slice text = conf->text;
    struct parser p = { .line = { "", 0 } };
    unsigned number = 0, found = 0;
    struct word word;

    while (next_line(&text, &p.line)) {
        number++;
        p.at = 0;
        if (next_word(&p, &word) && word_is(word, keyword))
            found = number;
    }
    return found;
}

unsigned conf_column(const struct conf *conf, unsigned number, unsigned column, size_t offset)
{
    struct slice line = conf_line(conf, number);
    size_t at = column - 1;
    bool quoted = at < line.len && end_of_quoted(line, at) > 0;

    for (at += quoted; offset > 0 && at < line.len; offset--)
        at += line.text[at] == '\\' && at + 1 < line.len &&
                      (line.text[at + 1] == '#' || (quoted && strchr("\"\\", line.text[at + 1]) != NULL))
                  ? 2 : 1;
    return (unsigned)at + 1;
}

static void complain_missing(struct conf *conf, const char *keyword, const char *missing)
{
    conf_complain(conf, SEVERITY_ERROR, conf_line_of(conf, keyword), 1, "'%s' is on, expected %s as well", keyword,
                  missing);
}

/* What looks at the name of HELO is got around by saying none. */
static void check_helo_need(struct conf *conf, const char *keyword, const struct limit *check)
{
    if (check->value == 0 || conf->helo_required.value != 0)
        return;
    conf_complain(conf, SEVERITY_WARNING, conf_line_of(conf, keyword), 1, "a client that says no HELO is not checked");
    conf_advise(conf, "write: limit.helo_required on");
}

/* What one directive needs of others. */
static void check_needs(struct conf *conf)
{
    if (conf->tls != TLS_OFF && conf->tls_cert.len == 0)
        complain_missing(conf, "tls", "tls.cert");
    if (conf->tls != TLS_OFF && conf->tls_key.len == 0)
        complain_missing(conf, "tls", "tls.key");
    if (conf->auth != AUTH_OFF && conf->auth_users.len == 0 && conf->auth_command.text.len == 0)
        complain_missing(conf, "auth", "auth.users or auth.command");
    check_helo_need(conf, "limit.helo_dns_check", &conf->helo_dns_check);
    check_helo_need(conf, "limit.helo_syntax_check", &conf->helo_syntax_check);
    if (conf->lockout_db.len >= PATH_MAX)
        conf_complain(conf, SEVERITY_ERROR, conf_line_of(conf, "lockout.db"), 1,
                      "the path is too long, expected at most %d bytes", PATH_MAX - 1);
    if (conf->auth_users.len > 0 && conf->auth_command.text.len > 0)
        conf_complain(conf, SEVERITY_WARNING, conf_line_of(conf, "auth.command"), 1,
                      "both auth.users and auth.command: auth.command is asked");
}

static void check_defined(struct conf *conf, const struct allowgroup *group, unsigned line, unsigned column)
{
    if (group != NULL && !group->defined)
        conf_complain(conf, SEVERITY_ERROR, line, column,
                      "there is no group '%.*s', expected one that an allowgroup line defines",
                      (int)group->name.len, group->name.text);
}

/* A limit that the file does not set allows as much as one that is above it: who raised that one meant it. */
static void raise_limit(const struct conf *conf, const char *keyword, struct limit *limit, const struct limit *other)
{
    if (other->value > limit->value && conf_line_of(conf, keyword) == 0)
        limit->value = other->value;
}

/* What could not be known while the lines were read. */
static void resolve_settings(struct conf *conf)
{
    raise_limit(conf, "limit.smtp_refused_rcpts", &conf->smtp_refused_rcpts, &conf->smtp_failcmds);
    raise_limit(conf, "limit.smtp_undelivered", &conf->smtp_undelivered, &conf->smtp_failcmds);
    raise_limit(conf, "limit.smtp_undelivered", &conf->smtp_undelivered, &conf->smtp_commands);
    check_needs(conf);
    if (conf->rules.domain.len == 0)
        set_host_name(conf);
    if (conf->greeting.len == 0)
        set_greeting(conf);
    if (conf->deadletter_file.len > 0) {
        conf->dead_letter.target = (struct target){ .kind = TARGET_APPEND, .text = conf->deadletter_file };
        conf->rules.dead_letter = &conf->dead_letter;
    }
    conf->rules.need_fcrdns = conf->fcrdns_check.value != 0;
    conf->rules.fcrdns = conf->fcrdns_check.reply;
    conf->smtp_rcpt_to.reply.counts = COUNTS_NOT;
}

static void resolve_groups(struct conf *conf)
{
    for (const struct rule *rule = conf->rules.first_rule; rule != NULL; rule = rule->next)
        check_defined(conf, rule->group, rule->line, rule->group_column);
    for (const struct bypass *b = conf->rules.bypasses; b != NULL; b = b->next)
        check_defined(conf, b->group, b->line, b->group_column);
}

static void parse_lines(struct conf *conf)
{
    struct slice text = conf->text;
    struct parser p = { .conf = conf, .has_nul = memchr(text.text, '\0', text.len) != NULL };
    unsigned seen[KEYWORDS] = { 0 };

    while (next_line(&text, &p.line)) {
        p.number++;
        parse_line(&p, seen);
    }
    resolve_settings(conf);
    resolve_groups(conf);
}

static void begin(struct conf *conf, const char *path)
{
    struct parser p = { .conf = conf };

    *conf = (struct conf){ .path = path };
    set_defaults(&p);
}

static void set_text(struct conf *conf, struct slice text)
{
    static const struct slice mark = SLICE("\xef\xbb\xbf");
    bool marked = text.len >= mark.len && memcmp(text.text, mark.text, mark.len) == 0;

    conf->text = marked ? (struct slice){ text.text + mark.len, text.len - mark.len } : text;
}

void conf_parse(struct conf *conf, const char *path, struct slice text)
{
    begin(conf, path);
    set_text(conf, text);
    parse_lines(conf);
}

/* Others than owner and root could otherwise make us run their commands. */
static bool is_safe(const struct stat *status)
{
    return (status->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* As read(2), but waits for a pipe until the deadline. */
static ssize_t read_some(int fd, char *bytes, size_t size, uint64_t deadline)
{
    struct pollfd ready = { .fd = fd, .events = POLLIN };
    ssize_t n;

    while ((n = read(fd, bytes, size)) < 0 && (errno == EAGAIN || errno == EINTR)) {
        if (clock_left(deadline) == 0) {
            errno = ETIMEDOUT;
            return -1;
        }
        (void)poll(&ready, 1, clock_left(deadline)); /* reading tells what came of it */
    }
    return n;
}

/* Reads all of an open file into memory of the configuration. False: errno says why. */
static bool read_all(struct conf *conf, int fd, size_t expected, struct slice *text)
{
    size_t size = expected + 1, used = 0;
    char *bytes = take_memory(conf, size);
    uint64_t deadline = clock_ms() + PIPE_MS;
    ssize_t n;

    while ((n = read_some(fd, bytes + used, size - used, deadline)) > 0) {
        used += (size_t)n;
        if (used == size) {
            char *more = take_memory(conf, size * 2);

            memcpy(more, bytes, used);
            bytes = more;
            size *= 2;
        }
    }
    *text = (struct slice){ bytes, used };
    return n == 0;
}

/* What may be read: a file, and the pipe of a shell's <(...). A FIFO with a name or a device could have no end. */
static bool is_readable(int fd, const struct stat *status)
{
    struct statfs system;

    if (S_ISFIFO(status->st_mode))
        return fstatfs(fd, &system) == 0 && system.f_type == PIPEFS_MAGIC;
    return S_ISREG(status->st_mode) || S_ISDIR(status->st_mode); /* reading says that it is one */
}

/* Reads a file that is safe to use. Returns NULL, or why it cannot be used. */
static const char *read_file(struct conf *conf, int fd, struct slice *text)
{
    struct stat status;

    if (fd < 0 || fstat(fd, &status) != 0)
        return strerror(errno);
    if (!is_safe(&status))
        return "others than its owner and root may write it, expected chmod go-w";
    if (!is_readable(fd, &status))
        return "it is a FIFO or a device, expected a file";
    return read_all(conf, fd, (size_t)status.st_size, text) ? NULL : strerror(errno);
}

void conf_load(struct conf *conf, const char *path)
{
    struct slice text = { "", 0 };
    const char *why;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    begin(conf, path);
    why = read_file(conf, fd, &text);
    if (fd >= 0)
        (void)close(fd); /* it was only read */
    if (why != NULL) {
        conf_complain(conf, SEVERITY_ERROR, 0, 0, "cannot be used: %s", why);
        return;
    }
    set_text(conf, text);
    parse_lines(conf);
}

/* Is this the line of a list whose zone, perhaps, is not to be told? */
static bool holds_key(const struct conf *conf, unsigned number, struct slice line, size_t at)
{
    static const struct slice keyword = SLICE("dns"); /* dnsbl, dnswl */
    bool shown = false;

    for (const struct host_list *l = conf->rules.lists; l != NULL; l = l->next)
        shown = shown || (l->line == number && slice_equal(l->zone, l->name));
    return !shown && line.len - at > keyword.len + 2 &&
           slice_equal_nocase((struct slice){ line.text + at, keyword.len }, keyword) &&
           slice_equal_nocase((struct slice){ line.text + at + keyword.len + 1, 1 }, slice_of("l"));
}

void conf_log_lines(const struct conf *conf)
{
    struct slice text = conf->text, line;
    char shown[LOG_TEXT];

    for (unsigned number = 1; log_wants('c') && next_line(&text, &line); number++) {
        struct parser p = { .line = line };

        skip_blanks(&p);
        if (p.at < line.len && holds_key(conf, number, line, p.at))
            log_debug('c', "%s:%u: %.5s (hidden)", conf->path, number, line.text + p.at);
        else if (p.at < line.len && line.text[p.at] != '#')
            log_debug('c', "%s:%u: \"%s\"", conf->path, number, log_encode(shown, sizeof shown, line));
    }
}

/* A process lives for a connection: whether the same was said a minute ago only the log itself knows. */
static void log_problem(const struct conf *conf, const struct conf_problem *p)
{
    char place[32] = "", text[2 * LOG_TEXT];

    if (p->line > 0)
        (void)snprintf(place, sizeof place, ":%u:%u", p->line, p->column);
    (void)snprintf(text, sizeof text, "%s%s: %s", conf->path, place, p->message); /* cut when too long */
    if (!log_has(text))
        log_line(p->severity == SEVERITY_ERROR ? LOG_ERR : LOG_WARNING, "%s", text);
}

void conf_log_problems(struct conf *conf)
{
    log_copy_to_syslog(true); /* so that errors are found there, too */
    for (struct conf_problem *p = conf->problems; p != NULL; p = p->next) {
        if (!p->logged && (p->severity == SEVERITY_ERROR || log_wants('w')))
            log_problem(conf, p);
        p->logged = true;
    }
    log_copy_to_syslog(false);
}

/* ---- what a session may know --------------------------------------------------------------- */

/* Is the value a limit, whose reply clients hear? */
static bool is_limit(const struct keyword *k)
{
    return k->kind == &limit_kind || k->kind == &check_kind || k->kind == &newline_kind;
}

/* Moves a text that is in memory of the configuration; the others are constants. */
static void move_out(const struct conf *conf, struct text *text, struct slice *slice)
{
    const struct conf_memory *m = conf->memory;
    const char *copy = text->bytes + text->len;

    while (m != NULL && (slice->text < m->bytes || slice->text >= m->bytes + m->used))
        m = m->next;
    if (m == NULL)
        return;
    text_put(text, *slice);
    slice->text = copy;
}

void conf_reveal(struct conf *conf)
{
    static char bytes[(KEYWORDS + 1) * 2 * CONF_TEXT] BEHIND; /* room for all texts and enhanced codes: most is never touched */
    struct text text = { bytes, sizeof bytes, 0 };

    move_out(conf, &text, &conf->rules.domain);
    move_out(conf, &text, &conf->greeting);
    for (size_t i = 0; i < KEYWORDS; i++)
        if (is_limit(&keywords[i])) {
            struct limit *limit = value_of(conf, &keywords[i]);

            move_out(conf, &text, &limit->reply.text);
            move_out(conf, &text, &limit->reply.status);
        }
}

bool conf_keeps_dead_letters(const struct conf *conf)
{
    return conf->deadletter_file.len > 0 && !slice_equal(conf->deadletter_file, slice_of("/dev/null"));
}

/* ---- the effective settings --------------------------------------------------------------- */

void conf_print(struct conf *conf, FILE *out)
{
    struct slice text = conf->text, line;

    for (size_t i = 0; i < KEYWORDS; i++) {
        const struct keyword *k = &keywords[i];

        if (k->kind->print == NULL || (k->initial[0] == '\0' && ((const struct slice *)setting_of(conf, k))->len == 0))
            continue;
        fputs(k->name.text, out);
        k->kind->print(conf, k, out);
        fputc('\n', out);
    }
    /* what may be repeated stands as it was written, in its order */
    while (next_line(&text, &line)) {
        struct parser p = { .conf = conf, .line = line };
        struct word word;
        const struct keyword *k = next_word(&p, &word) ? find_keyword(word.text) : NULL;

        if (k != NULL && k->initial == NULL)
            fprintf(out, "%.*s\n", (int)(line.len - (word.column - 1)), line.text + word.column - 1);
    }
}
