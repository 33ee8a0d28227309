/* output.c - a tally as text, JSON or metrics */
/*
 * The tables of charts.c say what there is and how that is called; the writers go
 * through them and know nothing else. Keys are printable ASCII, but hostile: each writer escapes
 * what means something to its reader.
 */
#include "programs/report/output.h"

#include <inttypes.h>
#include <string.h>

#include "programs/report/charts.h"
#include "programs/report/html.h"

/* ---- text -------------------------------------------------------------------------------------- */

static void text_hours(FILE *out, const struct tally *tally)
{
    static const char bar[] = "##################################################";
    uint64_t most = chart_busiest_hour(tally);

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
            (void)fprintf(out, "%10s", readable(chart_value(row, column), column->unit));
    }
}

static void text_keys(FILE *out, const struct chart *chart, const struct row *row, const int *widths)
{
    for (size_t k = 0; k < TALLY_PARTS && chart->keys[k] != NULL; k++) {
        struct slice text = row != NULL ? chart_part(row, k) : slice_of(chart->keys[k]);
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
        for (size_t i = 0; i < chart_shown(table, rows); i++) {
            int len = (int)chart_part(&table->rows[i], k).len;

            if (len > widths[k])
                widths[k] = len < WIDEST ? len : WIDEST;
        }
    }
}

static void text_section(FILE *out, const struct chart *chart, const struct top *table, size_t rows)
{
    int widths[TALLY_PARTS] = { 0 };
    struct row rest;
    bool more = chart_rest(table, rows, &rest);

    (void)fprintf(out, "\n%s\n", chart->title);
    if (table->used == 0 && !more) {
        (void)fputs("    none\n", out);
        return;
    }
    text_widths(chart, table, rows, widths);
    text_numbers(out, chart, NULL);
    text_keys(out, chart, NULL, widths);
    for (size_t i = 0; i < chart_shown(table, rows); i++) {
        text_numbers(out, chart, &table->rows[i]);
        text_keys(out, chart, &table->rows[i], widths);
    }
    if (more) {
        text_numbers(out, chart, &rest);
        (void)fprintf(out, "  %s\n", chart_others);
    }
}

/* A column for each host, if there are several. */
static void text_servers(FILE *out, const struct servers *servers)
{
    if (servers->used < 2)
        return;
    (void)fputs("\nHosts side by side\n", out);
    for (size_t i = 0; i <= TOTALS_OF_SERVER; i++) {
        for (size_t h = 0; h < servers->used; h++) {
            const struct server *server = &servers->list[h];
            int len = (int)strlen(server->name), width = len > 8 ? len + 2 : 10;

            if (i == 0)
                (void)fprintf(out, "%*s", width, server->name);
            else
                (void)fprintf(out, "%*" PRIu64, width, server->totals[i - 1]);
        }
        (void)fprintf(out, "%s%s\n", i > 0 ? "  " : "", i > 0 ? totals[i - 1].title : "");
    }
}

static void write_text(FILE *out, const struct tally *tally, size_t rows)
{
    (void)fputs("mailrecv, ", out);
    put_period(out, tally);
    (void)fputs("\n\n", out);
    for (size_t i = 0; i < TOTALS; i++)
        (void)fprintf(out, "%10" PRIu64 "  %s\n", tally->totals[i], totals[i].title);
    text_servers(out, &tally->servers);
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
        json_string(out, chart_part(row, k));
        between = ", ";
    }
    for (size_t c = 0; c < COLUMNS && chart->columns[c].name != NULL; c++) {
        (void)fprintf(out, "%s\"%s\": ", between, chart->columns[c].name);
        put_number(out, chart_value(row, &chart->columns[c]), chart->columns[c].unit);
        between = ", ";
    }
    (void)fputc('}', out);
}

