/* groups.c - which groups a client is in, and which lists of patterns for hosts it matches */
/*
 * Every question has three answers, because a pattern may be broken or too expensive and DNS may be down: then the
 * client is told to try again, never yes and never no.
 */
#include "client/groups.h"

#include <stdio.h>
#include <sys/socket.h>

#include "base/cold.h"
#include "base/hash.h"
#include "base/log.h"
#include "dns/canonical.h"
#include "tables/table.h"

const char *const groups_membership[] = { [MATCH_NO] = "is no member", [MATCH_YES] = "is a member",
                                          [MATCH_UNSURE] = "may be a member, or not" };

struct allowgroup *groups_find(const struct groups *groups, struct slice name)
{
    uint32_t hash = hash_on(HASH_BEGIN, name.text, name.len);
    struct allowgroup *group = groups->bucket_count > 0 ? groups->buckets[hash & (groups->bucket_count - 1)] : NULL;

    while (group != NULL && (group->hash != hash || !slice_equal(group->name, name)))
        group = group->next_in_bucket;
    return group;
}

void groups_add(struct groups *groups, struct allowgroup *group)
{
    struct allowgroup **bucket;

    group->hash = hash_on(HASH_BEGIN, group->name.text, group->name.len);
    bucket = &groups->buckets[group->hash & (groups->bucket_count - 1)];
    group->next_in_bucket = *bucket;
    *bucket = group;
    *groups->last_group = group;
    groups->last_group = &group->next;
}

static char trouble[LOG_TEXT + 512] RARE_BSS;
static bool troubled; /* else that is not touched */

const char *groups_trouble(void)
{
    return troubled ? trouble : "";
}

void groups_forget_trouble(void)
{
    if (!troubled)
        return; /* pages that nobody has written to need not be copied */
    explicit_bzero(trouble, sizeof trouble);
    troubled = false;
}

enum match groups_blame_pattern(const struct groups *groups, const struct pattern *pattern, const char *why)
{
    struct place at = source_place(groups->sources, pattern->line, pattern->column);
    char shown[LOG_TEXT];

    troubled = true;
    (void)snprintf(trouble, sizeof trouble, "%s:%u:%u: the pattern \"%s\" decides nothing: %s", at.path, at.line,
                   at.column, log_encode(shown, sizeof shown, pattern->text), why);
    return MATCH_UNSURE;
}

enum match groups_blame_dns(void)
{
    troubled = true;
    (void)snprintf(trouble, sizeof trouble, "the name of the client cannot be found out: temporary DNS failure");
    return MATCH_UNSURE;
}

static void show_match(const struct groups *groups, const struct pattern *pattern, struct slice subject, bool matches)
{
    char shown_pattern[LOG_TEXT], shown[LOG_TEXT];

    if (log_wants('r'))
        log_debug('r', "%s:%u: %s \"%s\" %s \"%s\"", SOURCE_AT(groups->sources, pattern->line),
                  pattern->directive, log_encode(shown_pattern, sizeof shown_pattern, pattern->text),
                  matches ? "matches" : "does not match", log_encode(shown, sizeof shown, subject));
}

/* A pattern that is left out, on the name of a client. */
static void show_passed_over(const struct groups *groups, struct pattern *pattern)
{
    static const char *const reasons[] = { [SCOPE_NONE] = "can match no host", [SCOPE_ADDRESSES] = "is for addresses",
                                           [SCOPE_BOTH] = "can match addresses, too" };
    char shown[LOG_TEXT];

    if (log_wants('r'))
        log_debug('r', "%s:%u: %s \"%s\" %s, and is not tried on names",
                  SOURCE_AT(groups->sources, pattern->line), pattern->directive,
                  log_encode(shown, sizeof shown, pattern->text), reasons[pattern_scope(pattern)]);
}

/* Tries one pattern on one text. */
enum match groups_try(const struct groups *groups, struct pattern *pattern, struct slice subject,
                             struct captures *captures)
{
    char why[256];
    enum match result = pattern_match(pattern, subject, captures, why, sizeof why);

    if (result == MATCH_UNSURE)
        return groups_blame_pattern(groups, pattern, why);
    show_match(groups, pattern, subject, result == MATCH_YES);
    return result;
}

/* Does any pattern of the list match one form of the client's address? */
static enum match match_any(const struct groups *groups, const struct patterns *list, const char *address)
{
    enum match result = MATCH_NO;

    for (struct pattern *p = list->first; p != NULL && result == MATCH_NO; p = p->next)
        result = groups_try(groups, p, slice_of(address), NULL);
    return result;
}

