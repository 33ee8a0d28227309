/* environment.c - what a delivery command is told: environment variables and JSON */
/* The JSON object is made from the variables, so that they cannot differ. */
#include "delivery/environment.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cold.h"
#include "base/json.h"
#include "base/surroundings.h"
#include "delivery/facts.h"
#include "delivery/header.h"

/* ---- variables --------------------------------------------------------------------------- */

static bool append(struct environment *e, struct slice bytes)
{
    if (bytes.len > e->limit - e->used)
        return false;
    memcpy(e->text + e->used, bytes.text, bytes.len);
    e->used += bytes.len;
    return true;
}

static bool begin_string(struct environment *e)
{
    size_t left = sizeof e->text - e->used;

    if (e->count == ENVIRONMENT_VARIABLES)
        return false;
    e->limit = e->used + (left < ENVIRONMENT_STRING ? left : ENVIRONMENT_STRING);
    e->variables[e->count++] = e->text + e->used;
    e->variables[e->count] = NULL;
    return true;
}

/* Begins a variable: NAME= */
static bool begin(struct environment *e, const char *name)
{
    return begin_string(e) && append(e, slice_of(name)) && append(e, (struct slice)SLICE("="));
}

static bool end(struct environment *e)
{
    return append(e, (struct slice){ "", 1 }); /* NUL */
}

/* NAME=VALUE */
static bool add_string(struct environment *e, struct slice string)
{
    return begin_string(e) && append(e, string) && end(e);
}

static bool variable(struct environment *e, const char *name, struct slice value)
{
    return begin(e, name) && append(e, value) && end(e);
}

static bool put_fact(struct environment *e, const struct fact *fact, const struct delivery *d)
{
    struct text text;

    if (!begin(e, fact->name))
        return false;
    text = (struct text){ e->text + e->used, e->limit - e->used, 0 };
    fact->get(d, &text);
    e->used += text.len;
    return end(e);
}

static struct slice capture(const struct recipient *r, size_t i)
{
    return (struct slice){ recipient_form(r, r->form).text + r->captures.spans[i].start, r->captures.spans[i].len };
}

static bool captures(struct environment *e, const struct recipient *r)
{
    for (size_t i = 0; i < r->captures.count; i++) {
        char name[32];

        (void)snprintf(name, sizeof name, "MATCH_%zu", i + 1);
        if (!variable(e, name, capture(r, i)))
            return false;
    }
    return true;
}

/* ---- JSON -------------------------------------------------------------------------------- */

static bool json(struct environment *e, const char *text)
{
    return append(e, slice_of(text));
}

static bool json_string(struct environment *e, struct slice text)
{
    char escaped[JSON_CHARACTER];

    if (!json(e, "\""))
        return false;
    while (text.len > 0)
        if (!append(e, json_character(&text, escaped)))
            return false;
    return json(e, "\"");
}

static bool json_lines(struct environment *e, struct slice text)
{
    bool first = true;

    if (!json(e, "["))
        return false;
    for (; text.len > 0; first = false) {
        const char *lf = memchr(text.text, '\n', text.len);
        size_t len = lf != NULL ? (size_t)(lf - text.text) : text.len, skip = len + (lf != NULL);

        if (!(json(e, first ? "" : ",") && json_string(e, (struct slice){ text.text, len })))
            return false;
        text = (struct slice){ text.text + skip, text.len - skip };
    }
    return json(e, "]");
}

/* A fact, from its variable NAME=VALUE. */
static bool json_member(struct environment *e, const struct fact *fact, const char *of)
{
    size_t len = strlen(fact->name);
    struct slice value = slice_of(of + len + 1);
    char key[32];

    for (size_t i = 0; i <= len; i++)
        key[i] = (char)tolower((unsigned char)fact->name[i]);
    if (!(json_string(e, slice_of(key)) && json(e, ":")))
        return false;
    switch (fact->kind) {
    case FACT_TEXT: return json_string(e, value);
    case FACT_LINES: return json_lines(e, value);
    case FACT_NUMBER: break;
    }
    return value.len > 0 ? append(e, value) : json(e, "null");
}

/* Bytes of it as a JSON string, without quotes. */
static size_t json_length(struct slice text)
{
    char escaped[JSON_CHARACTER];
    size_t len = 0;

    while (text.len > 0)
        len += json_character(&text, escaped).len;
    return len;
}

/* How many fields, from the first on, have room together with what is written behind them. */
static size_t json_fields(const struct environment *e, const struct header *header)
{
    static const char around[] = "\"name\":[\"value\"],", behind[] = "},\"headers_truncated\":false}";
    size_t left = e->limit - e->used, half = (size_t)sysconf(_SC_ARG_MAX) / 2; /* the other is for what else there is */
    size_t room = left < half ? left : half, count = 0;

    room -= room < sizeof behind ? room : sizeof behind;
    for (; count < header->count; count++) {
        size_t need = sizeof around + json_length(header_name(header, count));

        need += json_length(header_value(header, count));
        if (need > room)
            break;
        room -= need;
    }
    return count;
}

/* The last two members: what the fields of the message say, and whether some had no room. */
static bool json_headers(struct environment *e, const struct transaction *t)
{
    static struct header header COLD_BSS;
    struct slice before = { NULL, 0 };
    size_t count;

    if (!json(e, "\"headers\":{"))
        return false;
    header_read(&header, t->fields, t->spool);
    count = json_fields(e, &header);
    header_sort(&header, count);
    for (size_t i = 0; i < count; i++) {
        struct slice name = header_name(&header, i);
        bool again = i > 0 && slice_equal(name, before);

        before = name;
        if (!(again ? json(e, ",") : json(e, i > 0 ? "]," : "") && json_string(e, name) && json(e, ":[")))
            return false;
        if (!json_string(e, header_value(&header, i)))
            return false;
    }
    return json(e, count > 0 ? "]" : "") && json(e, "},\"headers_truncated\":") &&
           json(e, header.cut || count < header.count ? "true}" : "false}");
}

/* `variables` are those of the facts. */
static bool json_object(struct environment *e, const struct delivery *d, char *const *variables)
{
    if (!begin(e, "MAILRECV_JSON") || !json(e, "{"))
        return false;
    for (size_t i = 0; i < FACTS; i++)
        if (!json_member(e, &facts[i], variables[i]) || !json(e, ","))
            return false;
    if (!json(e, "\"match\":["))
        return false;
    for (size_t i = 0; i < d->recipient->captures.count; i++)
        if ((i > 0 && !json(e, ",")) || !json_string(e, capture(d->recipient, i)))
            return false;
    return json(e, "],") && json_headers(e, d->transaction) && end(e);
}

static bool put_facts(struct environment *e, const struct delivery *d)
{
    char **first = &e->variables[e->count];

    for (size_t i = 0; i < FACTS; i++)
        if (!put_fact(e, &facts[i], d))
            return false;
    return captures(e, d->recipient) && json_object(e, d, first);
}

/* What every program is told. */
static int begin_with_surroundings(struct environment *e)
{
    static struct surroundings surroundings COLD_BSS;
    int error = surroundings_make(&surroundings);

    e->count = e->used = 0;
    for (size_t i = 0; i < surroundings.count && error == 0; i++)
        error = add_string(e, slice_of(surroundings.variables[i])) ? 0 : E2BIG;
    return error;
}

int environment_build(struct environment *environment, const struct transaction *transaction,
                      const struct recipient *recipient, uint64_t size)
{
    const struct delivery delivery = { transaction, recipient, size };
    int error = begin_with_surroundings(environment);

    return error != 0 ? error : put_facts(environment, &delivery) ? 0 : E2BIG;
}
