/* ledger.c - what was delivered is remembered until the sender knows it, so that no retry repeats it */
#include "delivery/ledger.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"

static struct ledger_entry *owed; /* the deliveries of which a sender was told */
static size_t owed_count, owed_most;

/* The message that is being delivered. */
static struct {
    bool digested, failed; /* the digest was made; it could not be made */
    enum ledger_extent extent;
    unsigned char digest[LEDGER_DIGEST];
} message;

static int holding = -1;   /* what holds the deliveries that are being made */
static bool failed;        /* for this session there is no ledger any more */

_Static_assert(LEDGER_ID + 12 <= 2 * LEDGER_KEY + 1, "names have room for ids");

static bool is_on(const struct transaction *t)
{
    return t->settings->ledger.len > 0 && t->settings->rehearse == NULL && !failed;
}

/* It may be that each further call would wait for something, too. */
static void give_up(const struct store *store)
{
    if (!failed && errno != ECANCELED)
        log_line(LOG_ERR, "ledger: %s cannot be used, and what is sent again may be delivered twice: %s", store->path,
                 store_why(store));
    failed = true;
}

void ledger_begin(void)
{
    message.digested = false;
}

/* The digest of the message, made once; NULL: it cannot be made, and what is sent again may be delivered twice. */
static const unsigned char *digest_of(const struct transaction *t, enum ledger_extent extent)
{
    if (!message.digested || message.extent != extent)
        message.failed = !ledger_key_message(t->came, extent, message.digest);
    message.digested = true;
    message.extent = extent;
    return message.failed ? NULL : message.digest;
}

static void begin_entry(const struct transaction *t, struct recipient *r, bool command, const unsigned char *digest)
{
    *r->entry = (struct ledger_entry){ .state = command ? LEDGER_BEGUN : LEDGER_NONE, .time = (uint64_t)time(NULL),
                                       .number = (uint32_t)(r->entry - t->entries + 1) & 0xffffff };
    memcpy(r->entry->id, t->id, strnlen(t->id, sizeof r->entry->id)); /* no id of ours is longer */
    ledger_key_delivery(t, r, digest, r->entry->key);
}

enum ledger_claim ledger_claim(const struct transaction *transaction, struct recipient *recipient, bool command,
                               uint64_t until)
{
    const unsigned char *digest = is_on(transaction) ? digest_of(transaction, LEDGER_WHOLE) : NULL;
    char path[PATH_MAX];
    struct store store;

    recipient->entry->state = LEDGER_NONE;
    if (digest == NULL)
        return LEDGER_FREE;
    begin_entry(transaction, recipient, command, digest);
    store = ledger_db_store(transaction->settings, path, true);
    if (store_hold(&store, &holding, recipient->entry, until) && ledger_db_find(&store, recipient->entry))
        return recipient->entry->state == LEDGER_MADE ? LEDGER_ALREADY : LEDGER_FREE;
    if (errno == EBUSY)
        return LEDGER_BUSY;
    give_up(&store);
    recipient->entry->state = LEDGER_NONE;
    return LEDGER_FREE;
}

void ledger_note(const struct transaction *transaction, const struct recipient *recipient)
{
    struct ledger_entry *entry = recipient->entry;
    const enum result result = recipient->outcome->result;
    char path[PATH_MAX];
    struct store store;

    if (holding < 0 || failed || entry->state == LEDGER_MADE)
        return;
    store = ledger_db_store(transaction->settings, path, true);
    if (result == RESULT_DELIVERED && !ledger_db_note(&store, entry))
        give_up(&store);
    if (result == RESULT_REFUSED && entry->state == LEDGER_BEGUN)
        (void)store_forget(&store, entry); /* else it goes when its time is up */
}

void ledger_release(const struct delivery_settings *settings)
{
    char path[PATH_MAX];
    struct store store;

    if (holding < 0)
        return;
    store = ledger_db_store(settings, path, true);
    store_release(&store, &holding);
}

void ledger_give_room(struct ledger_entry *room, size_t count)
{
    owed = room;
    owed_most = count;
    owed_count = 0;
}

void ledger_owe(const struct recipient *recipient)
{
    if (recipient->entry->state == LEDGER_MADE && owed_count < owed_most)
        owed[owed_count++] = *recipient->entry;
}

void ledger_settle(const struct delivery_settings *settings)
{
    char path[PATH_MAX];
    struct store store = ledger_db_store(settings, path, false);

    while (owed_count > 0)
        if (!store_forget(&store, &owed[--owed_count]) && errno != 0)
            give_up(&store);
}

const char *ledger_name(const struct transaction *transaction, const struct recipient *recipient, char *name)
{
    const unsigned char *digest;
    unsigned char key[LEDGER_KEY];

    name[0] = '\0';
    if (transaction->came == NULL)
        return name;
    if (transaction->settings->ledger.len > 0 && transaction->settings->rehearse != NULL) {
        (void)snprintf(name, LEDGER_NAME, "(given at the delivery)"); /* there is room */
        return name;
    }
    if (recipient->entry != NULL && recipient->entry->state != LEDGER_NONE)
        return ledger_db_id(recipient->entry, name);
    digest = digest_of(transaction, LEDGER_EDGES);
    if (digest == NULL)
        return name;
    ledger_key_delivery(transaction, recipient, digest, key);
    for (size_t i = 0; i < sizeof key; i++)
        (void)snprintf(name + 2 * i, 3, "%02x", key[i]);
    return name;
}
