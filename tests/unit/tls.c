/* tls.c - unit tests: TLS with other servers that never come to it, and what is left of the helper then */
#include "nexthop/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "unit.h"

enum { SOON_MS = 300, PATIENCE_MS = 10000 };

/* What somebody who is no TLS server does with the connection. */
enum deed { SAYS_NOTHING, SPEAKS_SMTP, CLOSES };

static const struct {
    const char *what, *helper, *authorities;
    enum deed deed;
    enum nexthop_trust trust;
    uint64_t patience;
    const char *reason;
} tries[] = {
    { "a server that says nothing", "", "", SAYS_NOTHING, NEXTHOP_ANYBODY, SOON_MS, "TLS failed: no answer in time" },
    { "one that speaks SMTP", "", "", SPEAKS_SMTP, NEXTHOP_ANYBODY, PATIENCE_MS,
      "TLS failed: handshake: the server does not speak TLS" },
    { "one that closes", "", "", CLOSES, NEXTHOP_ANYBODY, PATIENCE_MS,
      "TLS failed: handshake: the server has closed the connection" },
    { "no helper", "/nonexistent/helper", "", SAYS_NOTHING, NEXTHOP_ANYBODY, PATIENCE_MS,
      "TLS failed: cannot start mailrecv-tls: No such file or directory" },
    { "a helper that dies", "/bin/false", "", SAYS_NOTHING, NEXTHOP_ANYBODY, PATIENCE_MS,
      "TLS failed: mailrecv-tls has died" },
    { "no authorities", "", "/nonexistent/ca", SAYS_NOTHING, NEXTHOP_VERIFY, PATIENCE_MS,
      "TLS failed: cannot open /nonexistent/ca: No such file or directory" },
    { "authorities that are none", "", "/dev/null", SAYS_NOTHING, NEXTHOP_VERIFY, PATIENCE_MS,
      "TLS failed: cannot open /dev/null: Invalid argument" },
    { "no authorities, where it does not matter", "", "/nonexistent/ca", SAYS_NOTHING, NEXTHOP_LOOK, SOON_MS,
      "TLS failed: no answer in time" },
};

static int end_of_somebody(enum deed deed, int *ours)
{
    static const char greeting[] = "220 mail.example.com ESMTP\r\n";
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        abort();
    if (deed == SPEAKS_SMTP && write(ends[1], greeting, sizeof greeting - 1) < 0)
        abort();
    if (deed == CLOSES)
        (void)shutdown(ends[1], SHUT_WR);
    *ours = ends[0];
    return ends[1];
}

void test_tls(void)
{
    for (size_t i = 0; i < COUNT(tries); i++) {
        const uint64_t begin = clock_ms();
        struct nexthop_tls tls;
        char reason[512] = "";
        int ours, theirs = end_of_somebody(tries[i].deed, &ours), plain;

        nexthop_tls_use(slice_of(tries[i].helper), slice_of(tries[i].authorities));
        plain = nexthop_tls_start(&tls, ours, "mail.example.com", tries[i].trust, begin + tries[i].patience, reason, sizeof reason);
        ok(plain < 0 && fcntl(ours, F_GETFD) < 0, "%s: no connection, and none is left open", tries[i].what);
        ok_text(slice_of(reason), slice_of(tries[i].reason), "%s: the reason", tries[i].what);
        ok(clock_ms() - begin < PATIENCE_MS, "%s: not for long", tries[i].what);
        ok(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD, "%s: no process is left", tries[i].what);
        (void)close(theirs);
    }
}
