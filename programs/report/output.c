/* output.c - a tally as text, HTML, JSON or metrics */
/*
 * `charts` and `totals` say what the tables hold and how that is called; the four writers go
 * through them and know nothing else. Keys are printable ASCII, but hostile: each writer escapes
 * what means something to its reader.
 */
#include "programs/report/output.h"

#include <inttypes.h>
#include <string.h>

/* How a number of a row is to be read. */
enum unit { COUNT, BYTES, MILLISECONDS };
enum value { OF_COUNT, OF_SUM, OF_MAX };

struct column {
    const char *name, *heading, *metric, *help; /* the metric has TYPE counter if its name ends in _total, else gauge */
    enum value value;
    enum unit unit;
};

enum { COLUMNS = 3 };

static const struct chart {
    const char *id, *title;
    const char *keys[TALLY_PARTS];
    struct column columns[COLUMNS]; /* the first is what charts show */
} charts[SECTIONS] = {
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

static const struct {
    const char *id, *title;
} totals[TOTALS] = {
    [TOTAL_SESSIONS] = { "sessions", "Sessions" },
    [TOTAL_TLS] = { "tls_sessions", "Sessions with TLS" },
    [TOTAL_LOGINS] = { "logins", "Passwords accepted" },
    [TOTAL_MESSAGES] = { "messages", "Messages accepted" },
    [TOTAL_DELIVERED] = { "deliveries_done", "Deliveries done" },
    [TOTAL_DEFERRED] = { "deliveries_deferred", "Deliveries deferred" },
    [TOTAL_REFUSED] = { "deliveries_refused", "Deliveries refused" },
    [TOTAL_REFUSALS] = { "refusals", "Refusals" },
    [TOTAL_LOCKS] = { "lockouts", "Clients locked out" },
    [TOTAL_LINES] = { "log_lines", "Lines read" },
    [TOTAL_IGNORED] = { "log_lines_ignored", "Lines that are not mailrecv's" },
};

/* ---- for all forms ----------------------------------------------------------------------------- */

static const char *const others = "(others)";

static size_t shown(const struct top *table, size_t rows)
{
    return table->used < rows ? table->used : rows;
}

/* All rows that are not shown, as one. False when there are none. */
static bool rest_of(const struct top *table, size_t rows, struct row *rest)
{
    *rest = table->others;
    for (size_t i = shown(table, rows); i < table->used; i++)
        top_add_row(rest, &table->rows[i]);
    return rest->count > 0;
}

static uint64_t value_of(const struct row *row, const struct column *column)
{
    return column->value == OF_COUNT ? row->count : column->value == OF_SUM ? row->sum : row->max;
}

/* Part i of a row's key. */
static struct slice part(const struct row *row, size_t i)
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
static void put_escaped(FILE *out, struct slice text, const char *from, const char *const to[])
{
    for (size_t i = 0; i < text.len; i++) {
        const char *special = strchr(from, text.text[i]);

        if (special != NULL)
            (void)fputs(to[special - from], out); /* errors stay in the stream */
        else
            (void)fputc(text.text[i], out);
    }
}

static void put_seconds(FILE *out, uint64_t milliseconds)
{
    (void)fprintf(out, "%" PRIu64 ".%03u", milliseconds / 1000, (unsigned)(milliseconds % 1000));
}

/* A number for programs. */
static void put_number(FILE *out, uint64_t value, enum unit unit)
{
    if (unit == MILLISECONDS)
        put_seconds(out, value);
    else
        (void)fprintf(out, "%" PRIu64, value);
}

/* A number for people, as text that lasts until the next call. */
static const char *readable(uint64_t value, enum unit unit)
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
static void put_moment(FILE *out, uint64_t when, char between)
{
    unsigned day = (unsigned)(when / 1000000), clock = (unsigned)(when % 1000000);

    (void)fprintf(out, "%04u-%02u-%02u%c%02u:%02u:%02u", day / 10000, day / 100 % 100, day % 100, between,
                  clock / 10000, clock / 100 % 100, clock % 100);
}

static void put_period(FILE *out, const struct tally *tally)
{
    if (tally->first == 0) {
        (void)fputs("nothing", out);
        return;
    }
    put_moment(out, tally->first, ' ');
    (void)fputs(" to ", out);
    put_moment(out, tally->last, ' ');
}

static uint64_t busiest_hour(const struct tally *tally)
{
    uint64_t most = 0;

    for (size_t i = 0; i < TALLY_HOURS; i++)
        if (tally->hours[i] > most)
            most = tally->hours[i];
    return most;
}

/* ---- text -------------------------------------------------------------------------------------- */

static void text_hours(FILE *out, const struct tally *tally)
{
    static const char bar[] = "##################################################";
    uint64_t most = busiest_hour(tally);

    (void)fputs("\nSessions per hour of the day\n", out);
    for (size_t i = 0; i < TALLY_HOURS && most > 0; i++) {
        double share = (double)tally->hours[i] / (double)most;
        int len = (int)(share * (double)(sizeof bar - 1) + 0.5);

        (void)fprintf(out, "    %02zu%10" PRIu64 "%s%.*s\n", i, tally->hours[i], share > 0 ? "  " : "",
                      len > 0 || share <= 0 ? len : 1, bar);
    }
}

/* The numbers of a row; what follows stands behind them. */
static void text_numbers(FILE *out, const struct chart *chart, const struct row *row)
{
    for (size_t c = 0; c < COLUMNS && chart->columns[c].name != NULL; c++) {
        const struct column *column = &chart->columns[c];

        if (row == NULL)
            (void)fprintf(out, "%10s", column->heading);
        else
            (void)fprintf(out, "%10s", readable(value_of(row, column), column->unit));
    }
}

static void text_keys(FILE *out, const struct chart *chart, const struct row *row, const int *widths)
{
    for (size_t k = 0; k < TALLY_PARTS && chart->keys[k] != NULL; k++) {
        struct slice text = row != NULL ? part(row, k) : slice_of(chart->keys[k]);
        bool last = k + 1 == TALLY_PARTS || chart->keys[k + 1] == NULL;

        (void)fprintf(out, "  %-*.*s", last ? 0 : widths[k], (int)text.len, text.text);
    }
    (void)fputc('\n', out);
}

/* How wide the columns of the keys are; what is longer stands out. */
static void text_widths(const struct chart *chart, const struct top *table, size_t rows, int *widths)
{
    enum { WIDEST = 48 };

    for (size_t k = 0; k < TALLY_PARTS && chart->keys[k] != NULL; k++) {
        widths[k] = (int)strlen(chart->keys[k]);
        for (size_t i = 0; i < shown(table, rows); i++) {
            int len = (int)part(&table->rows[i], k).len;

            if (len > widths[k])
                widths[k] = len < WIDEST ? len : WIDEST;
        }
    }
}

static void text_section(FILE *out, const struct chart *chart, const struct top *table, size_t rows)
{
    int widths[TALLY_PARTS] = { 0 };
    struct row rest;
    bool more = rest_of(table, rows, &rest);

    (void)fprintf(out, "\n%s\n", chart->title);
    if (table->used == 0 && !more) {
        (void)fputs("    none\n", out);
        return;
    }
    text_widths(chart, table, rows, widths);
    text_numbers(out, chart, NULL);
    text_keys(out, chart, NULL, widths);
    for (size_t i = 0; i < shown(table, rows); i++) {
        text_numbers(out, chart, &table->rows[i]);
        text_keys(out, chart, &table->rows[i], widths);
    }
    if (more) {
        text_numbers(out, chart, &rest);
        (void)fprintf(out, "  %s\n", others);
    }
}

static void write_text(FILE *out, const struct tally *tally, size_t rows)
{
    (void)fputs("mailrecv, ", out);
    put_period(out, tally);
    (void)fputs("\n\n", out);
    for (size_t i = 0; i < TOTALS; i++)
        (void)fprintf(out, "%10" PRIu64 "  %s\n", tally->totals[i], totals[i].title);
    text_hours(out, tally);
    for (size_t i = 0; i < SECTIONS; i++)
        text_section(out, &charts[i], &tally->tables[i], rows);
}

/* ---- JSON -------------------------------------------------------------------------------------- */

static void json_string(FILE *out, struct slice text)
{
    static const char *const codes[] = { "\\\"", "\\\\" };

    (void)fputc('"', out);
    put_escaped(out, text, "\"\\", codes);
    (void)fputc('"', out);
}

/* The numbers as members, after `row`'s key if that is wanted. */
static void json_row(FILE *out, const struct chart *chart, const struct row *row, bool keys)
{
    const char *between = "{";

    for (size_t k = 0; keys && k < TALLY_PARTS && chart->keys[k] != NULL; k++) {
        (void)fprintf(out, "%s\"%s\": ", between, chart->keys[k]);
        json_string(out, part(row, k));
        between = ", ";
    }
    for (size_t c = 0; c < COLUMNS && chart->columns[c].name != NULL; c++) {
        (void)fprintf(out, "%s\"%s\": ", between, chart->columns[c].name);
        put_number(out, value_of(row, &chart->columns[c]), chart->columns[c].unit);
        between = ", ";
    }
    (void)fputc('}', out);
}

static void json_section(FILE *out, const struct chart *chart, const struct top *table, size_t rows)
{
    struct row rest;

    (void)fprintf(out, ",\n  \"%s\": [", chart->id);
    for (size_t i = 0; i < shown(table, rows); i++) {
        (void)fprintf(out, "%s\n    ", i > 0 ? "," : "");
        json_row(out, chart, &table->rows[i], true);
    }
    (void)rest_of(table, rows, &rest); /* zeros when there is none */
    (void)fprintf(out, "],\n  \"%s_others\": ", chart->id);
    json_row(out, chart, &rest, false);
}

static void json_moment(FILE *out, const char *name, uint64_t when)
{
    (void)fprintf(out, "  \"%s\": ", name);
    if (when == 0) {
        (void)fputs("null,\n", out);
        return;
    }
    (void)fputc('"', out);
    put_moment(out, when, 'T');
    (void)fputs("\",\n", out);
}

static void write_json(FILE *out, const struct tally *tally, size_t rows)
{
    (void)fputs("{\n", out);
    json_moment(out, "first", tally->first);
    json_moment(out, "last", tally->last);
    (void)fputs("  \"totals\": {", out);
    for (size_t i = 0; i < TOTALS; i++)
        (void)fprintf(out, "%s\"%s\": %" PRIu64, i > 0 ? ", " : "", totals[i].id, tally->totals[i]);
    (void)fputs("},\n  \"sessions_per_hour\": [", out);
    for (size_t i = 0; i < TALLY_HOURS; i++)
        (void)fprintf(out, "%s%" PRIu64, i > 0 ? ", " : "", tally->hours[i]);
    (void)fputc(']', out);
    for (size_t i = 0; i < SECTIONS; i++)
        json_section(out, &charts[i], &tally->tables[i], rows);
    (void)fputs("\n}\n", out);
}

/* ---- metrics of Prometheus --------------------------------------------------------------------- */

static void prom_head(FILE *out, const char *metric, const char *help)
{
    size_t len = strlen(metric);
    bool counter = len > 6 && strcmp(metric + len - 6, "_total") == 0;

    (void)fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", metric, help, metric, counter ? "counter" : "gauge");
}

static void prom_row(FILE *out, const struct chart *chart, const struct column *column, const struct row *row,
                     bool is_rest)
{
    static const char *const codes[] = { "\\\"", "\\\\" };

    (void)fputs(column->metric, out);
    for (size_t k = 0; k < TALLY_PARTS && chart->keys[k] != NULL; k++) {
        (void)fprintf(out, "%c%s=\"", k > 0 ? ',' : '{', chart->keys[k]);
        put_escaped(out, is_rest ? slice_of(others) : part(row, k), "\"\\", codes);
        (void)fputc('"', out);
    }
    (void)fputs("} ", out);
    put_number(out, value_of(row, column), column->unit);
    (void)fputc('\n', out);
}

static void prom_column(FILE *out, const struct chart *chart, const struct column *column,
                        const struct top *table, size_t rows)
{
    struct row rest;

    prom_head(out, column->metric, column->help);
    for (size_t i = 0; i < shown(table, rows); i++)
        prom_row(out, chart, column, &table->rows[i], false);
    if (rest_of(table, rows, &rest))
        prom_row(out, chart, column, &rest, true);
}

static void write_prom(FILE *out, const struct tally *tally, size_t rows)
{
    for (size_t i = 0; i < TOTALS; i++) {
        char metric[64], help[64];

        (void)snprintf(metric, sizeof metric, "mailrecv_%s_total", totals[i].id);
        (void)snprintf(help, sizeof help, "%s.", totals[i].title);
        prom_head(out, metric, help);
        (void)fprintf(out, "%s %" PRIu64 "\n", metric, tally->totals[i]);
    }
    for (size_t i = 0; i < SECTIONS; i++)
        for (size_t c = 0; c < COLUMNS && charts[i].columns[c].name != NULL; c++)
            prom_column(out, &charts[i], &charts[i].columns[c], &tally->tables[i], rows);
}

/* ---- HTML -------------------------------------------------------------------------------------- */

static const char style[] =
    ":root{color-scheme:light dark;--ink:#1c2733;--soft:#5d6b7a;--paper:#fff;--line:#d5dce3;--bar:#2f6fb3}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#e3e9ef;--soft:#98a6b4;--paper:#12181f;"
    "--line:#2f3b47;--bar:#5b9bdc}}\n"
    "body{font:15px/1.45 system-ui,sans-serif;color:var(--ink);background:var(--paper);"
    "max-width:60em;margin:2em auto;padding:0 1em}\n"
    "h1{font-size:1.5em;margin-bottom:0}h2{font-size:1.1em;margin:2em 0 .5em}p{color:var(--soft);margin:.2em 0}\n"
    "svg{display:block;width:100%;height:auto}svg text{font:12px system-ui,sans-serif;fill:var(--ink)}\n"
    "svg .soft{fill:var(--soft)}svg rect{fill:var(--bar)}svg line{stroke:var(--line)}\n"
    "table{border-collapse:collapse;margin:.5em 0}td,th{text-align:left;padding:.15em .8em .15em 0;"
    "border-bottom:1px solid var(--line);overflow-wrap:anywhere}th{color:var(--soft);font-weight:normal}\n"
    ".n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}\n"
    "summary{color:var(--soft);cursor:pointer}\n";

static void html_text(FILE *out, struct slice text)
{
    static const char *const codes[] = { "&amp;", "&lt;", "&gt;", "&quot;", "&#39;" };

    put_escaped(out, text, "&<>\"'", codes);
}

static void html_hours(FILE *out, const struct tally *tally)
{
    enum { STEP = 36, HEIGHT = 160, LEFT = 8 };
    uint64_t most = busiest_hour(tally);

    (void)fprintf(out, "<h2>Sessions per hour of the day</h2>\n<svg viewBox=\"0 0 %d %d\" role=\"img\" "
                  "aria-label=\"Sessions per hour of the day\" xmlns=\"http://www.w3.org/2000/svg\">\n",
                  TALLY_HOURS * STEP + 2 * LEFT, HEIGHT + 44);
    for (int i = 0; i < TALLY_HOURS; i++) {
        double height = most > 0 ? (double)tally->hours[i] / (double)most * HEIGHT : 0;
        int x = LEFT + i * STEP;

        (void)fprintf(out, "<rect x=\"%d\" y=\"%.1f\" width=\"%d\" height=\"%.1f\"/>"
                      "<text x=\"%d\" y=\"%.1f\" text-anchor=\"middle\">%" PRIu64 "</text>"
                      "<text class=\"soft\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">%02d</text>\n",
                      x + 4, 20 + HEIGHT - height, STEP - 8, height, x + STEP / 2, 15 + HEIGHT - height,
                      tally->hours[i], x + STEP / 2, HEIGHT + 38, i);
    }
    (void)fprintf(out, "<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\"/>\n</svg>\n", LEFT, HEIGHT + 20,
                  LEFT + TALLY_HOURS * STEP, HEIGHT + 20);
}

/* The key of a row in one line, its parts one after the other; cut for a chart, whole for a pointer. */
static void html_key(FILE *out, const struct chart *chart, const struct row *row, size_t most)
{
    size_t used = 0;

    for (size_t k = 0; k < TALLY_PARTS && chart->keys[k] != NULL; k++) {
        struct slice text = part(row, k);
        size_t room = most - used;

        if (k > 0)
            (void)fputs(" &#183; ", out);
        html_text(out, (struct slice){ text.text, text.len < room ? text.len : room });
        if (text.len > room) {
            (void)fputs("&#8230;", out);
            return;
        }
        used += text.len;
    }
}

static void html_bar(FILE *out, const struct chart *chart, const struct row *row, uint64_t most, int y)
{
    enum { LEFT = 430, WIDTH = 340, TEXT = 62 };
    uint64_t value = value_of(row, &chart->columns[0]);
    double width = most > 0 ? (double)value / (double)most * WIDTH : 0;

    (void)fputs("<g><title>", out);
    html_key(out, chart, row, SIZE_MAX);
    (void)fprintf(out, "</title><text x=\"%d\" y=\"%d\" text-anchor=\"end\">", LEFT - 8, y + 14);
    html_key(out, chart, row, TEXT);
    (void)fprintf(out, "</text><rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"14\"/><text class=\"soft\" x=\"%.1f\" "
                  "y=\"%d\">%s</text></g>\n", LEFT, y + 3, width, LEFT + width + 6, y + 14,
                  readable(value, chart->columns[0].unit));
}

static void html_chart(FILE *out, const struct chart *chart, const struct top *table, size_t rows)
{
    enum { STEP = 22 };
    uint64_t most = 0;

    (void)fprintf(out, "<svg viewBox=\"0 0 880 %zu\" role=\"img\" aria-label=\"%s\" "
                  "xmlns=\"http://www.w3.org/2000/svg\">\n",
                  shown(table, rows) * STEP, chart->title);
    for (size_t i = 0; i < shown(table, rows); i++)
        if (value_of(&table->rows[i], &chart->columns[0]) > most)
            most = value_of(&table->rows[i], &chart->columns[0]);
    for (size_t i = 0; i < shown(table, rows); i++)
        html_bar(out, chart, &table->rows[i], most, (int)i * STEP);
    (void)fputs("</svg>\n", out);
}

static void html_row(FILE *out, const struct chart *chart, const struct row *row, bool is_rest)
{
    (void)fputs("<tr>", out);
    for (size_t c = 0; c < COLUMNS && chart->columns[c].name != NULL; c++) {
        (void)fputs("<td class=\"n\">", out);
        put_number(out, value_of(row, &chart->columns[c]), chart->columns[c].unit);
        (void)fputs("</td>", out);
    }
    for (size_t k = 0; k < TALLY_PARTS && chart->keys[k] != NULL; k++) {
        (void)fputs("<td>", out);
        html_text(out, is_rest ? slice_of(k == 0 ? others : "") : part(row, k));
        (void)fputs("</td>", out);
    }
    (void)fputs("</tr>\n", out);
}

static void html_table(FILE *out, const struct chart *chart, const struct top *table, size_t rows)
{
    struct row rest;

    (void)fputs("<details><summary>Figures</summary><table>\n<tr>", out);
    for (size_t c = 0; c < COLUMNS && chart->columns[c].name != NULL; c++)
        (void)fprintf(out, "<th class=\"n\">%s</th>", chart->columns[c].heading);
    for (size_t k = 0; k < TALLY_PARTS && chart->keys[k] != NULL; k++)
        (void)fprintf(out, "<th>%s</th>", chart->keys[k]);
    (void)fputs("</tr>\n", out);
    for (size_t i = 0; i < shown(table, rows); i++)
        html_row(out, chart, &table->rows[i], false);
    if (rest_of(table, rows, &rest))
        html_row(out, chart, &rest, true);
    (void)fputs("</table></details>\n", out);
}

static void write_html(FILE *out, const struct tally *tally, size_t rows)
{
    (void)fprintf(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                  "<title>mailrecv</title>\n<meta name=\"viewport\" content=\"width=device-width\">\n"
                  "<meta http-equiv=\"Content-Security-Policy\" "
                  "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n<style>\n%s</style>\n</head>\n<body>\n"
                  "<h1>mailrecv</h1>\n<p>", style);
    put_period(out, tally);
    (void)fputs("</p>\n<table>\n", out);
    for (size_t i = 0; i < TOTALS; i++)
        (void)fprintf(out, "<tr><td class=\"n\">%" PRIu64 "</td><td>%s</td></tr>\n", tally->totals[i], totals[i].title);
    (void)fputs("</table>\n", out);
    html_hours(out, tally);
    for (size_t i = 0; i < SECTIONS; i++) {
        (void)fprintf(out, "<h2>%s</h2>\n", charts[i].title);
        if (tally->tables[i].used == 0) {
            (void)fputs("<p>none</p>\n", out);
            continue;
        }
        html_chart(out, &charts[i], &tally->tables[i], rows);
        html_table(out, &charts[i], &tally->tables[i], rows);
    }
    (void)fputs("</body>\n</html>\n", out);
}

/* ------------------------------------------------------------------------------------------------ */

output_writer *output_form(const char *name)
{
    static const struct {
        const char *name;
        output_writer *writer;
    } forms[] = { { "text", write_text }, { "html", write_html }, { "json", write_json }, { "prom", write_prom } };

    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        if (strcmp(name, forms[i].name) == 0)
            return forms[i].writer;
    return NULL;
}
