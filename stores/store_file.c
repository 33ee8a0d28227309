/* store_file.c - records in a file, which many processes of a host find and change at once */
/*
 * A page of header, and then pages of records. The hash has a secret in it, so that nobody can choose what is
 * remembered such that it crowds one page. A record lies within one page of the system and is written by one call, so a
 * process that is killed leaves the old one or the new one. Each has a checksum: a file with a wrong one is moved away.
 *
 * Locks are those of open file descriptions, on single pages, and behind the pages on what somebody holds: they end
 * when the file is closed, however that comes.
 */
#include "stores/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "stores/store_lock.h"

enum { PAGE = 4096, PER_PAGE = PAGE / STORE_RECORD, WAIT_MS = 2000, ATTEMPTS = 4, KEPT_MOST = 10 /* damaged ones */ };

static const off_t all_pages = PAGE * (1 + (off_t)STORE_PAGES), held = (off_t)1 << 62;

struct header {
    uint32_t sum;
    char magic[12];
    uint64_t secret;
};

struct page {
    _Alignas(8) char records[PER_PAGE][STORE_RECORD];
};

enum outcome {
    DONE,
    FAILED,  /* errno says why */
    DAMAGED, /* the file is not what was written */
    FOREIGN, /* the file is none of ours */
    BLANK,   /* nobody has begun the file, and neither may we */
    MOVED    /* it has another name now, or none */
};

static const char none[STORE_RECORD];

/* ---- records ------------------------------------------------------------------------------- */

/* Of all that follows the sum itself at the beginning of a record or header; it tells damage, not malice. */
static uint32_t sum_of(const void *bytes, size_t len)
{
    return hash_on(HASH_BEGIN, (const char *)bytes + sizeof(uint32_t), len - sizeof(uint32_t));
}

static bool is_free(const void *record)
{
    return memcmp(record, none, sizeof none) == 0;
}

static bool is_sound(const struct store *s, const void *record)
{
    const uint32_t sum = sum_of(record, STORE_RECORD);

    return is_free(record) || (memcmp(record, &sum, sizeof sum) == 0 && s->kind->is_sound(record));
}

static uint32_t hash_of(const struct store *s, const struct header *header, const void *record)
{
    return s->kind->hash(hash_on(HASH_BEGIN, &header->secret, sizeof header->secret), record);
}

/* ---- the file ------------------------------------------------------------------------------ */

static bool lock_bytes(int fd, short type, off_t start, off_t len)
{
    return store_lock(fd, type, start, len, clock_ms() + WAIT_MS);
}

static int open_file(const struct store *s, int access)
{
    int fd = open(s->path, access | (s->serving ? O_CREAT : 0) | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK,
                  S_IRUSR | S_IWUSR);
    struct stat status;

    if (fd < 0 || (fstat(fd, &status) == 0 && S_ISREG(status.st_mode)))
        return fd;
    (void)close(fd); /* a directory or a device */
    errno = EINVAL;
    return -1;
}

static bool has_moved(const struct store *s, int fd)
{
    struct stat ours, there;

    return fstat(fd, &ours) != 0 || lstat(s->path, &there) != 0 || ours.st_dev != there.st_dev ||
           ours.st_ino != there.st_ino;
}

/* Writes zeros behind the place of the header. False with errno set. */
static bool fill_file(int fd)
{
    static const char zeros[16 * PAGE];

    for (off_t at = PAGE; at < all_pages; at += (off_t)sizeof zeros) {
        size_t len = all_pages - at < (off_t)sizeof zeros ? (size_t)(all_pages - at) : sizeof zeros;
        ssize_t n = pwrite(fd, zeros, len, at);

        if (n >= 0 && (size_t)n != len)
            errno = ENOSPC;
        if (n != (ssize_t)len)
            return false;
    }
    return fsync(fd) == 0;
}

/* Zeros, or not even those: nobody has written the header yet. */
static bool is_blank(const struct header *header, ssize_t n)
{
    static const struct header blank;

    return n == 0 || (n == sizeof blank && memcmp(header, &blank, sizeof blank) == 0);
}

/* Does the file begin as all of this kind do, in whatever version? The mark ends with the first blank. */
static bool has_mark(const struct store *s, const struct header *header, ssize_t n)
{
    return n >= (ssize_t)offsetof(struct header, secret) &&
           memcmp(header->magic, s->kind->magic, strcspn(s->kind->magic, " ") + 1) == 0;
}

