/* reply.c - one answer to one command: code, enhanced status code, text (RFC 5321 4.2, RFC 2034) */
#include "session/reply.h"

#include "base/log.h"
#include "base/text.h"

/* RFC 5321 4.5.3.1.5: a reply line has at most 512 octets, CRLF included */
enum { REPLY_LINE = 510 };

const struct reply reply_stopping = { .code = 421, .status = SLICE("3.2"), .closes = true,
                                      .text = SLICE("The service is being stopped, try again later") };

/* How much of the text goes on one line: up to its '\n', or to the last blank that fits. */
static size_t line_length(struct slice text, size_t room)
{
    const char *newline = memchr(text.text, '\n', text.len);
    size_t len = newline != NULL ? (size_t)(newline - text.text) : text.len;

    if (len <= room)
        return len;
    for (size_t i = room; i > room / 2; i--)
        if (text.text[i] == ' ')
            return i;
    return room;
}

static void put_printable(struct line_io *io, struct slice text)
{
    char line[REPLY_LINE];

    for (size_t i = 0; i < text.len; i++)
        line[i] = (char)(text.text[i] >= ' ' && text.text[i] <= '~' ? text.text[i] : '?');
    line_put(io, line, text.len);
}

/* One text, on as many lines as it takes; `last` says whether the reply ends with it. */
static void put_text(struct line_io *io, const struct reply *reply, struct slice text)
{
    size_t prefix_len = 4 + (reply->status.len > 0 ? reply->status.len + 3 : 0);
    size_t room = REPLY_LINE - prefix_len;
    bool more;

    do {
        char prefix[32];
        struct text code = { prefix, sizeof prefix, 0 };
        size_t len = line_length(text, room), skip = len;

        if (skip < text.len && (text.text[skip] == '\n' || text.text[skip] == ' '))
            skip++;
        more = skip < text.len;
        text_number(&code, reply->code, 3);
        text_put(&code, slice_of(more ? "-" : " "));
        line_put(io, prefix, 4);
        if (reply->status.len > 0) {
            prefix[1] = '.';
            line_put(io, prefix, 2);
            line_put(io, reply->status.text, reply->status.len);
            line_put(io, " ", 1);
        }
        put_printable(io, (struct slice){ text.text, len });
        line_put(io, "\r\n", 2);
        text.text += skip;
        text.len -= skip;
    } while (more);
}

void reply_send(struct line_io *io, const struct reply *reply)
{
    char bytes[3072];
    struct text joined = { bytes, sizeof bytes, 0 };

    if (reply->detail.len == 0) {
        put_text(io, reply, reply->text);
        return;
    }
    text_put(&joined, reply->text);
    if (reply->text.len > 0)
        text_put(&joined, (struct slice)SLICE(" "));
    text_put(&joined, reply->detail);
    for (size_t i = reply->text.len; i < joined.len; i++)
        if (bytes[i] == '\n')
            bytes[i] = '?'; /* only our own text may begin another line */
    put_text(io, reply, text_slice(&joined));
}

/* Double quotes and brackets stand for themselves nowhere but in this format. */
void reply_log(const struct reply *reply, const struct reply_context *context, struct slice line)
{
    char text[LOG_TEXT], note[LOG_TEXT], host[LOG_TEXT], detail[LOG_TEXT], helo[LOG_TEXT], from[LOG_TEXT], shown[LOG_TEXT];
    const bool named = context->host[0] != '\0';

    log_line(LOG_NOTICE, "ERROR: %u %s stage=%s%s%s%s%s%s%s%s%s%s%s%s%s from=\"%s\" line=\"%s\"", reply->code,
             reply->text.len > 0 ? log_encode(text, sizeof text, reply->text) : "-", context->stage,
             reply->note.len > 0 ? " " : "", log_encode(note, sizeof note, reply->note),
             named ? " host=" : "", log_encode(host, sizeof host, slice_of(context->host)),
             context->via[0] != '\0' ? " via=" : "", context->via,
             reply->detail.len > 0 ? " detail=\"" : "", log_encode(detail, sizeof detail, reply->detail),
             reply->detail.len > 0 ? "\"" : "",
             context->helo.len > 0 ? " helo=\"" : "", log_encode(helo, sizeof helo, context->helo),
             context->helo.len > 0 ? "\"" : "",
             log_encode(from, sizeof from, context->sender), log_encode(shown, sizeof shown, line));
}