/* What of a pattern of the list is tried on names? False: nothing. */
static bool is_for_names(const struct groups *groups, const struct patterns *list, struct pattern *pattern,
                         char room[PATTERN_PART], struct slice *text)
{
    return pattern_on_names(pattern, list == &groups->deny, room, text);
}

/* Tries the alternatives of a pattern that are for names; the others would let in a name that looks like an address. */
static enum match match_part(const struct groups *groups, const struct pattern *whole, struct slice text,
                             struct slice name)
{
    struct pattern part = { .text = text, .line = whole->line, .column = whole->column,
                            .directive = whole->directive, .utf = whole->utf };
    enum match result = groups_try(groups, &part, name, NULL);

    pattern_free(&part);
    return result;
}

/* Tries a pattern, or the part of it that is for names. */
static enum match match_name(const struct groups *groups, struct pattern *pattern, struct slice part, struct slice name)
{
    return part.text == pattern->text.text ? groups_try(groups, pattern, name, NULL)
                                           : match_part(groups, pattern, part, name);
}

/* Does any pattern of the list match the client's name? The DNS has A-labels; patterns outside ASCII mean U-labels. */
static enum match match_any_name(const struct groups *groups, const struct patterns *list, const char *name)
{
    enum match result = MATCH_NO;
    char room[PATTERN_PART], unicode[DOMAIN_MAX + 1];
    struct slice text;

    for (struct pattern *p = list->first; p != NULL && result == MATCH_NO; p = p->next) {
        if (!is_for_names(groups, list, p, room, &text)) {
            show_passed_over(groups, p);
            continue;
        }
        result = match_name(groups, p, text, slice_of(name));
        if (result == MATCH_NO && !slice_is_ascii(text) &&
            canonical_unicode(slice_of(name), WORDS_OF_STRANGERS, unicode))
            result = match_name(groups, p, text, slice_of(unicode));
    }
    return result;
}

/* ---- tables ------------------------------------------------------------------------------------ */

void groups_add_table(struct patterns *list, struct host_table *table)
{
    struct host_table **end = &list->tables;

    while (*end != NULL)
        end = &(*end)->next;
    *end = table;
}

/* Does any table of the list know the key? */
static enum match ask_tables(const struct patterns *list, struct slice key)
{
    enum match result = MATCH_NO;
    struct slice value;

    for (const struct host_table *t = list->tables; t != NULL && result == MATCH_NO; t = t->next)
        result = table_ask(t->table, key, &value);
    return result;
}

/* The name, and then the domains above it, from the longest to that with one dot. */
static enum match ask_tables_by_name(const struct patterns *list, const char *name)
{
    enum match result = list->tables != NULL ? ask_tables(list, slice_of(name)) : MATCH_NO;

    for (const char *dot = strchr(name, '.'); list->tables != NULL && result == MATCH_NO && dot != NULL; dot = strchr(dot + 1, '.'))
        if (strchr(dot + 1, '.') != NULL)
            result = ask_tables(list, slice_of(dot + 1));
    return result;
}

bool groups_want_name(const struct groups *groups, const struct patterns *list)
{
    char room[PATTERN_PART];
    struct slice text;

    if (list->tables != NULL)
        return true;
    for (struct pattern *p = list->first; p != NULL; p = p->next)
        if (is_for_names(groups, list, p, room, &text))
            return true;
    return false;
}

/* Which network holds the address; where none does, how many there are. */
static void show_networks(const struct groups *groups, const struct patterns *list, uint32_t found,
                          const char *address)
{
    bool matches = found > 0;
    unsigned line;
    struct slice text = network_table_text(&groups->networks,
                                           matches ? found : network_table_first(&groups->networks, list), &line);
    char others[40] = "";

    if (!matches && list->networks > 1)
        (void)snprintf(others, sizeof others, "and %u other%s ", list->networks - 1, list->networks > 2 ? "s" : "");
    log_debug('r', "%s:%u: %s \"%.*s\" %s%s \"%s\"", SOURCE_AT(groups->sources, line), list->directive, (int)text.len,
              text.text, others, matches ? "matches" : others[0] != '\0' ? "do not match" : "does not match", address);
}

/* Is the client's address in a network of the list? */
static bool match_networks(const struct groups *groups, const struct patterns *list, const struct client *client)
{
    uint32_t found;

    if (list->networks == 0 || client->family == AF_UNSPEC)
        return false;
    found = network_table_find(&groups->networks, list, client->family == AF_INET6, client->bytes);
    if (log_wants('r'))
        show_networks(groups, list, found, client->address);
    return found > 0;
}

enum match groups_match_address(const struct groups *groups, const struct patterns *list, const struct client *client)
{
    enum match result = match_networks(groups, list, client) ? MATCH_YES : match_any(groups, list, client->address);

    if (result == MATCH_NO && client->address_full[0] != '\0')
        result = match_any(groups, list, client->address_full);
    return result;
}

