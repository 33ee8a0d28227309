/* starttls.h - the monitor's side of TLS: starts mailrecv-tls and hears what became of it */
#ifndef STARTTLS_H
#define STARTTLS_H

#include "client/client.h"
#include "client/settings.h"

/*
 * One connection is encrypted at most once. mailrecv-tls gets the client's socket, the other end of
 * the session's plain bytes, and open files for certificate and key; it tells by packets whether it is
 * ready, and what the handshake came to.
 */
struct starttls {
    pid_t helper;  /* 0: there is none */
    bool kept;     /* it is no child of ours: the keeper of a listener has forked it (keeper.h) */
    int channel;   /* to the helper */
    bool told;     /* it has said what became of the handshake */
    bool failed;   /* and the log has that it failed: of its end there is nothing more to say */
};

/* Opens certificate and key while we are still root, for later. What fails is said when they are used. */
void starttls_open(const struct client_settings *settings);

/* The files that the helper reads, in the order of its descriptors from 4 on. */
enum starttls_file {
    STARTTLS_CERT,
    STARTTLS_KEY,
    STARTTLS_CLIENT_CA,
    STARTTLS_SECOND_CERT,
    STARTTLS_SECOND_KEY,
    STARTTLS_FILES
};

/* The path of such a file in the configuration, empty if there is none. */
struct slice starttls_path(const struct client_settings *settings, enum starttls_file file);

/*
 * Starts the helper to check these open files (-1: there is none) and whatever else the configuration tells it; what
 * it finds goes to `output`, as mailrecv-tls(8) says under -t. Returns 0 and the process, or an error number.
 */
int starttls_test(const struct client_settings *settings, const int files[STARTTLS_FILES], int output, pid_t *helper);

/*
 * In a process of its own, becomes a helper that waits, with certificate and key loaded, for what is asked for at this
 * socket (keeper.h). Returns only if that fails; the log says why.
 */
void starttls_keep(const struct client_settings *settings, int requests);

/*
 * Starts the helper, or asks the one that waits, on the client's socket and the session's plain bytes, both of which it takes copies
 * of, and waits until it is ready, until the deadline (clock.h) at most. False if it is not; the log says why, and it may be tried again.
 */
bool starttls_start(struct starttls *tls, const struct client_settings *settings, int client, int plain,
                    uint64_t deadline);

enum starttls_status {
    STARTTLS_NONE,    /* nothing is encrypted, or all is known already */
    STARTTLS_SECURE,  /* now it is: `client` says how */
    STARTTLS_FAILED,  /* the handshake has failed, or the helper has died; the log says why */
    STARTTLS_UNKNOWN  /* the handshake is not over: no byte of the client can have arrived */
};

/* Hears, without waiting, what became of the handshake. */
enum starttls_status starttls_learn(struct starttls *tls, struct client *client);

/* When the session has ended: lets the helper send what is left, or ends it at the deadline. What else has befallen it
 * goes to the log, unless `client` is NULL. */
void starttls_end(struct starttls *tls, struct client *client, uint64_t deadline);

#endif
