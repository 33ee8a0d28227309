/* lockout_db.c - what is remembered of clients between sessions: connections, violations, locks; a file */
/*
 * A page of header, and then pages of records. The hash has a secret in it, so that nobody can choose addresses
 * that crowd one page. A record lies within one page of the system and is written by one call, so a process that is
 * killed leaves the old one or the new one. Each has a checksum: a file with a wrong one is moved away.
 *
 * Locks are those of open file descriptions, on single pages: they end when the file is closed, however
 * that comes. Who waits for one asks again and again, because a wait in the kernel would have no end.
 */
#include "client/lockout_db.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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

enum { PAGE = 4096, PAGES = 1024, PER_PAGE = PAGE / sizeof(struct contact), WAIT_MS = 2000, ATTEMPTS = 4 };

struct header {
    uint32_t sum;
    char magic[12];
    uint64_t secret;
};

struct page {
    struct contact contacts[PER_PAGE];
};

_Static_assert(sizeof(struct contact) == 64, "records must not cross the end of a page");

enum outcome {
    DONE,
    FAILED,  /* errno says why */
    DAMAGED, /* the file is not what was written */
    MOVED    /* it has another name now, or none */
};

static const char magic[] = "contacts 01";
static const struct contact nobody;

/* ---- records ------------------------------------------------------------------------------- */

/* Of all that follows the sum itself at the beginning of a record or header; it tells damage, not malice. */
static uint32_t sum_of(const void *bytes, size_t len)
{
    return hash_on(HASH_BEGIN, (const char *)bytes + sizeof(uint32_t), len - sizeof(uint32_t));
}

static bool is_free(const struct contact *contact)
{
    return memcmp(contact, &nobody, sizeof nobody) == 0;
}

static bool is_sound(const struct contact *contact)
{
    return is_free(contact) || (contact->sum == sum_of(contact, sizeof *contact) &&
                                (contact->family == 4 || contact->family == 6));
}

static bool is_same(const struct contact *a, const struct contact *b)
{
    return a->family == b->family && memcmp(a->network, b->network, sizeof a->network) == 0;
}

/* Time that has passed, whichever way the clock was set meanwhile. */
static bool is_past(const struct lockout_db *c, const struct contact *contact, uint64_t now)
{
    uint64_t away = now > contact->last ? now - contact->last : contact->last - now;

    return contact->until <= now && away > c->keep;
}

struct contact contact_of(int family, const unsigned char *bytes)
{
    struct contact contact = { .family = family == AF_INET ? 4 : 6 };

    memcpy(contact.network, bytes, family == AF_INET ? 4 : sizeof contact.network);
    return contact;
}

const char *contact_text(const struct contact *contact, char *out)
{
    unsigned char bytes[16] = { 0 };

    memcpy(bytes, contact->network, sizeof contact->network);
    (void)inet_ntop(contact->family == 4 ? AF_INET : AF_INET6, bytes, out, CONTACT_TEXT); /* there is room */
    if (contact->family != 4)
        (void)snprintf(out + strlen(out), CONTACT_TEXT - strlen(out), "/64");
    return out;
}

/* ---- the file ------------------------------------------------------------------------------ */

static void sleep_a_little(void)
{
    const struct timespec time = { .tv_nsec = 200000 + getpid() % 16 * 50000 }; /* not all at the same moment */

    (void)nanosleep(&time, NULL); /* a signal may end it: it is asked again anyway */
}

static bool lock_bytes(int fd, short type, off_t start, off_t len)
{
    struct flock range = { .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len };
    uint64_t until = clock_ms() + WAIT_MS;

    while (fcntl(fd, F_OFD_SETLK, &range) != 0) {
        if ((errno != EAGAIN && errno != EACCES && errno != EINTR) || clock_left(until) == 0)
            return false;
        sleep_a_little();
    }
    return true;
}

static int open_file(const struct lockout_db *c, int access)
{
    int fd = open(c->path, access | (c->serving ? O_CREAT : 0) | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK,
                  S_IRUSR | S_IWUSR);
    struct stat status;

    if (fd < 0 || (fstat(fd, &status) == 0 && S_ISREG(status.st_mode)))
        return fd;
    (void)close(fd); /* a directory or a device */
    errno = EINVAL;
    return -1;
}

static bool has_moved(const struct lockout_db *c, int fd)
{
    struct stat ours, there;

    return fstat(fd, &ours) != 0 || lstat(c->path, &there) != 0 || ours.st_dev != there.st_dev ||
           ours.st_ino != there.st_ino;
}

