/* monitor.c - the wall: what the dialogue may ask of the side that decides and delivers */
/*
 * The lower half are the functions that the dialogue calls: each either calls accept.c or puts
 * its arguments into a packet. The upper half is the monitor's loop: it takes packets apart,
 * checks them, and calls the same functions of accept.c. `questions` says which there are.
 */
#include "monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "accept.h"
#include "clock.h"
#include "log.h"

enum {
    PACKET = 4096,
    DIRECT = -1,      /* no channel: both sides are this process */
    OVERSTAY_MS = 30000 /* how long after its deadline a session that does not end is waited for */
};

enum question { ASK_CONNECT, ASK_HELO, ASK_MAIL, ASK_RCPT, ASK_RESET, ASK_SPOOL, ASK_DELIVER,
                TELL_REFUSAL, TELL_EVENT, QUESTIONS };

/* The parts of a packet's text, one behind the other. */
enum part { PART_TEXT, PART_STATUS, PART_DETAIL, PART_NOTE, PART_LINE, PARTS };

struct packet_head {
    uint32_t kind;      /* enum question; in an answer 0 */
    uint32_t number;    /* EHLO or HELO, event, spool in a file, error number */
    uint32_t code;      /* of a reply */
    uint32_t flags;     /* of a reply: closes, and counts * 2 */
    uint64_t size;      /* of a message */
    uint32_t stage;     /* index in `stages` */
    uint32_t len[PARTS];
};

/* As large as a page and no more of it sent than is used: most touch a single page. */
struct packet {
    struct packet_head head;
    char bytes[PACKET - sizeof(struct packet_head)];
} __attribute__((aligned(PACKET)));

struct monitor {
    struct acceptance accept;
    int channel;
    pid_t session;
    int spool;          /* the file that the session was given, -1: none */
    char *memory;       /* shared with the session */
    struct packet packet; /* the question that is being put or answered */
};

static struct monitor the_monitor;
static const struct reply no_objection = { .code = 0 };
static const char *const stages[] = { "connect", "helo", "mail", "rcpt", "data", "command", "limit", "input" };

enum { STAGES = sizeof stages / sizeof stages[0] };

/* ---- packets ----------------------------------------------------------------------------- */

static size_t text_used(const struct packet *p)
{
    size_t used = 0;

    for (size_t i = 0; i < PARTS; i++)
        used += p->head.len[i];
    return used;
}

/* Adds the next part; cut when the packet is full, which no text of an honest session is. */
static void add_part(struct packet *p, enum part part, struct slice text)
{
    size_t used = text_used(p), room = sizeof p->bytes - used;
    size_t len = text.len < room ? text.len : room;

    if (len > 0)
        memcpy(p->bytes + used, text.text, len);
    p->head.len[part] = (uint32_t)len;
}

static struct slice part_of(const struct packet *p, enum part part)
{
    size_t begin = 0;

    for (size_t i = 0; i < (size_t)part; i++)
        begin += p->head.len[i];
    return (struct slice){ p->bytes + begin, p->head.len[part] };
}

static void pack_reply(struct packet *p, const struct reply *reply)
{
    p->head.code = reply->code;
    p->head.flags = (uint32_t)reply->closes | (uint32_t)reply->counts << 1;
    add_part(p, PART_TEXT, reply->text);
    add_part(p, PART_STATUS, reply->status);
    add_part(p, PART_DETAIL, reply->detail);
    add_part(p, PART_NOTE, reply->note);
}

static struct reply unpack_reply(const struct packet *p)
{
    return (struct reply){ .code = p->head.code, .closes = (p->head.flags & 1) != 0,
                           .counts = (enum reply_counts)(p->head.flags >> 1), .text = part_of(p, PART_TEXT),
                           .status = part_of(p, PART_STATUS), .detail = part_of(p, PART_DETAIL),
                           .note = part_of(p, PART_NOTE) };
}

/* A packet is its head and just the text that the head tells of. */
static size_t packet_size(const struct packet *p)
{
    return sizeof p->head + text_used(p);
}

/* The lengths are somebody's claim: are they those of the bytes that came? */
static bool is_whole(const struct packet *p, ssize_t received)
{
    if (received < (ssize_t)sizeof p->head)
        return false;
    for (size_t i = 0; i < PARTS; i++)
        if (p->head.len[i] > sizeof p->bytes)
            return false;
    return packet_size(p) == (size_t)received;
}

/* ---- the monitor's side ------------------------------------------------------------------ */

static void log_refusal(const struct monitor *m, const char *stage, const struct reply *reply, struct slice line)
{
    const struct acceptance *a = &m->accept;

    reply_log(reply, stage, a->in_transaction ? address_slice(&a->mail.sender) : slice_of(""), line);
}

static bool hear_connect(struct monitor *m, struct reply *reply)
{
    *reply = accept_connect(&m->accept);
    return true;
}

