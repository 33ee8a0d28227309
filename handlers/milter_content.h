/* milter_content.h - the end of a message: one milter is shown its header and its body, and says what it wants changed */
#ifndef MILTER_CONTENT_H
#define MILTER_CONTENT_H

#include "handlers/milter_verdict.h"

enum { MILTER_MOST_CHANGES = 2000 }; /* of one milter in one message */

/* What it wants changed, in its order; until the next milter is shown a message. Only where it has accepted that. */
struct milter_wishes {
    const struct milter_change *changes;
    size_t count;
};

/*
 * Does the milter want to hear more of the message? If not, it has still to be asked whether its failure stands in
 * the way.
 */
bool milter_content_is_wanted(const struct milter *milter);

/*
 * Shows it the message of milter_message.h as it stands. Code 0, or a refusal, as of milter_ask. A new body goes to
 * milter_message_replace;
 * who calls this lets it become the body, with the changes, or undoes it.
 */
struct reply milter_content_show(const struct milter_context *context, struct milter *milter,
                                 struct milter_wishes *wanted);

/* Where changes of a milter that has accepted cannot be made, since they are too large: as if it had failed. */
struct reply milter_content_refuse(const struct milter_context *context, struct milter *milter);

/* A line in the log for each change of the message itself. */
void milter_content_log(const struct milter_context *context, struct milter *milter,
                        const struct milter_wishes *wanted);

#endif
