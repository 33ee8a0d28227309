/* scope.c - what a regular expression for hosts can match: addresses, names, or both */
#include "patterns/scope.h"

#include "base/text.h"
#include "patterns/expression.h"

enum scope scope_of(struct slice pattern)
{
    struct parser p;
    uint16_t first = expression_build(&p, pattern);
    unsigned found = p.lost ? FOUND_ADDRESS | FOUND_NAME : p.picky ? automaton_visit(&p, first) : FOUND_ADDRESS;

    if ((found & FOUND_ADDRESS) != 0)
        return (found & FOUND_NAME) != 0 ? SCOPE_BOTH : SCOPE_ADDRESSES;
    return (found & FOUND_NAME) != 0 ? SCOPE_NAMES : SCOPE_NONE;
}

bool scope_is_hexadecimal(struct slice pattern)
{
    struct parser p;
    uint16_t first = expression_build(&p, pattern);

    return !p.lost && (automaton_visit(&p, first) & FOUND_HEXADECIMAL) != 0;
}

static bool is_around(const struct arm *outer, const struct arm *inner)
{
    return outer->begin <= inner->begin && inner->end <= outer->end;
}

/* Disables all that is an alternative to this arm or to one around it. */
static void leave_alone(struct parser *p, size_t alone)
{
    struct arm *arms = automaton.arms;

    for (size_t i = 0; i < p->arm_count; i++)
        for (size_t j = 0; is_around(&arms[i], &arms[alone]) && j < p->arm_count; j++)
            arms[j].disabled = arms[j].disabled || (j != i && arms[j].group == arms[i].group);
}

/* What can be found on the ways through an arm that is not disabled. */
static unsigned visit_alone(struct parser *p, uint16_t first, size_t alone)
{
    bool disabled[AUTOMATON_ARMS] = { false };
    unsigned found;

    for (size_t i = 0; i < p->arm_count; i++)
        disabled[i] = automaton.arms[i].disabled;
    leave_alone(p, alone);
    found = automaton_visit(p, first);
    for (size_t i = 0; i < p->arm_count; i++)
        automaton.arms[i].disabled = disabled[i];
    return found;
}

/* Disables the alternatives that are for addresses only; `mixed`: the outermost ones with ways of both kinds, too. */
static void disable_arms(struct parser *p, uint16_t first, bool mixed)
{
    bool disable[AUTOMATON_ARMS] = { false };

    for (size_t i = 0; i < p->arm_count; i++) {
        const struct arm *arm = &automaton.arms[i];
        unsigned found = arm->count > 1 && !arm->disabled && (!mixed || arm->group == 0) ? visit_alone(p, first, i) : 0;

        disable[i] = (found & FOUND_ADDRESS) != 0 && (mixed || (found & FOUND_NAME) == 0);
    }
    for (size_t i = 0; i < p->arm_count; i++)
        automaton.arms[i].disabled = automaton.arms[i].disabled || disable[i];
}

/* The disabled alternative that begins at this offset, the outermost one. */
static const struct arm *disabled_at(const struct parser *p, size_t at)
{
    for (size_t i = 0; i < p->arm_count; i++) /* outer ones stand before inner ones */
        if (automaton.arms[i].disabled && automaton.arms[i].begin == at)
            return &automaton.arms[i];
    return NULL;
}

/* Copies the expression without its disabled alternatives. False: there is not enough room. */
static bool copy_enabled(const struct parser *p, struct text *out)
{
    for (size_t at = 0; at < p->text.len;) {
        const struct arm *arm = disabled_at(p, at);

        if (arm == NULL) {
            text_put(out, (struct slice){ p->text.text + at++, 1 });
            continue;
        }
        at = arm->end;
        if (at < p->text.len && p->text.text[at] == '|')
            at++;
        else if (out->len > 0 && out->bytes[out->len - 1] == '|') /* the last of its group */
            out->len--;
        else
            return false; /* the only one that was left */
    }
    return out->len > 0 && out->len < out->size;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): text_put writes to `out` */
bool scope_names_part(struct slice pattern, bool doubtful, char *out, size_t size, struct slice *part)
{
    struct text text = { out, size, 0 };
    struct parser p;
    uint16_t first = expression_build(&p, pattern);

    if (p.lost || p.vague)
        return false;
    disable_arms(&p, first, false);
    if (doubtful && (automaton_visit(&p, first) & FOUND_ADDRESS) != 0)
        disable_arms(&p, first, true);
    if ((automaton_visit(&p, first) & (FOUND_NAME | FOUND_ADDRESS)) != FOUND_NAME)
        return false;
    *part = (struct slice){ out, 0 };
    if (!copy_enabled(&p, &text) || scope_of((struct slice){ out, text.len }) != SCOPE_NAMES)
        return false;
    part->len = text.len;
    return true;
}
