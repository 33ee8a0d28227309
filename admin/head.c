/* head.c - the header that a copy was given by us, read again: who sent it to whom, and how */
#include "admin/head.h"

#include <stdio.h>
#include <string.h>

const char head_marks[][HEAD_MARK + 1] = { [MAILFILE_WAITING] = "Delivered-To:", [MAILFILE_BEGUN] = "Redelivering:",
                                        [MAILFILE_DONE] = "Re-delivered:" };

/* Takes a prefix off a text. */
static bool skip(struct slice *text, const char *prefix)
{
    size_t len = strlen(prefix);

    if (text->len < len || memcmp(text->text, prefix, len) != 0)
        return false;
    text->text += len;
    text->len -= len;
    return true;
}

/* Takes off what stands before a word, and the word, and keeps a copy of the former. */
static bool take_until(struct slice *text, const char *word, char *out, size_t size)
{
    const char *found = memmem(text->text, text->len, word, strlen(word));
    size_t len = found != NULL ? (size_t)(found - text->text) : 0;

    if (found == NULL || len >= size || memchr(text->text, '\n', len) != NULL)
        return false;
    memcpy(out, text->text, len);
    out[len] = '\0';
    text->text += len;
    text->len -= len;
    return skip(text, word);
}

/* What the client said in HELO: in quotes, if it was no name. */
static bool take_helo(struct slice *text, struct mailfile_message *m)
{
    size_t len;

    if (!take_until(text, " (", m->helo, sizeof m->helo))
        return false;
    len = strlen(m->helo);
    if (len < 2 || m->helo[0] != '"' || m->helo[len - 1] != '"')
        return true;
    memmove(m->helo, m->helo + 1, len - 2);
    m->helo[len - 2] = '\0';
    return true;
}

/* "local)", "NAME [ADDRESS])" or "unknown [IPv6:ADDRESS])" as -P has it. */
static bool take_client(struct slice *text, struct mailfile_message *m)
{
    char name[DOMAIN_MAX + 1], address[INET6_ADDRSTRLEN];

    if (skip(text, "local)\n")) {
        (void)snprintf(m->client, sizeof m->client, "local");
        return true;
    }
    if (!take_until(text, " [", name, sizeof name))
        return false;
    (void)skip(text, "IPv6:"); /* if it is one */
    if (!take_until(text, "])\n", address, sizeof address))
        return false;
    (void)snprintf(m->client, sizeof m->client, "%s%s%s", address, strcmp(name, "unknown") != 0 ? "=" : "",
                   strcmp(name, "unknown") != 0 ? name : "");
    return true;
}

/* A recipient of a copy that was held. The first one is in Delivered-To:, too. */
static bool add_other(struct slice *text, size_t *used, struct mailfile_message *m)
{
    char *other = m->others + *used;

    if (!take_until(text, "\n", other, sizeof m->others - *used < sizeof m->recipient ? 0 : sizeof m->recipient))
        return false;
    if (strcmp(other, m->recipient) == 0)
        return true;
    *used += strlen(other) + 1;
    m->other_count++;
    return true;
}

/* What handlers have added, up to our Received: field. False where that of somebody else comes first, or none. */
static bool take_fields(struct slice *text, struct mailfile_message *m)
{
    size_t used = 0;

    while (!skip(text, "Received: from ")) {
        const char *lf = memchr(text->text, '\n', text->len);

        if (lf == NULL || lf == text->text || skip(text, "Received:"))
            return false;
        if (skip(text, "X-Original-To: ")) {
            if (!add_other(text, &used, m))
                return false;
        } else {
            *text = (struct slice){ lf + 1, text->len - (size_t)(lf + 1 - text->text) };
        }
    }
    return true;
}

const char *head_recipient(const struct mailfile_message *m, size_t index)
{
    const char *other = m->others;

    if (index == 0)
        return m->recipient;
    while (--index > 0)
        other += strlen(other) + 1;
    return other;
}

/* How it was encrypted, if it was. */
static void take_security(struct slice text, struct mailfile_message *m)
{
    if (skip(&text, "\t(") && take_until(&text, " ", m->tls_protocol, sizeof m->tls_protocol) &&
        take_until(&text, ");\n", m->tls_cipher, sizeof m->tls_cipher))
        m->tls_cipher[strcspn(m->tls_cipher, ",")] = '\0'; /* the certificate follows */
}

/* Takes off the lines that continue a field. */
static void skip_folded(struct slice *text)
{
    const char *lf;

    while (text->len > 0 && text->text[0] == '\t' && (lf = memchr(text->text, '\n', text->len)) != NULL)
        *text = (struct slice){ lf + 1, text->len - (size_t)(lf + 1 - text->text) };
}

/* The header lines of copy_begin, without the From_ line. False if they are somebody else's. */
bool head_parse(struct slice text, uint64_t offset, struct mailfile_message *m)
{
    const char *begin = text.text;
    char domain[DOMAIN_MAX + 1], rest[HEAD_SIZE];
    size_t mark = 0;

    if (!skip(&text, "Return-Path: <") || !take_until(&text, ">\n", m->sender, sizeof m->sender))
        return false;
    m->mark_at = offset + (uint64_t)(text.text - begin);
    while (mark < sizeof head_marks / sizeof head_marks[0] && !skip(&text, head_marks[mark]))
        mark++;
    if (mark == sizeof head_marks / sizeof head_marks[0] || !skip(&text, " ") ||
        !take_until(&text, "\n", m->recipient, sizeof m->recipient))
        return false;
    m->mark = (enum mailfile_mark)mark;
    m->body = offset + (uint64_t)(text.text - begin);
    if (!take_fields(&text, m) || !take_helo(&text, m) || !take_client(&text, m) || !skip(&text, "\tby ") ||
        !take_until(&text, " (mailrecv) with ", domain, sizeof domain) ||
        !take_until(&text, " id ", m->protocol, sizeof m->protocol))
        return false;
    if (!take_until(&text, "\n", rest, sizeof rest))
        return false;
    take_security(text, m);
    skip_folded(&text);
    m->text = offset + (uint64_t)(text.text - begin);
    return true;
}
