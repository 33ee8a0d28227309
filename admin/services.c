/* services.c - what the files of super-servers would have them do to a listener */
/*
 * Only what cannot be seen by trying it once: the first connections are served, and one day nobody is. systemd.service(5),
 * systemd.socket(5), xinetd.conf(5); what was seen of the limits is in mailrecv(8), "Listening".
 */
#include "admin/services.h"

#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cold.h"
#include "base/source.h"

#ifndef SYSCONFDIR
#define SYSCONFDIR "/etc"
#endif

enum { FILE_MOST = 65536 }; /* bytes of a service's files; what is behind that is not looked at */

/* The files of one service, one behind the other. */
struct service {
    char text[FILE_MOST];
    size_t len;
};

static void service_add(struct service *service, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = 1;

    while (fd >= 0 && n > 0 && service->len < sizeof service->text - 1) {
        n = read(fd, service->text + service->len, sizeof service->text - 1 - service->len);
        service->len += n > 0 ? (size_t)n : 0;
    }
    if (fd >= 0)
        (void)close(fd);
    if (service->len < sizeof service->text)
        service->text[service->len++] = '\n'; /* drop-ins begin with a line of their own */
}

/* Files that match a pattern, in order; each is given to a function. */
static void each_file(const char *pattern, void (*take)(const char *path, void *context), void *context)
{
    glob_t found;

    if (glob(pattern, 0, NULL, &found) != 0)
        return;
    for (size_t i = 0; i < found.gl_pathc; i++)
        take(found.gl_pathv[i], context);
    globfree(&found);
}

static void add_file(const char *path, void *service)
{
    service_add(service, path);
}

static struct slice trimmed(struct slice text)
{
    while (text.len > 0 && strchr(" \t\r", text.text[0]) != NULL)
        text = (struct slice){ text.text + 1, text.len - 1 };
    while (text.len > 0 && strchr(" \t\r", text.text[text.len - 1]) != NULL)
        text.len--;
    return text;
}

/* The last value of a setting "NAME = VALUE", "NAME += VALUE"; .text is NULL if there is none. */
static struct slice value_of(struct slice text, const char *name)
{
    struct slice value = { NULL, 0 }, line;

    while (source_next(&text, &line)) {
        const char *equals = line.len > 0 ? memchr(line.text, '=', line.len) : NULL;
        struct slice key = { line.text, equals != NULL ? (size_t)(equals - line.text) : 0 };

        if (key.len > 0 && strchr("+-", key.text[key.len - 1]) != NULL)
            key.len--;
        if (key.len > 0 && slice_equal(trimmed(key), slice_of(name)))
            value = trimmed((struct slice){ equals + 1, line.len - (size_t)(equals + 1 - line.text) });
    }
    return value;
}

static bool is(struct slice value, const char *text)
{
    return value.text != NULL && slice_equal(value, slice_of(text));
}

/* Takes the first word off a text. */
static struct slice next_word(struct slice *text)
{
    const struct slice all = trimmed(*text);
    size_t len = 0;

    while (len < all.len && strchr(" \t\r", all.text[len]) == NULL)
        len++;
    *text = len < all.len ? (struct slice){ all.text + len, all.len - len } : slice_of("");
    return (struct slice){ all.text, len };
}

/* Is this command one of ours that listens where it is told by who starts it, with the configuration that is checked? */
static bool starts_us(const struct conf *conf, struct slice program, struct slice arguments)
{
    const char *slash = program.len > 0 ? memrchr(program.text, '/', program.len) : NULL;
    struct slice path = slice_of(SYSCONFDIR "/mailrecv.conf"), word;

    if (slash == NULL || !is((struct slice){ slash + 1, program.len - (size_t)(slash + 1 - program.text) }, "mailrecv"))
        return false;
    while ((word = next_word(&arguments)).len > 0)
        if (is(word, "-L"))
            return false;
        else if (is(word, "-c"))
            path = next_word(&arguments);
    return is(path, conf->path);
}

