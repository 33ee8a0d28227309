/* environment.c - what a delivery command is told: environment variables and JSON */
/*
 * One table names the facts; each row's function writes one. The variables and the JSON object
 * are made from the same rows, so that they cannot differ.
 */
#include "delivery/environment.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"

/* The delivery that the facts are about. */
struct delivery {
    const struct transaction *transaction;
    const struct recipient *recipient;
    uint64_t size;
};

enum { FACT_MAX = 8192 };

struct fact {
    size_t len;
    char text[FACT_MAX];
};

static void set(struct fact *fact, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void set(struct fact *fact, const char *format, ...)
{
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(fact->text, sizeof fact->text, format, args);
    va_end(args);
    fact->len = len < 0 ? 0 : (size_t)len < sizeof fact->text ? (size_t)len : sizeof fact->text - 1;
}

static void set_slice(struct fact *fact, struct slice text)
{
    set(fact, "%.*s", (int)text.len, text.text);
}

static void recipient_address(const struct delivery *d, struct fact *fact)
{
    set_slice(fact, address_slice(&d->recipient->address));
}

/* With the extension taken off, if that is how the rule was reached: LOCAL@DOMAIN is its address. */
static void local(const struct delivery *d, struct fact *fact)
{
    const struct recipient *r = d->recipient;

    set(fact, "%.*s", r->extension > 0 ? (int)r->extension : (int)r->address.local_len, r->address.text);
}

static void extension(const struct delivery *d, struct fact *fact)
{
    const struct recipient *r = d->recipient;

    if (r->extension > 0)
        set(fact, "%.*s", (int)r->address.local_len - (int)r->extension - 1, r->address.text + r->extension + 1);
}

static void original(const struct delivery *d, struct fact *fact)
{
    const struct recipient *r = d->recipient;

    set_slice(fact, recipient_form(r, r->has_given ? FORM_GIVEN : FORM_CANONICAL));
}

static void domain(const struct delivery *d, struct fact *fact)
{
    set_slice(fact, address_domain(&d->recipient->address));
}

static void sender(const struct delivery *d, struct fact *fact)
{
    set_slice(fact, address_slice(d->transaction->sender));
}

static void client_address(const struct delivery *d, struct fact *fact)
{
    set(fact, "%s", d->transaction->client->address);
}

static void client_port(const struct delivery *d, struct fact *fact)
{
    if (d->transaction->client->port > 0)
        set(fact, "%u", d->transaction->client->port);
}

static void client_hostname(const struct delivery *d, struct fact *fact)
{
    (void)client_name(d->transaction->client); /* confirmed, or it is called "unknown" */
    set(fact, "%s", d->transaction->client->name);
}

static void fcrdns_result(const struct delivery *d, struct fact *fact)
{
    (void)client_name(d->transaction->client);
    set(fact, "%s", client_fcrdns(d->transaction->client));
}

static bool names(const struct host_list *list, bool allows, struct slice name)
{
    return list->allows == allows && list->verdict == LIST_YES && slice_equal(list->name, name);
}

/* The zones of the lists that the client is on; a zone may stand on several lines. */
static void set_zones(const struct host_list *lists, bool allows, struct fact *fact)
{
    for (const struct host_list *list = lists; list != NULL; list = list->next) {
        const struct host_list *first = lists;
        struct slice zone = list->name; /* not what is asked, which may hold a key */

        while (first != list && !names(first, allows, zone))
            first = first->next;
        if (first != list || !names(list, allows, zone) || fact->len + 1 + zone.len > sizeof fact->text)
            continue;
        if (fact->len > 0)
            fact->text[fact->len++] = ' ';
        memcpy(fact->text + fact->len, zone.text, zone.len);
        fact->len += zone.len;
    }
}

static void dnsbl(const struct delivery *d, struct fact *fact)
{
    set_zones(d->transaction->rules->groups.lists, false, fact);
}

static void dnswl(const struct delivery *d, struct fact *fact)
{
    set_zones(d->transaction->rules->groups.lists, true, fact);
}

static void client_helo(const struct delivery *d, struct fact *fact)
{
    set(fact, "%s", d->transaction->helo);
}

static void client_protocol(const struct delivery *d, struct fact *fact)
{
    set(fact, "%s", d->transaction->protocol);
}

static void server_address(const struct delivery *d, struct fact *fact)
{
    set(fact, "%s", d->transaction->client->server_address);
}

static void server_port(const struct delivery *d, struct fact *fact)
{
    if (d->transaction->client->server_port > 0)
        set(fact, "%u", d->transaction->client->server_port);
}

static void message_id(const struct delivery *d, struct fact *fact)
{
    set(fact, "%s", d->transaction->id);
}

static void message_size(const struct delivery *d, struct fact *fact)
{
    set(fact, "%ju", (uintmax_t)d->size);
}

static void rule(const struct delivery *d, struct fact *fact)
{
    set(fact, "%s:%u", d->transaction->rules->groups.file, d->recipient->rule->line);
}

static void allowgroup(const struct delivery *d, struct fact *fact)
{
    const struct allowgroup *group = d->recipient->rule->group;

    set_slice(fact, group != NULL ? group->name : slice_of(""));
}

static void sasl_username(const struct delivery *d, struct fact *fact)
{
    set(fact, "%s", d->transaction->client->user);
}

static void tls_protocol(const struct delivery *d, struct fact *fact)
{
    set(fact, "%s", d->transaction->client->tls.protocol);
}

static void tls_cipher(const struct delivery *d, struct fact *fact)
{
    set(fact, "%s", d->transaction->client->tls.cipher);
}

static void tls_sni(const struct delivery *d, struct fact *fact)
{
    set(fact, "%s", d->transaction->client->tls.sni);
}

static void tls_subject(const struct delivery *d, struct fact *fact)
{
    set(fact, "%s", d->transaction->client->tls.subject);
}

static void tls_fingerprint(const struct delivery *d, struct fact *fact)
{
    set(fact, "%s", d->transaction->client->tls.fingerprint);
}

static const struct row {
    const char *name;
    bool number;
    void (*get)(const struct delivery *d, struct fact *fact);
} rows[] = {
    { "SENDER", false, sender },
    { "RECIPIENT", false, recipient_address },
    { "ORIGINAL_RECIPIENT", false, original },
    { "LOCAL", false, local },
    { "DOMAIN", false, domain },
    { "EXTENSION", false, extension },
    { "CLIENT_ADDRESS", false, client_address },
    { "CLIENT_PORT", true, client_port },
    { "CLIENT_HOSTNAME", false, client_hostname },
    { "CLIENT_FCRDNS", false, fcrdns_result },
    { "DNSBL", false, dnsbl },
    { "DNSWL", false, dnswl },
    { "CLIENT_HELO", false, client_helo },
    { "CLIENT_PROTOCOL", false, client_protocol },
    { "SERVER_ADDRESS", false, server_address },
    { "SERVER_PORT", true, server_port },
    { "SASL_USERNAME", false, sasl_username },
    { "TLS_PROTOCOL", false, tls_protocol },
    { "TLS_CIPHER", false, tls_cipher },
    { "TLS_SNI", false, tls_sni },
    { "TLS_CLIENT_SUBJECT", false, tls_subject },
    { "TLS_CLIENT_FINGERPRINT", false, tls_fingerprint },
    { "MESSAGE_ID", false, message_id },
    { "MESSAGE_SIZE", true, message_size },
    { "RULE", false, rule },
    { "ALLOWGROUP", false, allowgroup },
};

enum { ROWS = sizeof rows / sizeof rows[0] };

/* ---- variables --------------------------------------------------------------------------- */

static bool append(struct environment *e, const char *bytes, size_t len)
{
    if (len > sizeof e->text - e->used)
        return false;
    memcpy(e->text + e->used, bytes, len);
    e->used += len;
    return true;
}

/* Begins a variable: NAME= */
static bool begin(struct environment *e, const char *name)
{
    if (e->count == ENVIRONMENT_VARIABLES)
        return false;
    e->variables[e->count++] = e->text + e->used;
    e->variables[e->count] = NULL;
    return append(e, name, strlen(name)) && append(e, "=", 1);
}

static bool variable(struct environment *e, const char *name, struct slice value)
{
    return begin(e, name) && append(e, value.text, value.len) && append(e, "", 1);
}

static struct slice capture(const struct recipient *r, size_t i)
{
    return (struct slice){ recipient_form(r, r->form).text + r->captures.spans[i].start, r->captures.spans[i].len };
}

/* ---- JSON -------------------------------------------------------------------------------- */

static bool json_string(struct environment *e, struct slice text)
{
    char escaped[JSON_CHARACTER];

    if (!append(e, "\"", 1))
        return false;
    while (text.len > 0) {
        struct slice character = json_character(&text, escaped);

        if (!append(e, character.text, character.len))
            return false;
    }
    return append(e, "\"", 1);
}

static bool json_member(struct environment *e, const struct row *row, const struct fact *fact)
{
    char key[32];
    size_t i = 0;

    for (; i < sizeof key - 1 && row->name[i] != '\0'; i++)
        key[i] = (char)tolower((unsigned char)row->name[i]);
    if (!json_string(e, (struct slice){ key, i }) || !append(e, ":", 1))
        return false;
    if (!row->number)
        return json_string(e, (struct slice){ fact->text, fact->len });
    return fact->len > 0 ? append(e, fact->text, fact->len) : append(e, "null", 4);
}

static bool json_object(struct environment *e, const struct delivery *d)
{
    struct fact fact;

    if (!begin(e, "MAILRECV_JSON") || !append(e, "{", 1))
        return false;
    for (size_t i = 0; i < ROWS; i++) {
        fact.len = 0;
        rows[i].get(d, &fact);
        if (!json_member(e, &rows[i], &fact) || !append(e, ",", 1))
            return false;
    }
    if (!append(e, "\"match\":[", 9))
        return false;
    for (size_t i = 0; i < d->recipient->captures.count; i++)
        if ((i > 0 && !append(e, ",", 1)) || !json_string(e, capture(d->recipient, i)))
            return false;
    return append(e, "]}", 3); /* its NUL, too */
}

bool environment_build(struct environment *environment, const struct transaction *transaction,
                       const struct recipient *recipient, uint64_t size)
{
    const struct delivery delivery = { transaction, recipient, size };
    struct fact fact;

    environment->count = environment->used = 0;
    if (!variable(environment, "PATH", slice_of(ENVIRONMENT_PATH)))
        return false;
    for (size_t i = 0; i < ROWS; i++) {
        fact.len = 0;
        rows[i].get(&delivery, &fact);
        if (!variable(environment, rows[i].name, (struct slice){ fact.text, fact.len }))
            return false;
    }
    for (size_t i = 0; i < recipient->captures.count; i++) {
        char name[32];

        (void)snprintf(name, sizeof name, "MATCH_%zu", i + 1);
        if (!variable(environment, name, capture(recipient, i)))
            return false;
    }
    return json_object(environment, &delivery);
}

const char *environment_argument(const struct transaction *transaction, const struct recipient *recipient,
                                 const struct argument *argument, char *buffer, size_t size)
{
    static void (*const get[ARGUMENT_WORD])(const struct delivery *d, struct fact *fact) = {
        [ARGUMENT_SENDER] = sender,       [ARGUMENT_RECIPIENT] = recipient_address,
        [ARGUMENT_LOCAL] = local,         [ARGUMENT_DOMAIN] = domain,
        [ARGUMENT_EXTENSION] = extension, [ARGUMENT_CLIENT_ADDRESS] = client_address,
    };
    const struct delivery delivery = { transaction, recipient, 0 };
    struct fact fact = { .len = 0 };

    if (argument->stands_for == ARGUMENT_WORD)
        set_slice(&fact, argument->text);
    else
        get[argument->stands_for](&delivery, &fact);
    (void)snprintf(buffer, size, "%.*s", (int)fact.len, fact.text); /* the caller's buffer fits it */
    return buffer;
}
