/* crypts.c - hashes of passwords: the methods of libcrypt, making and testing; the only file that knows libcrypt */
#include "programs/checkpassword/crypts.h"

#include <crypt.h>
#include <string.h>

#include "programs/checkpassword/exits.h"

_Static_assert(CRYPTS_SIZE >= CRYPT_OUTPUT_SIZE && CRYPTS_SIZE >= CRYPT_GENSALT_OUTPUT_SIZE, "hashes of libcrypt fit");

static const struct method methods[] = {
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

const char crypts_locked[] = "locked";

static struct crypt_data memory; /* 32 KiB that hold the password */

const struct method *crypts_method(const char *hash)
{
    size_t i = 0;
    int verdict = crypt_checksalt(hash);

    if (verdict == CRYPT_SALT_INVALID || verdict == CRYPT_SALT_METHOD_DISABLED)
        return NULL;
    while (strncmp(hash, methods[i].prefix.text, methods[i].prefix.len) != 0)
        i++;
    return &methods[i];
}

const struct method *crypts_choose(const char *word)
{
    const struct method *chosen = NULL;
    const char *prefix = crypt_preferred_method();

    if (word == NULL)
        return crypts_method(prefix != NULL ? prefix : "");
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

const char *crypts_copy(char out[CRYPTS_SIZE], struct slice hash)
{
    const struct method *method;
    const char *tail;

    if (hash.len == 0)
        return "no hash, so nobody can log in";
    if (hash.text[0] == '!' || hash.text[0] == '*')
        return crypts_locked;
    if (hash.len >= CRYPTS_SIZE || memchr(hash.text, '\0', hash.len) != NULL)
        return "not a hash that libcrypt knows";
    memcpy(out, hash.text, hash.len);
    out[hash.len] = '\0';
    method = crypts_method(out);
    if (method == NULL)
        return "not a hash that libcrypt knows";
    tail = strrchr(out, '$');
    return strlen(tail != NULL ? tail + 1 : out) < method->tail ? "not a complete hash" : NULL;
}

bool crypts_setting(char out[CRYPTS_SIZE], const struct method *method)
{
    return crypt_gensalt_rn(method != NULL ? method->prefix.text : NULL, method != NULL ? method->cost : 0, NULL, 0, out,
                            CRYPT_GENSALT_OUTPUT_SIZE) != NULL;
}

const char *crypts_hash(const char *password, const char *setting)
{
    return crypt_rn(password, setting, &memory, sizeof memory);
}

void crypts_wipe(void)
{
    explicit_bzero(&memory, sizeof memory);
}
