/* checkpassword.c - the separate program mailrecv-checkpassword: a users file and libcrypt; the only file that knows it */
/*
 * Speaks the checkpassword interface of D. J. Bernstein: name, password and timestamp on descriptor
 * 3, each with a NUL behind it; the exit status is the answer. There is exactly one crypt() per
 * question, known user or not, and the whole file is always read, so that time tells nothing.
 */
#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <search.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/log.h"
#include "session/envelope.h"
#include "session/sasl.h"

#define PROGRAM "mailrecv-checkpassword"

#ifndef SYSCONFDIR
#define SYSCONFDIR "/etc"
#endif

/* The answers that the interface knows; 1 and 2 also serve -t and -p. */
enum { RIGHT = 0, WRONG = 1, MISUSE = 2, TEMPORARY = 111 };

enum {
    QUESTION_FD = 3,
    QUESTION_MAX = 512,      /* bytes, by the interface */
    USERS_MAX = 64 << 20     /* bytes of a users file; more is a mistake */
};

struct options {
    const char *file, *fd, *method, *name;
    bool ask, test;
    char **program; /* NULL-terminated; empty: only the exit status is wanted */
};

/* The users file, all of it in memory. */
struct users {
    char label[4096];  /* how messages call it */
    char problem[256]; /* why it cannot be used */
    char *text;
    size_t len;
};

/* One line of it. The slices point into its text. */
struct user {
    struct slice name, hash;
    const char *problem; /* why there is no such entry, or NULL */
};

/*
 * The methods of libcrypt. `tail` is how many bytes a hash has behind its last "$"; fewer are no
 * hash. `cost` is what -p asks for, 0 for libcrypt's own choice; it would choose too little for some.
 */
static const struct method {
    struct slice prefix;
    const char *name;
    size_t tail;
    unsigned long cost;
    bool weak;
} methods[] = {
    { SLICE("$y$"), "yescrypt", 43, 0, false },
    { SLICE("$gy$"), "gost-yescrypt", 43, 0, false },
    { SLICE("$7$"), "scrypt", 43, 0, false },
    { SLICE("$2b$"), "bcrypt", 53, 10, false },
    { SLICE("$2y$"), "bcrypt", 53, 0, false },
    { SLICE("$2a$"), "bcrypt", 53, 0, false },
    { SLICE("$2x$"), "broken bcrypt", 53, 0, true },
    { SLICE("$6$"), "sha512crypt", 86, 100000, false },
    { SLICE("$5$"), "sha256crypt", 43, 100000, false },
    { SLICE("$sha1"), "sha1crypt", 28, 0, true },
    { SLICE("$md5"), "sunmd5", 22, 0, true },
    { SLICE("$1$"), "md5crypt", 22, 0, true },
    { SLICE("$3$"), "NT", 32, 0, true },
    { SLICE("_"), "bsdicrypt", 20, 0, true },
    { SLICE(""), "DES", 13, 0, true }, /* the last one: fits all that libcrypt takes */
};

enum { METHODS = sizeof methods / sizeof methods[0] };

static const char locked[] = "locked";

static struct crypt_data crypt_memory; /* 32 KiB that hold the password */
static char question[QUESTION_MAX + 1];

static void wipe(struct users *users)
{
    explicit_bzero(question, sizeof question);
    explicit_bzero(&crypt_memory, sizeof crypt_memory);
    if (users->text != NULL)
        explicit_bzero(users->text, users->len);
    free(users->text);
    users->text = NULL;
}

static void __attribute__((format(printf, 1, 2))) complain(const char *format, ...)
{
    char text[8192];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args); /* cut when too long */
    va_end(args);
    fprintf(stderr, PROGRAM ": %s\n", text);
}

static void __attribute__((format(printf, 1, 2), noreturn)) die_usage(const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    complain("%s, see " PROGRAM " -h", text);
    exit(MISUSE);
}