static bool hear_helo(struct monitor *m, struct reply *reply)
{
    *reply = accept_helo(&m->accept, m->packet.head.number != 0, part_of(&m->packet, PART_TEXT));
    return true;
}

static bool hear_mail(struct monitor *m, struct reply *reply)
{
    *reply = accept_mail(&m->accept, part_of(&m->packet, PART_TEXT));
    return true;
}

static bool hear_rcpt(struct monitor *m, struct reply *reply)
{
    *reply = accept_rcpt(&m->accept, part_of(&m->packet, PART_TEXT));
    return true;
}

static bool hear_reset(struct monitor *m, struct reply *reply)
{
    accept_reset(&m->accept);
    *reply = no_objection;
    return true;
}

static void forget_spool(struct monitor *m)
{
    if (m->spool >= 0)
        (void)close(m->spool); /* the file has no name: it is gone now */
    m->spool = -1;
}

/* The file itself goes with the answer; its error number is the answer's code. */
static bool hear_spool(struct monitor *m, struct reply *reply)
{
    forget_spool(m);
    m->spool = accept_spool(&m->accept);
    *reply = (struct reply){ .code = m->spool < 0 ? (unsigned)errno : 0 };
    return true;
}

/* Small messages are copied out of the shared memory first: nobody shall change them under us. */
static bool hear_deliver(struct monitor *m, struct reply *reply)
{
    static char own[SPOOL_MEMORY];
    struct spool spool = { .memory = own, .fd = -1, .size = m->packet.head.size };
    struct stat status;

    if (m->packet.head.number != 0) {
        if (m->spool < 0 || fstat(m->spool, &status) != 0 || (uint64_t)status.st_size != spool.size)
            return false;
        spool.fd = m->spool;
    } else if (spool.size > SPOOL_MEMORY) {
        return false;
    } else {
        memcpy(own, m->memory, (size_t)spool.size);
        spool.used = (size_t)spool.size;
    }
    *reply = accept_deliver(&m->accept, &spool);
    forget_spool(m);
    return true;
}

static bool hear_refusal(struct monitor *m, struct reply *reply)
{
    struct reply sent = unpack_reply(&m->packet);

    *reply = no_objection;
    if (m->packet.head.stage >= STAGES || sent.code < 400 || sent.code > 599)
        return false;
    log_refusal(m, stages[m->packet.head.stage], &sent, part_of(&m->packet, PART_LINE));
    return true;
}

static void log_event(enum monitor_event event, struct slice text);

static bool hear_event(struct monitor *m, struct reply *reply)
{
    *reply = no_objection;
    if (m->packet.head.number > MONITOR_MESSAGE)
        return false;
    log_event((enum monitor_event)m->packet.head.number, part_of(&m->packet, PART_TEXT));
    return true;
}

static const struct {
    bool (*hear)(struct monitor *m, struct reply *reply); /* false: a violation */
    bool answered;
} questions[QUESTIONS] = {
    [ASK_CONNECT] = { hear_connect, true },   [ASK_HELO] = { hear_helo, true },
    [ASK_MAIL] = { hear_mail, true },         [ASK_RCPT] = { hear_rcpt, true },
    [ASK_RESET] = { hear_reset, false },      [ASK_SPOOL] = { hear_spool, true },
    [ASK_DELIVER] = { hear_deliver, true },   [TELL_REFUSAL] = { hear_refusal, false },
    [TELL_EVENT] = { hear_event, false },
};

/* Sends an answer, with a descriptor if `fd` is one. */
static bool send_answer(struct monitor *m, const struct reply *reply, int fd)
{
    static struct packet answer;
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = { .bytes = { 0 } };
    struct iovec part = { .iov_base = &answer };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

    answer.head = (struct packet_head){ .kind = 0 };
    pack_reply(&answer, reply);
    part.iov_len = packet_size(&answer);
    if (fd >= 0) {
        struct cmsghdr *c;

        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(c), &fd, sizeof fd);
    }
    return sendmsg(m->channel, &message, MSG_NOSIGNAL) == (ssize_t)part.iov_len;
}

/* Answers one packet. Returns NULL, or what is wrong with it. */
static const char *answer_packet(struct monitor *m, ssize_t received)
{
    const struct packet *p = &m->packet;
    struct reply reply = no_objection;

    if (!is_whole(p, received) || p->head.kind >= QUESTIONS)
        return "malformed packet";
    if (!questions[p->head.kind].hear(m, &reply))
        return "impossible question";
    if (m->accept.contradiction)
        return "contradiction";
    if (questions[p->head.kind].answered) /* if that fails, the session has ended, which we shall see */
        (void)send_answer(m, &reply, p->head.kind == ASK_SPOOL ? m->spool : -1);
    return NULL;
}

