/* secrets.h - lines that may hold a password, as command, argument or by mistake: known by their words; pure */
#ifndef SECRETS_H
#define SECRETS_H

#include <stdbool.h>

#include "base/slice.h"

/* Is this line, which is no command, about a password? A tag of IMAP may stand before the word that says so. */
bool secrets_in_line(struct slice line);

/* Does the argument of another command hold a word that begins with AUTH? */
bool secrets_in_argument(struct slice argument);

#endif
