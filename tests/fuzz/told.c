/* told.c - fuzz target: arguments of XCLIENT and XFORWARD; what is accepted is clean, and makes a client that is */
/* Byte 0: bit 0 is XFORWARD. The others are arguments, a line each, that collect. */
#include "session/told.h"

#include <arpa/inet.h>

#include "client/client.h"
#include "fuzz.h"

/* Nothing that could end a log line, a header or an environment variable; a value has a byte at least. */
static void check_text(const struct told *told, enum told_attribute attribute, const char *text, size_t size)
{
    const char *end = memchr(text, '\0', size);

    if (!told_has(told, attribute))
        return;
    HOLDS(end != NULL && end > text);
    for (; *text != '\0'; text++)
        HOLDS((unsigned char)*text >= ' ' && *text != 0x7f);
}

static void check_told(const struct told *told)
{
    HOLDS(told->given != 0 && (told->missing & ~told->given) == 0 && told->given < 1U << TOLD_ATTRIBUTES);
    HOLDS(told->port <= 65535 && told->destport <= 65535);
    check_text(told, TOLD_NAME, told->name, sizeof told->name);
    check_text(told, TOLD_HELO, told->helo, sizeof told->helo);
    check_text(told, TOLD_LOGIN, told->login, sizeof told->login);
    check_text(told, TOLD_IDENT, told->ident, sizeof told->ident);
    HOLDS(!told_has(told, TOLD_NAME) || envelope_host(slice_of(told->name)));
}

/* The address is one, or the word for none; a name is confirmed only where one was given. */
static void check_client(const struct told *told)
{
    unsigned char bytes[16];
    struct client client;

    HOLDS(client_pretend(&client, "203.0.113.9=relay.example") == CLIENT_OK);
    client_from_peer(&client, told);
    HOLDS(client.family == AF_UNSPEC ? strcmp(client.address, "unknown") == 0
                                     : inet_pton(client.family, client.address, bytes) == 1);
    HOLDS(client.family != AF_INET6 || strncmp(client.address, "::ffff:", 7) != 0 || strchr(client.address, '.') == NULL);
    if ((told->given & (1U << TOLD_ADDR | 1U << TOLD_NAME)) != 0)
        HOLDS((client.state == CLIENT_NAME_CONFIRMED) == told_has(told, TOLD_NAME));
    for (const char *c = client.name; *c != '\0'; c++)
        HOLDS(*c > ' ' && *c <= '~' && !(*c >= 'A' && *c <= 'Z'));
    HOLDS(strcmp(client.via, "203.0.113.9") == 0 && strlen(client.user) <= CLIENT_TEXT);
}

void fuzz_told(const uint8_t *data, size_t size)
{
    const enum told_command command = size > 0 && (data[0] & 1) != 0 ? TOLD_XFORWARD : TOLD_XCLIENT;
    struct slice rest = { (const char *)data + 1, size > 0 ? size - 1 : 0 };
    struct told told = { .given = 0 };

    while (rest.len > 0) {
        const char *lf = memchr(rest.text, '\n', rest.len);
        size_t len = lf != NULL ? (size_t)(lf - rest.text) : rest.len;

        if (told_parse((struct slice){ rest.text, len }, command, &told) != TOLD_OK)
            return;
        check_told(&told);
        check_client(&told);
        len += lf != NULL;
        rest = (struct slice){ rest.text + len, rest.len - len };
    }
}
