/* wire.c - what an answer of the DNS says: a message to facts; pure */
/*
 * A cursor moves through the message; whatever does not fit makes it fail, and it stays failed. The records
 * are gone through once for each name of the CNAME chain, so that their order does not matter.
 */
#include "dns/wire.h"

#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>

enum {
    HEADER = 12,     /* bytes */
    JUMPS = 64,      /* compression pointers in one name; RFC 1035 needs few */
    TYPE_CNAME = 5,
    CLASS_IN = 1,
    NXDOMAIN = 3
};

struct cursor {
    const unsigned char *message;
    size_t len, at;
    bool failed;
    unsigned preferences[ANSWER_NAMES]; /* of the mail hosts so far */
};

/* A name in lower case without its final dot; the root is empty. */
struct name {
    char text[DOMAIN_MAX + 1];
    size_t len;
    bool odd; /* holds bytes that text cannot show: equal to no name */
};

struct record {
    struct name owner;
    unsigned type, class;
    size_t data, end; /* where its data begins and ends */
};

static unsigned take_byte(struct cursor *c)
{
    if (c->at >= c->len) {
        c->failed = true;
        return 0;
    }
    return c->message[c->at++];
}

static unsigned take_two(struct cursor *c)
{
    unsigned high = take_byte(c);

    return high << 8 | take_byte(c);
}

static void skip(struct cursor *c, size_t count)
{
    if (count > c->len - c->at)
        c->failed = true;
    else
        c->at += count;
}

/* A dot, a backslash or a blank inside a label would make another name of it. */
static void add_label(struct cursor *c, struct name *name, unsigned len)
{
    if (name->len + (name->len > 0) + len > DOMAIN_MAX - 1) { /* RFC 1035 2.3.4, in text form */
        c->failed = true;
        return;
    }
    if (name->len > 0)
        name->text[name->len++] = '.';
    for (; len > 0; len--) {
        char byte = (char)take_byte(c);

        name->odd = name->odd || byte <= ' ' || byte > '~' || byte == '.' || byte == '\\';
        name->text[name->len++] = lower_ascii(byte);
    }
}

/* A name (RFC 1035 4.1.4); the cursor ends up behind it, wherever its pointers led. */
static void take_name(struct cursor *c, struct name *name)
{
    size_t behind = 0, jumps = 0;
    unsigned len;

    *name = (struct name){ .len = 0 };
    while (!c->failed && (len = take_byte(c)) != 0) {
        if (len < 0x40) {
            add_label(c, name, len);
        } else if (len >= 0xc0 && jumps++ < JUMPS) {
            size_t target = (len & 0x3f) << 8 | take_byte(c);

            behind = behind == 0 ? c->at : behind;
            c->at = target < c->len ? target : c->len;
        } else {
            c->failed = true;
        }
    }
    name->text[name->len] = '\0';
    if (behind != 0)
        c->at = behind;
}

static bool same(const struct name *name, const char *text)
{
    return !name->odd && slice_equal_nocase((struct slice){ name->text, name->len }, slice_of(text));
}

static void take_record(struct cursor *c, struct record *record)
{
    size_t len;

    take_name(c, &record->owner);
    record->type = take_two(c);
    record->class = take_two(c);
    skip(c, 4); /* its time to live: a session is shorter, or does not care */
    len = take_two(c);
    record->data = c->at;
    skip(c, len);
    record->end = c->at;
}

static void add_address(struct cursor *c, size_t size, size_t len, struct answer *answer)
{
    if (len != size)
        c->failed = true;
    else if (answer->count < ANSWER_ADDRESSES)
        memcpy(answer->addresses[answer->count++], c->message + c->at, size);
    skip(c, len);
}

static void add_name(struct cursor *c, struct answer *answer)
{
    struct name name;

    take_name(c, &name);
    if (!name.odd && name.len > 0 && answer->count < ANSWER_NAMES)
        memcpy(answer->names[answer->count++], name.text, name.len + 1);
}

/* To its place among the others: the lower its preference, the sooner it is tried (RFC 5321 5.1). */
static void add_mail_host(struct cursor *c, struct answer *answer)
{
    unsigned preference = take_two(c);
    struct name name;
    size_t at;

    take_name(c, &name);
    answer->null_mx = name.len == 0 && (answer->count == 0 || answer->null_mx);
    at = answer->count < ANSWER_NAMES ? answer->count++ : ANSWER_NAMES;
    for (; at > 0 && c->preferences[at - 1] > preference; at--) {
        if (at == ANSWER_NAMES)
            continue; /* the last one falls off */
        c->preferences[at] = c->preferences[at - 1];
        memcpy(answer->names[at], answer->names[at - 1], sizeof answer->names[at]);
    }
    if (at == ANSWER_NAMES)
        return;
    c->preferences[at] = preference;
    memcpy(answer->names[at], name.text, name.len + 1);
    if (name.odd)
        answer->names[at][0] = '\0';
}

