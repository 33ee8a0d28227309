/* counts.c - what a session's commands came to, and when that is too much; pure */
#include "session/counts.h"

#include <stddef.h>

#define BIT(counted) (1U << (counted))

/* What each adds one to; what it forgives stands in `forgive`. */
static const unsigned adds[] = {
    [CAME_ON] = BIT(COUNTED_UNDELIVERED),
    [CAME_MAIL] = BIT(COUNTED_UNDELIVERED),
    [CAME_RECIPIENT] = 0, /* limit.smtp_rcpt_to bounds them */
    [CAME_DELIVERY] = 0,
    [CAME_DEFERRAL] = BIT(COUNTED_UNDELIVERED),
    [CAME_RESET] = BIT(COUNTED_UNDELIVERED),
    [CAME_IDLE] = BIT(COUNTED_IDLE),
    [CAME_LATER] = BIT(COUNTED_UNDELIVERED),
    [CAME_UNKNOWN] = BIT(COUNTED_UNKNOWN) | BIT(COUNTED_IDLE),
    [CAME_FAILED] = BIT(COUNTED_FAILED) | BIT(COUNTED_IDLE),
    [CAME_REFUSED] = BIT(COUNTED_REFUSED),
    [CAME_GUESSED] = BIT(COUNTED_GUESSED) | BIT(COUNTED_IDLE),
};

/* Which limit holds what is counted. Guesses are what only refusals for good add to. */
static const struct {
    size_t limit; /* in struct session_settings */
    bool guesses;
} limits[COUNTED] = {
    [COUNTED_UNKNOWN] = { offsetof(struct session_settings, smtp_unknowncmd), true },
    [COUNTED_FAILED] = { offsetof(struct session_settings, smtp_failcmds), true },
    [COUNTED_REFUSED] = { offsetof(struct session_settings, smtp_refused_rcpts), true },
    [COUNTED_GUESSED] = { offsetof(struct session_settings, auth_failures), true },
    [COUNTED_IDLE] = { offsetof(struct session_settings, smtp_commands), false },
    [COUNTED_UNDELIVERED] = { offsetof(struct session_settings, smtp_undelivered), false },
};

static void forgive(struct counts *counts, enum came_to came_to)
{
    if (came_to == CAME_DELIVERY)
        *counts = (struct counts){ .of = { [COUNTED_GUESSED] = counts->of[COUNTED_GUESSED] } };
    if (came_to == CAME_DEFERRAL)
        counts->of[COUNTED_REFUSED] = 0;
    if (came_to == CAME_RESET)
        counts->of[COUNTED_IDLE] = 0;
    if (came_to == CAME_MAIL || came_to == CAME_DEFERRAL || came_to == CAME_RESET)
        counts->accepted = 0;
}

struct excess counts_note(struct counts *counts, const struct session_settings *settings, enum came_to came_to,
                          unsigned slack)
{
    forgive(counts, came_to);
    counts->accepted += came_to == CAME_RECIPIENT;
    for (size_t i = 0; i < COUNTED; i++)
        counts->of[i] += adds[came_to] >> i & 1;
    for (size_t i = 0; i < COUNTED; i++) {
        const struct limit *limit = (const struct limit *)((const char *)settings + limits[i].limit);

        uint64_t allowed = limit->value + (i == COUNTED_REFUSED ? counts->accepted : 0);

        if (slack > 0 && i == COUNTED_UNDELIVERED) /* of what the session refuses by itself the monitor hears just that */
            allowed += settings->smtp_commands.value + settings->smtp_failcmds.value + settings->smtp_unknowncmd.value;

        if (counts->of[i] > allowed + slack * (allowed + 8))
            return (struct excess){ limit, limits[i].guesses ? "limit" : "flood" };
    }
    return (struct excess){ NULL, NULL };
}

void counts_forget_guesses(struct counts *counts)
{
    for (size_t i = 0; i < COUNTED; i++)
        counts->of[i] = limits[i].guesses ? 0 : counts->of[i];
    counts->accepted = 0;
}

bool counts_guesses(const struct counts *counts)
{
    return counts->of[COUNTED_REFUSED] > counts->accepted;
}
