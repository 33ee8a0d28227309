/* users_check.c - what is wrong or doubtful in a users file (-t) */
#include "programs/checkpassword/users_check.h"

#include <search.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "programs/checkpassword/crypts.h"
#include "programs/checkpassword/exits.h"
#include "programs/checkpassword/users.h"

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

/* On which line a name stands, in a tree of the C library. */
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

/* Is it a hash of libcrypt with a scheme of Dovecot before it, as {BLF-CRYPT}, that has to be left out? */
static bool has_needless_scheme(struct slice hash)
{
    const char *brace = memchr(hash.text, '}', hash.len);
    char text[CRYPTS_SIZE];

    if (hash.len == 0 || hash.text[0] != '{' || brace == NULL || hash.len - (size_t)(brace + 1 - hash.text) < 2 ||
        brace[1] != '$')
        return false;
    return crypts_copy(text, (struct slice){ brace + 1, hash.len - (size_t)(brace + 1 - hash.text) }) == NULL;
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
    char hash[CRYPTS_SIZE];
    const char *problem = crypts_copy(hash, user->hash), *name = encoded(user->name);
    const struct method *method;

    r->users++;
    r->locked += problem == crypts_locked;
    if (problem == crypts_locked)
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
    method = crypts_method(hash);
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

    while (first != 0 && users_next(&rest, &r->line, &user)) {
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

int users_check(const char *file, int fd)
{
    struct users users;
    struct report report = { .label = users.label };
    int status = WRONG, written;

    if (users_load(&users, file, fd))
        status = test_entries(&report, &users);
    else
        printf("error: %s: %s\n", users.label, users.problem);
    users_wipe(&users);
    written = output_status();
    return written != RIGHT ? written : status;
}
