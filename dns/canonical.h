/* canonical.h - one form for every address and domain, however they are written */
#ifndef CANONICAL_H
#define CANONICAL_H

#include "session/envelope.h"

/*
 * An address can be written in many ways: with quotes or without (RFC 5321 4.1.2), its domain with U-labels or A-labels
 * (RFC 5890), with a dot at its end. Whatever is compared is compared in its canonical form:
 *   local part   without quotes where it can be without, else with no backslash that is not needed; if it holds
 *                characters outside ASCII, in small letters and composed (NFC)
 *   domain       A-labels (IDNA2008, with the mapping of UTS 46, not transitional), no dot at its end; an IPv6 literal
 *                in the shortest form (RFC 5952)
 * Letters of ASCII keep their case, and are compared without regard to it (slice_equal_nocase).
 *
 * For what is outside ASCII libidn2 is loaded when it is first met; nothing else needs it. What strangers have
 * written is given to it in a process of its own that can do nothing but answer, and whose answer is checked.
 */
enum canonical_status {
    CANONICAL_OK,
    CANONICAL_FORBIDDEN, /* nothing can be called so: canonical_trouble */
    CANONICAL_UNKNOWN    /* it cannot be found out now; canonical_trouble, and the log, say why */
};

enum canonical_words { WORDS_OURS /* of the configuration or the command line */, WORDS_OF_STRANGERS };

/* Is there a process of its own for the words of strangers? There is none before this is called. */
void canonical_confine(bool confine);

/* Of an address that was parsed by envelope.h; it may be the null reverse-path, or a bare postmaster. */
enum canonical_status canonical_address(const struct address *given, enum canonical_words whose,
                                        struct address *canonical);

/* Of a domain, with or without a dot at its end, or an address literal; what is neither is forbidden. */
enum canonical_status canonical_domain(struct slice domain, enum canonical_words whose, char out[DOMAIN_MAX + 1]);

/* Writes a canonical domain with its A-labels as U-labels. False if it has none, or none that is a U-label. */
bool canonical_unicode(struct slice domain, enum canonical_words whose, char out[DOMAIN_MAX + 1]);

/* Why the last answer was not CANONICAL_OK, as part of a sentence; lives until the next question. */
const char *canonical_trouble(void);

#endif
