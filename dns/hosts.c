/* hosts.c - hosts(5): its lines of addresses and names; pure */
#include "dns/hosts.h"

#include <arpa/inet.h>

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The next word, without the blanks before it; empty at the end. */
static struct slice take_word(struct slice *text)
{
    struct slice word;
    size_t begin = 0, end;

    while (begin < text->len && is_blank(text->text[begin]))
        begin++;
    for (end = begin; end < text->len && !is_blank(text->text[end]);)
        end++;
    word = (struct slice){ text->text + begin, end - begin };
    *text = (struct slice){ text->text + end, text->len - end };
    return word;
}

/* The next line, without its comment. */
static struct slice take_line(struct slice *text)
{
    const char *end = memchr(text->text, '\n', text->len), *comment;
    struct slice line = { text->text, end != NULL ? (size_t)(end - text->text) : text->len };
    size_t taken = line.len + (end != NULL);

    *text = (struct slice){ text->text + taken, text->len - taken };
    comment = memchr(line.text, '#', line.len);
    if (comment != NULL)
        line.len = (size_t)(comment - line.text);
    return line;
}

static bool take_address(struct slice word, struct host *host)
{
    static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
    char text[INET6_ADDRSTRLEN];

    if (word.len >= sizeof text || memchr(word.text, '\0', word.len) != NULL)
        return false;
    memcpy(text, word.text, word.len);
    text[word.len] = '\0';
    host->family = memchr(text, ':', word.len) != NULL ? AF_INET6 : AF_INET;
    if (inet_pton(host->family, text, host->bytes) != 1)
        return false;
    if (host->family == AF_INET6 && memcmp(host->bytes, mapped, sizeof mapped) == 0) {
        host->family = AF_INET;
        memmove(host->bytes, host->bytes + sizeof mapped, 4);
    }
    return true;
}

bool hosts_next(struct slice *text, struct host *host)
{
    while (text->len > 0) {
        struct slice names = take_line(text), address = take_word(&names), rest = names;

        if (take_word(&rest).len > 0 && take_address(address, host)) {
            host->names = names;
            return true;
        }
    }
    return false;
}

struct slice hosts_name(struct slice *names)
{
    struct slice name = take_word(names);

    if (name.len > 1 && name.text[name.len - 1] == '.')
        name.len--;
    return name;
}