static int output_status(void)
{
    return fflush(stdout) == 0 && ferror(stdout) == 0 ? RIGHT : TEMPORARY;
}

static const char *encoded(struct slice text)
{
    static char out[LOG_TEXT];

    return log_encode(out, sizeof out, text);
}

/* ---- the users file ------------------------------------------------------------------------- */

/* Says why the file cannot be used. */
static bool __attribute__((format(printf, 2, 3))) refuse(struct users *users, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(users->problem, sizeof users->problem, format, args);
    va_end(args);
    return false;
}

/* Others must not see the hashes, nor anybody but the owner put some in. */
static bool may_be_used(struct users *users, const struct stat *status)
{
    static const struct {
        mode_t bit;
        const char *who;
    } forbidden[] = { { S_IROTH, "others read" }, { S_IWOTH, "others write" }, { S_IWGRP, "the group write" } };

    if (!S_ISREG(status->st_mode))
        return refuse(users, "not a regular file");
    for (size_t i = 0; i < sizeof forbidden / sizeof forbidden[0]; i++)
        if ((status->st_mode & forbidden[i].bit) != 0)
            return refuse(users, "mode %03o lets %s it, expected chmod o-rw,g-w",
                          (unsigned)status->st_mode & 0777, forbidden[i].who);
    return status->st_size <= USERS_MAX || refuse(users, "larger than %d MB", USERS_MAX >> 20);
}

/* Reads all, always from the beginning: the descriptor may be somebody's who reads it again. */
static bool read_users(struct users *users, int fd)
{
    struct stat status;
    ssize_t got;

    if (fstat(fd, &status) != 0)
        return refuse(users, "%s", strerror(errno));
    if (!may_be_used(users, &status))
        return false;
    users->text = calloc((size_t)status.st_size + 1, 1);
    if (users->text == NULL)
        return refuse(users, "out of memory");
    while (users->len < (size_t)status.st_size) {
        got = pread(fd, users->text + users->len, (size_t)status.st_size - users->len, (off_t)users->len);
        if (got == 0)
            return refuse(users, "it has become shorter while it was read"); /* who was in the rest? */
        if (got < 0 && errno != EINTR)
            return refuse(users, "%s", strerror(errno));
        users->len += got > 0 ? (size_t)got : 0;
    }
    return true;
}

static bool load_users(struct users *users, const struct options *o, int fd)
{
    bool loaded;

    *users = (struct users){ .text = NULL };
    if (fd >= 0) {
        (void)snprintf(users->label, sizeof users->label, "descriptor %d", fd);
    } else {
        (void)snprintf(users->label, sizeof users->label, "%s", o->file);
        fd = open(o->file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK); /* a FIFO shall not stop us */
    }
    if (fd < 0)
        return refuse(users, "%s", strerror(errno));
    loaded = read_users(users, fd);
    (void)close(fd); /* only read from */
    return loaded;
}

static struct slice cut(struct slice *rest, char at)
{
    const char *end = memchr(rest->text, at, rest->len);
    struct slice part = { rest->text, end != NULL ? (size_t)(end - rest->text) : rest->len };
    size_t used = part.len + (end != NULL);

    rest->text += used;
    rest->len -= used;
    return part;
}

/* Which method a hash is of; NULL when libcrypt knows none. */
static const struct method *method_of(const char *hash)
{
    size_t i = 0;
    int verdict = crypt_checksalt(hash);

    if (verdict == CRYPT_SALT_INVALID || verdict == CRYPT_SALT_METHOD_DISABLED)
        return NULL;
    while (strncmp(hash, methods[i].prefix.text, methods[i].prefix.len) != 0)
        i++;
    return &methods[i];
}

