/* checks.c - what HELO names, senders and recipients must be like, where the configuration asks for it */
#include "client/checks.h"

#include "base/clock.h"
#include "base/cold.h"
#include "base/log.h"
#include "base/text.h"
#include "dns/canonical.h"
#include "dns/dns.h"
#include "nexthop/callout.h"

static const struct reply no_objection = { .code = 0 };

/*
 * The reply of a check that has failed. Passing is what depends on a question that has no answer: the one of
 * the check itself, whose reply then is `unsure`, or whether the client is exempt from it.
 */
static struct reply refuse(const struct limit *limit, enum match bypass, const struct reply *unsure)
{
    struct reply reply = limit->reply;

    if (unsure != NULL)
        reply.text = unsure->text;
    return unsure != NULL || bypass == MATCH_UNSURE ? reply_as_temporary(reply) : reply;
}

/* Says under the debug flag r what a check came to. */
static struct reply shown(const struct groups *groups, const char *keyword, const struct limit *limit, struct reply reply)
{
    if (log_wants('r'))
        log_debug('r', "%s:%u: %s %s", SOURCE_AT(groups->sources, limit->line), keyword,
                  reply.code == 0 ? "has no objection" : "objects");
    return reply;
}

/* Asks for the addresses of a host, unless it is known already that it has one. */
static void send_host(const char *name)
{
    if (dns_in_hosts(name))
        return;
    dns_send(DNS_ADDRESSES4, name);
    dns_send(DNS_ADDRESSES6, name);
}

/* Does a host with this name have an address? `name` is well-formed. */
static enum answer_status find_host(const char *name)
{
    enum answer_status four, six;

    if (dns_in_hosts(name))
        return ANSWER_FOUND;
    send_host(name);
    four = dns_ask(DNS_ADDRESSES4, name)->status;
    six = four == ANSWER_FOUND ? ANSWER_NONE : dns_ask(DNS_ADDRESSES6, name)->status;
    if (four == ANSWER_FOUND || six == ANSWER_FOUND)
        return ANSWER_FOUND;
    return four == ANSWER_NONE && six == ANSWER_NONE ? ANSWER_NONE : ANSWER_UNSURE;
}

/* Is there a place for mail to this domain (RFC 5321 5.1)? `none_wanted` says that it does not want any. */
static enum answer_status find_mail_host(const char *domain, bool *none_wanted)
{
    const struct answer *answer;
    enum answer_status status, host;

    dns_send(DNS_MX, domain);
    send_host(domain);
    answer = dns_ask(DNS_MX, domain);
    *none_wanted = answer->status == ANSWER_FOUND && answer->null_mx;
    if (answer->status == ANSWER_FOUND)
        return ANSWER_FOUND;
    status = answer->status;
    host = find_host(domain);
    /* an address will do where there is no MX, and shows that the domain exists where nothing is known of an MX */
    return host == ANSWER_NONE ? status : host;
}

/* [192.0.2.1] or [IPv6:2001:db8::1], with the address that the client has */
static bool is_own_literal(const struct client *client, struct slice literal)
{
    static const struct slice tag = SLICE("IPv6:");
    struct slice content = { literal.text + 1, literal.len - 2 };
    char text[INET6_ADDRSTRLEN];
    struct client other;

    if (content.len > tag.len && slice_equal_nocase((struct slice){ content.text, tag.len }, tag))
        content = (struct slice){ content.text + tag.len, content.len - tag.len };
    if (content.len >= sizeof text)
        return false;
    memcpy(text, content.text, content.len);
    text[content.len] = '\0';
    return client_pretend(&other, text) == CLIENT_OK && client->family != AF_UNSPEC && other.family == client->family &&
           memcmp(other.bytes, client->bytes, client->family == AF_INET ? 4 : 16) == 0;
}

/* An address without brackets is well-formed, but no name: no top-level domain is a number (RFC 3696 2). */
static bool ends_in_number(struct slice name)
{
    size_t digits = 0;

    while (digits < name.len && name.text[name.len - 1 - digits] >= '0' && name.text[name.len - 1 - digits] <= '9')
        digits++;
    return digits > 0 && (digits == name.len || name.text[name.len - 1 - digits] == '.');
}

static enum answer_status look_at_helo(const struct client *client, struct slice name)
{
    char text[DOMAIN_MAX + 1];

