/* lint.h - rules that load but hardly mean what they say: patterns, order, groups, postmaster */
#ifndef LINT_H
#define LINT_H

#include "conf/conf.h"

/*
 * For -t: adds warnings about the rules of a configuration without errors, at their places, with what to write
 * instead. Patterns must have been compiled (check.h). Looks at nothing but the configuration, and the shell scripts
 * that it names.
 */
void lint_rules(struct conf *conf);

/* The part of that about lines that mean something, and decide nothing. */
void lint_reach(struct conf *conf);

/* Postmasters that nobody gets mail for, though every domain and every server must have one (RFC 5321 4.5.1). */
struct lint_postmasters {
    const struct rule *first; /* the first line of a domain that has none; NULL: each has one */
    size_t others;            /* more such domains */
    bool bare;                /* each has one, but there is none without a domain */
};

/*
 * Looks for them: in lines, and in tables that are text files; in those that are services, too, if `services`, and else nobody is in
 * them. None is missing where nobody will write to one, or a table does not answer. lint_rules tells what it finds so, unless
 * there are services, whom table_check.h asks.
 */
#define LINT_POSTMASTER_LINE "write: deliver rcpt_to /^postmaster(@|$)/ append /var/lib/mailrecv/postmaster"
struct lint_postmasters lint_find_postmasters(struct conf *conf, bool services);
bool lint_lacks_postmaster(const struct lint_postmasters *missing);
void lint_tell_postmasters(struct conf *conf, const struct lint_postmasters *missing);

/* The first deliver line with a table that is a service; NULL: there is none. */
const struct rule *lint_service_line(const struct conf *conf);

/*
 * The part about commands whose exit status says too little or is hidden, and about variables that strangers choose and that
 * are taken for words or code, in lines and in shell scripts that are their programs.
 */
void lint_commands(struct conf *conf);

/* The part about rewrite lines. */
void lint_rewrites(struct conf *conf);

#endif
