/* probe.c - whether a user can read, write, execute or make a path: asked of the kernel, or read from modes */
#include "admin/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cold.h"
#include "delivery/environment.h"

COLD_BSS struct probe_who probe_who;

static bool unseen; /* test_modes has met what we may not look at */

/* False: there is no such user. */
bool probe_user(const char *name)
{
    if (account_find(&probe_who.account, name) != 0)
        return false;
    probe_who.how = probe_who.account.uid == geteuid() ? OURSELVES : geteuid() == 0 ? BY_BECOMING : BY_MODES;
    return true;
}

static bool in_groups(gid_t gid)
{
    for (int i = 0; i < probe_who.account.group_count; i++)
        if (probe_who.account.groups[i] == gid)
            return true;
    return gid == probe_who.account.gid;
}

static bool permits(const struct stat *status, int mode)
{
    unsigned bits = status->st_mode & 07;

    if (probe_who.account.uid == 0)
        return mode != X_OK || S_ISDIR(status->st_mode) || (status->st_mode & 0111) != 0;
    if (status->st_uid == probe_who.account.uid)
        bits = status->st_mode >> 6 & 07;
    else if (in_groups(status->st_gid))
        bits = status->st_mode >> 3 & 07;
    return (bits & (unsigned)mode) == (unsigned)mode;
}

