/* log.h - one event, one line: to syslog, a file or standard error */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <syslog.h>

#include "base/slice.h"

/*
 * A line is `DATE MAILRECV[pid]: [CLIENT] EVENT key=value... key="client text"`, to syslog
 * without date and pid. Whoever logs client text passes it through log_encode first and puts
 * it between double quotes behind the fixed facts: then no client can forge a line, a fact or
 * an address. A log that cannot be written never stops the mail: the line goes to syslog. Where the log is syslog and
 * no daemon listens, the lines go to standard error, unless that is the client. Nor does a log that takes nothing for
 * now: a line waits for a quarter of a second, all lines of a session together for one; what was not logged is
 * counted, and said as `log: missing lines=N` when a line is taken again.
 */

/* Bytes that one encoded text may take, the terminator included; what is longer is cut. */
enum { LOG_TEXT = 512 };

/* The debug flags, in the order that the manual lists them. `a` is all of them, `-` none. */
#define LOG_FLAGS "acfFhlrsw+"

/*
 * Opens the log: "syslog", "stderr" or a path (NUL-terminated; opened for appending, created
 * with mode 0640). Where standard error is the client's own connection (xinetd hands it over
 * three times), "stderr" is syslog. Returns false with errno set when a file cannot be opened;
 * lines then go to syslog. May be called again; the former file is closed.
 */
bool log_open(const char *where);

/* Gives a file that log_open has made, being root, to the user who is to write it from now on. False with errno set. */
bool log_give(uid_t uid, gid_t gid);

/*
 * From now on lines of LOG_INFO are kept back, with their times. They are written in front of the next line of another
 * level, when there is no room for more, or by log_release, behind which nothing is kept back; log_drop forgets them.
 */
void log_hold(void);
void log_release(void);
void log_drop(void);

/* The session is over and nobody waits for it: what is said now may wait a moment, whatever was waited before. */
void log_be_patient(void);

/* From now on lines go to syslog as well, if there is a daemon that takes them at once. */
void log_copy_to_syslog(bool on);

/*
 * Does the log's file have this event already, from a minute ago or less, whoever it was about? Looks at the last 256 KB
 * once. False where the log is no file, or one that cannot be read.
 */
bool log_has(const char *event);

/*
 * From now on each event goes to a function and nowhere else, without date, process and client; NULL: to
 * where log_open has said. The text is the function's until it returns.
 */
typedef void log_sink(int level, const char *event);
void log_divert(log_sink *sink);

/* The client's address that stands in brackets on every line; copied, cut at 63 bytes. */
void log_set_client(const char *address);

/*
 * Sets the debug flags from a text such as "csr", "a" or "-". Returns the index of the first
 * character that is no flag, or the length of the text when all are (and only then sets them).
 */
size_t log_set_flags(struct slice flags);

/* Is this debug flag on? */
bool log_wants(char flag);

/* Writes one line. `level` is one of syslog's LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO and
 * LOG_DEBUG; the format makes the event and must be a literal. Longer lines are cut. */
void log_line(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same, only when the flag is on, as `DEBUG flag: ...`. */
void log_debug(char flag, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Encodes a text that a client had a hand in: all but printable ASCII, and quotes, backslash,
 * [ and ], become <0xNN>. Writes at most size bytes (size >= 16) including the terminator,
 * and "..." where it cut. Returns `out`, for use as an argument of log_line.
 */
const char *log_encode(char *out, size_t size, struct slice text);

#endif
