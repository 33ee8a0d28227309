/* wall.h - what the files of the wall share, and nobody else sees: the monitor, the questions, what each side needs of the other */
#ifndef WALL_H
#define WALL_H

#include <unistd.h>

#include "monitor/monitor.h"
#include "monitor/packet.h"
#include "monitor/state.h"

enum {
    DIRECT = -1,      /* no channel: both sides are this process */
    PLAIN = 3,        /* the session's end of what mailrecv-tls has decrypted, behind 0 to 2 */
    OVERSTAY_MS = 3000 /* how long after its deadline, or after SIGTERM, a session may take to say so and to end */
};

/* What is told waits for the next question, or for something that has to be logged at once. */
enum kind { TELL_HELO, TELL_MAIL, TELL_RESET, TELL_REFUSAL, TELL_EVENT, ASK_RCPT, ASK_SPOOL, ASK_DELIVER,
            ASK_MAIL, ASK_TLS, ASK_AUTH, ASK_HELO, ASK_ANSWER, ASK_XCLIENT, TELL_XFORWARD,
            ASK_DATA, TELL_HEEDED, TELL_MISTOLD, ASK_UNKNOWN, KINDS };

enum { SESSION, HELPER }; /* whose end of the plain bytes */

struct monitor {
    struct session_state state;
    int channel;
    int ahead;          /* that to a session which waits for its client; -1: there is none */
    pid_t session;
    uint64_t latest;    /* when the session must have ended, see clock.h */
    bool stopping;      /* it was told of SIGTERM */
    bool crashed;       /* it has ended by a signal */
    bool allowed;       /* it was given more time, for a delivery took so long */
    uint64_t pinned;    /* until when both processes stay on one CPU, 0: they do not */
    struct line_io *io; /* whose output leaves before a long wait, NULL: none */
    bool asks_data;     /* is it asked about DATA? */
    bool asks_unknown;  /* and about what is no command? */
    bool remembers;     /* is there a ledger, which wants to know whether the client has heard what became of its message? */
    bool asks_helo, asks_mail, asks_rcpt; /* can the answer be no, or (asks_rcpt) may it take long? */
    int spool;          /* the file that the session was given, -1: none */
    char *memory;       /* shared with the session */
    int client;         /* kept for TLS until that begins, -1: not */
    int plain[2];       /* of the session and of mailrecv-tls, if there is to be TLS; -1 */
};

extern struct packet wall_sent, wall_received; /* of this process, whichever it is */

/* Where a refusal was given, for the log; a question has the index. */
enum { STAGES = 12 };
extern const char *const wall_stages[STAGES];

static inline void wall_close(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd); /* sockets, and files without a name: nothing is buffered */
    *fd = -1;
}

/* ---- hear.c ---- */

/* Does what the session wants, until it ends or has to. */
void wall_serve(struct monitor *m);

/* The client's socket goes to mailrecv-tls, whose plain bytes go to the session. A client may try again what failed. */
struct reply wall_begin_tls(struct monitor *m);

/* ---- split.c ---- */

/* What STARTTLS needs later: made once, before the split. False with errno set. */
bool wall_prepare_tls(struct monitor *m);

/* Keeps both processes on one CPU, for a while. A program that is started before the split undoes it. */
void wall_pin(struct monitor *m);

/* ---- events.c ---- */

/* Logs what the dialogue has told. */
void wall_log_event(struct monitor *m, enum monitor_event event, struct slice text);

/* The end of the session: with what only the whole of it tells against its client, and the name that it gave last. */
void wall_log_end(struct monitor *m, int severity, const char *text, bool cut);

/* The session has not ended by itself: "killed signal", "failed status". */
void wall_log_death(struct monitor *m, const char *how, int number);

#endif
