/* modes.c - whether the group that mailbox.mode is for can come at the mail */
#include "admin/modes.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "admin/probe.h"

/* A path that is looked at, and where it stands. */
struct looked {
    struct conf *conf;
    unsigned line;
    struct slice written; /* the path in that line */
    const char *path;
};

#define warn(p, ...) conf_complain((p)->conf, SEVERITY_WARNING, (p)->line, conf_column_of((p)->conf, (p)->line, (p)->written), \
                                   __VA_ARGS__)

/* Does a mode give these bits of a group to the group, or to everybody? */
static bool gives(mode_t mode, mode_t bits)
{
    return (mode & bits) == bits || (mode & bits >> 3) == bits >> 3;
}

static void check_mbox(const struct looked *p, mode_t mode)
{
    char above[PATH_MAX];
    struct stat status;

    (void)snprintf(above, sizeof above, "%s", p->path);
    if (lstat(p->path, &status) == 0 && !S_ISREG(status.st_mode))
        return; /* as /dev/null */
    if (lstat(p->path, &status) == 0 && (status.st_mode & mode) != mode) {
        warn(p, "%s has mode %03o: mailbox.mode is for new files", p->path, status.st_mode & 0777);
        conf_advise(p->conf, "run: chmod %03o %s", mode, p->path);
    }
    if (stat(probe_parent(above), &status) == 0 && !gives(status.st_mode, S_IXGRP)) {
        warn(p, "the group that mailbox.mode is for cannot enter %s", above);
        conf_advise(p->conf, "run: chmod g+x %s", above);
    }
}

/* One of the directories of a maildir. True: there is something wrong. */
static bool check_directory(const struct looked *p, const char *directory, mode_t bits)
{
    struct stat status;

    if (stat(directory, &status) != 0 || !S_ISDIR(status.st_mode))
        return false;
    if (!gives(status.st_mode, bits))
        warn(p, "the group that mailbox.mode is for cannot %s %s", (bits & S_IWGRP) != 0 ? "change" : "read", directory);
    else if ((status.st_mode & S_ISGID) == 0 && status.st_gid != probe_who.account.gid)
        warn(p, "%s is not setgid: what is new there gets the group of %s", directory, probe_who.account.name);
    else
        return false;
    conf_advise(p->conf, "run: chmod g+rx%ss %s %s/tmp %s/new %s/cur", (bits & S_IWGRP) != 0 ? "w" : "", p->path,
                p->path, p->path, p->path);
    return true;
}

static void check_maildir(const struct looked *p, mode_t mode)
{
    static const char names[][5] = { "", "/tmp", "/new", "/cur" };
    char directory[PATH_MAX + 24];
    bool wrong = false;

    for (size_t i = 0; i < sizeof names / sizeof names[0] && !wrong; i++) {
        (void)snprintf(directory, sizeof directory, "%s%s", p->path, names[i]);
        wrong = check_directory(p, directory, mode & S_IRWXG);
    }
}

void modes_check(struct conf *conf, unsigned line, struct slice path, bool is_maildir)
{
    char text[PATH_MAX];
    struct looked looked = { conf, line, path, text };

    if (conf->delivery.mailbox_mode == 0 || path.len == 0 || path.len >= sizeof text)
        return;
    while (is_maildir && path.len > 1 && path.text[path.len - 1] == '/')
        path.len--;
    (void)snprintf(text, sizeof text, "%.*s", (int)path.len, path.text);
    if (is_maildir)
        check_maildir(&looked, delivery_directory_mode(&conf->delivery));
    else
        check_mbox(&looked, delivery_file_mode(&conf->delivery));
}
