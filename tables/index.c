/* index.c - where in a large text table a key stands: a file that is made when it is missing, old or damaged */
#include "tables/index.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/cold.h"
#include "base/guarded.h"
#include "base/hash.h"
#include "base/log.h"
#include "tables/line.h"
#include "tables/lines.h"

enum {
    LINES_IN_PAGE = 340,   /* as many as there are of any kind; by chance some pages get more, and none gets TABLE_INDEX_MOST */
    PAGES_MOST = 1 << 18,  /* 1 GB: a table with more lines is no text file any more */
    TAG_BITS = 16,         /* of the hash, beside where a line begins */
    SETTLED_SECS = 2       /* a table that has not changed for so long has another time when it changes again */
};

/* What an index is of. All of it is compared. */
struct version {
    char magic[16];
    uint64_t device, inode, size, changed[2], status_changed[2];
};

struct header {
    struct version version;
    uint32_t pages;
    uint32_t sum; /* over all that stands before it */
};

struct page {
    uint32_t sum; /* over the header, the number of the page, and all that follows */
    uint32_t count;
    uint64_t lines[TABLE_INDEX_MOST]; /* where each begins, and the tag of its key */
};

static struct version version_of(const struct stat *status)
{
    return (struct version){ .magic = "mailrecv table1", .device = status->st_dev, .inode = status->st_ino,
                             .size = (uint64_t)status->st_size,
                             .changed = { (uint64_t)status->st_mtim.tv_sec, (uint64_t)status->st_mtim.tv_nsec },
                             .status_changed = { (uint64_t)status->st_ctim.tv_sec, (uint64_t)status->st_ctim.tv_nsec } };
}

bool table_index_is_same(const struct stat *a, const struct stat *b)
{
    const struct version one = version_of(a), other = version_of(b);

    return memcmp(&one, &other, sizeof one) == 0;
}

static uint32_t header_sum(const struct header *header)
{
    return hash_on(HASH_BEGIN, header, offsetof(struct header, sum));
}

static uint32_t page_sum(const struct header *header, uint32_t number, const struct page *page)
{
    uint32_t sum = hash_on(hash_on(HASH_BEGIN, header, sizeof *header), &number, sizeof number);

    return hash_on(sum, &page->count, sizeof page->count + page->count * sizeof page->lines[0]);
}

static off_t place_of(uint32_t number)
{
    return (off_t)(number + 1) * (off_t)sizeof(struct page); /* the header has a page for itself */
}

static uint64_t tag_of(uint32_t hash, uint32_t pages)
{
    return hash / pages & ((1U << TAG_BITS) - 1);
}

bool table_index_path(struct slice directory, struct slice table, char *path, size_t size)
{
    int len = snprintf(path, size, "%.*s/table-%08x.index", (int)directory.len, directory.text,
                       (unsigned)hash_on(HASH_BEGIN, table.text, table.len));

    return directory.len > 0 && len > 0 && (size_t)len < size;
}

/* ---- asking --------------------------------------------------------------------------------- */

