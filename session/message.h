/* message.h - the lines after DATA, or the octets after BDAT, to the spool */
#ifndef MESSAGE_H
#define MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

enum {
    SPOOL_MEMORY = 131072, /* bytes that a message may have before it needs a file */
    SPOOL_PIECE = 65536,   /* of a file, written at multiples of it: the kernel caches that in one piece, too */
    MESSAGE_FLOOD = 10     /* times the size limit at which a client is dropped */
};

/*
 * A message on its way: in memory while it is small, otherwise all of it in a file without a
 * name. It holds what the sender sent, dots removed, with LF for CRLF, and nothing of ours.
 */
struct spool {
    char *memory;     /* SPOOL_MEMORY bytes, given by the owner; write buffer of the file */
    size_t used;      /* bytes in memory */
    int fd;           /* -1: all of it is in memory */
    uint64_t start;   /* where in the file the message begins, behind what is not its own */
    uint64_t size;    /* bytes of the message */
    struct slice head; /* of them those in front of what is in memory or file; empty but where milters have changed the header */
};

/*
 * Opens the file for a spool that outgrows its memory: a descriptor, or -1 with errno set. Says in *start how many
 * bytes are in the file already, which are left alone.
 */
typedef int spool_open(void *context, uint64_t *start);

enum message_status {
    MESSAGE_MORE, /* the end has not come yet */
    MESSAGE_END,  /* it has */
    MESSAGE_OVER  /* the client goes on far beyond the limit: drop it */
};

/* Where the reader of a message stands; the names say what the last bytes were. */
enum message_state { AT_LINE_START, AFTER_DOT, AFTER_DOT_CR, IN_LINE, AFTER_CR };

struct message {
    struct spool *spool;
    spool_open *open;
    void *open_context;
    uint64_t limit;     /* bytes as received: CRLF counts two, added dots and the end none */
    uint64_t received;
    bool lf_session;    /* LF ends lines, and LF.LF the message */
    bool strict;        /* among octets a lone LF is looked for, too; to be set behind message_begin */
    enum message_state state;
    bool too_large;     /* beyond the limit; nothing more is stored */
    enum { NO_DOT, AFTER_LF, LF_DOT, LF_DOT_CR } dot; /* how much of a dot behind a lone LF was seen */
    bool bare_dot;      /* a line of a dot alone was no end, since a lone LF ends it or the line before */
    bool bare_newline;  /* a lone LF or CR was seen; before message_finish maybe not yet */
    bool in_body;       /* the empty line behind the header was seen */
    size_t field;       /* bytes of the current header line that are those of "Received:" */
    unsigned hops;      /* Received: lines in the header (RFC 5321 6.3) */
    int error;          /* errno of a failed spool, 0 while all is well */
};

/* Begins to read a message into a spool, which is emptied. */
void message_begin(struct message *message, struct spool *spool, uint64_t limit, bool lf_session,
                   spool_open *open, void *context);

/*
 * Takes bytes of the client up to the end of the message (RFC 5321 4.1.1.4 and 4.5.2). Only
 * CRLF.CRLF is an end, in LF sessions also LF.LF and the mixtures. `used` says how many bytes
 * were taken: on MESSAGE_MORE all. The dot of a stuffed line is removed, a lone CR and NUL are
 * kept, a lone LF becomes a line end that cannot end the message.
 */
enum message_status message_feed(struct message *message, struct slice bytes, size_t *used);

/*
 * The other way in, for octets that are counted and end nothing (RFC 3030 2). They are put where message_room says, at
 * most `size` of them, which is not 0, and message_take takes one or more from there. What is kept is the same as of
 * lines: LF for CRLF, a lone LF as the end of a line, a lone CR and NUL as they are; no dot is removed. The caller
 * does not go beyond the limit.
 */
char *message_room(struct message *message, size_t *size);
void message_take(struct message *message, size_t len);

/* Behind the last octets: they are a whole line then, which has one byte more if its end was missing. */
void message_close(struct message *message);

/* After the end: writes what the file still lacks. Sets message->error on failure. */
void message_finish(struct message *message);

/*
 * Makes a file without a name in a directory, mode 0600, open for reading and writing and closed
 * by exec. Returns its descriptor, or -1 with errno set.
 */
int spool_file(struct slice directory);

/* Opens such a file once more, for reading only. -1 with errno set, as where there is no /proc. */
int spool_reader(int fd);

/* Can nobody write to the file of this descriptor any more? Only where it was opened for reading this can be told. */
bool spool_is_final(int fd);

/* Writes all of the bytes, however many calls it takes. Returns 0, or errno. */
int write_all(int fd, const char *bytes, size_t len);

/* Empties a spool; closes its file. */
void spool_clear(struct spool *spool);

/*
 * A piece of the message from `offset` on, at most `size` bytes of it; from a file it is read
 * into `buffer`. Empty at the end; .text is NULL when reading failed, with errno set.
 */
struct slice spool_piece(const struct spool *spool, uint64_t offset, char *buffer, size_t size);

/*
 * What is before `offset` will not be read again: a file gives it back to the system, whose memory then need not hold
 * a large message twice. Where that cannot be done nothing is changed.
 */
void spool_forget(const struct spool *spool, uint64_t offset);

#endif