/* Character-strings, which are one text (RFC 7208 3.3). Of several records the first counts. */
static void add_text(struct cursor *c, size_t end, struct answer *answer)
{
    size_t used = 0;

    if (answer->count++ > 0) {
        c->at = end;
        return;
    }
    while (!c->failed && c->at < end) {
        for (unsigned len = take_byte(c); len > 0 && !c->failed; len--) {
            char byte = (char)take_byte(c);

            if (used < ANSWER_TEXT)
                answer->text[used++] = (char)(byte >= ' ' && byte <= '~' ? byte : '?');
        }
    }
    answer->text[used] = '\0';
}

/* What one record says. Its data must end where the message says so. */
static void add_record(struct cursor *c, const struct record *record, struct answer *answer)
{
    size_t behind = c->at;

    c->at = record->data;
    switch (record->type) {
    case ANSWER_A:
        add_address(c, 4, record->end - record->data, answer);
        break;
    case ANSWER_AAAA:
        add_address(c, 16, record->end - record->data, answer);
        break;
    case ANSWER_PTR:
        add_name(c, answer);
        break;
    case ANSWER_MX:
        add_mail_host(c, answer);
        break;
    default:
        add_text(c, record->end, answer);
    }
    c->failed = c->failed || c->at != record->end;
    c->at = behind;
}

/*
 * Goes through `count` records for those of `name`. True: it is another name for what `name` then is.
 */
static bool read_records(struct cursor *c, unsigned count, enum answer_type type, struct name *name,
                         struct answer *answer)
{
    struct name alias = { .odd = true };
    struct record record;

    for (; count > 0 && !c->failed; count--) {
        take_record(c, &record);
        if (c->failed || record.class != CLASS_IN || !same(&record.owner, name->text))
            continue;
        if (record.type == (unsigned)type) {
            add_record(c, &record, answer);
        } else if (record.type == TYPE_CNAME) {
            struct cursor data = { .message = c->message, .len = c->len, .at = record.data };

            take_name(&data, &alias);
            c->failed = data.failed || data.at != record.end;
        }
    }
    if (answer->count > 0 || alias.odd)
        return false;
    *name = alias;
    return true;
}

/* The header and the question, which must be the one that was asked. Returns the number of records. */
static unsigned read_question(struct cursor *c, enum answer_type type, const char *asked, unsigned *code)
{
    struct name name;
    unsigned flags, questions, records;

    skip(c, 2); /* the id, which the resolver has compared */
    flags = take_two(c);
    questions = take_two(c);
    records = take_two(c);
    skip(c, 4); /* what the other sections hold is nobody's answer */
    take_name(c, &name);
    /* a response to a standard query, not truncated */
    c->failed = c->failed || (flags & 0xfa00) != 0x8000 || questions != 1 || !same(&name, asked) ||
                take_two(c) != (unsigned)type || take_two(c) != CLASS_IN;
    *code = flags & 15;
    return records;
}

void wire_read(const unsigned char *message, size_t len, enum answer_type type, const char *name,
                 struct answer *answer)
{
    struct cursor c = { .message = message, .len = len };
    unsigned code, records = read_question(&c, type, name, &code);
    size_t begin = c.at;
    struct name at = { .len = 0 };
    unsigned hops = 0;

    *answer = (struct answer){ .status = ANSWER_UNSURE };
    if (c.failed || strlen(name) > DOMAIN_MAX)
        return;
    if (code != 0) {
        answer->status = code == NXDOMAIN ? ANSWER_NONE : ANSWER_UNSURE;
        return;
    }
    memcpy(at.text, name, strlen(name) + 1);
    while (read_records(&c, records, type, &at, answer) && !c.failed && hops++ < ANSWER_CHAIN)
        c.at = begin;
    if (!c.failed && hops <= ANSWER_CHAIN)
        answer->status = answer->count > 0 ? ANSWER_FOUND : ANSWER_NONE;
}

bool wire_reversed(int family, const unsigned char bytes[16], struct slice zone, char name[DOMAIN_MAX + 1])
{
    size_t used = 0;

    if (family == AF_INET)
        used = (size_t)snprintf(name, DOMAIN_MAX + 1, "%u.%u.%u.%u.", bytes[3], bytes[2], bytes[1], bytes[0]);
    for (size_t i = 0; family == AF_INET6 && i < 16; i++)
        used += (size_t)snprintf(name + used, DOMAIN_MAX + 1 - used, "%x.%x.", bytes[15 - i] & 15U,
                                 (unsigned)bytes[15 - i] >> 4);
    if (used + zone.len > DOMAIN_MAX)
        return false;
    memcpy(name + used, zone.text, zone.len);
    name[used + zone.len] = '\0';
    return true;
}
