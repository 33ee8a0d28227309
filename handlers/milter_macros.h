/* milter_macros.h - macros that a milter is told before a command: a table, each row with the function that writes its value; pure */
#ifndef MILTER_MACROS_H
#define MILTER_MACROS_H

#include "client/client.h"
#include "handlers/settings.h"
#include "rules.h"

/* What is known of a session and its message. */
struct milter_facts {
    struct client *client;
    unsigned helo_number;            /* another one for each HELO that was accepted */
    const char *helo;                /* "" where nothing was said */
    struct slice domain;             /* ours */
    const struct address *sender;    /* NULL: none was named yet */
    struct slice parameters;         /* of MAIL, as the client gave them */
    const struct recipient *recipient; /* that is asked about; else NULL */
    struct slice next_mailer;        /* and what takes its mail: local, lmtp, smtp */
    struct slice verb;               /* of a line that is no command */
    const char *id;                  /* of the message, "": it has none yet */
    time_t received;                 /* since when */
    struct slice message_id;         /* the value of its Message-ID: field, without blanks around it; only at its end */
};

enum { MILTER_MACRO_BYTES = 32768 }; /* most bytes of a packet of macros: MILTER_OWN_MACROS, and what is known of a message */

/*
 * Puts the packet of macros that stands before a command: those that the milter has asked for, if it has asked, else
 * those that Sendmail and Postfix send at this stage, as far as they have a value; and those of milter.macros. There is
 * one at least, for a milter does not heed an empty packet. Nothing is put for commands that have none.
 */
void milter_macros_put(const struct handler_settings *settings, const struct milter *milter,
                       const struct milter_facts *facts, enum milter_command command, struct text *out);

#endif
