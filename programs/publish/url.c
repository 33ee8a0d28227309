/* url.c - where a broker is: amqp://HOST[:PORT][,HOST...][/VHOST], amqps://, nats://, tls:// */
#include "programs/publish/url.h"

#include <string.h>

#include "base/slice.h"
#include "base/text.h"

/* The port behind a host, all of the text. False: it is none. */
static bool parse_port(struct slice text, int *port)
{
    *port = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.text[i] < '0' || text.text[i] > '9' || *port > 6553)
            return false;
        *port = *port * 10 + (text.text[i] - '0');
    }
    return *port > 0 && *port <= 65535;
}

static bool is_host(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.text[i] <= ' ' || text.text[i] >= '\x7f' || strchr("[]?#%\\\"<>", text.text[i]) != NULL)
            return false;
    return text.len > 0 && text.len < URL_NAME;
}

/* HOST, HOST:PORT, [ADDRESS] or [ADDRESS]:PORT. */
static const char *parse_place(struct place *place, struct slice text, int port)
{
    bool literal = text.len > 0 && text.text[0] == '[';
    const char *end = memchr(text.text, literal ? ']' : ':', text.len);
    size_t len = end != NULL ? (size_t)(end - text.text) : text.len, behind = len + (literal && end != NULL);
    struct slice host = { text.text + literal, len - literal };

    if (!is_host(host) || (literal && end == NULL))
        return "expected a host, or an address of IPv6 in brackets";
    text_string(place->host, sizeof place->host, host);
    place->port = port;
    if (behind == text.len)
        return NULL;
    if (text.text[behind] != ':' ||
        !parse_port((struct slice){ text.text + behind + 1, text.len - behind - 1 }, &place->port))
        return "expected a port from 1 to 65535 behind the host";
    return NULL;
}

/* With %XX decoded. */
static const char *parse_path(char path[URL_NAME], const char *text)
{
    size_t len = 0;

    for (; *text != '\0'; text++) {
        int byte = (unsigned char)*text;

        if (byte == '%') {
            byte = slice_hex_byte(slice_of(text + 1));
            text += 2;
        } else if (byte == '/' || byte == '?' || byte == '#') {
            return "expected %2F, %3F and %23 for these characters in a virtual host";
        }
        if (byte <= 0)
            return "expected two hexadecimal digits behind %, and not 00";
        if (len == URL_NAME - 1)
            return "expected a virtual host of at most 255 bytes";
        path[len++] = (char)byte;
    }
    path[len] = '\0';
    return NULL;
}

const char *url_parse(struct url *url, const char *text, const struct url_scheme *schemes, size_t count)
{
    const struct url_scheme *scheme = schemes;
    const char *slash, *wrong = NULL;

    while (scheme < schemes + count && strncmp(text, scheme->name, strlen(scheme->name)) != 0)
        scheme++;
    if (scheme == schemes + count)
        return "expected amqp://, amqps://, nats:// or tls://";
    text += strlen(scheme->name);
    slash = text + strcspn(text, "/");
    if (memchr(text, '@', (size_t)(slash - text)) != NULL)
        return "expected no user and password, which all users of this host could see: option -a names a file";
    url->scheme = (size_t)(scheme - schemes);
    url->count = 0;
    do {
        size_t len = strcspn(text, ",/");

        if (url->count == URL_PLACES)
            return "expected at most 16 hosts";
        wrong = parse_place(&url->places[url->count++], (struct slice){ text, len }, scheme->port);
        text += len + (text[len] == ',');
    } while (wrong == NULL && (text < slash || text[-1] == ','));
    if (wrong != NULL)
        return wrong;
    if (!scheme->has_path && slash[0] == '/' && slash[1] != '\0')
        return "expected nothing behind the hosts";
    return parse_path(url->path, slash + (*slash == '/'));
}
