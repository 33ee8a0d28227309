/* lines.c - the lines of an open text table, read in pieces */
/* Nothing is mapped: a file that becomes shorter while it is read would end the process. */
#include "tables/lines.h"

#include <errno.h>
#include <unistd.h>

#include "tables/room.h"


enum {
    SHORT_LINE = 2048, /* bytes that are read of one at first */
    ROOM = 4 * TABLE_LINE_MOST
};

static char *bytes; /* ROOM of them */

static bool make_room(void)
{
    if (bytes == NULL)
        bytes = table_room(ROOM);
    return bytes != NULL;
}

static ssize_t read_at(int fd, char *to, size_t size, uint64_t at)
{
    ssize_t len;

    do
        len = pread(fd, to, size, (off_t)at);
    while (len < 0 && errno == EINTR);
    return len;
}

/*
 * Shows the lines that end in a piece; at the end of the file also one that does not; up to one that is too long. Returns
 * how many bytes they have.
 */
static size_t show_lines(struct slice piece, uint64_t at, bool last,
                         bool (*visit)(void *context, uint64_t at, struct slice line), void *context, bool *stopped)
{
    size_t used = 0;

    while (!*stopped && used < piece.len) {
        const char *begin = piece.text + used, *end = memchr(begin, '\n', piece.len - used);
        size_t len = end != NULL ? (size_t)(end - begin) : piece.len - used;

        if ((end == NULL && !last) || len > TABLE_LINE_MOST)
            break;
        *stopped = !visit(context, at + used, (struct slice){ begin, len });
        used += len + (end != NULL);
    }
    return used;
}

bool table_lines(int fd, bool (*visit)(void *context, uint64_t at, struct slice line), void *context)
{
    uint64_t at = 0;
    size_t kept = 0;
    bool stopped = false, last = false;

    if (!make_room())
        return false;
    while (!last) {
        ssize_t len = read_at(fd, bytes + kept, ROOM - kept, at + kept);
        size_t used;

        if (len < 0)
            return false;
        last = len == 0;
        kept += (size_t)len;
        used = show_lines((struct slice){ bytes, kept }, at, last, visit, context, &stopped);
        if (stopped)
            break; /* what was shown stays where it is */
        at += used;
        kept -= used;
        if (kept > TABLE_LINE_MOST) {
            errno = EMSGSIZE;
            return false;
        }
        memmove(bytes, bytes + used, kept);
    }
    return true;
}

bool table_line_at(int fd, uint64_t at, struct slice *line)
{
    const size_t before = at > 0; /* a line begins behind an LF, or with the file */
    const char *end = NULL;
    ssize_t len = 0;

    if (!make_room())
        return false;
    for (size_t size = SHORT_LINE; end == NULL; size = TABLE_LINE_MOST + 2) {
        len = read_at(fd, bytes, size, at - before);
        if (len <= (ssize_t)before || (before > 0 && bytes[0] != '\n'))
            return false;
        end = memchr(bytes + before, '\n', (size_t)len - before);
        if (end == NULL && (size_t)len < size)
            end = bytes + len; /* of the file */
        if (end == NULL && size > SHORT_LINE)
            return false;
    }
    *line = (struct slice){ bytes + before, (size_t)(end - bytes) - before };
    return true;
}
