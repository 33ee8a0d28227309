/* dns.c - fuzz target: what a resolver says about a client, from its answers to the decisions */
/*
 * Byte 0: bit 0 is a client with an IPv6 address. Then come answers, in the order of the questions: two bytes are
 * the length of one; what follows is its flags, its number of records (two bytes each) and its records. The
 * question stands before them in the message that wire.c reads. Where the input ends there is no answer.
 */
#include "dns/dns.h"

#include <ctype.h>

#include "client/checks.h"
#include "conf/conf.h"
#include "dns/canonical.h"
#include "fuzz.h"

enum { QUESTIONS = 200, MESSAGE_MAX = 4096 };

/* What was asked, and what came of it. */
static struct {
    enum dns_kind kind;
    char name[DOMAIN_MAX + 1];
    struct answer answer;
} asked[QUESTIONS];

static size_t count;
static const uint8_t *input, *input_end;
static bool active;

/* The linker gives the program these (--wrap) in the place of the real ones. */
const struct answer *real_ask(enum dns_kind kind, const char *name) __asm__("__real_dns_ask");
const struct answer *fuzz_ask(enum dns_kind kind, const char *name) __asm__("__wrap_dns_ask");
void real_send(enum dns_kind kind, const char *name) __asm__("__real_dns_send");
void fuzz_send(enum dns_kind kind, const char *name) __asm__("__wrap_dns_send");

static size_t put_question(uint8_t *message, const char *name, enum answer_type type)
{
    size_t at = 12;

    for (const char *label = name; *label != '\0';) {
        size_t len = strcspn(label, ".");

        HOLDS(len > 0 && len <= 63 && at + 1 + len + 5 <= MESSAGE_MAX); /* all that is asked for is a name */
        message[at++] = (uint8_t)len;
        memcpy(message + at, label, len);
        at += len;
        label += len + (label[len] == '.');
    }
    memcpy(message + at, (const uint8_t[5]){ 0, 0, (uint8_t)type, 0, 1 }, 5);
    return at + 5;
}

/* The next answer of the input, as a message. */
static void read_answer(const char *name, enum answer_type type, struct answer *answer)
{
    static uint8_t message[MESSAGE_MAX];
    size_t left = (size_t)(input_end - input), len = 0, at;

    if (left >= 2) {
        len = (size_t)(input[0] << 8 | input[1]);
        input += 2;
        len = len < left - 2 ? len : left - 2;
    }
    *answer = (struct answer){ .status = ANSWER_UNSURE };
    if (len < 4 || len > 2048)
        return;
    memset(message, 0, 12);
    memcpy(message + 2, input, 2);
    message[5] = 1;
    memcpy(message + 6, input + 2, 2);
    at = put_question(message, name, type);
    memcpy(message + at, input + 4, len - 4);
    input += len;
    wire_read(message, at + len - 4, type, name, answer);
}

static void check_text(const char *text, size_t max)
{
    HOLDS(strnlen(text, max + 1) <= max);
    for (; *text != '\0'; text++)
        HOLDS(*text >= ' ' && *text <= '~');
}

static void check_answer(const struct answer *answer, enum answer_type type)
{
    HOLDS(answer->status <= ANSWER_UNSURE && (answer->status != ANSWER_FOUND || answer->count > 0));
    if (answer->status != ANSWER_FOUND)
        return;
    HOLDS(type == ANSWER_TXT || answer->count <= (type == ANSWER_PTR || type == ANSWER_MX ? ANSWER_NAMES : ANSWER_ADDRESSES));
    for (size_t i = 0; (type == ANSWER_PTR || type == ANSWER_MX) && i < answer->count; i++)
        check_text(answer->names[i], DOMAIN_MAX);
    if (type == ANSWER_TXT)
        check_text(answer->text, ANSWER_TEXT);
}

const struct answer *fuzz_ask(enum dns_kind kind, const char *name)
{
    static const enum answer_type types[] = {
        [DNS_NAMES] = ANSWER_PTR, [DNS_ADDRESSES4] = ANSWER_A, [DNS_ADDRESSES6] = ANSWER_AAAA,
        [DNS_LISTED] = ANSWER_A, [DNS_MX] = ANSWER_MX, [DNS_TXT] = ANSWER_TXT,
    };

    if (!active)
        return real_ask(kind, name);
    for (size_t i = 0; i < count; i++)
        if (asked[i].kind == kind && strcmp(asked[i].name, name) == 0)
            return &asked[i].answer;
    HOLDS(count < QUESTIONS && strlen(name) <= DOMAIN_MAX);
    asked[count].kind = kind;
    memcpy(asked[count].name, name, strlen(name) + 1);
    read_answer(name, types[kind], &asked[count].answer);
    check_answer(&asked[count].answer, types[kind]);
    return &asked[count++].answer;
}

