/* options.h - the command line: what is to be done, and with what */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "admin/scenario.h"
#include "client/client.h"
#include "listener/sockets.h"

struct options {
    const char *conf, *flags, *log, *pretend, *replay, *user, *alive;
    const char *clear, *lock, *lock_secs; /* -S: an address, or NULL */
    bool test, rehearse, explain, show, json, version, help;
    char **words;             /* behind the options, NULL: none */
    const char *listen[SOCKETS_MOST]; /* -L */
    size_t listen_count;
    size_t numbers;           /* how many of them are numbers of messages */
    struct scenario scenario; /* what they say */
};

/* Takes the command line apart; -V and -h, and what is wrong with it, end the program. */
void options_parse(int argc, char **argv, struct options *options);

/* What can be wrong with the values of options, found before anything else is done; that of -P becomes the client. */
void options_check(struct options *options, struct client *client);

/* Is this for a client, and not for a person who tries something? */
bool options_in_service(const struct options *options);

/* Says what is wrong with the command line where whoever typed it sees it, never to a client, and ends the program. */
void options_die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* The exit status of what has printed something. */
int options_output_status(void);

#endif
