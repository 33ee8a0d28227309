/* policy.c - fuzz target: answers of a policy service, in pieces as at once; what is added is a field, what is asked has its lines */
/* The first byte says how long the pieces are; the rest comes from the service, and as HELO and addresses from a client. */
#include <string.h>

#include "handlers/field.h"
#include "handlers/policy_answer.h"
#include "handlers/policy_request.h"

#include "fuzz.h"

/* Each line is at most 998 bytes long, has something to say, and but for the first begins with a blank. */
static void check_field(struct slice field)
{
    static char lines[2 * POLICY_LINE];
    struct text out = { lines, sizeof lines, 0 };
    size_t begin = 0;

    if (!field_fold(field, &out)) {
        HOLDS(out.len == 0);
        return;
    }
    HOLDS(out.len > 0 && lines[out.len - 1] == '\n');
    for (size_t i = 0; i < out.len; i++) {
        HOLDS((unsigned char)lines[i] >= ' ' || lines[i] == '\t' || lines[i] == '\n');
        if (lines[i] != '\n')
            continue;
        HOLDS(i - begin <= 998 && i > begin);
        HOLDS((begin > 0) == (lines[begin] == ' ' || lines[begin] == '\t'));
        HOLDS(lines[i - 1] != ' ' && lines[i - 1] != '\t');
        begin = i + 1;
    }
    HOLDS(begin == out.len);
}

static void check_action(struct slice text)
{
    struct policy_action action = policy_action_read(text);
    bool refuses = action.act == POLICY_REFUSE || action.act == POLICY_DEFER_IF_PERMIT || action.act == POLICY_DEFER_IF_REJECT;

    HOLDS(action.act < POLICY_ACTS && action.text.len <= text.len);
    HOLDS(refuses == (action.code != 0) && (!refuses || (action.code >= 400 && action.code <= 599)));
    HOLDS(refuses == (action.status.len > 0));
    if (action.act == POLICY_PREPEND)
        check_field(action.text);
}

static enum policy_progress feed(struct policy_answer *answer, struct slice bytes, size_t piece, size_t *total)
{
    enum policy_progress progress = POLICY_MORE;
    size_t used;

    policy_answer_begin(answer);
    for (*total = 0; *total < bytes.len && progress == POLICY_MORE; *total += used) {
        size_t left = bytes.len - *total;

        progress = policy_answer_feed(answer, (struct slice){ bytes.text + *total, left < piece ? left : piece }, &used);
        HOLDS(used > 0 && used <= left && answer->total <= POLICY_ANSWER + 1);
    }
    return progress;
}

/* Whatever a client has said, there is one line for each attribute, and the empty one. */
static void check_request(struct slice words)
{
    static char bytes[POLICY_REQUEST];
    struct text out = { bytes, sizeof bytes, 0 };
    struct client client = { .family = AF_INET };
    struct address address = { .len = 0 };
    struct policy_facts facts = { .stage = POLICY_RCPT, .client = &client, .protocol = "ESMTP", .sender = &address,
                                  .recipient = &address, .instance = "1.2.3", .id = "" };
    char helo[HELO_MAX + 1];
    size_t lines = 0;

    text_string(helo, sizeof helo, words);
    text_string(address.text, sizeof address.text, words);
    address.len = (uint16_t)strlen(address.text);
    address.local_len = (uint16_t)strcspn(address.text, "@");
    text_string(client.user, sizeof client.user, words);
    text_string(client.tls.subject, sizeof client.tls.subject, words);
    facts.helo = slice_of(helo);
    policy_request_write(&facts, &out);
    for (size_t i = 0; i < out.len; i++) {
        HOLDS((unsigned char)bytes[i] >= ' ' || bytes[i] == '\n');
        lines += bytes[i] == '\n';
    }
    HOLDS(lines == 30 && out.len < sizeof bytes && memcmp(bytes + out.len - 2, "\n\n", 2) == 0);
}

void fuzz_policy(const uint8_t *data, size_t size)
{
    static struct policy_answer whole, pieces;
    struct slice bytes = { (const char *)data + 1, size - 1 };
    enum policy_progress progress;
    size_t used, taken;

    if (size == 0)
        return;
    progress = feed(&whole, bytes, SIZE_MAX, &used);
    HOLDS(progress == feed(&pieces, bytes, data[0] + 1U, &taken) && used == taken);
    HOLDS(whole.acts == pieces.acts && whole.action_len == pieces.action_len);
    HOLDS(memcmp(whole.action, pieces.action, whole.action_len) == 0);
    if (progress == POLICY_DONE)
        check_action((struct slice){ whole.action, whole.action_len });
    check_action(bytes);
    check_request(bytes);
}
