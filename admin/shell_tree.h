/* shell_tree.h - the structure of a shell's text: lists, commands and their words; pure */
#ifndef SHELL_TREE_H
#define SHELL_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

enum shell_kind {
    SHELL_LIST, /* of commands: the text, or a part of what encloses it */
    SHELL_SIMPLE,
    SHELL_GROUP,
    SHELL_SUBSHELL,
    SHELL_IF,
    SHELL_LOOP,
    SHELL_CASE,
    SHELL_FUNCTION
};

/* What a list is to the node that it belongs to. */
enum shell_role {
    ROLE_BODY,
    ROLE_CONDITION,    /* its status decides what is executed */
    ROLE_ELSE,         /* the body that is for all other cases */
    ROLE_SUBSTITUTION, /* $( ) or ` ` in a word */
    ROLE_ASIDE         /* <( ) or >( ), whose status nobody sees */
};

/* What stands behind a command. */
enum shell_joint { JOINT_END, JOINT_BACKGROUND, JOINT_AND, JOINT_OR, JOINT_PIPE };

struct shell_word {
    struct slice text; /* as it stands there */
    size_t next;       /* of the same node; 0: none */
    bool assignment;   /* before the name of a command */
};

/* All indices but that of the text itself, 0, mean "none" if they are 0. A node stands behind the one that it is in. */
struct shell_node {
    enum shell_kind kind;
    enum shell_role role;     /* of a list */
    enum shell_joint joint;
    size_t parent, next, first, last; /* the list or node that it is in, the next one there, those in it */
    size_t word, last_word;   /* of a simple command; of a loop and a function the name */
    bool named;               /* it has a word that is no assignment */
    bool negated;             /* behind ! */
    bool asks;                /* $? stands in it */
    bool to_file, elsewhere;  /* its output is redirected: to a file, or not to one */
};

struct shell_tree {
    struct shell_node *nodes;
    struct shell_word *words; /* from 1 on */
    size_t node_count, node_room, word_count, word_room;
};

/*
 * Reads a text as POSIX.1-2017 2.10 and the common part of bash and ksh have it: quotes, expansions, here-documents,
 * simple and compound commands, functions, [[ ]], (( )) and arrays. False: it is not understood, or there is no memory.
 * It must be freed either way, and lives no longer than the text.
 */
bool shell_read(struct shell_tree *tree, struct slice text);
void shell_free(struct shell_tree *tree);

/* May it be in the name of a variable? */
static inline bool shell_is_name_char(char c)
{
    return c == '_' || (c >= '0' && c <= '9') || (lower_ascii(c) >= 'a' && lower_ascii(c) <= 'z');
}

/* Does a word assign a value to a variable? Then `name` is that, and `value` what stands behind the equals sign. */
bool shell_is_assignment(struct slice word, struct slice *name, struct slice *value);

#endif
