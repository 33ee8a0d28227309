/* lookup.c - a separate program, mailrecv-lookup: tables of mailrecv that are in a database; its command line */
/*
 * The key is bound to the query of the administrator, and never a part of its text. Libraries of databases are loaded
 * when they are needed, and what they read from servers, or from files that others write, is read in a process that has
 * given up what it does not need for that.
 */
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/inherited.h"
#include "programs/lookup/exits.h"
#include "programs/lookup/serve.h"

enum { WAIT_MS = 4000, WAIT_MAX_MS = 3600000 };

static const struct source *const sources[] = { &source_sqlite, &source_postgresql, &source_mysql, &source_lmdb };

static void print_help(void)
{
    puts("usage: " PROGRAM " [-w MS] SOURCE [QUERY] [KEY...]\n"
         "\n"
         "Answers from a database what mailrecv asks of a table (exec), or prints the answers for each KEY.\n"
         "SOURCE is where to ask, QUERY a statement of SQL with ? or $1 where the key goes:");
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++)
        printf("  %s:%-*s %s\n", sources[i]->scheme, (int)(24 - strlen(sources[i]->scheme)), sources[i]->place, sources[i]->meaning);
    puts("  -w MS  how long an answer may take, in milliseconds; 4000 if not given\n"
         "  -V     show the version\n"
         "  -h     show this help\n"
         "\n"
         "The answer is the one column of the one row that QUERY gives. " PROGRAM "(8) says more.");
}

static void __attribute__((noreturn)) exit_printed(void)
{
    exit(fflush(stdout) == 0 && ferror(stdout) == 0 ? EX_OK : EX_IOERR);
}

static unsigned parse_wait(const char *text)
{
    char *end;
    long ms;

    errno = 0;
    ms = strtol(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || ms < 1 || ms > WAIT_MAX_MS)
        die_usage("'%s' is no number of milliseconds, expected 1 to %d", text, WAIT_MAX_MS);
    return (unsigned)ms;
}

static unsigned parse_options(int argc, char **argv)
{
    unsigned wait_ms = WAIT_MS;
    int letter;

    opterr = 0;
    while ((letter = getopt(argc, argv, "+:w:Vh")) != -1) {
        switch (letter) {
        case 'w': wait_ms = parse_wait(optarg); break;
        case 'V': puts(PROGRAM " " VERSION); exit_printed();
        case 'h': print_help(); exit_printed();
        case ':': die_usage("option '-%c' needs a value", optopt);
        default: die_usage("unknown option '-%c'", optopt);
        }
    }
    return wait_ms;
}

/* The source of SCHEME:PLACE; what is behind the colon becomes `place`. */
static const struct source *find_source(const char *text, const char **place)
{
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        size_t len = strlen(sources[i]->scheme);

        if (strncmp(text, sources[i]->scheme, len) != 0 || text[len] != ':')
            continue;
        *place = text + len + 1;
        if (**place == '\0')
            die_usage("'%s' names no %s", text, sources[i]->place);
        return sources[i];
    }
    die_usage("'%s' is no source, expected sqlite:, postgresql:, mysql: or lmdb:", text);
}

static void parse_query(const struct source *source, const char *text, struct question *question)
{
    static char query[QUERY_MAX];

    if (text == NULL)
        die_usage("%s: needs a QUERY", source->scheme);
    question->places = query_write(slice_of(text), source->style, source->backslashes, query);
    question->query = query;
    if (question->places == 0)
        die_usage("there is no ? or $1 for the key in '%s', expected a statement of %d bytes at most in one argument, with 1 to %d "
                  "of them outside of its quotes", text, QUERY_MAX - 1, QUERY_KEYS);
}

/* No core and no tracing: passwords will be read. */
static bool prepare_process(void)
{
    sigset_t none;

    (void)sigemptyset(&none);
    inherited_close();
    return inherited_reset(&none) && prctl(PR_SET_DUMPABLE, 0) == 0;
}

/* KEY WORD VALUE, in a line; what does not belong in one is a blank, at most as long as reasons are. */
static bool print_answer(const char *key, const struct answer *answer)
{
    static char bytes[SOCKETMAP_REQUEST + SOCKETMAP_REPLY];
    struct text out = { bytes, sizeof bytes - 1, 0 };

    text_put(&out, slice_of(key));
    text_put(&out, slice_of(" "));
    socketmap_word(&out, answer);
    while (out.len > 0 && out.bytes[out.len - 1] == ' ')
        out.len--;
    for (size_t i = 0; i < out.len; i++)
        out.bytes[i] = iscntrl((unsigned char)out.bytes[i]) != 0 ? ' ' : out.bytes[i];
    out.bytes[out.len++] = '\n';
    return serve_write(STDOUT_FILENO, text_slice(&out));
}

/* Asks for what stands on the command line; how the worst answer was is the exit status. */
static int ask_keys(const struct source *source, char **keys, unsigned wait_ms)
{
    int status = EX_OK;

    for (; *keys != NULL; keys++) {
        struct answer answer = { .kind = ANSWER_TEMPORARY };
        bool there;

        if (strlen(*keys) > SOCKETMAP_REQUEST)
            die_usage("a key has at most %d bytes", SOCKETMAP_REQUEST);
        serve_begin(wait_ms, STDERR_FILENO, slice_of(PROGRAM ": the database has not answered in time\n"));
        there = source->ask(slice_of(*keys), &answer);
        serve_end();
        if (!print_answer(*keys, &answer))
            return EX_IOERR;
        if (answer.kind == ANSWER_TEMPORARY)
            status = EX_TEMPFAIL;
        else if (answer.kind == ANSWER_NOT_FOUND && status == EX_OK)
            status = EXIT_FAILURE;
        if (!there)
            break;
    }
    return status;
}

int main(int argc, char **argv)
{
    const unsigned wait_ms = parse_options(argc, argv);
    struct question question = { .wait_ms = wait_ms - wait_ms / 4 };
    struct opened opened = { .connection = -1 };
    struct answer failure = { .kind = ANSWER_TEMPORARY };
    const struct source *source;
    char **rest = argv + optind;
    bool is_open;

    if (*rest == NULL)
        die_usage("no SOURCE is given");
    source = find_source(*rest++, &question.place);
    if (source->queried) {
        parse_query(source, *rest, &question);
        rest++;
    }
    if (*rest == NULL && isatty(STDIN_FILENO) == 1)
        die_usage("no KEY is given, and nobody asks on standard input");
    if (!prepare_process()) {
        complain("cannot begin: %s", strerror(errno));
        return EX_OSERR;
    }
    serve_begin(wait_ms, STDERR_FILENO, slice_of(PROGRAM ": the database could not be opened in time\n"));
    is_open = source->open(&question, &opened, &failure);
    serve_end();
    if (!is_open)
        complain("%.*s", (int)failure.value.len, failure.value.text);
    if (*rest != NULL)
        return is_open ? ask_keys(source, rest, wait_ms) : EX_TEMPFAIL;
    return serve(source, &opened, is_open ? NULL : &failure, wait_ms);
}
