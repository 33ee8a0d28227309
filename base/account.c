/* account.c - a user of this host by name: who that is, and becoming that user */
#include "base/account.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The entry of this name or, without one, of this number; NULL with errno set, 0 where there is none. */
static const struct passwd *find_entry(const char *name, uid_t uid);

/* Fills in the groups, at most ACCOUNT_GROUPS of them. */
static void find_groups(struct account *account);

#ifdef STATIC

static const struct passwd *find_entry(const char *name, uid_t uid)
{
    FILE *file = fopen("/etc/passwd", "re");
    struct passwd *entry = NULL;

    if (file == NULL)
        return NULL;
    errno = 0;
    while ((entry = fgetpwent(file)) != NULL)
        if (name != NULL ? strcmp(entry->pw_name, name) == 0 : entry->pw_uid == uid)
            break;
    if (entry == NULL)
        errno = 0;
    (void)fclose(file); /* it was only read */
    return entry;
}

static void find_groups(struct account *account)
{
    FILE *file = fopen("/etc/group", "re");
    const struct group *group;

    account->groups[0] = account->gid;
    account->group_count = 1;
    while (file != NULL && account->group_count < ACCOUNT_GROUPS && (group = fgetgrent(file)) != NULL)
        for (char **member = group->gr_mem; *member != NULL; member++)
            if (group->gr_gid != account->gid && strcmp(*member, account->name) == 0) {
                account->groups[account->group_count++] = group->gr_gid;
                break;
            }
    if (file != NULL)
        (void)fclose(file); /* it was only read */
}

#else

static const struct passwd *find_entry(const char *name, uid_t uid)
{
    errno = 0;
    return name != NULL ? getpwnam(name) : getpwuid(uid);
}

static void find_groups(struct account *account)
{
    account->group_count = ACCOUNT_GROUPS;
    if (getgrouplist(account->name, account->gid, account->groups, &account->group_count) < 0)
        account->group_count = ACCOUNT_GROUPS; /* more than there is room for */
}

#endif

static int fill(struct account *account, const struct passwd *entry)
{
    if (entry == NULL)
        return errno != 0 ? errno : ENOENT;
    if (strlen(entry->pw_name) >= sizeof account->name)
        return ENAMETOOLONG;
    *account = (struct account){ .uid = entry->pw_uid, .gid = entry->pw_gid };
    (void)snprintf(account->name, sizeof account->name, "%s", entry->pw_name);
    find_groups(account);
    return 0;
}

int account_find(struct account *account, const char *name)
{
    return fill(account, find_entry(name, 0));
}

int account_of(struct account *account, uid_t uid)
{
    return fill(account, find_entry(NULL, uid));
}

static bool copied(char *out, size_t size, const char *text)
{
    return snprintf(out, size, "%s", text) < (int)size;
}

int account_person(struct account_person *person, uid_t uid)
{
    const struct passwd *entry = find_entry(NULL, uid);

    if (entry == NULL)
        return errno != 0 ? errno : ENOENT;
    return copied(person->name, sizeof person->name, entry->pw_name) &&
           copied(person->home, sizeof person->home, entry->pw_dir) &&
           copied(person->shell, sizeof person->shell, entry->pw_shell[0] != '\0' ? entry->pw_shell : "/bin/sh")
               ? 0 : ENAMETOOLONG;
}

/* setuid(2) does that, unless securebits that were inherited (SECBIT_NO_SETUID_FIXUP) keep it from doing so. */
static bool drop_capabilities(void)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

    return syscall(SYS_capset, &header, none) == 0; /* ambient ones go with the inheritable ones */
}

bool account_become(const struct account *account)
{
    return setgroups((size_t)account->group_count, account->groups) == 0 && setgid(account->gid) == 0 &&
           setuid(account->uid) == 0 && (account->uid == 0 || drop_capabilities());
}
