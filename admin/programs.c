/* programs.c - what the exit statuses of known programs are worth: a table of those that say too little; pure */
/*
 * Each row was seen by running the program as a delivery command, in good and bad situations. In the lists of words, x*
 * is the beginning of one, *x* what stands in one, and -x an option of one letter, also together with others.
 */
#include "admin/programs.h"

#include <string.h>

#define DATA "-d -F -T --data* --form* --json* --upload-file*"
#define FAILS_FULL "on a full disk"

const struct known_program programs[] = {
    { "amqp-publish", "", "", "", false, 0, MAIL_LOST, { 0 },
      "when the queue is missing, full, or bound to nothing", "exec mailrecv-publish amqp://HOST/...", "0.11.0" },
    { "amqp-publish", "", "", "", false, 0, MAIL_COPIED, { 0 },
      "waits while the broker is short of memory, is killed, and has published all the same",
      "exec mailrecv-publish amqp://HOST/...", "0.11.0" },
    { "redis-cli", "", "", "-e", false, 0, MAIL_LOST, { 0 },
      "when Redis answers with an error: wrong type, password, no memory, read-only", "redis-cli -e -x ...", "7.0.15" },
    { "redis-cli", "publish lpushx rpushx nomkstream", "", "", false, 0, MAIL_LOST, { 0 },
      "when nobody listens, or the list or stream is missing", "redis-cli -e -x, with XADD or RPUSH", "7.0.15" },
    { "mosquitto_pub", "", "", "5 mqttv5 -V5", false, READ_BY_SHELL, MAIL_LOST, { 0 },
      "when the broker refuses topic or size",
      "e=$(mosquitto_pub -V 5 -q 1 -s ... 2>&1) && [ -z \"$e\" ] || { echo \"$e\"; exit 75; }", "2.0.11" },
    { "curl", DATA, "smtp* imap* ftp*", "*%{http_code}* *%{response_code}*", false, 0, MAIL_LOST, { 0 },
      "at a redirect, and without -f at any answer",
      "c=$(curl -sS -o /dev/null -w '%{http_code}' ...) || exit 75; case $c in 2*) ;; *) exit 75;; esac", "7.88.1" },
    { "curl", DATA " smtp* imap*", "http://*", "", false, 0, MAIL_BOUNCED, { 65, 67, 77 },
      "when a CA file is missing, a password is refused, or a pipe cannot be sent again", "curl ... || exit 75",
      "7.88.1" },
    { "http https", "", "", "--check-status", false, 0, MAIL_LOST, { 0 },
      "whatever the answer is", "http --check-status ..., without --follow", "3.2.1" },
    { "http https", "--follow -F", "", "", false, 0, MAIL_LOST, { 0 },
      "at a redirect, which it follows by GET", "http --check-status ..., without --follow", "3.2.1" },
    { "apprise", "", "", "", false, 0, MAIL_LOST, { 0 },
      "at a redirect, which it follows by GET", "curl, with -w '%{http_code}' (mailrecv-recipes(7))", "1.2.0" },
    { "kcat kafkacat", "-P", "", "/dev/stdin", false, 0, MAIL_LOST, { 0 },
      "having made a record of each line, without the empty ones", "kcat -P ... /dev/stdin", "1.7.1" },
    { "public-inbox-mda", "", "", "", false, 0, MAIL_BOUNCED, { 67 },
      "while its configuration cannot be read", "public-inbox-mda ... || exit 75", "1.9.0" },
    { "maildrop", "-d", "", "", false, 0, MAIL_BOUNCED, { 67 },
      "while authdaemon is not running", "maildrop -d USER || exit 75", "2.9.3" },
    { "mailpost", "", "", "-b", false, 0, MAIL_LOST, { 0 },
      "once it has failed: the article is noted as seen, and no retry can post it",
      "d=$(mktemp -d); mailpost -b $d -t $d ...; r=$?; rm -r $d; exit $r", "2.7.1" },
    { "mailpost", "", "", "-t", false, 0, MAIL_LOST, { 0 },
      "having posted a part, when there was no room for the article",
      "d=$(mktemp -d); mailpost -b $d -t $d ...; r=$?; rm -r $d; exit $r", "2.7.1" },
    { "mlmmj-receive mlmmj-recieve", "", "", "-F", false, 0, MAIL_LOST, { 0 },
      "before it has processed the message, and nothing does so later if there is no room for that",
      "mlmmj-receive -F -L LIST", "1.3.0" },
    { "mhonarc", "-add", "", "", false, CHECKED, MAIL_LOST, { 0 },
      "on a full disk, with the message before",
      "[ \"$(df --output=avail -k DIR | tail -n 1)\" -gt 10000 ] && mhonarc ...",
      "2.6.19" },
    { "rt-mailgate", "", "", "--debug", false, READ_BY_SHELL, MAIL_LOST, { 0 },
      "when Request Tracker refuses the message",
      "o=$(rt-mailgate --debug ... 2>&1) || exit 75; case $o in *'not ok - '*) echo \"$o\"; exit 65;; esac", "5.0.3" },
    { "rdm-mailhandler.rb", "", "", "", false, 0, MAIL_BOUNCED, { 77 },
      "at 404, 408 and 429, as while Redmine is busy or being installed", "rdm-mailhandler.rb ... || exit 75", "5.0.4" },
    { "msmtp", "", "", "", false, 0, MAIL_BOUNCED, { 77 },
      "when the server refuses to log in, also for now", "msmtp ...; case $? in 0) ;; 65) exit 65;; *) exit 75;; esac",
      "1.8.23" },
    { "sqlite3", "*.import*", "", "", false, 0, MAIL_LOST, { 0 },
      "when .import breaks a constraint", "insert into ... values (readfile('/dev/stdin'))", "3.40.1" },
    { "psql", "", "-c --command* -l", "*on_error_stop*", false, 0, MAIL_LOST, { 0 },
      "when a statement of a script fails", "psql -v ON_ERROR_STOP=1 ...", "15.20" },
    { "mariadb mysql", "*load*data*", "", "*warning_count*", false, 0, MAIL_LOST, { 0 },
      "when LOAD DATA cuts the message at the size of the column, or meets a duplicate",
      "r=$(mariadb -N DB -e \"load data ...; select @@warning_count\") && [ \"$r\" = 0 ] || exit 75", "10.11.19" },
    { "swaks", "*@*,*", "", "", false, 0, MAIL_LOST, { 0 },
      "when one of several recipients is accepted", "swaks once for each recipient", "20201014.0" },
    { "putmail", "maildir:* mh:*", "", "", false, 0, MAIL_LOST, { 0 }, FAILS_FULL,
      "a target maildir, or mdeliver of mblaze", "3.15" },
    { "reformail", "-s", "", "", false, 0, MAIL_LOST, { 0 },
      "whatever the command behind -s exits with", "formail -s ...", "2.9.3" },
    { "munpack", "", "", "", false, 0, MAIL_LOST, { 0 }, FAILS_FULL,
      "uudeview, which exits with 2 then", "1.6" },
    { "ripmime", "", "", "", false, CHECKED, MAIL_LOST, { 0 }, "on a full disk, or where it cannot write",
      "[ -w DIR ] && [ \"$(df --output=avail -B1 DIR | tail -n 1)\" -gt $((MESSAGE_SIZE * 2)) ] && ripmime ... || exit 75",
      "1.4.0.10" },
    { "logger", "", "-n --server*", "--socket-errors=on", false, TALKS, MAIL_LOST, { 0 },
      "when nobody listens at /dev/log", "logger --socket-errors=on ...", "2.38.1" },
    { "logger", "-n --server*", "", "-T --tcp", false, TALKS, MAIL_LOST, { 0 },
      "when the server is not there", "logger -T -n HOST ...", "2.38.1" },
    { "fdm", "", "", "", false, READ_BY_SHELL, MAIL_LOST, { 0 }, "whatever fails",
      "o=$(fdm -m -a stdin fetch 2>&1); case $o in *'1 messages processed (0 kept)'*) ;; *) echo \"$o\"; exit 75;; esac",
      "1.9" },
    { "queue", "", "", "", false, CHECKED, MAIL_LOST, { 0 }, FAILS_FULL ", and the list gets nothing",
      "to-sympa of mailrecv-recipes(7); or "
      "[ \"$(df --output=avail -B1 SPOOL | tail -n 1)\" -gt $((MESSAGE_SIZE + 1000000)) ] && queue LIST || exit 75",
      "6.2.70" },
    { "queue", "", "", "", false, 0, MAIL_BOUNCED, { 77 }, "when Sympa's spool is not there",
      "queue LIST || exit 75", "6.2.70" },
    { "rspamc", "--exec*", "", "", false, 0, MAIL_COPIED, { 0 },
      "exits with 1 while rspamd is down, although its command has stored the message",
      "rspamc --mime >$t && [ \"$(stat -c %s $t)\" -ge \"$MESSAGE_SIZE\" ] || exit 75; COMMAND <$t", "3.4" },
    { "rspamc", "--mime", "", "", true, CHECKED, MAIL_LOST, { 0 }, FAILS_FULL,
      "rspamc --mime >$t && [ \"$(stat -c %s $t)\" -ge \"$MESSAGE_SIZE\" ] || exit 75", "3.4" },
    { "openssl", "-encrypt", "", "", true, 0, MAIL_LOST, { 0 }, FAILS_FULL,
      "in a script for bash: set -o pipefail; openssl ... | cat >FILE || exit 75", "3.0.20" },
    { "busybox", "sed awk", "", "", true, 0, MAIL_LOST, { 0 }, FAILS_FULL, "busybox ... | cat >FILE", "1.35" },
    { "mlr", "", "", "", true, 0, MAIL_LOST, { 0 }, FAILS_FULL, "mlr ... | cat >FILE", "6.6.0" },
    { "parallel", "--pipe", "", "", true, 0, MAIL_LOST, { 0 }, FAILS_FULL,
      "parallel --pipe 'cat >>FILE'", "20221122" },
    { "chronic", "", "", "", true, 0, MAIL_LOST, { 0 }, FAILS_FULL, "chronic sh -c '... >FILE'", "0.67" },
    { "spamc", "", "", "", true, 0, MAIL_LOST, { 0 }, FAILS_FULL,
      "in a script for bash: set -o pipefail; spamc -x | cat >FILE || exit 75", "4.0.1" },
    { "bogofilter", "-p", "", "-e", false, 0, MAIL_COPIED, { 0 },
      "exits with 1 for mail that is no spam, although it has written it", "bogofilter -e -p ...", "1.2.5" },
    { "nc ncat netcat", "", "-z -U -l", "", false, 0, MAIL_LOST, { 0 },
      "although nobody has read what it sent", "a target smtp or lmtp, or curl with -w '%{http_code}'", "1.219" },
    { "socat", "tcp* udp*", "", "", false, 0, MAIL_LOST, { 0 },
      "although nobody has read what it sent", "a target smtp or lmtp, or curl with -w '%{http_code}'", "1.7.4" },
    { "tsp", "", "", "", false, 0, MAIL_LOST, { 0 },
      "before its command has run, which cannot read the message", "the command itself, or a file in a spool of yours",
      "1.0.1" },
};

