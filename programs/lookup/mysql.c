/* mysql.c - asking a server of MariaDB or MySQL */
/*
 * Where it is, and by which user and password it is asked, is in a file of options, as its own programs read them. The
 * server cannot have us send it files.
 */
#include "programs/lookup/source.h"

#include <errno.h>
#include <unistd.h>

#include <mariadb/mysql.h>

#include "base/library.h"

/* Numbers of errors: those of the client begin here, and each of them means that it has no server any more. */
enum { CLIENT_ERRORS = 2000, SERVER_SHUTDOWN = 1053, CONNECTION_KILLED = 1927 };

static struct {
    __typeof__(mysql_init) *init;
    __typeof__(mysql_optionsv) *set_option;
    __typeof__(mysql_real_connect) *connect;
    __typeof__(mysql_get_socket) *get_socket;
    __typeof__(mysql_error) *error;
    __typeof__(mysql_stmt_init) *statement_init;
    __typeof__(mysql_stmt_prepare) *prepare;
    __typeof__(mysql_stmt_param_count) *parameter_count;
    __typeof__(mysql_stmt_field_count) *column_count;
    __typeof__(mysql_stmt_bind_param) *bind_keys;
    __typeof__(mysql_stmt_bind_result) *bind_result;
    __typeof__(mysql_stmt_execute) *execute;
    __typeof__(mysql_stmt_fetch) *fetch;
    __typeof__(mysql_stmt_free_result) *free_result;
    __typeof__(mysql_stmt_error) *statement_error;
    __typeof__(mysql_stmt_errno) *error_number;
} library;

static const struct library_function functions[] = {
    LIBRARY_FUNCTION(library.init, mysql_init),
    LIBRARY_FUNCTION(library.set_option, mysql_optionsv),
    LIBRARY_FUNCTION(library.connect, mysql_real_connect),
    LIBRARY_FUNCTION(library.get_socket, mysql_get_socket),
    LIBRARY_FUNCTION(library.error, mysql_error),
    LIBRARY_FUNCTION(library.statement_init, mysql_stmt_init),
    LIBRARY_FUNCTION(library.prepare, mysql_stmt_prepare),
    LIBRARY_FUNCTION(library.parameter_count, mysql_stmt_param_count),
    LIBRARY_FUNCTION(library.column_count, mysql_stmt_field_count),
    LIBRARY_FUNCTION(library.bind_keys, mysql_stmt_bind_param),
    LIBRARY_FUNCTION(library.bind_result, mysql_stmt_bind_result),
    LIBRARY_FUNCTION(library.execute, mysql_stmt_execute),
    LIBRARY_FUNCTION(library.fetch, mysql_stmt_fetch),
    LIBRARY_FUNCTION(library.free_result, mysql_stmt_free_result),
    LIBRARY_FUNCTION(library.statement_error, mysql_stmt_error),
    LIBRARY_FUNCTION(library.error_number, mysql_stmt_errno),
};

static MYSQL *connection;
static MYSQL_STMT *statement;
static size_t places;

static struct {
    char bytes[SOCKETMAP_VALUE + 1];
    unsigned long len;
    my_bool is_null, is_cut;
} value;

static bool connect_by(const char *defaults_file, struct answer *answer)
{
    const unsigned no = 0;

    if (access(defaults_file, R_OK) != 0) /* the library would go on without */
        return source_fail(answer, "%s: %s", defaults_file, strerror(errno));
    connection = library.init(NULL);
    if (connection == NULL)
        return source_fail(answer, "%s", strerror(ENOMEM));
    if (library.set_option(connection, MYSQL_READ_DEFAULT_FILE, defaults_file) != 0 ||
        library.set_option(connection, MYSQL_READ_DEFAULT_GROUP, "mailrecv-lookup") != 0 ||
        library.set_option(connection, MYSQL_SET_CHARSET_NAME, "utf8mb4") != 0 ||
        library.set_option(connection, MYSQL_OPT_LOCAL_INFILE, &no) != 0 ||
        library.connect(connection, NULL, NULL, NULL, NULL, 0, NULL, 0) == NULL)
        return source_fail(answer, "%s", library.error(connection));
    return true;
}

static bool prepare(const struct question *question, struct answer *answer)
{
    MYSQL_BIND result = {
        .buffer_type = MYSQL_TYPE_STRING, .buffer = value.bytes, .buffer_length = sizeof value.bytes,
        .length = &value.len, .is_null = &value.is_null, .error = &value.is_cut,
    };

    statement = library.statement_init(connection);
    if (statement == NULL)
        return source_fail(answer, "%s", library.error(connection));
    if (library.prepare(statement, question->query, strlen(question->query)) != 0)
        return source_fail(answer, "%s", library.statement_error(statement));
    places = library.parameter_count(statement);
    if (places != question->places)
        return source_fail(answer, "the query has %zu places for the key, and %zu for the server", question->places, places);
    if (!source_columns(answer, library.column_count(statement)))
        return false;
    return library.bind_result(statement, &result) == 0 || source_fail(answer, "%s", library.statement_error(statement));
}

static bool mysql_open(const struct question *question, struct opened *opened, struct answer *answer)
{
    const char *why = library_load("libmariadb.so.3", functions, sizeof functions / sizeof functions[0]);

    if (why != NULL)
        return source_fail(answer, "%s", why);
    if (!connect_by(question->place, answer) || !prepare(question, answer))
        return false;
    opened->connection = (int)library.get_socket(connection);
    return source_confine(SANDBOX_SERVER_TABLE, -1, answer);
}

static bool execute(struct slice key)
{
    MYSQL_BIND keys[QUERY_KEYS];
    char text[SOCKETMAP_REQUEST + 1];
    unsigned long len = key.len;

    text_string(text, sizeof text, key);
    for (size_t i = 0; i < QUERY_KEYS; i++)
        keys[i] = (MYSQL_BIND){ .buffer_type = MYSQL_TYPE_STRING, .buffer = text, .buffer_length = len, .length = &len };
    return library.bind_keys(statement, keys) == 0 && library.execute(statement) == 0;
}

static bool mysql_ask(struct slice key, struct answer *answer)
{
    unsigned number;
    int result;

    value.len = 0;
    result = execute(key) ? library.fetch(statement) : 1;
    *answer = (struct answer){ .kind = ANSWER_NOT_FOUND };
    if (result == 0 || result == MYSQL_DATA_TRUNCATED) {
        if (value.is_null != 0)
            source_null(answer);
        else
            source_found(answer, (struct slice){ value.bytes, value.len });
        result = library.fetch(statement);
        if (result == 0 || result == MYSQL_DATA_TRUNCATED)
            source_several(answer);
    }
    if (result == 1)
        (void)source_fail(answer, "%s", library.statement_error(statement));
    number = result == 1 ? library.error_number(statement) : 0;
    (void)library.free_result(statement); /* if it cannot the next question hears why */
    return number < CLIENT_ERRORS && number != SERVER_SHUTDOWN && number != CONNECTION_KILLED;
}

const struct source source_mysql = {
    .scheme = "mysql", .place = "DEFAULTS-FILE", .meaning = "a server of MariaDB or MySQL, by a file of options", .queried = true,
    .style = QUERY_QUESTION_MARKS, .backslashes = true, .open = mysql_open, .ask = mysql_ask,
};
