/* html.c - a tally as a page of HTML with drawings, which needs nothing else */
#include "programs/report/html.h"

#include <inttypes.h>

#include "programs/report/charts.h"

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
    uint64_t most = chart_busiest_hour(tally);

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
        struct slice text = chart_part(row, k);
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
    uint64_t value = chart_value(row, &chart->columns[0]);
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
                  chart_shown(table, rows) * STEP, chart->title);
    for (size_t i = 0; i < chart_shown(table, rows); i++)
        if (chart_value(&table->rows[i], &chart->columns[0]) > most)
            most = chart_value(&table->rows[i], &chart->columns[0]);
    for (size_t i = 0; i < chart_shown(table, rows); i++)
        html_bar(out, chart, &table->rows[i], most, (int)i * STEP);
    (void)fputs("</svg>\n", out);
}

static void html_row(FILE *out, const struct chart *chart, const struct row *row, bool is_rest)
{
    (void)fputs("<tr>", out);
    for (size_t c = 0; c < COLUMNS && chart->columns[c].name != NULL; c++) {
        (void)fputs("<td class=\"n\">", out);
        put_number(out, chart_value(row, &chart->columns[c]), chart->columns[c].unit);
        (void)fputs("</td>", out);
    }
    for (size_t k = 0; k < TALLY_PARTS && chart->keys[k] != NULL; k++) {
        (void)fputs("<td>", out);
        html_text(out, is_rest ? slice_of(k == 0 ? chart_others : "") : chart_part(row, k));
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
    for (size_t i = 0; i < chart_shown(table, rows); i++)
        html_row(out, chart, &table->rows[i], false);
    if (chart_rest(table, rows, &rest))
        html_row(out, chart, &rest, true);
    (void)fputs("</table></details>\n", out);
}

/* A column for each host, if there are several. */
static void html_servers(FILE *out, const struct servers *servers)
{
    if (servers->used < 2)
        return;
    (void)fputs("<h2>Hosts side by side</h2>\n<table>\n<tr>", out);
    for (size_t h = 0; h < servers->used; h++) {
        (void)fputs("<th class=\"n\">", out);
        html_text(out, slice_of(servers->list[h].name));
        (void)fputs("</th>", out);
    }
    (void)fputs("<th></th></tr>\n", out);
    for (size_t i = 0; i < TOTALS_OF_SERVER; i++) {
        (void)fputs("<tr>", out);
        for (size_t h = 0; h < servers->used; h++)
            (void)fprintf(out, "<td class=\"n\">%" PRIu64 "</td>", servers->list[h].totals[i]);
        (void)fprintf(out, "<td>%s</td></tr>\n", totals[i].title);
    }
    (void)fputs("</table>\n", out);
}

void output_html(FILE *out, const struct tally *tally, size_t rows)
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
    html_servers(out, &tally->servers);
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
