/* milter_talk.c - talking to one milter: negotiation, a command with its macros, and the answer that is waited for */
#include "handlers/milter_talk.h"

#include <stdio.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/cold.h"
#include "base/log.h"

enum {
    CONNECT_MS = 30000,
    PACKET = MILTER_DATA + MILTER_HEAD,
    FULL = 65536 /* bytes at which what gathers is sent */
};

/* There is one session in a process. */
static struct {
    size_t begin; /* of the command that is being put */
    struct text out;
    char bytes[FULL + MILTER_MACRO_BYTES + PACKET];
} talk COLD_BSS;

static struct text *out(void)
{
    talk.out.bytes = talk.bytes;
    talk.out.size = sizeof talk.bytes;
    return &talk.out;
}

bool milter_talk_has_room(void)
{
    return talk.out.len < FULL;
}

void milter_talk_put_macros(const struct milter_context *context, const struct milter *milter,
                            enum milter_command command)
{
    milter_macros_put(context->settings, milter, context->facts, command, out());
}

struct text *milter_talk_put(const struct milter_context *context, const struct milter *milter,
                             enum milter_command command)
{
    if (command != MILTER_HEADER && command != MILTER_BODY) /* what EOH and EOB are told is the same */
        milter_talk_put_macros(context, milter, command);
    talk.begin = milter_packet_begin(out(), milter_commands[command].letter);
    return &talk.out;
}

void milter_talk_drop(void)
{
    talk.out.len = 0;
}

void milter_talk_seal(void)
{
    milter_packet_end(&talk.out, talk.begin);
}

static uint64_t deadline_of(const struct milter_context *context)
{
    return clock_earlier(clock_ms() + context->settings->milter_secs.value * 1000, context->deadline);
}

/* An answer that nobody has asked for would be taken for the next one, and a refusal for none. */
static enum milter_hearing out_of_step(char reason[MILTER_REASON])
{
    (void)snprintf(reason, MILTER_REASON, "it has answered what it was not asked");
    return MILTER_BROKEN;
}

enum milter_hearing milter_talk_send(const struct milter_context *context, struct milter *milter,
                                     char reason[MILTER_REASON])
{
    const struct slice bytes = text_slice(out());

    talk.out.len = 0;
    if (milter_service_has_spoken(milter))
        return out_of_step(reason);
    return milter_service_send(milter, bytes, deadline_of(context), reason);
}

bool milter_talk_wants(const struct milter *milter, enum milter_command command)
{
    const struct milter_connection *c = &milter->connection;
    const struct milter_command_row *row = &milter_commands[command];

    return row->since <= c->options.version && (row->no & c->options.steps) == 0 && (c->skipped & 1U << command) == 0;
}

bool milter_talk_is_answered(const struct milter *milter, enum milter_command command)
{
    return (milter_commands[command].mute & milter->connection.options.steps) == 0;
}

/* Is that an answer to the command? What follows the last one is nobody's. */
static enum milter_hearing fits(const struct milter *milter, enum milter_command command,
                                const struct milter_answer *answer,
                                char reason[MILTER_REASON])
{
    if ((answer->word == MILTER_CHANGE && command != MILTER_EOB) ||
        (answer->word == MILTER_OPTIONS) != (command == MILTER_NEGOTIATE)) {
        (void)snprintf(reason, MILTER_REASON, "it has answered \"%s\" where that cannot be", milter_words[answer->word]);
        return MILTER_BROKEN;
    }
    return command != MILTER_EOB && milter_service_has_more(milter) ? out_of_step(reason) : MILTER_HEARD;
}

enum milter_hearing milter_talk_hear(const struct milter_context *context, struct milter *milter,
                                     enum milter_command command,
                                     struct milter_answer *answer, char reason[MILTER_REASON])
{
    enum milter_hearing hearing;

    do
        hearing = milter_service_hear(milter, deadline_of(context), answer, reason);
    while (hearing == MILTER_HEARD && answer->word == MILTER_PROGRESS);
    return hearing == MILTER_HEARD ? fits(milter, command, answer, reason) : hearing;
}

/* What it has said becomes what counts, also where that was not offered (rspamd). */
static enum milter_hearing agree(struct milter *milter, const struct milter_options *options,
                                 char reason[MILTER_REASON])
{
    struct milter_connection *c = &milter->connection;

    if (options->version < MILTER_OLDEST || options->version > MILTER_VERSION) {
        (void)snprintf(reason, MILTER_REASON, "it speaks version %u of the protocol, expected %d to %d",
                       options->version, MILTER_OLDEST,
                       MILTER_VERSION);
        return MILTER_BROKEN;
    }
    c->options = *options;
    for (size_t i = 0; i < MILTER_LISTS; i++) {
        struct text kept = { c->symbols[i], sizeof c->symbols[i], 0 };

        text_put(&kept, (options->listed & 1U << i) != 0 ? options->symbols[i] : (struct slice){ "", 0 });
        c->options.symbols[i] = text_slice(&kept);
    }
    return MILTER_HEARD;
}

static enum milter_hearing negotiate(struct milter *milter, uint64_t deadline, char reason[MILTER_REASON])
{
    struct milter_answer answer;
    enum milter_hearing hearing;

    talk.out.len = 0;
    talk.begin = milter_packet_begin(out(), milter_commands[MILTER_NEGOTIATE].letter);
    milter_put_number(&talk.out, MILTER_VERSION);
    milter_put_number(&talk.out, MILTER_ACTIONS);
    milter_put_number(&talk.out, MILTER_STEPS);
    milter_talk_seal();
    hearing = milter_service_send(milter, text_slice(&talk.out), deadline, reason);
    talk.out.len = 0;
    if (hearing == MILTER_HEARD)
        hearing = milter_service_hear(milter, deadline, &answer, reason);
    if (hearing == MILTER_HEARD)
        hearing = fits(milter, MILTER_NEGOTIATE, &answer, reason);
    if (hearing == MILTER_CLOSED)
        (void)snprintf(reason, MILTER_REASON,
                       "it has closed the connection instead of negotiating: it wants what mailrecv does not offer");
    return hearing == MILTER_HEARD ? agree(milter, &answer.options, reason) : hearing;
}

enum milter_hearing milter_talk_begin(const struct milter_context *context, struct milter *milter,
                                      char reason[MILTER_REASON])
{
    const uint64_t until = clock_earlier(clock_ms() + CONNECT_MS, context->deadline);
    enum milter_hearing hearing = milter_service_open(milter, until, reason);

    if (hearing == MILTER_HEARD)
        hearing = negotiate(milter, until, reason);
    if (hearing != MILTER_HEARD)
        milter_service_close(milter, false);
    return hearing;
}

void milter_talk_tell(struct milter *milter, enum milter_command command)
{
    char bytes[MILTER_HEAD], reason[MILTER_REASON];
    struct text text = { bytes, sizeof bytes, 0 };

    milter_packet_end(&text, milter_packet_begin(&text, milter_commands[command].letter));
    if (milter_service_send(milter, text_slice(&text), clock_ms(), reason) != MILTER_HEARD)
        milter_service_close(milter, false);
}
