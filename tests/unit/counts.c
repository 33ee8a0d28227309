/* counts.c - unit tests of counts.h: what counts for which limit, and what is forgiven */
#include "session/counts.h"

#include <string.h>

#include "unit.h"

/* One letter for each thing that can come of a line. */
static const char letters[] = { [CAME_ON] = 'o', [CAME_MAIL] = 'm', [CAME_RECIPIENT] = 'r', [CAME_DELIVERY] = 'D',
                                [CAME_DEFERRAL] = 'd', [CAME_RESET] = 'R', [CAME_IDLE] = 'i', [CAME_LATER] = 'l',
                                [CAME_UNKNOWN] = 'u', [CAME_FAILED] = 'f', [CAME_REFUSED] = 'x', [CAME_GUESSED] = 'g' };

/* With limits of 1 unknown, 2 failed, 3 refused, 4 wrong passwords, 6 idle and 9 undelivered. */
static const struct {
    const char *session;
    size_t excess; /* the number of the first letter, from 1, that is beyond a limit; 0: none is */
    enum counted counted;
} rows[] = {
    { "uu", 2, COUNTED_UNKNOWN },
    { "fff", 3, COUNTED_FAILED },
    { "xxxx", 4, COUNTED_REFUSED },
    { "ggggg", 5, COUNTED_GUESSED },
    { "iiiiiii", 7, COUNTED_IDLE },
    { "llllllllll", 10, COUNTED_UNDELIVERED },
    { "oooooooooo", 10, COUNTED_UNDELIVERED },
    { "ufgggii", 7, COUNTED_IDLE }, /* which are idle as well */
    { "xxxiiiiii", 0, COUNTED },    /* but recipients are not */
    { "rrrrrrrrrrrrrrrrrrrr", 0, COUNTED },
    /* a delivery forgives everything but passwords */
    { "uDuDuD", 0, COUNTED },
    { "ffDffDff", 0, COUNTED },
    { "mxxxrDmxxxrDmxxx", 0, COUNTED },
    { "iiiiiiDiiiiii", 0, COUNTED },
    { "lllllllllDlllllllll", 0, COUNTED },
    { "ggDggDg", 7, COUNTED_GUESSED },
    /* a reset forgives what was idle, and nothing else */
    { "iiiiiimRiiiiiimRiiiiii", 0, COUNTED },
    { "mRmRmRmRmR", 10, COUNTED_UNDELIVERED },
    { "fmRfmRf", 7, COUNTED_FAILED },
    /* an accepted recipient makes up for a refused one, before and behind it, until the transaction ends */
    { "mxxxrx", 0, COUNTED },
    { "mrrxxxxx", 0, COUNTED },
    { "mrrxxxxxx", 9, COUNTED_REFUSED },
    { "mrxxxxR", 7, COUNTED_REFUSED },
    { "mrxxxxm", 7, COUNTED_REFUSED },
    { "mrxxxxdxxx", 0, COUNTED }, /* a deferral forgives them */
    { "mrxxxxDxxx", 0, COUNTED },
};

static enum came_to came_of(char letter)
{
    return (enum came_to)((const char *)memchr(letters, letter, sizeof letters) - letters);
}

static size_t play(struct counts *counts, const struct session_settings *settings, const char *session, unsigned slack,
                   struct excess *excess)
{
    for (size_t i = 0; session[i] != '\0'; i++) {
        *excess = counts_note(counts, settings, came_of(session[i]), slack);
        if (excess->limit != NULL)
            return i + 1;
    }
    return 0;
}

void test_counts(void)
{
    static struct session_settings settings;
    const struct limit *limits[COUNTED] = { &settings.smtp_unknowncmd, &settings.smtp_failcmds,
                                            &settings.smtp_refused_rcpts, &settings.auth_failures,
                                            &settings.smtp_commands, &settings.smtp_undelivered };
    struct counts slack = { .accepted = 0 }, other = { .accepted = 0 };
    struct excess excess = { .stage = "" };

    settings.smtp_unknowncmd.value = 1;
    settings.smtp_failcmds.value = 2;
    settings.smtp_refused_rcpts.value = 3;
    settings.auth_failures.value = 4;
    settings.smtp_commands.value = 6;
    settings.smtp_undelivered.value = 9;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct counts counts = { .accepted = 0 };
        bool guesses = rows[i].counted <= COUNTED_GUESSED;

        if (ok_number(play(&counts, &settings, rows[i].session, 0, &excess), rows[i].excess, "where %s is too much",
                      rows[i].session) && rows[i].excess > 0)
            ok(excess.limit == limits[rows[i].counted] && strcmp(excess.stage, guesses ? "limit" : "flood") == 0,
               "%s is beyond its own limit", rows[i].session);
    }
    ok_number(play(&slack, &settings, "xxxxxxxxxxxxxxxx", 1, &excess), 15, "the monitor allows twice as much and eight more");
    (void)play(&other, &settings, "mrruffgxxxlllii", 0, &excess);
    counts_forget_guesses(&other);
    ok(!counts_guesses(&other) && other.of[COUNTED_UNKNOWN] + other.of[COUNTED_FAILED] + other.of[COUNTED_GUESSED] == 0 &&
       other.accepted == 0, "another client is blamed for nothing");
    ok(other.of[COUNTED_IDLE] == 6 && other.of[COUNTED_UNDELIVERED] == 4, "what was idle or in vain is of the connection");
    ok(counts_guesses(&(struct counts){ .of = { [COUNTED_REFUSED] = 2 }, .accepted = 1 }), "more refused than accepted");
    ok(!counts_guesses(&(struct counts){ .of = { [COUNTED_REFUSED] = 2 }, .accepted = 2 }), "as many accepted as refused");
}
