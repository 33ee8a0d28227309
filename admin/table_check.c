/* table_check.c - whether tables can be asked, and what is wrong in those that are text files (-t) */
#include "admin/table_check.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/lint.h"
#include "admin/probe.h"
#include "admin/table_keys.h"
#include "base/clock.h"
#include "base/guarded.h"
#include "base/log.h"
#include "base/process.h"
#include "base/text.h"
#include "delivery/path.h"
#include "patterns/network.h"
#include "tables/line.h"
#include "tables/lines.h"
#include "tables/table.h"

enum {
    PATIENCE_MS = 5000,
    OTHERS = 64 /* bytes of how many more there are */
};

static volatile sig_atomic_t never;

#define warn(conf, table, text, ...) \
    conf_complain(conf, SEVERITY_WARNING, (table)->line, conf_column_of(conf, (table)->line, text), __VA_ARGS__)

/* ---- text files ------------------------------------------------------------------------------- */

/* What can be wrong with a line. */
enum fault { BAD, NUL, COLON, NETWORK, NO_HASH, NO_PATH, FAULTS };

static const char *const faults[FAULTS] = {
    [BAD] = "counts for nothing, expected KEY VALUE or \"KEY\" VALUE",
    [NUL] = "has a NUL: this is no text file; a database is asked by exec mailrecv-lookup",
    [COLON] = "has a colon in its key, of which it is taken for a part, expected KEY VALUE with a blank between them",
    [NETWORK] = "has a network for a key, as no client is called: write it in a line allowgroup NAME NETWORK",
    [NO_HASH] = "has no hash of a password, expected NAME HASH with a blank between them; mailrecv-checkpassword -p makes a hash",
    [NO_PATH] = "has a value that cannot be a part of the path (empty, with / before it, or with ..): its mail is put off with 451",
};

struct reading {
    const struct table *table;
    bool chooses;                               /* paths */
    uint64_t lines, counts[FAULTS], firsts[FAULTS]; /* of each fault, how many lines, and the number of the first one */
    struct table_keys keys;
};

static void count(struct reading *reading, enum fault fault, bool is)
{
    if (is && reading->counts[fault]++ == 0)
        reading->firsts[fault] = reading->lines;
}

/* As in lists of aliases and of users. An IPv6 address stands between brackets. */
static bool has_colon(struct slice key)
{
    const char *at = memchr(key.text, '@', key.len), *end = key.text + key.len;

    if (key.len > 0 && end[-1] == ':')
        return memchr(key.text, ':', key.len - 1) == NULL; /* else 2001:db8:: */
    return at != NULL && memchr(at, ':', (size_t)(end - at)) != NULL && memchr(at, '[', (size_t)(end - at)) == NULL;
}

static bool is_network(struct slice key)
{
    struct network network;

    return memchr(key.text, '/', key.len) != NULL && network_read(key, &network) == key.len;
}

/* Of the oldest method a hash is 13 letters, digits, dots and slashes. */
static bool may_be_hash(struct slice value)
{
    return value.len >= 13 && memchr(value.text, ' ', value.len) == NULL &&
           (value.len == 13 || value.text[0] == '$' || value.text[0] == '_');
}

static bool look_at(void *context, uint64_t at, struct slice line)
{
    struct reading *reading = context;
    struct table_entry entry;
    enum table_line kind = table_line_read(line, &entry);

    (void)at;
    reading->lines++;
    count(reading, BAD, kind == TABLE_LINE_BAD);
    if (kind != TABLE_LINE_ENTRY)
        return true;
    if (memchr(line.text, '\0', line.len) != NULL) {
        count(reading, NUL, true);
        return true;
    }
    count(reading, NO_HASH, reading->table->secret && !may_be_hash(entry.value));
    count(reading, COLON, !reading->table->secret && !entry.quoted && has_colon(entry.key));
    count(reading, NETWORK, is_network(entry.key));
    count(reading, NO_PATH, reading->chooses && path_wrong(entry.value) != NULL);
    table_keys_add(&reading->keys, &entry, reading->lines);
    return true;
}

