/* stored.c - the header of a message as mailboxes hold it, and back: readers find its end, no notes of the sender; pure */
#include "delivery/stored.h"

#include <string.h>

#include "delivery/header.h"

static const char original[] = "X-Original-", mailbox_line[] = "X-Mailbox-Line: ";
static const char header_end[] = "X-Header-End: added\n\n";

/* What readers take for their own notes, or for the size of the text. Those of a family begin with the name. */
static const struct note {
    char name[16];
    bool family, maildirs;
} notes[] = {
    { "content-length", false, false }, { "lines", false, false },          { "status", false, false },
    { "x-keywords", false, false },     { "x-uid", false, false },          { "x-imap", false, false },
    { "x-imapbase", false, false },     { "x-mozilla-", true, false },      { "x-status", false, true },
    { "x-mailbox-line", false, true },  { "x-header-end", false, true },
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Does the text begin with a word, which is in lower case? */
static bool begins(struct slice text, const char *word, size_t len)
{
    size_t i = 0;

    while (i < len && i < text.len && lower_ascii(text.text[i]) == word[i])
        i++;
    return i == len;
}

static struct slice behind(struct slice text, size_t len)
{
    return (struct slice){ text.text + len, text.len - len };
}

static bool is_note(struct slice name, bool mbox)
{
    static const char renamed[] = "x-original-";

    while (begins(name, renamed, sizeof renamed - 1))
        name = behind(name, sizeof renamed - 1);
    for (size_t i = 0; i < sizeof notes / sizeof notes[0]; i++) {
        size_t len = strlen(notes[i].name);

        if ((mbox || notes[i].maildirs) && (notes[i].family || name.len == len) && begins(name, notes[i].name, len))
            return true;
    }
    return false;
}

/* The name of the field that begins here, before blanks (RFC 5322 4.5) and a colon; empty: it is none. */
static struct slice field_name(struct slice rest, size_t most)
{
    size_t len;

    if (rest.len > most)
        rest.len = most;
    return (struct slice){ rest.text, header_value_at(rest, &len) > 0 ? len : 0 };
}

static bool is_from_line(struct slice rest)
{
    size_t quotes = 0;

    while (quotes < rest.len && quotes < STORED_NAME && rest.text[quotes] == '>')
        quotes++;
    return rest.len - quotes >= 5 && memcmp(rest.text + quotes, "From ", 5) == 0;
}

bool stored_keep(struct slice rest, bool first, bool mbox, const char **before)
{
    struct slice name;

    *before = "";
    if (rest.len > 0 && rest.text[0] == '\n')
        return false;
    if (!first && rest.len > 0 && is_blank(rest.text[0]))
        return true;
    name = field_name(rest, STORED_NAME);
    if (first && is_from_line(rest))
        *before = mailbox_line;
    else if (name.len == 0)
        *before = header_end;
    else if (is_from_line(rest))
        *before = ">";
    else if (is_note(name, mbox))
        *before = original;
    return *before != header_end;
}

/* Nothing but what stored_keep has written begins just so. */
static bool was_written(struct slice rest, const char *text)
{
    size_t len = strlen(text);

    return rest.len >= len && memcmp(rest.text, text, len) == 0;
}

bool stored_undo(struct slice rest, bool first, bool mbox, size_t *len)
{
    struct slice name = field_name(rest, STORED_NAME + sizeof original - 1);

    *len = 0;
    if (was_written(rest, header_end))
        *len = sizeof header_end - 1;
    else if (first && was_written(rest, mailbox_line) && is_from_line(behind(rest, sizeof mailbox_line - 1)))
        *len = sizeof mailbox_line - 1;
    else if (name.len > 0 && name.text[0] == '>' && is_from_line(rest))
        *len = 1;
    else if (was_written(name, original) && is_note(behind(name, sizeof original - 1), mbox))
        *len = sizeof original - 1;
    else
        return name.len > 0 || (!first && rest.len > 0 && is_blank(rest.text[0]));
    return *len != sizeof header_end - 1;
}