const size_t programs_count = sizeof programs / sizeof programs[0];

/* What is behind the first place in a word that reads so, whatever the case; its text is NULL if there is none. */
static struct slice behind(struct slice word, struct slice part)
{
    for (size_t i = 0; i + part.len <= word.len; i++)
        if (slice_equal_nocase((struct slice){ word.text + i, part.len }, part))
            return (struct slice){ word.text + i + part.len, word.len - i - part.len };
    return (struct slice){ NULL, 0 };
}

/* Does a word contain this? A * in it is anything. */
static bool contains(struct slice word, struct slice part)
{
    const char *star;

    while (word.text != NULL && (star = memchr(part.text, '*', part.len)) != NULL) {
        const size_t len = (size_t)(star - part.text);

        word = behind(word, (struct slice){ part.text, len });
        part = (struct slice){ star + 1, part.len - len - 1 };
    }
    return word.text != NULL && behind(word, part).text != NULL;
}

static bool is_option(struct slice word, char letter)
{
    size_t i = 1;

    if (word.len < 2 || word.text[0] != '-')
        return false;
    while (i < word.len && word.text[i] != letter && lower_ascii(word.text[i]) >= 'a' &&
           lower_ascii(word.text[i]) <= 'z')
        i++;
    return i < word.len && word.text[i] == letter;
}

