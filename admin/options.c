/* options.c - the command line: what is to be done, and with what */
#include "admin/options.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "admin/replay.h"
#include "base/account.h"
#include "base/log.h"

#ifndef SYSCONFDIR
#define SYSCONFDIR "/etc"
#endif

static void print_help(void)
{
    puts("usage: mailrecv [-c FILE] [-d FLAGS] [-l syslog|stderr|FILE] [-P ADDRESS[=NAME] [-n]] [-t [json]] [-u USER]\n"
         "       mailrecv -L WHERE... [-c FILE] [-d FLAGS] [-l syslog|stderr|FILE]\n"
         "       mailrecv [-c FILE] [-d FLAGS] -M HOST\n"
         "       mailrecv [-c FILE] -S [json | clear ADDRESS | clear DELIVERY | lock ADDRESS [SECS]]\n"
         "       mailrecv -x [-c FILE] [-P ADDRESS[=NAME]] [helo NAME] [from ADDRESS] [auth USER] [tls] [cert SHA256]\n"
         "                [rcpt ADDRESS...]\n"
         "       mailrecv -r PLACE [-c FILE] [-l WHERE] [-P ADDRESS[=NAME]] [-n] [-u USER]\n"
         "                [NUMBER...] [WORDS as with -x]\n"
         "\n"
         "Receives mail by SMTP on standard input and output, and gives it to commands and files, or hands it to another\n"
         "server.\n"
         "  -c FILE            the configuration, instead of " SYSCONFDIR "/mailrecv.conf\n"
         "  -d FLAGS           debug flags, any of " LOG_FLAGS ", instead of the configuration's\n"
         "  -l WHERE           where the log goes, instead of the configuration's logfile\n"
         "  -L WHERE           listen, instead of serving standard input: PORT, ADDRESS:PORT, [ADDRESS]:PORT, unix:PATH;\n"
         "                     may be repeated\n"
         "  -M HOST            ask whether mail servers are alive, and what they say of themselves: the mail hosts of a\n"
         "                     domain, HOST:PORT, an address, unix:PATH; status 1 if none is\n"
         "  -P ADDRESS[=NAME]  pretend that this client is connected, with this confirmed name or none;\n"
         "                     on a terminal with a prompt, and the log beneath each command\n"
         "  -n                 deliver nothing, say what would have been done\n"
         "  -S                 show the clients that lockout.db remembers, and the deliveries of the ledger (json: for\n"
         "                     programs), forget one (clear), or lock a client out (lock)\n"
         "  -t [json]          check the configuration, show the effective settings, or all problems as JSON;\n"
         "                     status 78 on errors, 1 on warnings\n"
         "  -u USER            check what this user, as whom mailrecv is started, can read, write and execute;\n"
         "                     with -P and -r, as root: become this user\n"
         "  -x                 explain what a client that says this meets with, and why; status 1 if refused\n"
         "  -r PLACE           deliver again what a dead-letter file, mbox, maildir or file holds; status 1 if not\n"
         "  -V                 show the version\n"
         "  -h                 show this help\n"
         "\n"
         "mailrecv(8) and mailrecv.conf(5) say more.");
}

void options_die(const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args); /* cut when too long */
    va_end(args);
    if (client_is_tcp(STDIN_FILENO) || sockets_were_given())
        log_line(LOG_ERR, "%s", text);
    else
        fprintf(stderr, "mailrecv: %s, see mailrecv -h\n", text);
    sockets_turn_away();
    exit(EX_USAGE);
}

/* The value of an option: the rest of its word, or the next word. */
static const char *option_value(int argc, char **argv, int *i)
{
    if (argv[*i][2] != '\0')
        return argv[*i] + 2;
    if (*i + 1 >= argc)
        options_die("option '%s' needs a value", argv[*i]);
    return argv[++*i];
}

int options_output_status(void)
{
    return fflush(stdout) == 0 && ferror(stdout) == 0 ? EX_OK : EX_IOERR;
}

/* The word `json` may stand behind -t and -S. */
static void take_json(int argc, char **argv, int *i, struct options *o)
{
    o->json = *i + 1 < argc && strcmp(argv[*i + 1], "json") == 0;
    *i += o->json;
}

/* What -S is to do: nothing behind it, json, clear ADDRESS, or lock ADDRESS [SECS]. */
static void parse_show(int argc, char **argv, int *i, struct options *o)
{
    const char *word = *i + 1 < argc ? argv[*i + 1] : "";

    o->show = true;
    take_json(argc, argv, i, o);
    if (strcmp(word, "clear") != 0 && strcmp(word, "lock") != 0)
        return;
    if (*i + 2 >= argc)
        options_die("option '-S %s' needs an address", word);
    *(word[0] == 'c' ? &o->clear : &o->lock) = argv[*i + 2];
    *i += 2;
    if (o->lock != NULL && *i + 1 < argc && argv[*i + 1][0] != '-')
        o->lock_secs = argv[++*i];
}

