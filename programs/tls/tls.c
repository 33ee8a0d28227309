/* tls.c - a separate program, mailrecv-tls: TLS for one connection */
/*
 * The monitor starts it for one client, with descriptors that are open already, hears what became
 * of it on the channel, and does not trust it with anything else: it loads certificate and key,
 * gives up all but passing bytes on, and only then reads the first byte of the client. A listener starts it
 * once, and monitors ask it for a process that has done all that (keeper.c). The descriptors and messages are in
 * man/mailrecv-tls.8.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "base/inherited.h"
#include "base/sandbox.h"
#include "programs/tls/channel.h"
#include "programs/tls/credentials.h"
#include "programs/tls/handshake.h"
#include "programs/tls/keeper.h"
#include "programs/tls/relay.h"

/* The first descriptor that it is not given. */
enum { OTHERS = SECOND_KEY + 1 };

struct options {
    struct credentials_options tls;
    bool client;        /* do not serve, but call: */
    char *server;       /* whom: a name, an address, or "" */
    bool verify;        /* and tell whether its certificate is good */
    bool test;
    bool keep; /* for many connections */
};

static void print_help(void)
{
    puts("usage: mailrecv-tls [-m 1.2|1.3] [-C CIPHERS] [-a] [-s] [-k | -t]\n"
         "       mailrecv-tls -c NAME [-v] [-t] [-m 1.2|1.3] [-C CIPHERS]\n"
         "\n"
         "Serves TLS on one connection; mailrecv starts it. It finds the client on descriptor 0, the session\n"
         "on 1, the monitor on 3, certificate chain and key on 4 and 5, CA certificates on 6,\n"
         "a second chain and key on 7 and 8. With -c it is a client itself: the server is on 0, what it\n"
         "is told in clear on 1, and with -v the certificates of those who sign those of servers on 4.\n"
         "  -m VERSION  the lowest version of TLS, 1.2 or 1.3; 1.2 if not given\n"
         "  -C CIPHERS  the ciphers for TLS 1.2, as openssl-ciphers(1) has it, instead of OpenSSL's\n"
         "  -a          ask clients for a certificate, which the CA certificates must verify\n"
         "  -s          there are a second chain and key, of another kind: RSA beside ECDSA\n"
         "  -k          serve the connections that come on descriptor 3, a process for each\n"
         "  -c NAME     be a client of the server with this name or address, or \"\"\n"
         "  -v          tell whether its certificate is good\n"
         "  -t          check certificates and key, or with -c and -v the authorities, and do nothing else; status 1\n"
         "              on errors\n"
         "  -V          show the version\n"
         "  -h          show this help\n"
         "\n"
         "mailrecv-tls(8) says more.");
}

static void __attribute__((format(printf, 1, 2), noreturn)) die_usage(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("mailrecv-tls: ", stderr);
    vfprintf(stderr, format, args);
    va_end(args);
    fputs(", see mailrecv-tls -h\n", stderr);
    exit(EX_USAGE);
}

/* The exit status of what has printed something. */
static int output_status(int status)
{
    return fflush(stdout) == 0 && ferror(stdout) == 0 ? status : EX_IOERR;
}

static void parse_options(int argc, char **argv, struct options *o)
{
    int letter;

    opterr = 0;
    while ((letter = getopt(argc, argv, ":m:C:c:vasktVh")) != -1) {
        switch (letter) {
        case 'm': o->tls.min_version = optarg; break;
        case 'C': o->tls.ciphers = optarg; break;
        case 'c': o->client = true; o->server = optarg; break;
        case 'v': o->verify = true; break;
        case 'a': o->tls.ask_client = true; break;
        case 's': o->tls.second = true; break;
        case 'k': o->keep = true; break;
        case 't': o->test = true; break;
        case 'V': puts("mailrecv-tls " VERSION); exit(output_status(EX_OK));
        case 'h': print_help(); exit(output_status(EX_OK));
        case ':': die_usage("option '-%c' needs a value", optopt);
        default: die_usage("unknown option '-%c'", optopt);
        }
    }
    if (optind < argc)
        die_usage("unknown argument '%s'", argv[optind]);
    if (o->client ? o->tls.ask_client || o->tls.second || o->keep : o->verify)
        die_usage("options -c and -v are for clients, -a, -s and -k for servers");
    if (strcmp(o->tls.min_version, "1.2") != 0 && strcmp(o->tls.min_version, "1.3") != 0)
        die_usage("'%s' is no version of TLS, expected 1.2 or 1.3", o->tls.min_version);
}

/*
 * No core and no tracing from before the key is read; dies with its parent; holds what it was given only. Who
 * stops a service sends SIGTERM to all of its processes: the session's last words shall come through.
 */
static bool prepare_process(void)
{
    const struct sigaction ignore = { .sa_handler = SIG_IGN };
    sigset_t none;

    (void)sigemptyset(&none);
    return inherited_reset(&none) && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && prctl(PR_SET_DUMPABLE, 0) == 0 &&
           sigaction(SIGPIPE, &ignore, NULL) == 0 && sigaction(SIGTERM, &ignore, NULL) == 0 &&
           close_range(OTHERS, ~0U, 0) == 0;
}

static bool set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

/* The connection does not wait, for the process that serves it waits for all at once. */
static bool prepare_connection(void)
{
    const int on = 1;

    (void)setsockopt(PEER, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* fails in tests without TCP */
    return set_nonblocking(PEER) && set_nonblocking(PLAIN);
}

/* Monitors that then start it for one connection hear why. */
static void __attribute__((noreturn)) fail_unheard(const char *about, const char *why)
{
    (void)about;
    (void)why;
    _exit(EXIT_FAILURE);
}

/* A context with all that it needs of files. */
static SSL_CTX *load(const struct options *o, void (*complain)(const char *about, const char *why))
{
    SSL_CTX *context;

    if (!prepare_process())
        complain("start", strerror(errno));
    context = o->client ? credentials_client(&o->tls, o->verify, complain) : credentials_load(&o->tls, complain);
    if (o->tls.ask_client || o->client)
        tzset(); /* the dates of certificates are looked at, where glibc would now open the time zone */
    if (close_range(CERTIFICATES, SECOND_KEY, 0) != 0)
        complain("start", strerror(errno));
    return context;
}

static void __attribute__((noreturn)) serve(const struct options *o)
{
    SSL_CTX *context = load(o, o->keep ? fail_unheard : channel_fail);
    SSL *ssl;
    bool ready = true;

    if (o->keep)
        keeper_run(context);
    ssl = SSL_new(context);
    if (ssl == NULL || SSL_set_fd(ssl, PEER) != 1 || (o->client && !credentials_expect(ssl, o->server)))
        channel_fail("OpenSSL", credentials_reason());
    if ((!o->keep && !prepare_connection()) || !sandbox_enter(SANDBOX_TLS, 0))
        channel_fail("sandbox", strerror(errno));
    if (o->keep)
        keeper_take();
    if (!o->client)
        ready = o->keep ? channel_tell("ready %ld", (long)getpid()) : channel_tell("ready");
    if (!ready)
        _exit(EXIT_FAILURE); /* somebody else may serve the connection by now */
    handshake(ssl);
    relay_run(ssl);
    if (o->keep)
        (void)channel_tell("done"); /* nobody else learns the exit status */
    _exit(EXIT_SUCCESS);
}

int main(int argc, char **argv)
{
    struct options options = { .tls.min_version = "1.2" };

    parse_options(argc, argv, &options);
    if (options.test) {
        bool good = options.client ? credentials_check_client(&options.tls, options.verify) : credentials_check(&options.tls);

        return output_status(good ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    serve(&options);
}
