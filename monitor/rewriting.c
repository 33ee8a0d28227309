/* rewriting.c - addresses become what rewrite lines make of them, before anything else is decided about them */
#include "monitor/state.h"

#include <string.h>

#include "base/log.h"
#include "rules/rewrite.h"

static void log_rewriting(const struct rules *rules, const struct rewrite *by, enum rewritten whose,
                          const struct address *old, const struct address *new)
{
    static const char *const words[REWRITTEN] = { [REWRITE_SENDER] = "from", [REWRITE_RECIPIENT] = "to" };
    char rule[RULES_PLACE], before[LOG_TEXT], after[LOG_TEXT];

    log_line(LOG_INFO, "rewrite rule=%s %s=\"%s\" as=\"%s\"", rules_place(rules, by->line, rule), words[whose],
             log_encode(before, sizeof before, address_slice(old)), log_encode(after, sizeof after, address_slice(new)));
    log_debug('r', "%s:%u: %s makes it \"%s\"", SOURCE_AT(rules->groups.sources, by->line), by->pattern.directive, after);
}

/* Code 0, and *changed says whether the address is another one now; or the refusal. */
static struct reply rewrite(const struct session_state *s, enum rewritten whose, struct address *address, bool *changed)
{
    const struct rules *rules = &s->conf->rules;
    const struct address old = *address;
    const struct rewrite *by = NULL;

    *changed = false;
    switch (rewrite_address(rules, whose, address, &by)) {
    case MATCH_NO:
        break;
    case MATCH_YES:
        *changed = true;
        log_rewriting(rules, by, whose, &old, address);
        break;
    case MATCH_UNSURE:
        state_log_trouble();
        return rules_unsure;
    }
    return (struct reply){ .code = 0 };
}

struct reply state_rewrite_sender(const struct session_state *s, struct address *sender)
{
    bool changed;

    if (s->conf->rules.first_rewrite[REWRITE_SENDER] == NULL)
        return (struct reply){ .code = 0 };
    return rewrite(s, REWRITE_SENDER, sender, &changed);
}

struct reply state_rewrite_recipient(const struct session_state *s, struct address *address, struct recipient_forms *forms,
                                     bool *changed)
{
    const struct address old = *address;
    struct reply reply;

    *changed = false;
    if (s->conf->rules.first_rewrite[REWRITE_RECIPIENT] == NULL)
        return (struct reply){ .code = 0 };
    reply = rewrite(s, REWRITE_RECIPIENT, address, changed);
    if (*changed)
        memcpy(forms->original, old.text, old.len + 1U);
    return reply;
}
