/* connection.c - the client before its first word: who it is, whether it is served and greeted */
#include "monitor/state.h"

#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "dns/dns.h"

static const struct reply no_objection = { .code = 0 };

enum {
    PROXY_MS = 10000, /* how long a proxy may take for its header */
    SMTP_PORT = 25
};

void state_log_trouble(void)
{
    if (groups_trouble()[0] != '\0')
        log_line(LOG_ERR, "%s", groups_trouble());
}

/* A proxy that has connected to see whether somebody is there, and is of `quiet`: that is no news. */
static bool just_looked(const struct session_state *s, enum proxy_status status)
{
    struct groups *groups = &s->conf->rules.groups;

    return status == PROXY_GONE && !patterns_none(&groups->quiet) && groups_match(groups, &groups->quiet, s->client) == MATCH_YES;
}

/*
 * From a proxy that the configuration trusts, learns who the client is. This is the one thing that the monitor reads
 * from a connection: so many bytes as the header has, before the first of the client's (proxy.c).
 */
static bool learn_client(struct session_state *s)
{
    static const char *const reasons[] = { [PROXY_BAD] = "malformed", [PROXY_GONE] = "gone", [PROXY_LATE] = "late",
                                           [PROXY_STOPPED] = "terminated" };
    const struct patterns *proxies = &s->conf->rules.groups.proxies;
    enum match trusted = patterns_none(proxies) ? MATCH_NO : groups_match(&s->conf->rules.groups, proxies, s->client);
    struct proxy_header header;
    enum proxy_status status;

    if (trusted == MATCH_UNSURE)
        log_line(LOG_ERR, "%s", groups_trouble());
    if (trusted != MATCH_YES)
        return trusted == MATCH_NO;
    status = proxy_read(STDIN_FILENO, clock_earlier(clock_ms() + PROXY_MS, s->deadline), s->terminated, &header);
    if (status == PROXY_OK)
        client_from_proxy(s->client, &header);
    else if (!just_looked(s, status))
        log_line(LOG_NOTICE, "no PROXY header reason=%s", reasons[status]);
    log_set_client(s->client->address);
    return status == PROXY_OK;
}

/* Waits, and sees whether the client talks, without reading what it says. It may just go: that is no talk. */
static bool talks_early(const struct session_state *s)
{
    uint64_t until = clock_ms() + s->conf->client.early_talker.secs * 1000;
    struct pollfd client = { .fd = STDIN_FILENO, .events = POLLIN };
    sigset_t waiting = clock_mask();
    int bytes = 0;

    return clock_poll(&client, 1, clock_earlier(until, s->deadline), &waiting) > 0 &&
           ioctl(client.fd, FIONREAD, &bytes) == 0 && bytes > 0;
}

/* limit.early_talker; with implicit TLS it is the client who begins. */
static struct reply check_silence(struct session_state *s)
{
    const struct limit *limit = &s->conf->client.early_talker.limit;
    enum match bypass;

    if (limit->value == 0 || s->conf->client.tls == TLS_IMPLICIT)
        return no_objection;
    bypass = groups_bypass(&s->conf->rules.groups, s->client);
    state_announce(s); /* not only when the pause is over */
    if (bypass == MATCH_YES || !talks_early(s))
        return no_objection;
    return bypass == MATCH_UNSURE ? reply_as_temporary(limit->reply) : limit->reply;
}

bool state_admit(struct session_state *s)
{
    dns_new_deadline();
    if (!learn_client(s))
        return false;
    s->locked = lockout_connect(&s->lockout, false);
    return s->locked != LOCKOUT_CLOSE;
}

/* Whoever delivers to port 25 speaks SMTP (RFC 2033 5). Replies that follow each other are not held back for an ACK. */
static struct reply begin_lmtp(const struct session_state *s)
{
    static const struct reply wrong_port = REPLY(421, "5.1", "LMTP is not spoken on port 25");
    const int on = 1;

    (void)setsockopt(STDIN_FILENO, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* fails for what is no TCP */
    return s->client->server_port == SMTP_PORT ? wrong_port : no_objection;
}

/*
 * May it say on whose behalf it speaks? Where that cannot be found out it is not served: its mail would be judged as if it were
 * its own. What such a peer does is done for its clients, and no violation of its own.
 */
static struct reply find_speaker(struct session_state *s)
{
    static const struct reply unsure = REPLY(451, "4.3", "Your host cannot be checked now, try again later");
    const struct groups *groups = &s->conf->rules.groups;
    enum match named = MATCH_NO;

    s->speaks = 0;
    for (unsigned i = 0; i < TOLD_COMMANDS && named != MATCH_UNSURE; i++) {
        named = patterns_none(&groups->speakers[i]) ? MATCH_NO : groups_match(groups, &groups->speakers[i], s->client);
        s->speaks |= named == MATCH_YES ? 1U << i : 0;
    }
    s->lockout.counted = s->lockout.counted || s->speaks != 0;
    return named == MATCH_UNSURE ? unsure : no_objection;
}

struct reply state_judge(struct session_state *s)
{
    struct reply reply;

    dns_new_deadline();
    reply = s->locked != LOCKOUT_NONE ? lockout_reply(&s->lockout) : rules_connect(&s->conf->rules, s->client);
    if (reply.code == 0)
        reply = find_speaker(s);
    s->greeted = reply.code == 0;
    return reply;
}

struct reply state_connect(struct session_state *s)
{
    struct reply reply = session_lmtp(&s->conf->session) ? begin_lmtp(s) : no_objection;

    if (reply.code == 0)
        reply = state_judge(s);
    if (reply.code == 0)
        reply = check_silence(s);
    if (reply.code == 0)
        reply = state_ask_connect(s);
    s->greeted = reply.code == 0;
    if (reply.code != 0 || log_wants('s'))
        state_announce(s); /* the greeting is logged, and this stands before it */
    return reply;
}

/* What is kept back goes to the log at once, unless the client is one of `quiet`. */
static void settle_quiet(struct session_state *s)
{
    const struct groups *groups = &s->conf->rules.groups;

    if (patterns_none(&groups->quiet) || groups_match(groups, &groups->quiet, s->client) == MATCH_YES)
        return;
    log_release();
    state_log_trouble();
}

void state_announce(struct session_state *s)
{
    struct client *client = s->client;
    bool may_be_quiet = !patterns_none(&s->conf->rules.groups.quiet);

    if (s->announced)
        return;
    s->announced = true;
    if (may_be_quiet)
        log_hold();
    if (log_wants('h'))
        (void)client_shown_name(client); /* asked for so that the log has it */
    if (client->via[0] != '\0')
        state_show_client(s, "");
    else
        log_line(LOG_INFO, "SMTP connection from remote host %s [%s]%s%s%s", client->name, client->address,
                 client->proxy[0] != '\0' ? " by proxy [" : "", client->proxy, client->proxy[0] != '\0' ? "]" : "");
    if (geteuid() == 0 && client->via[0] == '\0')
        log_line(may_be_quiet ? LOG_INFO : LOG_WARNING, "serving as root: user NAME in the configuration changes that");
    state_log_trouble();
    dnsbl_log(s->conf->rules.groups.lists);
    dns_log_from_now();
    settle_quiet(s);
}
