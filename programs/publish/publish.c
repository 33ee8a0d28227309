/* publish.c - the separate program mailrecv-publish: hands a message to a broker, and waits for its confirmation */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/inherited.h"
#include "base/text.h"
#include "programs/publish/job.h"
#include "programs/publish/keeper.h"

enum {
    SECONDS = 60,      /* without -w */
    NEXT_SECONDS = 10, /* for getting into a broker, if there is another one to ask */
    WORD_MOST = 255    /* bytes of an exchange and a routing key */
};

static const struct url_scheme schemes[] = {
    { "amqp://", 5672, true }, { "amqps://", 5671, true }, { "nats://", 4222, false }, { "tls://", 4222, false }
};

/* In the same order. */
static const struct {
    publish_at *publish;
    bool tls;
    int words; /* behind the URL */
    const char *expected;
} brokers[] = {
    { rabbitmq_publish, false, 2, "EXCHANGE ROUTING-KEY" },
    { rabbitmq_publish, true, 2, "EXCHANGE ROUTING-KEY" },
    { nats_publish, false, 1, "SUBJECT" },
    { nats_publish, true, 1, "SUBJECT" },
};

static void print_help(void)
{
    puts("usage: " PROGRAM " [-a FILE] [-C FILE] [-w SECS] [-k SECS] URL EXCHANGE ROUTING-KEY\n"
         "       " PROGRAM " [-a FILE] [-C FILE] [-w SECS] URL SUBJECT\n"
         "\n"
         "Publishes the message on standard input. URL is amqp://HOST[:PORT][,HOST...][/VHOST], or amqps:// for TLS,\n"
         "with exchange and routing key; or nats://HOST[:PORT][,HOST...], or tls:// for TLS, with a subject.\n"
         "Status 0: the broker keeps the message, and has confirmed it; 65, 67, 77: refused for good; 75: not now.\n"
         "  -a FILE    log in with the line user:password in this file, which must be for our user alone\n"
         "  -C FILE    trust these authorities (PEM), instead of those of the system\n"
         "  -w SECS    wait so long in all, instead of 60\n"
         "  -k SECS    keep the connection to RabbitMQ for messages of others, until none has come for so long\n"
         "  -V         show the version\n"
         "  -h         show this help\n"
         "\n"
         PROGRAM "(1) says more.");
}

static int output_status(void)
{
    return fflush(stdout) == 0 && ferror(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static unsigned parse_seconds(int option, const char *text)
{
    char *end;
    unsigned long seconds = strtoul(text, &end, 10);

    if (text[0] < '0' || text[0] > '9' || *end != '\0' || seconds == 0 || seconds > 86400)
        verdict_misuse("-%c %s: expected seconds, from 1 to 86400", option, text);
    return (unsigned)seconds;
}

/*
 * Tokens with dots between them, none of which stands for others. The library writes a subject as it is into a line of
 * the protocol, where a blank or a line end in it would begin something else.
 */
static bool is_subject(const char *text)
{
    for (const char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c <= ' ' || *c == '\x7f')
            return false;
    for (size_t len; (len = strcspn(text, ".")) > 0; text += len + 1)
        if (len == 1 && (*text == '*' || *text == '>'))
            return false;
        else if (text[len] == '\0')
            return true;
    return false;
}

/* The rest of the command line: what is published where. */
static void parse_words(struct job *job, char **words, int count)
{
    const char *wrong;

    if (count == 0)
        verdict_misuse("expected the URL of a broker");
    wrong = url_parse(&job->url, words[0], schemes, sizeof schemes / sizeof schemes[0]);
    if (wrong != NULL)
        verdict_misuse("the URL: %s", wrong);
    if (count - 1 != brokers[job->url.scheme].words)
        verdict_misuse("expected %s behind the URL", brokers[job->url.scheme].expected);
    for (int i = 1; i < count; i++)
        if (strlen(words[i]) > WORD_MOST)
            verdict_misuse("expected at most %d bytes: %s", WORD_MOST, words[i]);
    if (brokers[job->url.scheme].words == 1 && !is_subject(words[1]))
        verdict_misuse("expected a subject without blanks, empty parts, * and >: %s", words[1]);
    if (job->keep > 0 && brokers[job->url.scheme].publish != rabbitmq_publish)
        verdict_misuse("-k is for RabbitMQ");
    job->text = words[0];
    job->tls = brokers[job->url.scheme].tls;
    for (int i = 1; i < count; i++)
        job->message.to[i - 1] = words[i];
}

static void parse(int argc, char **argv, struct job *job)
{
    int letter;

    opterr = 0;
    while ((letter = getopt(argc, argv, "+:a:C:w:k:Vh")) != -1) {
        switch (letter) {
        case 'a': job->credentials = optarg; break;
        case 'C': job->authorities = optarg; break;
        case 'w': job->seconds = parse_seconds(letter, optarg); break;
        case 'k': job->keep = parse_seconds(letter, optarg); break;
        case 'V': puts(PROGRAM " " VERSION); exit(output_status());
        case 'h': print_help(); exit(output_status());
        case ':': verdict_misuse("option -%c needs a value", optopt);
        default: verdict_misuse("unknown option -%c", optopt);
        }
    }
    parse_words(job, argv + optind, argc - optind);
}

static bool read_credentials(struct job *job)
{
    struct credentials credentials;
    char reason[PATH_MAX + 256];

    if (job->credentials == NULL)
        return true;
    if (!credentials_read(slice_of(job->credentials), geteuid(), &credentials, reason, sizeof reason)) {
        verdict_note("%s", reason);
        return false;
    }
    text_string(job->user, sizeof job->user, credentials.user);
    text_string(job->password, sizeof job->password, credentials.password);
    credentials_wipe(&credentials);
    return true;
}

/* The hosts in turn, until one has had the message. Who is not the last one must let us in soon. */
static enum verdict publish(struct job *job, uint64_t until)
{
    enum verdict verdict = UNREACHABLE;

    for (size_t i = 0; i < job->url.count; i++) {
        uint64_t share = (uint64_t)clock_left(until) / (job->url.count - i);
        uint64_t soon = clock_ms() + clock_earlier(share, NEXT_SECONDS * UINT64_C(1000));
        bool last = i + 1 == job->url.count;

        verdict = brokers[job->url.scheme].publish(job, &job->url.places[i], last ? until : soon);
        if (verdict != UNREACHABLE && verdict != LOCKED_OUT && verdict != NOT_NOW)
            break;
    }
    return verdict;
}

int main(int argc, char **argv)
{
    static struct job job = { .seconds = SECONDS };
    sigset_t none;
    enum verdict verdict;

    (void)sigemptyset(&none); /* cannot fail */
    if (!inherited_reset(&none)) {
        verdict_note("%s", strerror(errno));
        return verdict_tell(UNPREPARED);
    }
    inherited_close();
    parse(argc, argv, &job);
    (void)signal(SIGPIPE, SIG_IGN); /* EPIPE says it, too */
    verdict_within(job.seconds);
    facts_take(&job.message);
    verdict = body_take(&job.message.body);
    if (verdict == CONFIRMED && !read_credentials(&job))
        verdict = UNPREPARED;
    /* a little earlier than LATE, so that it is heard which host is silent */
    if (verdict == CONFIRMED && !(job.keep > 0 && keeper_ask(&job, &verdict)))
        verdict = publish(&job, clock_ms() + job.seconds * 900ULL);
    explicit_bzero(job.password, sizeof job.password);
    return verdict_tell(verdict);
}
