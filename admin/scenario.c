/* scenario.c - what a client is supposed to be and to say: the words behind -x and -r */
#include "admin/scenario.h"

#include <stdio.h>
#include <string.h>

enum { WORD_MAX = 1024 }; /* more than any address may have, and fits a command line */

/* Lets nothing through that would be a second line to the dialogue. */
static const char *why_not(const char *word)
{
    if (strlen(word) > WORD_MAX)
        return "is too long";
    for (const char *c = word; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return "holds a control character";
    return NULL;
}

/* 64 hexadecimal digits in any case, with or without colons. */
static bool set_fingerprint(struct scenario *s, const char *text)
{
    size_t digits = 0;

    for (; *text != '\0' && digits < CLIENT_FINGERPRINT; text++) {
        const char c = lower_ascii(*text);

        if (c == ':')
            continue;
        if (strchr("0123456789abcdef", c) == NULL)
            return false;
        s->fingerprint[digits++] = c;
    }
    return digits == CLIENT_FINGERPRINT && *text == '\0';
}

/* Takes a word and its value: returns how many words that were, 0 with a message if they are wrong. */
static size_t take(struct scenario *s, char *const *words, char *message, size_t size)
{
    const char *fingerprint = NULL;
    const struct {
        const char *word;
        const char **value;
    } table[] = { { "helo", &s->helo }, { "from", &s->from }, { "auth", &s->user }, { "cert", &fingerprint } };

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strcmp(words[0], table[i].word) != 0)
            continue;
        if (words[1] == NULL) {
            (void)snprintf(message, size, "'%s' needs a value", words[0]);
            return 0;
        }
        *table[i].value = words[1];
        if (fingerprint == NULL || set_fingerprint(s, fingerprint))
            return 2;
        (void)snprintf(message, size, "'%s' is no SHA-256 fingerprint, expected 64 hexadecimal digits", words[1]);
        return 0;
    }
    (void)snprintf(message, size, "unknown word '%s', expected helo, from, auth, tls, cert or rcpt", words[0]);
    return 0;
}

/* Takes what stands behind rcpt. */
static bool take_recipients(struct scenario *s, char *const *words, char *message, size_t size)
{
    s->recipients = words;
    while (words[s->count] != NULL)
        s->count++;
    if (s->count == 0)
        (void)snprintf(message, size, "'rcpt' needs a value");
    return s->count > 0;
}

bool scenario_parse(struct scenario *scenario, char *const *words, char *message, size_t size)
{
    *scenario = (struct scenario){ .helo = NULL };
    for (char *const *word = words; *word != NULL; word++) {
        const char *why = why_not(*word);

        if (why != NULL) {
            (void)snprintf(message, size, "a word %s", why);
            return false;
        }
    }
    while (*words != NULL && strcmp(*words, "rcpt") != 0) {
        bool tls = strcmp(*words, "tls") == 0;
        size_t taken = tls ? 1 : take(scenario, words, message, size);

        if (taken == 0)
            return false;
        scenario->tls = scenario->tls || tls || scenario->fingerprint[0] != '\0';
        words += taken;
    }
    if (*words != NULL && !take_recipients(scenario, words + 1, message, size))
        return false;
    if (scenario->user != NULL && (scenario->user[0] == '\0' || strlen(scenario->user) > CLIENT_TEXT)) {
        (void)snprintf(message, size, "'%.64s' is no name of a user", scenario->user);
        return false;
    }
    return true;
}

void scenario_apply(const struct scenario *scenario, struct client *client)
{
    if (scenario->tls)
        client_pretend_tls(client);
    memcpy(client->tls.fingerprint, scenario->fingerprint, sizeof client->tls.fingerprint);
    if (scenario->user != NULL)
        (void)snprintf(client->user, sizeof client->user, "%s", scenario->user);
}
