/* credentials.c - unit tests: files with name and password for another server */
#include "base/credentials.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "unit.h"

#define X100 X10(X10("x"))

static const struct {
    const char *what;
    struct slice text;
    mode_t mode;
    const char *user, *password; /* NULL: what is wrong is in `user` */
} files[] = {
    { "a line", SLICE("user:secret\n"), 0600, "user", "secret" },
    { "a line without an end", SLICE("user:secret"), 0400, "user", "secret" },
    { "colons and blanks", SLICE("user@example.com: a:b \n"), 0600, "user@example.com", " a:b " },
    { "the longest", SLICE("u:" X100 X100 X100 X100 X100 "xxxxxxxxxx\n"), 0600, "u", X100 X100 X100 X100 X100 "xxxxxxxxxx" },
    { "one byte more", SLICE("u:" X100 X100 X100 X100 X100 "xxxxxxxxxxx\n"), 0600, "its line is longer than 512 bytes", NULL },
    { "more still", SLICE("u:" X100 X100 X100 X100 X100 X100), 0600, "its line is longer than 512 bytes", NULL },
    { "two lines", SLICE("user:secret\nuser:other\n"), 0600, "it has more than one line, expected user:password", NULL },
    { "nothing", SLICE(""), 0600, "expected one line, user:password", NULL },
    { "no colon", SLICE("secret\n"), 0600, "expected one line, user:password", NULL },
    { "no name", SLICE(":secret\n"), 0600, "expected one line, user:password", NULL },
    { "no password", SLICE("user:\n"), 0600, "expected one line, user:password", NULL },
    { "an end of another system", SLICE("user:secret\r\n"), 0600, "it holds a NUL or a CR", NULL },
    { "a NUL", SLICE("us\0er:secret\n"), 0600, "it holds a NUL or a CR", NULL },
    { "the group may read it", SLICE("user:secret\n"), 0640, "others may read or write it, expected chmod go-rwx", NULL },
    { "others may write it", SLICE("user:secret\n"), 0602, "others may read or write it, expected chmod go-rwx", NULL },
};

static const char *make_file(char *path, struct slice text, mode_t mode)
{
    int fd = mkstemp(path);

    if (fd < 0 || write(fd, text.text, text.len) != (ssize_t)text.len || fchmod(fd, mode) != 0)
        abort();
    (void)close(fd);
    return path;
}

static void test_files(void)
{
    struct credentials credentials;
    char reason[256], want[256];

    for (size_t i = 0; i < COUNT(files); i++) {
        char path[] = "/tmp/credentials.XXXXXX";
        bool done = credentials_read(slice_of(make_file(path, files[i].text, files[i].mode)), geteuid(), &credentials, reason,
                                             sizeof reason);

        (void)unlink(path);
        if (!ok(done == (files[i].password != NULL), "%s: %s", files[i].what, done ? "read" : reason))
            continue;
        (void)snprintf(want, sizeof want, "%s: %s", path, files[i].user);
        if (!done) {
            ok_text(slice_of(reason), slice_of(want), "%s: the reason", files[i].what);
        } else {
            ok_text(credentials.user, slice_of(files[i].user), "%s: the name", files[i].what);
            ok_text(credentials.password, slice_of(files[i].password), "%s: the password", files[i].what);
            credentials_wipe(&credentials);
        }
        ok(memmem(&credentials, sizeof credentials, "secret", 6) == NULL, "%s: forgotten", files[i].what);
    }
}

/* For servers whose users may have no name. */
static void test_passwords(void)
{
    static const struct {
        const char *text, *user, *password; /* NULL: it is wrong */
    } lines[] = {
        { "secret\n", "", "secret" }, { "ann:secret", "ann", "secret" }, { "ann:se:cret\n", "ann", "se:cret" },
        { "", NULL, NULL },           { "\n", NULL, NULL },            { ":secret", NULL, NULL },
        { "ann:", NULL, NULL },       { "secret\nother\n", NULL, NULL },
    };
    struct credentials credentials;
    char reason[256];

    for (size_t i = 0; i < COUNT(lines); i++) {
        char path[] = "/tmp/credentials.XXXXXX";
        bool done = credentials_read_password(slice_of(make_file(path, slice_of(lines[i].text), 0600)), geteuid(), &credentials,
                                              reason, sizeof reason);

        (void)unlink(path);
        ok(done == (lines[i].user != NULL), "line %zu with a password: %s", i, done ? "read" : reason);
        if (done && lines[i].user != NULL) {
            ok_text(credentials.user, slice_of(lines[i].user), "the name, or none");
            ok_text(credentials.password, slice_of(lines[i].password), "the password");
        }
    }
}

void test_credentials(void)
{
    static const struct stat ours = { .st_mode = S_IFREG | S_IRUSR, .st_uid = 7 };
    struct credentials credentials;
    char reason[256];

    test_files();
    test_passwords();
    ok(!credentials_read(slice_of("/nonexistent/file"), geteuid(), &credentials, reason, sizeof reason), "no such file");
    ok_text(slice_of(reason), slice_of("/nonexistent/file: No such file or directory"), "and its reason");
    ok(credentials_exposed(&ours, 7) == NULL, "a file of the user who serves");
    ok(credentials_exposed(&ours, 8) != NULL, "a file of another user");
    ok(credentials_exposed(&ours, CREDENTIALS_ANY_OWNER) == NULL, "whoever that is");
}
