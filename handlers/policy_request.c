/* policy_request.c - what a policy service is asked: a table of attributes, each row with the function that writes it; pure */
#include "handlers/policy_request.h"

#include <ctype.h>

const char *const policy_stages[POLICY_STAGES] = {
    [POLICY_CONNECT] = "connect", [POLICY_HELO] = "helo", [POLICY_MAIL] = "mail", [POLICY_RCPT] = "rcpt",
    [POLICY_DATA] = "data", [POLICY_END] = "end"
};

static void put_string(struct text *out, const char *value)
{
    text_put_value(out, slice_of(value));
}

static void put_request(const struct policy_facts *facts, struct text *out)
{
    (void)facts;
    put_string(out, "smtpd_access_policy");
}

static void put_state(const struct policy_facts *facts, struct text *out)
{
    static const char *const states[POLICY_STAGES] = {
        [POLICY_CONNECT] = "CONNECT", [POLICY_HELO] = "HELO", [POLICY_MAIL] = "MAIL", [POLICY_RCPT] = "RCPT",
        [POLICY_DATA] = "DATA", [POLICY_END] = "END-OF-MESSAGE"
    };

    put_string(out, facts->stage == POLICY_HELO && facts->extended ? "EHLO" : states[facts->stage]);
}

static void put_protocol(const struct policy_facts *facts, struct text *out)
{
    put_string(out, facts->protocol);
}

/* Services rely on an address. Who has none is on this host. */
static bool is_local(const struct policy_facts *facts)
{
    return facts->client->family == AF_UNSPEC;
}

static void put_client_address(const struct policy_facts *facts, struct text *out)
{
    put_string(out, is_local(facts) ? "127.0.0.1" : facts->client->address);
}

static void put_client_name(const struct policy_facts *facts, struct text *out)
{
    put_string(out, is_local(facts) ? "localhost" : facts->client->name);
}

static void put_port(struct text *out, unsigned port)
{
    if (port != 0)
        text_number(out, port, 1);
}

static void put_client_port(const struct policy_facts *facts, struct text *out)
{
    put_port(out, facts->client->port);
}

static void put_server_address(const struct policy_facts *facts, struct text *out)
{
    put_string(out, facts->client->server_address);
}

static void put_server_port(const struct policy_facts *facts, struct text *out)
{
    put_port(out, facts->client->server_port);
}

static void put_helo(const struct policy_facts *facts, struct text *out)
{
    text_put_value(out, facts->helo);
}

/* As Postfix has them: without brackets, and without the quotes of a local part. */
static void put_address(struct text *out, const struct address *address)
{
    char local[ADDRESS_MAX];

    if (address == NULL)
        return;
    text_put_value(out, (struct slice){ local, envelope_unquote((struct slice){ address->text, address->local_len },
                                                                local) });
    text_put_value(out, (struct slice){ address->text + address->local_len,
                                        address->len - (size_t)address->local_len });
}

static void put_sender(const struct policy_facts *facts, struct text *out)
{
    put_address(out, facts->sender);
}

static void put_recipient(const struct policy_facts *facts, struct text *out)
{
    put_address(out, facts->recipient);
}

static void put_recipients(const struct policy_facts *facts, struct text *out)
{
    text_number(out, facts->recipients, 1);
}

static void put_id(const struct policy_facts *facts, struct text *out)
{
    put_string(out, facts->id);
}

static void put_instance(const struct policy_facts *facts, struct text *out)
{
    put_string(out, facts->instance);
}

static void put_size(const struct policy_facts *facts, struct text *out)
{
    text_number(out, facts->size, 1);
}

static void put_user(const struct policy_facts *facts, struct text *out)
{
    put_string(out, facts->client->user);
}

/* The length of a part of a subject as RFC 4514 writes it, up to the next comma that a backslash does not belong to. */
static size_t part_length(const char *part)
{
    size_t len = 0;

    for (; part[len] != '\0' && part[len] != ','; len++)
        len += part[len] == '\\' && part[len + 1] != '\0';
    return len;
}

/* The common name of the client's certificate. */
static void put_certificate(const struct policy_facts *facts, struct text *out)
{
    const char *part = facts->client->tls.subject;
    size_t len;

    for (; *part != '\0'; part += len + (part[len] == ',')) {
        len = part_length(part);
        if (strncmp(part, "CN=", 3) != 0)
            continue;
        text_put_value(out, (struct slice){ part + 3, len - 3 });
        return;
    }
}

/* Postfix writes AB:CD:... */
static void put_fingerprint(const struct policy_facts *facts, struct text *out)
{
    const char *digits = facts->client->tls.fingerprint;

    for (size_t i = 0; digits[i] != '\0'; i++) {
        const char digit = (char)toupper((unsigned char)digits[i]);

        if (i > 0 && i % 2 == 0)
            put_string(out, ":");
        text_put_value(out, (struct slice){ &digit, 1 });
    }
}

static void put_encryption(const struct policy_facts *facts, struct text *out)
{
    put_string(out, facts->client->tls.protocol);
}

static void put_cipher(const struct policy_facts *facts, struct text *out)
{
    put_string(out, facts->client->tls.cipher);
}

static void put_keysize(const struct policy_facts *facts, struct text *out)
{
    put_string(out, client_tls_bits(&facts->client->tls));
}

static void put_nothing(const struct policy_facts *facts, struct text *out)
{
    (void)facts;
    (void)out;
}

static const struct {
    const char *name;
    void (*put)(const struct policy_facts *facts, struct text *out);
} attributes[] = {
    { "request", put_request },
    { "protocol_state", put_state },
    { "protocol_name", put_protocol },
    { "client_address", put_client_address },
    { "client_name", put_client_name },
    { "client_port", put_client_port },
    { "reverse_client_name", put_client_name }, /* a name that leads elsewhere is not kept */
    { "server_address", put_server_address },
    { "server_port", put_server_port },
    { "helo_name", put_helo },
    { "sender", put_sender },
    { "recipient", put_recipient },
    { "recipient_count", put_recipients },
    { "queue_id", put_id },
    { "instance", put_instance },
    { "size", put_size },
    { "etrn_domain", put_nothing }, /* postgrey wants it to be there */
    { "stress", put_nothing },
    { "sasl_method", put_nothing },
    { "sasl_username", put_user },
    { "sasl_sender", put_nothing },
    { "ccert_subject", put_certificate },
    { "ccert_issuer", put_nothing },
    { "ccert_fingerprint", put_fingerprint },
    { "ccert_pubkey_fingerprint", put_nothing },
    { "encryption_protocol", put_encryption },
    { "encryption_cipher", put_cipher },
    { "encryption_keysize", put_keysize },
    { "policy_context", put_nothing },
};

void policy_request_write(const struct policy_facts *facts, struct text *out)
{
    for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++) {
        text_put(out, slice_of(attributes[i].name));
        text_put(out, (struct slice)SLICE("="));
        attributes[i].put(facts, out);
        text_put(out, (struct slice)SLICE("\n"));
    }
    text_put(out, (struct slice)SLICE("\n"));
}
