/* table.c - what a table has for a key */
#include "tables/table.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/cold.h"
#include "base/log.h"
#include "base/text.h"
#include "tables/file.h"
#include "tables/room.h"
#include "tables/socketmap.h"
#include "tables/tcp.h"

/* ---- asking --------------------------------------------------------------------------------- */

static char lowered[TABLE_KEY] COLD_BSS;

static struct slice lower(struct slice key)
{
    for (size_t i = 0; i < key.len; i++)
        lowered[i] = lower_ascii(key.text[i]);
    return (struct slice){ lowered, key.len };
}

/* How services are asked, each kind by its protocol. */
static const struct protocol {
    void (*ask)(struct text *out, struct slice map, struct slice key);
    enum server_progress (*feed)(struct table_reply *reply, struct slice bytes, size_t *used);
} protocols[] = {
    [TABLE_SOCKETMAP] = { socketmap_ask, socketmap_feed },
    [TABLE_TCP] = { tcp_ask, tcp_feed },
    [TABLE_EXEC] = { socketmap_ask, socketmap_feed },
};

/* A reply that is being taken. */
struct taking {
    const struct protocol *protocol;
    struct table_reply *reply;
};

static void begin(void *context)
{
    const struct taking *taking = context;

    taking->reply->len = 0;
}

static enum server_progress take(void *context, struct slice bytes, size_t *used)
{
    const struct taking *taking = context;

    return taking->protocol->feed(taking->reply, bytes, used);
}

static enum table_answer ask_service(struct table *table, struct slice key, struct slice *value, char reason[TABLE_REASON])
{
    static struct table_reply *reply;
    char request[TABLE_REQUEST];
    struct text text = { request, sizeof request, 0 };
    struct taking taking = { .protocol = &protocols[table->kind] };
    struct server_question question = { .begin = begin, .take = take, .context = &taking,
                                        .deadline = clock_ms() + table->settings->timeout };

    if (reply == NULL)
        reply = table_room(sizeof *reply);
    if (reply == NULL) {
        (void)snprintf(reason, TABLE_REASON, "no memory for the answer");
        return TABLE_FAILED;
    }
    taking.reply = reply;
    taking.protocol->ask(&text, table->map, key);
    question.request = text_slice(&text);
    if (!server_ask(&table->server, &question, reason))
        return TABLE_FAILED;
    *value = reply->value;
    if (reply->kind == TABLE_FAILED)
        text_string(reason, TABLE_REASON, reply->text);
    return reply->kind;
}

static enum table_answer ask(struct table *table, struct slice key, struct slice *value, char reason[TABLE_REASON])
{
    if (table->kind != TABLE_FILE)
        return ask_service(table, key, value, reason);
    return table_file_ask(table, key, value, reason);
}

/* What cannot be a variable, an argument or a path is no value. */
static enum table_answer check(struct slice value, char reason[TABLE_REASON])
{
    if (value.len <= TABLE_VALUE && memchr(value.text, '\0', value.len) == NULL)
        return TABLE_FOUND;
    (void)snprintf(reason, TABLE_REASON, value.len > TABLE_VALUE ? "the value has more than %d bytes" : "the value has a NUL",
                   TABLE_VALUE);
    return TABLE_FAILED;
}

static void show(const struct table *table, struct slice key, enum table_answer answer, struct slice value)
{
    static const char *const words[] = { [TABLE_FOUND] = "has", [TABLE_UNKNOWN] = "does not have",
                                         [TABLE_FAILED] = "says nothing of" };
    const bool whole = answer == TABLE_FOUND && !table->secret;
    char name[LOG_TEXT], shown[LOG_TEXT], has[LOG_TEXT];

    log_debug('r', "%s:%u: table %s %s \"%s\"%s%s%s", SOURCE_AT(table->settings->sources, table->line),
              log_encode(name, sizeof name, table->name), words[answer], log_encode(shown, sizeof shown, key),
              whole ? ": \"" : "", whole ? log_encode(has, sizeof has, value) : "", whole ? "\"" : "");
}

static void log_failure(const struct table *table, struct slice key, const char *reason)
{
    char name[LOG_TEXT], shown[LOG_TEXT], why[LOG_TEXT];

    log_line(LOG_ERR, "table failed table=\"%s\" key=\"%s\" reason=\"%s\"", log_encode(name, sizeof name, table->name),
             log_encode(shown, sizeof shown, key), log_encode(why, sizeof why, slice_of(reason)));
}

enum match table_ask(struct table *table, struct slice key, struct slice *value)
{
    static const enum match matches[] = { [TABLE_FOUND] = MATCH_YES, [TABLE_UNKNOWN] = MATCH_NO,
                                          [TABLE_FAILED] = MATCH_UNSURE };
    char reason[TABLE_REASON] = "the key has more than 1024 bytes";
    enum table_answer answer = TABLE_FAILED;

    *value = (struct slice){ "", 0 };
    if (key.len <= TABLE_KEY)
        answer = ask(table, lower(key), value, reason);
    if (answer == TABLE_FOUND)
        answer = check(*value, reason);
    if (answer == TABLE_FAILED)
        log_failure(table, key, reason);
    if (log_wants('r'))
        show(table, key, answer, *value);
    return matches[answer];
}

/* ---- keeping -------------------------------------------------------------------------------- */

enum { KEPT = 64 * 1024 };

/* Room for values; the first is the last that was made. */
static struct kept {
    struct kept *next;
    size_t used;
    char bytes[KEPT - 2 * sizeof(size_t)]; /* TABLE_VALUE is less */
} *kept;

static bool add_room(void)
{
    struct kept *room = table_room(sizeof *room);

    if (room == NULL) {
        log_line(LOG_ERR, "no memory for values of tables: %m");
        return false;
    }
    room->next = kept;
    kept = room;
    return true;
}

bool table_keep(struct slice *value)
{
    if (value->len == 0)
        return true;
    if ((kept == NULL || sizeof kept->bytes - kept->used < value->len) && !add_room())
        return false;
    value->text = memcpy(kept->bytes + kept->used, value->text, value->len);
    kept->used += value->len;
    return true;
}

void table_forget(void)
{
    for (struct kept *next; kept != NULL; kept = next) {
        next = kept->next;
        table_room_free(kept, sizeof *kept);
    }
}

void table_end(const struct table_settings *settings)
{
    for (struct table *table = settings->first; table != NULL; table = table->next)
        if (table->kind == TABLE_FILE)
            table_file_end(&table->file);
        else
            server_end(&table->server);
    table_forget();
}

bool table_share(const struct table_settings *settings)
{
    bool some = false;

    for (struct table *table = settings->first; table != NULL && settings->keep_secs > 0; table = table->next)
        if (table->kind == TABLE_EXEC && shelf_make(&table->shelf, settings->keep_secs * 1000)) {
            table->server.shelf = &table->shelf;
            some = true;
        }
    return some;
}

void table_rest(const struct table_settings *settings, bool last)
{
    for (const struct table *table = settings->first; table != NULL; table = table->next)
        if (table->server.shelf != NULL)
            shelf_clear(table->server.shelf, last);
}