/* Nobody has written into the file yet, unless somebody does so at this moment: reads once more, as pread(2). */
static ssize_t begin_file(int fd, struct header *header)
{
    ssize_t n = -1;

    if (!lock_bytes(fd, F_WRLCK, 0, PAGE))
        return n;
    n = pread(fd, header, sizeof *header, 0);
    if (n == 0) {
        memcpy(header->magic, magic, sizeof magic);
        if (getrandom(&header->secret, sizeof header->secret, GRND_NONBLOCK) != sizeof header->secret)
            return -1;
        header->sum = sum_of(header, sizeof *header);
        n = pwrite(fd, header, sizeof *header, 0);
    }
    return lock_bytes(fd, F_UNLCK, 0, PAGE) ? n : -1;
}

static enum outcome read_header(const struct lockout_db *c, int fd, struct header *header)
{
    ssize_t n;

    *header = (struct header){ .sum = 0 };
    n = pread(fd, header, sizeof *header, 0);
    if (n == 0 && c->serving)
        n = begin_file(fd, header);
    if (n < 0)
        return FAILED;
    return n == sizeof *header && memcmp(header->magic, magic, sizeof magic) == 0 &&
                   header->sum == sum_of(header, sizeof *header)
               ? DONE : DAMAGED;
}

/* What was never written is zeros. */
static enum outcome read_page(int fd, off_t at, struct page *page)
{
    ssize_t n = pread(fd, page, sizeof *page, at);

    if (n < 0)
        return FAILED;
    memset((char *)page + n, 0, sizeof *page - (size_t)n);
    for (size_t i = 0; i < PER_PAGE; i++)
        if (!is_sound(&page->contacts[i]))
            return DAMAGED;
    return DONE;
}

static off_t page_for(const struct header *header, const struct contact *contact)
{
    uint32_t hash = hash_on(HASH_BEGIN, &header->secret, sizeof header->secret);

    hash = hash_on(hash, &contact->family, sizeof contact->family);
    hash = hash_on(hash, contact->network, sizeof contact->network);
    return PAGE * (1 + (off_t)((hash ^ hash >> 16) % PAGES));
}

/*
 * Moves a damaged file away, unless somebody else has done so, or what was read was just being written. Under
 * a lock on all of it, so that nobody writes into a file that is about to leave.
 */
static enum outcome move_away(const struct lockout_db *c, int fd, off_t at)
{
    char kept[PATH_MAX];
    struct header header;
    struct page page;

    if (!lock_bytes(fd, F_UNLCK, 0, 0) || !lock_bytes(fd, F_WRLCK, 0, 0))
        return FAILED;
    if (has_moved(c, fd) || (read_header(c, fd, &header) == DONE && read_page(fd, at, &page) == DONE))
        return MOVED;
    if ((size_t)snprintf(kept, sizeof kept, "%s.corrupt", c->path) >= sizeof kept) {
        errno = ENAMETOOLONG;
        return FAILED;
    }
    if (rename(c->path, kept) != 0)
        return FAILED;
    log_line(LOG_ERR, "contacts: %s is damaged; it is kept as %s.corrupt, and begun anew", c->path, c->path);
    return MOVED;
}

/* ---- changes ------------------------------------------------------------------------------- */

/* Rather forgotten than another: who is not locked, was not seen for long, or is free soonest. */
static bool is_lesser(const struct contact *a, const struct contact *b, uint64_t now)
{
    bool locked = a->until > now, other = b->until > now;

    if (locked != other)
        return other;
    return locked ? a->until < b->until : a->last < b->last;
}

/* The record of a contact, or the one that it may take. */
static struct contact *find_place(struct page *page, const struct contact *contact, uint64_t now)
{
    struct contact *place = &page->contacts[0];

    for (size_t i = 0; i < PER_PAGE; i++)
        if (is_same(&page->contacts[i], contact))
            return &page->contacts[i];
    for (size_t i = 1; i < PER_PAGE && !is_free(place); i++)
        if (is_free(&page->contacts[i]) || is_lesser(&page->contacts[i], place, now))
            place = &page->contacts[i];
    return place;
}

static bool write_place(int fd, off_t at, const struct page *page, const struct contact *place)
{
    off_t offset = at + (off_t)((const char *)place - (const char *)page);
    ssize_t n = pwrite(fd, place, sizeof *place, offset);

    if (n >= 0 && n != sizeof *place)
        errno = ENOSPC; /* the rest of 64 bytes had no room */
    return n == sizeof *place;
}

/* Forgets who was not seen for long, on this page. */
static void prune(const struct lockout_db *c, int fd, off_t at, struct page *page, uint64_t now)
{
    for (size_t i = 0; i < PER_PAGE; i++) {
        struct contact *old = &page->contacts[i];

        if (is_free(old) || !is_past(c, old, now))
            continue;
        *old = nobody;
        (void)write_place(fd, at, page, old); /* else the next one who comes here does it */
    }
}

struct change {
    void (*make)(struct contact *contact, const void *context); /* NULL: forget it */
    const void *context;
    uint64_t now;
};

