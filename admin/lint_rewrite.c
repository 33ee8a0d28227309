/* lint_rewrite.c - rewrite lines that are never reached, or whose new address is hardly what was meant */
#include "admin/lint.h"

#include "patterns/regex_lint.h"
#include "rules/rewrite.h"

/* Does an earlier line take all that this one could? */
static const struct rewrite *hides(const struct rewrite *first, const struct rewrite *rewrite)
{
    while (first != rewrite && !regex_lint_is_any(first->pattern.text) &&
           !slice_equal(first->pattern.text, rewrite->pattern.text))
        first = first->next;
    return first != rewrite ? first : NULL;
}

/* Rewriting happens once. Whoever writes a chain of lines expects otherwise. */
static void lint_chain(struct conf *conf, enum rewritten whose, const struct rewrite *rewrite)
{
    const struct rewrite *by = NULL;
    struct address address;

    if (rewrite->null || !envelope_mailbox(rewrite->address, &address) ||
        rewrite_address(&conf->rules, whose, &address, &by) != MATCH_YES || slice_equal(address_slice(&address), rewrite->address))
        return;
    conf_complain(conf, SEVERITY_WARNING, rewrite->line, conf_column_of(conf, rewrite->line, rewrite->address),
                  "an address is rewritten once: this one is not made %s by %s", address.len > 0 ? address.text : "<>",
                  conf_line_text(conf, by->line, rewrite->line));
    conf_advise(conf, "write: %s", address.len > 0 ? address.text : "<>");
}

/* $1 and %{name} are references elsewhere; here they are part of the address. */
static void lint_literals(struct conf *conf, const struct rewrite *rewrite)
{
    for (const struct rewrite_part *part = rewrite->parts; part != NULL; part = part->next)
        for (size_t i = 0; part->kind == REWRITE_TEXT && i + 1 < part->text.len; i++) {
            const char *at = part->text.text + i;
            const bool number = at[0] == '$' && at[1] >= '0' && at[1] <= '9';

            if (!number && !(at[0] == '%' && at[1] == '{'))
                continue;
            conf_complain(conf, SEVERITY_WARNING, rewrite->line, conf_column_of(conf, rewrite->line, (struct slice){ at, 2 }),
                          "this stands for itself, for nothing that the expression has caught");
            conf_advise(conf, "write: ${%c}", number ? at[1] : '1');
        }
}

void lint_rewrites(struct conf *conf)
{
    for (enum rewritten whose = 0; whose < REWRITTEN; whose++)
        for (const struct rewrite *r = conf->rules.first_rewrite[whose]; r != NULL; r = r->next) {
            const struct rewrite *earlier = hides(conf->rules.first_rewrite[whose], r);

            lint_literals(conf, r);
            if (earlier != NULL)
                conf_complain(conf, SEVERITY_WARNING, r->line, r->pattern.column,
                              "this line is never reached: %s rewrites all that it could rewrite",
                              conf_line_text(conf, earlier->line, r->line));
            else
                lint_chain(conf, whose, r);
        }
}
