/* said.h - the reply that a delivery command asks for: what its last line of output begins with; pure */
#ifndef SAID_H
#define SAID_H

#include "base/slice.h"

/* "450 4.2.2 Over quota", "450 Over quota", "4.2.2 Over quota" */
struct said {
    unsigned code;       /* 250, or 400 to 599; of the class's own code where the line has none; 0: the line is no reply */
    struct slice status; /* behind the class, "2.2"; empty: there is none */
    struct slice text;   /* what follows */
};

/*
 * Reads a line, without its end, as a reply code (RFC 5321 4.2.1), an enhanced status code (RFC 3463 2), or both, of one
 * class, and a blank or the end behind them. The class is 2, 4 or 5; of class 2 a message has only 250. The slices
 * point into the line.
 */
struct said said_read(struct slice line);

#endif
