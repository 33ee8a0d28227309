/* secrets.c - lines that may hold a password, as command, argument or by mistake: known by their words; pure */
#include "session/secrets.h"

#include <string.h>

#include "session/sasl.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_alphanumeric(char c)
{
    return (c >= '0' && c <= '9') || (lower_ascii(c) >= 'a' && lower_ascii(c) <= 'z');
}

/* The next word of a line, however it is set off: blanks and whatever else is no letter or digit stand before it. */
static struct slice next_word(struct slice *line)
{
    size_t begin = 0, end;

    while (begin < line->len && !is_alphanumeric(line->text[begin]))
        begin++;
    for (end = begin; end < line->len && !is_blank(line->text[end]);)
        end++;
    *line = (struct slice){ line->text + end, line->len - end };
    return (struct slice){ line->text - (end - begin), end - begin };
}

/* AUTH, and what begins so, as "AUTH=" or "Authorization:". */
static bool is_auth(struct slice word)
{
    static const struct slice verb = SLICE("AUTH");

    return word.len >= verb.len && slice_equal_nocase((struct slice){ word.text, verb.len }, verb);
}

/* AUTH with letters that are missing, doubled or in another order. */
static bool resembles_auth(struct slice word)
{
    size_t letters = 0;

    while (letters < word.len && strchr("auth", lower_ascii(word.text[letters])) != NULL)
        letters++;
    return word.len > 2 && letters == word.len;
}

/* What other servers are told passwords by. */
static bool is_login(struct slice word)
{
    static const struct slice words[] = { SLICE("USER"), SLICE("PASS"), SLICE("PASSWORD"), SLICE("LOGIN") };

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (slice_equal_nocase(word, words[i]))
            return true;
    return false;
}

/* Is this, which is no command, about a password? A tag of IMAP may stand before the word that says so. */
bool secrets_in_line(struct slice line)
{
    struct slice word = next_word(&line);
    bool found = resembles_auth(word) || is_login(word) || is_login(next_word(&(struct slice){ line.text, line.len }));

    for (; !found && word.len > 0; word = next_word(&line))
        found = is_auth(word) || sasl_is_mechanism(word);
    return found;
}

bool secrets_in_argument(struct slice argument)
{
    bool found = false;

    while (!found && argument.len > 0)
        found = is_auth(next_word(&argument));
    return found;
}
