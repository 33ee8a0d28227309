/* html.h - a tally as a page of HTML with drawings, which needs nothing else */
#ifndef HTML_H
#define HTML_H

#include <stdio.h>

#include "programs/report/tally.h"

/* As output_writer (output.h) has it. */
void output_html(FILE *out, const struct tally *tally, size_t rows);

#endif