/* Changes a contact at its place; false if it is as it was. */
static bool change_record(const struct lockout_db *c, struct contact *place, struct contact *contact,
                          const struct change *change)
{
    const struct contact before = *place;

    if (!is_same(place, contact) || is_past(c, place, change->now)) {
        *place = (struct contact){ .family = contact->family, .first = change->now, .begin = change->now };
        memcpy(place->network, contact->network, sizeof place->network);
    }
    place->last = change->now;
    change->make(place, change->context);
    place->sum = sum_of(place, sizeof *place);
    *contact = *place;
    return memcmp(&before, place, sizeof before) != 0;
}

/* True if there was such a contact. */
static bool forget_record(struct contact *place, struct contact *contact)
{
    bool known = is_same(place, contact);

    *contact = known ? *place : nobody;
    if (known)
        *place = nobody;
    return known;
}

/* In a page that was read, under a lock on it or, when that could not be had, in memory only. */
static enum outcome change_page(const struct lockout_db *c, int fd, off_t at, struct page *page, bool locked,
                                struct contact *contact, const struct change *change)
{
    struct contact *place = find_place(page, contact, change->now);
    bool changed = change->make != NULL ? change_record(c, place, contact, change) : forget_record(place, contact);

    if (!locked) {
        errno = EAGAIN;
        return FAILED;
    }
    if (changed && !write_place(fd, at, page, place))
        return FAILED;
    if (change->make != NULL)
        prune(c, fd, at, page, change->now);
    return DONE;
}

static enum outcome change_in(const struct lockout_db *c, int fd, off_t *at, struct contact *contact,
                              const struct change *change)
{
    struct header header;
    struct page page;
    enum outcome outcome = read_header(c, fd, &header);
    bool locked;

    *at = PAGE;
    if (outcome != DONE)
        return outcome;
    *at = page_for(&header, contact);
    locked = lock_bytes(fd, F_WRLCK, *at, PAGE);
    outcome = read_page(fd, *at, &page);
    if (outcome == DAMAGED && !locked) {
        errno = EAGAIN; /* it is perhaps just being written */
        return FAILED;
    }
    return outcome == DONE ? change_page(c, fd, *at, &page, locked, contact, change) : outcome;
}

static bool change_file(const struct lockout_db *c, struct contact *contact, const struct change *change)
{
    for (int i = 0; i < ATTEMPTS; i++) {
        int fd = open_file(c, O_RDWR), error;
        enum outcome outcome;
        off_t at;

        if (fd < 0)
            return false;
        outcome = change_in(c, fd, &at, contact, change);
        if (outcome == DAMAGED && c->serving)
            outcome = move_away(c, fd, at);
        error = outcome == DAMAGED ? EBADMSG : errno;
        (void)close(fd); /* nothing is buffered; the locks end */
        errno = error;
        if (outcome != MOVED)
            return outcome == DONE;
    }
    errno = EAGAIN; /* it was moved away each time */
    return false;
}

bool lockout_db_change(const struct lockout_db *contacts, struct contact *contact, uint64_t now,
                     void (*change)(struct contact *contact, const void *context), const void *context)
{
    return change_file(contacts, contact, &(struct change){ change, context, now });
}

bool lockout_db_forget(const struct lockout_db *contacts, const struct contact *contact)
{
    struct contact found = *contact;
    bool done = change_file(contacts, &found, &(struct change){ NULL, NULL, 0 });

    errno = done ? 0 : errno;
    return done && !is_free(&found);
}

/* ---- all of them ---------------------------------------------------------------------------- */

/* False with errno set if the file cannot be read. */
static bool collect(int fd, struct contact *all, size_t *count)
{
    struct page page;

    for (off_t i = 1; i <= PAGES; i++) {
        if (read_page(fd, i * PAGE, &page) == FAILED)
            return false;
        for (size_t j = 0; j < PER_PAGE; j++) /* what is being written at this moment is left out */
            if (!is_free(&page.contacts[j]) && is_sound(&page.contacts[j]))
                all[(*count)++] = page.contacts[j];
    }
    return true;
}

struct contact *lockout_db_list(const struct lockout_db *contacts, size_t *count)
{
    struct contact *all = NULL;
    struct header header;
    int fd = open_file(contacts, O_RDONLY), error;
    enum outcome outcome;

    *count = 0;
    if (fd < 0)
        return NULL;
    outcome = read_header(contacts, fd, &header);
    if (outcome == DAMAGED)
        errno = EBADMSG;
    if (outcome == DONE && (all = calloc((size_t)PAGES * PER_PAGE, sizeof *all)) != NULL && !collect(fd, all, count)) {
        error = errno;
        free(all);
        all = NULL;
        errno = error;
    }
    error = errno;
    (void)close(fd); /* it was only read */
    errno = error;
    return all;
}