/* That there are more of the same. */
static const char *others(uint64_t count, char text[OTHERS])
{
    text[0] = '\0';
    if (count > 1)
        (void)snprintf(text, OTHERS, count == 2 ? "; %ju more line is like it" : "; %ju more lines are like it",
                       (uintmax_t)count - 1);
    return text;
}

static void tell_faults(struct conf *conf, const struct reading *reading)
{
    const struct table *table = reading->table;
    char more[OTHERS];

    for (enum fault fault = 0; fault < FAULTS; fault++)
        if (reading->counts[fault] > 0)
            warn(conf, table, table->path, "line %ju of this table %s%s", (uintmax_t)reading->firsts[fault], faults[fault],
                 others(reading->counts[fault], more));
}

static void tell_repeat(struct conf *conf, const struct table *table, const struct table_repeat *repeat)
{
    char more[OTHERS];

    if (repeat->count > 0)
        warn(conf, table, table->path, "line %ju of this table counts for nothing, for line %ju has the same key%s",
             (uintmax_t)repeat->line, (uintmax_t)repeat->first, others(repeat->count, more));
}

static bool chooses_paths(const struct conf *conf, const struct table *table)
{
    for (const struct rule *rule = conf->rules.first_rule; rule != NULL; rule = rule->next)
        if (rule->rcpt.table == table && path_is_chosen(&rule->target))
            return true;
    return false;
}

/* Of one that we cannot open access.c tells. */
static void check_file(struct conf *conf, const struct table *table)
{
    struct reading reading = { .table = table, .chooses = chooses_paths(conf, table) };
    int fd = guarded_read(table->path);
    struct table_repeat repeat;
    struct stat status;
    bool read;

    if (fd < 0)
        return;
    if (table->secret && fstat(fd, &status) == 0 && (status.st_mode & S_IROTH) != 0) {
        warn(conf, table, table->path, "everybody can read the hashes of passwords in %.*s", (int)table->path.len,
             table->path.text);
        conf_advise(conf, "run: chmod o-r %.*s", (int)table->path.len, table->path.text);
    }
    read = table_lines(fd, look_at, &reading);
    if (!read)
        warn(conf, table, table->path, "this table cannot be used: %s",
             errno == EMSGSIZE ? "it has a line of more than 65536 bytes" : strerror(errno));
    repeat = table_keys_repeat(&reading.keys);
    if (read) {
        tell_faults(conf, &reading);
        tell_repeat(conf, table, &repeat);
    }
    (void)close(fd); /* only read */
}

/* ---- servers and programs -------------------------------------------------------------------- */

/* What stands in the way of a socket that cannot be opened, or of a program, is told by access.c. */
static bool can_be_tried(const struct server *server)
{
    const bool program = server->program.path.len > 0;
    char path[PATH_MAX];

    text_string(path, sizeof path, program ? server->program.path : server->where.text);
    return program ? access(path, X_OK) == 0 : server->where.kind != WHERE_UNIX || access(path, W_OK) == 0;
}

/* What a child has found out, in memory that is shared with it. */
struct finding {
    enum match match;
    char said[LOG_TEXT]; /* why there is no answer, or the last line that the program has written */
    struct lint_postmasters missing;
};

static struct finding *finding;

/* The log has quotes as <0x22> and <0x27>; a person reads them as they are. */
static void bring_quotes_back(char *text)
{
    char *to = text;

    for (const char *from = text; *from != '\0'; to++) {
        bool two = strncmp(from, "<0x22>", 6) == 0, one = strncmp(from, "<0x27>", 6) == 0;

        *to = *from;
        if (one || two)
            *to = two ? '"' : '\'';
        from += one || two ? 6 : 1;
    }
    *to = '\0';
}

