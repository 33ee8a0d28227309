/* tally.c - what the lines of a log say, counted */
/*
 * A line is taken for one of mailrecv only where nobody else could have written it: a date at its
 * beginning, the host's name if it went through syslog, then MAILRECV[pid]: and the client's
 * address. mailrecv(8) has the shapes of the events; client text stands between double quotes and has
 * none inside.
 */
#include "programs/report/tally.h"

#include <stdio.h>

#include "programs/report/moment.h"
#include "programs/report/pieces.h"

enum { PART = 160 }; /* bytes of a key's part; what is longer is cut */

void tally_clear(struct tally *tally)
{
    tally->tomorrow = moment_day(1);
    tally->first = tally->last = 0;
    memset(tally->totals, 0, sizeof tally->totals);
    memset(tally->hours, 0, sizeof tally->hours);
    tally->servers.used = 0;
    for (size_t i = 0; i < SECTIONS; i++) {
        tally->tables[i].by_max = i == SECTION_COMMANDS;
        top_clear(&tally->tables[i]);
    }
}

void tally_sort(struct tally *tally)
{
    for (size_t i = 0; i < SECTIONS; i++)
        top_sort(&tally->tables[i]);
    servers_sort(&tally->servers);
}

/* ---- pieces of a line -------------------------------------------------------------------------- */

/* Takes KEY=VALUE or KEY="VALUE" and the blank behind it; false at the end. */
static bool take_fact(struct slice *text, struct slice *key, struct slice *value)
{
    if (text->len == 0)
        return false;
    *key = take_until(text, '=');
    if (text->len > 0 && text->text[0] == '"') {
        skip(text, 1);
        *value = take_until(text, '"');
        (void)take(text, (struct slice)SLICE(" "));
    } else {
        *value = take_until(text, ' ');
    }
    return true;
}

/* The values of a line whose keys are known. */
static void take_facts(struct slice text, const struct slice *keys, struct slice *values, size_t count)
{
    struct slice key, value;

    while (take_fact(&text, &key, &value))
        for (size_t i = 0; i < count; i++)
            if (slice_equal(key, keys[i]))
                values[i] = value;
}

/* ---- events ------------------------------------------------------------------------------------ */

/* A key under construction: parts of printable ASCII, a line end between them. */
struct key {
    char text[TALLY_PARTS * (PART + 1)];
    size_t len;
};

static void add_part(struct key *key, struct slice part)
{
    size_t len = part.len < PART ? part.len : PART;

    if (key->len > 0)
        key->text[key->len++] = '\n';
    for (size_t i = 0; i < len; i++) {
        char c = part.text[i];

        key->text[key->len++] = (char)(c >= ' ' && c <= '~' ? c : '?');
    }
    if (len < part.len)
        memset(key->text + key->len - 3, '.', 3);
}

static void count_key(struct tally *tally, enum section section, const struct key *key, uint64_t amount)
{
    top_add(&tally->tables[section], (struct slice){ key->text, key->len }, amount);
}

static void count_part(struct tally *tally, enum section section, struct slice part)
{
    struct key key = { .len = 0 };

    add_part(&key, part);
    count_key(tally, section, &key, 0);
}

/* What an event is counted from: when, where, whose, all of its text, and what is behind its first words. */
struct event {
    uint64_t when;
    struct server *server;
    struct slice client, whole, text;
};

/* For all hosts together, and for that of the event. */
static void count_total(struct tally *tally, const struct event *event, enum total total, uint64_t amount)
{
    tally->totals[total] += amount;
    event->server->totals[total] += amount;
}

static void count_session(struct tally *tally, const struct event *event)
{
    count_total(tally, event, TOTAL_SESSIONS, 1);
    tally->hours[event->when / 10000 % 100]++;
}

static void count_tls(struct tally *tally, const struct event *event)
{
    count_total(tally, event, TOTAL_TLS, 1);
}

static void count_login(struct tally *tally, const struct event *event)
{
    count_total(tally, event, TOTAL_LOGINS, 1);
}

