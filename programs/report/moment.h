/* moment.h - days and moments: those of the clock, and those at the beginning of a line of a log */
#ifndef MOMENT_H
#define MOMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/* Days are numbers like 20261121, moments like 20261121235958: local time, as the line says it. */

/* Is there such a day, as 20261121, in the calendar? */
bool moment_is_day(unsigned day);

/* The day of the clock plus `days` (of either sign), in local time; 0 if there is no clock. */
unsigned moment_day(int days);

/*
 * Takes date and, behind syslog's, the host's name, or what stands there, as files, syslogs (RFC 3164, RFC 5424, ISO)
 * and journald write them; the name is `host`, which stays as it is if there is none. A date without a year is the last
 * such day up to `tomorrow`. 0: that is not what stands here.
 */
uint64_t moment_take(struct slice *line, unsigned tomorrow, struct slice *host);

#endif