/* What was never written is zeros. */
static enum outcome read_page(const struct store *s, int fd, off_t at, struct page *page)
{
    ssize_t n = pread(fd, page, sizeof *page, at);

    if (n < 0)
        return FAILED;
    memset((char *)page + n, 0, sizeof *page - (size_t)n);
    for (size_t i = 0; i < PER_PAGE; i++)
        if (!is_sound(s, page->records[i]))
            return DAMAGED;
    return DONE;
}

/* May a file that begins with zeros be begun? A power cut can leave one so, with records; else it may be anything. */
static bool may_begin(const struct store *s, int fd)
{
    struct stat status;
    struct page page;

    if (fstat(fd, &status) != 0 || status.st_size > all_pages)
        return false;
    for (off_t at = 0; at < status.st_size; at += PAGE)
        if (read_page(s, fd, at, &page) != DONE)
            return false;
    return true;
}

/* Writes the header, behind all else that the file needs; as pwrite(2). */
static ssize_t write_header(const struct store *s, int fd, struct header *header)
{
    memcpy(header->magic, s->kind->magic, sizeof header->magic);
    if ((s->kind->filled && !fill_file(fd)) ||
        getrandom(&header->secret, sizeof header->secret, GRND_NONBLOCK) != sizeof header->secret)
        return -1;
    header->sum = sum_of(header, sizeof *header);
    return pwrite(fd, header, sizeof *header, 0);
}

/* Nobody has written into the file yet, unless somebody does so at this moment: reads once more, as pread(2). */
static ssize_t begin_file(const struct store *s, int fd, struct header *header)
{
    ssize_t n;
    int error;

    if (!lock_bytes(fd, F_WRLCK, 0, PAGE))
        return -1;
    n = pread(fd, header, sizeof *header, 0);
    if (is_blank(header, n) && may_begin(s, fd))
        n = write_header(s, fd, header);
    error = errno;
    if (!lock_bytes(fd, F_UNLCK, 0, PAGE))
        return -1;
    errno = error;
    return n;
}

static enum outcome read_header(const struct store *s, int fd, struct header *header)
{
    ssize_t n;

    *header = (struct header){ .sum = 0 };
    n = pread(fd, header, sizeof *header, 0);
    if (n >= 0 && is_blank(header, n) && s->serving)
        n = begin_file(s, fd, header);
    if (n < 0)
        return FAILED;
    if (is_blank(header, n))
        return may_begin(s, fd) ? BLANK : FOREIGN;
    if (!has_mark(s, header, n))
        return FOREIGN;
    return n == sizeof *header && memcmp(header->magic, s->kind->magic, sizeof header->magic) == 0 &&
                   header->sum == sum_of(header, sizeof *header)
               ? DONE : DAMAGED;
}

/* The errno that stands for an outcome. */
static int error_of(enum outcome outcome)
{
    return outcome == DAMAGED ? EBADMSG : outcome == FOREIGN ? EMEDIUMTYPE : outcome == BLANK ? ENOENT : errno;
}

static off_t page_for(uint32_t hash)
{
    return PAGE * (1 + (off_t)((hash ^ hash >> 16) % STORE_PAGES));
}

/* A name for a damaged file that no file has yet. False with errno set: there is none. */
static bool find_name(const struct store *s, char kept[PATH_MAX])
{
    struct stat status;

    for (int i = 0; i < KEPT_MOST; i++) {
        int len = i == 0 ? snprintf(kept, PATH_MAX, "%s.corrupt", s->path)
                         : snprintf(kept, PATH_MAX, "%s.corrupt.%d", s->path, i);

        errno = ENAMETOOLONG;
        if (len >= PATH_MAX || lstat(kept, &status) != 0)
            return errno == ENOENT;
    }
    errno = EEXIST;
    return false;
}

/*
 * Moves a damaged file away, unless somebody else has done so, or what was read was just being written. Under
 * a lock on all pages, so that nobody writes into a file that is about to leave.
 */
static enum outcome move_away(const struct store *s, int fd, off_t at)
{
    char kept[PATH_MAX];
    struct header header;
    struct page page;

