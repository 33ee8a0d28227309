/* class.h - the characters of a regular expression: single ones, classes, properties */
#ifndef CLASS_H
#define CLASS_H

#include "patterns/automaton.h"

/* A set of characters on its way to one of kinds. */
struct characters {
    bool in[256];
    bool wild, numeric;
};

/* The character so far behind the next one; NUL at the end. */
char class_peek(const struct parser *p, size_t offset);

/* Takes these characters, if they are the next ones. */
bool class_take_words(struct parser *p, const char *words);

/* Goes past the next `end`. */
void class_skip_past(struct parser *p, char end);

/* Adds a character to a set, in both cases. */
void class_include(struct characters *set, unsigned char c);

/* An escape that stands for characters, behind its backslash; `single` is its only one, where it is one. */
bool class_take_characters(struct parser *p, struct characters *set, unsigned char *single);

/* A piece of the automaton that matches one character of the set. */
struct piece class_add_characters(struct parser *p, const struct characters *set);

/* A class, behind its bracket. [^7] tells digits apart, and so is about numbers; [^0-9] does not. */
struct piece class_read(struct parser *p);

#endif
