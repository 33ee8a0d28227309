/* rewrite.c - the lines that give an address another form before anything else is decided about it */
#include "rules/rewrite.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "rules/recipient.h"

/* What the expression has caught for this part of the new address. False: it has nothing of that number or name. */
static bool caught(struct rewrite *rewrite, const struct rewrite_part *part, struct slice subject,
                   const struct captures *captures, struct slice *text)
{
    size_t group = part->group;

    if (part->kind == REWRITE_TEXT) {
        *text = part->text;
        return true;
    }
    if (part->kind == REWRITE_NAME && !pattern_group(&rewrite->pattern, part->text, &group))
        return false;
    *text = group == 0                 ? (struct slice){ subject.text + captures->whole.start, captures->whole.len }
            : group > captures->count ? slice_of("") /* it had no part in the match */
                                       : (struct slice){ subject.text + captures->spans[group - 1].start,
                                                         captures->spans[group - 1].len };
    return group <= PATTERN_CAPTURES;
}

/* Puts the new address together. False: it is none, which is logged as what came out. */
static bool make_address(const struct rules *rules, struct rewrite *rewrite, struct slice subject,
                         const struct captures *captures, struct address *address)
{
    char bytes[2 * ADDRESS_MAX], shown[LOG_TEXT], why[LOG_TEXT + 64];
    struct text text = { bytes, sizeof bytes, 0 };
    struct slice piece = { NULL, 0 };
    bool done = true;

    for (const struct rewrite_part *part = rewrite->parts; part != NULL && done; part = part->next) {
        done = caught(rewrite, part, subject, captures, &piece);
        text_put(&text, piece);
    }
    if (done && rewrite->null) {
        *address = (struct address){ .len = 0 };
        return true;
    }
    if (done && envelope_mailbox(text_slice(&text), address))
        return true;
    (void)snprintf(why, sizeof why, "it makes no address: \"%s\"", log_encode(shown, sizeof shown, text_slice(&text)));
    (void)groups_blame_pattern(&rules->groups, &rewrite->pattern, why);
    return false;
}

enum match rewrite_address(const struct rules *rules, enum rewritten whose, struct address *address,
                           const struct rewrite **by)
{
    struct recipient_forms forms;
    struct recipient tried = { .other = &forms };
    struct captures captures = { .count = 0 };

    groups_forget_trouble();
    if (rules->first_rewrite[whose] == NULL || recipient_know(rules, address, WORDS_OF_STRANGERS, &tried) != CANONICAL_OK)
        return MATCH_NO; /* what no address can be is refused by what comes next */
    for (struct rewrite *r = rules->first_rewrite[whose]; r != NULL; r = r->next) {
        enum match result = recipient_try(rules, &r->pattern, &tried, &captures);

        if (result == MATCH_YES) {
            *by = r;
            return make_address(rules, r, recipient_form(&tried, tried.form), &captures, address) ? MATCH_YES : MATCH_UNSURE;
        }
        if (result == MATCH_UNSURE)
            return MATCH_UNSURE;
    }
    return MATCH_NO;
}

bool rewrite_misses(struct rewrite *rewrite, struct slice *missing)
{
    for (const struct rewrite_part *part = rewrite->parts; part != NULL; part = part->next) {
        size_t group = part->group;

        if (part->kind == REWRITE_TEXT ||
            ((part->kind == REWRITE_NUMBER || pattern_group(&rewrite->pattern, part->text, &group)) &&
             group <= pattern_groups(&rewrite->pattern) && group <= PATTERN_CAPTURES))
            continue;
        *missing = part->text;
        return true;
    }
    return false;
}
