/* begin.c - how a session begins: behind its own greeting, or behind that of the process which will be its monitor */
#include "smtp/session.h"

#include "base/clock.h"
#include "smtp.h"

enum { REFUSED_WAIT_MS = 2000 }; /* how long a refused client may take for its QUIT */

struct session *smtp_make_session(struct line_io *io, struct monitor *monitor, const struct conf *conf, uint64_t begin)
{
    static struct session session;

    session = (struct session){ .io = io, .monitor = monitor, .conf = conf, .begin = begin,
                                .spool = { .memory = monitor_memory(monitor), .fd = -1 }, .plain = -1,
                                .secure = conf->client.tls == TLS_IMPLICIT };
    io->deadline = session.begin + conf->session.connection_secs.value * 1000;
    io->idle_ms = conf->session.command_secs.value * 1000;
    io->lf_sessions = conf->session.bare_newline.value == 0;
    monitor_lets_out(monitor, io);
    return &session;
}

void smtp_enter_state(struct session *s, enum state state)
{
    s->state = state;
    if (state == END)
        s->end_reason = "connect";
    if (state == REFUSED)
        s->io->idle_ms = REFUSED_WAIT_MS < s->io->idle_ms ? REFUSED_WAIT_MS : s->io->idle_ms;
}

struct introduction smtp_introduction(const struct session *session)
{
    return (struct introduction){ .begin = session->begin, .state = session->state, .refused = (uint32_t)session->refused,
                                  .speaks = session->speaks };
}

struct session *smtp_take_over(struct line_io *io, struct monitor *monitor, const struct conf *conf,
                               const struct introduction *introduction)
{
    struct session *session = smtp_make_session(io, monitor, conf, introduction->begin);

    smtp_enter_state(session, introduction->state);
    session->refused = introduction->refused;
    session->speaks = introduction->speaks;
    return session;
}
