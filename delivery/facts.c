/* facts.c - what there is to say about one delivery: a table, each row with the function that writes one fact */
#include "delivery/facts.h"

#include "delivery/ledger.h"

static void put(struct text *fact, const char *text)
{
    text_put(fact, slice_of(text));
}

static void recipient_address(const struct delivery *d, struct text *fact)
{
    text_put(fact, address_slice(&d->recipient->address));
}

/* Of this run, a line each. */
static void recipients(const struct delivery *d, struct text *fact)
{
    for (const struct recipient *r = d->recipient; r != NULL; r = r->together) {
        put(fact, fact->len > 0 ? "\n" : "");
        text_put(fact, address_slice(&r->address));
    }
}

/* With the extension taken off, if that is how the rule was reached: LOCAL@DOMAIN is its address. */
static void local(const struct delivery *d, struct text *fact)
{
    const struct recipient *r = d->recipient;

    text_put(fact, (struct slice){ r->address.text, r->extension > 0 ? r->extension : r->address.local_len });
}

static void extension(const struct delivery *d, struct text *fact)
{
    const struct recipient *r = d->recipient;

    if (r->extension > 0)
        text_put(fact, (struct slice){ r->address.text + r->extension + 1, r->address.local_len - r->extension - 1U });
}

static void original(const struct delivery *d, struct text *fact)
{
    const struct recipient *r = d->recipient;

    text_put(fact, r->has_original ? slice_of(r->other->original)
                                   : recipient_form(r, r->has_given ? FORM_GIVEN : FORM_CANONICAL));
}

static void domain(const struct delivery *d, struct text *fact)
{
    text_put(fact, address_domain(&d->recipient->address));
}

static void sender(const struct delivery *d, struct text *fact)
{
    text_put(fact, address_slice(d->transaction->sender));
}

static void sender_local(const struct delivery *d, struct text *fact)
{
    text_put(fact, (struct slice){ d->transaction->sender->text, d->transaction->sender->local_len });
}

static void sender_domain(const struct delivery *d, struct text *fact)
{
    text_put(fact, address_domain(d->transaction->sender));
}

static void mail_parameters(const struct delivery *d, struct text *fact)
{
    put(fact, d->transaction->parameters);
}

static void recipient_count(const struct delivery *d, struct text *fact)
{
    text_number(fact, d->transaction->recipients, 1);
}

static void client_address(const struct delivery *d, struct text *fact)
{
    put(fact, d->transaction->client->address);
}

static void client_port(const struct delivery *d, struct text *fact)
{
    if (d->transaction->client->port > 0)
        text_number(fact, d->transaction->client->port, 1);
}

static void client_hostname(const struct delivery *d, struct text *fact)
{
    put(fact, client_shown_name(d->transaction->client));
}

static void fcrdns_result(const struct delivery *d, struct text *fact)
{
    (void)client_shown_name(d->transaction->client);
    put(fact, client_fcrdns(d->transaction->client));
}

static bool names(const struct host_list *list, bool allows, struct slice name)
{
    return list->allows == allows && list->verdict == LIST_YES && slice_equal(list->name, name);
}

/* The zones of the lists that the client is on; a zone may stand on several lines. */
static void put_zones(const struct host_list *lists, bool allows, struct text *fact)
{
    for (const struct host_list *list = lists; list != NULL; list = list->next) {
        const struct host_list *first = lists;
        struct slice zone = list->name; /* not what is asked, which may hold a key */

        while (first != list && !names(first, allows, zone))
            first = first->next;
        if (first != list || !names(list, allows, zone))
            continue;
        put(fact, fact->len > 0 ? " " : "");
        text_put(fact, zone);
    }
}

static void dnsbl(const struct delivery *d, struct text *fact)
{
    put_zones(d->transaction->rules->groups.lists, false, fact);
}

static void dnswl(const struct delivery *d, struct text *fact)
{
    put_zones(d->transaction->rules->groups.lists, true, fact);
}

static void client_helo(const struct delivery *d, struct text *fact)
{
    put(fact, d->transaction->helo);
}

static void client_protocol(const struct delivery *d, struct text *fact)
{
    put(fact, d->transaction->protocol);
}

static void server_address(const struct delivery *d, struct text *fact)
{
    put(fact, d->transaction->client->server_address);
}

static void server_port(const struct delivery *d, struct text *fact)
{
    if (d->transaction->client->server_port > 0)
        text_number(fact, d->transaction->client->server_port, 1);
}

static void server_name(const struct delivery *d, struct text *fact)
{
    text_put(fact, d->transaction->rules->domain);
}

static void put_time(struct text *fact, const struct timespec *time)
{
    text_number(fact, (uint64_t)time->tv_sec, 1);
    put(fact, ".");
    text_number(fact, (uint64_t)time->tv_nsec / 1000, 6);
}

static void connected_at(const struct delivery *d, struct text *fact)
{
    put_time(fact, &d->transaction->connected_at);
}

static void received_at(const struct delivery *d, struct text *fact)
{
    put_time(fact, &d->transaction->received_at);
}

static void message_id(const struct delivery *d, struct text *fact)
{
    put(fact, d->transaction->id);
}

static void delivery_id(const struct delivery *d, struct text *fact)
{
    char name[LEDGER_NAME];

    put(fact, ledger_name(d->transaction, d->recipient, name));
}

