/* exits.c - the exit statuses, and what is told on standard error */
#include "programs/checkpassword/exits.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

void complain(const char *format, ...)
{
    char text[8192];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args); /* cut when too long */
    va_end(args);
    fprintf(stderr, PROGRAM ": %s\n", text);
}

void die_usage(const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    complain("%s, see " PROGRAM " -h", text);
    exit(MISUSE);
}

int output_status(void)
{
    return fflush(stdout) == 0 && ferror(stdout) == 0 ? RIGHT : TEMPORARY;
}

const char *encoded(struct slice text)
{
    static char out[LOG_TEXT];

    return log_encode(out, sizeof out, text);
}
