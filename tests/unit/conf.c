/* conf.c - unit tests of conf.h: what lines mean, and that what is printed reads back the same */
#include "conf/parser.h"

#include <stdio.h>
#include <stdlib.h>

#include "unit.h"

/* One line of a file, and the line that conf_print makes of it. */
static const struct {
    const char *line, *printed;
} settings[] = {
    { "domain mail.example.com", "domain mail.example.com" },
    { "  domain\tmail.example.com\t", "domain mail.example.com" },
    { "domain mail.example.com # ours", "domain mail.example.com" },
    { "domain \"mail.example.com\"", "domain mail.example.com" },
    { "domain mail.example.com\r", "domain mail.example.com" },
    { "debug csr", "debug csr" },
    { "debug -", "debug -" },
    { "", "debug -" },
    { "logfile stderr", "logfile stderr" },
    { "", "logfile syslog" },
    { "logfile /var/log/with#hash", "logfile /var/log/with#hash" },
    { "logfile \"/var/log/with blank\"", "logfile \"/var/log/with blank\"" },
    { "logfile \"/a \\\"b\\\" \\\\c\"", "logfile \"/a \\\"b\\\" \\\\c\"" },
    { "logfile \\#a", "logfile \"#a\"" },
    { "logfile a\"b", "logfile a\"b" },
    { "logfile \"\\\"a\"", "logfile \"\\\"a\"" },
    { "logfile a'", "logfile \"a'\"" },
    { "logfile a\xc2\xa0z", "logfile \"a\xc2\xa0z\"" },
    { "logfile a\\b", "logfile a\\b" },
    { "logfile \"a#b\"", "logfile a#b" },
    { "logfile \"a #b\"", "logfile \"a #b\"" },
    { "loghex off", "loghex off" },
    { "deadletter_file /dev/null", "deadletter_file /dev/null" },
    { "", "spool_directory /var/tmp" },
    { "", "fsync on" },
    { "fsync off", "fsync off" },
    { "", "mailbox.mode 600" },
    { "dns.reverse off", "dns.reverse off" },
    { "mailbox.mode 660", "mailbox.mode 660" },
    { "pipe.from_line on", "pipe.from_line on" },
    { "recipient_delimiter +-", "recipient_delimiter +-" },
    { "recipient_delimiter \\#", "recipient_delimiter \"#\"" },
    { "user mail", "user mail" },
    { "greeting  hello  there ", "greeting hello  there" },
    { "greeting hello # not this", "greeting hello" },
    { "greeting hello#this", "greeting hello#this" },
    { "greeting hello \\# this", "greeting hello \\# this" },
    { "greeting \"quotes stay\"", "greeting \"quotes stay\"" },
    { "greeting a\\\\#b", "greeting a\\\\#b" },
    { "domain d.example\ngreeting x", "greeting x" },
    { "domain d.example", "greeting d.example ESMTP mailrecv" },
    { "limit.smtp_commands 7", "limit.smtp_commands 7 421 4.7.0 Too many commands without a message" },
    { "limit.smtp_commands 2000000 500 No more", "limit.smtp_commands 2000000 500 5.7.0 No more" },
    { "limit.smtp_unknowncmd 1 421 4.9.9 Own code", "limit.smtp_unknowncmd 1 421 4.9.9 Own code" },
    { "limit.smtp_unknowncmd 1 421 5.9.x is no code", "limit.smtp_unknowncmd 1 421 4.7.0 5.9.x is no code" },
    { "limit.smtp_rcpt_to 100000", "limit.smtp_rcpt_to 100000 452 4.5.3 Too many recipients" },
    { "", "limit.smtp_data_size 24000000 552 5.3.4 Message is too large" },
    { "", "limit.connection_secs 600 421 4.4.2 The session took too long" },
    { "limit.smtp_ascii off", "limit.smtp_ascii off 500 5.5.2 Commands must be printable ASCII" },
    { "limit.fcrdns_check on 550 No name", "limit.fcrdns_check on 550 5.7.25 No name" },
    { "limit.bare_newline reject", "limit.bare_newline reject 550 5.5.2 Lines must end in CRLF" },
    { "limit.pipe_secs 5 450 # the text is missing\nlimit.pipe_secs 5", NULL },
    { "limit.pipe_secs 5\nlimit.pipe_secs 6", "limit.pipe_secs 6 451 4.3.0 The delivery took too long" },
    { "limit.pipe_secs 5 450 One\nlimit.pipe_secs 6", "limit.pipe_secs 6 451 4.3.0 The delivery took too long" },
    { "  allow remotehost ^192\\.0\\.2\\. # ours", "allow remotehost ^192\\.0\\.2\\. # ours" },
    { "deliver rcpt_to a@example.com pipe cat \\# no comment", "deliver rcpt_to a@example.com pipe cat \\# no comment" },
    { "domain \\\n mail.example.com", "domain mail.example.com" },
    { "\\\r\n domain\\\r\r\n\tmail.example.com", "domain mail.example.com" },
    { "greeting a \t\\\n \tb\\\nc", "greeting a b c" },
    { "greeting a\\\\\nloghex on", "greeting a\\\\" },
    { "logfile \"a \\\n b\"", "logfile \"a b\"" },
    { "# not this \\\nfsync off", "fsync off" },
    { "# nothing but a comment", "loghex on" },
    { "\xef\xbb\xbf" "domain bom.example", "domain bom.example" },
};

