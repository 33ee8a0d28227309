/* answer.c - whether a password is right */
/*
 * There is exactly one crypt() per question, known user or not, and the whole file is always read, so that time tells
 * nothing.
 */
#include "programs/checkpassword/answer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "programs/checkpassword/crypts.h"
#include "programs/checkpassword/exits.h"
#include "programs/checkpassword/users.h"

enum { QUESTION_MAX = 512 }; /* bytes, by the interface */

static char question[QUESTION_MAX + 1];

/* Reads to the end of the file, which must come within QUESTION_MAX bytes. */
static bool read_question(struct slice *text)
{
    size_t len = 0;
    ssize_t got;

    do {
        got = read(QUESTION_FD, question + len, sizeof question - len);
        if (got > 0)
            len += (size_t)got;
    } while ((got > 0 && len < sizeof question) || (got < 0 && errno == EINTR));
    if (got < 0)
        complain("descriptor 3: %s", strerror(errno));
    else if (len > QUESTION_MAX)
        complain("descriptor 3: more than %d bytes", QUESTION_MAX);
    (void)close(QUESTION_FD); /* only read from */
    *text = (struct slice){ question, len };
    return got >= 0 && len <= QUESTION_MAX;
}

/* Cuts name, password and timestamp; the last, and what may follow it, is not looked at. */
static bool parse_question(struct slice text, const char *part[3])
{
    for (size_t i = 0; i < 3; i++) {
        if (memchr(text.text, '\0', text.len) == NULL) {
            complain("descriptor 3: expected name, password and timestamp, each with a NUL behind it");
            return false;
        }
        part[i] = users_cut(&text, '\0').text;
    }
    return true;
}

/*
 * Why that user cannot come in, or NULL, and a setting for crypt: the hash of the name's first line;
 * or what stands in for it, the first usable hash of the file; or libcrypt's choice for a new one.
 */
static const char *find(const struct users *users, struct slice name, char setting[CRYPTS_SIZE])
{
    struct slice rest = { users->text, users->len };
    char substitute[CRYPTS_SIZE] = "", hash[CRYPTS_SIZE] = "";
    const char *problem = "no such user";
    bool found = false;
    size_t number = 0;
    struct user user;

    while (users_next(&rest, &number, &user)) {
        const char *wrong;

        if (user.problem != NULL)
            continue;
        wrong = crypts_copy(hash, user.hash);
        if (wrong == NULL && substitute[0] == '\0')
            memcpy(substitute, hash, sizeof substitute);
        if (found || !slice_equal(user.name, name))
            continue;
        found = true;
        problem = wrong;
        if (wrong == NULL)
            memcpy(setting, hash, sizeof hash);
    }
    if (problem == NULL)
        return NULL;
    memcpy(setting, substitute, sizeof substitute);
    if (substitute[0] == '\0' && !crypts_setting(setting, NULL))
        setting[0] = '\0'; /* no random numbers: crypt will fail, too */
    return problem;
}

static bool same_hash(const char *a, const char *b)
{
    size_t len = strlen(a);
    unsigned char difference = 0;

    if (strlen(b) != len)
        return false;
    for (size_t i = 0; i < len; i++)
        difference |= (unsigned char)(a[i] ^ b[i]);
    return difference == 0;
}

static int compare(const struct users *users, const char *name, const char *password)
{
    char setting[CRYPTS_SIZE] = "";
    const char *problem = find(users, slice_of(name), setting), *hash;

    hash = crypts_hash(password, setting);
    if (hash == NULL) { /* EINVAL either way; and the same for unknown users, whom it would tell apart */
        complain("%s: user \"%s\": libcrypt fails: out of memory, or a hash is damaged", users->label,
                 encoded(slice_of(name)));
        return TEMPORARY;
    }
    if (problem == NULL && !same_hash(hash, setting))
        problem = "wrong password";
    if (problem == NULL)
        return RIGHT;
    complain("%s: user \"%s\": %s", users->label, encoded(slice_of(name)), problem);
    return WRONG;
}

int answer_question(const char *file, int fd, char **program)
{
    struct users users;
    struct slice text;
    const char *part[3];
    int status = TEMPORARY;

    if (fcntl(QUESTION_FD, F_GETFD) < 0)
        die_usage("descriptor 3 is not open: this is started by mailrecv and others of its kind");
    if (!read_question(&text) || !parse_question(text, part))
        return MISUSE;
    if (users_load(&users, file, fd))
        status = compare(&users, part[0], part[1]);
    else
        complain("%s: %s", users.label, users.problem);
    explicit_bzero(question, sizeof question);
    crypts_wipe();
    users_wipe(&users);
    if (status != RIGHT || program[0] == NULL)
        return status;
    (void)execvp(program[0], program);
    complain("%s: %s", program[0], strerror(errno));
    return TEMPORARY;
}
