/* guests.c - who is being served: the processes of sessions with their clients, and how many there may be */
/*
 * Two tables that are searched from one end to the other: there are as many rows as there may be sessions, and to serve
 * one costs a thousand times what it costs to look at a hundred.
 */
#include "listener/guests.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client/lockout_db.h"

enum {
    GUESTS_MOST = 1 << 20,
    RATES_MOST = 4096, /* clients whose connections are counted; beyond, the one whose minute ends next is forgotten */
    MINUTE_MS = 60000
};

/* A client as it is counted. */
struct party {
    uint8_t family; /* 0: none, as of a UNIX socket, and not counted */
    uint8_t network[8];
};

struct guest {
    pid_t pid;
    struct party party;
};

struct rate {
    struct party party;
    uint64_t begin;       /* of its minute */
    uint64_t connections; /* in it */
};

static struct {
    const struct listener_settings *settings;
    struct guest *guests; /* in no order */
    size_t count, room;
    struct rate *rates;
    size_t rate_count;
} all;

/* Touched where it is used only, and forked to nobody. */
static void *take(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return memory != MAP_FAILED && madvise(memory, size, MADV_DONTFORK) == 0 ? memory : NULL;
}

bool guests_begin(const struct listener_settings *settings)
{
    all.settings = settings;
    all.room = GUESTS_MOST;
    all.guests = take(all.room * sizeof *all.guests);
    all.rates = take(RATES_MOST * sizeof *all.rates);
    return all.guests != NULL && all.rates != NULL;
}

static struct party party_of(const struct client *client)
{
    struct party party = { .family = 0 };
    struct contact contact;

    if (client->family == AF_UNSPEC)
        return party;
    contact = contact_of(client->family, client->bytes);
    party.family = contact.family;
    memcpy(party.network, contact.network, sizeof party.network);
    return party;
}

static bool is_same(const struct party *a, const struct party *b)
{
    return a->family == b->family && memcmp(a->network, b->network, sizeof a->network) == 0;
}

static size_t sessions_of(const struct party *party)
{
    size_t count = 0;

    for (size_t i = 0; i < all.count; i++)
        count += is_same(&all.guests[i].party, party);
    return count;
}

/* Drops the minutes that are over; returns that of a client, NULL if there is none. */
static struct rate *rate_of(const struct party *party, uint64_t now_ms)
{
    struct rate *found = NULL;

    for (size_t i = 0; i < all.rate_count;) {
        if (now_ms - all.rates[i].begin >= MINUTE_MS) {
            all.rates[i] = all.rates[--all.rate_count];
            continue;
        }
        if (is_same(&all.rates[i].party, party))
            found = &all.rates[i];
        i++;
    }
    return found;
}

static struct rate *new_rate(uint64_t now_ms)
{
    struct rate *rate = &all.rates[0];

    if (all.rate_count < RATES_MOST)
        rate = &all.rates[all.rate_count++];
    else
        for (size_t i = 1; i < all.rate_count; i++)
            if (all.rates[i].begin < rate->begin)
                rate = &all.rates[i];
    *rate = (struct rate){ .begin = now_ms };
    return rate;
}

const struct limit *guests_excess(const struct client *client, bool exempt, uint64_t now_ms)
{
    const struct listener_settings *s = all.settings;
    const struct party party = party_of(client);
    const struct rate *rate;

    if (!exempt && party.family != 0) {
        if (sessions_of(&party) >= s->client_sessions.value)
            return &s->client_sessions;
        rate = s->client_rate.value > 0 ? rate_of(&party, now_ms) : NULL;
        if (rate != NULL && rate->connections >= s->client_rate.value)
            return &s->client_rate;
    }
    return all.count >= s->sessions.value || all.count >= all.room ? &s->sessions : NULL;
}

void guests_add(pid_t pid, const struct client *client, uint64_t now_ms)
{
    const struct party party = party_of(client);
    struct rate *rate;

    all.guests[all.count++] = (struct guest){ .pid = pid, .party = party };
    if (all.settings->client_rate.value == 0 || party.family == 0)
        return;
    rate = rate_of(&party, now_ms);
    if (rate == NULL)
        rate = new_rate(now_ms);
    rate->party = party;
    rate->connections++;
}

bool guests_remove(pid_t pid)
{
    for (size_t i = 0; i < all.count; i++)
        if (all.guests[i].pid == pid) {
            all.guests[i] = all.guests[--all.count];
            return true;
        }
    return false;
}

size_t guests_count(void)
{
    return all.count;
}

void guests_signal(int signal)
{
    for (size_t i = 0; i < all.count; i++)
        (void)kill(all.guests[i].pid, signal); /* not waited for yet: it is still that process */
}

/* ---- through an exec ------------------------------------------------------------------------ */

static bool write_part(int fd, const void *bytes, size_t size)
{
    return write(fd, bytes, size) == (ssize_t)size; /* to memory: all of it, or there is none */
}

static bool read_part(int fd, void *bytes, size_t size)
{
    return read(fd, bytes, size) == (ssize_t)size;
}

bool guests_save(int fd)
{
    return write_part(fd, &all.count, sizeof all.count) && write_part(fd, &all.rate_count, sizeof all.rate_count) &&
           write_part(fd, all.guests, all.count * sizeof *all.guests) &&
           write_part(fd, all.rates, all.rate_count * sizeof *all.rates);
}

bool guests_restore(int fd)
{
    size_t count, rate_count;

    if (!read_part(fd, &count, sizeof count) || !read_part(fd, &rate_count, sizeof rate_count) || count > all.room ||
        rate_count > RATES_MOST || !read_part(fd, all.guests, count * sizeof *all.guests) ||
        !read_part(fd, all.rates, rate_count * sizeof *all.rates))
        return false;
    all.count = count;
    all.rate_count = rate_count;
    return true;
}
