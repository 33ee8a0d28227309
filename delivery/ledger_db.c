/* ledger_db.c - which deliveries were begun and made whose senders do not know it yet */
#include "delivery/ledger_db.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/text.h"

_Static_assert(2 * LEDGER_KEY + 1 <= (int)STORE_NAME, "keys are names of records");
_Static_assert(sizeof(struct ledger_entry) == STORE_RECORD, "entries are records of a store");

static bool is_sound(const void *record)
{
    const struct ledger_entry *entry = record;

    return entry->state == LEDGER_BEGUN || entry->state == LEDGER_MADE;
}

static bool is_same(const void *one, const void *other)
{
    const struct ledger_entry *a = one, *b = other;

    return memcmp(a->key, b->key, sizeof a->key) == 0;
}

static uint32_t hash(uint32_t begin, const void *record)
{
    const struct ledger_entry *entry = record;

    return hash_on(begin, entry->key, sizeof entry->key);
}

/* Time that has passed, whichever way the clock was set meanwhile. */
static bool is_past(const void *record, uint64_t keep, uint64_t now)
{
    const struct ledger_entry *entry = record;

    return (now > entry->time ? now - entry->time : entry->time - now) > keep;
}

/* Rather forgotten than another: what was only begun, and of two the older one. */
static bool is_lesser(const void *one, const void *other, uint64_t now)
{
    const struct ledger_entry *a = one, *b = other;

    (void)now;
    return a->state != b->state ? a->state == LEDGER_BEGUN : a->time < b->time;
}

static void tell(const void *record, char name[STORE_NAME])
{
    const struct ledger_entry *entry = record;

    for (size_t i = 0; i < sizeof entry->key; i++)
        (void)snprintf(name + 2 * i, 3, "%02x", entry->key[i]);
}

static uint64_t end(const void *record, uint64_t keep)
{
    return ((const struct ledger_entry *)record)->time + keep;
}

static const struct store_kind ledger_kind = {
    .magic = "deliver 01", .name = "ledger", .keyword = "ledger", .filled = true, .hash = hash, .tell = tell, .end = end,
    .is_sound = is_sound, .is_same = is_same, .is_past = is_past, .is_lesser = is_lesser,
};

/* What a delivery may take, with all that comes before and behind it. */
static uint64_t longest_delivery(const struct delivery_settings *settings)
{
    uint64_t secs = settings->pipe_secs.value > settings->handover_secs.value ? settings->pipe_secs.value
                                                                              : settings->handover_secs.value;

    return secs + 2 * settings->lock_secs.value + 60;
}

struct store ledger_db_store(const struct delivery_settings *settings, char *path, bool serving)
{
    text_string(path, PATH_MAX, settings->ledger); /* conf/ has checked that it fits */
    return (struct store){ .kind = &ledger_kind, .engine = store_engine_at(settings->ledger), .path = path,
                           .keep = settings->ledger_secs, .hold = longest_delivery(settings), .serving = serving };
}

/* The time of an attempt is that of the last one: a sender that tries for days is not to be forgotten meanwhile. */
static bool begin(void *record, bool known, const void *context)
{
    struct ledger_entry *entry = record;
    const struct ledger_entry *now = context;

    if (known && entry->state == LEDGER_BEGUN)
        entry->time = now->time;
    return entry->state == LEDGER_BEGUN;
}

bool ledger_db_find(const struct store *store, struct ledger_entry *entry)
{
    const struct ledger_entry now = *entry;

    return store_change(store, entry, now.time, begin, &now);
}

static bool make(void *record, bool known, const void *context)
{
    struct ledger_entry *entry = record;
    const struct ledger_entry *now = context;

    (void)known;
    entry->state = LEDGER_MADE;
    entry->time = now->time;
    return true;
}

bool ledger_db_note(const struct store *store, struct ledger_entry *entry)
{
    struct store synced = *store;
    const struct ledger_entry now = *entry;

    synced.synced = true;
    return store_change(&synced, entry, now.time, make, &now);
}

const char *ledger_db_id(const struct ledger_entry *entry, char text[LEDGER_ID_TEXT])
{
    (void)snprintf(text, LEDGER_ID_TEXT, "%.*s.%u", LEDGER_ID, entry->id, (unsigned)entry->number);
    return text;
}
