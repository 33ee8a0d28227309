/* punycode.h - domains in UTF-8 as the DNS has them (RFC 3492, RFC 5890); pure */
#ifndef PUNYCODE_H
#define PUNYCODE_H

#include "envelope.h"

/*
 * Writes a domain (envelope_domain) with its UTF-8 labels as A-labels: a U-label is what IDNA2008 lets be
 * registered, so nothing is mapped or normalised, and what is no U-label becomes a name that nobody
 * can have. Other labels stay as they are. False if it would be too long, or an A-label longer than 63 bytes.
 */
bool punycode_domain(struct slice domain, char out[DOMAIN_MAX + 1]);

#endif
