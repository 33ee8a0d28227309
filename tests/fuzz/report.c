/* report.c - fuzz target: a log; its sums are right, and each form of its picture is clean */
#include <string.h>

#include "programs/report/output.h"
#include "programs/report/tally.h"

#include "fuzz.h"

static struct tally tally;

/* Returns how often something was counted in it. */
static uint64_t check_table(const struct top *table)
{
    uint64_t counted = table->others.count;

    HOLDS(table->used <= TOP_ROWS);
    for (size_t i = 0; i < table->used; i++) {
        const struct row *row = &table->rows[i];

        counted += row->count;
        HOLDS(row->len <= TOP_KEY);
        HOLDS(i == 0 || table->by_max || row[-1].count >= row->count);
        for (size_t c = 0; c < row->len; c++)
            HOLDS(row->key[c] == '\n' || (row->key[c] >= ' ' && row->key[c] <= '~'));
    }
    return counted;
}

/* Nothing but printable ASCII, lines that end, and in HTML no element that is not ours. */
static void check_form(const char *name)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    HOLDS(out != NULL);
    output_form(name)(out, &tally, 3);
    HOLDS(fclose(out) == 0);
    HOLDS(size > 0 && text[size - 1] == '\n');
    for (size_t i = 0; i < size; i++)
        HOLDS(text[i] == '\n' || (text[i] >= ' ' && text[i] <= '~'));
    HOLDS(strcmp(name, "html") != 0 || (strcasestr(text, "<script") == NULL && strcasestr(text, "<img") == NULL));
    free(text);
}

void fuzz_report(const uint8_t *data, size_t size)
{
    static const char *const forms[] = { "text", "json", "prom", "html" };
    struct slice rest = { (const char *)data, size };
    const uint64_t *t = tally.totals;
    uint64_t hours = 0;

    tally.to = UINT32_MAX;
    tally_clear(&tally);
    while (rest.len > 0) {
        const char *end = memchr(rest.text, '\n', rest.len);
        size_t len = end != NULL ? (size_t)(end - rest.text) : rest.len;

        tally_line(&tally, (struct slice){ rest.text, len });
        len += end != NULL;
        rest = (struct slice){ rest.text + len, rest.len - len };
    }
    tally_sort(&tally);
    for (size_t i = 0; i < TALLY_HOURS; i++)
        hours += tally.hours[i];
    HOLDS(hours == t[TOTAL_SESSIONS] && t[TOTAL_IGNORED] <= t[TOTAL_LINES] && tally.first <= tally.last);
    HOLDS(check_table(&tally.tables[SECTION_RECIPIENTS]) == t[TOTAL_DELIVERED]);
    HOLDS(check_table(&tally.tables[SECTION_FAILURES]) >= t[TOTAL_DEFERRED] + t[TOTAL_REFUSED]); /* and lost messages */
    HOLDS(check_table(&tally.tables[SECTION_REFUSALS]) == t[TOTAL_REFUSALS]);
    HOLDS(check_table(&tally.tables[SECTION_HOSTS]) == t[TOTAL_REFUSALS]);
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        check_form(forms[i]);
}
