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

/* The part about commands whose exit status says too little, in lines and in shell scripts that are their programs. */
void lint_commands(struct conf *conf);

/* The part about rewrite lines. */
void lint_rewrites(struct conf *conf);

#endif