/* Waits for the next packet. False: the session has ended, or has to be. */
static bool wait_packet(struct monitor *m, ssize_t *received)
{
    struct pollfd ready = { .fd = m->channel, .events = POLLIN };
    sigset_t waiting = clock_mask();
    bool told = false;

    for (;;) {
        int n;

        if (*m->accept.terminated && !told)
            (void)kill(m->session, SIGTERM); /* it says 421 and ends */
        told = *m->accept.terminated != 0;
        n = clock_poll(&ready, 1, m->accept.deadline + OVERSTAY_MS, &waiting);
        if (n == 0 || (n < 0 && errno != EINTR))
            return false;
        if (n < 0)
            continue;
        *received = recv(m->channel, &m->packet, sizeof m->packet, 0);
        return *received > 0;
    }
}

static void serve(struct monitor *m)
{
    const char *violation = NULL;
    ssize_t received;
    int status = 0;

    while (violation == NULL && wait_packet(m, &received))
        violation = answer_packet(m, received);
    if (violation != NULL)
        log_line(LOG_ERR, "violation: the session sent a %s and is ended", violation);
    forget_spool(m);
    (void)close(m->channel);
    if (violation != NULL || clock_left(m->accept.deadline + OVERSTAY_MS) == 0)
        (void)kill(m->session, SIGKILL);
    while (waitpid(m->session, &status, 0) < 0 && errno == EINTR)
        continue;
    if (WIFSIGNALED(status))
        log_line(LOG_ERR, "end reason=killed signal=%d", WTERMSIG(status));
    else if (WEXITSTATUS(status) != EX_OK)
        log_line(LOG_ERR, "end reason=failed status=%d", WEXITSTATUS(status));
}

/* ---- the split --------------------------------------------------------------------------- */

struct monitor *monitor_begin(struct conf *conf, struct peer *peer, const volatile sig_atomic_t *terminated)
{
    struct monitor *m = &the_monitor;
    void *memory = mmap(NULL, SPOOL_MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    m->channel = DIRECT;
    m->spool = -1;
    m->memory = memory;
    if (memory == MAP_FAILED) {
        log_line(LOG_ERR, "no memory for messages: %m");
        return NULL;
    }
    return accept_begin(&m->accept, conf, peer, terminated) ? m : NULL;
}

void monitor_end(struct monitor *monitor)
{
    accept_end(&monitor->accept);
    (void)munmap(monitor->memory, SPOOL_MEMORY); /* ours: cannot fail */
}

/* The monitor must not keep the connection open when the session ends; xinetd gives it thrice. */
static bool let_go_of_client(void)
{
    struct stat client, other;
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    bool done = nothing >= 0 && fstat(STDIN_FILENO, &client) == 0 && fstat(STDERR_FILENO, &other) == 0;

    if (done && S_ISSOCK(client.st_mode) && client.st_dev == other.st_dev && client.st_ino == other.st_ino)
        done = dup2(nothing, STDERR_FILENO) == STDERR_FILENO;
    done = done && dup2(nothing, STDIN_FILENO) == STDIN_FILENO && dup2(nothing, STDOUT_FILENO) == STDOUT_FILENO;
    if (nothing >= 0)
        (void)close(nothing);
    return done;
}

/* In the session: the client is 0 and 1, the channel 2, and there is nothing else. */
static bool keep_only(struct monitor *m, int channel, pid_t parent)
{
    m->channel = STDERR_FILENO;
    return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent && dup2(channel, m->channel) == m->channel &&
           close_range(STDERR_FILENO + 1, ~0U, 0) == 0;
}

enum monitor_split monitor_split(struct monitor *monitor)
{
    int ends[2] = { -1, -1 };
    pid_t parent = getpid();

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0 || (monitor->session = fork()) < 0) {
        log_line(LOG_ERR, "cannot split the process: %m");
        if (ends[0] >= 0) {
            (void)close(ends[0]);
            (void)close(ends[1]);
        }
        return SPLIT_FAILED;
    }
    if (monitor->session == 0) {
        if (!keep_only(monitor, ends[1], parent))
            _exit(EX_OSERR); /* the monitor sees the end of the channel */
        return SPLIT_SESSION;
    }
    (void)close(ends[1]);
    monitor->channel = ends[0];
    if (!let_go_of_client()) {
        log_line(LOG_ERR, "cannot let go of the client: %m");
        (void)kill(monitor->session, SIGKILL);
    }
    serve(monitor);
    return SPLIT_ENDED;
}

char *monitor_memory(struct monitor *monitor)
{
    return monitor->memory;
}

/* ---- the session's side ------------------------------------------------------------------ */

static struct packet *begin_packet(struct monitor *m, enum question kind)
{
    m->packet.head = (struct packet_head){ .kind = kind };
    return &m->packet;
}

