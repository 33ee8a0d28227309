/* milter_check.c - whether milters can be reached, and what they say that they want (-t) */
#include "admin/milter_check.h"

#include <limits.h>
#include <unistd.h>

#include "base/clock.h"
#include "dns/dns.h"
#include "handlers/milter_talk.h"

enum { PATIENCE_MS = 5000 };

static volatile sig_atomic_t never;

struct bit {
    uint32_t bit;
    const char *word;
};

static const struct bit actions[] = {
    { MILTER_MAY_ADD_FIELDS, "add fields" }, { MILTER_MAY_CHANGE_FIELDS, "change and delete fields" },
    { MILTER_MAY_CHANGE_BODY, "replace the body" }, { MILTER_MAY_ADD_RECIPIENTS, "add recipients" },
    { MILTER_MAY_DELETE_RECIPIENTS, "delete recipients" }, { MILTER_MAY_CHANGE_SENDER, "change the sender" },
    { MILTER_MAY_QUARANTINE, "have messages kept back" },
};

static const struct bit steps[] = {
    { 0x1, "the connection" }, { 0x2, "HELO" }, { 0x4, "MAIL" }, { 0x8, "RCPT" }, { 0x200, "DATA" }, { 0x20, "the header" },
    { 0x10, "the body" },
};

/* Puts the words of those bits that are set, with commas between them, behind others; or what is said where none is. */
static void put_set(struct text *text, uint32_t bits, const struct bit *words, size_t count, const char *behind,
                    const char *none)
{
    bool first = true;

    for (size_t i = 0; i < count; i++) {
        if ((bits & words[i].bit) == 0)
            continue;
        text_put(text, first ? slice_of(behind) : (struct slice)SLICE(", "));
        text_put(text, slice_of(words[i].word));
        first = false;
    }
    text_put(text, slice_of(first ? none : ""));
}

static void tell(struct conf *conf, const struct milter *milter)
{
    const struct milter_options *options = &milter->connection.options;
    char bytes[1024];
    struct text text = { bytes, sizeof bytes - 1, 0 };
    const struct conf_place place = conf_place_of(conf, "milter", milter->name);

    put_set(&text, options->actions, actions, sizeof actions / sizeof actions[0], "", "nothing");
    put_set(&text, options->steps, steps, sizeof steps / sizeof steps[0], "; it is told all but ", "; it is told all");
    bytes[text.len] = '\0';
    conf_complain(conf, SEVERITY_NOTE, place.line, place.column,
                  "this milter speaks version %u of the protocol, and may do this: %s",
                  options->version, bytes);
}

/* What stands in the way of a socket that cannot be opened is told by access.c. */
static bool can_be_tried(const struct milter *milter)
{
    char path[PATH_MAX];

    text_string(path, sizeof path, milter->where.text);
    return milter->where.kind != WHERE_UNIX || access(path, W_OK) == 0;
}

static void check(struct conf *conf, struct milter *milter)
{
    const struct milter_context context = { .settings = &conf->handlers, .deadline = clock_ms() + PATIENCE_MS };
    const struct conf_place place = conf_place_of(conf, "milter", milter->name);
    char reason[MILTER_REASON];

    if (!can_be_tried(milter))
        return;
    if (milter_talk_begin(&context, milter, reason) == MILTER_HEARD)
        tell(conf, milter);
    else
        conf_complain(conf, SEVERITY_WARNING, place.line, place.column, "this milter cannot be asked now: %s", reason);
    milter_service_close(milter, true);
}

void milter_check(struct conf *conf)
{
    const struct handler_settings *settings = &conf->handlers;

    if (settings->first_milter == NULL || conf->errors > 0)
        return;
    if (settings->milter_failure == MILTER_FAILS_ASIDE && settings->quarantine.path.len == 0) {
        conf_complain(conf, SEVERITY_WARNING, conf_line_of(conf, "milter.failure"), 1,
                      "there is no quarantine: what a milter cannot be asked about is not kept back, the client is told to try again");
        conf_advise(conf, "write: quarantine append /var/lib/mailrecv/quarantine");
    }
    dns_begin(&conf->dns, conf->base.sandbox != SANDBOX_OFF, clock_ms() + PATIENCE_MS, &never);
    for (struct milter *m = settings->first_milter; m != NULL; m = m->next)
        check(conf, m);
    dns_end();
}
