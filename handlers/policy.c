/* policy.c - policy services: asked at each stage, in the order of their lines; what they say about a message is kept */
#include "handlers/policy.h"

#include <string.h>

#include "base/clock.h"
#include "base/cold.h"
#include "base/log.h"
#include "dns/dns.h"
#include "handlers/field.h"
#include "handlers/named.h"
#include "handlers/policy_service.h"

enum { TEXT_MAX = 512, STATUS_MAX = 8 };

/* A refusal, and who has said it. */
struct refusal_said {
    unsigned code; /* 0: nobody has */
    char status[STATUS_MAX], text[TEXT_MAX], note[LOG_TEXT];
};

static bool used; /* else what follows is not touched */

/* There is one session in a process. */
static struct {
    struct refusal_said refusals[POLICY_STAGES], permits[POLICY_STAGES], rejects[POLICY_STAGES];
    const struct policy *holds, *discards;
    bool redirected;
    size_t copy_count, fields_len;
    struct recipient copies[POLICY_COPIES], redirect;
    struct recipient_forms forms[POLICY_COPIES], redirect_forms;
    struct rule rules[POLICY_COPIES];
    struct policy_answer answer;
    char request[POLICY_REQUEST], fields[POLICY_FIELDS];
} said COLD_BSS;

/* One answer, and what it answers. */
struct turn {
    const struct policy_context *context;
    const struct policy_facts *facts;
    const struct policy *policy;
    struct policy_action action;
};

static const struct reply no_objection = { .code = 0 };

/* ---- the log ----------------------------------------------------------------------------- */

static struct slice address_of(const struct address *address)
{
    return address != NULL ? address_slice(address) : (struct slice){ "", 0 };
}

/* What there is to say about a line, for whoever asks why (-x). */
static void show(const struct turn *turn, const char *what, struct slice text)
{
    char shown[LOG_TEXT];

    log_debug('r', "%s:%u: policy %.*s at %s%s%s", SOURCE_AT(turn->context->rules->groups.sources, turn->policy->line),
              (int)turn->policy->server.name.len, turn->policy->server.name.text, policy_stages[turn->facts->stage], what,
              log_encode(shown, sizeof shown, text));
}

/* An answer that changes something, or that would have: `ignored` says why it does not. */
static void log_action(const struct turn *turn, int level, const char *ignored)
{
    char service[LOG_TEXT], from[LOG_TEXT], to[LOG_TEXT], text[LOG_TEXT];

    log_line(ignored != NULL ? LOG_WARNING : level,
             "policy action=%s stage=%s service=\"%s\"%s%s%s from=\"%s\" to=\"%s\" text=\"%s\"",
             policy_acts[turn->action.act], policy_stages[turn->facts->stage],
             log_encode(service, sizeof service, turn->policy->server.name), ignored != NULL ? " ignored=\"" : "",
             ignored != NULL ? ignored : "", ignored != NULL ? "\"" : "",
             log_encode(from, sizeof from, address_of(turn->facts->sender)),
             log_encode(to, sizeof to, address_of(turn->facts->recipient)),
             log_encode(text, sizeof text, turn->action.text));
    if (ignored != NULL)
        show(turn, " is not followed: ", slice_of(ignored));
}

static void log_failure(const struct policy *policy, enum policy_stage stage, const char *reason)
{
    char service[LOG_TEXT], why[LOG_TEXT];

    log_line(LOG_ERR, "policy failed stage=%s service=\"%s\" reason=\"%s\"", policy_stages[stage],
             log_encode(service, sizeof service, policy->server.name), log_encode(why, sizeof why, slice_of(reason)));
}

/* What is asked, a line for each attribute that has a value. */
static void show_question(const struct turn *turn, struct slice request)
{
    char shown[LOG_TEXT];

    show(turn, " is asked:", slice_of(""));
    for (const char *lf; (lf = memchr(request.text, '\n', request.len)) != NULL;) {
        const struct slice line = { request.text, (size_t)(lf - request.text) };

        if (line.len > 0 && line.text[line.len - 1] != '=')
            log_debug('r', "    %s", log_encode(shown, sizeof shown, line));
        request = (struct slice){ lf + 1, request.len - line.len - 1 };
    }
}

/* ---- refusals ---------------------------------------------------------------------------- */

/* Facts of a refusal are words, without quotes: they cross the wall, and are encoded there once more. */
static void put_note(const struct turn *turn, struct refusal_said *refusal)
{
    struct text text = { refusal->note, sizeof refusal->note - 1, 0 };
    char service[LOG_TEXT / 2];

    text_put(&text, (struct slice)SLICE("policy="));
    text_put(&text, slice_of(policy_stages[turn->facts->stage]));
    text_put(&text, (struct slice)SLICE(" service="));
    for (const char *c = log_encode(service, sizeof service, turn->policy->server.name); *c != '\0'; c++)
        text_put(&text, *c == ' ' ? (struct slice)SLICE("<0x20>") : (struct slice){ c, 1 });
    refusal->note[text.len] = '\0';
}