static void count_nothing(struct tally *tally, const struct event *event)
{
    (void)tally;
    (void)event;
}

static void refuse(struct tally *tally, const struct event *event, struct slice reason, struct slice stage)
{
    struct key key = { .len = 0 };

    count_total(tally, event, TOTAL_REFUSALS, 1);
    add_part(&key, reason);
    add_part(&key, stage);
    count_key(tally, SECTION_REFUSALS, &key, 0);
    count_part(tally, SECTION_HOSTS, event->client);
}

/* The words of a service or a milter would make rows without end: the log has `-` in their place, and its name. */
static struct slice name_service(struct slice reason, struct slice facts, char named[PART])
{
    static const struct slice service = SLICE(" service=");
    const char *at = memmem(facts.text, facts.len, service.text, service.len);
    int len;

    if (at == NULL || reason.len < 2 || memcmp(reason.text + reason.len - 2, " -", 2) != 0)
        return reason;
    skip(&facts, (size_t)(at - facts.text) + service.len);
    facts = take_until(&facts, ' ');
    len = snprintf(named, PART, "%.*s by %.*s", (int)reason.len - 2, reason.text, (int)facts.len, facts.text);
    return (struct slice){ named, len < PART ? (size_t)len : PART - 1 };
}

/* CODE TEXT stage=STAGE ... */
static void count_refusal(struct tally *tally, const struct event *event)
{
    static const struct slice stage = SLICE(" stage=");
    char named[PART];
    struct slice rest = event->text;
    struct slice facts = take_until(&rest, '"');
    const char *at = memmem(facts.text, facts.len, stage.text, stage.len);
    struct slice reason = { facts.text, at != NULL ? (size_t)(at - facts.text) : facts.len };

    skip(&facts, reason.len);
    reason = name_service(reason, facts, named);
    (void)take(&facts, stage);
    refuse(tally, event, reason, take_until(&facts, ' '));
}

/* violations=N/M reason=REASON [until=TIME]; with a time it has locked the client out. */
static void count_violation(struct tally *tally, const struct event *event)
{
    static const struct slice keys[] = { SLICE("until") };
    struct slice until = { "", 0 };

    take_facts(event->text, keys, &until, 1);
    count_total(tally, event, TOTAL_LOCKS, until.len > 0);
}

/* Who is locked out and comes again. */
static void count_closed(struct tally *tally, const struct event *event)
{
    refuse(tally, event, (struct slice)SLICE("locked out"), (struct slice)SLICE("connect"));
}

/* "handshake: TEXT", which is the client's failure; all others are ours. */
static void count_handshake(struct tally *tally, const struct event *event)
{
    struct slice text = event->text;

    refuse(tally, event, take_until(&text, '"'), (struct slice)SLICE("tls"));
}

static void count_gone(struct tally *tally, const struct event *event)
{
    (void)event;
    count_part(tally, SECTION_ENDS, (struct slice)SLICE("gone"));
}

/* secs=1.234 in milliseconds */
static uint64_t milliseconds(struct slice secs)
{
    struct slice whole = take_until(&secs, '.');

    return number(whole) * 1000 + number(secs);
}