static void __attribute__((format(printf, 3, 4)))
warn(struct conf *conf, const char *advice, const char *format, ...)
{
    char message[512];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args); /* cut when too long */
    va_end(args);
    conf_complain(conf, SEVERITY_WARNING, 0, 0, "%s", message);
    conf_advise(conf, "%s", advice);
}

/* ---- systemd ------------------------------------------------------------------------------- */

static const char *const unit_directories[] = { "/etc/systemd/system", "/run/systemd/system",
                                                "/usr/local/lib/systemd/system", "/usr/lib/systemd/system" };

enum { UNIT_DIRECTORIES = sizeof unit_directories / sizeof unit_directories[0] };

/* The unit as systemd reads it: the file of the first directory that has one, and drop-ins. False: there is none. */
static bool unit_read(const char *name, struct service *unit, char path[PATH_MAX])
{
    char pattern[PATH_MAX];

    unit->len = 0;
    for (size_t i = 0; i < UNIT_DIRECTORIES && unit->len == 0; i++) {
        (void)snprintf(path, PATH_MAX, "%s/%s", unit_directories[i], name);
        if (access(path, R_OK) == 0)
            service_add(unit, path);
    }
    for (size_t i = UNIT_DIRECTORIES; i-- > 0 && unit->len > 0;) { /* what is first in the list is read last, and counts */
        (void)snprintf(pattern, sizeof pattern, "%s/%s.d/*.conf", unit_directories[i], name);
        each_file(pattern, add_file, unit);
    }
    return unit->len > 0;
}

/* What must be said for a socket to listen for ever; 0 is what switches a limit off. */
static void check_limit(struct conf *conf, struct slice unit, const char *path, const char *name, const char *otherwise)
{
    char advice[PATH_MAX];

    if (is(value_of(unit, name), "0"))
        return;
    (void)snprintf(advice, sizeof advice, "write there: %s=0", name);
    warn(conf, advice, "%s: without %s=0 %s", path, name, otherwise);
}

/* ListenStream=25, 192.0.2.1:25, [::]:25 */
static bool is_port(struct slice place, const char *port)
{
    const char *colon = place.len > 0 ? memrchr(place.text, ':', place.len) : NULL;

    return is(colon == NULL ? place : (struct slice){ colon + 1, place.len - (size_t)(colon + 1 - place.text) }, port);
}

static void check_socket(struct conf *conf, const char *name)
{
    static struct service unit COLD_BSS;
    char path[PATH_MAX];
    struct slice text;

    if (!unit_read(name, &unit, path))
        return;
    text = (struct slice){ unit.text, unit.len };
    check_limit(conf, text, path, "TriggerLimitIntervalSec",
                "a burst of connections makes systemd close the port, until somebody starts the socket again");
    if (session_lmtp(&conf->session) && is_port(value_of(text, "ListenStream"), "25"))
        warn(conf, "write there another place: ListenStream=/run/mailrecv.lmtp, or ListenStream=127.0.0.1:24",
             "%s: on port 25 clients of LMTP hear 421, since others believe that it is SMTP", path);
    if (value_of(text, "MaxConnections").text != NULL && !is(value_of(text, "Accept"), "yes"))
        warn(conf, "write: limit.sessions and limit.client_sessions in the configuration",
             "%s: MaxConnections has no effect with Accept=no", path);
}

/* A service that accepts all connections of its socket. */
static void check_listening(struct conf *conf, struct slice unit, const char *path, const char *socket)
{
    char advice[PATH_MAX + 64];

    check_limit(conf, unit, path, "StartLimitIntervalSec",
                "systemd closes the port for good when mailrecv, which ends when nobody comes, is started often");
    if (slice_has(value_of(unit, "Requires"), socket))
        return;
    (void)snprintf(advice, sizeof advice, "write there: Requires=%s", socket);
    warn(conf, advice, "%s: without Requires=%s that cannot be restarted while the service runs", path, socket);
}

