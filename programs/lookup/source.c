/* source.c - what all databases have in common: their errors, values that cannot be, what is given up */
#include "programs/lookup/source.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

bool source_fail(struct answer *answer, const char *format, ...)
{
    static char line[SOCKETMAP_REASON];
    char text[2 * SOCKETMAP_REASON];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args); /* cut when too long */
    va_end(args);
    *answer = (struct answer){ ANSWER_TEMPORARY, socketmap_line(line, slice_of(text)) };
    return false;
}

void source_found(struct answer *answer, struct slice value)
{
    if (value.len > SOCKETMAP_VALUE)
        (void)source_fail(answer, "the value has %zu bytes, at most %d can be told", value.len, SOCKETMAP_VALUE);
    else if (memchr(value.text, '\0', value.len) != NULL)
        (void)source_fail(answer, "the value holds a NUL");
    else
        *answer = (struct answer){ ANSWER_FOUND, value };
}

void source_several(struct answer *answer)
{
    (void)source_fail(answer, "the query gives several rows, expected at most one");
}

void source_null(struct answer *answer)
{
    (void)source_fail(answer, "the query gives NULL, expected a value");
}

bool source_columns(struct answer *answer, size_t columns)
{
    return columns == 1 || source_fail(answer, "the query gives %zu columns, expected one", columns);
}

bool source_confine(enum sandbox_role role, int directory, struct answer *answer)
{
    bool done = sandbox_enter_reading(role, UINT64_MAX, directory); /* what it prints may go to a file */
    int error = errno;

    if (directory >= 0)
        (void)close(directory);
    return done || source_fail(answer, "cannot give up privileges: %s", strerror(error));
}