static bool fits(struct slice word, struct slice pattern)
{
    size_t len = pattern.len;

    if (len > 2 && pattern.text[0] == '*')
        return contains(word, (struct slice){ pattern.text + 1, len - 2 });
    if (len > 1 && pattern.text[len - 1] == '*')
        return word.len >= len - 1 &&
               slice_equal_nocase((struct slice){ word.text, len - 1 }, (struct slice){ pattern.text, len - 1 });
    if (len == 2 && pattern.text[0] == '-')
        return is_option(word, pattern.text[1]);
    return slice_equal_nocase(word, pattern);
}

/* Is one of the words behind the name one of this list? */
static bool has(const struct shell_command *command, size_t first, const char *list)
{
    size_t len;

    for (const char *p = list; *p != '\0'; p += len + (p[len] == ' ')) {
        len = strcspn(p, " ");
        for (size_t i = first + 1; i < command->count; i++)
            if (fits(command->words[i], (struct slice){ p, len }))
                return true;
    }
    return false;
}

static struct slice base_name(struct slice word)
{
    const char *slash = memrchr(word.text, '/', word.len);

    return slash == NULL ? word : (struct slice){ slash + 1, word.len - (size_t)(slash + 1 - word.text) };
}

/* Sympa's queue has a name that others may have, too. */
bool programs_is(struct slice word, const char *names)
{
    struct slice name = base_name(word);
    size_t len;

    if (strcmp(names, "queue") == 0)
        return slice_equal(name, slice_of(names)) && contains(word, slice_of("sympa"));
    for (; *names != '\0'; names += len + (names[len] == ' ')) {
        len = strcspn(names, " ");
        if (slice_equal(name, (struct slice){ names, len }))
            return true;
    }
    return false;
}

