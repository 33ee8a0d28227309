/* auth.h - whether a password is right: asks a checkpassword program; and whose addresses a user has */
#ifndef AUTH_H
#define AUTH_H

#include "client/settings.h"
#include "session/envelope.h"

enum auth_result {
    AUTH_YES,
    AUTH_NO,     /* wrong password or no such user, nobody is told which; or not this sender */
    AUTH_BROKEN  /* no answer is possible now; the log says why */
};

/* Opens the users file while we are still root, for later. What fails is said when it is used. */
void auth_open(const struct client_settings *settings);

/*
 * Asks auth.command, or our own mailrecv-checkpassword about auth.users, which may be a table: both speak the checkpassword
 * interface (name, password and timestamp on descriptor 3; exit status 0 is yes, 1 no). The program
 * ends by the deadline (clock.h). Name and password must hold no NUL; copies of them are wiped.
 */
enum auth_result auth_check(const struct client_settings *settings, struct slice user, struct slice password,
                            uint64_t deadline);

/*
 * May this user send as this reverse-path, which is canonical? As the address that is their name, as what auth.senders
 * lists for them (`name: address @domain ...`), and as <>.
 */
enum auth_result auth_may_send(const struct client_settings *settings, const char *user, const struct address *sender);

#endif
