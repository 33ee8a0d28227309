/* dnsbl.h - lists of hosts in the DNS (RFC 5782): is the client on one, and what follows */
#ifndef DNSBL_H
#define DNSBL_H

#include "client/client.h"
#include "dns/wire.h"
#include "session/reply.h"

enum list_verdict {
    LIST_UNASKED,
    LIST_NO,
    LIST_YES,
    LIST_UNSURE /* no answer, or one that is an error: says nothing about the client */
};

/* What the octets of an answer may be for the client to be listed: low[i] to high[i]. */
struct list_filter {
    unsigned char low[4], high[4];
};

/* One dnsbl or dnswl line. */
struct host_list {
    struct host_list *next;
    struct slice zone;  /* what is asked; it may hold the key of a customer, and is told to nobody */
    struct slice name;  /* what clients, commands and the log are told of it */
    struct list_filter filter;
    bool filtered;      /* the line has one; if not, all of 127.0.0.0/8 counts */
    bool allows;        /* dnswl: its hosts are not refused by dnsbl */
    unsigned line;
    struct reply reply; /* of dnsbl; code 0: being listed is only logged and told */
    enum list_verdict verdict;
    unsigned char answer[4]; /* what made the verdict; 0.0.0.0 when there was none */
};

/*
 * The part of a zone that may be told: what is behind the last label that looks like a key, 16 characters or more, or 8
 * with a digit among them. The last two labels are always told.
 */
struct slice list_public_part(struct slice zone);

/*
 * What one answer for an entry of a list says: LIST_NO if there is none or the filter does not know it. An address
 * in 127.255.255.0/24 is an error of whoever asks (a public resolver, too many questions), one outside of
 * 127.0.0.0/8 no entry of a list (a zone that somebody else has bought): both are LIST_UNSURE.
 */
enum list_verdict list_read(const struct list_filter *filter, const struct answer *answer, unsigned char which[4]);

/* Sends the questions about a client, and does not wait. */
void dnsbl_send(const struct host_list *lists, const struct client *client);

/*
 * Asks all lists about a client. Code 0, or the reply of the first dnsbl line that refuses it, with the reason that
 * the list gives as detail, which lives until the next call. Where it is not known whether
 * a dnswl line allows the client, the refusal is a 4xx.
 */
struct reply dnsbl_check(struct host_list *lists, const struct client *client);

/* Another client comes: what the lists have said of the last one is forgotten. */
void dnsbl_forget(struct host_list *lists);

/* Logs on which lists the client is, and which ones have said nothing. */
void dnsbl_log(const struct host_list *lists);

#endif
