/* milter_macros.c - macros that a milter is told before a command: a table, each row with the function that writes its value; pure */
#include "handlers/milter_macros.h"

#include <time.h>

static void put_string(struct text *out, const char *value)
{
    text_put_value(out, slice_of(value));
}

static void put_port(struct text *out, unsigned port)
{
    if (port != 0)
        text_number(out, port, 1);
}

static bool is_local(const struct milter_facts *facts)
{
    return facts->client->family == AF_UNSPEC;
}

static const char *client_address(const struct milter_facts *facts)
{
    return is_local(facts) ? "127.0.0.1" : facts->client->address;
}

/* ---- of the connection ----------------------------------------------------------------------- */

static void put_domain(const struct milter_facts *facts, struct text *out)
{
    text_put_value(out, facts->domain);
}

static void put_client_name(const struct milter_facts *facts, struct text *out)
{
    if (is_local(facts))
        put_string(out, "localhost");
    else if (facts->client->state == CLIENT_NAME_CONFIRMED)
        put_string(out, facts->client->name);
    else
        put_string(out, "unknown");
}

/* name [address]; only a name that leads back to the address is known here */
static void put_client(const struct milter_facts *facts, struct text *out)
{
    put_client_name(facts, out);
    put_string(out, " [");
    put_string(out, client_address(facts));
    put_string(out, "]");
}

static void put_version(const struct milter_facts *facts, struct text *out)
{
    (void)facts;
    put_string(out, "mailrecv " VERSION);
}

static void put_server_address(const struct milter_facts *facts, struct text *out)
{
    put_string(out, facts->client->server_address);
}

static void put_server_port(const struct milter_facts *facts, struct text *out)
{
    put_port(out, facts->client->server_port);
}

static void put_client_address(const struct milter_facts *facts, struct text *out)
{
    put_string(out, client_address(facts));
}

static void put_client_port(const struct milter_facts *facts, struct text *out)
{
    put_port(out, facts->client->port);
}

/* As Sendmail has it: whether the name leads back to the address. */
static void put_resolve(const struct milter_facts *facts, struct text *out)
{
    static const char *const words[] = { [CLIENT_NAME_UNASKED] = "", [CLIENT_NAME_CONFIRMED] = "OK", [CLIENT_NAME_NONE] = "FAIL",
                                         [CLIENT_NAME_FAIL] = "FORGED", [CLIENT_NAME_UNSURE] = "TEMP" };

    put_string(out, words[facts->client->state]);
}

/* ---- of TLS and of who has authenticated ------------------------------------------------------- */

static void put_tls(const struct milter_facts *facts, struct text *out)
{
    put_string(out, facts->client->tls.protocol);
}

static void put_cipher(const struct milter_facts *facts, struct text *out)
{
    put_string(out, facts->client->tls.cipher);
}

static void put_bits(const struct milter_facts *facts, struct text *out)
{
    if (facts->client->tls.protocol[0] != '\0')
        put_string(out, client_tls_bits(&facts->client->tls));
}

static void put_subject(const struct milter_facts *facts, struct text *out)
{
    put_string(out, facts->client->tls.subject);
}

static void put_issuer(const struct milter_facts *facts, struct text *out)
{
    put_string(out, facts->client->tls.issuer);
}

/* Whether a client has said PLAIN or LOGIN is not kept: both are a name with its password. */
static void put_auth_type(const struct milter_facts *facts, struct text *out)
{
    put_string(out, facts->client->user[0] != '\0' ? "PLAIN" : "");
}

static void put_user(const struct milter_facts *facts, struct text *out)
{
    put_string(out, facts->client->user);
}

/* ---- of the message ---------------------------------------------------------------------------- */

static void put_id(const struct milter_facts *facts, struct text *out)
{
    put_string(out, facts->id);
}

static void put_sender(const struct milter_facts *facts, struct text *out)
{
    if (facts->sender != NULL)
        text_put_value(out, address_slice(facts->sender));
}

static void put_sender_host(const struct milter_facts *facts, struct text *out)
{
    if (facts->sender != NULL)
        text_put_value(out, address_domain(facts->sender));
}

static void put_sender_mailer(const struct milter_facts *facts, struct text *out)
{
    put_string(out, facts->sender != NULL ? "smtp" : "");
}

static void put_recipient(const struct milter_facts *facts, struct text *out)
{
    if (facts->recipient != NULL)
        text_put_value(out, address_slice(&facts->recipient->address));
}

static void put_recipient_host(const struct milter_facts *facts, struct text *out)
{
    if (facts->recipient != NULL)
        text_put_value(out, address_domain(&facts->recipient->address));
}

static void put_recipient_mailer(const struct milter_facts *facts, struct text *out)
{
    text_put_value(out, facts->next_mailer);
}

static void put_message_id(const struct milter_facts *facts, struct text *out)
{
    text_put_value(out, facts->message_id);
}

