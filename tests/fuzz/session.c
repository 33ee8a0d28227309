/* session.c - fuzz target: a whole session; whatever is said, what is answered is SMTP */
/*
 * Byte 0: bit 0 is limit.bare_newline reject, bit 1 limit.smtp_ascii off, bit 2 LMTP. The others are all that
 * the client says. Everything is delivered to /dev/null. Session and monitor are one process here.
 */
#include "smtp.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "fuzz.h"

#define LIMITS \
    "domain mx.example\n" \
    "limit.smtp_commands 500\n" \
    "limit.smtp_unknowncmd 200\n" \
    "limit.smtp_failcmds 200\n" \
    "limit.smtp_data_size 2000\n" \
    "limit.smtp_rcpt_to 3\n" \
    "recipient_delimiter +\n" \
    "allowgroup friends \\.example$\n" \
    "allowgroup others ^198\\.\n" \
    "deliver rcpt_to a@mx.example append /dev/null\n" \
    "deliver allowgroup friends rcpt_to b@mx.example append /dev/null\n" \
    "deliver allowgroup others rcpt_to c@mx.example append /dev/null\n" \
    "deliver rcpt_to /^list-(.*)@mx/ append /dev/null\n" \
    "deliver rcpt_to @d.example append /dev/null\n" \
    "deliver rcpt_to postmaster@mx.example append /dev/null\n" \
    "refuse from @bad.example rcpt_to /^f/ 421 Go away\n" \
    "deliver not allowgroup others helo /h/ once rcpt_to /^f/ append /dev/null\n" \
    "deliver tls auth ann port 25 rcpt_to g@mx.example append /dev/null\n" \
    "also from <> once rcpt_to /./ append /dev/null\n" \
    "also rcpt_to @mx.example append /dev/null\n" \
    "error rcpt_to ^old 551 Gone\\, try elsewhere\n"

static const char *const configurations[] = {
    LIMITS,
    LIMITS "limit.bare_newline reject\n",
    LIMITS "limit.smtp_ascii off\n",
    LIMITS "limit.bare_newline reject\nlimit.smtp_ascii off\ndeadletter_file /dev/null\n",
    LIMITS "protocol lmtp\n",
    LIMITS "protocol lmtp\nlimit.bare_newline reject\n",
    LIMITS "protocol lmtp\nlimit.smtp_ascii off\n",
    LIMITS "protocol lmtp\nlimit.bare_newline reject\nlimit.smtp_ascii off\ndeadletter_file /dev/null\n",
};

/* Lines of at most 512 octets, three digits, printable text; no more replies than `most`. */
static void check_output(const char *text, size_t len, size_t most)
{
    size_t replies = 0;

    for (size_t at = 0; at < len;) {
        const char *line = text + at, *lf = memchr(line, '\n', len - at);
        size_t length;

        HOLDS(lf != NULL);
        length = (size_t)(lf - line) + 1;
        HOLDS(length <= 512 && length >= 7 && line[length - 2] == '\r');
        HOLDS(line[0] >= '2' && line[0] <= '5' && line[1] >= '0' && line[1] <= '9' && line[2] >= '0' && line[2] <= '9');
        HOLDS(line[3] == ' ' || line[3] == '-');
        for (size_t i = 0; i < length - 2; i++)
            HOLDS(line[i] >= ' ' && line[i] <= '~');
        replies += line[3] == ' ';
        at += length;
    }
    HOLDS(replies >= 1 && replies <= most);
}

/* How many replies there may be to these lines: by PRDR RCPT has another one, and the message three. */
static size_t count_lines(const uint8_t *data, size_t size)
{
    size_t lines = 0, most = 1;

    for (size_t i = 0; i < size; i++) {
        lines += data[i] == '\n';
        if (size - i >= 4 && slice_equal_nocase((struct slice){ (const char *)data + i, 4 }, slice_of("PRDR")))
            most = 2;
    }
    return lines * most;
}

void fuzz_session(const uint8_t *data, size_t size)
{
    static struct line_io io;
    static char output[1 << 20];
    static int in = -1, out = -1;
    static const volatile sig_atomic_t terminated;
    struct monitor *monitor;
    struct conf conf;
    struct client client;
    size_t replies;
    ssize_t len;

    if (size < 1 || size > 50000)
        return;
    if (in < 0) {
        in = memfd_create("input", MFD_CLOEXEC);
        out = memfd_create("output", MFD_CLOEXEC);
        HOLDS(in >= 0 && out >= 0 && log_open("/dev/null") && log_set_flags(slice_of("a")) == 1);
    }
    HOLDS(ftruncate(in, 0) == 0 && ftruncate(out, 0) == 0 && lseek(in, 0, SEEK_SET) == 0 && lseek(out, 0, SEEK_SET) == 0);
    HOLDS(pwrite(in, data + 1, size - 1, 0) == (ssize_t)size - 1);
    HOLDS(client_pretend(&client, "192.0.2.7=client.example") == CLIENT_OK);
    conf_parse(&conf, "fuzz.conf", slice_of(configurations[data[0] & 7]));
    HOLDS(conf.errors == 0);
    replies = count_lines(data + 1, size - 1) * (1 + session_lmtp(&conf.session)); /* there, to RCPT and for it */
    monitor = monitor_begin(&conf, &client, &terminated);
    HOLDS(monitor != NULL);
    line_init(&io, in, out, &terminated);
    smtp_session(smtp_greet(&io, monitor, &conf));
    monitor_end(monitor);
    conf_free(&conf);
    len = pread(out, output, sizeof output, 0);
    HOLDS(len > 0 && (size_t)len < sizeof output);
    check_output(output, (size_t)len, replies + 2); /* the greeting, and a last word when the input ends */
}
