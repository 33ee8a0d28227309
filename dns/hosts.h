/* hosts.h - hosts(5): its lines of addresses and names; pure */
#ifndef HOSTS_H
#define HOSTS_H

#include "base/slice.h"

/* One line: an address and the names that it has, the canonical one first. The slice points into the text. */
struct host {
    int family;              /* AF_INET, AF_INET6 */
    unsigned char bytes[16]; /* of the address; AF_INET: the first 4 */
    struct slice names;      /* for hosts_name */
};

/*
 * Takes the next line that has an address and a name off the text, as the C library reads it: blanks are what
 * isspace(3) says, # begins a comment, an IPv4 address in IPv6 notation (::ffff:192.0.2.1) is one of IPv4, and a line
 * with anything else in the place of the address, a scope (fe80::1%eth0) included, says nothing. False at the end.
 */
bool hosts_next(struct slice *text, struct host *host);

/* Takes the next name off those of a line, without a dot at its end; it is empty when none is left. */
struct slice hosts_name(struct slice *names);

#endif
