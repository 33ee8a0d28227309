/* total.h - what is counted as one number */
#ifndef TOTAL_H
#define TOTAL_H

enum total {
    TOTAL_SESSIONS, TOTAL_TLS, TOTAL_LOGINS, TOTAL_MESSAGES,
    TOTAL_DELIVERED, TOTAL_ALREADY, TOTAL_DEFERRED, TOTAL_REFUSED,
    TOTAL_REFUSALS, TOTAL_LOCKS, TOTAL_LINES, TOTAL_IGNORED, TOTALS
};

/* Up to this one they are also counted for each host. */
enum { TOTALS_OF_SERVER = TOTAL_LINES };

#endif