static void count_delivery(struct tally *tally, const struct event *event)
{
    enum { RESULT, TARGET, BYTES, SECS, PATH, TO, REASON, FACTS };
    static const struct slice keys[FACTS] = { SLICE("result"), SLICE("target"), SLICE("bytes"), SLICE("secs"),
                                              SLICE("path"), SLICE("to"), SLICE("reason") };
    struct slice facts[FACTS] = { { "", 0 }, { "", 0 }, { "", 0 }, { "", 0 }, { "", 0 }, { "", 0 }, { "", 0 } };
    struct key key = { .len = 0 }, command = { .len = 0 };

    take_facts(event->text, keys, facts, FACTS);
    if (slice_equal(facts[RESULT], (struct slice)SLICE("already"))) {
        count_total(tally, event, TOTAL_ALREADY, 1); /* nothing was run */
        return;
    }
    if (slice_equal(facts[RESULT], (struct slice)SLICE("rehearsed")))
        return; /* a trial with -n: nothing was run, and nothing refused */
    if (slice_equal(facts[RESULT], (struct slice)SLICE("delivered"))) {
        count_total(tally, event, TOTAL_DELIVERED, 1);
        add_part(&key, facts[TO]);
        add_part(&key, facts[TARGET]);
        count_key(tally, SECTION_RECIPIENTS, &key, number(facts[BYTES]));
    } else {
        count_total(tally, event, facts[RESULT].len == 8 ? TOTAL_DEFERRED : TOTAL_REFUSED, 1); /* deferred, refused */
        add_part(&key, facts[RESULT]);
        add_part(&key, facts[TO]);
        add_part(&key, facts[REASON]);
        count_key(tally, SECTION_FAILURES, &key, 0);
    }
    if (slice_equal(facts[TARGET], (struct slice)SLICE("pipe")) ||
        slice_equal(facts[TARGET], (struct slice)SLICE("exec"))) {
        add_part(&command, facts[PATH]);
        count_key(tally, SECTION_COMMANDS, &command, milliseconds(facts[SECS]));
    }
}

static void count_end(struct tally *tally, const struct event *event)
{
    enum { REASON, MESSAGES, FACTS };
    static const struct slice keys[FACTS] = { SLICE("end reason"), SLICE("messages") };
    struct slice facts[FACTS] = { { "", 0 }, { "", 0 } };

    take_facts(event->whole, keys, facts, FACTS);
    count_part(tally, SECTION_ENDS, facts[REASON]);
    count_total(tally, event, TOTAL_MESSAGES, number(facts[MESSAGES]));
}

static void count_trouble(struct tally *tally, const struct event *event)
{
    count_part(tally, SECTION_TROUBLES, event->whole);
}

/* What a service or a milter has asked for is no trouble, unless it could not be done. */
static void count_action(struct tally *tally, const struct event *event)
{
    static const struct slice keys[] = { SLICE("ignored") };
    struct slice ignored = { "", 0 };

    take_facts(event->text, keys, &ignored, 1);
    if (ignored.len > 0)
        count_trouble(tally, event);
}

/* A message that was not sent to its end. */
static void count_lost(struct tally *tally, const struct event *event)
{
    enum { REASON, TO, FACTS };
    static const struct slice keys[FACTS] = { SLICE("reason"), SLICE("to") };
    struct slice facts[FACTS] = { { "", 0 }, { "", 0 } };
    struct key key = { .len = 0 };

    take_facts(event->text, keys, facts, FACTS);
    add_part(&key, (struct slice)SLICE("lost"));
    add_part(&key, facts[TO]);
    add_part(&key, facts[REASON]);
    count_key(tally, SECTION_FAILURES, &key, 0);
}

/* The session has not ended by itself. */
static void count_killed(struct tally *tally, const struct event *event)
{
    count_end(tally, event);
    count_trouble(tally, event);
}

/* The first that fits counts the event. The last fits all: what nobody has thought of shall be seen. */
static void count_event(struct tally *tally, struct event *event)
{
    static const struct {
        struct slice words;
        void (*count)(struct tally *tally, const struct event *event);
    } events[] = {
        { SLICE("SMTP connection from "), count_session },
        { SLICE("ERROR: "), count_refusal },
        { SLICE("delivery "), count_delivery },
        { SLICE("message lost "), count_lost },
        { SLICE("output "), count_nothing },
        { SLICE("rewrite "), count_nothing },
        { SLICE("sender mta="), count_nothing }, /* what comes of it is a refusal, or nothing */
        { SLICE("policy action="), count_action },
        { SLICE("milter action="), count_action },
        { SLICE("end reason=killed "), count_killed },
        { SLICE("end reason=failed "), count_killed },
        { SLICE("end "), count_end },
        { SLICE("lockout: violations="), count_violation },
        { SLICE("lockout: closed "), count_closed },
        { SLICE("listed by "), count_nothing }, /* likewise */
        { SLICE("TLS protocol="), count_tls },
        { SLICE("TLS failed reason=\"handshake: "), count_handshake },
        { SLICE("authenticated "), count_login },
        { SLICE("the client has gone before it was greeted"), count_gone },
        { SLICE("DEBUG "), count_nothing },
        { SLICE(""), count_trouble },
    };
    size_t i = 0;

    while (!begins(event->whole, events[i].words))
        i++;
    event->text = event->whole;
    skip(&event->text, events[i].words.len);
    events[i].count(tally, event);
}

