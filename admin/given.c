/* given.c - where a command of a shell takes what strangers have chosen for several words, or for code; pure */
#include "admin/given.h"

#include <string.h>

#include "admin/programs.h"
#include "admin/shell_tree.h"

/* Variables that may hold blanks, * and ? or, in code, anything that there is. Domains hold none of that. */
static const struct {
    char name[20];
    unsigned by;
} variables[] = {
    { "CLIENT_HELO", GIVEN_BY_CLIENT },       { "TLS_CLIENT_SUBJECT", GIVEN_BY_CLIENT },
    { "SENDER", GIVEN_BY_SENDER },            { "SENDER_LOCAL", GIVEN_BY_SENDER },
    { "MAIL_PARAMETERS", GIVEN_BY_CLIENT },   { "MAILRECV_JSON", GIVEN_BY_CLIENT },
    { "EXTENSION", GIVEN_BY_EXTENSION },      { "RECIPIENT", GIVEN_BY_EXTENSION | GIVEN_BY_RECIPIENT },
    { "LOCAL", GIVEN_BY_RECIPIENT },          { "ORIGINAL_RECIPIENT", GIVEN_BY_EXTENSION | GIVEN_BY_RECIPIENT },
};

#define BIND "give values apart from the statement, as psql -v a=\"$SENDER\" with :'a' in a script"
#define SINGLE "single quotes around the code, in which \"$SENDER\" is a variable of that shell"

static const struct given_code codes[] = {
    { "eval", EACH_WORD, "", "no eval of what comes with mail; a variable needs none" },
    { "sh bash dash ksh zsh", BEHIND_FIRST_OPTIONS, "co", SINGLE },
    { "su runuser", BEHIND_OPTION, "c", SINGLE },
    { "ssh", BEHIND_FIRST, "bcDEeFIiJLlmOopQRSWw", "what the other host is to know into the input of ssh" },
    { "perl", BEHIND_FIRST_OPTIONS, "eEI", "single quotes around the code, and $ENV{SENDER} in it" },
    { "python python3", BEHIND_FIRST_OPTIONS, "c", "single quotes around the code, and os.environ['SENDER'] in it" },
    { "ruby", BEHIND_FIRST_OPTIONS, "eIr", "single quotes around the code, and ENV['SENDER'] in it" },
    { "php", BEHIND_FIRST_OPTIONS, "rd", "single quotes around the code, and getenv('SENDER') in it" },
    { "awk gawk mawk", FIRST_WORD, "vFf", "single quotes around the code, and ENVIRON[\"SENDER\"] in it" },
    { "sed", FIRST_WORD, "f", "awk, with ENVIRON[\"SENDER\"] in single quotes" },
    { "sed", BEHIND_OPTION, "e", "awk, with ENVIRON[\"SENDER\"] in single quotes" },
    { "psql", BEHIND_OPTION, "c", BIND },
    { "mysql mariadb", BEHIND_OPTION, "e", BIND },
    { "node nodejs", BEHIND_FIRST_OPTIONS, "ep", "single quotes around the code, and process.env.SENDER in it" },
    { "sqlite3", BEHIND_FIRST, "", BIND },
};

/* Behind what begins at a $( or a backtick in a word. */
static size_t skip_substitution(struct slice word, size_t at)
{
    size_t open = 0;

    if (word.text[at] == '`') {
        for (at++; at < word.len && word.text[at] != '`'; at++)
            at += word.text[at] == '\\';
        return at + 1;
    }
    for (at++; at < word.len; at++) {
        open += word.text[at] == '(';
        open -= word.text[at] == ')';
        if (open == 0)
            break;
    }
    return at + 1;
}

/*
 * A $ stands here. Its name is all that is looked at: ${#NAME} is a number, ${NAME:+WORD} is its word, and ${NAME@Q} one
 * word for bash.
 */
static bool is_given(struct slice word, size_t at, unsigned by)
{
    bool braces = at + 1 < word.len && word.text[at + 1] == '{';
    size_t begin = at + 1 + braces, end = begin;

    while (end < word.len && shell_is_name_char(word.text[end]))
        end++;
    if (braces && end + 1 < word.len && (word.text[end] == '+' || (word.text[end] == ':' && word.text[end + 1] == '+')))
        return false;
    if (braces && end + 1 < word.len && word.text[end] == '@' && word.text[end + 1] == 'Q')
        return false;
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
        if ((variables[i].by & by) != 0 &&
            slice_equal((struct slice){ word.text + begin, end - begin }, slice_of(variables[i].name)))
            return true;
    return false;
}

/* The text of the variable: $NAME or ${NAME...}. */
static struct slice use_at(struct slice word, size_t at)
{
    size_t end = at + 1;

    while (end < word.len && word.text[at + 1] != '{' && shell_is_name_char(word.text[end]))
        end++;
    while (end < word.len && word.text[at + 1] == '{' && word.text[end - 1] != '}')
        end++;
    return (struct slice){ word.text + at, end - at };
}

