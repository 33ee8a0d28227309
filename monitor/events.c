/* events.c - what the session has to log: its end, lost messages, and what debug flags ask for */
#include "monitor/wall.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"

static void log_message_lines(struct slice text)
{
    char shown[LOG_TEXT];

    while (text.len > 0) {
        const char *lf = memchr(text.text, '\n', text.len);
        size_t len = lf != NULL ? (size_t)(lf - text.text) : text.len;

        log_debug('l', "message: \"%s\"", log_encode(shown, sizeof shown, (struct slice){ text.text, len }));
        len += lf != NULL;
        text.text += len;
        text.len -= len;
    }
}

/* Together with what only the whole session tells against its client, and with the name that it has given last. */
void wall_log_end(struct monitor *m, int severity, const char *text, bool cut)
{
    char helo[LOG_TEXT], host[LOG_TEXT];
    const char *verdict, *name;
    bool said = m->state.helo[0] != '\0';

    log_be_patient();
    verdict = state_verdict(&m->state, cut);
    name = client_known_name(m->state.client);
    if (cut || verdict[0] != '\0')
        log_release();
    log_line(severity, "end %s%s%s%s%s%s%s%s", text, verdict[0] != '\0' ? " violation=" : "", verdict, name[0] != '\0' ? " host=" : "",
             log_encode(host, sizeof host, slice_of(name)), said ? " helo-name=\"" : "",
             log_encode(helo, sizeof helo, slice_of(m->state.helo)), said ? "\"" : "");
    log_drop(); /* nothing has happened that somebody of `quiet` wants logged */
}

/* The session has not ended by itself. */
void wall_log_death(struct monitor *m, const char *how, int number)
{
    char text[64];

    (void)snprintf(text, sizeof text, "reason=%s=%d", how, number);
    wall_log_end(m, LOG_ERR, text, false);
}

/* Whose message was lost, and for whom it was; many recipients are cut. */
static void log_lost(struct session_state *s, const char *facts)
{
    char from[LOG_TEXT], to[LOG_TEXT], list[LOG_TEXT];
    struct text text = { list, sizeof list, 0 };
    size_t count = 0;

    s->lost = true;
    for (size_t i = 0; i < s->count; i++) {
        if (s->recipients[i].rule->kind == RULE_ALSO)
            continue; /* a copy */
        text_put(&text, slice_of(count++ > 0 ? ", " : ""));
        text_put(&text, address_slice(&s->recipients[i].address));
    }
    log_line(LOG_NOTICE, "message lost %s recipients=%zu from=\"%s\" to=\"%s\"", facts, count,
             log_encode(from, sizeof from, address_slice(&s->mail.sender)),
             log_encode(to, sizeof to, text_slice(&text)));
}

void wall_log_event(struct monitor *m, enum monitor_event event, struct slice text)
{
    char shown[LOG_TEXT];

    switch (event) {
    case MONITOR_END:
    case MONITOR_CUT:
        wall_log_end(m, LOG_INFO, log_encode(shown, sizeof shown, text), event == MONITOR_CUT);
        break;
    case MONITOR_LOST:
        log_lost(&m->state, log_encode(shown, sizeof shown, text));
        break;
    case MONITOR_LINE:
        log_debug('s', "client: \"%s\"", log_encode(shown, sizeof shown, text));
        break;
    case MONITOR_REPLY:
        log_debug('s', "server: \"%s\"", log_encode(shown, sizeof shown, text));
        break;
    case MONITOR_MESSAGE:
        log_message_lines(text);
        break;
    }
}
