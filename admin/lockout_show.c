/* lockout_show.c - what -S does: shows who was seen and who is locked out, forgives, and locks out */
#include "admin/lockout_show.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "base/keyword.h"
#include "client/lockout.h"

static int later_first(const void *a, const void *b)
{
    const struct contact *one = a, *other = b;

    return one->last != other->last ? (one->last < other->last ? 1 : -1) : memcmp(one->network, other->network, 8);
}

static int complain(const struct lockout_db *contacts)
{
    fprintf(stderr, "mailrecv: %s: %s\n", contacts->path, lockout_db_why(contacts));
    return EX_IOERR;
}

static bool has_file(const struct conf *conf)
{
    if (conf->client.lockout_db.len == 0)
        fprintf(stderr, "mailrecv: %s: there is no lockout.db, so nothing is known of clients\n", conf->path);
    return conf->client.lockout_db.len > 0;
}

static void print_row(const struct contact *c, FILE *out)
{
    char address[CONTACT_TEXT], last[LOCKOUT_TIME], until[LOCKOUT_TIME] = "-";

    if (c->until > 0)
        (void)lockout_time(c->until, until);
    fprintf(out, "%-26s %11" PRIu32 " %10" PRIu32 " %5" PRIu32 "  %-20s  %s\n", contact_text(c, address),
            c->connections, c->violations, c->locks, lockout_time(c->last, last), until);
}

static void print_object(const struct contact *c, FILE *out)
{
    char address[CONTACT_TEXT], first[LOCKOUT_TIME], last[LOCKOUT_TIME], until[LOCKOUT_TIME];

    fprintf(out, "{\"address\":\"%s\",\"connections\":%" PRIu32 ",\"violations\":%" PRIu32 ",\"locks\":%" PRIu32
            ",\"first\":\"%s\",\"last\":\"%s\"", contact_text(c, address), c->connections, c->violations, c->locks,
            lockout_time(c->first, first), lockout_time(c->last, last));
    if (c->until > 0)
        fprintf(out, ",\"locked_until\":\"%s\"}", lockout_time(c->until, until));
    else
        fputs(",\"locked_until\":null}", out);
}

static void print_all(const struct contact *all, size_t count, bool json, size_t *objects, FILE *out)
{
    if (!json)
        fprintf(out, "%-26s %11s %10s %5s  %-20s  %s\n", "ADDRESS", "CONNECTIONS", "VIOLATIONS", "LOCKS", "LAST SEEN",
                "LOCKED UNTIL");
    for (size_t i = 0; i < count; i++) {
        if (json)
            fputs((*objects)++ > 0 ? ",\n " : "", out);
        if (json)
            print_object(&all[i], out);
        else
            print_row(&all[i], out);
    }
}

int lockout_show(const struct conf *conf, bool json, size_t *objects, FILE *out)
{
    char path[PATH_MAX];
    const struct lockout_db contacts = lockout_contacts(&conf->client, path, false);
    size_t count = 0, kept = 0;
    struct contact *all;

    if (!has_file(conf))
        return EX_CONFIG;
    all = lockout_db_list(&contacts, &count);
    if (all == NULL && errno != ENOENT) /* nobody was seen yet */
        return complain(&contacts);
    for (size_t i = 0; all != NULL && i < count; i++)
        if (lockout_present(&conf->client, &all[i]))
            all[kept++] = all[i];
    if (kept > 0)
        qsort(all, kept, sizeof *all, later_first);
    print_all(all, kept, json, objects, out);
    free(all);
    return EX_OK;
}

/* The client with an address as a person or the table writes it; an IPv6 network may have its /64. False: said why. */
static bool find_client(const char *address, struct client *client)
{
    char text[CONTACT_TEXT];
    const char *bits = address + strcspn(address, "/");

    (void)snprintf(text, sizeof text, "%.*s", (int)(bits - address), address);
    if (client_pretend(client, text) == CLIENT_OK && client->family != AF_UNSPEC &&
        (bits[0] == '\0' || (client->family == AF_INET6 && strcmp(bits, "/64") == 0)))
        return true;
    fprintf(stderr, "mailrecv: '%s' is no address\n", address);
    return false;
}

int lockout_clear(const struct conf *conf, const char *address, FILE *out)
{
    char path[PATH_MAX], text[CONTACT_TEXT];
    const struct lockout_db contacts = lockout_contacts(&conf->client, path, false);
    struct contact contact;
    struct client client;

    if (!has_file(conf))
        return EX_CONFIG;
    if (!find_client(address, &client))
        return EX_USAGE;
    contact = contact_of(client.family, client.bytes);
    if (lockout_db_forget(&contacts, &contact))
        fprintf(out, "%s is forgotten\n", contact_text(&contact, text));
    else if (errno == 0 || errno == ENOENT)
        fprintf(out, "%s was not known\n", contact_text(&contact, text));
    else
        return complain(&contacts);
    return EX_OK;
}

/* A number of seconds, 1 to KEYWORD_MAX; 0: it is none. */
static uint64_t seconds_of(const char *digits)
{
    size_t len = strspn(digits, "0123456789");
    unsigned long number = len > 0 && len <= 10 && digits[len] == '\0' ? strtoul(digits, NULL, 10) : 0;

    return number <= KEYWORD_MAX ? number : 0;
}

int lockout_lock_by_hand(const struct conf *conf, const char *address, const char *secs, FILE *out)
{
    uint64_t duration = secs != NULL ? seconds_of(secs) : conf->client.lockout_secs;
    char path[PATH_MAX], text[CONTACT_TEXT], until[LOCKOUT_TIME];
    const struct lockout_db contacts = lockout_contacts(&conf->client, path, false);
    struct client client;
    const struct lockout lockout = { .settings = &conf->client, .groups = &conf->rules.groups, .client = &client };
    struct contact contact;

    if (!has_file(conf))
        return EX_CONFIG;
    if (!find_client(address, &client))
        return EX_USAGE;
    if (duration == 0) {
        fprintf(stderr, "mailrecv: '%s' is no number of seconds from 1 to %d\n", secs, KEYWORD_MAX);
        return EX_USAGE;
    }
    contact = contact_of(client.family, client.bytes);
    if (!lockout_lock(&conf->client, duration, &contact)) {
        if (errno != ENOENT)
            return complain(&contacts);
        fprintf(stderr, "mailrecv: %s: is not there yet; the first session makes it\n", path);
        return EX_IOERR;
    }
    fprintf(out, "%s is locked out until %s\n", contact_text(&contact, text), lockout_time(contact.until, until));
    if (lockout_is_exempt(&lockout))
        fprintf(stderr, "mailrecv: warning: lockout.exempt names %s, for which the lock has no effect\n",
                client.address);
    return EX_OK;
}
