/* milter_verdict.h - what becomes of an answer of a milter, and of one that cannot be had */
#ifndef MILTER_VERDICT_H
#define MILTER_VERDICT_H

#include "handlers/milter_talk.h"

/* One command to one milter. */
struct milter_turn {
    const struct milter_context *context;
    struct milter *milter;
    enum milter_command command;
};

/*
 * Sends the packet that was put, and hears the answer, if there will be one. Code 0: the milter, or its failure, does
 * not stand in
 * the way of what comes next; what it wants to hear of is in its connection. Else a refusal, which lives as long as
 * the milter has said nothing
 * else. With `gathers`, what is not answered may stay in the buffer of milter_talk.h.
 */
struct reply milter_exchange(const struct milter_turn *turn, bool gathers);

/* What an answer that is no change comes to. */
struct reply milter_verdict(const struct milter_turn *turn, const struct milter_answer *answer);

/* The milter cannot be asked: logs it, closes the connection; what it comes to is said by milter.failure. */
struct reply milter_fail(const struct milter_turn *turn, enum milter_hearing hearing, const char *reason);

/* The same for what comes behind that, in the same message. */
struct reply milter_failed(const struct milter_turn *turn);

/* What it has refused by an answer before. */
struct reply milter_refuse_again(const struct milter_turn *turn);

/* For whoever asks why (-x). */
void milter_show(const struct milter_turn *turn, const char *what);

/* A change that is made: `text` of its line says what. */
void milter_log_change(const struct milter_turn *turn, const struct milter_change *change);

/* Has one of them said that the message is to be thrown away? Until milter_verdict_forget. */
const struct milter *milter_discards(void);
void milter_verdict_forget(void);

#endif
