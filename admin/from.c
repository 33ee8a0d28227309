/* from.c - where the messages of an mbox begin and end: From_ lines, of ours and of other programs */
#include "admin/from.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cold.h"

enum { PIECE = 65536, LINE_MOST = 1024 }; /* bytes */

const char from_word[] = "From ";

/*
 * Does a text end with a date as ctime(3) writes it? Seconds may be missing, zones stand before or behind the year, and
 * UUCP's "remote from" behind all.
 */
static bool ends_in_date(const char *text)
{
    const char *rest;
    struct tm tm = { .tm_sec = 0 };
    unsigned year = 0, zones = 0;

    rest = strptime(text, "%a %b %d %H:%M", &tm);
    if (rest != NULL && *rest == ':')
        rest = strptime(rest, ":%S", &tm);
    for (; rest != NULL && *rest == ' ' && year == 0 && zones <= 2; zones++) {
        size_t len = strcspn(++rest, " ");

        if (len == 4 && strspn(rest, "0123456789") == 4)
            year = 1;
        rest += len;
    }
    return year != 0;
}

/*
 * The length of the From_ line with which a text begins, or 0: one has an address and a date. The end of the file ends
 * one, too: then it is all there is of its message.
 */
size_t from_line(const char *text, size_t len)
{
    const char *lf = memchr(text, '\n', len < LINE_MOST ? len : LINE_MOST);
    size_t size = lf != NULL ? (size_t)(lf - text) : len;
    char line[LINE_MOST];

    if (size >= LINE_MOST || size <= FROM || memcmp(text, from_word, FROM) != 0 || (unsigned char)text[FROM] <= ' ')
        return 0;
    memcpy(line, text, size);
    line[line[size - 1] == '\r' ? size - 1 : size] = '\0';
    for (const char *blank = strchr(line + FROM, ' '); blank != NULL; blank = strchr(blank + 1, ' '))
        if (ends_in_date(blank + 1))
            return size + (lf != NULL);
    return 0;
}

/* A message of an mbox whose end is looked for. */
struct search {
    int fd;
    uint64_t begin, size; /* of the message, of the file */
    uint64_t header_end;  /* of the message: an empty line */
    bool ours;
};

/* Where the first such text stands that `is_it`, or any; in the message, or else `size`. */
static uint64_t find(const struct search *s, const char *wanted, bool (*is_it)(const struct search *, uint64_t))
{
    static char piece[PIECE] COLD_BSS;
    const size_t len = strlen(wanted);
    uint64_t offset = s->begin;

    while (offset + len <= s->size) {
        size_t most = s->size - offset < sizeof piece ? (size_t)(s->size - offset) : sizeof piece;
        ssize_t n = pread(s->fd, piece, most, (off_t)offset);
        const char *found = piece, *end = piece + n;

        if (n < (ssize_t)len)
            break; /* the file has become shorter; what is there is looked at again under the lock */
        for (; (found = memmem(found, (size_t)(end - found), wanted, len)) != NULL; found++)
            if (is_it == NULL || is_it(s, offset + (uint64_t)(found - piece)))
                return offset + (uint64_t)(found - piece);
        offset += (uint64_t)n - (len - 1);
    }
    return s->size;
}

/*
 * Does the next message begin behind this LF? With a From_ line behind an empty line. In what we have written, where
 * every other line that begins so is quoted, the one is enough without the other: something was torn there. And no
 * header has a From_ line, so that there the header was torn.
 */
static bool ends_message(const struct search *s, uint64_t lf)
{
    char text[LINE_MOST + 2];
    uint64_t start = lf >= 2 ? lf - 2 : 0;
    ssize_t n = pread(s->fd, text, sizeof text, (off_t)start);
    size_t before = (size_t)(lf - start); /* bytes */
    bool behind_empty_line, whole;

    if (n <= (ssize_t)before)
        return false;
    behind_empty_line = (before > 0 && text[before - 1] == '\n') || (before > 1 && memcmp(text, "\n\r", 2) == 0);
    whole = from_line(text + before + 1, (size_t)n - before - 1) > 0;
    if (whole)
        return behind_empty_line || s->ours || lf < s->header_end;
    return behind_empty_line && s->ours;
}

/* Where the header ends: the first empty line, of either kind. Not further: the next one may be far away. */
static uint64_t find_header_end(const struct search *s)
{
    struct search piece = *s;
    uint64_t end = s->begin;

    for (piece.begin = s->begin; end < s->size; piece.begin = end - 2) {
        uint64_t lf_end, crlf_end;

        end = s->size - piece.begin < PIECE ? s->size : piece.begin + PIECE;
        piece.size = end;
        lf_end = find(&piece, "\n\n", NULL);
        crlf_end = find(&piece, "\n\r\n", NULL);
        if (lf_end < end || crlf_end < end)
            return lf_end < crlf_end ? lf_end : crlf_end;
    }
    return s->size;
}

/* Where the message of an mbox ends that begins there. */
uint64_t from_find_end(int fd, uint64_t begin, uint64_t size, bool ours)
{
    struct search s = { .fd = fd, .begin = begin, .size = size, .ours = ours };
    uint64_t end;

    s.header_end = find_header_end(&s);
    end = find(&s, "\nFrom ", ends_message);
    return end < size ? end + 1 : size;
}

/* Does a text begin with a header field (RFC 5322 3.6.8)? */
bool from_is_field(const char *text, size_t len)
{
    size_t name = 0;

    while (name < len && text[name] > ' ' && text[name] < 0x7f && text[name] != ':')
        name++;
    return name > 0 && name < len && text[name] == ':';
}
