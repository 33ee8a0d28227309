/* url.h - where a broker is: amqp://HOST[:PORT][,HOST...][/VHOST], amqps://, nats://, tls:// */
#ifndef URL_H
#define URL_H

#include <stdbool.h>
#include <stddef.h>

enum {
    URL_PLACES = 16,
    URL_NAME = 256 /* of a host or a virtual host, with NUL */
};

struct place {
    char host[URL_NAME]; /* an IPv6 address without brackets */
    int port;
};

struct url {
    size_t scheme; /* which of the schemes that the caller has */
    struct place places[URL_PLACES];
    size_t count;
    char path[URL_NAME]; /* what follows the hosts and a slash, decoded; empty: nothing */
};

struct url_scheme {
    const char *name; /* with :// */
    int port;         /* where none is said */
    bool has_path;
};

/* Reads it. NULL, or what is wrong with it. */
const char *url_parse(struct url *url, const char *text, const struct url_scheme *schemes, size_t count);

#endif
