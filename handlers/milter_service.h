/* milter_service.h - the connection to a milter: opened, written to, heard, closed */
#ifndef MILTER_SERVICE_H
#define MILTER_SERVICE_H

#include "handlers/settings.h"

enum { MILTER_REASON = 512 };

enum milter_hearing { MILTER_HEARD, MILTER_CLOSED, MILTER_LATE, MILTER_STOPPED, MILTER_BROKEN };

/*
 * All of them give a reason, one line, if they do not succeed: MILTER_CLOSED: it has closed the connection, or none
 * could
 * be made; MILTER_LATE: it was not done by `deadline` (clock.h); MILTER_STOPPED: SIGTERM has come; MILTER_BROKEN:
 * nonsense was heard, or a system call has failed.
 */
enum milter_hearing milter_service_open(struct milter *milter, uint64_t deadline, char reason[MILTER_REASON]);
enum milter_hearing milter_service_send(struct milter *milter, struct slice bytes, uint64_t deadline,
                                        char reason[MILTER_REASON]);

/* The next answer, or a piece of a new body. What it points to lives until the next call. */
enum milter_hearing milter_service_hear(struct milter *milter, uint64_t deadline, struct milter_answer *answer,
                                        char reason[MILTER_REASON]);

/* Is there anything from it that nobody has asked for: before it is asked? Behind an answer that was heard? */
bool milter_service_has_spoken(const struct milter *milter);
bool milter_service_has_more(const struct milter *milter);

/* Is it still there, with nothing said that nobody has asked for? */
bool milter_service_is_quiet(const struct milter *milter);

/* Closes the connection; `quit`: it is told so. */
void milter_service_close(struct milter *milter, bool quit);

#endif
