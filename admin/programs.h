/* programs.h - what the exit statuses of known programs are worth: a table of those that say too little */
#ifndef PROGRAMS_H
#define PROGRAMS_H

#include "admin/shell.h"
#include "delivery/statuses.h"

enum consequence { MAIL_LOST, MAIL_BOUNCED, MAIL_COPIED };

/* Texts are in the row itself: pointers would have to be relocated at each start. */
struct known_program {
    char names[28];
    char when[60];      /* only with one of these words; empty: with any */
    char but[17];       /* not with one of these */
    char unless[34];    /* honest with one of these, and with all of `honest`; empty and 0: nothing makes it so */
    bool to_file;       /* only when it writes to a file itself */
    unsigned honest;    /* enum honest */
    enum consequence consequence;
    unsigned char statuses[4]; /* MAIL_BOUNCED: those that say more than is known */
    char otherwise[92]; /* what happens */
    char write[142];    /* what to write instead */
    char seen[11];      /* the version in which that was seen */
};

/* Its output is looked at; room or size are; it has a text of its own, and reads no message. */
enum honest { READ_BY_SHELL = 1, CHECKED = 2, TALKS = 4 };

extern const struct known_program programs[];
extern const size_t programs_count;

/* What a rule says of failures. */
struct leniency {
    bool temporary;
    const struct statuses *statuses;
};

/*
 * The words of the program that a command starts, behind exec, env, nice, timeout and their like: the index of its
 * name among them, or the count of words.
 */
size_t programs_begin(const struct shell_command *command);

/*
 * Is this row about the command, whose name stands at `first`? `checked`: the text that it stands in looks at the room
 * on the disk, or at the size of the message. False too where its honest form stands.
 */
bool programs_warns(const struct known_program *row, const struct shell_command *command, size_t first, bool checked,
                    const struct leniency *leniency);

/* Is a word, maybe with a path before it, one of these names? */
bool programs_is(struct slice word, const char *names);

/* Does the command something with mail, so that it matters whether it fails? */
bool programs_does(const struct shell_command *command, size_t first);

/* The program with which a shell command begins: empty if that is not plain to see, or if it is a word of the shell. */
struct slice programs_plain(struct slice command);

/* Can the command fail so that it matters that a pipe hides its status? */
bool programs_matters(const struct shell_command *command, size_t first);

#endif
