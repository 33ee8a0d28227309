/* charts.h - what the tables of a tally are called, and what all forms of output do with their rows */
#ifndef CHARTS_H
#define CHARTS_H

#include <stdio.h>

#include "programs/report/tally.h"

/* How a number of a row is to be read. */
enum unit { COUNT, BYTES, MILLISECONDS };
enum value { OF_COUNT, OF_SUM, OF_MAX };

struct column {
    const char *name, *heading, *metric, *help; /* the metric has TYPE counter if its name ends in _total, else gauge */
    enum value value;
    enum unit unit;
};

enum { COLUMNS = 3 };

struct chart {
    const char *id, *title;
    const char *keys[TALLY_PARTS];
    struct column columns[COLUMNS]; /* the first is what charts show */
};

struct total_name {
    const char *id, *title;
};

extern const struct chart charts[SECTIONS];
extern const struct total_name totals[TOTALS];
extern const char *const chart_others; /* what rows are called that are not shown, together */

/* How many rows of the table are shown, of `rows` at most. */
size_t chart_shown(const struct top *table, size_t rows);

/* All rows that are not shown, as one. False when there are none. */
bool chart_rest(const struct top *table, size_t rows, struct row *rest);

/* What a column shows of a row. */
uint64_t chart_value(const struct row *row, const struct column *column);

/* Part i of a row's key. */
struct slice chart_part(const struct row *row, size_t i);

/* Text with some characters replaced: each of `from` by the text at its place in `to`. */
void put_escaped(FILE *out, struct slice text, const char *from, const char *const to[]);

/* Milliseconds as seconds, "1.234". */
void put_seconds(FILE *out, uint64_t milliseconds);

/* A number for programs. */
void put_number(FILE *out, uint64_t value, enum unit unit);

/* A number for people, as text that lasts until the next call. */
const char *readable(uint64_t value, enum unit unit);

/* 2026-11-21 23:59:58 */
void put_moment(FILE *out, uint64_t when, char between);

/* From the first moment to the last. */
void put_period(FILE *out, const struct tally *tally);

/* How many sessions the busiest hour of the day has had. */
uint64_t chart_busiest_hour(const struct tally *tally);

#endif
