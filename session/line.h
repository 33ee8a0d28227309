/* line.h - bytes to lines and back, with length limit and deadline */
#ifndef LINE_H
#define LINE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

enum {
    LINE_MAX_COMMAND = 2048, /* bytes of one command line, its end included */
    LINE_IN = 65536,
    LINE_OUT = 4096,
    LINE_BEGINNING = 4, /* bytes of a line that is too long */
    LINE_PROXY_SIGNATURE = 12 /* bytes that begin a PROXY header of version 2 (client/proxy.h) */
};

extern const char line_proxy_signature[LINE_PROXY_SIGNATURE];

/* What ends a line, decided by the first line of the connection (see line_read). */
enum line_ending { LINE_UNDECIDED, LINE_CRLF, LINE_LF };

enum line_status {
    LINE_OK,
    LINE_TOO_LONG,     /* read to its end and dropped, but for its first bytes */
    LINE_BARE_LF,      /* a complete line with a lone LF in it */
    LINE_FIRST_BARE,   /* the first line ended in a lone LF and that is not allowed */
    LINE_NOT_SMTP,     /* the first byte begins a TLS handshake */
    LINE_PROXY,        /* the first bytes are those of a PROXY header, version 2 */
    LINE_EOF,          /* the client closed; an unfinished line is dropped */
    LINE_IDLE,         /* nothing (more) came for idle_ms */
    LINE_DEADLINE,     /* the session's deadline has passed */
    LINE_TERMINATED,   /* SIGTERM has arrived */
    LINE_BROKEN        /* the connection failed, or the client does not read */
};

/*
 * One connection. Output is collected and leaves just before a read would block, and nowhere
 * else, so that a pipelined group of commands is answered in one packet. After a failure the
 * connection stays failed: further output is dropped, further reads return the failure.
 */
struct line_io {
    int in, out;
    bool socket;             /* both are one socket: send(2) without SIGPIPE and without blocking */
    bool lf_sessions;        /* a first line that ends in LF makes this an LF session */
    enum line_ending ending;
    enum line_status failed; /* LINE_OK, or what every further call returns */
    bool pipelined;          /* the last line had already arrived when its forerunner was read */
    uint64_t deadline;       /* of the whole session, see clock.h */
    uint64_t idle_ms;        /* longest single wait */
    size_t start, end;       /* unread bytes in in_buf */
    size_t out_len;
    bool watched, heeded;    /* line_watch was called; the client has shown since that it has had all output */
    char beginning[LINE_BEGINNING]; /* of a line that is too long */
    bool ahead;              /* the first byte of the next output has left already */
    void (*before_wait)(struct line_io *io); /* called when more input is wanted, and output has left; NULL: nobody */
    char out_buf[LINE_OUT];
    char in_buf[LINE_IN];
};

/*
 * Prepares a connection. SIGTERM must be blocked by the caller; it is let in only while waiting,
 * so that it never interrupts a delivery, and `terminated` is the flag that its handler sets.
 * deadline and idle_ms may be changed at any time afterwards.
 */
void line_init(struct line_io *io, int in, int out, const volatile sig_atomic_t *terminated);

/*
 * Reads one line without its end. On LINE_OK and LINE_BARE_LF `line` points into the input
 * buffer until the next call; on LINE_TOO_LONG it is the first LINE_BEGINNING bytes. The first LF of a connection decides how lines end: behind CR,
 * only CRLF ends a line; alone, LF does and CRLF too, if lf_sessions allows it.
 * The wait for a whole line is limited by idle_ms.
 */
enum line_status line_read(struct line_io *io, struct slice *line);

/*
 * Gives the unread bytes of the input (at least one), waiting up to idle_ms for them.
 * They stay unread until line_consume takes `len` of them.
 */
enum line_status line_bytes(struct line_io *io, struct slice *bytes);
void line_consume(struct line_io *io, size_t len);

/*
 * Takes at least one byte of the input, and at most `size`, to `bytes`; waits for them as line_bytes does. What was not
 * read yet is not copied on its way. `len` says how many there are.
 */
enum line_status line_take(struct line_io *io, char *bytes, size_t size, size_t *len);

/* Is there anything that the client has sent and that was not read, here or in the kernel? */
bool line_pending(const struct line_io *io);

/*
 * From now on the client is on `fd`, a stream socket, which takes the place of the descriptors and
 * is closed: output leaves the old way first, and nothing that was read is left. False with errno
 * set if that fails; the connection is of no use then.
 */
bool line_switch(struct line_io *io, int fd);

/* Overwrites a line that line_read has given, because it is a secret. */
void line_wipe(struct line_io *io, struct slice line);

/* Collects output; writes when the buffer is full, with the same limits as a read. */
void line_put(struct line_io *io, const char *bytes, size_t len);

/* Sends what was collected. LINE_OK, or why not. */
enum line_status line_flush(struct line_io *io);

/*
 * From now on, until line_forget, finds out whether the client has had what is put next: it has when it sends something
 * that was not on its way before all output was sent, and when all of that is with it or with its kernel. Then
 * io->heeded is set.
 */
void line_watch(struct line_io *io);
void line_forget(struct line_io *io);

/*
 * Sends what was collected and waits, `wait_ms` at most, until the client has ended the connection in order, having had
 * all of it; whether that is so is said in io->heeded. Behind TLS (`relayed`) our direction stays open meanwhile. To be
 * called before line_close, of a session that is watched.
 */
void line_await_end(struct line_io *io, uint64_t wait_ms, bool relayed);

/*
 * Sends what was collected, and then does nothing for so many milliseconds: until the deadline at most, and no longer
 * than the client could read a reply and SIGTERM has not arrived. A client that has closed its direction still reads.
 * To find out whether it is there, over TCP it has to be sent something: `next`, the first byte of what will be put
 * next.
 */
void line_pause(struct line_io *io, uint64_t ms, char next);

/*
 * The end of a connection: flushes, closes our direction and reads what the client is still
 * sending, for `wait_ms` at most, since closing with unread input would destroy the last reply.
 */
void line_close(struct line_io *io, uint64_t wait_ms);

#endif
