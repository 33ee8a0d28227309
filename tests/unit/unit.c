/* unit.c - runs the unit tests and prints TAP; arguments name suites, without any all run */
#include "unit.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"

static const struct {
    const char *name;
    void (*run)(void);
} suites[] = {
    { "chunk", test_chunk },
    { "slice", test_slice }, { "log", test_log },         { "envelope", test_envelope },
    { "line", test_line },   { "reply", test_reply },     { "message", test_message },
    { "client", test_client },   { "conf", test_conf },       { "rules", test_rules },
    { "pattern", test_pattern }, { "network", test_network }, { "sasl", test_sasl },
    { "wire", test_wire }, { "canonical", test_canonical }, { "dns", test_dns }, { "hosts", test_hosts },
    { "ledger", test_ledger }, { "lockout_db", test_lockout_db }, { "proxy", test_proxy }, { "told", test_told }, { "regex_lint", test_regex_lint }, { "scope", test_scope }, { "mend", test_mend },
    { "counts", test_counts }, { "said", test_said }, { "stored", test_stored }, { "shell", test_shell },
    { "where", test_where }, { "redis_place", test_redis_place }, { "tables", test_tables }, { "response", test_response },
    { "content", test_content }, { "connect", test_connect }, { "credentials", test_credentials }, { "tls", test_tls },
    { "policy", test_policy },
    { "milter", test_milter },
    { "netstring", test_netstring },
    { "milter_message", test_milter_message },
};

static const char *suite = "";
static unsigned tests, failures;

const char *show(struct slice text)
{
    static char shown[8][2048];
    static unsigned turn;
    char *out = shown[turn++ % 8];
    size_t used = 0;

    for (size_t i = 0; i < text.len && used < sizeof shown[0] - 8; i++) {
        unsigned char byte = (unsigned char)text.text[i];

        used += (size_t)snprintf(out + used, 8, byte < ' ' || byte > '~' || byte == '#' ? "\\x%02x" : "%c", byte);
    }
    out[used] = '\0';
    return out;
}

static bool __attribute__((format(printf, 2, 0))) report(bool passed, const char *what, va_list args)
{
    printf("%s %u - %s: ", passed ? "ok" : "not ok", ++tests, suite);
    vprintf(what, args);
    putchar('\n');
    failures += !passed;
    return passed;
}

bool ok(bool passed, const char *what, ...)
{
    va_list args;

    va_start(args, what);
    report(passed, what, args);
    va_end(args);
    return passed;
}

bool ok_number(uintmax_t got, uintmax_t want, const char *what, ...)
{
    va_list args;

    va_start(args, what);
    if (!report(got == want, what, args))
        printf("#   got:  %ju\n#   want: %ju\n", got, want);
    va_end(args);
    return got == want;
}

bool ok_text(struct slice got, struct slice want, const char *what, ...)
{
    bool same = slice_equal(got, want);
    va_list args;

    va_start(args, what);
    if (!report(same, what, args))
        printf("#   got:  \"%s\"\n#   want: \"%s\"\n", show(got), show(want));
    va_end(args);
    return same;
}

struct slice file_text(int fd)
{
    static char text[1 << 20];
    ssize_t len = pread(fd, text, sizeof text, 0);

    return (struct slice){ text, len < 0 ? 0 : (size_t)len };
}

static bool is_wanted(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return true;
    return argc == 1;
}

int main(int argc, char **argv)
{
    (void)alarm(600); /* nothing here waits for what does not come, but valgrind takes its time */
    if (!log_open("/dev/null"))
        return EXIT_FAILURE;
    for (size_t i = 0; i < COUNT(suites); i++) {
        if (!is_wanted(suites[i].name, argc, argv))
            continue;
        suite = suites[i].name;
        suites[i].run();
        fflush(stdout); /* a crash of the next one shall not swallow it */
    }
    printf("1..%u\n", tests);
    return failures == 0 && tests > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