static void keep(const struct turn *turn, struct refusal_said *refusal)
{
    refusal->code = turn->action.code;
    text_string(refusal->status, sizeof refusal->status, turn->action.status);
    text_string(refusal->text, sizeof refusal->text, turn->action.text);
    put_note(turn, refusal);
}

static struct reply reply_of(const struct refusal_said *refusal)
{
    static const struct slice usual = SLICE("Refused by a policy"), temporary = SLICE("Refused by a policy for now, try again later");
    const struct slice text = refusal->code < 500 ? temporary : usual;

    return (struct reply){ .code = refusal->code, .status = slice_of(refusal->status),
                           .text = refusal->text[0] == '\0' ? text : (struct slice){ "", 0 },
                           .detail = slice_of(refusal->text), .note = slice_of(refusal->note),
                           .closes = refusal->code == 421 || refusal->code == 521 };
}

/* What was said at this stage, or at one before it that still counts; code 0: nothing. */
static const struct refusal_said *find_said(const struct refusal_said *list, enum policy_stage stage)
{
    enum policy_stage first = stage <= POLICY_RCPT ? POLICY_CONNECT : stage;

    while (first < stage && list[first].code == 0)
        first++;
    return &list[first];
}

static struct reply refuse(const struct turn *turn)
{
    const enum policy_stage stage = turn->facts->stage;
    const struct refusal_said *instead = find_said(said.rejects, stage);

    if (turn->action.code >= 500 && instead->code != 0)
        return reply_of(instead);
    keep(turn, &said.refusals[stage]);
    return reply_of(&said.refusals[stage]);
}

static struct reply defer_if_permit(const struct turn *turn)
{
    keep(turn, &said.permits[turn->facts->stage]);
    return no_objection;
}

static struct reply defer_if_reject(const struct turn *turn)
{
    keep(turn, &said.rejects[turn->facts->stage]);
    return no_objection;
}

/* ---- what is done to the message ----------------------------------------------------------- */

static struct reply pass(const struct turn *turn)
{
    (void)turn;
    return no_objection;
}

/* Is it there already, whole? */
static bool has_field(struct slice field)
{
    const char *at = said.fields, *end = said.fields + said.fields_len;

    while ((at = memmem(at, (size_t)(end - at), field.text, field.len)) != NULL) {
        const char *behind = at + field.len;

        if ((at == said.fields || at[-1] == '\n') && (behind == end || (*behind != ' ' && *behind != '\t')))
            return true;
        at++;
    }
    return false;
}

static struct reply prepend(const struct turn *turn)
{
    struct text text = { said.fields, sizeof said.fields, said.fields_len };

    if (!field_fold(turn->action.text, &text)) {
        log_action(turn, LOG_INFO, "it is no header field, or there is no room for it");
    } else if (!has_field((struct slice){ said.fields + said.fields_len, text.len - said.fields_len })) {
        said.fields_len = text.len;
        log_action(turn, LOG_INFO, NULL);
    }
    return no_objection;
}

/* Decides about an address that a service names. Code 0, and the recipient if it is one; or why that is not known now. */
static struct reply find_recipient(const struct turn *turn, struct recipient *recipient, bool *found)
{
    const char *ignored;
    struct reply reply = named_recipient(turn->context->rules, turn->context->asking, turn->action.text, recipient, &ignored);

    *found = reply.code == 0 && ignored == NULL;
    if (reply.code == 0 && ignored != NULL)
        log_action(turn, LOG_INFO, ignored);
    return reply;
}

static bool is_same(const struct recipient *a, const struct recipient *b)
{
    return a->rule->line == b->rule->line && slice_equal_nocase(address_slice(&a->address), address_slice(&b->address));
}

static struct reply copy_to(const struct turn *turn)
{
    struct recipient *copy = &said.copies[said.copy_count];
    struct reply reply;
    bool found;

    if (said.copy_count == POLICY_COPIES) {
        log_action(turn, LOG_INFO, "the message has too many copies");
        return no_objection;
    }
    copy->other = &said.forms[said.copy_count];
    reply = find_recipient(turn, copy, &found);
    for (size_t i = 0; i < said.copy_count && found; i++)
        found = !is_same(&said.copies[i], copy);
    if (!found)
        return reply;
    said.rules[said.copy_count] = *copy->rule;
    said.rules[said.copy_count].kind = RULE_ALSO; /* nobody else's reply is its own */
    copy->rule = &said.rules[said.copy_count++];
    log_action(turn, LOG_INFO, NULL);
    return no_objection;
}

static struct reply redirect(const struct turn *turn)
{
    struct recipient_forms forms = { .given = "" };
    struct recipient recipient = { .other = &forms };
    struct reply reply;
    bool found;

    reply = find_recipient(turn, &recipient, &found);
    if (!found)
        return reply;
    said.redirect_forms = forms;
    said.redirect = recipient; /* the last one counts */
    said.redirect.other = &said.redirect_forms;
    said.redirected = true;
    log_action(turn, LOG_INFO, NULL);
    return no_objection;
}

static struct reply discard(const struct turn *turn)
{
    said.discards = turn->policy;
    log_action(turn, LOG_INFO, NULL);
    return no_objection;
}