/* Takes `mail.notice `, which the syslog daemons of small systems write before the program. */
static void take_level(struct slice *line)
{
    struct slice rest = *line, word = take_until(&rest, ' '), facility = take_until(&word, '.');

    for (size_t i = 0; i < facility.len; i++)
        if (!is_digit(facility.text[i]) && !(facility.text[i] >= 'a' && facility.text[i] <= 'z'))
            return;
    for (size_t i = 0; i < word.len; i++)
        if (!(word.text[i] >= 'a' && word.text[i] <= 'z'))
            return;
    if (facility.len > 0 && word.len > 0)
        *line = rest;
}

/* Takes `- - ` or `- [ID KEY="VALUE"...]... `, the message's id and structured data of RFC 5424. */
static bool take_structure(struct slice *line)
{
    (void)take_until(line, ' ');
    if (take(line, (struct slice)SLICE("- ")))
        return true;
    while (take(line, (struct slice)SLICE("["))) {
        bool quoted = false;

        while (line->len > 0 && (quoted || line->text[0] != ']')) {
            quoted = quoted != (line->text[0] == '"');
            skip(line, line->text[0] == '\\' && line->len > 1 ? 2 : 1);
        }
        if (!take(line, (struct slice)SLICE("]")))
            return false;
    }
    return take(line, (struct slice)SLICE(" "));
}

/* `MAILRECV[pid]: ` or, by RFC 5424, `MAILRECV pid ID DATA ` with a byte order mark or another blank behind it */
static bool take_program(struct slice *line)
{
    size_t pid = 0;
    bool structured;

    take_level(line);
    if (!take(line, (struct slice)SLICE("MAILRECV")))
        return false;
    structured = take(line, (struct slice)SLICE(" "));
    if (!structured && !take(line, (struct slice)SLICE("[")))
        return false;
    while (pid < line->len && is_digit(line->text[pid]))
        pid++;
    skip(line, pid);
    if (pid == 0 || !take(line, structured ? (struct slice)SLICE(" ") : (struct slice)SLICE("]: ")) ||
        (structured && !take_structure(line)))
        return false;
    if (structured && !take(line, (struct slice)SLICE("\xef\xbb\xbf")))
        (void)take(line, (struct slice)SLICE(" "));
    return true;
}

/* `PROGRAM [CLIENT] EVENT` */
static bool take_head(struct slice *line, struct event *event)
{
    if (!take_program(line) || !take(line, (struct slice)SLICE("[")) || memchr(line->text, ']', line->len) == NULL)
        return false;
    event->client = take_until(line, ']');
    event->whole = *line;
    return take(&event->whole, (struct slice)SLICE(" "));
}

static bool is_moment(uint64_t when)
{
    unsigned clock = (unsigned)(when % 1000000);

    return clock / 10000 < TALLY_HOURS && clock / 100 % 100 < 60 && clock % 100 <= 60 &&
           moment_is_day((unsigned)(when / 1000000));
}

void tally_line(struct tally *tally, struct slice line)
{
    struct slice host = slice_of(tally->file_of);
    struct event event = { .when = moment_take(&line, tally->tomorrow, &host) };
    tally->totals[TOTAL_LINES]++;
    if (!is_moment(event.when) || !take_head(&line, &event)) {
        tally->totals[TOTAL_IGNORED]++;
        return;
    }
    if (event.when / 1000000 < tally->from || event.when / 1000000 > tally->to)
        return;
    if (tally->first == 0 || event.when < tally->first)
        tally->first = event.when;
    if (event.when > tally->last)
        tally->last = event.when;
    event.server = servers_find(&tally->servers, host);
    count_event(tally, &event);
}
