/* shell_reader.h - what the grammar of shells is read with: the stack of what is open, and the nodes that are made */
#ifndef SHELL_READER_H
#define SHELL_READER_H

#include "admin/shell_tree.h"

enum {
    DEPTH = 40,    /* of what is open at one place */
    DOCUMENTS = 8  /* here-documents that begin in one line */
};

/* What a frame is in. From IN_EXPANSION on there are no commands. */
enum state {
    IN_TEXT, IN_PAREN, IN_BACKTICK, IN_BRACE, IN_IF, IN_THEN, IN_ELSE, IN_WHILE, IN_FOR, IN_DO, IN_CASE, IN_PATTERN,
    IN_CLAUSE, IN_FUNCTION, IN_EXPANSION, IN_ARITHMETIC, IN_ARRAY
};

struct frame {
    enum state state;
    size_t owner, list;   /* the node that it reads, and the list in it that commands are added to */
    size_t command;       /* that is being read; 0: none */
    bool closed;          /* the command is a compound one, and has ended */
    bool negated;         /* the command to come is */
    bool naming;          /* the word to come is the name of a function */
    bool test;            /* between [[ and ]] */
    bool in_word, quoted; /* in double quotes */
    bool literal;         /* an expansion in double quotes, where single ones are characters */
    bool redirected, into, duplicates; /* the word to come is that of a redirection: of the output; behind >& */
    size_t word;          /* where the word begins that is being read */
    size_t count;         /* words of a for or case, patterns of a clause, parentheses of an arithmetic expression */
};

struct reader {
    struct shell_tree *tree;
    struct slice text;
    size_t at, depth;
    bool lost; /* it is not understood */
    struct slice documents[DOCUMENTS]; /* the words that end them */
    size_t document_count;
    struct frame frames[DEPTH];
};

/* What is being read now. */
struct frame *reader_top(struct reader *r);

/* Adds a node at the end of those in another one. 0, where there is no memory: the root is not added so. */
size_t reader_add_node(struct reader *r, enum shell_kind kind, enum shell_role role, size_t parent);
void reader_add_word(struct reader *r, size_t node, struct slice text, bool assignment);

/* Begins to read what is within what is read now, and ends that. */
struct frame *reader_push(struct reader *r, struct frame frame);
void reader_close(struct reader *r);

/* The command that words and redirections belong to; it begins with the first of them. */
size_t reader_command(struct reader *r);

/* The command is a compound one, which begins with a list of this role; the next list of it. */
void reader_open(struct reader *r, enum shell_kind kind, enum shell_role role, enum state state);
void reader_turn(struct reader *r, enum shell_role role, enum state state);

/* The command is a function; it ends with the compound command that it is, if that has ended. */
void reader_begin_function(struct reader *r, size_t node);
void reader_close_function(struct reader *r);

/* Does what is left begin so? */
bool reader_begins(const struct reader *r, const char *text);

/* What is passed over: () behind blanks; all up to a byte, and that, but not where it stands behind a backslash. */
void reader_skip_blanks(struct reader *r);
bool reader_skip_parentheses(struct reader *r);
void reader_skip_to(struct reader *r, char end, bool escapes);
void reader_skip_comment(struct reader *r);

/* Behind the end of a line: its here-documents. Tabs before the word that ends one do not count, also without <<-. */
void reader_skip_documents(struct reader *r);

#endif