    if (!lock_bytes(fd, F_UNLCK, 0, all_pages) || !lock_bytes(fd, F_WRLCK, 0, all_pages))
        return FAILED;
    if (has_moved(s, fd) || (read_header(s, fd, &header) == DONE && read_page(s, fd, at, &page) == DONE))
        return MOVED;
    if (!find_name(s, kept) || rename(s->path, kept) != 0)
        return FAILED;
    log_line(LOG_ERR, "%s: %s is damaged; it is kept as %s, and begun anew", s->kind->name, s->path, kept);
    return MOVED;
}

/* ---- changes ------------------------------------------------------------------------------- */

/* The place of a record, or the one that it may take. */
static char *find_place(const struct store *s, struct page *page, const void *record, uint64_t now)
{
    char *place = page->records[0];

    for (size_t i = 0; i < PER_PAGE; i++)
        if (!is_free(page->records[i]) && s->kind->is_same(page->records[i], record))
            return page->records[i];
    for (size_t i = 1; i < PER_PAGE && !is_free(place); i++)
        if (is_free(page->records[i]) || s->kind->is_lesser(page->records[i], place, now))
            place = page->records[i];
    return place;
}

static bool write_place(const struct store *s, int fd, off_t at, const struct page *page, const char *place)
{
    ssize_t n = pwrite(fd, place, STORE_RECORD, at + (place - page->records[0]));

    if (n >= 0 && n != STORE_RECORD)
        errno = ENOSPC; /* the rest of 64 bytes had no room */
    return n == STORE_RECORD && (!s->synced || fdatasync(fd) == 0);
}

struct change {
    bool (*make)(void *record, bool known, const void *context); /* NULL: forget it */
    const void *context;
    uint64_t now;
};

/* Forgets what is past, on this page. */
static void prune(const struct store *s, int fd, off_t at, struct page *page, uint64_t now)
{
    const struct store unsynced = { .kind = s->kind, .path = s->path };

    for (size_t i = 0; i < PER_PAGE; i++) {
        char *old = page->records[i];

        if (is_free(old) || !s->kind->is_past(old, s->keep, now))
            continue;
        memset(old, 0, STORE_RECORD);
        (void)write_place(&unsynced, fd, at, page, old); /* else the next one who comes here does it */
    }
}

/* Changes a record at its place. True if that is to be written. */
static bool change_record(const struct store *s, char *place, void *record, const struct change *change)
{
    const bool found = !is_free(place) && s->kind->is_same(place, record);
    const bool known = found && (change->make == NULL || !s->kind->is_past(place, s->keep, change->now));
    bool changed = known;
    uint32_t sum;

    if (known)
        memcpy(record, place, STORE_RECORD);
    else if (change->make == NULL)
        memset(record, 0, STORE_RECORD);
    if (change->make != NULL && (changed = change->make(record, known, change->context))) {
        sum = sum_of(record, STORE_RECORD);
        memcpy(record, &sum, sizeof sum);
        changed = memcmp(place, record, STORE_RECORD) != 0;
    }
    if (changed)
        memcpy(place, change->make != NULL ? record : none, STORE_RECORD);
    return changed;
}

/* In a page that was read, under a lock on it or, when that could not be had, in memory only. */
static enum outcome change_page(const struct store *s, int fd, off_t at, struct page *page, bool locked, void *record,
                                const struct change *change)
{
    char *place = find_place(s, page, record, change->now);
    bool changed = change_record(s, place, record, change);

    if (!locked) {
        errno = EAGAIN;
        return FAILED;
    }
    if (changed && !write_place(s, fd, at, page, place))
        return FAILED;
    if (change->make != NULL)
        prune(s, fd, at, page, change->now);
    return DONE;
}

static enum outcome change_in(const struct store *s, int fd, off_t *at, void *record, const struct change *change)
{
    struct header header;
    struct page page;
    enum outcome outcome = read_header(s, fd, &header);
    bool locked;

    *at = PAGE;
    if (outcome != DONE)
        return outcome;
    *at = page_for(hash_of(s, &header, record));
    locked = lock_bytes(fd, F_WRLCK, *at, PAGE);
    outcome = read_page(s, fd, *at, &page);
    if (outcome == DAMAGED && !locked) {
        errno = EAGAIN; /* it is perhaps just being written */
        return FAILED;
    }
    return outcome == DONE ? change_page(s, fd, *at, &page, locked, record, change) : outcome;
}

