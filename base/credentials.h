/* credentials.h - the file with name and password that another server wants */
#ifndef CREDENTIALS_H
#define CREDENTIALS_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/slice.h"

enum { CREDENTIALS_MOST = 512 }; /* bytes of the line */

/* The slices point into `bytes`, so that this is not to be copied. */
struct credentials {
    struct slice user, password;
    char bytes[CREDENTIALS_MOST + 2]; /* with the end of the line, and one more, to see that there is one too many */
};

/* In the place of a user: whoever it is that the file belongs to. */
#define CREDENTIALS_ANY_OWNER ((uid_t)-1)

/*
 * Reads them: one line `user:password`; the password is all that follows the first colon. The file must be for this user
 * alone. False with a reason, one line, which does not hold anything of what is in the file.
 */
bool credentials_read(struct slice path, uid_t user, struct credentials *credentials, char *reason, size_t size);

/* The same where the user may be missing, `[user:]password`. */
bool credentials_read_password(struct slice path, uid_t user, struct credentials *credentials, char *reason, size_t size);

/* Forgets them, as soon as they have been said. */
void credentials_wipe(struct credentials *credentials);

/* What is wrong with who may read or change such a file, if it is to be for this user alone; NULL: nothing. */
const char *credentials_exposed(const struct stat *status, uid_t user);

#endif
