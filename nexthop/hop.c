/* hop.c - a server that messages are handed to, and the way to it: up to where MAIL can be said */
#include "nexthop/hop.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/credentials.h"
#include "base/text.h"
#include "nexthop/connect.h"

bool hop_equal(const struct hop *a, const struct hop *b)
{
    return where_equal(&a->where, &b->where) && a->security == b->security && a->lmtp == b->lmtp &&
           a->verify == b->verify && a->ask == b->ask && slice_equal(a->auth, b->auth);
}

static bool trouble(struct hop_line *line, const char *reason)
{
    line->dialogue.trouble.code = 0;
    line->dialogue.trouble.late = clock_left(line->dialogue.exchange.deadline) == 0;
    text_string(line->dialogue.trouble.text, sizeof line->dialogue.trouble.text, slice_of(reason));
    return false;
}

/* Goes on in TLS; what was heard before is not believed (RFC 3207 4.2). */
static bool encrypt(struct hop_line *line, const struct hop *hop)
{
    struct exchange *exchange = &line->dialogue.exchange;
    char name[WHERE_HOST + 1], reason[NEXTHOP_REASON];

    text_string(name, sizeof name, hop->where.kind == WHERE_UNIX ? slice_of("") : hop->where.text);
    line->fd = nexthop_tls_start(&line->tls, line->fd, name, hop->verify ? NEXTHOP_VERIFY : NEXTHOP_ANYBODY,
                                 exchange->deadline, reason, sizeof reason);
    if (line->fd < 0)
        return trouble(line, reason);
    exchange_begin(exchange, line->fd, exchange->deadline, exchange->terminated);
    return true;
}

/* STARTTLS, if it is to be, and the introduction once more. */
static bool secure(struct hop_line *line, const struct hop *hop)
{
    bool wanted = hop->security == HOP_STARTTLS || (hop->security == HOP_IF_OFFERED && line->dialogue.offers.starttls);

    if (!wanted)
        return true;
    if (!line->dialogue.offers.starttls)
        return trouble(line, "the next server does not offer STARTTLS");
    return dialogue_starttls(&line->dialogue) && encrypt(line, hop) && dialogue_introduce(&line->dialogue);
}

/* A password leaves this host in TLS only. */
static bool log_in(struct hop_line *line, const struct hop *hop)
{
    struct credentials credentials;
    char reason[NEXTHOP_REASON];
    bool done;

    if (hop->auth.len == 0)
        return true;
    if (line->tls.helper == 0 && !where_is_local(&hop->where))
        return trouble(line, "a password is not sent without TLS, which the next server does not offer");
    if (!credentials_read(hop->auth, geteuid(), &credentials, reason, sizeof reason))
        return trouble(line, reason);
    done = dialogue_login(&line->dialogue, credentials.user, credentials.password);
    credentials_wipe(&credentials);
    return done;
}

bool hop_open(struct hop_line *line, const struct hop *hop, const char *name, uint64_t deadline,
              const volatile sig_atomic_t *terminated)
{
    char reason[NEXTHOP_REASON];

    line->dialogue.name = name;
    line->dialogue.lmtp = hop->lmtp;
    line->dialogue.exchange.deadline = deadline;
    line->tls.helper = 0;
    line->fd = nexthop_connect(&hop->where, deadline, reason, sizeof reason);
    if (line->fd < 0)
        return trouble(line, reason);
    exchange_begin(&line->dialogue.exchange, line->fd, deadline, terminated);
    if ((hop->security != HOP_TLS || encrypt(line, hop)) && dialogue_greet(&line->dialogue) &&
        dialogue_introduce(&line->dialogue) && secure(line, hop) && log_in(line, hop))
        return true;
    hop_close(line);
    return false;
}

bool hop_is_open(struct hop_line *line)
{
    return exchange_is_quiet(&line->dialogue.exchange);
}

void hop_close(struct hop_line *line)
{
    if (line->fd < 0)
        return;
    dialogue_quit(&line->dialogue);
    (void)close(line->fd); /* all was heard, or is not waited for */
    line->fd = -1;
    if (line->tls.helper != 0)
        nexthop_tls_end(&line->tls);
}