/* -t, or -t json. */
static void parse_test(int argc, char **argv, int *i, struct options *o)
{
    o->test = true;
    take_json(argc, argv, i, o);
}

/* Takes the option at argv[*i], and its value. False if there is no such option. */
static bool parse_option(int argc, char **argv, int *i, struct options *o)
{
    const struct {
        char letter;
        const char **value;
    } with_value[] = { { 'c', &o->conf }, { 'd', &o->flags }, { 'l', &o->log }, { 'P', &o->pretend },
                       { 'r', &o->replay }, { 'u', &o->user }, { 'M', &o->alive } };
    const struct {
        const char *word;
        bool *flag;
    } switches[] = { { "-n", &o->rehearse }, { "-x", &o->explain }, { "-V", &o->version }, { "-h", &o->help } };
    const struct {
        const char *word;
        void (*parse)(int argc, char **argv, int *i, struct options *o);
    } with_words[] = { { "-S", parse_show }, { "-t", parse_test } };
    const char *word = argv[*i];

    if (word[0] == '-' && word[1] == 'L') {
        if (o->listen_count == SOCKETS_MOST)
            options_die("more than %d times -L", SOCKETS_MOST);
        o->listen[o->listen_count++] = option_value(argc, argv, i);
        return true;
    }
    for (size_t j = 0; j < sizeof with_value / sizeof with_value[0]; j++)
        if (word[0] == '-' && word[1] == with_value[j].letter) {
            *with_value[j].value = option_value(argc, argv, i);
            return true;
        }
    for (size_t j = 0; j < sizeof switches / sizeof switches[0]; j++)
        if (strcmp(word, switches[j].word) == 0) {
            *switches[j].flag = true;
            return true;
        }
    for (size_t j = 0; j < sizeof with_words / sizeof with_words[0]; j++)
        if (strcmp(word, with_words[j].word) == 0) {
            with_words[j].parse(argc, argv, i, o);
            return true;
        }
    return false;
}

void options_parse(int argc, char **argv, struct options *o)
{
    o->conf = SYSCONFDIR "/mailrecv.conf";
    for (int i = 1; i < argc; i++) {
        if ((o->explain || o->replay != NULL) && argv[i][0] != '-') {
            o->words = argv + i;
            return;
        }
        if (!parse_option(argc, argv, &i, o))
            options_die("unknown %s '%s'", argv[i][0] == '-' ? "option" : "argument", argv[i]);
        if (o->version)
            puts("mailrecv " VERSION);
        else if (o->help)
            print_help();
        if (o->version || o->help)
            exit(options_output_status());
    }
}

bool options_in_service(const struct options *o)
{
    return !o->test && !o->show && !o->explain && o->replay == NULL && o->pretend == NULL && o->alive == NULL;
}

void options_check(struct options *o, struct client *client)
{
    struct slice flags = slice_of(o->flags != NULL ? o->flags : "");
    size_t bad = log_set_flags(flags);
    char message[256];

    if (bad < flags.len)
        options_die("'%c' is no debug flag, expected any of " LOG_FLAGS, flags.text[bad]);
    if (o->user != NULL && !o->test && o->pretend == NULL && o->replay == NULL)
        options_die("-u is for -t, -P and -r");
    if (o->user != NULL && account_find(&(struct account){ .uid = 0 }, o->user) != 0)
        options_die("there is no user '%s'", o->user);
    if (o->user != NULL && !o->test && geteuid() != 0)
        options_die("only root can become '%s'", o->user);
    if ((o->explain || o->replay != NULL) && client_is_tcp(STDIN_FILENO))
        options_die("-%c is not for real connections", o->explain ? 'x' : 'r');
    while (!o->explain && o->words != NULL && o->words[o->numbers] != NULL && replay_is_number(o->words[o->numbers]))
        o->numbers++;
    if (o->words != NULL && !scenario_parse(&o->scenario, o->words + o->numbers, message, sizeof message))
        options_die("%s", message);
    if (o->rehearse && o->pretend == NULL && !o->explain && o->replay == NULL)
        options_die("-n needs -P, -x or -r");
    if (o->listen_count > 0 && !options_in_service(o))
        options_die("-L is for service, and for no other option than -c, -d and -l");
    if (o->pretend == NULL)
        return;
    if (client_is_tcp(STDIN_FILENO))
        options_die("-P is not for real connections");
    if (client_pretend(client, o->pretend) != CLIENT_OK)
        options_die("'%s' is no client, expected ADDRESS or ADDRESS=NAME", o->pretend);
}
