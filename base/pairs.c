/* pairs.c - lines key=value of a helper, each to its place */
#include "base/pairs.h"

#include <stdio.h>
#include <string.h>

void pairs_take(char *message, const struct pair *pairs, size_t count)
{
    char *rest = message;

    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        char *value = strchr(line, '=');

        if (value == NULL)
            continue;
        *value++ = '\0';
        for (char *c = value; *c != '\0'; c++)
            *c = (char)(*c >= ' ' && *c <= '~' ? *c : '?');
        for (size_t i = 0; i < count; i++)
            if (strcmp(line, pairs[i].key) == 0)
                (void)snprintf(pairs[i].value, pairs[i].size, "%s", value); /* cut when too long */
    }
}