/* The lines of the log that say what is wrong: `... text="..."` of a program, and `... reason="..."`. */
static void hear(int level, const char *event)
{
    const char *said = strstr(event, " text=\""), *reason = strstr(event, " reason=\"");

    (void)level;
    if (said == NULL && (reason == NULL || finding->said[0] != '\0'))
        return;
    (void)snprintf(finding->said, sizeof finding->said, "%s",
                   said != NULL ? said + sizeof " text=\"" - 1 : reason + sizeof " reason=\"" - 1);
    finding->said[strcspn(finding->said, "\"")] = '\0';
    bring_quotes_back(finding->said);
}

/* Has a child ask as the user who serves. False: that has come to no end. */
static bool as_user(struct conf *conf, void (*ask)(struct conf *conf, struct table *table), struct table *table)
{
    struct process_end end;
    pid_t pid;

    *finding = (struct finding){ .match = MATCH_UNSURE };
    conf_share(conf); /* the places are there */
    pid = fork();
    if (pid < 0)
        return false;
    if (pid == 0) {
        if (setpgid(0, 0) != 0 || (probe_who.how == BY_BECOMING && !account_become(&probe_who.account)))
            _exit(EXIT_FAILURE);
        log_divert(hear);
        dns_begin(&conf->dns, conf->base.sandbox != SANDBOX_OFF, clock_ms() + PATIENCE_MS, &never);
        ask(conf, table);
        table_end(&conf->tables);
        dns_end();
        _exit(EXIT_SUCCESS);
    }
    end = process_wait(pid, clock_ms() + conf->tables.timeout + PATIENCE_MS);
    return process_exited(&end, EXIT_SUCCESS);
}

/* For a name that every domain has. */
static void ask_table(struct conf *conf, struct table *table)
{
    char key[TABLE_KEY];
    struct slice value;

    (void)snprintf(key, sizeof key, "postmaster@%.*s", (int)conf->rules.domain.len, conf->rules.domain.text);
    finding->match = table_ask(table, slice_of(key), &value);
}

/* Returns whether it has answered. */
static bool check_service(struct conf *conf, struct table *table)
{
    if (probe_who.how == BY_MODES || !can_be_tried(&table->server))
        return false;
    if (as_user(conf, ask_table, table) && finding->match != MATCH_UNSURE)
        return true;
    warn(conf, table, table->server.name, "this table cannot be asked now: %s",
         finding->said[0] != '\0' ? finding->said : "there is no answer");
    return false;
}

static void ask_postmasters(struct conf *conf, struct table *table)
{
    (void)table;
    finding->missing = lint_find_postmasters(conf, true);
}

/* Those that no line and no text file has: are they in a service? `all` of them have answered. */
static void check_postmasters(struct conf *conf, bool all)
{
    const struct rule *line = lint_service_line(conf);
    struct lint_postmasters missing;

    if (line == NULL)
        return;
    missing = lint_find_postmasters(conf, false);
    if (!lint_lacks_postmaster(&missing))
        return;
    if (all && as_user(conf, ask_postmasters, NULL)) {
        missing = finding->missing;
        lint_tell_postmasters(conf, &missing);
        return;
    }
    conf_complain(conf, SEVERITY_NOTE, line->line, conf_column_of(conf, line->line, line->rcpt.text),
                  "whether somebody gets mail for postmaster is not known: not all tables could be asked");
    conf_advise(conf, LINT_POSTMASTER_LINE);
}

void table_check(struct conf *conf)
{
    bool all = true; /* services have answered */

    if (conf->tables.first == NULL || conf->errors > 0)
        return;
    finding = mmap(NULL, sizeof *finding, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (struct table *table = conf->tables.first; table != NULL; table = table->next)
        if (table->kind == TABLE_FILE)
            check_file(conf, table);
        else
            all = finding != MAP_FAILED && check_service(conf, table) && all;
    check_postmasters(conf, all);
}