static bool is_ours(int fd)
{
    struct stat status;

    return fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && (status.st_uid == geteuid() || status.st_uid == 0) &&
           (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

static bool read_header(int fd, const struct stat *table, struct header *header)
{
    const struct version version = version_of(table);

    return pread(fd, header, sizeof *header, 0) == (ssize_t)sizeof *header && header->sum == header_sum(header) &&
           memcmp(&header->version, &version, sizeof version) == 0 && header->pages > 0 && header->pages <= PAGES_MOST;
}

int table_index_open(const char *path, const struct stat *status)
{
    struct header header;
    int fd = guarded_open(path, O_RDONLY | O_NOFOLLOW, 0, NULL);

    if (fd < 0 || (is_ours(fd) && read_header(fd, status, &header)))
        return fd;
    (void)close(fd); /* only read */
    return -1;
}

bool table_index_find(int fd, const struct stat *status, uint32_t hash, struct table_places *places)
{
    static struct page page COLD_BSS;
    struct header header;
    uint32_t number;

    places->count = 0;
    if (!read_header(fd, status, &header))
        return false;
    number = hash % header.pages;
    if (pread(fd, &page, sizeof page, place_of(number)) != (ssize_t)sizeof page || page.count > TABLE_INDEX_MOST ||
        page.sum != page_sum(&header, number, &page))
        return false;
    for (uint32_t i = 0; i < page.count; i++)
        if ((page.lines[i] & ((1U << TAG_BITS) - 1)) == tag_of(hash, header.pages))
            places->at[places->count++] = page.lines[i] >> TAG_BITS;
    return true;
}

/* ---- making --------------------------------------------------------------------------------- */

struct making {
    struct header header;
    struct page *pages;
    size_t lines;
    bool full; /* a page is, because so many keys have nearly the same hash */
};

static bool count_line(void *context, uint64_t at, struct slice line)
{
    struct making *m = context;

    (void)at;
    (void)line;
    m->lines++;
    return true;
}

static bool add_line(void *context, uint64_t at, struct slice line)
{
    struct making *m = context;
    const uint32_t pages = m->header.pages;
    struct table_entry entry;
    struct page *page;
    uint32_t hash;

    if (table_line_read(line, &entry) != TABLE_LINE_ENTRY)
        return true;
    hash = table_line_hash(&entry);
    page = &m->pages[hash % pages];
    m->full = page->count == TABLE_INDEX_MOST;
    if (!m->full)
        page->lines[page->count++] = at << TAG_BITS | tag_of(hash, pages);
    return !m->full;
}

static bool write_all(int fd, const void *bytes, size_t size, off_t at)
{
    const char *from = bytes;

    while (size > 0) {
        ssize_t n = pwrite(fd, from, size, at);

        if (n < 0 && errno != EINTR)
            return false;
        from += n > 0 ? n : 0;
        at += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

static bool write_index(struct making *m, int fd)
{
    m->header.sum = header_sum(&m->header);
    for (uint32_t i = 0; i < m->header.pages; i++)
        m->pages[i].sum = page_sum(&m->header, i, &m->pages[i]);
    return ftruncate(fd, 0) == 0 && write_all(fd, &m->header, sizeof m->header, 0) &&
           write_all(fd, m->pages, m->header.pages * sizeof *m->pages, place_of(0));
}

/* Makes the pages, filled. False with errno set; EFBIG: too many lines for one of them, or for all. */
static bool fill(struct making *m, int table)
{
    const size_t pages = m->lines / LINES_IN_PAGE + 1;

    errno = EFBIG;
    if (pages > PAGES_MOST)
        return false;
    m->header.pages = (uint32_t)pages;
    m->pages = mmap(NULL, pages * sizeof *m->pages, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (m->pages == MAP_FAILED) {
        m->pages = NULL;
        return false;
    }
    if (!table_lines(table, add_line, m))
        return false;
    errno = EFBIG;
    return !m->full;
}

static bool is_unchanged(int table, const struct stat *status)
{
    struct stat now;

    errno = EBUSY;
    return fstat(table, &now) == 0 && table_index_is_same(status, &now);
}

static bool make(int table, const struct stat *status, int fd)
{
    struct making m = { .header.version = version_of(status) };
    bool made = table_lines(table, count_line, &m) && fill(&m, table) && is_unchanged(table, status) && write_index(&m, fd);

    if (m.pages != NULL)
        (void)munmap(m.pages, m.header.pages * sizeof *m.pages); /* ours: cannot fail */
    return made;
}

static bool is_settled(const struct stat *status)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail with these arguments */
    return status->st_ctim.tv_sec + SETTLED_SECS < now.tv_sec;
}

/* Is what we have locked still what the path names? Whoever had it before has perhaps renamed it. */
static bool is_at(int fd, const char *path)
{
    struct stat open_file, named;

    return fstat(fd, &open_file) == 0 && lstat(path, &named) == 0 && open_file.st_dev == named.st_dev &&
           open_file.st_ino == named.st_ino;
}

static void log_failure(const char *path, int error)
{
    char shown[LOG_TEXT];

    log_line(LOG_WARNING, "cannot make the index %s: %s", log_encode(shown, sizeof shown, slice_of(path)),
             error == EFBIG   ? "too many lines have the same key, or there are too many"
             : error == EBUSY ? "the table has changed meanwhile"
                              : strerror(error));
}

int table_index_make(const char *path, int table, const struct stat *status, bool *hopeless)
{
    char new_path[PATH_MAX], shown[LOG_TEXT];
    int fd;

    if (!is_settled(status) || (size_t)snprintf(new_path, sizeof new_path, "%s.new", path) >= sizeof new_path)
        return -1;
    fd = guarded_open(new_path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600, NULL);
    if (fd < 0)
        return -1; /* -t says so */
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && is_at(fd, new_path) && is_ours(fd)) {
        if (make(table, status, fd) && rename(new_path, path) == 0) {
            log_debug('f', "made the index %s", log_encode(shown, sizeof shown, slice_of(path)));
            return fd;
        }
        log_failure(path, errno);
        *hopeless = true;
        (void)unlink(new_path); /* where that fails, the next one writes there */
    }
    (void)close(fd); /* nobody reads it */
    return -1;
}
