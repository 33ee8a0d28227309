/* print.c - the settings in the language of the file, for -t, and its lines for the log */
#include "conf/parser.h"

#include "base/log.h"

/* Writes a word so that it reads back as the same, without a warning. */
static void put_word(struct slice word, FILE *out)
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

static void put_text(struct slice text, FILE *out)
{
    for (size_t i = 0; i < text.len; i++)
        fprintf(out, "%s%c", text.text[i] == '#' && (i == 0 || strchr(" \t\\", text.text[i - 1]) != NULL) ? "\\" : "",
                text.text[i]);
}

static void put_reply(const struct reply *reply, FILE *out)
{
    fprintf(out, " %u %u.%.*s ", reply->code, reply->code / 100, (int)reply->status.len, reply->status.text);
    put_text(reply->text, out);
}

void print_word(const struct keyword *k, const void *value, FILE *out)
{
    (void)k;
    fputc(' ', out);
    put_word(*(const struct slice *)value, out);
}

void print_words(const struct keyword *k, const void *value, FILE *out)
{
    const struct slice *words = value;

    print_word(k, &words[0], out);
    for (size_t i = 1; i < KEYWORD_LINES && words[i].len > 0; i++) {
        fprintf(out, "\n%s", k->name);
        print_word(k, &words[i], out);
    }
}

void print_text(const struct keyword *k, const void *value, FILE *out)
{
    (void)k;
    fputc(' ', out);
    put_text(*(const struct slice *)value, out);
}

static void put_choice(const struct keyword *k, uint64_t index, FILE *out)
{
    struct slice word = value_choice(k, index);

    fprintf(out, " %.*s", (int)word.len, word.text);
}

void print_switch(const struct keyword *k, const void *value, FILE *out)
{
    put_choice(k, *(const bool *)value, out);
}

void print_choice(const struct keyword *k, const void *value, FILE *out)
{
    put_choice(k, *(const unsigned *)value, out);
}

void print_limit(const struct keyword *k, const void *value, FILE *out)
{
    const struct limit *limit = value;

    if (limit->value == 0)
        fprintf(out, " %s", k->words); /* none */
    else
        fprintf(out, " %ju", (uintmax_t)limit->value);
    put_reply(&limit->reply, out);
}

void print_count(const struct keyword *k, const void *value, FILE *out)
{
    (void)k;
    fprintf(out, " %ju", (uintmax_t)*(const uint64_t *)value);
}

void print_check(const struct keyword *k, const void *value, FILE *out)
{
    const struct limit *limit = value;

    put_choice(k, limit->value, out);
    put_reply(&limit->reply, out);
}

void print_pause(const struct keyword *k, const void *value, FILE *out)
{
    const struct pause *pause = value;

    put_choice(k, pause->limit.value, out);
    fprintf(out, " %ju", (uintmax_t)pause->secs);
    put_reply(&pause->limit.reply, out);
}

void print_program(const struct keyword *k, const void *value, FILE *out)
{
    const struct program *program = value;

    print_word(k, &program->path, out);
    for (size_t i = 0; i < program->argument_count; i++) {
        fputc(' ', out);
        put_word(program->arguments[i], out);
    }
}

void print_quarantine(const struct keyword *k, const void *value, FILE *out)
{
    const struct quarantine *quarantine = value;

    fprintf(out, " %s", quarantine->maildir ? "maildir" : "append");
    print_word(k, &quarantine->path, out);
}

/* The row that is printed next behind those up to `order`; keywords_count() if there is none. */
static size_t next_in_order(unsigned order)
{
    size_t found = keywords_count();

    for (size_t i = 0; i < keywords_count(); i++)
        if (keywords_row(i)->order > order &&
            (found == keywords_count() || keywords_row(i)->order < keywords_row(found)->order))
            found = i;
    return found;
}

/* A text, path or program without a default may be empty: then there is none. */
static bool is_set(struct conf *conf, size_t index)
{
    return keywords_row(index)->default_text[0] != '\0' || ((const struct slice *)keywords_value(conf, index))->len > 0;
}

void conf_print(struct conf *conf, FILE *out)
{
    struct lines lines = lines_of(conf);
    struct slice line;

    for (size_t i = next_in_order(0); i < keywords_count(); i = next_in_order(keywords_row(i)->order))
        if (is_set(conf, i)) {
            fputs(keywords_row(i)->name, out);
            keywords_print(conf, i, out);
            fputc('\n', out);
        }
    /* what may be repeated stands as it was written, in its order; what was included, in its place */
    while (lines_next(&lines, &line)) {
        struct parser p = { .conf = conf, .line = line };
        struct word word;
        size_t i = word_next(&p, &word) ? keywords_find(word.text) : keywords_count();

        line = lines_unfold(conf, (struct slice){ line.text + word.column - 1, line.len - (word.column - 1) });
        if (i < keywords_count() && keywords_row(i)->order == 0 && keywords_row(i)->kind != CONF_INCLUDE)
            fprintf(out, "%.*s\n", (int)line.len, line.text);
    }
}

/* Is this the line of a list whose zone, perhaps, is not to be told? */
static bool holds_key(const struct conf *conf, unsigned number, struct slice line, size_t at)
{
    static const struct slice keyword = SLICE("dns"); /* dnsbl, dnswl */
    bool shown = false;

    for (const struct host_list *l = conf->rules.groups.lists; l != NULL; l = l->next)
        shown = shown || (l->line == number && slice_equal(l->zone, l->name));
    return !shown && line.len - at > keyword.len + 2 &&
           slice_equal_nocase((struct slice){ line.text + at, keyword.len }, keyword) &&
           slice_equal_nocase((struct slice){ line.text + at + keyword.len + 1, 1 }, slice_of("l"));
}

void conf_log_lines(struct conf *conf)
{
    struct lines lines = lines_of(conf);
    struct slice line;
    char shown[LOG_TEXT];

    while (log_wants('c') && lines_next(&lines, &line)) {
        struct parser p = { .line = line };

        word_skip_blanks(&p);
        if (p.at < line.len && holds_key(conf, lines.number, line, p.at))
            log_debug('c', "%s:%u: %.5s (hidden)", SOURCE_AT(conf->sources, lines.number), line.text + p.at);
        else if (p.at < line.len && line.text[p.at] != '#')
            log_debug('c', "%s:%u: \"%s\"", SOURCE_AT(conf->sources, lines.number),
                      log_encode(shown, sizeof shown, lines_unfold(conf, line)));
    }
}
