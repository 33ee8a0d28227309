/* said.c - unit tests of said.h: which lines of output are replies */
#include "delivery/said.h"

#include "unit.h"

static const struct {
    const char *line;
    unsigned code;
    const char *status, *text;
} lines[] = {
    { "450 4.2.2 Over quota", 450, "2.2", "Over quota" },
    { "450 Over quota", 450, "", "Over quota" },
    { "4.2.2 Over quota", 451, "2.2", "Over quota" },
    { "5.2.2 Over quota", 554, "2.2", "Over quota" },
    { "2.6.0 Stored as 17", 250, "6.0", "Stored as 17" },
    { "250 Stored", 250, "", "Stored" },
    { "250 2.0.0  two blanks", 250, "0.0", "two blanks" },
    { "421 4.3.2 Shutting down", 421, "3.2", "Shutting down" },
    { "550", 550, "", "" },
    { "5.7.1", 554, "7.1", "" },
    { "599 5.999.999 x", 599, "999.999", "x" },
    { "550 450 x", 550, "", "450 x" },
    { "550 5.1 x", 550, "", "5.1 x" },
    /* of two classes, or of a class that says nothing of a message */
    { "450 5.2.2 x", 0, "", "" },
    { "550 4.2.2 x", 0, "", "" },
    { "251 x", 0, "", "" },
    { "354 x", 0, "", "" },
    { "600 x", 0, "", "" },
    { "099 x", 0, "", "" },
    { "3.0.0 x", 0, "", "" },
    /* words that only look like it */
    { "", 0, "", "" },
    { " 450 x", 0, "", "" },
    { "450x", 0, "", "" },
    { "450-4.2.2 x", 0, "", "" },
    { "4500 x", 0, "", "" },
    { "45 x", 0, "", "" },
    { "4.2.2x", 0, "", "" },
    { "4.2.2.2 x", 0, "", "" },
    { "4.2. x", 0, "", "" },
    { "4..2 x", 0, "", "" },
    { "4.2222.2 x", 0, "", "" },
    { "cannot open /tmp/450", 0, "", "" },
};

void test_said(void)
{
    for (size_t i = 0; i < COUNT(lines); i++) {
        struct said said = said_read(slice_of(lines[i].line));

        ok_number(said.code, lines[i].code, "the code of '%s'", lines[i].line);
        if (lines[i].code == 0)
            continue;
        ok_text(said.status, slice_of(lines[i].status), "the enhanced code of '%s'", lines[i].line);
        ok_text(said.text, slice_of(lines[i].text), "the text of '%s'", lines[i].line);
    }
}