size_t programs_begin(const struct shell_command *command)
{
    static const struct {
        char name[8], with_value[8]; /* options that take a word */
        size_t words;                /* of its own before the command */
    } wrappers[] = { { "exec", "a", 0 }, { "env", "uCS", 0 },    { "nice", "n", 0 },  { "timeout", "ks", 1 },
                     { "nohup", "", 0 }, { "command", "", 0 }, { "setsid", "", 0 }, { "ionice", "cn", 0 },
                     { "flock", "wE", 1 }, { "sudo", "ugh", 0 }, { "stdbuf", "ioe", 0 } };
    size_t at = 0, i = 0;

    while (at < command->count && i < sizeof wrappers / sizeof wrappers[0]) {
        size_t own = wrappers[i].words;

        if (!programs_is(command->words[at], wrappers[i].name)) {
            i++;
            continue;
        }
        for (at++; at < command->count; at++) {
            struct slice word = command->words[at];

            if (word.len > 1 && word.text[0] == '-')
                at += word.len == 2 && strchr(wrappers[i].with_value, word.text[1]) != NULL;
            else if (memchr(word.text, '=', word.len) == NULL && own-- == 0)
                break;
        }
        i = 0;
    }
    return at < command->count ? at : command->count;
}

/* All that its failures say is temporary already. */
static bool is_lenient(const struct known_program *row, const struct shell_command *command,
                       const struct leniency *leniency)
{
    if (leniency->temporary || !command->decides)
        return true;
    for (size_t i = 0; i < sizeof row->statuses && row->statuses[i] != 0; i++)
        if (statuses_meaning(leniency->statuses, row->statuses[i]) >= MEANING_REFUSED)
            return false;
    return true;
}

/* What hands on what it reads, maybe changed; what only looks at things, tells them or makes room for others. */
static const char filters[] = "cat head tail tr cut sed awk grep sort uniq dd formail tee busybox mlr fold fmt nl rev tac "
                              "paste od base64 gzip xz zstd";
static const char lookers[] = "echo printf true : [ wc date df ls stat yes seq env id hostname basename dirname md5sum "
                              "sha256sum find ps mount getent [[";

static bool is_harmless(struct slice word)
{
    return programs_is(word, filters) || programs_is(word, lookers);
}