void fuzz_send(enum dns_kind kind, const char *name)
{
    if (!active)
        real_send(kind, name);
}

/* A confirmed name is one that the client's address has, and that has the client's address. */
static void check_name(const struct client *client)
{
    bool has_name = false, leads_back = false;

    HOLDS(client->state != CLIENT_NAME_UNASKED);
    if (client->state != CLIENT_NAME_CONFIRMED) {
        HOLDS(strcmp(client->name, "unknown") == 0);
        return;
    }
    HOLDS(envelope_domain(slice_of(client->name)));
    for (const char *c = client->name; *c != '\0'; c++)
        HOLDS(*c >= ' ' && *c <= '~' && tolower((unsigned char)*c) == *c);
    for (size_t i = 0; i < count; i++) {
        const struct answer *answer = &asked[i].answer;

        for (size_t j = 0; answer->status == ANSWER_FOUND && j < answer->count; j++) {
            if (asked[i].kind == DNS_NAMES)
                has_name = has_name || strcmp(answer->names[j], client->name) == 0;
            else if (asked[i].kind == (client->family == AF_INET ? DNS_ADDRESSES4 : DNS_ADDRESSES6) &&
                     strcmp(asked[i].name, client->name) == 0)
                leads_back = leads_back || memcmp(answer->addresses[j], client->bytes, client->family == AF_INET ? 4 : 16) == 0;
        }
    }
    HOLDS(has_name && leads_back);
}

/* For good only when something was said: where no question has an answer, nobody is refused so. */
static void check_reply(const struct reply *reply)
{
    bool known = false;

    HOLDS(reply->code == 0 || (reply->code >= 400 && reply->code <= 599 && reply->text.len > 0));
    check_text(reply->detail.text != NULL ? reply->detail.text : "", ANSWER_TEXT + 2);
    for (size_t i = 0; i < count; i++)
        known = known || asked[i].answer.status != ANSWER_UNSURE;
    HOLDS(reply->code < 500 || known);
}

static void check_lists(const struct conf *conf, const struct reply *reply)
{
    bool blocked = false, allowed = false;

    for (const struct host_list *list = conf->rules.groups.lists; list != NULL; list = list->next) {
        const unsigned char *a = list->answer;

        if (list->verdict != LIST_YES)
            continue;
        HOLDS(a[0] == 127 && !(a[1] == 255 && a[2] == 255));
        HOLDS(!list->filtered || (a[1] == 0 && a[2] == 0 && a[3] >= 2 && a[3] <= 11));
        blocked = blocked || !list->allows;
        allowed = allowed || list->allows;
    }
    HOLDS(reply->code == 0 || (blocked && !allowed));
}

static void decide(struct conf *conf, struct client *client)
{
    static struct recipient_forms forms;
    struct recipient recipient = { .other = &forms };
    struct reply reply = dnsbl_check(conf->rules.groups.lists, client);
    struct mail_argument mail;

    check_reply(&reply);
    check_lists(conf, &reply);
    (void)client_name(client);
    check_name(client);
    reply = checks_helo(&conf->client, &conf->rules.groups, client, slice_of("helo.example"));
    check_reply(&reply);
    HOLDS(envelope_mail(slice_of("FROM:<a@b\xc3\xbc" "cher.example> SMTPUTF8"), false, &mail) == ENVELOPE_OK);
    HOLDS(canonical_address(&mail.sender, WORDS_OURS, &recipient.address) == CANONICAL_OK);
    reply = checks_sender(&conf->client, &conf->rules.groups, client, &mail.sender, &recipient.address);
    check_reply(&reply);
    reply = checks_accepted(&conf->client, &conf->rules.groups, client, &recipient.address);
    check_reply(&reply);
}

void fuzz_dns(const uint8_t *data, size_t size)
{
    static const char lines[] = "dnsbl bl.example 554 Listed\ndnswl wl.example =127.0.0.2..11\ndnsbl all.example =127.0.0.2..11\n"
                                "limit.helo_dns_check on 550 A\nlimit.sender_dns_check on 550 B\n"
                                "limit.rcpt_dns_check on 550 C\ndeliver rcpt_to /./ append /dev/null\n";
    static struct conf conf;
    static struct client client;

    if (size < 1)
        return;
    conf_parse(&conf, "fuzz.conf", slice_of(lines));
    HOLDS(conf.errors == 0);
    HOLDS(client_pretend(&client, (data[0] & 1) != 0 ? "2001:db8::7" : "192.0.2.7") == CLIENT_OK);
    client.state = CLIENT_NAME_UNASKED;
    input = data + 1;
    input_end = data + size;
    count = 0;
    active = true;
    decide(&conf, &client);
    active = false;
    conf_free(&conf);
}
