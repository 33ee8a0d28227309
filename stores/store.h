/* store.h - small records that many processes find and change at once: in a file, or in Redis for several hosts */
#ifndef STORE_H
#define STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/*
 * Records of 64 bytes. Any number of processes read and change them at once and may be killed at any moment: a record is
 * changed as a whole or not at all. Nothing is believed: whatever stands there, no process comes to harm.
 *
 * In a file they lie in pages that a hash of each chooses. A change is one write of one record, under a lock that dies with
 * its process. Nothing is mapped. A file has at most STORE_PAGES pages and so never grows beyond 4 MiB: where a page
 * is full, the record goes that can be spared most. A file that does not begin as one of its kind, in whatever version, is
 * somebody else's and is left alone.
 *
 * In Redis each is the value of a key, mailrecv:KIND:NAME, which ends when the record is to be forgotten. A change is a
 * script there, which puts the new record in the place of the one that was changed, and of no other.
 */
enum { STORE_RECORD = 64, STORE_PAGES = 1024, STORE_MAX = STORE_PAGES * 4096 / STORE_RECORD, STORE_NAME = 64 };

/* What a store keeps. A record begins with 32 bits that are the store's own; one of zeros is none. */
struct store_kind {
    char magic[12];   /* at the beginning of the file; another version of the records has another one */
    char name[12];    /* what they are called in the log */
    char keyword[12]; /* the directive */
    bool filled;      /* the file gets all its bytes when it is made: a change then needs no room on the disk */
    uint32_t (*hash)(uint32_t hash, const void *record); /* goes on (hash.h) over what makes it the one */
    void (*tell)(const void *record, char name[STORE_NAME]); /* the same as a string, for keys */
    bool (*is_sound)(const void *record);
    bool (*is_same)(const void *a, const void *b);       /* are both about the same? */
    bool (*is_past)(const void *record, uint64_t keep, uint64_t now); /* is it to be forgotten? */
    bool (*is_lesser)(const void *a, const void *b, uint64_t now);    /* can `a` be spared rather than `b`? */
    uint64_t (*end)(const void *record, uint64_t keep);  /* when is it to be forgotten, if nothing happens? */
};

struct store {
    const struct store_kind *kind;
    const struct store_engine *engine;
    const char *path; /* of the file; or where Redis is, as the configuration writes it */
    uint64_t keep;    /* seconds, for is_past */
    uint64_t hold;    /* seconds for which Redis has something held at most, for its holder may have died */
    bool serving;     /* may make the file, and move a damaged one to PATH.corrupt, or to PATH.corrupt.1 to .9 */
    bool synced;      /* a change is on the disk before store_change returns; Redis does what it is told to do (appendfsync) */
};

typedef bool store_changer(void *record, bool known, const void *context);

/* How it is done. */
struct store_engine {
    bool (*change)(const struct store *store, void *record, uint64_t now, store_changer *change, const void *context);
    bool (*forget)(const struct store *store, void *record);
    void *(*list)(const struct store *store, size_t *count);
    bool (*hold)(const struct store *store, int *fd, const void *record, uint64_t until);
    void (*release)(const struct store *store, int *fd);
    const char *(*why)(const struct store *store);
};

extern const struct store_engine store_file, store_redis;

/* That for what stands in the configuration: store_redis for redis: and rediss: (redis_place.h), store_file for a path. */
const struct store_engine *store_engine_at(struct slice where);

/*
 * Finds the record that is the same as *record and lets `change` change it; where there is none, `known` is false, and
 * what it changes is *record. If it returns true, that is written. *record is then what `change` has left; it may be called
 * several times, each time for what is known then. Records that are to be forgotten at `now` go in passing. False with
 * errno set if that is not in the store, because it cannot be opened or written, or somebody holds the lock (EAGAIN, after
 * two seconds); *record is then changed all the same if it could be read, and else left as it was. ECANCELED: the store was
 * left alone because it has failed before, and that is in the log.
 */
static inline bool store_change(const struct store *store, void *record, uint64_t now, store_changer *change,
                                const void *context)
{
    return store->engine->change(store, record, now, change, context);
}

/*
 * Forgets a record, which is found in *record then. Returns whether it was known; if not, errno is 0 or says what went
 * wrong.
 */
static inline bool store_forget(const struct store *store, void *record)
{
    return store->engine->forget(store, record);
}

/*
 * All records, in memory that the caller frees, and how many they are, at most STORE_MAX; NULL with errno set if that fails
 * (EBADMSG: it is damaged; EMEDIUMTYPE: it is no such file).
 */
static inline void *store_list(const struct store *store, size_t *count)
{
    return store->engine->list(store, count);
}

/*
 * Holds what a record is about, whether it is there or not, until the descriptor is closed by store_release or with this
 * process; in Redis, until store_release or for the seconds of `hold`. Nobody else can hold it meanwhile. *fd is -1 if nothing is
 * held yet; one may hold several. Waits for another one until `until` (clock.h) at the latest. False with errno set: EBUSY
 * if that was the reason.
 */
static inline bool store_hold(const struct store *store, int *fd, const void *record, uint64_t until)
{
    return store->engine->hold(store, fd, record, until);
}

/* Lets go of all that is held. */
static inline void store_release(const struct store *store, int *fd)
{
    store->engine->release(store, fd);
}

/* Why the last of these has failed, for people; by errno, which must be as it was. Lives until the next call. */
static inline const char *store_why(const struct store *store)
{
    return store->engine->why(store);
}

#endif