/* What a line must not be; the column of the first error is where to look. */
static const struct {
    struct slice text;
    unsigned line, column;
} errors[] = {
    { SLICE("nonsense"), 1, 1 },
    { SLICE("\n  nonsense\n"), 2, 3 },
    { SLICE("domain"), 1, 7 },
    { SLICE("domain -bad-.example"), 1, 8 },
    { SLICE("domain a.example b.example"), 1, 18 },
    { SLICE("domain a\0b"), 1, 9 },
    { SLICE("debug x"), 1, 7 },
    { SLICE("debug csX"), 1, 9 },
    { SLICE("logfile \"\""), 1, 9 },
    { SLICE("logfile \"a"), 1, 9 },
    { SLICE("logfile \"a\"b"), 1, 12 },
    { SLICE("logfile 'a'"), 1, 9 },
    { SLICE("logfile a\\"), 1, 10 },
    { SLICE("fsync on\xc2\xa0"), 1, 9 },
    { SLICE("fsync yes"), 1, 7 },
    { SLICE("fsync \\\n yes"), 1, 10 }, /* the second byte of the second line */
    { SLICE("fsync \\\n on\n\\\n bogus"), 3, 4 },
    { SLICE("logfile a \\\n#b"), 1, 11 },
    { SLICE("fsync on off"), 1, 10 },
    { SLICE("limit.smtp_commands 0"), 1, 21 },
    { SLICE("limit.smtp_commands -1"), 1, 21 },
    { SLICE("limit.smtp_commands 5x"), 1, 21 },
    { SLICE("limit.smtp_commands 18446744073709551617"), 1, 21 },
    { SLICE("limit.smtp_commands 5 250 Ok"), 1, 23 },
    { SLICE("limit.smtp_commands 5 600 No"), 1, 23 },
    { SLICE("limit.smtp_commands 5 42 No"), 1, 23 },
    { SLICE("limit.smtp_commands 5 421"), 1, 26 },
    { SLICE("limit.smtp_commands 5 421 5.7.0 No"), 1, 27 },
    { SLICE("limit.bare_newline on"), 1, 20 },
    { SLICE("allow host x"), 1, 7 },
    { SLICE("allow remotehost"), 1, 17 },
    { SLICE("allow remotehost a b"), 1, 20 },
    { SLICE("allowgroup office"), 1, 18 },
    { SLICE("deliver rcpt_to a append /dev/null"), 1, 17 },
    { SLICE("deliver rcpt_to postmaster append /dev/null"), 1, 17 },
    { SLICE("deliver rcpt_to @ append /dev/null"), 1, 18 },
    { SLICE("deliver rcpt_to a@b post /dev/null"), 1, 21 },
    { SLICE("deliver rcpt_to a@b append"), 1, 27 },
    { SLICE("deliver rcpt_to a@b append a b"), 1, 30 },
    { SLICE("deliver rcpt_to a@b pipe # nothing"), 1, 26 },
    { SLICE("deliver rcpt_to a@b exec cat"), 1, 26 },
    { SLICE("deliver rcpt_to a@b exec /bin/echo x%{sender}"), 1, 36 },
    { SLICE("deliver rcpt_to a@b exec /bin/echo %{nobody}"), 1, 36 },
    { SLICE("deliver allowgroup none rcpt_to a@b append /dev/null"), 1, 20 },
    { SLICE("deliver allowgroup a allowgroup b rcpt_to a@b append x\nallowgroup a x"), 1, 33 },
    { SLICE("error rcpt_to x 550"), 1, 20 },
    { SLICE("error rcpt_to x 250 Ok"), 1, 17 },
    { SLICE("error x 550 No"), 1, 7 },
};

