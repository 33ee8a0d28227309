/* include.c - include: which files are read in place of the line, and what must hold for them */
#include "conf/parser.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

enum { INCLUDE_DEPTH = 8 };

static const char foreign[] = "it belongs to somebody else, expected root or the owner of the main file";

/* The line that includes, and what the lines behind it will be. */
struct include {
    struct parser *p;
    struct word word;     /* the path, as it is written */
    struct source *last;  /* what is included next comes behind it */
};

static bool is_pattern(struct slice text)
{
    return memchr(text.text, '*', text.len) != NULL || memchr(text.text, '?', text.len) != NULL;
}

/* Whose files decide what happens: root's, and those of the owner of the main file. */
static bool is_trusted(const struct conf *conf, uid_t owner)
{
    return owner == 0 || owner == conf->sources->owner;
}

/* Is the file, of which this one would be part, the same? Then nothing would end. */
static bool is_same(const struct source *a, const struct source *b)
{
    return a->device == b->device && a->inode == b->inode;
}

/* Names a circle: from `outer`, which is being read, in to the line that includes it once more. */
static void fail_circle(const struct include *i, const struct source *outer, const struct source *file)
{
    const struct source *way[INCLUDE_DEPTH + 1], *inner = i->p->lines->source; /* none is deeper */
    size_t count = 0;
    char room[1024];
    struct text text = { room, sizeof room, 0 };

    for (way[count++] = inner; way[count - 1] != outer; count++)
        way[count] = way[count - 1]->within;
    while (count-- > 0) {
        text_put(&text, slice_of(way[count]->path));
        text_put(&text, slice_of(" includes "));
    }
    text_put(&text, slice_of(file->path));
    fail(i->p, i->word.column, "a circle: %.*s", (int)text.len, room);
}

/* May the file be read here? Else that is an error. */
static bool check_file(const struct include *i, const struct source *file)
{
    unsigned depth = 0;

    for (const struct source *s = file->within; s != NULL; s = s->within) {
        if (is_same(s, file)) {
            fail_circle(i, s, file);
            return false;
        }
        depth++;
    }
    if (depth > INCLUDE_DEPTH)
        fail(i->p, i->word.column, "files include each other more than %d deep, expected fewer", INCLUDE_DEPTH);
    else if (!is_trusted(i->p->conf, file->owner))
        fail(i->p, i->word.column, "%s cannot be used: %s", file->path, foreign);
    return !i->p->failed;
}

/* Puts the lines of a file behind those that were included by this line before. */
static void add(struct include *i, const char *path)
{
    struct source *file = memory_take(i->p->conf, sizeof *file);
    const char *why;

    *file = (struct source){ .path = path, .within = i->p->lines->source, .first = UINT_MAX, .local = 1 };
    why = file_read(i->p->conf, file);
    if (why != NULL)
        fail(i->p, i->word.column, "%s cannot be used: %s", path, why);
    else if (check_file(i, file)) {
        file->next = i->last->next;
        i->last = i->last->next = file;
    }
}

/* A path, the name of a file behind its directory, in memory of the configuration. */
static const char *join(struct conf *conf, struct slice directory, struct slice name)
{
    char *path = memory_take(conf, directory.len + name.len + 1);
    struct text text = { path, directory.len + name.len, 0 };

    text_put(&text, directory);
    text_put(&text, name);
    return path;
}

/* The directory of a path, with its slash; empty if it has none. */
static struct slice directory_of(struct slice path)
{
    while (path.len > 0 && path.text[path.len - 1] != '/')
        path.len--;
    return path;
}

/* Whoever can put files into the directory of a pattern decides what is read. NULL: nobody else can. */
static const char *doubt_directory(struct conf *conf, const char *path)
{
    struct stat status;
    int error = stat(path, &status) == 0 ? 0 : errno;

    watch(conf, path, error == 0 ? &status : NULL);
    if (error != 0)
        return strerror(error);
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return "others than its owner and root may put files there, expected chmod go-w";
    return is_trusted(conf, status.st_uid) ? NULL : foreign;
}