/* Opens the file and does something with it; again with the new one if it was damaged. */
static bool change_file(const struct store *s, void *record, const struct change *change)
{
    for (int i = 0; i < ATTEMPTS; i++) {
        int fd = open_file(s, O_RDWR), error;
        enum outcome outcome;
        off_t at;

        if (fd < 0)
            return false;
        outcome = change_in(s, fd, &at, record, change);
        if (outcome == DAMAGED && s->serving)
            outcome = move_away(s, fd, at);
        error = error_of(outcome);
        (void)close(fd); /* nothing is buffered; the locks end */
        errno = error;
        if (outcome != MOVED)
            return outcome == DONE;
    }
    errno = EAGAIN; /* it was moved away each time */
    return false;
}

static bool change_one(const struct store *store, void *record, uint64_t now,
                       bool (*change)(void *record, bool known, const void *context), const void *context)
{
    return change_file(store, record, &(struct change){ change, context, now });
}

static bool forget(const struct store *store, void *record)
{
    bool done = change_file(store, record, &(struct change){ NULL, NULL, 0 });

    errno = done ? 0 : errno;
    return done && !is_free(record);
}

/* ---- holding ------------------------------------------------------------------------------- */

/* The byte that stands for what a record is about: two hashes, so that hardly ever one stands for two. */
static off_t byte_for(const struct store *s, const struct header *header, const void *record)
{
    uint32_t hash = hash_of(s, header, record);

    return held + ((off_t)hash << 24 ^ (off_t)s->kind->hash(hash, record));
}

static bool hold(const struct store *store, int *fd, const void *record, uint64_t until)
{
    for (int i = 0; i < ATTEMPTS; i++) {
        struct header header;
        enum outcome outcome;

        if (*fd < 0 && (*fd = open_file(store, O_RDWR)) < 0)
            return false;
        outcome = read_header(store, *fd, &header);
        if (outcome == DAMAGED && store->serving)
            outcome = move_away(store, *fd, PAGE);
        errno = error_of(outcome);
        if (outcome == DONE && store_lock(*fd, F_WRLCK, byte_for(store, &header, record), 1, until))
            return true;
        if (outcome == DONE && errno == EAGAIN)
            errno = EBUSY;
        if (outcome != MOVED)
            return false;
        (void)close(*fd); /* nothing is buffered */
        *fd = -1;
    }
    errno = EAGAIN; /* it was moved away each time */
    return false;
}

/* ---- all of them ---------------------------------------------------------------------------- */

/* False with errno set if the file cannot be read. */
static bool collect(const struct store *s, int fd, char *all, size_t *count)
{
    struct page page;

    for (off_t i = 1; i <= STORE_PAGES; i++) {
        if (read_page(s, fd, i * PAGE, &page) == FAILED)
            return false;
        for (size_t j = 0; j < PER_PAGE; j++) /* what is being written at this moment is left out */
            if (!is_free(page.records[j]) && is_sound(s, page.records[j]))
                memcpy(all + STORE_RECORD * (*count)++, page.records[j], STORE_RECORD);
    }
    return true;
}

static void *list(const struct store *store, size_t *count)
{
    char *all = NULL;
    struct header header;
    int fd = open_file(store, O_RDONLY), error;
    enum outcome outcome;

    *count = 0;
    if (fd < 0)
        return NULL;
    outcome = read_header(store, fd, &header);
    errno = error_of(outcome);
    if (outcome == DONE && (all = calloc(STORE_MAX, STORE_RECORD)) != NULL && !collect(store, fd, all, count)) {
        free(all); /* which leaves errno alone */
        all = NULL;
    }
    error = errno;
    (void)close(fd); /* it was only read */
    errno = error;
    return all;
}

static void release(const struct store *store, int *fd)
{
    (void)store;
    (void)close(*fd); /* nothing is buffered */
    *fd = -1;
}

static const char *why(const struct store *store)
{
    static char text[64];

    if (errno != EMEDIUMTYPE)
        return errno == EBADMSG ? "it is damaged" : strerror(errno);
    (void)snprintf(text, sizeof text, "it is no %s", store->kind->keyword);
    return text;
}

const struct store_engine store_file = {
    .change = change_one, .forget = forget, .list = list, .hold = hold, .release = release, .why = why
};
