/* login.c - AUTH: whether the client is who it says, and what a failure costs */
#include "monitor/state.h"

#include "base/clock.h"
#include "base/cold.h"
#include "base/log.h"
#include "base/text.h"
#include "client/auth.h"

static const struct reply no_objection = { .code = 0 };

/* Guessing costs time: a second more each time. SIGTERM and the session's deadline end the wait. */
static void delay_failure(const struct session_state *s)
{
    uint64_t until = clock_ms() + (uint64_t)s->auth_failures * 1000;
    sigset_t waiting = clock_mask();

    (void)clock_poll(NULL, 0, clock_earlier(until, s->deadline), &waiting);
}

/* KEY=NAME as one word, blanks encoded as well: a fact has no quotes, and a name could bring others along. */
static void put_fact(struct text *text, const char *key, struct slice name)
{
    char shown[LOG_TEXT];

    text_put(text, slice_of(text->len > 0 ? " " : ""));
    text_put(text, slice_of(key));
    text_put(text, (struct slice)SLICE("="));
    for (const char *c = log_encode(shown, sizeof shown, name); *c != '\0'; c++)
        text_put(text, *c == ' ' ? (struct slice)SLICE("<0x20>") : (struct slice){ c, 1 });
}

/* Whose password it was, and for whom it was to be; that is empty where none was named. */
static struct slice login_facts(struct slice user, struct slice identity)
{
    static char facts[LOG_TEXT * 2] RARE_BSS;
    struct text text = { facts, sizeof facts, 0 };

    put_fact(&text, "user", user);
    if (identity.len > 0)
        put_fact(&text, "identity", identity);
    return text_slice(&text);
}

/* Failed logins are counted here, because a session that was taken over would not tell of them. */
static struct reply refuse_password(struct session_state *s, struct slice user)
{
    struct reply reply = REPLY(535, "7.8", "Authentication failed");

    s->auth_failures++;
    lockout_violation(&s->lockout, "auth");
    delay_failure(s);
    reply.note = login_facts(user, slice_of(""));
    reply.counts = COUNTS_AUTH;
    return reply;
}

struct reply state_auth(struct session_state *s, struct slice identity, struct slice user, struct slice password)
{
    static const struct reply broken = REPLY(454, "7.0", "Passwords cannot be checked now, try again later");
    /* the password was right: nobody has guessed */
    struct reply stranger = { .code = 535, .status = SLICE("7.8"), .counts = COUNTS_IDLE,
                              .text = SLICE("You can act for nobody but yourself") };
    char shown[LOG_TEXT];
    uint64_t until;

    if (!state_is_possible(s) || s->conf->client.auth == AUTH_OFF || s->in_transaction || s->client->user[0] != '\0' ||
        (s->client->tls.protocol[0] == '\0' && !s->conf->client.auth_insecure) || user.len == 0 || user.len > CLIENT_TEXT ||
        s->auth_failures > s->conf->session.auth_failures.value)
        return state_contradict(s);
    state_note(s, CAME_IDLE);
    until = clock_ms() + s->conf->delivery.pipe_secs.value * 1000;
    switch (auth_check(&s->conf->client, user, password, clock_earlier(until, s->deadline))) {
    case AUTH_YES:
        break;
    case AUTH_NO:
        return refuse_password(s, user);
    case AUTH_BROKEN:
        return broken;
    }
    /* mail programs write the name once more, and not always in the same case; it is the user's name that counts */
    if (identity.len > 0 && !slice_equal_nocase(identity, user)) {
        stranger.note = login_facts(user, identity);
        return stranger;
    }
    text_string(s->client->user, sizeof s->client->user, user);
    for (char *c = s->client->user; *c != '\0' && s->conf->client.users_table != NULL; c++)
        *c = lower_ascii(*c); /* keys are without regard to case, and rules are not: it is one user, however that is written */
    log_line(LOG_INFO, "authenticated user=\"%s\"", log_encode(shown, sizeof shown, slice_of(s->client->user)));
    return no_objection;
}