/* A file that a pattern names. */
struct named {
    struct named *next;
    const char *path;
};

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/*
 * Adds the files of a directory that the pattern names to a list, returns how many. Not by opendir and its kin: they would
 * leave the names on the heap, which the session inherits.
 */
static size_t collect(struct conf *conf, int directory, const char *pattern, struct named **list)
{
    enum { ROOM = 16384 };
    char *room = memory_take(conf, ROOM);
    struct slice before = directory_of(slice_of(pattern));
    size_t count = 0;
    ssize_t len;

    while ((len = getdents64(directory, room, ROOM)) > 0)
        for (ssize_t at = 0; at < len;) {
            const struct dirent64 *entry = (const struct dirent64 *)(room + at);

            at += entry->d_reclen;
            if (fnmatch(pattern + before.len, entry->d_name, FNM_PERIOD | FNM_NOESCAPE) != 0)
                continue;
            struct named *named = memory_take(conf, sizeof *named);
            *named = (struct named){ *list, join(conf, before, slice_of(entry->d_name)) };
            *list = named;
            count++;
        }
    return len == 0 ? count : SIZE_MAX;
}

/* The paths of the files that a pattern names, sorted, in memory of the configuration. NULL with errno set. */
static const char **expand(struct conf *conf, const char *place, const char *pattern, size_t *count)
{
    int directory = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct named *list = NULL;
    const char **paths = NULL;
    size_t n = 0;

    if (directory < 0)
        return NULL;
    *count = collect(conf, directory, pattern, &list);
    if (*count != SIZE_MAX) {
        paths = memory_take(conf, (*count + 1) * sizeof *paths);
        for (; list != NULL; list = list->next)
            paths[n++] = list->path;
        qsort(paths, n, sizeof *paths, by_bytes);
    }
    (void)close(directory); /* was only read */
    return paths;
}

/* Includes the files that a pattern names. */
static void add_all(struct include *i, const char *pattern)
{
    struct slice directory = directory_of(slice_of(pattern));
    const char *place = join(i->p->conf, directory, slice_of(directory.len > 0 ? "" : "."));
    const char *why = doubt_directory(i->p->conf, place);
    size_t count = 0;
    const char **paths = why == NULL ? expand(i->p->conf, place, pattern, &count) : NULL;

    if (why == NULL && paths == NULL)
        why = strerror(errno);
    if (why != NULL)
        fail(i->p, i->word.column, "%s cannot be used: %s", place, why);
    for (size_t n = 0; paths != NULL && n < count; n++)
        add(i, paths[n]);
}

/* What is behind this line becomes a stretch of its own, behind what is included. */
static void cut(struct lines *lines, struct conf *conf)
{
    struct source *rest, *source = lines->source;

    if (lines->rest.len == 0)
        return;
    rest = memory_take(conf, sizeof *rest);
    *rest = *source;
    rest->text = lines->rest;
    rest->first = UINT_MAX;
    rest->local = source->local + lines->next - source->first;
    source->text.len -= lines->rest.len;
    source->next = rest;
    lines->rest.len = 0;
}

void parse_include(struct parser *p, const struct keyword *k, void *value)
{
    struct include i = { .p = p };
    struct slice base = directory_of(slice_of(p->lines->source->path));
    struct slice directory;
    const char *path;

    (void)k;
    (void)value;
    if (!word_need_value(p, &i.word, "the path of a file") || (word_need_end(p), p->failed))
        return;
    directory = directory_of(i.word.text);
    if (i.word.text.text[0] == '/')
        base.len = 0;
    if (is_pattern(directory)) {
        fail(p, i.word.column, "a pattern in the name of a directory, expected one in the name of the file only");
        return;
    }
    path = join(p->conf, base, i.word.text);
    cut(p->lines, p->conf);
    i.last = p->lines->source;
    if (is_pattern((struct slice){ i.word.text.text + directory.len, i.word.text.len - directory.len }))
        add_all(&i, path);
    else
        add(&i, path);
}
