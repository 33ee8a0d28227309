/* policy_answer.c - what a policy service answers (SMTPD_POLICY_README of Postfix), and what the action in it means; pure */
#include "handlers/policy_answer.h"

#include <string.h>

#include "session/enhanced.h"

void policy_answer_begin(struct policy_answer *answer)
{
    answer->total = answer->len = answer->action_len = 0;
    answer->acts = false;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct slice without_blanks(struct slice text)
{
    for (; text.len > 0 && is_blank(text.text[0]); text.text++)
        text.len--;
    while (text.len > 0 && is_blank(text.text[text.len - 1]))
        text.len--;
    return text;
}

static void take_action(struct policy_answer *answer, struct slice value)
{
    if (answer->acts)
        return;
    value = without_blanks(value);
    memcpy(answer->action, value.text, value.len);
    answer->action_len = value.len;
    answer->acts = true;
}

/* A line is complete. */
static enum policy_progress take_line(struct policy_answer *answer)
{
    static const struct slice action = SLICE("action");
    struct slice line = { answer->line, answer->len };
    const char *equals;

    if (line.len > 0 && line.text[line.len - 1] == '\r')
        line.len--;
    answer->len = 0;
    if (line.len == 0)
        return answer->acts ? POLICY_DONE : POLICY_NONSENSE;
    equals = memchr(line.text, '=', line.len);
    if (equals == NULL)
        return POLICY_NONSENSE;
    if (slice_equal((struct slice){ line.text, (size_t)(equals - line.text) }, action))
        take_action(answer, (struct slice){ equals + 1, (size_t)(line.text + line.len - equals - 1) });
    return POLICY_MORE;
}

static enum policy_progress take_byte(struct policy_answer *answer, char c)
{
    if (++answer->total > POLICY_ANSWER || c == '\0')
        return POLICY_NONSENSE;
    if (c == '\n')
        return take_line(answer);
    if (answer->len == sizeof answer->line)
        return POLICY_NONSENSE;
    answer->line[answer->len++] = c;
    return POLICY_MORE;
}

enum policy_progress policy_answer_feed(struct policy_answer *answer, struct slice bytes, size_t *used)
{
    enum policy_progress progress = POLICY_MORE;

    for (*used = 0; *used < bytes.len && progress == POLICY_MORE; ++*used)
        progress = take_byte(answer, bytes.text[*used]);
    return progress;
}

/* ---- actions ----------------------------------------------------------------------------- */

const char *const policy_acts[POLICY_ACTS] = {
    [POLICY_PASS] = "pass", [POLICY_REFUSE] = "refuse", [POLICY_DEFER_IF_PERMIT] = "defer_if_permit",
    [POLICY_DEFER_IF_REJECT] = "defer_if_reject", [POLICY_PREPEND] = "prepend", [POLICY_REDIRECT] = "redirect",
    [POLICY_BCC] = "bcc", [POLICY_DISCARD] = "discard", [POLICY_HOLD] = "hold", [POLICY_INFO] = "info",
    [POLICY_WARN] = "warn", [POLICY_UNKNOWN] = "unknown"
};

static const struct word {
    struct slice word;
    enum policy_act act;
    unsigned code; /* of a refusal */
} words[] = {
    { SLICE("OK"), POLICY_PASS, 0 },
    { SLICE("PERMIT"), POLICY_PASS, 0 },
    { SLICE("DUNNO"), POLICY_PASS, 0 },
    { SLICE("REJECT"), POLICY_REFUSE, 554 },
    { SLICE("DEFER"), POLICY_REFUSE, 450 },
    { SLICE("DEFER_IF_PERMIT"), POLICY_DEFER_IF_PERMIT, 450 },
    { SLICE("DEFER_IF_REJECT"), POLICY_DEFER_IF_REJECT, 450 },
    { SLICE("PREPEND"), POLICY_PREPEND, 0 },
    { SLICE("REDIRECT"), POLICY_REDIRECT, 0 },
    { SLICE("BCC"), POLICY_BCC, 0 },
    { SLICE("DISCARD"), POLICY_DISCARD, 0 },
    { SLICE("HOLD"), POLICY_HOLD, 0 },
    { SLICE("INFO"), POLICY_INFO, 0 },
    { SLICE("WARN"), POLICY_WARN, 0 },
};

static bool is_number(struct slice word)
{
    size_t i = 0;

    while (i < word.len && word.text[i] >= '0' && word.text[i] <= '9')
        i++;
    return i == word.len;
}

/* The code of a refusal; 0: the word is none. */
static unsigned code_of(struct slice word)
{
    unsigned code = 0;

    return word.len == 3 && digits_take(&word, 3, &code) == 3 && code >= 400 && code <= 599 ? code : 0;
}

/* Takes the first word, and the blanks behind it. */
static struct slice take_word(struct slice *text)
{
    struct slice word = { text->text, 0 };

    while (word.len < text->len && !is_blank(word.text[word.len]))
        word.len++;
    *text = without_blanks((struct slice){ text->text + word.len, text->len - word.len });
    return word;
}

/* The class of an enhanced code is that of the reply, whatever the service has written. */
static void take_status(struct policy_action *action)
{
    unsigned class;

    if (!enhanced_take(&action->text, &class, &action->status))
        action->status = (struct slice)SLICE("7.1");
}

struct policy_action policy_action_read(struct slice text)
{
    struct slice rest = without_blanks(text), word = take_word(&rest);
    struct policy_action action = { .act = POLICY_UNKNOWN, .status = { "", 0 }, .text = rest };

    if ((action.code = code_of(word)) != 0)
        action.act = POLICY_REFUSE;
    else if (rest.len == 0 && is_number(word))
        action.act = POLICY_PASS;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (slice_equal_nocase(word, words[i].word)) {
            action.act = words[i].act;
            action.code = words[i].code;
        }
    if (action.code != 0)
        take_status(&action);
    if (action.act == POLICY_UNKNOWN)
        action.text = without_blanks(text);
    return action;
}
