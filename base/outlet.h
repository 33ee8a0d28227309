/* outlet.h - where log lines go: a file, a pipe, a socket, the syslog daemon; none holds anybody up for long */
#ifndef OUTLET_H
#define OUTLET_H

#include <stdbool.h>
#include <stddef.h>

/*
 * All writes are tried without waiting, whatever the descriptor's own flags say, since other processes may share
 * them. Only a file on a disk can make us wait as the disk does.
 */
enum outlet_kind {
    OUTLET_FILE,
    OUTLET_PIPE,   /* and what else is no file and no socket: a FIFO, a terminal */
    OUTLET_SOCKET
};

struct outlet {
    int fd;                /* -1: closed */
    enum outlet_kind kind;
    char end;              /* stands behind each line; '\0' is for streams only */
    bool datagrams;        /* each line is one, and needs no end */
    bool torn;             /* the last line was not taken whole */
};

/* An outlet before it is opened; closing it is no error. */
#define OUTLET_CLOSED { .fd = -1 }

/* Makes an outlet of a descriptor, which stays the caller's until outlet_close. Lines end in a line feed. */
void outlet_take(struct outlet *outlet, int fd);

/* Connects to the syslog daemon at /dev/log, by datagrams or, if it wants that, a stream. False with errno set. */
bool outlet_connect_syslog(struct outlet *outlet);

void outlet_close(struct outlet *outlet);

/*
 * Writes a line, given without its end. The bytes text[-1] and text[len] must be the outlet's to change. While there
 * is no room it waits for *patience milliseconds at most, and takes off what it has waited. Returns false with errno
 * set if the line was not taken: EAGAIN if there was no room in time; all else says that the outlet is broken. Of a
 * line that was taken in part the rest is lost; the next one begins behind an end of line.
 */
bool outlet_write(struct outlet *outlet, char *text, size_t len, int *patience);

#endif
