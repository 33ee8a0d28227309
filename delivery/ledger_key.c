/* ledger_key.c - which delivery is the same as another one: a digest of sender, recipient and message */
#include "delivery/ledger_key.h"

#include <string.h>

#include <sha2.h>

#include "base/cold.h"

enum { FIELD_NAME = 32, EDGE = 8192 /* bytes of a long body, at either end */ };

/*
 * The fields that a server on the way adds or changes each time it sends a message on: what is in them is new with each
 * attempt, or depends on the way that it takes. A name that ends in a hyphen stands for all that begin so.
 */
static const char left_out[][FIELD_NAME] = {
    "arc-",                     /* sealed by each server when it sends (RFC 8617): time, signature */
    "authentication-results",   /* what a server on the way has found out about the one before (RFC 8601) */
    "delivered-to",             /* of each delivery on the way (RFC 9228) */
    "delivery-date",            /* Exim: the time of this attempt */
    "dkim-",                    /* signed by many servers when they send (RFC 6376): time, signature; ids */
    "domainkey-signature",      /* the same, before DKIM */
    "envelope-to",              /* Exim: the recipients of this attempt */
    "received",                 /* of each server on the way (RFC 5321 4.4): time, id */
    "received-spf",             /* what a server on the way has found out about the one before (RFC 7208 9.1) */
    "return-path",              /* from the envelope, which is looked at anyway */
    "x-envelope-",              /* other servers: the same as Envelope-To, and the sender */
    "x-forefront-antispam-report", /* Exchange: what this attempt was found to be */
    "x-gm-",                    /* Google: what the server that sends has to say to itself */
    "x-google-",                /* Google: signature and source of this attempt */
    "x-microsoft-antispam",     /* Exchange: what this attempt was found to be; */
    "x-microsoft-antispam-",    /* the same */
    "x-ms-exchange-",           /* Exchange: times, ids, the servers on the way */
    "x-original-to",            /* Postfix: the recipient before it was rewritten */
    "x-received",               /* Google: as Received */
    "x-spam-",                  /* filters that the message passes each time: score, time taken */
    "x-virus-",                 /* the same */
};

_Static_assert(LEDGER_DIGEST == SHA256_DIGEST_LENGTH, "digests are of SHA-256");

/* ---- the header ------------------------------------------------------------------------------ */

/* Where the reader of a header stands. */
struct reading {
    SHA2_CTX *context;
    enum { LINE_START, IN_NAME, IN_FIELD, HEADER_OVER } state;
    bool leave_out;       /* of the field in which we are */
    size_t name_len;
    char name[FIELD_NAME]; /* what has come of it, not yet taken */
};

static void take(const struct reading *r, const char *bytes, size_t len)
{
    SHA256Update(r->context, (const uint8_t *)bytes, len);
}

/* Is this entry the name, or its beginning? */
static bool stands_for(const char *entry, struct slice name)
{
    size_t len = strlen(entry);

    if (entry[len - 1] == '-' && name.len > len)
        name.len = len;
    return slice_equal_nocase(slice_of(entry), name);
}

static bool is_left_out(struct slice name)
{
    for (size_t i = 0; i < sizeof left_out / sizeof left_out[0]; i++)
        if (stands_for(left_out[i], name))
            return true;
    return false;
}

/* The name is complete, or longer than any that matters; or there is none, and with that no more header. */
static void end_name(struct reading *r, char c)
{
    const struct slice name = { r->name, r->name_len };

    r->state = c == ':' || r->name_len == sizeof r->name ? IN_FIELD : HEADER_OVER;
    r->leave_out = r->state == IN_FIELD && is_left_out(name);
    if (!r->leave_out)
        take(r, name.text, name.len);
    r->name_len = 0;
}

/* At the beginning of a line: does it go on with the field before? */
static void begin_line(struct reading *r, char c)
{
    r->state = c == ' ' || c == '\t' ? IN_FIELD : c == '\n' ? HEADER_OVER : IN_NAME;
}

/* Takes the bytes of a header, and says how many those are: all, or up to its end. */
static size_t read_header(struct reading *r, struct slice bytes)
{
    size_t i = 0;

    while (i < bytes.len && r->state != HEADER_OVER) {
        const char c = bytes.text[i];
        const char *lf;
        size_t len;

        if (r->state == LINE_START)
            begin_line(r, c);
        if (r->state == IN_NAME && c > ' ' && c != ':' && r->name_len < sizeof r->name)
            r->name[r->name_len++] = bytes.text[i++];
        else if (r->state == IN_NAME)
            end_name(r, c);
        if (r->state != IN_FIELD)
            continue;
        lf = memchr(bytes.text + i, '\n', bytes.len - i);
        len = lf != NULL ? (size_t)(lf + 1 - (bytes.text + i)) : bytes.len - i;
        if (!r->leave_out)
            take(r, bytes.text + i, len);
        i += len;
        if (lf != NULL)
            r->state = LINE_START;
    }
    return i;
}