/* Copies a hash out of the file, for libcrypt wants a terminator. Returns what is wrong with it, or NULL. */
static const char *copy_hash(char out[CRYPT_OUTPUT_SIZE], struct slice hash)
{
    const struct method *method;
    const char *tail;

    if (hash.len == 0)
        return "no hash, so nobody can log in";
    if (hash.text[0] == '!' || hash.text[0] == '*')
        return locked;
    if (hash.len >= CRYPT_OUTPUT_SIZE || memchr(hash.text, '\0', hash.len) != NULL)
        return "not a hash that libcrypt knows";
    memcpy(out, hash.text, hash.len);
    out[hash.len] = '\0';
    method = method_of(out);
    if (method == NULL)
        return "not a hash that libcrypt knows";
    tail = strrchr(out, '$');
    return strlen(tail != NULL ? tail + 1 : out) < method->tail ? "not a complete hash" : NULL;
}

/* The next line that is neither blank nor a comment. `number` counts them all. */
static bool next_entry(struct slice *rest, size_t *number, struct user *user)
{
    static const struct slice scheme = SLICE("{CRYPT}");
    struct slice line = { NULL, 0 };

    do {
        if (rest->len == 0)
            return false;
        line = cut(rest, '\n');
        ++*number;
        while (line.len > 0 && strchr(" \t\r", line.text[line.len - 1]) != NULL && line.text[line.len - 1] != '\0')
            line.len--;
    } while (line.len == 0 || line.text[0] == '#');
    user->problem = memchr(line.text, ':', line.len) == NULL ? "no colon, expected NAME:HASH" : NULL;
    user->name = cut(&line, ':');
    user->hash = cut(&line, ':');
    if (user->problem == NULL && user->name.len == 0)
        user->problem = "no name, expected NAME:HASH";
    if (user->hash.len >= scheme.len &&
        slice_equal_nocase((struct slice){ user->hash.text, scheme.len }, scheme)) {
        user->hash.text += scheme.len;
        user->hash.len -= scheme.len;
    }
    return true;
}

/* ---- a question ----------------------------------------------------------------------------- */

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
        part[i] = cut(&text, '\0').text;
    }
    return true;
}

/*
 * Why that user cannot come in, or NULL, and a setting for crypt: the hash of the name's first line;
 * or what stands in for it, the first usable hash of the file; or libcrypt's choice for a new one.
 */
