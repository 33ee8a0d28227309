/* watch.c - have the files changed that the configuration was read from? */
#include "conf/parser.h"

#include <string.h>

/* A file or directory as it was. */
struct watched {
    struct watched *next;
    const char *path;
    bool missing, identity; /* only which file it is matters */
    struct stat status;
};

void watch(struct conf *conf, const char *path, const struct stat *status)
{
    struct watched *watched = memory_take(conf, sizeof *watched);

    *watched = (struct watched){ .next = conf->watched, .path = path, .missing = status == NULL };
    if (status != NULL)
        watched->status = *status;
    conf->watched = watched;
}

static bool is_same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool has_changed(const struct watched *watched)
{
    const struct stat *before = &watched->status;
    struct stat now;

    if (stat(watched->path, &now) != 0)
        return !watched->missing;
    if (watched->missing || now.st_dev != before->st_dev || now.st_ino != before->st_ino)
        return true;
    return !watched->identity &&
           (now.st_size != before->st_size || !is_same_time(&now.st_mtim, &before->st_mtim) ||
            !is_same_time(&now.st_ctim, &before->st_ctim));
}

void conf_watch(struct conf *conf, struct slice path, bool identity)
{
    char *name = memory_take(conf, path.len + 1);
    struct stat status;

    if (path.len == 0)
        return;
    memcpy(name, path.text, path.len);
    watch(conf, name, stat(name, &status) == 0 ? &status : NULL);
    conf->watched->identity = identity;
}

bool conf_changed(const struct conf *conf)
{
    const struct watched *watched = conf->watched;

    while (watched != NULL && !has_changed(watched))
        watched = watched->next;
    return watched != NULL;
}
