/* ledger_show.c - what -S does with the ledger: shows which deliveries it knows, and forgets them */
#include "admin/ledger_show.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "client/lockout.h"
#include "delivery/ledger_db.h"

enum { NOT_THERE = 1 }; /* the exit status when there is no such delivery */

static const char *const states[] = { [LEDGER_NONE] = "", [LEDGER_BEGUN] = "begun", [LEDGER_MADE] = "delivered" };

static int later_first(const void *a, const void *b)
{
    const struct ledger_entry *one = a, *other = b;

    return one->time != other->time ? (one->time < other->time ? 1 : -1) : memcmp(one->key, other->key, LEDGER_KEY);
}

static int complain(const struct store *store)
{
    fprintf(stderr, "mailrecv: %s: %s\n", store->path, store_why(store));
    return EX_IOERR;
}

static void print_row(const struct conf *conf, const struct ledger_entry *entry, FILE *out)
{
    char id[LEDGER_ID_TEXT], last[LOCKOUT_TIME], until[LOCKOUT_TIME];

    fprintf(out, "%-32s %-10s  %-20s  %s\n", ledger_db_id(entry, id), states[entry->state],
            lockout_time(entry->time, last), lockout_time(entry->time + conf->delivery.ledger_secs, until));
}

static void print_object(const struct conf *conf, const struct ledger_entry *entry, FILE *out)
{
    char id[LEDGER_ID_TEXT], last[LOCKOUT_TIME], until[LOCKOUT_TIME];

    fprintf(out, "{\"delivery\":\"%s\",\"state\":\"%s\",\"last\":\"%s\",\"until\":\"%s\"}", ledger_db_id(entry, id),
            states[entry->state], lockout_time(entry->time, last),
            lockout_time(entry->time + conf->delivery.ledger_secs, until));
}

int ledger_show(const struct conf *conf, bool json, size_t *objects, FILE *out)
{
    const uint64_t now = (uint64_t)time(NULL);
    char path[PATH_MAX];
    const struct store store = ledger_db_store(&conf->delivery, path, false);
    size_t count = 0;
    struct ledger_entry *all = store_list(&store, &count);

    if (all == NULL && errno != ENOENT) /* nothing was delivered yet */
        return complain(&store);
    if (all != NULL && count > 0)
        qsort(all, count, sizeof *all, later_first);
    if (!json)
        fprintf(out, "%-32s %-10s  %-20s  %s\n", "DELIVERY", "STATE", "LAST ATTEMPT", "KEPT UNTIL");
    for (size_t i = 0; all != NULL && i < count; i++) {
        if (now > all[i].time && now - all[i].time > store.keep)
            continue;
        if (json)
            fputs((*objects)++ > 0 ? ",\n " : "", out);
        (json ? print_object : print_row)(conf, &all[i], out);
    }
    free(all);
    return EX_OK;
}

/* Addresses have colons, or three dots and no letters: an id has three dots and thirteen digits before the first. */
bool ledger_is_delivery(const char *word)
{
    return strcmp(word, "ledger") == 0 || strcspn(word, ".") > 3;
}

int ledger_clear(const struct conf *conf, const char *word, FILE *out)
{
    const bool wants_all = strcmp(word, "ledger") == 0;
    char path[PATH_MAX], id[LEDGER_ID_TEXT];
    const struct store store = ledger_db_store(&conf->delivery, path, false);
    size_t count = 0, forgotten = 0;
    struct ledger_entry *all = store_list(&store, &count);

    if (all == NULL && errno != ENOENT)
        return complain(&store);
    for (size_t i = 0; all != NULL && i < count; i++) {
        if (!wants_all && strcmp(ledger_db_id(&all[i], id), word) != 0)
            continue;
        if (store_forget(&store, &all[i]))
            forgotten++;
        else if (errno != 0)
            break;
    }
    free(all);
    if (errno != 0 && errno != ENOENT && count > 0 && forgotten == 0)
        return complain(&store);
    if (!wants_all && forgotten == 0) {
        fprintf(stderr, "mailrecv: there is no delivery %s in %s\n", word, path);
        return NOT_THERE;
    }
    if (wants_all)
        fprintf(out, "%zu %s forgotten\n", forgotten, forgotten == 1 ? "delivery is" : "deliveries are");
    else
        fprintf(out, "%s is forgotten\n", word);
    return EX_OK;
}