static void message_size(const struct delivery *d, struct text *fact)
{
    text_number(fact, d->size, 1);
}

static void rule(const struct delivery *d, struct text *fact)
{
    const struct source *sources = d->transaction->rules->groups.sources;
    unsigned line = d->recipient->rule->line;

    put(fact, source_path(sources, line));
    put(fact, ":");
    text_number(fact, source_line(sources, line), 1);
}

/* Of several groups that the line wants all are named. */
static void allowgroup(const struct delivery *d, struct text *fact)
{
    for (const struct condition *c = d->recipient->rule->conditions; c != NULL; c = c->next)
        if (c->kind == CONDITION_GROUP) {
            put(fact, fact->len > 0 ? " " : "");
            text_put(fact, c->group->name);
        }
}

static void table_value(const struct delivery *d, struct text *fact)
{
    text_put(fact, d->recipient->value);
}

static void sasl_username(const struct delivery *d, struct text *fact)
{
    put(fact, d->transaction->client->user);
}

static void tls_protocol(const struct delivery *d, struct text *fact)
{
    put(fact, d->transaction->client->tls.protocol);
}

static void tls_cipher(const struct delivery *d, struct text *fact)
{
    put(fact, d->transaction->client->tls.cipher);
}

static void tls_sni(const struct delivery *d, struct text *fact)
{
    put(fact, d->transaction->client->tls.sni);
}

static void tls_subject(const struct delivery *d, struct text *fact)
{
    put(fact, d->transaction->client->tls.subject);
}

static void tls_fingerprint(const struct delivery *d, struct text *fact)
{
    put(fact, d->transaction->client->tls.fingerprint);
}

const struct fact facts[FACTS] = {
    { "SENDER", FACT_TEXT, sender },
    { "SENDER_LOCAL", FACT_TEXT, sender_local },
    { "SENDER_DOMAIN", FACT_TEXT, sender_domain },
    { "MAIL_PARAMETERS", FACT_TEXT, mail_parameters },
    { "RECIPIENT", FACT_TEXT, recipient_address },
    { "RECIPIENTS", FACT_LINES, recipients },
    { "RECIPIENT_COUNT", FACT_NUMBER, recipient_count },
    { "ORIGINAL_RECIPIENT", FACT_TEXT, original },
    { "LOCAL", FACT_TEXT, local },
    { "DOMAIN", FACT_TEXT, domain },
    { "EXTENSION", FACT_TEXT, extension },
    { "CLIENT_ADDRESS", FACT_TEXT, client_address },
    { "CLIENT_PORT", FACT_NUMBER, client_port },
    { "CLIENT_HOSTNAME", FACT_TEXT, client_hostname },
    { "CLIENT_FCRDNS", FACT_TEXT, fcrdns_result },
    { "DNSBL", FACT_TEXT, dnsbl },
    { "DNSWL", FACT_TEXT, dnswl },
    { "CLIENT_HELO", FACT_TEXT, client_helo },
    { "CLIENT_PROTOCOL", FACT_TEXT, client_protocol },
    { "SERVER_ADDRESS", FACT_TEXT, server_address },
    { "SERVER_PORT", FACT_NUMBER, server_port },
    { "SERVER_NAME", FACT_TEXT, server_name },
    { "CONNECTED_AT", FACT_NUMBER, connected_at },
    { "RECEIVED_AT", FACT_NUMBER, received_at },
    { "SASL_USERNAME", FACT_TEXT, sasl_username },
    { "TLS_PROTOCOL", FACT_TEXT, tls_protocol },
    { "TLS_CIPHER", FACT_TEXT, tls_cipher },
    { "TLS_SNI", FACT_TEXT, tls_sni },
    { "TLS_CLIENT_SUBJECT", FACT_TEXT, tls_subject },
    { "TLS_CLIENT_FINGERPRINT", FACT_TEXT, tls_fingerprint },
    { "MESSAGE_ID", FACT_TEXT, message_id },
    { "DELIVERY_ID", FACT_TEXT, delivery_id },
    { "MESSAGE_SIZE", FACT_NUMBER, message_size },
    { "RULE", FACT_TEXT, rule },
    { "ALLOWGROUP", FACT_TEXT, allowgroup },
    { "TABLE_VALUE", FACT_TEXT, table_value },
};

const char *facts_argument(const struct transaction *transaction, const struct recipient *recipient,
                           const struct argument *argument, char *buffer, size_t size)
{
    static void (*const get[ARGUMENT_WORD])(const struct delivery *d, struct text *fact) = {
        [ARGUMENT_SENDER] = sender,       [ARGUMENT_RECIPIENT] = recipient_address,
        [ARGUMENT_LOCAL] = local,         [ARGUMENT_DOMAIN] = domain,
        [ARGUMENT_EXTENSION] = extension, [ARGUMENT_CLIENT_ADDRESS] = client_address,
        [ARGUMENT_VALUE] = table_value,
    };
    const struct delivery delivery = { transaction, recipient, 0 };
    struct text text = { buffer, size - 1, 0 };

    if (argument->stands_for == ARGUMENT_WORD)
        text_put(&text, argument->text);
    else
        get[argument->stands_for](&delivery, &text);
    buffer[text.len] = '\0'; /* the caller's buffer fits it */
    return buffer;
}
