/* checks.h - what HELO names, senders and recipients must be like, where the configuration asks for it */
#ifndef CHECKS_H
#define CHECKS_H

#include <signal.h>

#include "client/settings.h"
#include "client/groups.h"

/*
 * The limit.*_syntax_check, limit.*_dns_check and limit.sender_mta_check directives. Each function returns code 0 if there is no objection
 * or the check is off, and does not concern clients in a bypass group. An answer that the DNS does not
 * give makes a 4xx of the refusal. The texts are the configuration's or constant.
 */

/* HELO or EHLO with this name (envelope_helo): its syntax, then whether there is such a host. */
struct reply checks_helo(const struct client_settings *settings, struct groups *groups, struct client *client,
                         struct slice name);

/* MAIL from this address, as the client gave it and in its canonical form; the null reverse-path passes. */
struct reply checks_sender(const struct client_settings *settings, struct groups *groups, struct client *client,
                           const struct address *given, const struct address *sender);

/*
 * The same, when there is no other objection: do the mail hosts of its domain, in its canonical form, answer? Takes half a
 * minute at most, and not beyond `deadline` (clock.h) or SIGTERM. A client has one answer for each domain, and is asked about
 * ten of them; checks_forget_senders begins anew, for another client.
 */
struct reply checks_sender_hosts(const struct client_settings *settings, struct groups *groups, struct client *client,
                                 const struct address *sender, uint64_t deadline, const volatile sig_atomic_t *terminated);
void checks_forget_senders(void);

/* RCPT to this address as the client gave it, before the rules look at it: its syntax. */
struct reply checks_recipient(const struct client_settings *settings, struct groups *groups, struct client *client,
                              const struct address *recipient);

/* The same when only a pattern for recipients has accepted it: its domain, in its canonical form. */
struct reply checks_accepted(const struct client_settings *settings, struct groups *groups, struct client *client,
                             const struct address *recipient);

/* Has any of the checks of HELO, or of MAIL, been asked for? */
bool checks_wants_helo(const struct client_settings *settings);
bool checks_wants_mail(const struct client_settings *settings);

#endif
