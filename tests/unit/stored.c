/* stored.c - unit tests of stored.h: what mailboxes hold of a header, and that it can be undone */
#include "base/text.h"
#include "delivery/stored.h"

#include <string.h>

#include "unit.h"

#define END "X-Header-End: added\n\n"

static const struct {
    const char *sent, *mbox, *maildir; /* NULL: as it was sent */
} messages[] = {
    { "Subject: x\nTo: y\n\ntext\n", NULL, NULL },
    { "\n", NULL, NULL },
    { "\nStatus: x\n", NULL, NULL },
    { "a:\n\n\n", NULL, NULL },
    /* notes of readers, in any case, with blanks as was allowed once, with more lines */
    { "Content-Length: 0\n\nContent-Length: 5\n", "X-Original-Content-Length: 0\n\nContent-Length: 5\n", NULL },
    { "a:\ncontent-length \t: 9\n\n", "a:\nX-Original-content-length \t: 9\n\n", NULL },
    { "Lines: 1\n\n", "X-Original-Lines: 1\n\n", NULL },
    { "STATUS: RO\n Lines: 1\n\n", "X-Original-STATUS: RO\n Lines: 1\n\n", NULL },
    { "X-Status: D\n\n", "X-Original-X-Status: D\n\n", "X-Original-X-Status: D\n\n" },
    { "X-Keywords:\nX-UID:1\n\n", "X-Original-X-Keywords:\nX-Original-X-UID:1\n\n", NULL },
    { "X-IMAP:\nX-IMAPbase:\n\n", "X-Original-X-IMAP:\nX-Original-X-IMAPbase:\n\n", NULL },
    { "X-Mozilla-Status2: 0\nx-mozilla-:\n\n", "X-Original-X-Mozilla-Status2: 0\nX-Original-x-mozilla-:\n\n", NULL },
    /* what is none */
    { "Status-Of: x\nX-Stat: y\nX-UIDL: z\nX-Mozilla: a\nLine: b\nX-Original-To: c\n\n", NULL, NULL },
    /* what looks as if it had been renamed */
    { "X-Original-Status: x\n\n", "X-Original-X-Original-Status: x\n\n", NULL },
    { "x-original-x-ORIGINAL-X-Status: x\n\n", "X-Original-x-original-x-ORIGINAL-X-Status: x\n\n",
      "X-Original-x-original-x-ORIGINAL-X-Status: x\n\n" },
    { END "x\n", "X-Original-" END "x\n", "X-Original-" END "x\n" },
    { "X-Mailbox-Line: From x\n\n", "X-Original-X-Mailbox-Line: From x\n\n",
      "X-Original-X-Mailbox-Line: From x\n\n" },
    { "X-Original-Status: x\n" END, "X-Original-X-Original-Status: x\nX-Original-" END,
      "X-Original-Status: x\nX-Original-" END },
    /* where the header ends */
    { "", END, END },
    { "Subject: x\n", "Subject: x\n" END, "Subject: x\n" END },
    { "Status: x\n", "X-Original-Status: x\n" END, "Status: x\n" END },
    { "text\n", END "text\n", END "text\n" },
    { " text\nStatus: x\n", END " text\nStatus: x\n", END " text\nStatus: x\n" },
    { "a: b\n c\ntext\n\n", "a: b\n c\n" END "text\n\n", "a: b\n c\n" END "text\n\n" },
    { "a: b\n:c\n\n", "a: b\n" END ":c\n\n", "a: b\n" END ":c\n\n" },
    { "a: b\n\r\ntext\n", "a: b\n" END "\r\ntext\n", "a: b\n" END "\r\ntext\n" },
    { "a: b\nc\xc3\xbc: d\n\n", "a: b\n" END "c\xc3\xbc: d\n\n", "a: b\n" END "c\xc3\xbc: d\n\n" },
    { "a: b\nFrom x\n\n", "a: b\n" END "From x\n\n", "a: b\n" END "From x\n\n" },
    { "no-colon", END "no-colon", END "no-colon" },
    /* lines that begin as a message of an mbox does */
    { "From x Thu\nSubject: x\n\n", "X-Mailbox-Line: From x Thu\nSubject: x\n\n",
      "X-Mailbox-Line: From x Thu\nSubject: x\n\n" },
    { ">>From x\n\n", "X-Mailbox-Line: >>From x\n\n", "X-Mailbox-Line: >>From x\n\n" },
    { "From : x\n\n", "X-Mailbox-Line: From : x\n\n", "X-Mailbox-Line: From : x\n\n" },
    { "a: b\nFrom : x\n>From : y\n>From: z\n\n", "a: b\n>From : x\n>>From : y\n>From: z\n\n",
      "a: b\n>From : x\n>>From : y\n>From: z\n\n" },
    { "From: x\n\n", NULL, NULL },
};

/* Adds what is at the beginning of a text. Returns the rest. */
static struct slice move(struct slice text, size_t len, char *out)
{
    strncat(out, text.text, len);
    return (struct slice){ text.text + len, text.len - len };
}

static size_t line_of(struct slice text)
{
    const char *lf = memchr(text.text, '\n', text.len);

    return lf != NULL ? (size_t)(lf + 1 - text.text) : text.len;
}

static void keep(struct slice text, bool mbox, char *out)
{
    const char *before;
    bool first = true, more = true;

    for (*out = '\0'; more; first = false) {
        more = stored_keep(text, first, mbox, &before);
        strcat(out, before);
        text = move(text, more ? line_of(text) : text.len, out);
    }
}

static void undo(struct slice text, bool mbox, char *out)
{
    bool first = true, more = true;
    size_t len;

    for (*out = '\0'; more; first = false) {
        more = stored_undo(text, first, mbox, &len);
        text = (struct slice){ text.text + len, text.len - len };
        text = move(text, more ? line_of(text) : text.len, out);
    }
}

static void check(const char *sent, const char *stored, bool mbox)
{
    char there[512], back[512];

    keep(slice_of(sent), mbox, there);
    undo(slice_of(there), mbox, back);
    ok_text(slice_of(there), slice_of(stored != NULL ? stored : sent), "%s of '%s'", mbox ? "mbox" : "maildir",
            show(slice_of(sent)));
    ok_text(slice_of(back), slice_of(sent), "and back");
}

/* The longest name of a field, and the shortest that is none; both beginning as a note does. */
static void check_long(size_t len, bool field)
{
    char sent[STORED_LEAST], stored[STORED_LEAST + 64], back[STORED_LEAST + 64];
    struct text out = { sent, sizeof sent - 1, 0 };

    text_put(&out, slice_of("X-Mozilla-"));
    while (out.len < len)
        text_put(&out, slice_of("x"));
    text_put(&out, slice_of(": y\n\n"));
    sent[out.len] = '\0';
    keep(slice_of(sent), true, stored);
    undo(slice_of(stored), true, back);
    ok(strncmp(stored, field ? "X-Original-X-M" : END, 14) == 0, "a name of %zu bytes", len);
    ok_text(slice_of(back), slice_of(sent), "and back");
}

void test_stored(void)
{
    for (size_t i = 0; i < COUNT(messages); i++) {
        check(messages[i].sent, messages[i].mbox, true);
        check(messages[i].sent, messages[i].maildir, false);
    }
    check_long(STORED_NAME - 1, true);
    check_long(STORED_NAME, false);
}
