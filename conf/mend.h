/* mend.h - what was meant by an expression: tried, before it is said, on what it must and must not match */
#ifndef MEND_H
#define MEND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"
#include "patterns/regex_lint.h"

enum { MEND_MAX = 512 }; /* bytes of an expression that is advised, with its NUL */

enum mend {
    MEND_NOTHING, /* nothing of the kind */
    MEND_VAGUE,   /* of the kind, but nothing passed: say it in words */
    MEND_FOUND    /* `out` is what to write */
};

/*
 * Is it a network, a range or an address, as other programs have them or as a beginning: 192.0.2.0/255.255.255.0,
 * ^10\.0\.0\.0/8, 192.168.1.*, 192.168.1., 192.0.2.1-20, 192.0.2.1, 2001:DB8::0001? `out` is the network, or several with
 * blanks between them. An expression that matches just that is none of them.
 */
enum mend mend_network(struct slice text, char out[MEND_MAX]);

/* Is it a pattern of the shell, such as *.example.com or bounce-*@example.com? */
enum mend mend_glob(struct slice text, enum regex_subject subject, char out[MEND_MAX]);

/* What goes wrong in a class or in braces. */
enum slip {
    SLIP_NONE,
    SLIP_CASES,        /* [A-z] */
    SLIP_NUMBER,       /* [0-255] */
    SLIP_ALTERNATIVES, /* [com|net] */
    SLIP_BRACES        /* {1-3} */
};

/* Finds the first slip from *at on, which becomes its offset; MEND_FOUND: `out` is the whole expression without it. */
enum slip mend_slip(struct slice pattern, size_t *at, enum mend *mend, char out[MEND_MAX]);

/*
 * An expression that matches more than it seems to (regex_lint.h), with its ends closed and its dots escaped. It was tried
 * on texts that both must match, and on longer and other ones that only the first one does.
 */
enum mend mend_loose(struct slice pattern, enum regex_subject subject, char out[MEND_MAX]);

/* ---- for the files of these functions ---- */

/* Does the expression compile, and match this text? */
bool mend_matches(struct slice expression, struct slice text, bool utf);

/* Ends the text that was put together in `out`; false: it was cut. */
bool mend_finish(const struct text *text, char out[MEND_MAX]);

#endif