/* Nothing that is to be kept back goes through because there is no place to keep it. */
static struct reply hold(const struct turn *turn)
{
    static const struct reply no_place = REPLY(451, "3.5", "The message cannot be kept now, try again later");

    if (turn->context->settings->quarantine.path.len == 0) {
        log_action(turn, LOG_INFO, "there is no quarantine: the client is told to try again");
        return no_place;
    }
    said.holds = turn->policy;
    log_action(turn, LOG_INFO, NULL);
    return no_objection;
}

static struct reply inform(const struct turn *turn)
{
    log_action(turn, LOG_INFO, NULL);
    return no_objection;
}

static struct reply warn(const struct turn *turn)
{
    log_action(turn, LOG_WARNING, NULL);
    return no_objection;
}

static struct reply ignore(const struct turn *turn)
{
    log_action(turn, LOG_INFO, "mailrecv does not know this action");
    return no_objection;
}

/* ---- answers ----------------------------------------------------------------------------- */

static const struct {
    struct reply (*act)(const struct turn *turn);
    bool needs_message;
} acts[POLICY_ACTS] = {
    [POLICY_PASS] = { pass, false },
    [POLICY_REFUSE] = { refuse, false },
    [POLICY_DEFER_IF_PERMIT] = { defer_if_permit, false },
    [POLICY_DEFER_IF_REJECT] = { defer_if_reject, false },
    [POLICY_PREPEND] = { prepend, true },
    [POLICY_REDIRECT] = { redirect, true },
    [POLICY_BCC] = { copy_to, true },
    [POLICY_DISCARD] = { discard, true },
    [POLICY_HOLD] = { hold, true },
    [POLICY_INFO] = { inform, false },
    [POLICY_WARN] = { warn, false },
    [POLICY_UNKNOWN] = { ignore, false },
};

static struct reply act(const struct turn *turn)
{
    if (acts[turn->action.act].needs_message && turn->context->asking == NULL) {
        log_action(turn, LOG_INFO, "there is no message yet");
        return no_objection;
    }
    return acts[turn->action.act].act(turn);
}

/* Asks one service. */
static struct reply ask(const struct policy_context *context, const struct policy_facts *facts, struct policy *policy,
                        struct slice request)
{
    const struct limit *limit = &context->settings->policy_secs;
    const uint64_t until = clock_earlier(clock_ms() + limit->value * 1000, context->deadline);
    struct turn turn = { .context = context, .facts = facts, .policy = policy };
    char reason[SERVER_REASON];
    struct slice action;

    if (context->settings->unasked) {
        show(&turn, " is not asked", slice_of(""));
        return no_objection;
    }
    show_question(&turn, request);
    if (!policy_service_ask(policy, request, until, &said.answer, reason)) {
        show(&turn, " has no answer: ", slice_of(reason));
        log_failure(policy, facts->stage, reason);
        return limit->reply;
    }
    action = (struct slice){ said.answer.action, said.answer.action_len };
    show(&turn, " answers: ", action);
    turn.action = policy_action_read(action);
    return act(&turn);
}

/* Nobody is asked about a message any more that will be thrown away. */
static bool is_discarded(enum policy_stage stage)
{
    return stage >= POLICY_MAIL && said.discards != NULL;
}

struct reply policy_ask(const struct policy_context *context, const struct policy_facts *facts)
{
    const enum policy_stage stage = facts->stage;
    struct text request = { said.request, sizeof said.request, 0 };
    struct reply reply = no_objection;

    used = true;
    said.permits[stage].code = said.rejects[stage].code = 0;
    policy_request_write(facts, &request);
    for (struct policy *p = context->settings->first_policy; p != NULL && reply.code == 0 && !is_discarded(stage); p = p->next)
        if ((p->stages & 1U << stage) != 0)
            reply = ask(context, facts, p, text_slice(&request));
    if (reply.code == 0 && stage >= POLICY_RCPT && !is_discarded(stage) && find_said(said.permits, stage)->code != 0)
        reply = reply_of(find_said(said.permits, stage));
    return reply;
}

bool policy_wants(const struct handler_settings *settings, enum policy_stage stage)
{
    const unsigned wanted = stage == POLICY_RCPT ? (2U << POLICY_RCPT) - 1 : 1U << stage;
    const struct policy *p = settings->first_policy;

    while (p != NULL && (p->stages & wanted) == 0)
        p = p->next;
    return p != NULL;
}

struct policy_message policy_message(void)
{
    return (struct policy_message){ .holds = said.holds, .discards = said.discards,
                                    .fields = { said.fields, said.fields_len },
                                    .redirect = said.redirected ? &said.redirect : NULL,
                                    .copies = said.copies, .copy_count = said.copy_count };
}

void policy_forget_message(void)
{
    said.holds = said.discards = NULL;
    said.redirected = false;
    said.copy_count = said.fields_len = 0;
}

void policy_end(const struct handler_settings *settings)
{
    for (struct policy *p = settings->first_policy; p != NULL; p = p->next)
        server_end(&p->server);
}

void policy_forget(void)
{
    if (!used)
        return;
    explicit_bzero(&said, sizeof said);
    used = false;
}