    if (envelope_literal(name))
        return is_own_literal(client, name) ? ANSWER_FOUND : ANSWER_NONE;
    if (ends_in_number(name))
        return ANSWER_NONE;
    switch (canonical_domain(name, WORDS_OF_STRANGERS, text)) {
    case CANONICAL_OK:
        return find_host(text);
    case CANONICAL_UNKNOWN:
        return ANSWER_UNSURE;
    case CANONICAL_FORBIDDEN:
        break;
    }
    return ANSWER_NONE;
}

/* RFC 5321 4.1.1.1: a domain name in ASCII (RFC 6531 3.7.1) or an address literal */
static bool is_name_or_literal(struct slice name)
{
    return envelope_literal(name) || (slice_is_ascii(name) && envelope_domain(name) && !ends_in_number(name));
}

static struct reply check_helo_syntax(const struct limit *limit, struct groups *groups, struct client *client,
                                      struct slice name)
{
    static const char keyword[] = "limit.helo_syntax_check";
    enum match bypass;

    if (limit->value == 0)
        return no_objection;
    if (is_name_or_literal(name))
        return shown(groups, keyword, limit, no_objection);
    bypass = groups_bypass(groups, client);
    return bypass == MATCH_YES ? no_objection : shown(groups, keyword, limit, refuse(limit, bypass, NULL));
}

bool checks_wants_helo(const struct client_settings *settings)
{
    return settings->helo_dns_check.value != 0 || settings->helo_syntax_check.value != 0;
}

struct reply checks_helo(const struct client_settings *settings, struct groups *groups, struct client *client,
                         struct slice name)
{
    static const struct reply unsure = REPLY(451, "", "Your HELO name cannot be looked up now, try again later");
    static const char keyword[] = "limit.helo_dns_check";
    const struct limit *limit = &settings->helo_dns_check;
    struct reply reply = check_helo_syntax(&settings->helo_syntax_check, groups, client, name);
    enum answer_status status;
    enum match bypass;

    if (reply.code != 0 || limit->value == 0 || (bypass = groups_bypass(groups, client)) == MATCH_YES)
        return reply;
    status = look_at_helo(client, name);
    if (status == ANSWER_FOUND)
        return shown(groups, keyword, limit, no_objection);
    return shown(groups, keyword, limit, refuse(limit, bypass, status == ANSWER_UNSURE ? &unsure : NULL));
}

/* A dot at an end of the local part, or two in a row: no Dot-string (RFC 5321 4.1.2). */
static bool has_odd_dot(const struct address *address)
{
    char last = '.';

    for (size_t i = 0; i < address->local_len; last = address->text[i++])
        if (address->text[i] == '.' && last == '.')
            return true;
    return last == '.';
}

/* RFC 5321 4.1.2: a Dot-string in ASCII, at a domain with a dot. A bare postmaster has none. */
static bool is_plain(const struct address *address)
{
    struct slice domain = address_domain(address);

    return !address->utf8 && address->text[0] != '"' && !has_odd_dot(address) &&
           (domain.len == 0 || (domain.text[0] != '[' && memchr(domain.text, '.', domain.len) != NULL));
}

static struct reply check_syntax(struct groups *groups, struct client *client, const char *keyword,
                                 const struct limit *limit, const struct address *address)
{
    enum match bypass;

    if (limit->value == 0)
        return no_objection;
    if (is_plain(address))
        return shown(groups, keyword, limit, no_objection);
    bypass = groups_bypass(groups, client);
    return bypass == MATCH_YES ? no_objection : shown(groups, keyword, limit, refuse(limit, bypass, NULL));
}

/* Does the domain, which is canonical, take mail? `null_mx` is the reply when it says itself that it does not (RFC 7505). */
static struct reply check_domain(struct groups *groups, struct client *client, const char *keyword,
                                 const struct limit *limit, struct slice domain, const struct reply *null_mx)
{
    static const struct reply unsure = REPLY(451, "", "The domain cannot be looked up now, try again later");
    char text[DOMAIN_MAX + 1];
    enum answer_status status;
    bool none_wanted;
    enum match bypass;

    if (limit->value == 0 || domain.len == 0 || domain.text[0] == '[' ||
        (bypass = groups_bypass(groups, client)) == MATCH_YES)
        return no_objection;
    text_string(text, sizeof text, domain);
    status = find_mail_host(text, &none_wanted);
    if (none_wanted)
        return shown(groups, keyword, limit, bypass == MATCH_UNSURE ? refuse(limit, bypass, NULL) : *null_mx);
    if (status == ANSWER_FOUND)
        return shown(groups, keyword, limit, no_objection);
    return shown(groups, keyword, limit, refuse(limit, bypass, status == ANSWER_UNSURE ? &unsure : NULL));
}

