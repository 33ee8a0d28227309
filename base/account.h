/* account.h - a user of this host by name: who that is, and becoming that user */
#ifndef ACCOUNT_H
#define ACCOUNT_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

enum { ACCOUNT_NAME = 256, ACCOUNT_GROUPS = 256 };

struct account {
    char name[ACCOUNT_NAME];
    uid_t uid;
    gid_t gid;
    gid_t groups[ACCOUNT_GROUPS]; /* all of them, `gid` too */
    int group_count;
};

/*
 * Finds a user, by name or by number. Returns 0, ENOENT if there is no such user, or another error
 * number. The name service of the system is asked; in a program that is linked statically, which has none,
 * /etc/passwd and /etc/group.
 */
int account_find(struct account *account, const char *name);
int account_of(struct account *account, uid_t uid);

/* What the entry of a user says to login(1). */
struct account_person {
    char name[ACCOUNT_NAME], home[PATH_MAX], shell[PATH_MAX];
};

/* The same for this alone: no group is looked up. ENAMETOOLONG: some of it has no room. */
int account_person(struct account_person *person, uid_t uid);

/* Becomes that user, with all groups and for good; only root can. False with errno set: who we are then is unknown. */
bool account_become(const struct account *account);

#endif
