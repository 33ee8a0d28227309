/* exits.c - what is told on standard error */
#include "programs/lookup/exits.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/text.h"

/* In one piece, and not by stdio: a confined process may not ask what kind of file it is. */
static void __attribute__((format(printf, 1, 0))) tell(const char *format, va_list args, const char *end)
{
    char words[1536], line[2048];
    struct text out = { line, sizeof line, 0 };

    (void)vsnprintf(words, sizeof words, format, args); /* cut when too long */
    text_put(&out, slice_of(PROGRAM ": "));
    text_put(&out, slice_of(words));
    text_put(&out, slice_of(end));
    if (write(STDERR_FILENO, line, out.len) < 0)
        return; /* there is nobody else to tell */
}

void complain(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    tell(format, args, "\n");
    va_end(args);
}

void die_usage(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    tell(format, args, ", see " PROGRAM " -h\n");
    va_end(args);
    exit(EX_USAGE);
}
