/* sqlite.c - asking a file of SQLite */
/*
 * It is read only: what a writer has left half done only the next writer can undo, and until then it is an error. Prepared
 * the query has been before the process is confined: with that the file is open, and where it has a write-ahead log,
 * that and its index. The journal of another writer is looked at whenever there is one.
 */
#include "programs/lookup/source.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>

#include <sqlite3.h>

#include "base/library.h"

static struct {
    __typeof__(sqlite3_config) *config;
    __typeof__(sqlite3_open_v2) *open;
    __typeof__(sqlite3_busy_timeout) *busy_timeout;
    __typeof__(sqlite3_exec) *exec;
    __typeof__(sqlite3_prepare_v2) *prepare;
    __typeof__(sqlite3_stmt_readonly) *is_readonly;
    __typeof__(sqlite3_column_count) *column_count;
    __typeof__(sqlite3_bind_parameter_count) *parameter_count;
    __typeof__(sqlite3_bind_text) *bind_text;
    __typeof__(sqlite3_step) *step;
    __typeof__(sqlite3_column_type) *column_type;
    __typeof__(sqlite3_column_text) *column_text;
    __typeof__(sqlite3_column_bytes) *column_bytes;
    __typeof__(sqlite3_reset) *reset;
    __typeof__(sqlite3_errmsg) *errmsg;
} library;

static const struct library_function functions[] = {
    LIBRARY_FUNCTION(library.config, sqlite3_config),
    LIBRARY_FUNCTION(library.open, sqlite3_open_v2),
    LIBRARY_FUNCTION(library.busy_timeout, sqlite3_busy_timeout),
    LIBRARY_FUNCTION(library.exec, sqlite3_exec),
    LIBRARY_FUNCTION(library.prepare, sqlite3_prepare_v2),
    LIBRARY_FUNCTION(library.is_readonly, sqlite3_stmt_readonly),
    LIBRARY_FUNCTION(library.column_count, sqlite3_column_count),
    LIBRARY_FUNCTION(library.parameter_count, sqlite3_bind_parameter_count),
    LIBRARY_FUNCTION(library.bind_text, sqlite3_bind_text),
    LIBRARY_FUNCTION(library.step, sqlite3_step),
    LIBRARY_FUNCTION(library.column_type, sqlite3_column_type),
    LIBRARY_FUNCTION(library.column_text, sqlite3_column_text),
    LIBRARY_FUNCTION(library.column_bytes, sqlite3_column_bytes),
    LIBRARY_FUNCTION(library.reset, sqlite3_reset),
    LIBRARY_FUNCTION(library.errmsg, sqlite3_errmsg),
};

static sqlite3 *database;
static sqlite3_stmt *statement;

static bool prepare(const struct question *question, struct answer *answer)
{
    const char *rest = "";

    /* memory for a page when that is read: for twenty at once it takes longer than a question does */
    if (library.config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0) != SQLITE_OK)
        return source_fail(answer, "the library cannot be configured");
    if (library.open(question->place, &database, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK ||
        library.busy_timeout(database, (int)question->wait_ms) != SQLITE_OK ||
        library.exec(database, "PRAGMA temp_store = MEMORY", NULL, NULL, NULL) != SQLITE_OK || /* it cannot write */
        library.prepare(database, question->query, -1, &statement, &rest) != SQLITE_OK)
        return source_fail(answer, "%s", database != NULL ? library.errmsg(database) : strerror(ENOMEM));
    if (rest[strspn(rest, " \t\r\n;")] != '\0')
        return source_fail(answer, "the query is more than one statement");
    if (statement == NULL || library.is_readonly(statement) == 0)
        return source_fail(answer, "the query does not only read");
    return source_columns(answer, (size_t)library.column_count(statement));
}

static bool sqlite_open(const struct question *question, struct opened *opened, struct answer *answer)
{
    const char *why = library_load("libsqlite3.so.0", functions, sizeof functions / sizeof functions[0]);
    char path[PATH_MAX];
    int directory;

    if (why != NULL)
        return source_fail(answer, "%s", why);
    if (!prepare(question, answer))
        return false;
    (void)snprintf(path, sizeof path, "%s", question->place);
    directory = open(dirname(path), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
        return source_fail(answer, "%s: %s", path, strerror(errno));
    opened->file = question->place;
    return source_confine(SANDBOX_FILE_TABLE, directory, answer);
}

static void read_row(struct answer *answer)
{
    const unsigned char *text = library.column_text(statement, 0);

    if (library.column_type(statement, 0) == SQLITE_NULL)
        source_null(answer);
    else if (text == NULL)
        (void)source_fail(answer, "%s", library.errmsg(database));
    else
        source_found(answer, (struct slice){ (const char *)text, (size_t)library.column_bytes(statement, 0) });
}

static bool step_through(struct answer *answer)
{
    static char value[SOCKETMAP_VALUE];
    struct text copy = { value, sizeof value, 0 };
    int result = library.step(statement);

    *answer = (struct answer){ .kind = ANSWER_NOT_FOUND };
    if (result == SQLITE_ROW) {
        read_row(answer);
        if (answer->kind == ANSWER_FOUND) { /* the next step takes it away */
            text_put(&copy, answer->value);
            answer->value = text_slice(&copy);
        }
        result = library.step(statement);
    }
    if (result == SQLITE_ROW)
        source_several(answer);
    else if (result != SQLITE_DONE)
        (void)source_fail(answer, "%s", library.errmsg(database));
    /* what is wrong with these may be that we are confined, or another file's fault */
    return result != SQLITE_CANTOPEN && result != SQLITE_IOERR && result != SQLITE_READONLY && result != SQLITE_NOTADB &&
           result != SQLITE_CORRUPT;
}

static bool sqlite_ask(struct slice key, struct answer *answer)
{
    bool there;

    for (int i = library.parameter_count(statement); i > 0; i--)
        if (library.bind_text(statement, i, key.text, (int)key.len, SQLITE_TRANSIENT) != SQLITE_OK) {
            (void)source_fail(answer, "%s", library.errmsg(database));
            return true;
        }
    there = step_through(answer);
    (void)library.reset(statement); /* says once more what step has said */
    return there;
}

const struct source source_sqlite = {
    .scheme = "sqlite", .place = "PATH", .meaning = "a file of SQLite 3", .queried = true,
    .style = QUERY_QUESTION_MARKS, .open = sqlite_open, .ask = sqlite_ask,
};