/* logger reads no message where it has a text for its last word, which is no value of an option, or what others say. */
static bool talks(const struct shell_command *command, size_t first)
{
    struct slice last = command->words[command->count - 1];
    struct slice before = command->words[command->count > 1 ? command->count - 2 : 0];

    if (command->fed_by.len > 0 && !programs_is(command->fed_by, filters))
        return true;
    return command->count > first + 1 && (last.len == 0 || last.text[0] != '-') &&
           (command->count == first + 2 || before.len < 2 || before.text[0] != '-' || before.text[1] == '-' ||
            strchr("tpnPSuf", before.text[before.len - 1]) == NULL);
}

bool programs_warns(const struct known_program *row, const struct shell_command *command, size_t first, bool checked,
                    const struct leniency *leniency)
{
    bool open = command->open; /* any word may be among those that are not known */
    bool honest = row->unless[0] != '\0' ? open || has(command, first, row->unless) : row->honest != 0;

    if (first >= command->count || !programs_is(command->words[first], row->names) ||
        (row->when[0] != '\0' && !has(command, first, row->when)) ||
        (row->but[0] != '\0' && (open || has(command, first, row->but))) ||
        (row->to_file && !command->to_file && !has(command, first, "-out")))
        return false;
    if (row->consequence == MAIL_BOUNCED)
        return !is_lenient(row, command, leniency);
    if ((row->honest & TALKS) != 0 && talks(command, first))
        return false;
    if ((row->honest & READ_BY_SHELL) != 0)
        honest = honest && command->substituted;
    if ((row->honest & CHECKED) != 0)
        honest = honest && checked;
    return !honest;
}

bool programs_matters(const struct shell_command *command, size_t first)
{
    struct slice word = first < command->count ? command->words[first] : (struct slice){ "", 0 };

    return command->piped && !command->substituted && !command->judged && word.len > 0 && word.text[0] != '$' &&
           !is_harmless(word);
}

bool programs_does(const struct shell_command *command, size_t first)
{
    static const char none[] = "test false exit return set cd umask export local readonly declare typeset unset shift "
                               "trap wait read break continue sleep rm mkdir rmdir touch chmod chown mktemp logger "
                               "vacation kill exec ulimit command sync disown";
    static const char writes[] = "cat tee dd sed awk formail gzip base64";
    struct slice word = first < command->count ? command->words[first] : (struct slice){ "", 0 };

    return !command->function && word.len > 0 && word.text[0] != '$' && memchr(word.text, '(', word.len) == NULL &&
           (!is_harmless(word) || (command->to_file && programs_is(word, writes))) &&
           !programs_is(word, none);
}

/* Words of a shell that are no programs. */
static bool is_of_shell(struct slice word)
{
    static const char words[][9] = { ".", ":", "!", "{", "}", "[", "[[", "alias", "break", "case", "cd", "command",
        "continue", "do", "done", "echo", "else", "eval", "exit", "export", "false", "fi", "for", "getopts", "hash", "if",
        "local", "printf", "pwd", "read", "readonly", "return", "set", "shift", "test", "then", "times", "trap", "true",
        "type", "ulimit", "umask", "unalias", "unset", "until", "wait", "while" };

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (slice_equal(word, slice_of(words[i])))
            return true;
    return false;
}

struct slice programs_plain(struct slice command)
{
    static const char ends[] = " \t;&|<>", unclear[] = "$`\"'\\*?[]~(){}#!";
    struct slice rest = command, word;

    do {
        while (rest.len > 0 && (rest.text[0] == ' ' || rest.text[0] == '\t')) {
            rest.text++;
            rest.len--;
        }
        word = (struct slice){ rest.text, 0 };
        if (rest.len >= 5 && memcmp(rest.text, "PATH=", 5) == 0)
            return (struct slice){ "", 0 };
        for (; word.len < rest.len && strchr(ends, rest.text[word.len]) == NULL; word.len++)
            if (strchr(unclear, rest.text[word.len]) != NULL)
                return (struct slice){ "", 0 };
        rest.text += word.len;
        rest.len -= word.len;
        if (rest.len > 0 && strchr("<>", rest.text[0]) != NULL && strspn(word.text, "0123456789") == word.len)
            return (struct slice){ "", 0 }; /* a descriptor, which is redirected */
    } while (word.len > 0 && (memchr(word.text, '=', word.len) != NULL || slice_equal(word, slice_of("exec"))));
    return is_of_shell(word) ? (struct slice){ "", 0 } : word;
}
