/* monitor.c - fuzz target: a session process that sends whatever it likes; nothing of it is believed */
/*
 * The bytes are packets. Each begins with its kind: an even byte is followed by a length in two bytes
 * and the raw bytes of a packet; an odd byte begins a well-formed question, whose kind is the
 * byte / 2: number, stage, size (two bytes), code (two bytes), length of the text, and the text.
 */
#include "monitor/monitor.h"

#include <string.h>

#include "base/log.h"
#include "fuzz.h"
#include "monitor/packet.h"

struct input {
    const uint8_t *data;
    size_t size;
};

static unsigned take_number(struct input *in, size_t bytes)
{
    unsigned number = 0;

    for (; bytes > 0; bytes--) {
        number = number << 8 | (in->size > 0 ? *in->data : 0U);
        in->data += in->size > 0;
        in->size -= in->size > 0;
    }
    return number;
}

static struct slice take_bytes(struct input *in, size_t len)
{
    struct slice bytes = { (const char *)in->data, len < in->size ? len : in->size };

    in->data += bytes.len;
    in->size -= bytes.len;
    return bytes;
}

static void take_packet(struct input *in, struct packet *packet)
{
    unsigned kind = take_number(in, 1);
    struct question q = { .kind = kind / 2 };

    packet->used = 0;
    if (kind % 2 == 0) {
        struct slice raw = take_bytes(in, take_number(in, 2) % PACKET_BYTES);

        memcpy(packet->bytes, raw.text, raw.len);
        packet->used = raw.len;
        return;
    }
    q.number = take_number(in, 1);
    q.stage = take_number(in, 1);
    q.size = take_number(in, 2);
    q.reply.code = take_number(in, 2);
    q.text = q.reply.note = take_bytes(in, take_number(in, 1));
    (void)packet_put(packet, &q);
}

/* The slices of a question lie in its packet, one behind the other. */
static void check_questions(const struct packet *packet)
{
    size_t offset = 0, before = 0;
    struct question q;

    while (offset < packet->used && packet_take(packet, &offset, &q)) {
        const struct slice parts[] = { q.reply.text, q.reply.status, q.reply.detail, q.reply.note, q.text };
        const char *at = packet->bytes + before;

        for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
            HOLDS(parts[i].text >= at);
            at = parts[i].text + parts[i].len;
        }
        HOLDS(offset > before && at <= packet->bytes + offset && offset <= packet->used);
        before = offset;
    }
}

#define SETTINGS \
    "domain mx.example\nlimit.smtp_rcpt_to 3\nrecipient_delimiter +\n" \
    "auth optional\nauth.insecure on\nauth.command /nonexistent\n" \
    "dns.reverse off\nxclient ^192[.]0[.]2[.]7$\nxforward ^192[.]0[.]2[.]7$\ndeny remotehost ^192[.]0[.]2[.]66$\n" \
    "deliver rcpt_to a@mx.example append /dev/null\n" \
    "deliver once rcpt_to /^list-(.*)@mx/ append /dev/null\n" \
    "error rcpt_to ^old 551 Gone\\, try elsewhere\n"

static void hear(struct input in, const char *settings)
{
    static const volatile sig_atomic_t terminated;
    static struct packet packet;
    const char *violation = NULL;
    struct monitor *monitor;
    struct conf conf;
    struct client client;

    HOLDS(log_open("/dev/null") && log_set_flags(slice_of("a")) == 1);
    HOLDS(client_pretend(&client, "192.0.2.7=client.example") == CLIENT_OK);
    conf_parse(&conf, "fuzz.conf", slice_of(settings));
    HOLDS(conf.errors == 0);
    monitor = monitor_begin(&conf, &client, &terminated);
    HOLDS(monitor != NULL);
    (void)monitor_connect(monitor);
    while (in.size > 0 && violation == NULL) {
        take_packet(&in, &packet);
        check_questions(&packet);
        violation = monitor_hear(monitor, &packet);
    }
    monitor_end(monitor);
    conf_free(&conf);
}

void fuzz_monitor(const uint8_t *data, size_t size)
{
    hear((struct input){ data, size }, SETTINGS);
    hear((struct input){ data, size }, SETTINGS "protocol lmtp\n");
}