bool given_next(struct slice word, unsigned by, size_t *at, struct given *given)
{
    bool quoted = false;
    size_t i = 0;

    while (i < word.len) {
        char c = word.text[i];
        const char *end;

        if (c == '$' && i >= *at && is_given(word, i, by)) {
            *given = (struct given){ .text = use_at(word, i), .quoted = quoted };
            *at = i + 1;
            return true;
        }
        if (c == '`' || (c == '$' && i + 1 < word.len && word.text[i + 1] == '(')) {
            i = skip_substitution(word, i);
        } else if (c == '\'' && !quoted) {
            end = memchr(word.text + i + 1, '\'', word.len - i - 1);
            i = end != NULL ? (size_t)(end - word.text) + 1 : word.len;
        } else {
            quoted = c == '"' ? !quoted : quoted;
            i += c == '\\' ? 2 : 1;
        }
    }
    return false;
}

static bool is_option(struct slice word)
{
    return word.len > 1 && word.text[0] == '-';
}

/* Does it end in an option that has the next word for its value? */
static bool takes_next(struct slice word, const char *options)
{
    return is_option(word) && word.text[1] != '-' && strchr(options, word.text[word.len - 1]) != NULL;
}

/* Is it an option that has its value behind an equals sign, and that is code? */
static bool has_value(struct slice word)
{
    static const char *const options[] = { "--command=", "--execute=", "--expression=", "--eval=" };
    bool has = false;

    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        has = has || (word.len >= strlen(options[i]) && memcmp(word.text, options[i], strlen(options[i])) == 0);
    return has;
}

/* How many words stand before it, behind the name, that are no options and no values of those? */
static size_t words_before(const struct shell_command *command, size_t first, size_t word, const char *options)
{
    size_t count = 0;

    for (size_t i = first + 1; i < word; i++)
        count += !is_option(command->words[i]) && (i == first + 1 || !takes_next(command->words[i - 1], options));
    return count;
}

/* Does an option before a word of awk or sed name the code, or the file with it? */
static bool has_code(const struct shell_command *command, size_t first, size_t word)
{
    size_t i = first + 1;

    while (i < word && !takes_next(command->words[i], "ef"))
        i++;
    return i < word;
}

const struct given_code *given_code(const struct shell_command *command, size_t first, size_t word)
{
    for (size_t i = 0; i < sizeof codes / sizeof codes[0] && word > first; i++) {
        const struct given_code *code = &codes[i];
        bool behind = takes_next(command->words[word - 1], code->options) && word > first + 1;
        size_t before = words_before(command, first, word, code->options);

        if (!programs_is(command->words[first], code->names))
            continue;
        switch (code->which) {
        case EACH_WORD: return code;
        case BEHIND_OPTION:
            if (behind || has_value(command->words[word]))
                return code;
            break;
        case BEHIND_FIRST_OPTIONS:
            if ((behind || has_value(command->words[word])) && before == 0)
                return code;
            break;
        case FIRST_WORD:
            if (!behind && before == 0 && !has_code(command, first, word) && !is_option(command->words[word]))
                return code;
            break;
        case BEHIND_FIRST:
            if (!behind && before > 0)
                return code;
            break;
        }
    }
    return NULL;
}

/* Text that begins with the value of a variable, by its name, may be the same value again. */
static bool is_other(struct slice value)
{
    size_t at = value.len > 0 && value.text[0] == '"';

    return at + 1 >= value.len || value.text[at] != '$' || value.text[at + 1] == '(' ||
           (value.text[at + 1] >= '0' && value.text[at + 1] <= '9');
}

bool given_anew(struct slice text, struct slice use)
{
    size_t braces = use.len > 1 && use.text[1] == '{', len = 0;
    struct slice name = { use.text + 1 + braces, 0 };

    while (1 + braces + len < use.len && shell_is_name_char(name.text[len]))
        len++;
    for (size_t i = 0; i + len + 1 < text.len; i++)
        if (text.text[i + len] == '=' && memcmp(text.text + i, name.text, len) == 0 &&
            (i == 0 || strchr(" \t\n;&|({", text.text[i - 1]) != NULL) &&
            is_other((struct slice){ text.text + i + len + 1, text.len - i - len - 1 }))
            return true;
    return false;
}

bool given_is_whole(const struct shell_command *command, size_t word)
{
    static const char *const declare[] = { "export", "local", "readonly", "declare", "typeset" };
    struct slice name, value, begin = command->words[0];
    bool declares = false;

    for (size_t i = 0; i < sizeof declare / sizeof declare[0]; i++)
        declares = declares || slice_equal(begin, slice_of(declare[i]));
    return slice_equal(begin, slice_of("[[")) || (begin.len > 1 && memcmp(begin.text, "((", 2) == 0) ||
           (declares && shell_is_assignment(command->raw[word], &name, &value));
}
