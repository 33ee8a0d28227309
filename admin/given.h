/* given.h - where a command of a shell takes what strangers have chosen for several words, or for code; pure */
#ifndef GIVEN_H
#define GIVEN_H

#include "admin/shell.h"

/* By whom the value of a variable is chosen: bits. */
enum given_by {
    GIVEN_BY_CLIENT = 1,    /* HELO and what else a client says of itself */
    GIVEN_BY_SENDER = 2,
    GIVEN_BY_EXTENSION = 4, /* by whoever writes something behind a delimiter in the address of a recipient */
    GIVEN_BY_RECIPIENT = 8  /* by whoever makes up an address that a line is for */
};

/* The use of a variable in a word. */
struct given {
    struct slice text;  /* $NAME, in the word */
    bool quoted;        /* in double quotes */
};

/* A program that takes some of its words for code. */
struct given_code {
    const char *names;
    enum { EACH_WORD, BEHIND_OPTION, BEHIND_FIRST_OPTIONS, FIRST_WORD, BEHIND_FIRST } which;
    const char *options; /* BEHIND_...: these letters; else those with a word that is not counted */
    const char *write;   /* what to write instead */
};

/*
 * Finds the next use, at *at or behind it, of a variable whose value one of `by` chooses; *at is 0 first. `word` is as
 * it stands in the text. What is in a substitution is not looked at, for its commands have words of their own.
 */
bool given_next(struct slice word, unsigned by, size_t *at, struct given *given);

/* For what language does the command, whose name stands at `first`, take this word? NULL: for none. */
const struct given_code *given_code(const struct shell_command *command, size_t first, size_t word);

/*
 * Does a text give the variable, the use of which is $NAME or ${NAME...}, a value of its own somewhere? The value of
 * another variable is none.
 */
bool given_anew(struct slice text, struct slice use);

/* Is it a command with words that are not split: an assignment, [[ ]] or (( ))? */
bool given_is_whole(const struct shell_command *command, size_t word);

#endif