static void put_date(const struct milter_facts *facts, struct text *out)
{
    char date[48];
    struct tm local;

    if (facts->id[0] != '\0' && localtime_r(&facts->received, &local) != NULL)
        text_put(out, (struct slice){ date, strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S %z", &local) });
}

/* ---- the table ----------------------------------------------------------------------------------- */

#define AT(command) (1U << (command))
#define AT_MESSAGE (AT(MILTER_MAIL) | AT(MILTER_RCPT) | AT(MILTER_DATA_COMMAND) | AT(MILTER_EOH) | AT(MILTER_EOB))

/* When Sendmail or Postfix would say it unasked. Names of one letter have no braces around them. */
static const struct {
    char name[16];
    void (*put)(const struct milter_facts *facts, struct text *out);
    unsigned at;
} macros[] = {
    { "j", put_domain, AT(MILTER_CONNECT) | AT(MILTER_HELO) | AT(MILTER_EOB) },
    { "_", put_client, AT(MILTER_CONNECT) },
    { "v", put_version, AT(MILTER_CONNECT) },
    { "daemon_name", put_domain, AT(MILTER_CONNECT) },
    { "daemon_addr", put_server_address, AT(MILTER_CONNECT) },
    { "daemon_port", put_server_port, AT(MILTER_CONNECT) },
    { "if_addr", put_server_address, AT(MILTER_CONNECT) },
    { "client_addr", put_client_address, AT(MILTER_CONNECT) },
    { "client_name", put_client_name, AT(MILTER_CONNECT) },
    { "client_ptr", put_client_name, AT(MILTER_CONNECT) },
    { "client_port", put_client_port, AT(MILTER_CONNECT) },
    { "client_resolve", put_resolve, AT(MILTER_CONNECT) },
    { "tls_version", put_tls, AT(MILTER_HELO) },
    { "cipher", put_cipher, AT(MILTER_HELO) },
    { "cipher_bits", put_bits, AT(MILTER_HELO) },
    { "cert_subject", put_subject, AT(MILTER_HELO) },
    { "cert_issuer", put_issuer, AT(MILTER_HELO) },
    { "i", put_id, AT_MESSAGE },
    { "auth_type", put_auth_type, AT(MILTER_MAIL) },
    { "auth_authen", put_user, AT(MILTER_MAIL) },
    { "mail_addr", put_sender, AT(MILTER_MAIL) },
    { "mail_host", put_sender_host, AT(MILTER_MAIL) },
    { "mail_mailer", put_sender_mailer, AT(MILTER_MAIL) },
    { "rcpt_addr", put_recipient, AT(MILTER_RCPT) },
    { "rcpt_host", put_recipient_host, AT(MILTER_RCPT) },
    { "rcpt_mailer", put_recipient_mailer, AT(MILTER_RCPT) },
    { "b", put_date, AT(MILTER_EOB) },
    { "msg_id", put_message_id, AT(MILTER_EOB) },
};

enum { MACROS = sizeof macros / sizeof macros[0] };

static void put_name(struct text *out, struct slice name)
{
    if (name.len == 1) {
        milter_put_string(out, name);
        return;
    }
    text_put(out, (struct slice)SLICE("{"));
    text_put(out, name);
    milter_put_string(out, (struct slice)SLICE("}"));
}

/* Puts a macro, if it has a value, and there is room for it. */
static bool put_macro(const struct milter_facts *facts, size_t i, struct text *out)
{
    const size_t before = out->len;
    size_t value;

    put_name(out, slice_of(macros[i].name));
    value = out->len;
    macros[i].put(facts, out);
    if (out->len == value || out->len >= out->size) {
        out->len = before;
        return false;
    }
    text_put(out, (struct slice){ "", 1 });
    return true;
}

/* The next name of a list, without braces; empty behind the last one. */
static struct slice next_name(struct slice *list)
{
    struct slice name;
    size_t i = 0, begin;

    while (i < list->len && strchr(" ,\t{}", list->text[i]) != NULL)
        i++;
    for (begin = i; i < list->len && strchr(" ,\t{}", list->text[i]) == NULL;)
        i++;
    name = (struct slice){ list->text + begin, i - begin };
    *list = (struct slice){ list->text + i, list->len - i };
    return name;
}

static bool put_listed(const struct milter_facts *facts, struct slice list, struct text *out)
{
    struct slice name;
    bool any = false;

    while ((name = next_name(&list)).len > 0)
        for (size_t i = 0; i < MACROS; i++)
            if (slice_equal(name, slice_of(macros[i].name)))
                any = put_macro(facts, i, out) || any;
    return any;
}

static bool put_usual(const struct milter_facts *facts, enum milter_command command, struct text *out)
{
    bool any = false;

    for (size_t i = 0; i < MACROS; i++)
        if ((macros[i].at & AT(command)) != 0)
            any = put_macro(facts, i, out) || any;
    return any;
}

void milter_macros_put(const struct handler_settings *settings, const struct milter *milter,
                       const struct milter_facts *facts, enum milter_command command, struct text *out)
{
    const struct milter_command_row *row = &milter_commands[command];
    const struct milter_options *options = &milter->connection.options;
    const size_t begin = out->len, room = out->size - out->len;
    struct text part = { out->bytes + begin, room < MILTER_MACRO_BYTES ? room : MILTER_MACRO_BYTES, 0 };
    bool any = settings->first_macro != NULL;

    if (row->symbols == MILTER_LISTS)
        return;
    (void)milter_packet_begin(&part, 'D');
    text_put(&part, (struct slice){ &row->letter, 1 });
    for (const struct milter_macro *m = settings->first_macro; m != NULL; m = m->next) {
        put_name(&part, m->name);
        milter_put_string(&part, m->value);
    }
    if ((options->listed & 1U << row->symbols) != 0)
        any = put_listed(facts, options->symbols[row->symbols], &part) || any;
    else
        any = put_usual(facts, command, &part) || any;
    if (!any)
        (void)put_macro(facts, 0, &part); /* `j` */
    milter_packet_end(&part, 0);
    out->len += part.len;
}