bool checks_wants_mail(const struct client_settings *settings)
{
    return settings->sender_dns_check.value != 0 || settings->sender_syntax_check.value != 0 ||
           settings->sender_mta_check.value != 0;
}

struct reply checks_sender(const struct client_settings *settings, struct groups *groups, struct client *client,
                           const struct address *given, const struct address *sender)
{
    static const struct reply null_mx = REPLY(550, "7.27", "The domain of the sender does not take mail");
    struct reply reply = no_objection;

    if (given->len > 0)
        reply = check_syntax(groups, client, "limit.sender_syntax_check", &settings->sender_syntax_check, given);
    if (reply.code == 0)
        reply = check_domain(groups, client, "limit.sender_dns_check", &settings->sender_dns_check,
                             address_domain(sender), &null_mx);
    return reply;
}

/* ---- mail hosts of senders ----------------------------------------------------------------- */

enum { ASKED_MOST = 10 }; /* domains: a client must not have us connect to any number of hosts */

/* What is known of the domains that the client has named. */
static struct asked {
    char domain[DOMAIN_MAX + 1];
    enum answer_status status;
} asked[ASKED_MOST] COLD_BSS;
static size_t asked_count;

void checks_forget_senders(void)
{
    asked_count = 0;
}

static void log_asked(const struct asked *a, uint64_t began, const char *why)
{
    static const char *const words[] = { [ANSWER_FOUND] = "yes", [ANSWER_NONE] = "no", [ANSWER_UNSURE] = "unknown" };
    char domain[LOG_TEXT], last[LOG_TEXT];

    (void)log_encode(last, sizeof last, slice_of(why));
    log_line(LOG_INFO, "sender mta=%s ms=%llu domain=\"%s\" last=\"%s\"", words[a->status],
             (unsigned long long)(clock_ms() - began), log_encode(domain, sizeof domain, slice_of(a->domain)), last);
    log_debug('r', "    a mail host of %s answers: %s (%s)", domain, words[a->status], last);
}

/* Does a mail host of the domain answer? NULL: too many domains were asked about. */
static const struct asked *ask_hosts(const char *domain, uint64_t deadline, const volatile sig_atomic_t *terminated)
{
    struct asked *a = asked;
    const uint64_t began = clock_ms();
    char why[CALLOUT_WHY];

    for (; a < asked + asked_count; a++)
        if (slice_equal_nocase(slice_of(a->domain), slice_of(domain)))
            return a;
    if (asked_count == ASKED_MOST)
        return NULL;
    asked_count++;
    text_string(a->domain, sizeof a->domain, slice_of(domain));
    a->status = callout(a->domain, deadline, terminated, why);
    log_asked(a, began, why);
    return a;
}

struct reply checks_sender_hosts(const struct client_settings *settings, struct groups *groups, struct client *client,
                                 const struct address *sender, uint64_t deadline, const volatile sig_atomic_t *terminated)
{
    static const struct reply too_many = REPLY(451, "7.0", "Too many domains of senders, try again later");
    static const struct reply unsure = REPLY(451, "", "The mail hosts of the sender do not answer now, try again later");
    static const char keyword[] = "limit.sender_mta_check";
    const struct limit *limit = &settings->sender_mta_check;
    const struct slice domain = address_domain(sender);
    const struct asked *a;
    char text[DOMAIN_MAX + 1];
    enum match bypass;

    if (limit->value == 0 || domain.len == 0 || domain.text[0] == '[' ||
        (bypass = groups_bypass(groups, client)) == MATCH_YES)
        return no_objection;
    text_string(text, sizeof text, domain);
    a = ask_hosts(text, deadline, terminated);
    if (a == NULL)
        return shown(groups, keyword, limit, too_many);
    if (a->status == ANSWER_FOUND)
        return shown(groups, keyword, limit, no_objection);
    return shown(groups, keyword, limit, refuse(limit, bypass, a->status == ANSWER_UNSURE ? &unsure : NULL));
}

/* ---- recipients ---------------------------------------------------------------------------- */

struct reply checks_recipient(const struct client_settings *settings, struct groups *groups, struct client *client,
                              const struct address *recipient)
{
    return check_syntax(groups, client, "limit.rcpt_syntax_check", &settings->rcpt_syntax_check, recipient);
}

struct reply checks_accepted(const struct client_settings *settings, struct groups *groups, struct client *client,
                             const struct address *recipient)
{
    static const struct reply null_mx = REPLY(556, "1.10", "The domain of the recipient does not take mail");

    return check_domain(groups, client, "limit.rcpt_dns_check", &settings->rcpt_dns_check,
                        address_domain(recipient), &null_mx);
}
