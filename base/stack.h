/* stack.h - what functions that have returned have left on the stack goes, before a process is forked that must not know it */
#ifndef STACK_H
#define STACK_H

/*
 * The configuration, and what was made of it, is where no forked process has it. Lines of the log, paths and records of
 * other clients are on the stack still when the functions have returned. These are for their callers.
 */

/* Overwrites the next few pages: the frames of functions that are called from here on have none of it in their gaps. */
void stack_clear(void);

/* Besides, gives back the pages below them, which need not be copied then. */
void stack_forget(void);

#endif