static void check_unit(const char *found, void *context)
{
    static struct service unit COLD_BSS;
    struct conf *conf = context;
    const char *name = strrchr(found, '/') + 1, *dot = strrchr(name, '.'); /* the pattern has both */
    char path[PATH_MAX], socket[PATH_MAX];
    struct slice text, arguments, program;
    const bool each = dot[-1] == '@'; /* started for each connection */

    if (!unit_read(name, &unit, path) || strcmp(path, found) != 0)
        return;
    text = (struct slice){ unit.text, unit.len };
    arguments = value_of(text, "ExecStart");
    program = next_word(&arguments);
    if (!starts_us(conf, program, arguments))
        return;
    (void)snprintf(socket, sizeof socket, "%.*s.socket", (int)(dot - name) - each, name);
    if (!each)
        check_listening(conf, text, path, socket);
    check_socket(conf, socket);
}

static void check_systemd(struct conf *conf)
{
    char pattern[PATH_MAX];

    for (size_t i = 0; i < UNIT_DIRECTORIES; i++) {
        (void)snprintf(pattern, sizeof pattern, "%s/*?.service", unit_directories[i]);
        each_file(pattern, check_unit, conf);
    }
}

/* ---- xinetd -------------------------------------------------------------------------------- */

/* One service with its attributes, and those that all have (xinetd.conf(5), defaults). */
static void check_attributes(struct conf *conf, const char *path, struct slice attributes, struct slice defaults)
{
    static const char *const refusing[] = { "only_from", "no_access" };

    if (!is(value_of(attributes, "wait"), "yes") || is(value_of(attributes, "disable"), "yes") ||
        !starts_us(conf, value_of(attributes, "server"), value_of(attributes, "server_args")))
        return;
    for (size_t i = 0; i < sizeof refusing / sizeof refusing[0]; i++)
        if (value_of(attributes, refusing[i]).len > 0 || value_of(defaults, refusing[i]).len > 0)
            warn(conf, "take it out, and write: deny remotehost in the configuration",
                 "%s: with %s xinetd, which does not know the client of a listener, starts nothing", path, refusing[i]);
    if (!slice_has(value_of(attributes, "flags"), "NOLIBWRAP") && !slice_has(value_of(defaults, "flags"), "NOLIBWRAP"))
        warn(conf, "write there: flags = NOLIBWRAP, behind what stands there",
             "%s: without the flag NOLIBWRAP a line of /etc/hosts.deny can have xinetd start nothing", path);
}

/* The attributes of the next service or, with `word` "defaults", of all; behind it goes on. .text is NULL at the end. */
static struct slice next_block(struct slice *text, const char *word)
{
    struct slice line;

    while (source_next(text, &line)) {
        const char *begin, *end;

        line = trimmed(line);
        if (line.len < strlen(word) || strncmp(line.text, word, strlen(word)) != 0)
            continue;
        begin = text->len > 0 ? memchr(text->text, '{', text->len) : NULL;
        end = begin != NULL ? memchr(begin, '}', text->len - (size_t)(begin - text->text)) : NULL;
        if (end == NULL)
            break;
        *text = (struct slice){ end, text->len - (size_t)(end - text->text) };
        return (struct slice){ begin, (size_t)(end - begin) };
    }
    return (struct slice){ NULL, 0 };
}

static void check_xinetd_file(const char *path, void *context)
{
    static struct service file COLD_BSS, common COLD_BSS;
    struct slice rest, defaults, attributes;

    file.len = common.len = 0;
    service_add(&common, "/etc/xinetd.conf");
    service_add(&file, path);
    rest = (struct slice){ common.text, common.len };
    defaults = next_block(&rest, "defaults");
    rest = (struct slice){ file.text, file.len };
    while ((attributes = next_block(&rest, "service")).text != NULL)
        check_attributes(context, path, attributes, defaults);
}

void services_check(struct conf *conf)
{
    check_systemd(conf);
    each_file("/etc/xinetd.conf", check_xinetd_file, conf);
    each_file("/etc/xinetd.d/*", check_xinetd_file, conf);
}
