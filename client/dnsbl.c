/* dnsbl.c - lists of hosts in the DNS (RFC 5782): is the client on one, and what follows */
#include "client/dnsbl.h"

#include <stdio.h>

#include "base/cold.h"
#include "base/log.h"
#include "base/text.h"
#include "dns/dns.h"

static const struct list_filter any = { { 127, 0, 0, 0 }, { 127, 255, 255, 255 } };
static const struct list_filter errors = { { 127, 255, 255, 0 }, { 127, 255, 255, 255 } };

static bool looks_like_key(struct slice label)
{
    enum { LONG = 16, WITH_DIGIT = 8 };
    bool digit = false;

    for (size_t i = 0; i < label.len; i++)
        digit = digit || (label.text[i] >= '0' && label.text[i] <= '9');
    return label.len >= LONG || (digit && label.len >= WITH_DIGIT);
}

struct slice list_public_part(struct slice zone)
{
    struct slice rest = zone, shown = zone;
    const char *dot, *next;

    while ((dot = memchr(rest.text, '.', rest.len)) != NULL) {
        struct slice label = { rest.text, (size_t)(dot - rest.text) };

        rest = (struct slice){ dot + 1, rest.len - label.len - 1 };
        next = memchr(rest.text, '.', rest.len);
        if (next == NULL)
            break;
        if (looks_like_key(label))
            shown = rest;
    }
    return shown;
}

static bool is_in(const struct list_filter *filter, const unsigned char address[4])
{
    for (size_t i = 0; i < 4; i++)
        if (address[i] < filter->low[i] || address[i] > filter->high[i])
            return false;
    return true;
}

enum list_verdict list_read(const struct list_filter *filter, const struct answer *answer, unsigned char which[4])
{
    enum list_verdict verdict = LIST_NO;

    memset(which, 0, 4);
    if (answer->status != ANSWER_FOUND)
        return answer->status == ANSWER_NONE ? LIST_NO : LIST_UNSURE;
    for (size_t i = 0; i < answer->count; i++) {
        const unsigned char *address = answer->addresses[i];

        if (!is_in(&any, address) || is_in(&errors, address)) {
            memcpy(which, address, 4);
            return LIST_UNSURE;
        }
        if (verdict == LIST_NO && is_in(filter, address)) {
            memcpy(which, address, 4);
            verdict = LIST_YES;
        }
    }
    return verdict;
}

/* The name that a list would have an entry for the client under. */
static bool entry_of(const struct host_list *list, const struct client *client, char name[DOMAIN_MAX + 1])
{
    return client->family != AF_UNSPEC && wire_reversed(client->family, client->bytes, list->zone, name);
}

void dnsbl_send(const struct host_list *lists, const struct client *client)
{
    char name[DOMAIN_MAX + 1];

    for (const struct host_list *list = lists; list != NULL; list = list->next)
        if (entry_of(list, client, name))
            dns_send(DNS_LISTED, name);
}

static enum list_verdict ask(struct host_list *list, const struct client *client)
{
    char name[DOMAIN_MAX + 1];

    list->verdict = LIST_NO;
    if (entry_of(list, client, name))
        list->verdict = list_read(list->filtered ? &list->filter : &any, dns_ask(DNS_LISTED, name), list->answer);
    return list->verdict;
}

/* Do the list's own words hold what of its zone is not told? */
static bool tells_key(const struct host_list *list, const char *text)
{
    char label[64]; /* the first of the zone: the key, or what comes before it */
    const char *dot = memchr(list->zone.text, '.', list->zone.len);
    size_t len = dot != NULL ? (size_t)(dot - list->zone.text) : list->zone.len;

    if (slice_equal(list->zone, list->name))
        return false;
    text_string(label, sizeof label, (struct slice){ list->zone.text, len });
    return strcasestr(text, label) != NULL;
}

/* The list's own words, if it has any: often the address of a page about the entry. */
static struct slice reason_of(const struct host_list *list, const struct client *client)
{
    static char reason[ANSWER_TEXT + sizeof "- "] RARE_BSS;
    char name[DOMAIN_MAX + 1];
    const struct answer *answer;

    if (!entry_of(list, client, name))
        return slice_of("");
    answer = dns_ask(DNS_TXT, name);
    if (answer->status != ANSWER_FOUND || answer->text[0] == '\0' || tells_key(list, answer->text))
        return slice_of("");
    (void)snprintf(reason, sizeof reason, "- %s", answer->text); /* it fits */
    return slice_of(reason);
}

static struct reply refuse(const struct host_list *list, const struct client *client, enum list_verdict allowed)
{
    struct reply reply = list->reply;

    reply.detail = reason_of(list, client);
    return allowed == LIST_UNSURE ? reply_as_temporary(reply) : reply;
}

struct reply dnsbl_check(struct host_list *lists, const struct client *client)
{
    enum list_verdict allowed = LIST_NO;

    for (struct host_list *list = lists; list != NULL; list = list->next)
        if (list->allows && ask(list, client) != LIST_NO && allowed != LIST_YES)
            allowed = list->verdict;
    for (struct host_list *list = lists; list != NULL; list = list->next)
        if (!list->allows && ask(list, client) == LIST_YES && list->reply.code != 0 && allowed != LIST_YES)
            return refuse(list, client, allowed);
    return (struct reply){ .code = 0 };
}

void dnsbl_forget(struct host_list *lists)
{
    for (struct host_list *list = lists; list != NULL; list = list->next) {
        list->verdict = LIST_UNASKED;
        memset(list->answer, 0, sizeof list->answer);
    }
}

/* Does a line before say the same? A zone may stand on several, with other filters. */
static bool is_repeated(const struct host_list *lists, const struct host_list *list)
{
    for (; lists != list; lists = lists->next)
        if (lists->verdict == list->verdict && memcmp(lists->answer, list->answer, sizeof list->answer) == 0 &&
            slice_equal_nocase(lists->zone, list->zone))
            return true;
    return false;
}

void dnsbl_log(const struct host_list *lists)
{
    static const unsigned char none[4];

    for (const struct host_list *list = lists; list != NULL; list = list->next) {
        const unsigned char *a = list->answer;
        int len = (int)list->name.len;

        if (is_repeated(lists, list))
            continue;
        if (list->verdict == LIST_YES)
            log_line(LOG_INFO, "listed by %.*s as %u.%u.%u.%u", len, list->name.text, a[0], a[1], a[2], a[3]);
        else if (list->verdict == LIST_UNSURE && memcmp(a, none, sizeof none) == 0)
            log_line(LOG_WARNING, "the list %.*s has not answered", len, list->name.text);
        else if (list->verdict == LIST_UNSURE)
            log_line(LOG_WARNING, "the list %.*s has answered %u.%u.%u.%u, which is an error and no entry", len,
                     list->name.text, a[0], a[1], a[2], a[3]);
    }
}