/* The texts of targets and arguments, as they are meant. */
static const struct {
    const char *line;
    enum target_kind kind;
    const char *text, *arguments; /* each in brackets */
} targets[] = {
    { "append /var/mail/a", TARGET_APPEND, "/var/mail/a", "" },
    { "append \"/var/mail/a b\" # c", TARGET_APPEND, "/var/mail/a b", "" },
    { "maildir /home/a/Maildir/", TARGET_MAILDIR, "/home/a/Maildir/", "" },
    { "pipe  cat  -A  >/dev/null # comment", TARGET_PIPE, "cat  -A  >/dev/null", "" },
    { "pipe \"a b\" 'c' \"", TARGET_PIPE, "\"a b\" 'c' \"", "" },
    { "pipe echo a#b \\#c", TARGET_PIPE, "echo a#b #c", "" },
    { "exec /bin/cat", TARGET_EXEC, "/bin/cat", "" },
    { "exec /bin/echo a \"b c\" \\#d e#f # g", TARGET_EXEC, "/bin/echo", "[a][b c][#d][e#f]" },
    { "exec \"/opt/my prog\" %{sender} %{local} %", TARGET_EXEC, "/opt/my prog", "[1:%{sender}][1:%{local}][%]" },
    { "exec /bin/echo 1 2 3 4 5 6 7 8 9 10", TARGET_EXEC, "/bin/echo", "[1][2][3][4][5][6][7][8][9][10]" },
};

/* What conf_print makes of a configuration; to be freed. */
static char *print(struct conf *conf)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    if (out == NULL)
        abort();
    conf_print(conf, out);
    (void)fclose(out);
    return text;
}

/* Is this one of the lines of a text? */
static bool has_line(struct slice text, const char *line)
{
    size_t len = strlen(line);

    for (const char *p = text.text; p != NULL && (size_t)(p - text.text) < text.len; p++) {
        const char *lf = memchr(p, '\n', text.len - (size_t)(p - text.text));

        if (lf == NULL)
            return false;
        if ((size_t)(lf - p) == len && memcmp(p, line, len) == 0)
            return true;
        p = lf;
    }
    return false;
}

static void test_settings(void)
{
    for (size_t i = 0; i < COUNT(settings); i++) {
        const char *shown = show(slice_of(settings[i].line));
        struct conf conf, again;
        char *printed, *twice;

        conf_parse(&conf, "test.conf", slice_of(settings[i].line));
        if (settings[i].printed == NULL) {
            ok(conf.errors > 0, "%s: an error", shown);
            conf_free(&conf);
            continue;
        }
        ok_number(conf.errors, 0, "%s: no error", shown);
        printed = print(&conf);
        if (!ok(has_line(slice_of(printed), settings[i].printed), "%s: printed as %s", shown, settings[i].printed))
            printf("#   all of it: %s\n", show(slice_of(printed)));
        conf_parse(&again, "test.conf", slice_of(printed));
        ok_number(again.errors, 0, "%s: what was printed is good", shown);
        twice = print(&again);
        ok_text(slice_of(twice), slice_of(printed), "%s: ... and means the same", shown);
        conf_free(&again);
        conf_free(&conf);
        free(printed);
        free(twice);
    }
}

static void test_errors(void)
{
    for (size_t i = 0; i < COUNT(errors); i++) {
        struct conf conf;
        const struct conf_problem *problem;

        conf_parse(&conf, "test.conf", errors[i].text);
        problem = conf.problems;
        while (problem != NULL && problem->severity != SEVERITY_ERROR)
            problem = problem->next;
        if (!ok(problem != NULL && problem->line == errors[i].line && problem->column == errors[i].column,
                "%s: an error at %u:%u", show(errors[i].text), errors[i].line, errors[i].column) && problem != NULL)
            printf("#   it was at %u:%u: %s\n", problem->line, problem->column, problem->message);
        ok_number(conf.errors, 1, "%s: it is the only one", show(errors[i].text));
        conf_free(&conf);
    }
}

static void test_targets(void)
{
    for (size_t i = 0; i < COUNT(targets); i++) {
        char text[256], arguments[256] = "";
        const struct rule *rule;
        const struct target *target;
        struct conf conf;
        size_t used = 0;

        (void)snprintf(text, sizeof text, "deliver rcpt_to a@example.com %s\n", targets[i].line);
        conf_parse(&conf, "test.conf", slice_of(text));
        rule = conf.rules.first_rule;
        ok(conf.errors == 0 && rule != NULL, "%s: good", targets[i].line);
        if (rule == NULL)
            continue;
        target = &rule->target;
        ok_number(target->kind, targets[i].kind, "%s: kind", targets[i].line);
        ok_text(target->text, slice_of(targets[i].text), "%s: text", targets[i].line);
        for (size_t j = 0; j < target->argument_count; j++)
            used += (size_t)snprintf(arguments + used, sizeof arguments - used, "[%s%.*s]",
                                     target->arguments[j].stands_for != ARGUMENT_WORD ? "1:" : "",
                                     (int)target->arguments[j].text.len, target->arguments[j].text.text);
        ok_text(slice_of(arguments), slice_of(targets[i].arguments), "%s: arguments", targets[i].line);
        conf_free(&conf);
    }
}

