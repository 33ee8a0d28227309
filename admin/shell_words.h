/* shell_words.h - the words of a shell's text: where they begin and end, and what the grammar makes of them */
#ifndef SHELL_WORDS_H
#define SHELL_WORDS_H

#include "admin/shell_reader.h"

/* A word begins here, if we are not in one. */
void words_begin(struct reader *r);

/* If we are in a word, it ends before this byte: it is reserved, a name, an argument or the file of a redirection. */
void words_end(struct reader *r);

/* A command ends here, and this is what stands behind it. */
void words_join(struct reader *r, enum shell_joint joint);

/* Is a word nothing but digits? */
bool words_number(struct slice word);

#endif
