/* tables.c - lines about tables, and where other lines name one */
#include "conf/parser.h"

enum { MAP_MOST = 255 };

/* The table with this name; lines may name it before it is defined. */
static struct table *table_named(struct parser *p, struct slice name, unsigned column)
{
    struct table_settings *settings = &p->conf->tables;
    struct table *table = settings->first;

    while (table != NULL && !slice_equal(table->name, name))
        table = table->next;
    if (table != NULL)
        return table;
    table = memory_take(p->conf, sizeof *table);
    table->settings = settings;
    table->name = name;
    table->line = p->number;
    table->column = column;
    *settings->last = table;
    settings->last = &table->next;
    return table;
}

/* Programs are told the name as that of their map. */
bool table_need_name(struct parser *p, struct word *word, const char *what)
{
    if (!word_need_name(p, word, what))
        return false;
    if (memchr(word->text.text, ' ', word->text.len) != NULL || word->text.len > MAP_MOST)
        fail(p, word->column, "the name of a table has no blanks, and %d bytes at most", MAP_MOST);
    return !p->failed;
}

struct table *table_use(struct parser *p, struct slice name, unsigned column)
{
    struct table *table;

    if (name.len == 0) {
        fail(p, column, "there is no name behind 'table:', expected that of a table line");
        return NULL;
    }
    table = table_named(p, name, column);
    table->used = true;
    return table;
}

struct table *table_of_word(struct parser *p, struct word word)
{
    static const struct slice prefix = SLICE("table:");

    if (word.text.len < prefix.len || memcmp(word.text.text, prefix.text, prefix.len) != 0)
        return NULL;
    p->conf->rules.wants_unicode = true; /* a table may have domains in either spelling */
    return table_use(p, (struct slice){ word.text.text + prefix.len, word.text.len - prefix.len },
                     word.column + (unsigned)prefix.len);
}

/* auth.users PATH, auth.senders PATH; or table:NAME */
void parse_listing(struct parser *p, const struct keyword *k, void *value)
{
    struct client_settings *client = &p->conf->client;
    const bool users = value == &client->auth_users;
    struct slice *path = value;
    struct table *table;
    struct word word;

    parse_word(p, k, path);
    word = (struct word){ .text = *path, .column = conf_column_of(p->conf, p->number, *path) };
    table = p->failed ? NULL : table_of_word(p, word);
    if (table != NULL && users)
        table->secret = true;
    *(users ? &client->users_table : &client->senders_table) = table;
}

static void parse_table_file(struct parser *p, struct table *table)
{
    struct word word;

    if (word_need_value(p, &word, "the path of a text file"))
        table->path = word.text;
    if (table->path.len > 0 && table->path.text[0] != '/')
        fail(p, word.column, "'%.*s' is not the path of a table, expected one that begins with /", (int)word.text.len,
             word.text.text);
    else
        word_need_end(p);
}

/* Where a service is. */
static bool parse_service(struct parser *p, struct table *table)
{
    struct word word;

    table->server.kind = "table";
    if (!word_need(p, &word, "the place of a service") || !place_parse(p, word, "", &table->server.where))
        return false;
    table->server.name = word.text;
    return true;
}

static void parse_table_tcp(struct parser *p, struct table *table)
{
    if (parse_service(p, table))
        word_need_end(p);
}

static void parse_table_socketmap(struct parser *p, struct table *table)
{
    struct word word;

    if (!parse_service(p, table) || !word_need_name(p, &word, "the name of a map"))
        return;
    table->map = word.text;
    if (memchr(word.text.text, ' ', word.text.len) != NULL || word.text.len > MAP_MOST)
        fail(p, word.column, "the name of a map has no blanks, and %d bytes at most", MAP_MOST);
    else
        word_need_end(p);
}

static void parse_table_exec(struct parser *p, struct table *table)
{
    static const char *const inherits[] = { "PGSERVICEFILE", "PGPASSFILE", NULL }; /* where libpq finds what is secret */

    table->server.kind = "table";
    table->server.inherits = inherits;
    parse_program(p, NULL, &table->server.program);
    table->server.name = table->server.program.path;
    table->map = table->name;
}

static const struct {
    struct slice word;
    enum table_kind kind;
    void (*parse)(struct parser *p, struct table *table);
} kinds[] = {
    { SLICE("file"), TABLE_FILE, parse_table_file },
    { SLICE("socketmap"), TABLE_SOCKETMAP, parse_table_socketmap },
    { SLICE("tcp"), TABLE_TCP, parse_table_tcp },
    { SLICE("exec"), TABLE_EXEC, parse_table_exec },
};

/* table NAME file PATH, table NAME socketmap WHERE MAP, table NAME tcp WHERE, table NAME exec PROGRAM ARG... */
void parse_table(struct parser *p, const struct keyword *k, void *value)
{
    static const char expected[] = "file, socketmap, tcp or exec";
    struct word name, word;
    struct table *table;

    (void)k;
    (void)value;
    if (!table_need_name(p, &name, "a name for the table") || !word_need(p, &word, expected))
        return;
    table = table_named(p, name.text, name.column);
    if (table->defined) {
        fail(p, name.column, "'%.*s' is defined on %s already", (int)name.text.len, name.text.text,
             conf_line_text(p->conf, table->line, p->number));
        return;
    }
    table->defined = true;
    table->line = p->number;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (slice_equal(word.text, kinds[i].word)) {
            table->kind = kinds[i].kind;
            kinds[i].parse(p, table);
            return;
        }
    fail(p, word.column, "unexpected '%.*s', expected %s", (int)word.text.len, word.text.text, expected);
}

void tables_resolve(struct conf *conf)
{
    for (const struct table *table = conf->tables.first; table != NULL; table = table->next)
        if (table->defined && !table->used)
            conf_complain(conf, SEVERITY_WARNING, table->line, 1, "no line names the table '%.*s'", (int)table->name.len,
                          table->name.text);
        else if (!table->defined)
            conf_complain(conf, SEVERITY_ERROR, table->line, table->column,
                          "there is no table '%.*s', expected one that a table line defines", (int)table->name.len,
                          table->name.text);
}
