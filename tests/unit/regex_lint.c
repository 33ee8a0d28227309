/* regex_lint.c - unit tests of regex_lint.h: which expressions match more than they seem to, and what was meant */
#include "patterns/regex_lint.h"

#include "unit.h"

enum { NONE = 999 };

/* `ends`: "" no loose end, "b" at the beginning, "e" at the end; `dot` is the first loose one, NONE: there is none. */
static const struct {
    enum regex_subject subject;
    struct slice pattern;
    const char *ends;
    size_t dot;
    const char *mended; /* NULL: as it is */
} looks[] = {
    /* names */
    { REGEX_NAME, SLICE("example.com"), "be", 7, "(^|\\.)example\\.com$" },
    { REGEX_NAME, SLICE("example\\.com$"), "b", NONE, "(^|\\.)example\\.com$" },
    { REGEX_NAME, SLICE("(^|\\.)example\\.com$"), "", NONE, NULL },
    { REGEX_NAME, SLICE("\\.example\\.com$"), "", NONE, NULL },
    { REGEX_NAME, SLICE(".example.com$"), "", 0, "\\.example\\.com$" },
    { REGEX_NAME, SLICE("^mail\\.example\\.com"), "e", NONE, "^mail\\.example\\.com$" },
    { REGEX_NAME, SLICE("^mail\\.example\\.com\\z"), "", NONE, NULL },
    { REGEX_NAME, SLICE("^mail[0-9]+.example\\.com$"), "", 11, "^mail[0-9]+\\.example\\.com$" },
    { REGEX_NAME, SLICE("^(www|mail).example.com$"), "", 11, "^(www|mail)\\.example\\.com$" },
    { REGEX_NAME, SLICE("^mx.*\\.example\\.com$"), "", NONE, NULL },
    { REGEX_NAME, SLICE("^dyn.*"), "", NONE, NULL },
    { REGEX_NAME, SLICE("^a$|b$"), "b", NONE, "(^|\\.)(^a$|b$)" },
    { REGEX_NAME, SLICE("(?i)example\\.com$"), "b", NONE, "(^|\\.)(?i)example\\.com$" },
    { REGEX_NAME, SLICE("(?:a|b)\\.example\\.com$"), "b", NONE, "(^|\\.)(?:a|b)\\.example\\.com$" },
    { REGEX_NAME, SLICE("(?<!x)\\.example\\.com$"), "", NONE, NULL },
    { REGEX_NAME, SLICE("(?<n>\\.)example\\.com$"), "", NONE, NULL },
    { REGEX_NAME, SLICE("[^0-9]"), "", NONE, NULL },
    { REGEX_NAME, SLICE("."), "", NONE, NULL },
    { REGEX_NAME, SLICE("^.*$"), "", NONE, NULL },
    { REGEX_NAME, SLICE("^[].a]x.y$"), "", 7, "^[].a]x\\.y$" },
    { REGEX_NAME, SLICE("^[[:alpha:].]x$"), "", NONE, NULL },
    { REGEX_NAME, SLICE("^\\p{L}x\\x{2e}y$"), "", NONE, NULL },
    { REGEX_NAME, SLICE("^local$"), "", NONE, NULL },
    /* addresses */
    { REGEX_ADDRESS, SLICE("^192\\.0\\.2\\."), "", NONE, NULL },
    { REGEX_ADDRESS, SLICE("^192.0.2."), "", 4, "^192\\.0\\.2\\." },
    { REGEX_ADDRESS, SLICE("^192\\.0\\.2"), "e", NONE, "^192\\.0\\.2\\." },
    { REGEX_ADDRESS, SLICE("^192\\.0\\.2\\.1"), "e", NONE, "^192\\.0\\.2\\.1$" },
    { REGEX_ADDRESS, SLICE("^192\\.0\\.2\\.[12]"), "e", NONE, "^192\\.0\\.2\\.[12]$" },
    { REGEX_ADDRESS, SLICE("^192\\.0\\.2\\.\\d{1,3}"), "", NONE, NULL },
    { REGEX_ADDRESS, SLICE("192\\.0\\.2\\."), "b", NONE, "^192\\.0\\.2\\." },
    { REGEX_ADDRESS, SLICE("^(192\\.0\\.2\\.|198\\.51\\.100\\.)"), "", NONE, NULL },
    { REGEX_ADDRESS, SLICE("^(192\\.0\\.2\\.1|192\\.0\\.2\\.2)"), "e", NONE, "^(192\\.0\\.2\\.1|192\\.0\\.2\\.2)$" },
    { REGEX_ADDRESS, SLICE("192\\.0\\.2\\.1$|192\\.0\\.2\\.2$"), "b", NONE, "^(192\\.0\\.2\\.1$|192\\.0\\.2\\.2$)" },
    { REGEX_ADDRESS, SLICE("^2001:db8:"), "", NONE, NULL },
    { REGEX_ADDRESS, SLICE("^2001:db8"), "e", NONE, "^2001:db8:" },
    { REGEX_ADDRESS, SLICE("^2001:db8::1"), "e", NONE, "^2001:db8::1$" },
    /* recipients */
    { REGEX_RECIPIENT, SLICE("^(sales|info)@"), "", NONE, NULL },
    { REGEX_RECIPIENT, SLICE("^postmaster(@|$)"), "", NONE, NULL },
    { REGEX_RECIPIENT, SLICE("^list-([a-z]+)@example\\.com$"), "", NONE, NULL },
    { REGEX_RECIPIENT, SLICE("^joe@example.com"), "e", 12, "^joe@example\\.com$" },
    { REGEX_RECIPIENT, SLICE("joe@example\\.com$"), "b", NONE, "^joe@example\\.com$" },
    { REGEX_RECIPIENT, SLICE("^joe.smith@example\\.com$"), "", NONE, NULL },
    { REGEX_RECIPIENT, SLICE("^x@(a|b).example\\.com$"), "", 8, "^x@(a|b)\\.example\\.com$" },
    { REGEX_RECIPIENT, SLICE("@example\\.com$"), "", NONE, NULL },
    { REGEX_RECIPIENT, SLICE("-bounces"), "", NONE, NULL },
    { REGEX_RECIPIENT, SLICE("sales"), "b", NONE, "^sales" },
};

void test_regex_lint(void)
{
    for (size_t i = 0; i < COUNT(looks); i++) {
        struct slice pattern = looks[i].pattern;
        struct suspicion s = regex_lint_look(pattern, looks[i].subject);
        char mended[256];

        ok_number(s.open_begin, strchr(looks[i].ends, 'b') != NULL, "%s: open at the beginning", show(pattern));
        ok_number(s.open_end, strchr(looks[i].ends, 'e') != NULL, "%s: open at the end", show(pattern));
        ok_number(s.dots > 0 ? s.first_dot : NONE, looks[i].dot, "%s: the first dot", show(pattern));
        regex_lint_mend(pattern, looks[i].subject, mended, sizeof mended);
        ok_text(slice_of(mended), looks[i].mended != NULL ? slice_of(looks[i].mended) : pattern, "%s: mended",
                show(pattern));
    }
}
