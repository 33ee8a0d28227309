/* milter_talk.h - talking to one milter: negotiation, a command with its macros, and the answer that is waited for */
#ifndef MILTER_TALK_H
#define MILTER_TALK_H

#include "base/text.h"
#include "handlers/milter_macros.h"
#include "handlers/milter_service.h"

/* What is asked with. */
struct milter_context {
    struct handler_settings *settings;
    const struct rules *rules;
    const struct asking *asking;   /* whose mail it is */
    uint64_t deadline;             /* of the session, see clock.h */
    const struct milter_facts *facts;
};

/* Opens the connection and negotiates. */
enum milter_hearing milter_talk_begin(const struct milter_context *context, struct milter *milter,
                                      char reason[MILTER_REASON]);

/* Does the milter want to be told of this command, by what was negotiated, and by what it has answered since? */
bool milter_talk_wants(const struct milter *milter, enum milter_command command);

/* Does it answer that? */
bool milter_talk_is_answered(const struct milter *milter, enum milter_command command);

/*
 * What is to be sent: one buffer, for all milters. milter_talk_put gives the room for a command, behind its macros
 * where it has any;
 * its data are put there, MILTER_DATA bytes at most. Behind milter_talk_seal it is a packet. milter_talk_has_room: is
 * there room for one more?
 */
void milter_talk_put_macros(const struct milter_context *context, const struct milter *milter,
                            enum milter_command command);
struct text *milter_talk_put(const struct milter_context *context, const struct milter *milter,
                             enum milter_command command);
void milter_talk_seal(void);
void milter_talk_drop(void); /* what was put will not be sent */
bool milter_talk_has_room(void);

/* Sends what was put, to a milter that waits for it. */
enum milter_hearing milter_talk_send(const struct milter_context *context, struct milter *milter,
                                     char reason[MILTER_REASON]);

/*
 * Waits for an answer: a final one, or, at the end of a message, a change. Those that only say that it goes on are
 * passed over; each
 * packet renews the time.
 */
enum milter_hearing milter_talk_hear(const struct milter_context *context, struct milter *milter,
                                     enum milter_command command,
                                     struct milter_answer *answer, char reason[MILTER_REASON]);

/* A command without data, whose answer nobody waits for. */
void milter_talk_tell(struct milter *milter, enum milter_command command);

#endif
