/* lockout_db.c - what is remembered of clients between sessions: connections, violations, locks */
#include "client/lockout_db.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "stores/store.h"

_Static_assert((int)CONTACT_TEXT <= (int)STORE_NAME, "addresses are names of records");
_Static_assert(sizeof(struct contact) == STORE_RECORD, "contacts are records of a store");

static bool is_sound(const void *record)
{
    const struct contact *contact = record;

    return contact->family == 4 || contact->family == 6;
}

static bool is_same(const void *one, const void *other)
{
    const struct contact *a = one, *b = other;

    return a->family == b->family && memcmp(a->network, b->network, sizeof a->network) == 0;
}

static uint32_t hash(uint32_t begin, const void *record)
{
    const struct contact *contact = record;

    return hash_on(hash_on(begin, &contact->family, sizeof contact->family), contact->network, sizeof contact->network);
}

/* Time that has passed, whichever way the clock was set meanwhile. */
static bool is_past(const void *record, uint64_t keep, uint64_t now)
{
    const struct contact *contact = record;
    uint64_t away = now > contact->last ? now - contact->last : contact->last - now;

    return contact->until <= now && away > keep;
}

/* Rather forgotten than another: who is not locked, was not seen for long, or is free soonest. */
static bool is_lesser(const void *one, const void *another, uint64_t now)
{
    const struct contact *a = one, *b = another;
    bool locked = a->until > now, other = b->until > now;

    if (locked != other)
        return other;
    return locked ? a->until < b->until : a->last < b->last;
}

static void tell(const void *record, char name[STORE_NAME])
{
    (void)contact_text(record, name);
}

/* As is_past has it. */
static uint64_t end(const void *record, uint64_t keep)
{
    const struct contact *contact = record;

    return contact->until > contact->last + keep ? contact->until : contact->last + keep;
}

static const struct store_kind contacts_kind = {
    .magic = "contacts 01", .name = "contacts", .keyword = "lockout.db", .hash = hash, .tell = tell, .end = end,
    .is_sound = is_sound, .is_same = is_same, .is_past = is_past, .is_lesser = is_lesser,
};

static struct store store_of(const struct lockout_db *contacts)
{
    return (struct store){ .kind = &contacts_kind, .engine = contacts->engine, .path = contacts->path,
                           .keep = contacts->keep, .serving = contacts->serving };
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

struct change {
    void (*make)(struct contact *contact, const void *context);
    const void *context;
    uint64_t now;
};

static bool change_contact(void *record, bool known, const void *context)
{
    struct contact *contact = record;
    const struct change *change = context;

    if (!known) {
        struct contact begun = { .family = contact->family, .first = change->now, .begin = change->now };

        memcpy(begun.network, contact->network, sizeof begun.network);
        *contact = begun;
    }
    contact->last = change->now;
    change->make(contact, change->context);
    return true;
}

bool lockout_db_change(const struct lockout_db *contacts, struct contact *contact, uint64_t now,
                     void (*change)(struct contact *contact, const void *context), const void *context)
{
    const struct store store = store_of(contacts);

    return store_change(&store, contact, now, change_contact, &(struct change){ change, context, now });
}

bool lockout_db_forget(const struct lockout_db *contacts, const struct contact *contact)
{
    const struct store store = store_of(contacts);
    struct contact found = *contact;

    return store_forget(&store, &found);
}

const char *lockout_db_why(const struct lockout_db *contacts)
{
    const struct store store = store_of(contacts);

    // cppcheck-suppress returnDanglingLifetime ; it is no part of that
    return store_why(&store);
}

struct contact *lockout_db_list(const struct lockout_db *contacts, size_t *count)
{
    const struct store store = store_of(contacts);

    // cppcheck-suppress returnDanglingLifetime ; it is no part of that
    return store_list(&store, count);
}
