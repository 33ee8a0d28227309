/* file.c - a text file as a table: KEY VALUE in each line, the first line of a key counts */
/*
 * Of a file that is written in place only the half may be there, or nothing: it is not read before it has been left alone for a moment.
 * Then its times also show a change during the reading, as they would not within one tick of the clock of the file system.
 */
#include "tables/file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cold.h"
#include "base/guarded.h"
#include "base/text.h"
#include "tables/index.h"
#include "tables/line.h"
#include "tables/lines.h"

enum {
    INDEXED_SIZE = 32768, /* bytes that are read as fast as an index is asked */
    STILL_MS = 100        /* no writer in place pauses for so long */
};

bool table_file_wants_index(const struct stat *status)
{
    return status->st_size >= INDEXED_SIZE;
}

static enum table_answer fail(const char *what, char reason[TABLE_REASON])
{
    if (errno == EBUSY)
        (void)snprintf(reason, TABLE_REASON, "the file is being written");
    else
        (void)snprintf(reason, TABLE_REASON, "%s: %s", what,
                       errno == EMSGSIZE ? "there is a line of more than 65536 bytes" : strerror(errno));
    return TABLE_FAILED;
}

void table_file_end(struct table_file *file)
{
    if (file->open)
        (void)close(file->fd); /* only read */
    if (file->indexed)
        (void)close(file->index);
    file->open = file->indexed = file->hopeless = false;
}

/* Is what the path names what is open, and unchanged? Also a link on the way to it may lead elsewhere by now. */
static bool is_current(const struct table_file *file, struct slice path)
{
    char text[PATH_MAX];
    struct stat now;

    if (!file->open || path.len >= sizeof text)
        return false;
    text_string(text, sizeof text, path);
    return stat(text, &now) == 0 && table_index_is_same(&now, &file->status);
}

/* Opens the table, or once more if it is another one by now. False with errno set. */
static bool open_now(struct table_file *file, struct slice path)
{
    if (is_current(file, path))
        return true;
    table_file_end(file);
    file->fd = guarded_read(path);
    file->open = file->fd >= 0;
    return file->open && fstat(file->fd, &file->status) == 0;
}

/* How many milliseconds are missing until it has been left alone; 0 also for one of the future, which a wrong clock makes. */
static uint64_t missing_rest(const struct stat *status)
{
    struct timespec now;
    int64_t age;

    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail with these arguments */
    age = (int64_t)(now.tv_sec - status->st_ctim.tv_sec) * 1000 + (now.tv_nsec - status->st_ctim.tv_nsec) / 1000000;
    return age < 0 || age >= STILL_MS ? 0 : (uint64_t)(STILL_MS - age);
}

/* What is being emptied has its size first, and its time last (ext4): until then, but for microseconds, it has its blocks. */
static bool may_be_half_empty(const struct stat *status)
{
    return status->st_size == 0 && status->st_blocks > 0;
}

/* The same, when nobody writes it any more. */
static bool open_table(struct table_file *file, struct slice path, uint64_t deadline)
{
    const sigset_t mask = clock_mask();
    const uint64_t moment = clock_ms() + STILL_MS; /* blocks of a file without bytes may stay, too */
    uint64_t rest;

    while (open_now(file, path)) {
        rest = missing_rest(&file->status);
        if (rest == 0 && may_be_half_empty(&file->status))
            rest = (uint64_t)clock_left(moment);
        if (rest == 0)
            return true;
        errno = EBUSY; /* somebody writes for as long as we can wait */
        if (clock_left(deadline) == 0 || clock_poll(NULL, 0, clock_earlier(deadline, clock_ms() + rest), &mask) < 0)
            return false;
    }
    return false;
}

/* ---- reading all of it ---------------------------------------------------------------------- */

struct search {
    struct slice key;
    bool found;
    struct slice value;
};

static bool look_at(void *context, uint64_t at, struct slice line)
{
    struct search *search = context;
    struct table_entry entry;

    (void)at;
    search->found = table_line_read(line, &entry) == TABLE_LINE_ENTRY && table_line_is(&entry, search->key);
    if (search->found)
        search->value = entry.value;
    return !search->found;
}

/* ---- by the index ---------------------------------------------------------------------------- */

/* Looks at the lines that the index names. False: one of them cannot be as the index says. */
static bool look_at_places(const struct table_file *file, const struct table_places *places, struct search *search)
{
    for (size_t i = 0; i < places->count && !search->found; i++) {
        struct slice line;

        if (!table_line_at(file->fd, places->at[i], &line))
            return false;
        (void)look_at(search, places->at[i], line);
    }
    return true;
}

/* False: the index is damaged, and then left. */
static bool search_index(struct table_file *file, struct search *search)
{
    static struct table_places places COLD_BSS;

    if (table_index_find(file->index, &file->status, table_key_hash(search->key), &places) &&
        look_at_places(file, &places, search))
        return true;
    (void)close(file->index); /* only read */
    file->indexed = search->found = false;
    return false;
}

/* By the index, which is opened, and made where there is none that can be used. False: nothing has come of it. */
static bool search_indexed(struct table_file *file, struct slice path, struct slice cache, struct search *search)
{
    char index[PATH_MAX];

    if (!table_file_wants_index(&file->status) || !table_index_path(cache, path, index, sizeof index))
        return false;
    if (!file->indexed) {
        file->index = table_index_open(index, &file->status);
        file->indexed = file->index >= 0;
    }
    if (file->indexed && search_index(file, search))
        return true;
    if (file->hopeless)
        return false;
    file->index = table_index_make(index, file->fd, &file->status, &file->hopeless);
    file->indexed = file->index >= 0;
    return file->indexed && search_index(file, search);
}

/* Is it as it was when it was opened? Who was reading meanwhile may have seen a part of one version, and a part of another. */
static bool is_unchanged(const struct table_file *file)
{
    struct stat now;

    return fstat(file->fd, &now) == 0 && table_index_is_same(&now, &file->status);
}

enum table_answer table_file_ask(struct table *table, struct slice key, struct slice *value, char reason[TABLE_REASON])
{
    const uint64_t deadline = clock_ms() + table->settings->timeout;
    struct table_file *file = &table->file;
    struct search search;

    do {
        search = (struct search){ .key = key };
        if (!open_table(file, table->path, deadline))
            return fail("cannot open the file", reason);
        if (!search_indexed(file, table->path, table->settings->cache, &search) && !table_lines(file->fd, look_at, &search))
            return fail("cannot read the file", reason);
        if (is_unchanged(file)) {
            *value = search.value;
            return search.found ? TABLE_FOUND : TABLE_UNKNOWN;
        }
    } while (clock_left(deadline) > 0);
    (void)snprintf(reason, TABLE_REASON, "the file was changed while it was read");
    return TABLE_FAILED;
}
