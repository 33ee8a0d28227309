/* tls.c - opens TLS 1.3 sessions with servers that run, says QUIT, and times them */
/*
 * usage: tls [-n ROUNDS] [-o FILE] NAME PORT GREETING...
 *   GREETING  220 for a server that speaks first, - for one that waits
 *   -n        how often (200); -o: appends the figures: test, subject, measure, median, least, 1 and 9 of 10, ratio
 *
 * In every round each server gets one session, in an order that begins with another one each time. No
 * session is resumed: each is a full handshake.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/ssl.h>

enum { MAX_SERVERS = 8, WARM_UP = 5, WAIT_SECS = 20 };
enum measure { HANDSHAKE, SESSION, MEASURES };

static const struct {
    const char *name, *meaning;
} measures[MEASURES] = {
    [HANDSHAKE] = { "handshake", "ms from connect to the end of the handshake" },
    [SESSION] = { "session", "ms from connect until the answer to QUIT has come" },
};

struct server {
    const char *name;
    uint16_t port;
    bool greets;
    double *samples[MEASURES];
};

static struct server servers[MAX_SERVERS];
static size_t server_count, rounds = 200;

static void __attribute__((noreturn)) die(const char *what, const char *whom)
{
    fprintf(stderr, "tls: %s: %s\n", whom, what);
    exit(1);
}

static double now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail */
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int connect_to(const struct server *server)
{
    const struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(server->port),
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    const struct timeval limit = { .tv_sec = WAIT_SECS };
    const int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        connect(fd, (const struct sockaddr *)&to, sizeof to) != 0)
        die("cannot connect", server->name);
    return fd;
}

/* Waits for a line; what it says does not matter. */
static void read_line(SSL *ssl, const struct server *server)
{
    char line[1024];
    int used = 0, got;

    do {
        got = SSL_read(ssl, line + used, (int)sizeof line - used);
        used += got > 0 ? got : 0;
    } while (got > 0 && used < (int)sizeof line && line[used - 1] != '\n');
    if (got <= 0)
        die("no line", server->name);
}

static void one_session(SSL_CTX *context, const struct server *server, size_t round)
{
    SSL *ssl = SSL_new(context);
    double begin = now_ms(), times[MEASURES];
    int fd = connect_to(server);

    if (ssl == NULL || SSL_set_fd(ssl, fd) != 1 || SSL_connect(ssl) != 1)
        die("no handshake", server->name);
    times[HANDSHAKE] = now_ms() - begin;
    if (server->greets)
        read_line(ssl, server);
    if (SSL_write(ssl, "QUIT\r\n", 6) != 6)
        die("cannot write", server->name);
    read_line(ssl, server);
    times[SESSION] = now_ms() - begin;
    (void)SSL_shutdown(ssl); /* the server may be gone */
    SSL_free(ssl);
    (void)close(fd);
    for (enum measure m = 0; m < MEASURES && round >= WARM_UP; m++)
        server->samples[m][round - WARM_UP] = times[m];
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void print_table(FILE *out)
{
    for (enum measure m = 0; m < MEASURES; m++) {
        const double *first = servers[0].samples[m];

        printf("tls: %s\n  %-24s %10s %7s %10s %7s %10s\n", measures[m].meaning, "", "median", "ratio", "least",
               "ratio", "8 of 10");
        for (size_t i = 0; i < server_count; i++) {
            const double *v = servers[i].samples[m];
            double median = v[rounds / 2], low = v[rounds / 10], high = v[rounds - 1 - rounds / 10];

            printf("  %-24s %10.3f %7.2f %10.3f %7.2f %10.3f - %.3f\n", servers[i].name, median,
                   median / first[rounds / 2], v[0], v[0] / first[0], low, high);
            if (out != NULL)
                fprintf(out, "tls\t%s\t%s\t%.4f\t%.4f\t%.4f\t%.4f\t%.4f\n", servers[i].name, measures[m].name, median,
                        v[0], low, high, median / first[rounds / 2]);
        }
    }
}

static void add_server(char **words)
{
    struct server *s = &servers[server_count++];

    *s = (struct server){ .name = words[0], .port = (uint16_t)atoi(words[1]), .greets = strcmp(words[2], "220") == 0 };
    for (enum measure m = 0; m < MEASURES; m++)
        if ((s->samples[m] = calloc(rounds, sizeof(double))) == NULL)
            die("out of memory", s->name);
}

int main(int argc, char **argv)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    FILE *out = NULL;
    int option;

    while ((option = getopt(argc, argv, "n:o:")) != -1) {
        if (option == 'n')
            rounds = (size_t)atoi(optarg);
        else if (option != 'o' || (out = fopen(optarg, "ae")) == NULL)
            die("usage: tls [-n ROUNDS] [-o FILE] NAME PORT GREETING...", "options");
    }
    if (context == NULL || SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1 || rounds < 1)
        die("cannot begin", "OpenSSL");
    for (int i = optind; i + 2 < argc && server_count < MAX_SERVERS; i += 3)
        add_server(argv + i);
    for (size_t round = 0; round < rounds + WARM_UP; round++)
        for (size_t i = 0; i < server_count; i++)
            one_session(context, &servers[(round + i) % server_count], round);
    for (size_t i = 0; i < server_count; i++)
        for (enum measure m = 0; m < MEASURES; m++)
            qsort(servers[i].samples[m], rounds, sizeof(double), compare);
    if (server_count > 0)
        print_table(out);
    return (out == NULL || fclose(out) == 0) && fflush(stdout) == 0 ? 0 : 1;
}
