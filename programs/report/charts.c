/* charts.c - what the tables of a tally are called, and what all forms of output do with their rows */
#include "programs/report/charts.h"

#include <inttypes.h>
#include <string.h>

const struct chart charts[SECTIONS] = {
    [SECTION_RECIPIENTS] = { "recipients", "Messages per recipient and target", { "recipient", "target" },
        { { "messages", "messages", "mailrecv_delivered_messages_total", "Copies delivered.", OF_COUNT, COUNT },
          { "bytes", "bytes", "mailrecv_delivered_bytes_total", "Bytes of the copies delivered.", OF_SUM, BYTES } } },
    [SECTION_FAILURES] = { "failures", "Failed deliveries", { "result", "recipient", "reason" },
        { { "times", "times", "mailrecv_failed_deliveries_total",
            "Deliveries deferred or refused.", OF_COUNT, COUNT } } },
    [SECTION_REFUSALS] = { "refusals", "Refusals per reason", { "reason", "stage" },
        { { "times", "times", "mailrecv_refusals_by_reason_total",
            "Commands and messages refused.", OF_COUNT, COUNT } } },
    [SECTION_HOSTS] = { "refused_hosts", "Most refused hosts", { "host" },
        { { "times", "times", "mailrecv_refusals_by_host_total", "Refusals heard by a host.", OF_COUNT, COUNT } } },
    [SECTION_COMMANDS] = { "commands", "Slowest commands", { "command" },
        { { "seconds_max", "longest s", "mailrecv_command_seconds_max",
            "Longest run of a command.", OF_MAX, MILLISECONDS },
          { "seconds", "all s", "mailrecv_command_seconds_total",
            "Time of all runs of a command.", OF_SUM, MILLISECONDS },
          { "runs", "runs", "mailrecv_command_runs_total", "Runs of a command.", OF_COUNT, COUNT } } },
    [SECTION_ENDS] = { "ends", "How sessions ended", { "reason" },
        { { "times", "times", "mailrecv_session_ends_total", "Sessions that ended so.", OF_COUNT, COUNT } } },
    [SECTION_TROUBLES] = { "troubles", "Troubles", { "text" },
        { { "times", "times", "mailrecv_troubles_total",
            "Lines that are none of the usual events.", OF_COUNT, COUNT } } },
};

const struct total_name totals[TOTALS] = {
    [TOTAL_SESSIONS] = { "sessions", "Sessions" },
    [TOTAL_TLS] = { "tls_sessions", "Sessions with TLS" },
    [TOTAL_LOGINS] = { "logins", "Passwords accepted" },
    [TOTAL_MESSAGES] = { "messages", "Messages accepted" },
    [TOTAL_DELIVERED] = { "deliveries_done", "Deliveries done" },
    [TOTAL_ALREADY] = { "deliveries_already", "Deliveries that were made before, and not repeated" },
    [TOTAL_DEFERRED] = { "deliveries_deferred", "Deliveries deferred" },
    [TOTAL_REFUSED] = { "deliveries_refused", "Deliveries refused" },
    [TOTAL_REFUSALS] = { "refusals", "Refusals" },
    [TOTAL_LOCKS] = { "lockouts", "Clients locked out" },
    [TOTAL_LINES] = { "log_lines", "Lines read" },
    [TOTAL_IGNORED] = { "log_lines_ignored", "Lines that are not mailrecv's" },
};

const char *const chart_others = "(others)";

size_t chart_shown(const struct top *table, size_t rows)
{
    return table->used < rows ? table->used : rows;
}

/* All rows that are not shown, as one. False when there are none. */
bool chart_rest(const struct top *table, size_t rows, struct row *rest)
{
    *rest = table->others;
    for (size_t i = chart_shown(table, rows); i < table->used; i++)
        top_add_row(rest, &table->rows[i]);
    return rest->count > 0;
}

uint64_t chart_value(const struct row *row, const struct column *column)
{
    return column->value == OF_COUNT ? row->count : column->value == OF_SUM ? row->sum : row->max;
}

/* Part i of a row's key. */
struct slice chart_part(const struct row *row, size_t i)
{
    struct slice rest = { row->key, row->len };

    for (;; i--) {
        const char *end = memchr(rest.text, '\n', rest.len);
        size_t len = end != NULL ? (size_t)(end - rest.text) : rest.len;

        if (i == 0 || end == NULL)
            return i == 0 ? (struct slice){ rest.text, len } : (struct slice){ "", 0 };
        rest.text += len + 1;
        rest.len -= len + 1;
    }
}

/* Text with some characters replaced: each of `from` by the text at its place in `to`. */
void put_escaped(FILE *out, struct slice text, const char *from, const char *const to[])
{
    for (size_t i = 0; i < text.len; i++) {
        const char *special = strchr(from, text.text[i]);

        if (special != NULL)
            (void)fputs(to[special - from], out); /* errors stay in the stream */
        else
            (void)fputc(text.text[i], out);
    }
}

void put_seconds(FILE *out, uint64_t milliseconds)
{
    (void)fprintf(out, "%" PRIu64 ".%03u", milliseconds / 1000, (unsigned)(milliseconds % 1000));
}

/* A number for programs. */
void put_number(FILE *out, uint64_t value, enum unit unit)
{
    if (unit == MILLISECONDS)
        put_seconds(out, value);
    else
        (void)fprintf(out, "%" PRIu64, value);
}

/* A number for people, as text that lasts until the next call. */
const char *readable(uint64_t value, enum unit unit)
{
    static char text[32];
    static const char prefixes[] = " kMGTPE";
    double amount = (double)value;
    size_t prefix = 0;

    while (unit == BYTES && amount >= 999.5 && prefix + 1 < sizeof prefixes - 1) {
        amount /= 1000;
        prefix++;
    }
    if (unit == MILLISECONDS)
        (void)snprintf(text, sizeof text, "%.3f", amount / 1000);
    else if (prefix == 0)
        (void)snprintf(text, sizeof text, "%" PRIu64, value);
    else
        (void)snprintf(text, sizeof text, "%.*f %c", amount < 9.95 ? 1 : 0, amount, prefixes[prefix]);
    return text;
}

/* 2026-11-21 23:59:58 */
void put_moment(FILE *out, uint64_t when, char between)
{
    unsigned day = (unsigned)(when / 1000000), clock = (unsigned)(when % 1000000);

    (void)fprintf(out, "%04u-%02u-%02u%c%02u:%02u:%02u", day / 10000, day / 100 % 100, day % 100, between,
                  clock / 10000, clock / 100 % 100, clock % 100);
}

void put_period(FILE *out, const struct tally *tally)
{
    if (tally->first == 0) {
        (void)fputs("nothing", out);
        return;
    }
    put_moment(out, tally->first, ' ');
    (void)fputs(" to ", out);
    put_moment(out, tally->last, ' ');
}

uint64_t chart_busiest_hour(const struct tally *tally)
{
    uint64_t most = 0;

    for (size_t i = 0; i < TALLY_HOURS; i++)
        if (tally->hours[i] > most)
            most = tally->hours[i];
    return most;
}