/* Without its monitor a session can do nothing: it ends, and so does the connection. */
static void send_packet(const struct monitor *m)
{
    size_t size = packet_size(&m->packet);

    if (send(m->channel, &m->packet, size, MSG_NOSIGNAL) != (ssize_t)size)
        _exit(EX_OSERR);
}

/* Puts the question and waits for the answer, which may bring a descriptor. */
static struct reply ask(struct monitor *m, int *fd)
{
    static struct packet answer;
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = { .bytes = { 0 } };
    struct iovec part = { &answer, sizeof answer };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes,
                              .msg_controllen = sizeof control.bytes };
    const struct cmsghdr *c;
    ssize_t n;

    send_packet(m);
    do
        n = recvmsg(m->channel, &message, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (!is_whole(&answer, n))
        _exit(EX_OSERR);
    c = CMSG_FIRSTHDR(&message);
    if (c != NULL && c->cmsg_type == SCM_RIGHTS && fd != NULL)
        memcpy(fd, CMSG_DATA(c), sizeof *fd);
    return unpack_reply(&answer);
}

struct reply monitor_connect(struct monitor *monitor)
{
    if (monitor->channel == DIRECT)
        return accept_connect(&monitor->accept);
    (void)begin_packet(monitor, ASK_CONNECT);
    return ask(monitor, NULL);
}

struct reply monitor_helo(struct monitor *monitor, bool extended, struct slice name)
{
    struct packet *p;

    if (monitor->channel == DIRECT)
        return accept_helo(&monitor->accept, extended, name);
    p = begin_packet(monitor, ASK_HELO);
    p->head.number = extended;
    add_part(p, PART_TEXT, name);
    return ask(monitor, NULL);
}

struct reply monitor_mail(struct monitor *monitor, struct slice argument)
{
    if (monitor->channel == DIRECT)
        return accept_mail(&monitor->accept, argument);
    add_part(begin_packet(monitor, ASK_MAIL), PART_TEXT, argument);
    return ask(monitor, NULL);
}

struct reply monitor_rcpt(struct monitor *monitor, struct slice argument)
{
    if (monitor->channel == DIRECT)
        return accept_rcpt(&monitor->accept, argument);
    add_part(begin_packet(monitor, ASK_RCPT), PART_TEXT, argument);
    return ask(monitor, NULL);
}

void monitor_reset(struct monitor *monitor)
{
    if (monitor->channel == DIRECT) {
        accept_reset(&monitor->accept);
        return;
    }
    (void)begin_packet(monitor, ASK_RESET);
    send_packet(monitor);
}

int monitor_spool(struct monitor *monitor)
{
    struct reply answer;
    int fd = -1;

    if (monitor->channel == DIRECT)
        return accept_spool(&monitor->accept);
    (void)begin_packet(monitor, ASK_SPOOL);
    answer = ask(monitor, &fd);
    if (fd < 0)
        errno = answer.code != 0 ? (int)answer.code : EMFILE;
    return fd;
}

struct reply monitor_deliver(struct monitor *monitor, const struct spool *spool)
{
    struct packet *p;

    if (monitor->channel == DIRECT)
        return accept_deliver(&monitor->accept, spool);
    p = begin_packet(monitor, ASK_DELIVER);
    p->head.number = spool->fd >= 0;
    p->head.size = spool->size;
    return ask(monitor, NULL);
}

void monitor_log_refusal(struct monitor *monitor, const char *stage, const struct reply *reply, struct slice line)
{
    struct packet *p;

    if (monitor->channel == DIRECT) {
        log_refusal(monitor, stage, reply, line);
        return;
    }
    p = begin_packet(monitor, TELL_REFUSAL);
    pack_reply(p, reply);
    add_part(p, PART_LINE, line);
    while (p->head.stage < STAGES - 1 && strcmp(stages[p->head.stage], stage) != 0)
        p->head.stage++;
    send_packet(monitor);
}

void monitor_log(struct monitor *monitor, enum monitor_event event, struct slice text)
{
    if (monitor->channel == DIRECT) {
        log_event(event, text);
        return;
    }
    do { /* a piece of a message may need several packets */
        struct packet *p = begin_packet(monitor, TELL_EVENT);
        size_t sent;

        p->head.number = event;
        add_part(p, PART_TEXT, text);
        sent = p->head.len[PART_TEXT];
        send_packet(monitor);
        text.text += sent;
        text.len -= sent;
    } while (text.len > 0);
}

bool monitor_wants(const struct monitor *monitor, char flag)
{
    (void)monitor; /* both processes have the flags */
    return log_wants(flag);
}

/* ---- log lines --------------------------------------------------------------------------- */

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

static void log_event(enum monitor_event event, struct slice text)
{
    char shown[LOG_TEXT];

    switch (event) {
    case MONITOR_END:
        log_line(LOG_INFO, "end %s", log_encode(shown, sizeof shown, text));
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
