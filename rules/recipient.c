/* recipient.c - an address in its forms, and whether a line names it */
#include "rules/recipient.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "tables/table.h"

uint16_t recipient_extension(const struct rules *rules, const struct address *address)
{
    for (uint16_t i = 1; i < address->local_len && address->text[0] != '"'; i++)
        if (rules->delimiters.len > 0 && memchr(rules->delimiters.text, address->text[i], rules->delimiters.len) != NULL)
            return i;
    return 0;
}

/* Is the address, without its extension, the one that is named? */
static bool equal_without_extension(const struct recipient *recipient, uint16_t extension, struct slice rcpt)
{
    const struct address *a = &recipient->address;
    struct slice user = { a->text, extension };
    struct slice rest = { a->text + a->local_len, (size_t)a->len - a->local_len };

    return rcpt.len == user.len + rest.len &&
           slice_equal_nocase((struct slice){ rcpt.text, user.len }, user) &&
           slice_equal_nocase((struct slice){ rcpt.text + user.len, rest.len }, rest);
}

/* Is it this address, with its extension or without? */
static enum match match_address(const struct rules *rules, struct slice address, struct recipient *recipient)
{
    uint16_t extension = recipient_extension(rules, &recipient->address);

    if (slice_equal_nocase(address, address_slice(&recipient->address)))
        return MATCH_YES;
    if (extension == 0 || !equal_without_extension(recipient, extension, address))
        return MATCH_NO;
    recipient->extension = extension;
    return MATCH_YES;
}

struct slice recipient_form(const struct recipient *recipient, enum recipient_form form)
{
    switch (form) {
    case FORM_UNICODE:
        return slice_of(recipient->has_unicode ? recipient->other->unicode : "");
    case FORM_GIVEN:
        return slice_of(recipient->has_given ? recipient->other->given : "");
    case FORM_CANONICAL:
    case FORMS:
        break;
    }
    return (struct slice){ recipient->address.text, recipient->bare_len };
}

/* With U-labels, for expressions that are written so. */
static void write_unicode(struct recipient *recipient, enum canonical_words whose)
{
    const struct address *a = &recipient->address;
    char domain[DOMAIN_MAX + 1];

    recipient->has_unicode =
        canonical_unicode(address_domain(a), whose, domain) && a->local_len + 1U + strlen(domain) <= ADDRESS_MAX;
    if (recipient->has_unicode)
        (void)snprintf(recipient->other->unicode, sizeof recipient->other->unicode, "%.*s@%s", (int)a->local_len, a->text,
                       domain);
}

enum match recipient_try(const struct rules *rules, struct pattern *pattern, struct recipient *recipient,
                         struct captures *captures)
{
    enum match result = MATCH_NO;

    for (enum recipient_form form = FORM_CANONICAL; form < FORMS && result == MATCH_NO; form++) {
        struct slice text = recipient_form(recipient, form);

        recipient->form = form;
        if (text.len > 0 && (form != FORM_UNICODE || !slice_is_ascii(pattern->text)))
            result = groups_try(&rules->groups, pattern, text, captures);
    }
    return result;
}

/* ---- tables ------------------------------------------------------------------------------------ */

/* A local part without the quotes that are only a way to write it (RFC 5321 4.1.2). */
static void put_local(struct text *key, struct slice local)
{
    const bool quoted = local.len >= 2 && local.text[0] == '"';
    const size_t end = local.len - quoted;

    for (size_t i = quoted; i < end; i++) {
        i += quoted && local.text[i] == '\\' && i + 1 < end;
        text_put(key, (struct slice){ local.text + i, 1 });
    }
}

/* Asks for the first `local_len` bytes of the local part at the domain; 0: for the domain. */
static enum match ask_form(struct table *table, struct slice address, size_t local_len, struct recipient *recipient)
{
    const char *at = memrchr(address.text, '@', address.len);
    char bytes[TABLE_KEY];
    struct text key = { bytes, sizeof bytes, 0 };
    const size_t before = at != NULL ? (size_t)(at - address.text) : 0;
    enum match result;

    if (at == NULL)
        return MATCH_NO;
    put_local(&key, (struct slice){ address.text, local_len < before ? local_len : before });
    text_put(&key, (struct slice){ at, address.len - before });
    result = table_ask(table, text_slice(&key), &recipient->value);
    if (result == MATCH_YES && !table_keep(&recipient->value))
        result = MATCH_UNSURE;
    return result;
}

/* The same of the address in both spellings of its domain. */
static enum match ask_forms(struct table *table, size_t local_len, struct recipient *recipient)
{
    enum match result = ask_form(table, address_slice(&recipient->address), local_len, recipient);

    if (result == MATCH_NO && recipient->has_unicode)
        result = ask_form(table, recipient_form(recipient, FORM_UNICODE), local_len, recipient);
    return result;
}

enum match recipient_ask(const struct rules *rules, struct table *table, struct recipient *recipient)
{
    const uint16_t extension = recipient_extension(rules, &recipient->address);
    enum match result = ask_forms(table, recipient->address.local_len, recipient);

    recipient->extension = 0;
    if (result == MATCH_NO && extension > 0) {
        result = ask_forms(table, extension, recipient);
        recipient->extension = result == MATCH_YES ? extension : 0;
    }
    return result == MATCH_NO ? ask_forms(table, 0, recipient) : result;
}

enum match recipient_match(const struct rules *rules, const struct mailboxes *mailboxes, struct recipient *recipient)
{
    recipient->extension = 0;
    recipient->captures.count = 0;
    recipient->value = (struct slice){ "", 0 };
    switch (mailboxes->kind) {
    case MAILBOXES_ADDRESS:
        return match_address(rules, mailboxes->canonical, recipient);
    case MAILBOXES_DOMAIN:
        return slice_equal_nocase(mailboxes->canonical, address_domain(&recipient->address)) ? MATCH_YES : MATCH_NO;
    case MAILBOXES_PATTERN:
        return recipient_try(rules, mailboxes->pattern, recipient, &recipient->captures);
    case MAILBOXES_TABLE:
        return recipient_ask(rules, mailboxes->table, recipient);
    case MAILBOXES_NULL:
        break;
    }
    return MATCH_NO;
}

void recipient_complete(const struct rules *rules, struct address *a)
{
    if (a->local_len < a->len || a->len + 1 + rules->domain.len > ADDRESS_MAX)
        return;
    a->text[a->len] = '@';
    memcpy(a->text + a->len + 1, rules->domain.text, rules->domain.len);
    a->len = (uint16_t)(a->len + 1 + rules->domain.len);
    a->text[a->len] = '\0';
}

enum canonical_status recipient_know(const struct rules *rules, const struct address *given,
                                     enum canonical_words whose, struct recipient *recipient)
{
    enum canonical_status status = canonical_address(given, whose, &recipient->address);

    recipient->bare_len = recipient->address.len;
    recipient->has_given = recipient->has_original = recipient->has_unicode = false;
    if (status != CANONICAL_OK)
        return status;
    recipient->has_given = !slice_equal(address_slice(given), address_slice(&recipient->address));
    if (recipient->has_given)
        memcpy(recipient->other->given, given->text, given->len + 1U);
    if (rules->wants_unicode)
        write_unicode(recipient, whose);
    recipient_complete(rules, &recipient->address);
    return status;
}

