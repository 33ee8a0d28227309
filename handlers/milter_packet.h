/* milter_packet.h - packets of the milter protocol: writing commands, reading what a milter answers; pure */
#ifndef MILTER_PACKET_H
#define MILTER_PACKET_H

#include <stdint.h>

#include "base/text.h"

/*
 * A packet is a length of four bytes (of what follows it, most significant byte first), a letter, and data (mfdef.h
 * of libmilter).
 */
enum {
    MILTER_VERSION = 6,
    MILTER_OLDEST = 2,
    MILTER_HEAD = 5,       /* bytes before the data */
    MILTER_DATA = 65535,   /* most bytes of data in a command: milters close the connection at more */
    MILTER_ANSWER = 262144 /* most bytes of data in an answer; but a new body may come in a packet of any size */
};

enum milter_command {
    MILTER_CONNECT, MILTER_HELO, MILTER_MAIL, MILTER_RCPT, MILTER_DATA_COMMAND, MILTER_HEADER, MILTER_EOH, MILTER_BODY, MILTER_EOB,
    MILTER_UNKNOWN, MILTER_ABORT, MILTER_QUIT, MILTER_NEGOTIATE,
    MILTER_COMMANDS
};

/* What there is to know of a command. */
struct milter_command_row {
    char letter;
    char stage[10];   /* as the log calls it */
    uint8_t since;    /* the version that has it */
    uint8_t symbols;  /* which list of macros of struct milter_options is its own; MILTER_LISTS: none */
    uint32_t no, mute; /* bits of `steps`: it is not wanted; it is not answered */
};

extern const struct milter_command_row milter_commands[MILTER_COMMANDS];

/* `actions`: what a milter may do. */
enum {
    MILTER_MAY_ADD_FIELDS = 0x1, MILTER_MAY_CHANGE_BODY = 0x2, MILTER_MAY_ADD_RECIPIENTS = 0x4, MILTER_MAY_DELETE_RECIPIENTS = 0x8,
    MILTER_MAY_CHANGE_FIELDS = 0x10, MILTER_MAY_QUARANTINE = 0x20, MILTER_MAY_CHANGE_SENDER = 0x40,
    MILTER_MAY_ADD_WITH_ARGUMENTS = 0x80, MILTER_MAY_SET_SYMBOLS = 0x100,
    MILTER_ACTIONS = 0x1ff
};

/* `steps`: what is not sent to it, what it does not answer, and how; all but RCPT_REJ (0x800) are offered. */
enum { MILTER_TAKES_SKIP = 0x400, MILTER_LEADING_SPACE = 0x100000, MILTER_STEPS = 0x1ff7ff };

enum { MILTER_LISTS = 7, MILTER_SYMBOLS = 1024 };

struct milter_options {
    uint32_t version, actions, steps;
    unsigned listed;                    /* a set of 1 << list: those that came */
    struct slice symbols[MILTER_LISTS]; /* names of macros with blanks between them */
};

/* Changes of a message that a milter asks for, in the order of their letters in milter_packet.c. */
enum milter_change_kind {
    MILTER_ADD_FIELD,        /* name, value: at the end of the header */
    MILTER_CHANGE_FIELD,     /* index (1: the first of that name; 0 like 1), name, value (empty: delete it) */
    MILTER_INSERT_FIELD,     /* index (place in the list of all fields), name, value */
    MILTER_ADD_RECIPIENT,    /* name: the address, with or without brackets; value: arguments, with a NUL between them */
    MILTER_DELETE_RECIPIENT, /* name */
    MILTER_CHANGE_SENDER,    /* name, value: as of MILTER_ADD_RECIPIENT */
    MILTER_QUARANTINE,       /* name: the reason */
    MILTER_REPLACE_BODY,     /* in a list of changes: once, whatever the number of packets */
    MILTER_CHANGES
};

/* As the log calls them: "addheader". */
extern const char *const milter_changes[MILTER_CHANGES];

struct milter_change {
    enum milter_change_kind kind;
    uint32_t index;
    bool as_is;               /* a field: no blank is put between the colon and the value */
    struct slice name, value; /* without NUL, but for the one between arguments */
};

enum milter_word {
    MILTER_CONTINUE, MILTER_ACCEPT, MILTER_REJECT, MILTER_TEMPFAIL, MILTER_DISCARD, MILTER_REPLY, MILTER_SKIP,
    MILTER_PROGRESS, MILTER_CONN_FAIL, MILTER_SHUTDOWN,
    MILTER_CHANGE,  /* `change` */
    MILTER_OPTIONS, /* `options` */
    MILTER_WORDS
};

/* As the log calls them: "accept". */
extern const char *const milter_words[MILTER_WORDS];

/* Slices point into the reader or into the bytes that were fed, and live until either changes. */
struct milter_answer {
    enum milter_word word;
    struct slice text;           /* of MILTER_REPLY: see milter_reply_read. Of MILTER_REPLACE_BODY: a piece of the body */
    struct milter_change change;
    struct milter_options options;
};

enum milter_progress {
    MILTER_MORE,    /* all bytes are taken, and the answer is not complete */
    MILTER_DONE,
    MILTER_NONSENSE /* this is no answer: nothing that comes from there can be believed any more */
};

/* Zeroed, it is at the beginning of a packet. */
struct milter_reader {
    size_t have;              /* bytes of `head` and `data` */
    uint64_t left;            /* bytes of data that are still to come */
    unsigned char head[MILTER_HEAD];
    char data[MILTER_ANSWER];
};

/*
 * Takes bytes up to the end of an answer, or of a piece of a body, of which a packet may give several; `used` says
 * how many.
 */
enum milter_progress milter_answer_feed(struct milter_reader *reader, struct slice bytes, size_t *used,
                                        struct milter_answer *answer);

/* Is it in the middle of a packet? */
static inline bool milter_reader_waits(const struct milter_reader *reader)
{
    return reader->have > 0;
}

/* A reply of a milter: "554 5.7.1 text", perhaps of several lines. */
struct milter_reply {
    unsigned code;       /* 400 to 599 */
    char status[8];      /* the enhanced code behind its class, which is that of the code */
    size_t len;          /* of `text` */
    char text[1024];     /* what stands behind the codes, with LF between the lines; cut when too long */
};

/* Reads it. %% is a percent sign. False: it is no refusal, and nothing else can be said so. */
bool milter_reply_read(struct slice text, struct milter_reply *reply);

/* Is it the name of a header field (RFC 5322 3.6.8)? */
bool milter_is_field_name(struct slice name);

/* Begins a packet; what is put behind it is its data. Returns where it begins, for milter_packet_end. */
size_t milter_packet_begin(struct text *out, char letter);
void milter_packet_end(struct text *out, size_t begin);

/* Puts a string: the bytes, of which none may be NUL, and a NUL. */
void milter_put_string(struct text *out, struct slice string);
void milter_put_number(struct text *out, uint32_t number);

/*
 * Cuts what does not fit into a packet: of the value what stands behind one of its folds, if there is one; and a name
 * that is none.
 */
void milter_field_fit(struct slice *name, struct slice *value);

#endif