/* All errors at once, in the order of their lines, whichever pass found them. */
static void test_order(void)
{
    static const unsigned lines[] = { 1, 2, 3, 5 };
    struct conf conf;
    size_t i = 0;

    conf_parse(&conf, "test.conf",
               BYTES("deliver allowgroup a rcpt_to a@example.com append /dev/null\n"
                     "nonsense\n"
                     "deliver allowgroup b rcpt_to a@example.com append /dev/null\n"
                     "fsync on\n"
                     "fsync maybe\n"));
    ok_number(conf.errors, COUNT(lines), "all errors are found");
    for (const struct conf_problem *p = conf.problems; p != NULL; p = p->next)
        if (p->severity == SEVERITY_ERROR && i < COUNT(lines)) {
            ok_number(p->line, lines[i], "error %zu is that of line %u", i + 1, lines[i]);
            i++;
        }
    ok_number(i, COUNT(lines), "... and all are listed");
    ok_text(source_place(conf.sources, 4, 1).text, BYTES("fsync on"), "conf_line 4");
    ok_text(source_place(conf.sources, 99, 1).text, BYTES(""), "conf_line beyond the end");
    conf_free(&conf);

    conf_parse(&conf, "test.conf", BYTES("deadletter_file /dev/null\n"));
    ok(!delivery_keeps_dead_letters(&conf.delivery), "/dev/null keeps no dead letters");
    conf_free(&conf);
    conf_parse(&conf, "test.conf", BYTES("deadletter_file /var/mail/dead\n"));
    ok(delivery_keeps_dead_letters(&conf.delivery), "a file does");
    conf_free(&conf);
    conf_parse(&conf, "test.conf", BYTES(""));
    ok(!delivery_keeps_dead_letters(&conf.delivery), "none does not");
    conf_free(&conf);
    conf_load(&conf, "/nonexistent/mailrecv.conf");
    ok_number(conf.errors, 1, "a file that is not there is an error");
    conf_free(&conf);
}

/* A word ends where it ends, however long it is, whatever stands in it, and whatever follows. */
static void test_words(void)
{
    static const char *const ends[] = { "", " ", "\t", " #x", "\t# y", "\r\n", "\ndomain a.example" };
    static const char inside[] = "$%\x80\xff~\"#\x01!";
    size_t wrong = 0;

    for (size_t len = 1; len < 20; len++)
        for (size_t at = 0; at < len; at++)
            for (size_t i = 0; i < COUNT(ends) * (COUNT(inside) - 1); i++) {
                char text[64], *word = text + strlen("logfile ");
                struct conf conf;

                (void)snprintf(text, sizeof text, "logfile %.*s%s", (int)len, "aaaaaaaaaaaaaaaaaaaa",
                               ends[i / (COUNT(inside) - 1)]);
                if (at > 0)
                    word[at] = inside[i % (COUNT(inside) - 1)];
                conf_parse(&conf, "test.conf", slice_of(text));
                wrong += conf.errors > 0 || !slice_equal(conf.base.logfile, (struct slice){ word, len });
                conf_free(&conf);
            }
    ok_number(wrong, 0, "words of 1 to 19 bytes");
}

/* The tables of all rooms: texts end within their arrays, names and places in the output are taken once. */
static void test_keywords(void)
{
    ok(keywords_count() > 0 && keywords_count() <= KEYWORDS_MOST, "there are not too many keywords");
    for (size_t i = 0; i < keywords_count(); i++) {
        const struct keyword *k = keywords_row(i);
        size_t same = 0;

        ok(memchr(k->name, '\0', sizeof k->name) != NULL && memchr(k->status, '\0', sizeof k->status) != NULL &&
           memchr(k->words, '\0', sizeof k->words) != NULL &&
           memchr(k->default_text, '\0', sizeof k->default_text) != NULL, "keyword %zu: its texts fit", i);
        ok_number(keywords_find(slice_of(k->name)), i, "%s: it is found", k->name);
        for (size_t j = 0; j < i; j++)
            same += k->order > 0 && keywords_row(j)->order == k->order;
        ok_number(same, 0, "%s: its place in what -t prints is its own", k->name);
    }
}

void test_conf(void)
{
    test_keywords();
    test_settings();
    test_errors();
    test_targets();
    test_order();
    test_words();
}