/* ---- the message ----------------------------------------------------------------------------- */

static char buffer[SPOOL_PIECE] COLD_BSS;

/* Takes the message from `offset` to `end`. */
static bool take_range(const struct reading *r, const struct spool *spool, uint64_t offset, uint64_t end)
{
    while (offset < end) {
        uint64_t left = end - offset;
        struct slice piece = spool_piece(spool, offset, buffer, left < sizeof buffer ? (size_t)left : sizeof buffer);

        if (piece.text == NULL || piece.len == 0)
            return false;
        take(r, piece.text, piece.len);
        offset += piece.len;
    }
    return true;
}

static bool take_body(const struct reading *r, const struct spool *spool, uint64_t offset, enum ledger_extent extent)
{
    const uint64_t len = spool->size - offset;

    SHA256Update(r->context, (const uint8_t *)&len, sizeof len);
    if (extent == LEDGER_WHOLE || len <= 2 * (uint64_t)EDGE)
        return take_range(r, spool, offset, spool->size);
    return take_range(r, spool, offset, offset + EDGE) && take_range(r, spool, spool->size - EDGE, spool->size);
}

/* Message-ID is a field that is not left out, as all that the sender itself has written. */
bool ledger_key_message(const struct spool *spool, enum ledger_extent extent, unsigned char digest[LEDGER_DIGEST])
{
    SHA2_CTX context;
    struct reading reading = { .context = &context, .state = LINE_START };
    uint64_t offset = 0;
    bool done;

    SHA256Init(&context);
    while (offset < spool->size && reading.state != HEADER_OVER) {
        struct slice piece = spool_piece(spool, offset, buffer, sizeof buffer);

        if (piece.text == NULL || piece.len == 0)
            return false;
        offset += read_header(&reading, piece);
    }
    take(&reading, reading.name, reading.name_len); /* a message that ends in one */
    done = take_body(&reading, spool, offset, extent);
    SHA256Final(digest, &context);
    return done;
}

/* ---- the delivery ---------------------------------------------------------------------------- */

/* With its length, so that no two different rows of texts are the same bytes. */
static void take_text(SHA2_CTX *context, struct slice text)
{
    const uint64_t len = text.len;

    SHA256Update(context, (const uint8_t *)&len, sizeof len);
    SHA256Update(context, (const uint8_t *)text.text, text.len);
}

/* How many also lines before this one have the same target in the file: what a copy gets may differ all the same. */
static uint64_t count_alike(const struct rules *rules, const struct rule *also)
{
    uint64_t count = 0;

    for (const struct rule *rule = rules->first_rule; rule != NULL && rule != also; rule = rule->next)
        count += rule->kind == RULE_ALSO && slice_equal(rule->target.text, also->target.text);
    return count;
}

/*
 * A recipient has one delivery, whatever its line says by then; of the copies by also lines each is another one, and
 * what tells them apart is where they go. The line is no part of it, since the file may change before the sender comes
 * again; what the client wrote is, since two spellings in one message may be for different lines. Nor is the order of
 * the recipients: who sends again may leave out those that it knows to be done.
 */
void ledger_key_delivery(const struct transaction *transaction, const struct recipient *recipient,
                         const unsigned char message[LEDGER_DIGEST], unsigned char key[LEDGER_KEY])
{
    const struct rule *rule = recipient->rule;
    unsigned char digest[LEDGER_DIGEST];
    SHA2_CTX context;
    uint64_t alike;

    SHA256Init(&context);
    SHA256Update(&context, message, LEDGER_DIGEST);
    take_text(&context, address_slice(transaction->said_sender));
    take_text(&context, recipient_form(recipient, FORM_CANONICAL));
    take_text(&context, recipient_form(recipient, FORM_GIVEN));
    if (rule->kind == RULE_ALSO) {
        take_text(&context, rule->target.text);
        for (size_t i = 0; i < rule->target.argument_count; i++)
            take_text(&context, rule->target.arguments[i].text);
        alike = count_alike(transaction->rules, rule);
        SHA256Update(&context, (const uint8_t *)&alike, sizeof alike);
    }
    SHA256Final(digest, &context);
    memcpy(key, digest, LEDGER_KEY);
}
