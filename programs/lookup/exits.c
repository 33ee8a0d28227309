/* exits.c - what is told on standard error */
#include "programs/lookup/exits.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/* In one piece, and without stdio's own: a confined process may not ask what kind of file it is. */
static void tell(const char *format, va_list args, const char *end)
{
    char text[2048];
    int len = vsnprintf(text, sizeof text, format, args);

    if (len > 0)
        dprintf(STDERR_FILENO, PROGRAM ": %s%s\n", text, end);
}

void complain(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    tell(format, args, "");
    va_end(args);
}

void die_usage(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    tell(format, args, ", see " PROGRAM " -h");
    va_end(args);
    exit(EX_USAGE);
}
