/* copy.c - the copy of a message that one recipient gets: our headers above what the sender sent */
#include "delivery/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cold.h"

static void __attribute__((format(printf, 2, 3))) add(struct copy *copy, const char *format, ...)
{
    size_t room = sizeof copy->head - copy->used;
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(copy->head + copy->used, room, format, args);
    va_end(args);
    /* the parts are bounded by the RFC's sizes and fit; the check is for who changes them */
    if (len > 0)
        copy->used += (size_t)len < room ? (size_t)len : room - 1;
}

/*
 * The line that begins a message in an mbox (RFC 4155). A blank would end the address there; at quotes, brackets, colons,
 * commas and what is not ASCII one reader or another sees no such line.
 */
static void add_from_line(struct copy *copy)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-/=?^_`{|}~.@";
    const struct transaction *t = copy->transaction;
    char sender[ADDRESS_MAX + 1], date[32];
    struct tm utc;

    (void)snprintf(sender, sizeof sender, "%s", t->sender->len > 0 ? t->sender->text : "MAILER-DAEMON");
    for (char *c = sender + strspn(sender, plain); *c != '\0'; c += strspn(c, plain))
        *c = '-';
    if (gmtime_r(&t->received, &utc) == NULL || strftime(date, sizeof date, "%a %b %e %H:%M:%S %Y", &utc) == 0)
        (void)snprintf(date, sizeof date, "Thu Jan  1 00:00:00 1970");
    add(copy, "From %s %s\n", sender, date);
}

static bool is_harmless(char c)
{
    return c >= ' ' && c <= '~' && strchr("\"\\()", c) == NULL;
}

/*
 * HELO may be anything. In a header it is a domain or a literal, or a quoted string (a word of RFC 5322 3.6.7), in
 * which nothing begins, ends or quotes anything, and nothing is outside ASCII.
 */
static void add_helo(struct copy *copy)
{
    struct slice helo = slice_of(copy->transaction->helo);
    char quoted[DOMAIN_MAX + 1];
    size_t len = 0;

    if (helo.len == 0)
        add(copy, "unknown");
    else if (helo.len <= DOMAIN_MAX && slice_is_ascii(helo) && (envelope_domain(helo) || envelope_literal(helo)))
        add(copy, "%s", copy->transaction->helo);
    else {
        for (; len < helo.len && len < DOMAIN_MAX; len++)
            quoted[len] = (char)(is_harmless(helo.text[len]) ? helo.text[len] : '?');
        add(copy, "\"%.*s\"", (int)len, quoted);
    }
}

/* A comment (RFC 5322 3.2.2): what would end it, or begin another, is left out. */
static void add_security(struct copy *copy)
{
    const struct client_tls *tls = &copy->transaction->client->tls;
    char subject[CLIENT_TEXT + 1];
    size_t len = 0;

    if (tls->protocol[0] == '\0')
        return;
    for (const char *c = tls->subject; *c != '\0'; c++)
        subject[len++] = (char)(strchr("()\\", *c) != NULL ? '?' : *c);
    subject[len] = '\0';
    add(copy, "\n\t(%s %s%s%s)", tls->protocol, tls->cipher, len > 0 ? ", certificate of " : "", subject);
}

static void add_received(struct copy *copy)
{
    const struct transaction *t = copy->transaction;
    struct client *client = t->client;
    char date[48];
    struct tm local;

    if (localtime_r(&t->received, &local) == NULL ||
        strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S %z", &local) == 0)
        (void)snprintf(date, sizeof date, "Thu, 01 Jan 1970 00:00:00 +0000");
    add(copy, "Received: from ");
    add_helo(copy);
    if (client->family == AF_UNSPEC)
        add(copy, " (%s)\n", client->address);
    else
        add(copy, " (%s [%s%s])\n", client_shown_name(client), client->family == AF_INET6 ? "IPv6:" : "", client->address);
    add(copy, "\tby %.*s (mailrecv) with %s id %s", (int)t->rules->domain.len, t->rules->domain.text,
        t->protocol, t->id);
    add_security(copy);
    add(copy, ";\n\t%s\n", date);
}

void copy_begin(struct copy *copy, const struct transaction *transaction, const struct recipient *recipient,
                bool from_line)
{
    copy->transaction = transaction;
    copy->recipient = recipient;
    copy->used = 0;
    if (from_line)
        add_from_line(copy);
    if (recipient != NULL) {
        add(copy, "Return-Path: <%s>\n", transaction->sender->text);
        add(copy, "Delivered-To: %s\n", recipient->address.text);
    }
    copy->top_len = copy->used;
    add_received(copy);
    copy->head_len = copy->used + transaction->fields.len;
}

uint64_t copy_size(const struct copy *copy)
{
    return copy->head_len + copy->transaction->spool->size;
}

/* Of the head, from `offset` on, as far as it lies in one piece. */
static struct slice head_piece(const struct copy *copy, size_t offset)
{
    const struct slice fields = copy->transaction->fields;

    if (fields.len == 0)
        return (struct slice){ copy->head + offset, copy->head_len - offset };
    if (offset < copy->top_len)
        return (struct slice){ copy->head + offset, copy->top_len - offset };
    if (offset < copy->top_len + fields.len)
        return (struct slice){ fields.text + (offset - copy->top_len), copy->top_len + fields.len - offset };
    return (struct slice){ copy->head + (offset - fields.len), copy->head_len - offset };
}

struct slice copy_piece(const struct copy *copy, uint64_t offset, char *buffer, size_t size)
{
    if (offset < copy->head_len)
        return head_piece(copy, (size_t)offset);
    return spool_piece(copy->transaction->spool, offset - copy->head_len, buffer, size);
}

ssize_t copy_head_to(const struct copy *copy, int fd)
{
    errno = copy->transaction->fields.len > 0 ? EINVAL : write_all(fd, copy->head, copy->used);
    return errno == 0 ? (ssize_t)copy->used : -1;
}

/* Is the file of the spool this copy, and will it be? Nothing is believed of it while a session can write to it. */
static bool is_copy(const struct copy *copy, const struct spool *spool)
{
    struct stat status;
    char head[COPY_HEAD];

    return spool->fd >= 0 && copy->transaction->fields.len == 0 && spool->start == copy->head_len && spool_is_final(spool->fd) &&
           fstat(spool->fd, &status) == 0 && (uint64_t)status.st_size == copy_size(copy) &&
           pread(spool->fd, head, copy->head_len, 0) == (ssize_t)copy->head_len &&
           memcmp(head, copy->head, copy->head_len) == 0;
}

/*
 * The same file for reading only, at its beginning, open to every user: a command that has become another one may open
 * its input once more, and nobody else has a way to the file. `fd` is closed. Where there is no /proc it is what is left.
 */
static int make_input(int fd)
{
    int reader = fchmod(fd, S_IRUSR | S_IRGRP | S_IROTH) == 0 ? spool_reader(fd) : -1;

    if (reader < 0)
        return fd;
    (void)close(fd); /* all was written */
    return reader;
}

int copy_as_file(const struct copy *copy)
{
    static char buffer[SPOOL_PIECE] COLD_BSS;
    const struct spool *spool = copy->transaction->spool;
    uint64_t size = copy_size(copy);
    int fd, error = 0;

    if (is_copy(copy, spool)) {
        fd = fcntl(spool->fd, F_DUPFD_CLOEXEC, 0);
        return fd < 0 ? -1 : make_input(fd);
    }
    fd = spool->fd < 0 ? memfd_create("message", MFD_CLOEXEC)
                       : spool_file(copy->transaction->settings->spool_directory);
    if (fd < 0)
        return -1;
    for (uint64_t offset = 0; offset < size && error == 0;) {
        struct slice piece = copy_piece(copy, offset, buffer, copy_room(offset));

        error = piece.text == NULL ? errno : write_all(fd, piece.text, piece.len);
        offset += piece.len;
    }
    if (error == 0 && lseek(fd, 0, SEEK_SET) == 0)
        return make_input(fd);
    error = error != 0 ? error : errno;
    (void)close(fd); /* nobody has seen it */
    errno = error;
    return -1;
}

void outcome_set(struct outcome *outcome, enum result result, const char *format, ...)
{
    va_list args;

    outcome->result = result;
    outcome->limit = NULL;
    outcome->code = 0;
    outcome->violation = false;
    va_start(args, format);
    (void)vsnprintf(outcome->reason, sizeof outcome->reason, format, args); /* cut when too long */
    va_end(args);
}

void outcome_errno(struct outcome *outcome, const char *what)
{
    outcome_set(outcome, RESULT_DEFERRED, "%s: %s", what, strerror(errno));
}

void outcome_limit(struct outcome *outcome, const struct limit *limit)
{
    outcome_set(outcome, limit->reply.code < 500 ? RESULT_DEFERRED : RESULT_REFUSED, "%.*s",
                (int)limit->reply.text.len, limit->reply.text.text);
    outcome->limit = limit;
}

void outcome_timeout(struct outcome *outcome, const struct transaction *transaction, const struct limit *limit)
{
    if (clock_left(transaction->deadline) > 0) {
        outcome_limit(outcome, limit);
        return;
    }
    /* nobody said no to this message: whatever the code, it may come again */
    outcome_limit(outcome, &transaction->session->connection_secs);
    outcome->result = RESULT_DEFERRED;
}
