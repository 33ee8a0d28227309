/* table_check.c - whether tables can be asked, and what is wrong in those that are text files (-t) */
#include "admin/table_check.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/guarded.h"
#include "base/text.h"
#include "nexthop/connect.h"
#include "tables/line.h"
#include "tables/lines.h"

enum { PATIENCE_MS = 5000 };

static volatile sig_atomic_t never;

#define warn(conf, table, text, ...) \
    conf_complain(conf, SEVERITY_WARNING, (table)->line, conf_column_of(conf, (table)->line, text), __VA_ARGS__)

/* ---- text files ------------------------------------------------------------------------------- */

struct reading {
    uint64_t lines;
    uint64_t bad, first_bad; /* how many, and the number of the first one */
};

static bool look_at(void *context, uint64_t at, struct slice line)
{
    struct reading *reading = context;
    struct table_entry entry;

    (void)at;
    reading->lines++;
    if (table_line_read(line, &entry) == TABLE_LINE_BAD && reading->bad++ == 0)
        reading->first_bad = reading->lines;
    return true;
}

/* Of one that we cannot open access.c tells. */
static void check_file(struct conf *conf, const struct table *table)
{
    struct reading reading = { .lines = 0 };
    int fd = guarded_read(table->path);
    struct stat status;

    if (fd < 0)
        return;
    if (table->secret && fstat(fd, &status) == 0 && (status.st_mode & S_IROTH) != 0) {
        warn(conf, table, table->path, "everybody can read the hashes of passwords in %.*s", (int)table->path.len,
             table->path.text);
        conf_advise(conf, "run: chmod o-r %.*s", (int)table->path.len, table->path.text);
    }
    if (!table_lines(fd, look_at, &reading))
        warn(conf, table, table->path, "this table cannot be used: %s",
             errno == EMSGSIZE ? "it has a line of more than 65536 bytes" : strerror(errno));
    else if (reading.bad > 0)
        warn(conf, table, table->path, "%ju line%s of this table count%s for nothing, expected KEY VALUE or \"KEY\" VALUE; "
             "the first is line %ju", (uintmax_t)reading.bad, reading.bad > 1 ? "s" : "", reading.bad > 1 ? "" : "s", (uintmax_t)reading.first_bad);
    (void)close(fd); /* only read */
}

/* ---- servers ---------------------------------------------------------------------------------- */

/* What stands in the way of a socket that cannot be opened is told by access.c. */
static bool can_be_tried(const struct where *where)
{
    char path[PATH_MAX];

    text_string(path, sizeof path, where->text);
    return where->kind != WHERE_UNIX || access(path, W_OK) == 0;
}

static void check_server(struct conf *conf, const struct table *table)
{
    char reason[NEXTHOP_REASON];
    int fd;

    if (!can_be_tried(&table->server.where))
        return;
    fd = nexthop_connect(&table->server.where, clock_ms() + PATIENCE_MS, reason, sizeof reason);
    if (fd >= 0)
        (void)close(fd); /* nothing was said */
    else
        warn(conf, table, table->server.name, "this table cannot be asked now: %s", reason);
}

void table_check(struct conf *conf)
{
    if (conf->tables.first == NULL || conf->errors > 0)
        return;
    dns_begin(&conf->dns, conf->base.sandbox != SANDBOX_OFF, clock_ms() + PATIENCE_MS, &never);
    for (const struct table *table = conf->tables.first; table != NULL; table = table->next)
        if (table->kind == TABLE_FILE)
            check_file(conf, table);
        else if (table->kind == TABLE_SOCKETMAP)
            check_server(conf, table);
    dns_end();
}
