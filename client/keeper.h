/* keeper.h - the monitor's side of a mailrecv-tls that waits, with certificate and key loaded, for the sessions of a listener */
#ifndef CLIENT_KEEPER_H
#define CLIENT_KEEPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* From here on this process, and those that it forks, ask at this socket; -1: there is none. It closes what was there before. */
void keeper_use(int requests);

enum keeper_answer {
    KEEPER_NONE,  /* nobody serves the connection: the keeper has ended, or does not answer */
    KEEPER_READY, /* a process is ready to, at the other end of the channel */
    KEEPER_LATE   /* one was, too late: it may have read from the client */
};

/*
 * Asks, once in the life of this process, for a process that serves the client, with the session's plain bytes and that
 * end of the channel, of which it gets copies; hears whether it is ready at `channel`. It is not our child. The deadline
 * is as in clock.h.
 */
enum keeper_answer keeper_ask(int client, int plain, int end, int channel, uint64_t deadline, pid_t *helper);

/* Waits for its end, as process_wait (process.h) does; false if it had to be ended. */
bool keeper_wait(pid_t helper, int channel, uint64_t deadline);

#endif