static void json_section(FILE *out, const struct chart *chart, const struct top *table, size_t rows)
{
    struct row rest;

    (void)fprintf(out, ",\n  \"%s\": [", chart->id);
    for (size_t i = 0; i < chart_shown(table, rows); i++) {
        (void)fprintf(out, "%s\n    ", i > 0 ? "," : "");
        json_row(out, chart, &table->rows[i], true);
    }
    (void)chart_rest(table, rows, &rest); /* zeros when there is none */
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

static void json_totals(FILE *out, const uint64_t *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        (void)fprintf(out, "%s\"%s\": %" PRIu64, i > 0 ? ", " : "", totals[i].id, values[i]);
}

static void json_servers(FILE *out, const struct servers *servers)
{
    (void)fputs(",\n  \"hosts\": [", out);
    for (size_t h = 0; h < servers->used; h++) {
        (void)fprintf(out, "%s\n    {\"host\": ", h > 0 ? "," : "");
        json_string(out, slice_of(servers->list[h].name));
        (void)fputs(", ", out);
        json_totals(out, servers->list[h].totals, TOTALS_OF_SERVER);
        (void)fputc('}', out);
    }
    (void)fputc(']', out);
}

static void write_json(FILE *out, const struct tally *tally, size_t rows)
{
    (void)fputs("{\n", out);
    json_moment(out, "first", tally->first);
    json_moment(out, "last", tally->last);
    (void)fputs("  \"totals\": {", out);
    json_totals(out, tally->totals, TOTALS);
    (void)fputs("},\n  \"sessions_per_hour\": [", out);
    for (size_t i = 0; i < TALLY_HOURS; i++)
        (void)fprintf(out, "%s%" PRIu64, i > 0 ? ", " : "", tally->hours[i]);
    (void)fputc(']', out);
    json_servers(out, &tally->servers);
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
        put_escaped(out, is_rest ? slice_of(chart_others) : chart_part(row, k), "\"\\", codes);
        (void)fputc('"', out);
    }
    (void)fputs("} ", out);
    put_number(out, chart_value(row, column), column->unit);
    (void)fputc('\n', out);
}

static void prom_column(FILE *out, const struct chart *chart, const struct column *column,
                        const struct top *table, size_t rows)
{
    struct row rest;

    prom_head(out, column->metric, column->help);
    for (size_t i = 0; i < chart_shown(table, rows); i++)
        prom_row(out, chart, column, &table->rows[i], false);
    if (chart_rest(table, rows, &rest))
        prom_row(out, chart, column, &rest, true);
}

/* Of each host, if there are several. */
static void prom_servers(FILE *out, const struct servers *servers)
{
    static const char *const codes[] = { "\\\"", "\\\\" };

    for (size_t i = 0; i < TOTALS_OF_SERVER && servers->used > 1; i++) {
        char metric[64], help[96];

        (void)snprintf(metric, sizeof metric, "mailrecv_host_%s_total", totals[i].id);
        (void)snprintf(help, sizeof help, "%s, on this host.", totals[i].title);
        prom_head(out, metric, help);
        for (size_t h = 0; h < servers->used; h++) {
            (void)fprintf(out, "%s{host=\"", metric);
            put_escaped(out, slice_of(servers->list[h].name), "\"\\", codes);
            (void)fprintf(out, "\"} %" PRIu64 "\n", servers->list[h].totals[i]);
        }
    }
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
    prom_servers(out, &tally->servers);
    for (size_t i = 0; i < SECTIONS; i++)
        for (size_t c = 0; c < COLUMNS && charts[i].columns[c].name != NULL; c++)
            prom_column(out, &charts[i], &charts[i].columns[c], &tally->tables[i], rows);
}

/* ------------------------------------------------------------------------------------------------ */

output_writer *output_form(const char *name)
{
    static const struct {
        const char *name;
        output_writer *writer;
    } forms[] = { { "text", write_text }, { "html", output_html }, { "json", write_json }, { "prom", write_prom } };

    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        if (strcmp(name, forms[i].name) == 0)
            return forms[i].writer;
    return NULL;
}
