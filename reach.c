/* reach.c - what the user who serves can read, write and execute of what the configuration names */
/*
 * All questions are collected first and answered together: where we are root and the user is somebody else, by a
 * child that becomes that user, in memory that both share. So the kernel answers, who knows more than modes show.
 */
#include "reach.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "account.h"

enum { QUESTIONS_MAX = 16 };

/* What is to be possible with a path. */
enum need {
    NEED_READ,
    NEED_EXECUTE
};

/* A question and its answer. */
struct question {
    enum need need;
    unsigned line, column;
    struct slice path;
    int error; /* why it is not possible; 0: it is */
};

/* Who is asked for. */
static struct {
    enum { OURSELVES, BY_BECOMING, BY_MODES } how;
    struct account account;
} who;

static struct question *questions; /* room for all that a configuration can ask */
static size_t question_count;

/* ---- who --------------------------------------------------------------------------------- */

/* False: there is no such user. */
static bool find_user(const char *name)
{
    if (account_find(&who.account, name) != 0)
        return false;
    who.how = who.account.uid == geteuid() ? OURSELVES : geteuid() == 0 ? BY_BECOMING : BY_MODES;
    return true;
}

static bool in_groups(gid_t gid)
{
    for (int i = 0; i < who.account.group_count; i++)
        if (who.account.groups[i] == gid)
            return true;
    return gid == who.account.gid;
}

static bool permits(const struct stat *status, int mode)
{
    unsigned bits = status->st_mode & 07;

    if (who.account.uid == 0)
        return mode != X_OK || S_ISDIR(status->st_mode) || (status->st_mode & 0111) != 0;
    if (status->st_uid == who.account.uid)
        bits = status->st_mode >> 6 & 07;
    else if (in_groups(status->st_gid))
        bits = status->st_mode >> 3 & 07;
    return (bits & (unsigned)mode) == (unsigned)mode;
}

/* From the modes of the path and of all directories above it. What we cannot see ourselves is taken for good. */
static int test_modes(const char *path, int mode)
{
    char whole[PATH_MAX];
    struct stat status;

    if (realpath(path, whole) == NULL)
        return errno == EACCES ? 0 : errno;
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
    if (who.how == BY_MODES)
        return test_modes(path, mode);
    return faccessat(AT_FDCWD, path, mode, AT_EACCESS) == 0 ? 0 : errno;
}

/* ---- questions --------------------------------------------------------------------------- */

static void answer(struct question *q)
{
    char path[PATH_MAX];
    struct stat status;

    if ((size_t)snprintf(path, sizeof path, "%.*s", (int)q->path.len, q->path.text) >= sizeof path)
        q->error = ENAMETOOLONG;
    else if ((q->error = test(path, q->need == NEED_READ ? R_OK : X_OK)) == 0 && stat(path, &status) == 0 &&
             S_ISDIR(status.st_mode))
        q->error = EISDIR;
}

static void answer_all(void)
{
    for (size_t i = 0; i < question_count; i++)
        answer(&questions[i]);
}

/* Lets a child answer as the user. False: it could not become that user. */
static bool answer_as_user(void)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        if (!account_become(&who.account))
            _exit(EXIT_FAILURE);
        answer_all();
        _exit(EXIT_SUCCESS);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
}

/* What is wrong, and what to run. */
static void complain(struct conf *conf, const struct question *q)
{
    static const char verbs[][12] = { [NEED_READ] = "read", [NEED_EXECUTE] = "executed" };
    const char *name = who.account.name;
    int len = (int)q->path.len;

    conf_complain(conf, SEVERITY_WARNING, q->line, q->column, "%.*s cannot be %s by %s: %s", len, q->path.text,
                  verbs[q->need], name, strerror(q->error));
    if (q->error == EACCES && q->need == NEED_READ)
        conf_advise(conf, "run: chgrp $(id -gn %s) %.*s && chmod g+r %.*s", name, len, q->path.text, len,
                    q->path.text);
    else if (q->error == EACCES && q->need == NEED_EXECUTE)
        conf_advise(conf, "run: chmod a+rx %.*s", len, q->path.text);
}

static void ask(struct conf *conf, enum need need, const char *keyword, struct slice path)
{
    unsigned line = conf_line_of(conf, keyword);

    if (path.len > 0 && line > 0)
        questions[question_count++] = (struct question){ .need = need, .line = line, .path = path,
                                                         .column = conf_column_of(conf, line, path) };
}

/* `directly`: the user starts mailrecv, and root opens nothing before. */
static void ask_secrets(struct conf *conf, bool directly)
{
    if (conf->tls != TLS_OFF) {
        ask(conf, NEED_EXECUTE, "tls.helper", conf->tls_helper);
        if (directly) {
            ask(conf, NEED_READ, "tls.cert", conf->tls_cert);
            ask(conf, NEED_READ, "tls.key", conf->tls_key);
            ask(conf, NEED_READ, "tls.client_ca", conf->tls_client_ca);
        }
    }
    if (conf->auth == AUTH_OFF)
        return;
    ask(conf, NEED_EXECUTE, "auth.command", conf->auth_command.text);
    if (directly && conf->auth_command.text.len == 0)
        ask(conf, NEED_READ, "auth.users", conf->auth_users);
    if (conf->auth_sender_check)
        ask(conf, NEED_READ, "auth.senders", conf->auth_senders);
}

/* Finds out who is asked for: that user, or the directive's, or ourselves. */
static bool find_who(const struct conf *conf, const char *user)
{
    char name[ACCOUNT_NAME];

    (void)snprintf(name, sizeof name, "%.*s", (int)conf->user.len, conf->user.text);
    if (user != NULL || (geteuid() == 0 && name[0] != '\0'))
        return find_user(user != NULL ? user : name);
    if (account_of(&who.account, geteuid()) != 0)
        (void)snprintf(who.account.name, sizeof who.account.name, "you");
    who.how = OURSELVES;
    return true;
}

bool reach_check(struct conf *conf, const char *user)
{
    const size_t size = QUESTIONS_MAX * sizeof *questions;

    if (!find_who(conf, user))
        return true; /* there is no such user, which others have said */
    questions = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (questions == MAP_FAILED) {
        conf_complain(conf, SEVERITY_WARNING, 0, 0, "cannot check files: %s", strerror(errno));
        return who.how != OURSELVES;
    }
    question_count = 0;
    ask_secrets(conf, user != NULL && who.how != OURSELVES);
    if (who.how != BY_BECOMING)
        answer_all();
    else if (!answer_as_user())
        conf_complain(conf, SEVERITY_WARNING, 0, 0, "cannot become %s to check what it can read and write", who.account.name);
    for (size_t i = 0; i < question_count; i++)
        if (questions[i].error != 0)
            complain(conf, &questions[i]);
    (void)munmap(questions, size);
    return who.how != OURSELVES || conf->user.len > 0;
}
