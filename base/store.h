/* store.h - a file of small records that many processes find and change at once */
#ifndef STORE_H
#define STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Records of 64 bytes, in pages that a hash of each chooses. Any number of processes read and change them at once and
 * may be killed at any moment: a change is one write of one record, under a lock that dies with its process. Nothing is
 * mapped and nothing is believed: whatever stands in the file, no process comes to harm. A file has at most STORE_PAGES
 * pages and so never grows beyond 4 MiB: where a page is full, the record goes that can be spared most. A file that
 * does not begin as one of its kind, in whatever version, is somebody else's and is left alone.
 */
enum { STORE_RECORD = 64, STORE_PAGES = 1024, STORE_MAX = STORE_PAGES * 4096 / STORE_RECORD };

/* What a file keeps. A record begins with 32 bits that are the store's own; one of zeros is none. */
struct store_kind {
    char magic[12];   /* at the beginning of the file; another version of the records has another one */
    char name[12];    /* what they are called in the log */
    bool filled;      /* the file gets all its bytes when it is made: a change then needs no room on the disk */
    uint32_t (*hash)(uint32_t hash, const void *record); /* goes on (hash.h) over what makes it the one */
    bool (*is_sound)(const void *record);
    bool (*is_same)(const void *a, const void *b);       /* are both about the same? */
    bool (*is_past)(const void *record, uint64_t keep, uint64_t now); /* is it to be forgotten? */
    bool (*is_lesser)(const void *a, const void *b, uint64_t now);    /* can `a` be spared rather than `b`? */
};

struct store {
    const struct store_kind *kind;
    const char *path;
    uint64_t keep;    /* seconds, for is_past */
    bool serving;     /* may make the file, and move a damaged one to PATH.corrupt, or to PATH.corrupt.1 to .9 */
    bool synced;      /* a change is on the disk before store_change returns */
};

/*
 * Finds the record that is the same as *record and lets `change` change it; where there is none, `known` is false, and
 * what it changes is *record. If it returns true, that is written. *record is then what `change` has left. Records that
 * are to be forgotten at `now` go in passing. False with errno set if that is not in the file, because it cannot be
 * opened or written, or somebody holds the lock (EAGAIN, after two seconds); *record is then changed all the same if
 * the file could be read, and else left as it was.
 */
bool store_change(const struct store *store, void *record, uint64_t now,
                  bool (*change)(void *record, bool known, const void *context), const void *context);

/*
 * Forgets a record, which is found in *record then. Returns whether it was known; if not, errno is 0 or says what went
 * wrong.
 */
bool store_forget(const struct store *store, void *record);

/*
 * All records, in memory that the caller frees, and how many they are; NULL with errno set if that fails (EBADMSG: it is
 * damaged; EMEDIUMTYPE: it is no such file).
 */
void *store_list(const struct store *store, size_t *count);

/*
 * Holds what a record is about, whether it is there or not, until the descriptor is closed, however that comes: no
 * other descriptor can hold it meanwhile. *fd is opened if it is -1; one may hold several. Waits for another one until
 * `until` (clock.h) at the latest. False with errno set: EBUSY if that was the reason.
 */
bool store_hold(const struct store *store, int *fd, const void *record, uint64_t until);

#endif
