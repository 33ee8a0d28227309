/* checkpassword.c - the separate program mailrecv-checkpassword, which knows passwords: its command line */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "programs/checkpassword/answer.h"
#include "programs/checkpassword/exits.h"
#include "programs/checkpassword/new_password.h"
#include "programs/checkpassword/users_check.h"

#ifndef SYSCONFDIR
#define SYSCONFDIR "/etc"
#endif

struct options {
    const char *file, *fd, *method, *name;
    bool ask, test;
    char **program; /* NULL-terminated; empty: only the exit status is wanted */
};

static void print_help(void)
{
    puts("usage: " PROGRAM " [-f FILE | -d FD] [PROGRAM ARG...]\n"
         "       " PROGRAM " -t [-f FILE | -d FD]\n"
         "       " PROGRAM " -p [-m METHOD] [NAME]\n"
         "\n"
         "Says whether a password is right: name, password and timestamp, each with a NUL behind it, are read\n"
         "from descriptor 3. Status 0 (or PROGRAM is run): yes; 1: no; 2: misuse; 111: cannot say now.\n"
         "  -f FILE    the users, lines of NAME:HASH, instead of " SYSCONFDIR "/mailrecv.users\n"
         "  -d FD      the users are on this open descriptor\n"
         "  -t         check the users file; status 1 on errors\n"
         "  -p         ask for a password, print a line for the users file\n"
         "  -m METHOD  with this method, such as yescrypt, bcrypt, sha512\n"
         "  -V         show the version\n"
         "  -h         show this help\n"
         "\n"
         PROGRAM "(8) says more.");
}

static void parse_options(int argc, char **argv, struct options *o)
{
    int letter;

    opterr = 0;
    while ((letter = getopt(argc, argv, "+:f:d:m:ptVh")) != -1) {
        switch (letter) {
        case 'f': o->file = optarg; break;
        case 'd': o->fd = optarg; break;
        case 'm': o->method = optarg; break;
        case 'p': o->ask = true; break;
        case 't': o->test = true; break;
        case 'V': puts(PROGRAM " " VERSION); exit(output_status());
        case 'h': print_help(); exit(output_status());
        case ':': die_usage("option '-%c' needs a value", optopt);
        default: die_usage("unknown option '-%c'", optopt);
        }
    }
    o->program = argv + optind;
}

/* What does not go together. */
static void check_options(struct options *o)
{
    if (o->file != NULL && o->fd != NULL)
        die_usage("-f and -d exclude each other");
    if (o->ask && (o->test || o->file != NULL || o->fd != NULL))
        die_usage("-p goes with -m and NAME only");
    if (!o->ask && o->method != NULL)
        die_usage("-m is for -p");
    if (o->test && o->program[0] != NULL)
        die_usage("-t runs no program");
    if (o->ask && o->program[0] != NULL && o->program[1] != NULL)
        die_usage("-p wants one NAME only");
    if (o->ask)
        o->name = o->program[0];
    if (o->file == NULL)
        o->file = SYSCONFDIR "/mailrecv.users";
}

/* The descriptor of -d; -1 without. */
static int parse_descriptor(const char *text)
{
    char *end;
    long fd;

    if (text == NULL)
        return -1;
    errno = 0;
    fd = strtol(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || fd > INT32_MAX || fd == QUESTION_FD ||
        fcntl((int)fd, F_GETFD) < 0)
        die_usage("'%s' is no descriptor of a users file", text);
    return (int)fd;
}

int main(int argc, char **argv)
{
    struct options options = { .file = NULL };
    const struct rlimit none = { 0, 0 };
    int fd;

    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0) != 0) {
        complain("cannot keep secrets out of core files: %s", strerror(errno));
        return TEMPORARY;
    }
    parse_options(argc, argv, &options);
    check_options(&options);
    if (options.ask)
        return new_password(options.method, options.name);
    fd = parse_descriptor(options.fd);
    return options.test ? users_check(options.file, fd) : answer_question(options.file, fd, options.program);
}