static const char *find(const struct users *users, struct slice name, char setting[CRYPT_OUTPUT_SIZE])
{
    struct slice rest = { users->text, users->len };
    char substitute[CRYPT_OUTPUT_SIZE] = "", hash[CRYPT_OUTPUT_SIZE] = "";
    const char *problem = "no such user";
    bool found = false;
    size_t number = 0;
    struct user user;

    while (next_entry(&rest, &number, &user)) {
        const char *wrong;

        if (user.problem != NULL)
            continue;
        wrong = copy_hash(hash, user.hash);
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
    if (substitute[0] == '\0' && crypt_gensalt_rn(NULL, 0, NULL, 0, setting, CRYPT_OUTPUT_SIZE) == NULL)
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

static int answer(const struct users *users, const char *name, const char *password)
{
    char setting[CRYPT_OUTPUT_SIZE] = "";
    const char *problem = find(users, slice_of(name), setting), *hash;

    hash = crypt_rn(password, setting, &crypt_memory, sizeof crypt_memory);
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

static int serve(const struct options *o, int fd)
{
    struct users users;
    struct slice text;
    const char *part[3];
    int status = TEMPORARY;

    if (fcntl(QUESTION_FD, F_GETFD) < 0)
        die_usage("descriptor 3 is not open: this is started by mailrecv and others of its kind");
    if (!read_question(&text) || !parse_question(text, part))
        return MISUSE;
    if (load_users(&users, o, fd))
        status = answer(&users, part[0], part[1]);
    else
        complain("%s: %s", users.label, users.problem);
    wipe(&users);
    if (status != RIGHT || o->program[0] == NULL)
        return status;
    (void)execvp(o->program[0], o->program);
    complain("%s: %s", o->program[0], strerror(errno));
    return TEMPORARY;
}

/* ---- -t ------------------------------------------------------------------------------------- */

struct report {
    const char *label;
    size_t line, users, locked, errors;
    const struct method *first;
    bool mixed;
};

static void __attribute__((format(printf, 3, 4))) say(struct report *r, const char *kind, const char *format, ...)
{
    va_list args;

    printf("%s: %s:%zu: ", kind, r->label, r->line);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    r->errors += strcmp(kind, "error") == 0;
}

/* Who stands where, in a tree of the C library. */
struct seen {
    struct slice name;
    size_t line;
};

static int compare_names(const void *a, const void *b)
{
    const struct seen *x = a, *y = b;
    size_t len = x->name.len < y->name.len ? x->name.len : y->name.len;
    int order = memcmp(x->name.text, y->name.text, len);

    return order != 0 ? order : (x->name.len > y->name.len) - (x->name.len < y->name.len);
}

/* The line where the name stands first: `line` itself when it is new; 0 when there is no memory. */
static size_t first_line(void **tree, struct slice name, size_t line)
{
    struct seen *seen = malloc(sizeof *seen), *const *node;

    if (seen == NULL)
        return 0;
    *seen = (struct seen){ name, line };
    node = tsearch(seen, tree, compare_names);
    if (node == NULL || *node != seen)
        free(seen);
    return node == NULL ? 0 : (*node)->line;
}

/*
 * What a hash is of which libcrypt makes nothing, as far as its beginning tells: "" where it does not. Nothing of the
 * hash is shown, which may be a password.
 */
static const char *kind_of(struct slice hash)
{
    static const struct {
        struct slice prefix;
        const char *kind;
    } kinds[] = {
        { SLICE("$apr1$"), " (it is of htpasswd without -B)" },
        { SLICE("$argon2"), " (it is of argon2)" },
        { SLICE("$pbkdf2"), " (it is of PBKDF2)" },
        { SLICE("{SHA}"), " (it is of htpasswd -s or LDAP)" },
        { SLICE("{PLAIN"), " (a password in plain text)" },
        { SLICE("{CLEAR"), " (a password in plain text)" },
        { SLICE("{"), " (it is of LDAP or Dovecot)" },
        { SLICE("$"), "" },
        { SLICE("_"), "" },
        { SLICE(""), " (a password in plain text?)" }, /* the last one: fits all */
    };
    size_t i = 0;

    while (hash.len < kinds[i].prefix.len ||
           !slice_equal_nocase((struct slice){ hash.text, kinds[i].prefix.len }, kinds[i].prefix))
        i++;
    return kinds[i].kind;
}

/* Does a hash stand behind a scheme that Dovecot has and libcrypt needs no word of, as {BLF-CRYPT}? */
static bool has_needless_scheme(struct slice hash)
{
    const char *brace = memchr(hash.text, '}', hash.len);
    char text[CRYPT_OUTPUT_SIZE];

    if (hash.len == 0 || hash.text[0] != '{' || brace == NULL || hash.len - (size_t)(brace + 1 - hash.text) < 2 ||
        brace[1] != '$')
        return false;
    return copy_hash(text, (struct slice){ brace + 1, hash.len - (size_t)(brace + 1 - hash.text) }) == NULL;
}

/* Is it longer than any hash of its method, or has it other letters than one of DES? Then it is that of no password. */
static bool is_overlong(const char *hash, const struct method *method)
{
    static const char letters[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    const char *tail = strrchr(hash, '$');

    if (method->prefix.len == 0) /* longer passwords have more blocks of 11 behind two letters of salt */
        return (strlen(hash) - 2) % 11 != 0 || strspn(hash, letters) != strlen(hash);
    return strlen(tail != NULL ? tail + 1 : hash) > method->tail;
}

static void test_hash(struct report *r, const struct user *user)
{
    static const char remedy[] = "make a new one with " PROGRAM " -p or htpasswd -B";
    char hash[CRYPT_OUTPUT_SIZE];
    const char *problem = copy_hash(hash, user->hash), *name = encoded(user->name);
    const struct method *method;

    r->users++;
    r->locked += problem == locked;
    if (problem == locked)
        return;
    if (problem != NULL) {
        if (user->hash.len == 0)
            say(r, "error", "user \"%s\": %s; %s, or write * for one who shall not", name, problem, remedy);
        else if (has_needless_scheme(user->hash))
            say(r, "error", "user \"%s\": %s with what stands in braces before it, take that away", name, problem);
        else
            say(r, "error", "user \"%s\": %s%s, %s", name, problem, kind_of(user->hash), remedy);
        return;
    }
    method = method_of(hash);
    if (is_overlong(hash, method)) {
        say(r, "error", "user \"%s\": no hash of %s%s, %s", name, method->name, kind_of(user->hash), remedy);
        return;
    }
    if (method->weak)
        say(r, "warning", "user \"%s\": %s is too weak, make a new one with " PROGRAM " -p", name, method->name);
    if (r->first == NULL)
        r->first = method;
    if (strcmp(r->first->name, method->name) != 0 && !r->mixed) {
        say(r, "warning", "user \"%s\": %s, others have %s: the time of an answer then tells who exists", name,
            method->name, r->first->name);
        r->mixed = true;
    }
}

static int test_entries(struct report *r, const struct users *users)
{
    struct slice rest = { users->text, users->len };
    struct user user;
    void *tree = NULL;
    size_t first = 1;

    while (first != 0 && next_entry(&rest, &r->line, &user)) {
        if (user.problem != NULL) {
            say(r, "error", "%s", user.problem);
            continue;
        }
        first = first_line(&tree, user.name, r->line);
        if (first == r->line)
            test_hash(r, &user);
        else if (first != 0)
            say(r, "warning", "user \"%s\" stands on line %zu already, this one is not used", encoded(user.name),
                first);
    }
    tdestroy(tree, free);
    if (first == 0)
        complain("%s: out of memory", r->label);
    printf("note: %s: users: %zu, locked: %zu\n", r->label, r->users, r->locked);
    return first == 0 ? TEMPORARY : r->errors > 0 ? WRONG : RIGHT;
}

static int test_file(const struct options *o, int fd)
{
    struct users users;
    struct report report = { .label = users.label };
    int status = WRONG, written;

    if (load_users(&users, o, fd))
        status = test_entries(&report, &users);
    else
        printf("error: %s: %s\n", users.label, users.problem);
    wipe(&users);
    written = output_status();
    return written != RIGHT ? written : status;
}

/* ---- -p ------------------------------------------------------------------------------------- */

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    interrupted = number;
}

/* Reads a line without its end. False when there is none, or it does not fit. */
static bool read_line(int fd, char *line, size_t size)
{
    size_t len = 0;

    while (len < size) {
        ssize_t got = read(fd, line + len, 1); /* no more than the line: what follows is not ours */

        if (got < 0 || (got == 0 && len == 0))
            return false;
        if (got == 0 || line[len] == '\n') {
            line[len] = '\0';
            return true;
        }
        len++;
    }
    return false;
}

/* Asks on the terminal, which does not show the answer and is afterwards as it was before. */
static bool ask(int tty, const char *prompt, char *line, size_t size)
{
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
    enum { SIGNALS = sizeof signals / sizeof signals[0] };
    struct sigaction catch = { .sa_handler = on_signal }, before[SIGNALS];
    struct pollfd poll_tty = { .fd = tty, .events = POLLIN };
    struct termios shown, hidden;
    sigset_t blocked, mask;
    bool got;

    if (tcgetattr(tty, &shown) != 0)
        return false;
    (void)sigemptyset(&blocked); /* these and the next fail for no signal of the list */
    for (size_t i = 0; i < SIGNALS; i++) {
        (void)sigaddset(&blocked, signals[i]);
        (void)sigaction(signals[i], &catch, &before[i]);
    }
    (void)sigprocmask(SIG_BLOCK, &blocked, &mask); /* let in while waiting only: none is missed */
    hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    got = tcsetattr(tty, TCSAFLUSH, &hidden) == 0 && dprintf(tty, "%s", prompt) > 0 &&
          ppoll(&poll_tty, 1, NULL, &mask) == 1 && read_line(tty, line, size);
    (void)tcsetattr(tty, TCSAFLUSH, &shown); /* there is nothing else to try */
    (void)dprintf(tty, "\n");
    for (size_t i = 0; i < SIGNALS; i++)
        (void)sigaction(signals[i], &before[i], NULL);
    (void)sigprocmask(SIG_SETMASK, &mask, NULL);
    if (interrupted != 0)
        (void)raise(interrupted);
    return got;
}

static bool ask_twice(int tty, char *password, char *again, size_t size)
{
    if (!ask(tty, "Password: ", password, size) || !ask(tty, "Again: ", again, size)) {
        complain("no password, or one that is too long");
        return false;
    }
    if (strcmp(password, again) != 0)
        complain("the two passwords are not the same");
    return strcmp(password, again) == 0;
}

static bool get_password(char *password, char *again, size_t size)
{
    bool got;
    int tty;

    if (!isatty(STDIN_FILENO)) {
        got = read_line(STDIN_FILENO, password, size);
        if (!got)
            complain("no password on standard input, or one that is too long");
        return got;
    }
    tty = open("/dev/tty", O_RDWR | O_CLOEXEC);
    if (tty < 0) {
        complain("/dev/tty: %s", strerror(errno));
        return false;
    }
    got = ask_twice(tty, password, again, size);
    (void)close(tty); /* nothing is left to be written */
    return got;
}

/* AUTH carries nothing else, so that another password would never be right. */
static bool is_utf8(struct slice text)
{
    while (text.len > 0) {
        size_t len = envelope_utf8(text);

        if (len == 0)
            return false;
        text.text += len;
        text.len -= len;
    }
    return true;
}

/* The method whose name begins so; there must be one only. */
static const struct method *choose_method(const char *word)
{
    const struct method *chosen = NULL;
    const char *prefix = crypt_preferred_method();

    if (word == NULL)
        return method_of(prefix != NULL ? prefix : "");
    for (size_t i = 0; i < METHODS; i++) {
        if (strncmp(methods[i].name, word, strlen(word)) != 0 ||
            (chosen != NULL && strcmp(chosen->name, methods[i].name) == 0))
            continue;
        if (chosen != NULL)
            die_usage("'%s' may be %s or %s", word, chosen->name, methods[i].name);
        chosen = &methods[i];
    }
    if (chosen == NULL)
        die_usage("unknown method '%s'", word);
    if (chosen->weak)
        die_usage("%s is too weak for new passwords", chosen->name);
    return chosen;
}

static int print_hash(const struct method *method, const char *name, const char *password)
{
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    const char *hash = NULL;

    if (password[0] == '\0' || !is_utf8(slice_of(password))) {
        complain(password[0] == '\0' ? "an empty password is none" : "the password is not UTF-8");
        return WRONG;
    }
    if (crypt_gensalt_rn(method->prefix.text, method->cost, NULL, 0, setting, sizeof setting) != NULL)
        hash = crypt_rn(password, setting, &crypt_memory, sizeof crypt_memory);
    if (hash == NULL) {
        complain("%s: %s", method->name, strerror(errno));
        return TEMPORARY;
    }
    printf("%s%s%s\n", name != NULL ? name : "", name != NULL ? ":" : "", hash);
    return output_status();
}

static int make_line(const struct options *o)
{
    char password[SASL_TEXT_MAX + 1] = "", again[SASL_TEXT_MAX + 1];
    const struct method *method = choose_method(o->method);
    int status = WRONG;

    if (o->name != NULL && (o->name[0] == '\0' || o->name[0] == '#' || strpbrk(o->name, ":\r\n") != NULL ||
                            strlen(o->name) > SASL_TEXT_MAX || !is_utf8(slice_of(o->name))))
        die_usage("'%s' cannot be a name", encoded(slice_of(o->name)));
    if (get_password(password, again, sizeof password))
        status = print_hash(method, o->name, password);
    explicit_bzero(password, sizeof password);
    explicit_bzero(again, sizeof again);
    explicit_bzero(&crypt_memory, sizeof crypt_memory);
    return status;
}

/* ---- the command line ----------------------------------------------------------------------- */

static void print_help(void)
{
    puts("usage: " PROGRAM " [-f FILE | -d FD] [PROGRAM ARG...]\n"
         "       " PROGRAM " -t [-f FILE | -d FD]\n"
         "       " PROGRAM " -p [-m METHOD] [NAME]\n"
         "\n"
         "Says whether a password is right: name, password and timestamp, each with a NUL behind it, are read\n"
         "from descriptor 3. Status 0 (or PROGRAM is run): yes; 1: no; 2: misuse; 111: cannot say now.\n"
         "  -f FILE    the users, lines of NAME:HASH, instead of " SYSCONFDIR "/mailrecv.users\n"
         "  -d FD      the users are on this open descriptor\n"
         "  -t         check the users file; status 1 on errors\n"
         "  -p         ask for a password, print a line for the users file\n"
         "  -m METHOD  with this method, such as yescrypt, bcrypt, sha512\n"
         "  -V         show the version\n"
         "  -h         show this help\n"
         "\n"
         PROGRAM "(8) says more.");
}

static void parse_options(int argc, char **argv, struct options *o)
{
    int letter;

    opterr = 0;
    while ((letter = getopt(argc, argv, "+:f:d:m:ptVh")) != -1) {
        switch (letter) {
        case 'f': o->file = optarg; break;
        case 'd': o->fd = optarg; break;
        case 'm': o->method = optarg; break;
        case 'p': o->ask = true; break;
        case 't': o->test = true; break;
        case 'V': puts(PROGRAM " " VERSION); exit(output_status());
        case 'h': print_help(); exit(output_status());
        case ':': die_usage("option '-%c' needs a value", optopt);
        default: die_usage("unknown option '-%c'", optopt);
        }
    }
    o->program = argv + optind;
}

/* What does not go together. */
static void check_options(struct options *o)
{
    if (o->file != NULL && o->fd != NULL)
        die_usage("-f and -d exclude each other");
    if (o->ask && (o->test || o->file != NULL || o->fd != NULL))
        die_usage("-p goes with -m and NAME only");
    if (!o->ask && o->method != NULL)
        die_usage("-m is for -p");
    if (o->test && o->program[0] != NULL)
        die_usage("-t runs no program");
    if (o->ask && o->program[0] != NULL && o->program[1] != NULL)
        die_usage("-p wants one NAME only");
    if (o->ask)
        o->name = o->program[0];
    if (o->file == NULL)
        o->file = SYSCONFDIR "/mailrecv.users";
}

/* The descriptor of -d; -1 without. */
static int parse_descriptor(const char *text)
{
    char *end;
    long fd;

    if (text == NULL)
        return -1;
    errno = 0;
    fd = strtol(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || fd > INT32_MAX || fd == QUESTION_FD ||
        fcntl((int)fd, F_GETFD) < 0)
        die_usage("'%s' is no descriptor of a users file", text);
    return (int)fd;
}

int main(int argc, char **argv)
{
    struct options options = { .file = NULL };
    const struct rlimit none = { 0, 0 };
    int fd;

    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0) != 0) {
        complain("cannot keep secrets out of core files: %s", strerror(errno));
        return TEMPORARY;
    }
    parse_options(argc, argv, &options);
    check_options(&options);
    if (options.ask)
        return make_line(&options);
    fd = parse_descriptor(options.fd);
    return options.test ? test_file(&options, fd) : serve(&options, fd);
}
