/* postgresql.c - asking a server of PostgreSQL */
/*
 * Where it is, and by which user and password it is asked, is in the service files of libpq.
 *
 * The first question goes with its query. Who asks again will ask more: then the query is prepared, once, and a
 * question costs the server half as much. A server may forget that, or a pooler have another one answer, which does not
 * know of it, or the key be compared with another type now: where the question, asked anew with its query, is answered, so are
 * all that follow.
 */
#include "programs/lookup/source.h"

#include <stdio.h>

#include <postgresql/libpq-fe.h>

#include "base/hash.h"
#include "base/library.h"

static struct {
    __typeof__(PQconnectdbParams) *connect;
    __typeof__(PQstatus) *status;
    __typeof__(PQsocket) *socket;
    __typeof__(PQsetErrorVerbosity) *set_verbosity;
    __typeof__(PQerrorMessage) *error_message;
    __typeof__(PQexecParams) *exec;
    __typeof__(PQprepare) *prepare;
    __typeof__(PQexecPrepared) *exec_prepared;
    __typeof__(PQresultStatus) *result_status;
    __typeof__(PQntuples) *rows;
    __typeof__(PQnfields) *columns;
    __typeof__(PQgetisnull) *is_null;
    __typeof__(PQgetvalue) *value;
    __typeof__(PQgetlength) *length;
    __typeof__(PQclear) *clear;
} library;

static const struct library_function functions[] = {
    LIBRARY_FUNCTION(library.connect, PQconnectdbParams),
    LIBRARY_FUNCTION(library.status, PQstatus),
    LIBRARY_FUNCTION(library.socket, PQsocket),
    LIBRARY_FUNCTION(library.set_verbosity, PQsetErrorVerbosity),
    LIBRARY_FUNCTION(library.error_message, PQerrorMessage),
    LIBRARY_FUNCTION(library.exec, PQexecParams),
    LIBRARY_FUNCTION(library.prepare, PQprepare),
    LIBRARY_FUNCTION(library.exec_prepared, PQexecPrepared),
    LIBRARY_FUNCTION(library.result_status, PQresultStatus),
    LIBRARY_FUNCTION(library.rows, PQntuples),
    LIBRARY_FUNCTION(library.columns, PQnfields),
    LIBRARY_FUNCTION(library.is_null, PQgetisnull),
    LIBRARY_FUNCTION(library.value, PQgetvalue),
    LIBRARY_FUNCTION(library.length, PQgetlength),
    LIBRARY_FUNCTION(library.clear, PQclear),
};

static PGconn *connection;
static const char *statement;

/* Has the query been prepared? It is when it is asked for the second time. */
static enum { ASKED_NEVER, ASKED_ONCE, PREPARED, UNPREPARED } state;

static bool postgresql_open(const struct question *question, struct opened *opened, struct answer *answer)
{
    const char *const keywords[] = { "service", "client_encoding", "fallback_application_name", NULL };
    const char *const values[] = { question->place, "UTF8", "mailrecv-lookup", NULL };
    const char *why = library_load("libpq.so.5", functions, sizeof functions / sizeof functions[0]);

    if (why != NULL)
        return source_fail(answer, "%s", why);
    connection = library.connect(keywords, values, 0);
    if (library.status(connection) != CONNECTION_OK)
        return source_fail(answer, "%s", library.error_message(connection));
    (void)library.set_verbosity(connection, PQERRORS_TERSE); /* what it was before nobody wants to know */
    statement = question->query;
    opened->connection = library.socket(connection);
    return source_confine(SANDBOX_SERVER_TABLE, -1, answer);
}

static void read_result(const PGresult *result, struct answer *answer)
{
    if (library.result_status(result) == PGRES_COMMAND_OK)
        (void)source_columns(answer, 0);
    else if (library.result_status(result) != PGRES_TUPLES_OK)
        (void)source_fail(answer, "%s", library.error_message(connection));
    else if (!source_columns(answer, (size_t)library.columns(result)))
        return;
    else if (library.rows(result) == 0)
        *answer = (struct answer){ .kind = ANSWER_NOT_FOUND };
    else if (library.rows(result) > 1)
        source_several(answer);
    else if (library.is_null(result, 0, 0) != 0)
        source_null(answer);
    else
        source_found(answer, (struct slice){ library.value(result, 0, 0), (size_t)library.length(result, 0, 0) });
}

/*
 * Of the same name is the same query, whoever has prepared it: behind a pooler that may have been another process, with
 * another table.
 */
static const char *name(void)
{
    static char text[64];
    const size_t len = strlen(statement);

    (void)snprintf(text, sizeof text, "mailrecv_%08x_%zu", hash_on(HASH_BEGIN, statement, len), len);
    return text;
}

static bool prepare(void)
{
    PGresult *result = library.prepare(connection, name(), statement, 0, NULL);
    const bool done = library.result_status(result) == PGRES_COMMAND_OK;

    library.clear(result);
    return done;
}

static bool failed(const PGresult *result)
{
    return library.result_status(result) == PGRES_FATAL_ERROR;
}

/* Of an error it is not known whether the prepared statement is at fault: it is, if there is none without. */
static PGresult *exec(const char *key)
{
    const char *const values[] = { key };
    PGresult *result;

    if (state == ASKED_ONCE)
        state = prepare() ? PREPARED : UNPREPARED;
    if (state == ASKED_NEVER)
        state = ASKED_ONCE;
    if (state == PREPARED) {
        result = library.exec_prepared(connection, name(), 1, values, NULL, NULL, 0);
        if (!failed(result) || library.status(connection) != CONNECTION_OK)
            return result;
        library.clear(result);
    }
    result = library.exec(connection, statement, 1, NULL, values, NULL, NULL, 0);
    if (state == PREPARED && !failed(result))
        state = UNPREPARED;
    return result;
}

static bool postgresql_ask(struct slice key, struct answer *answer)
{
    static PGresult *result; /* the value is in it until the next question */
    char text[SOCKETMAP_REQUEST + 1];

    text_string(text, sizeof text, key);
    library.clear(result);
    result = exec(text);
    read_result(result, answer);
    return library.status(connection) == CONNECTION_OK;
}

const struct source source_postgresql = {
    .scheme = "postgresql", .place = "SERVICE", .meaning = "a server, by its entry in pg_service.conf", .queried = true,
    .style = QUERY_NUMBERED, .open = postgresql_open, .ask = postgresql_ask,
};
