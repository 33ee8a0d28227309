/* output.h - a tally as text, HTML, JSON or metrics */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <stdio.h>

#include "programs/report/tally.h"

/* Writes the whole picture of a sorted tally, at most `rows` rows of each table. Errors stay in the stream. */
typedef void output_writer(FILE *out, const struct tally *tally, size_t rows);

/* The writer of "text", "html", "json" or "prom"; NULL: there is no such form. */
output_writer *output_form(const char *name);

#endif
