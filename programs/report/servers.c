/* servers.c - the hosts whose logs are read, each with numbers of its own */
#include "programs/report/servers.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "programs/report/pieces.h"

/* Printable ASCII, whatever it was. */
static void put_name(char out[SERVER_NAME], struct slice name)
{
    text_string(out, SERVER_NAME, name);
    for (char *c = out; *c != '\0'; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
}

static bool is_called(const struct server *server, struct slice name)
{
    return slice_equal(slice_of(server->name), name);
}

struct server *servers_find(struct servers *servers, struct slice name)
{
    char shown[SERVER_NAME];
    size_t i = 0;

    if (servers->last < servers->used && is_called(&servers->list[servers->last], name))
        return &servers->list[servers->last]; /* as nearly always */
    put_name(shown, name);
    while (i < servers->used && !is_called(&servers->list[i], slice_of(shown)))
        i++;
    if (i == SERVERS - 1)
        text_string(shown, sizeof shown, (struct slice)SLICE("(others)"));
    else if (i == SERVERS)
        i--;
    if (i == servers->used) {
        servers->used++;
        servers->list[i] = (struct server){ .name = "" };
        text_string(servers->list[i].name, SERVER_NAME, slice_of(shown));
    }
    servers->last = i;
    return &servers->list[i];
}

static int by_name(const void *a, const void *b)
{
    const struct server *left = a, *right = b;

    return strcmp(left->name, right->name);
}

void servers_sort(struct servers *servers)
{
    servers->last = SERVERS;
    /* the others stay the last */
    qsort(servers->list, servers->used < SERVERS ? servers->used : SERVERS - 1, sizeof servers->list[0], by_name);
}

void servers_name_of_file(char name[SERVER_NAME], const char *path)
{
    const char *base = strrchr(path, '/'), *end;
    struct slice directory = { path, base != NULL ? (size_t)(base - path) : 0 }, host;
    const char *above = memrchr(directory.text, '/', directory.len);

    base = base != NULL ? base + 1 : path;
    end = strstr(base, ".log");
    host = (struct slice){ base, end != NULL ? (size_t)(end - base) : strlen(base) };
    if (above != NULL)
        skip(&directory, (size_t)(above + 1 - directory.text));
    if (directory.len > 0 && (host.len == 0 || slice_equal(host, (struct slice)SLICE("mailrecv"))))
        host = directory;
    put_name(name, host);
}