/* From the modes of the path and of all directories above it. What we cannot see ourselves is taken for good: `unseen`. */
static int test_modes(const char *path, int mode)
{
    char whole[PATH_MAX];
    struct stat status;

    if (realpath(path, whole) == NULL) {
        if (errno != EACCES)
            return errno;
        unseen = true;
        (void)snprintf(whole, sizeof whole, "%s", path); /* as far as we can see */
    }
    for (char *slash = strchr(whole + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (stat(whole, &status) == 0 && !permits(&status, X_OK))
            return EACCES;
        *slash = '/';
    }
    return stat(whole, &status) == 0 && !permits(&status, mode) ? EACCES : 0;
}

/* Returns 0 or an error number. */
static int test(const char *path, int mode)
{
    if (probe_who.how == BY_MODES)
        return test_modes(path, mode);
    return faccessat(AT_FDCWD, path, mode, AT_EACCESS) == 0 ? 0 : errno;
}

/* The path above: of the same memory, which is changed. */
const char *probe_parent(char *path)
{
    char *slash = strrchr(path, '/');

    if (slash == NULL)
        return ".";
    slash[slash == path] = '\0';
    return path;
}

/* The path is not there, and would have to be made. */
static void answer_parent(struct question *q, char *path)
{
    q->error = test(probe_parent(path), W_OK | X_OK);
    q->in_parent = q->error != 0;
}

/* What cannot be appended to, although it may be written. */
static int refused_type(const struct stat *status)
{
    if (S_ISDIR(status->st_mode))
        return EISDIR;
    if (S_ISLNK(status->st_mode))
        return ELOOP;
    return S_ISREG(status->st_mode) || status->st_rdev == makedev(1, 3) ? 0 : ESPIPE;
}

static void answer_file(struct question *q, char *path, int mode)
{
    struct stat status;

    if (lstat(path, &status) != 0)
        q->error = probe_who.how == BY_MODES && errno == EACCES ? 0 : errno; /* that is about ourselves */
    else if (q->need == NEED_MAILBOX || S_ISDIR(status.st_mode))
        q->error = refused_type(&status);
    if (q->error == 0)
        q->error = test(path, mode);
    if (q->error == ENOENT && path[strlen(path) - 1] == '/')
        q->error = EISDIR;
    if (q->error == ENOENT)
        answer_parent(q, path);
}

/* The same as test for a directory, which cannot be made where there is a link to nothing. */
static int test_directory(const char *path, int mode)
{
    struct stat status;
    int error = test(path, mode);

    if (error == ENOENT)
        return lstat(path, &status) == 0 ? ELOOP : ENOENT;
    return error == 0 && stat(path, &status) == 0 && !S_ISDIR(status.st_mode) ? ENOTDIR : error;
}

/* The mount that a directory is on, or would be on if it were made in the other. */
static uint64_t mount_of(const char *path, const char *above)
{
    struct statx status = { .stx_mnt_id = 0 };

    if (statx(AT_FDCWD, path, 0, STATX_MNT_ID, &status) != 0)
        (void)statx(AT_FDCWD, above, 0, STATX_MNT_ID, &status); /* 0 for both, if we can see neither */
    return status.stx_mnt_id;
}

/* As mbox.c and maildir.c open them, and as the latter renames from tmp to new. */
static void answer_maildir(struct question *q, char *path)
{
    static const struct {
        char name[4];
        int mode;
    } inner[] = { { "tmp", R_OK | W_OK | X_OK }, { "new", R_OK | W_OK | X_OK }, { "cur", R_OK } };
    enum { COUNT = sizeof inner / sizeof inner[0] };
    char paths[COUNT][PATH_MAX + 8];

    q->error = test_directory(path, R_OK | X_OK);
    if (q->error == ENOENT) {
        answer_parent(q, path);
        return;
    }
    for (size_t i = 0; i < COUNT && q->error == 0; i++) {
        (void)snprintf(paths[i], sizeof paths[i], "%s/%.3s", path, inner[i].name);
        q->error = test_directory(paths[i], inner[i].mode);
        if (q->error == ENOENT)
            q->error = test(path, W_OK | X_OK);
    }
    if (q->error == 0 && mount_of(paths[0], path) != mount_of(paths[1], path))
        q->error = EXDEV;
}

/* Whether a program can be executed, by its path. ENOTSUP: nothing can be where it is. */
static int test_program(const char *path)
{
    struct statvfs mounted;
    struct stat status;
    int error = test(path, X_OK);

    if (error == 0 && stat(path, &status) == 0 && S_ISDIR(status.st_mode))
        return EISDIR;
    if ((error == 0 || error == EACCES) && statvfs(path, &mounted) == 0 && (mounted.f_flag & ST_NOEXEC) != 0)
        return ENOTSUP;
    return error;
}

/* The same, but that a name without a slash is looked for as the shell does. `path`: where it was found. */
static int find_program(const char *name, char *path, size_t size)
{
    int error = ENOENT;
    size_t len;

    if (strchr(name, '/') != NULL) {
        (void)snprintf(path, size, "%s", name);
        return test_program(name);
    }
    for (const char *directory = ENVIRONMENT_PATH; error != 0 && *directory != '\0'; directory += len) {
        len = strcspn(directory, ":");
        (void)snprintf(path, size, "%.*s/%s", (int)len, directory, name);
        error = test_program(path);
        len += directory[len] == ':';
    }
    return error;
}

/* For script.h. */
static int test_name(const char *name)
{
    char path[sizeof ENVIRONMENT_PATH + PATH_MAX];

    return find_program(name, path, sizeof path);
}

static void answer_program(struct question *q, const char *name)
{
    char path[sizeof ENVIRONMENT_PATH + PATH_MAX];

    q->error = find_program(name, path, sizeof path);
    if (q->error == 0)
        script_check(&q->script, path, q->need == NEED_COMMAND, test_name);
}

/* connect(2) asks for write permission. */
static int test_socket(const char *path)
{
    struct stat status;
    int error = test(path, W_OK);

    return error == 0 && stat(path, &status) == 0 && !S_ISSOCK(status.st_mode) ? ENOTSOCK : error;
}

/* The path of a question, of a maildir without slashes at its end, of which no parent can be told. False if it is cut. */
bool probe_path(const struct question *q, char path[PATH_MAX])
{
    size_t len = q->path.len;

    while (q->need == NEED_MAILDIR && len > 1 && q->path.text[len - 1] == '/')
        len--;
    return snprintf(path, PATH_MAX, "%.*s", (int)len, q->path.text) < PATH_MAX;
}

static void answer(struct question *q)
{
    char path[PATH_MAX], above[PATH_MAX];

    if (!probe_path(q, path)) {
        q->error = ENAMETOOLONG;
        return;
    }
    memcpy(above, path, sizeof above);
    if (probe_who.how == BY_MODES && path[0] == '/' && test(probe_parent(above), X_OK) == EACCES) {
        q->error = EACCES; /* even if we can see what is there */
        return;
    }
    switch (q->need) {
    case NEED_READ: q->error = test(path, R_OK); break;
    case NEED_EXECUTE:
    case NEED_COMMAND: answer_program(q, path); break;
    case NEED_SOCKET: q->error = test_socket(path); break;
    case NEED_MAILBOX: answer_file(q, path, R_OK | W_OK); break;
    case NEED_LOG: answer_file(q, path, W_OK); break;
    case NEED_MAILDIR: answer_maildir(q, path); break;
    case NEED_SPOOL: q->error = test(path, W_OK | X_OK); break;
    case NEED_ABOVE: q->error = test(path, X_OK); break;
    }
}

void probe_answer(struct question *questions, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        unseen = false;
        if (!questions[i].opened_before)
            answer(&questions[i]);
        questions[i].unknown = unseen && questions[i].error == 0;
    }
}