enum match groups_ask_address(const struct groups *groups, const struct patterns *list, const struct client *client)
{
    enum match result = groups_match_address(groups, list, client);

    return result == MATCH_NO && list->tables != NULL ? ask_tables(list, slice_of(client->address)) : result;
}

/* Does its name? It is asked for only if there is a pattern that it could match, or a table. */
enum match groups_match_name(const struct groups *groups, const struct patterns *list, struct client *client)
{
    enum match result;

    if (!groups_want_name(groups, list))
        return MATCH_NO;
    switch (client_name(client)) {
    case CLIENT_NAME_CONFIRMED:
        result = match_any_name(groups, list, client->name);
        return result == MATCH_NO ? ask_tables_by_name(list, client->name) : result;
    case CLIENT_NAME_UNSURE:
        return groups_blame_dns();
    case CLIENT_NAME_NONE:
    case CLIENT_NAME_FAIL:
    case CLIENT_NAME_UNASKED:
        break;
    }
    return MATCH_NO;
}

enum match groups_match(const struct groups *groups, const struct patterns *list, struct client *client)
{
    enum match result;

    groups_forget_trouble();
    result = groups_match_address(groups, list, client);
    return result == MATCH_NO ? groups_match_name(groups, list, client) : result;
}

static bool has_certificate(const struct groups *groups, const struct allowgroup *group, const struct client *client)
{
    for (const struct certificate *c = group->certificates; c != NULL; c = c->next) {
        bool same = strcmp(c->fingerprint, client->tls.fingerprint) == 0;

        log_debug('r', "%s:%u: allowgroup cert %s %s the client's certificate",
                  SOURCE_AT(groups->sources, c->line), c->fingerprint, same ? "is" : "is not");
        if (same)
            return true;
    }
    return false;
}

static enum match match_fcrdns(const struct groups *groups, const struct allowgroup *group, struct client *client)
{
    enum client_name_state state;
    char shown[LOG_TEXT];
    bool matches;

    if (group->fcrdns == 0)
        return MATCH_NO;
    state = client_name(client);
    matches = (group->fcrdns >> state & 1) != 0;
    if (log_wants('r'))
        log_debug('r', "%s: allowgroup %s fcrdns: the client's name %s", source_path(groups->sources, 0),
                  log_encode(shown, sizeof shown, group->name), matches ? "is as it wants" : "is not as it wants");
    if (matches)
        return MATCH_YES;
    return state == CLIENT_NAME_UNSURE ? groups_blame_dns() : MATCH_NO;
}

/* What the address alone says of a group. */
enum match groups_member_by_address(const struct groups *groups, struct allowgroup *group, const struct client *client)
{
    if (group->address_known != groups->client + 1)
        group->by_address = groups_ask_address(groups, &group->patterns, client);
    group->address_known = groups->client + 1;
    return group->by_address;
}

enum match groups_member(const struct groups *groups, struct allowgroup *group, struct client *client)
{
    if (group == NULL || has_certificate(groups, group, client))
        return MATCH_YES;
    if (group->known == groups->client + 1)
        return group->member;
    group->member = groups_member_by_address(groups, group, client);
    if (group->member == MATCH_NO)
        group->member = match_fcrdns(groups, group, client);
    if (group->member == MATCH_NO)
        group->member = groups_match_name(groups, &group->patterns, client);
    group->known = groups->client + 1;
    return group->member;
}

enum match groups_bypass(struct groups *groups, struct client *client)
{
    enum match result = MATCH_NO;

    for (const struct bypass *b = groups->bypasses; b != NULL && result != MATCH_YES; b = b->next) {
        enum match member = groups_member(groups, b->group, client);
        char shown[LOG_TEXT];

        if (log_wants('r'))
            log_debug('r', "%s:%u: bypass allowgroup %s: the client %s", SOURCE_AT(groups->sources, b->line),
                      log_encode(shown, sizeof shown, b->group->name), groups_membership[member]);
        result = member != MATCH_NO ? member : result;
    }
    return result;
}

void groups_forget(struct groups *groups)
{
    groups->client++;
}

void groups_each(struct groups *groups, void (*visit)(struct patterns *list, void *context), void *context)
{
    struct patterns *const alone[] = { &groups->allow, &groups->deny, &groups->exempt, &groups->proxies,
                                       &groups->speakers[TOLD_XCLIENT], &groups->speakers[TOLD_XFORWARD], &groups->quiet };

    for (size_t i = 0; i < sizeof alone / sizeof alone[0]; i++)
        visit(alone[i], context);
    for (struct allowgroup *g = groups->first_group; g != NULL; g = g->next)
        visit(&g->patterns, context);
}

