/* tally.h - what the lines of a log say, counted */
#ifndef TALLY_H
#define TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "programs/report/servers.h"
#include "programs/report/top.h"
#include "programs/report/total.h"

/* What is counted per key. The parts of a key, TALLY_PARTS at most, stand one on a line each. */
enum section {
    SECTION_RECIPIENTS, /* recipient, target: copies delivered and their bytes */
    SECTION_FAILURES,   /* result, recipient, reason */
    SECTION_REFUSALS,   /* code and text, stage */
    SECTION_HOSTS,      /* address: refusals */
    SECTION_COMMANDS,   /* command: runs and their milliseconds */
    SECTION_ENDS,       /* reason */
    SECTION_TROUBLES,   /* text of the line */
    SECTIONS
};

enum { TALLY_PARTS = 3, TALLY_HOURS = 24 };

/*
 * Days are numbers like 20261121, moments like 20261121235958: local time, as the line says it.
 * tally_clear makes a tally of nothing, for the days and the host that the caller has set.
 */
struct tally {
    unsigned from, to;     /* the days that count */
    unsigned tomorrow;     /* a date without a year is the last such day up to this one */
    uint64_t first, last;  /* moments of the earliest and the latest line that counted */
    uint64_t totals[TOTALS];
    uint64_t hours[TALLY_HOURS]; /* sessions that began in this hour of a day */
    struct top tables[SECTIONS];
    char file_of[SERVER_NAME]; /* whose log is being read, where the lines do not say so */
    struct servers servers;
};

/* Counts one line, given without its line end. The tables get printable ASCII only, whatever is in it. */
void tally_line(struct tally *tally, struct slice line);

/* Puts the rows of all tables in order. */
void tally_sort(struct tally *tally);

/* Forgets what was counted; the days and the host of the file stay. */
void tally_clear(struct tally *tally);

#endif
