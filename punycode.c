/* punycode.c - domains in UTF-8 as the DNS has them (RFC 3492, RFC 5890); pure */
#include "punycode.h"

#include <stdint.h>

#include "text.h"

enum { LABEL_MAX = 63 };

/* RFC 3492 5 */
enum { BASE = 36, TMIN = 1, TMAX = 26, SKEW = 38, DAMP = 700, INITIAL_BIAS = 72, INITIAL_N = 128 };

/* The characters of a label of at most 63 bytes; 0 if it is no UTF-8. */
static size_t decode(struct slice label, uint32_t characters[LABEL_MAX])
{
    size_t count = 0, len;

    for (; label.len > 0; label.text += len, label.len -= len) {
        const unsigned char *p = (const unsigned char *)label.text;
        static const unsigned char lead[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };

        len = envelope_utf8(label);
        if (len == 0 || count == LABEL_MAX)
            return 0;
        characters[count] = p[0] & lead[len];
        for (size_t i = 1; i < len; i++)
            characters[count] = characters[count] << 6 | (p[i] & 0x3f);
        count++;
    }
    return count;
}

/* RFC 3492 6.1 */
static uint32_t adapt(uint32_t delta, uint32_t points, bool first)
{
    uint32_t k = 0;

    delta = first ? delta / DAMP : delta / 2;
    delta += delta / points;
    for (; delta > (BASE - TMIN) * TMAX / 2; k += BASE)
        delta /= BASE - TMIN;
    return k + (BASE - TMIN + 1) * delta / (delta + SKEW);
}

/* A number of variable length (RFC 3492 3.3) */
static void put_number(struct text *text, uint32_t number, uint32_t bias)
{
    static const char digits[] = "abcdefghijklmnopqrstuvwxyz0123456789";

    for (uint32_t k = BASE;; k += BASE) {
        uint32_t t = k <= bias ? TMIN : k >= bias + TMAX ? TMAX : k - bias;

        if (number < t)
            break;
        text_put(text, (struct slice){ &digits[t + (number - t) % (BASE - t)], 1 });
        number = (number - t) / (BASE - t);
    }
    text_put(text, (struct slice){ &digits[number], 1 });
}

/* The least character that is not less than `from`. */
static uint32_t next_character(const uint32_t *characters, size_t count, uint32_t from)
{
    uint32_t least = UINT32_MAX;

    for (size_t i = 0; i < count; i++)
        if (characters[i] >= from && characters[i] < least)
            least = characters[i];
    return least;
}

/* RFC 3492 6.3. With 63 characters below 0x110000 nothing overflows. */
static void encode(const uint32_t *characters, size_t count, struct text *text)
{
    uint32_t n = INITIAL_N, delta = 0, bias = INITIAL_BIAS;
    size_t basic = 0, done;

    for (size_t i = 0; i < count; i++)
        if (characters[i] < INITIAL_N) {
            char c = lower_ascii((char)characters[i]);

            text_put(text, (struct slice){ &c, 1 });
            basic++;
        }
    if (basic > 0)
        text_put(text, slice_of("-"));
    for (done = basic; done < count; delta++, n++) {
        uint32_t next = next_character(characters, count, n);

        delta += (next - n) * (uint32_t)(done + 1);
        n = next;
        for (size_t i = 0; i < count; i++) {
            delta += characters[i] < n;
            if (characters[i] != n)
                continue;
            put_number(text, delta, bias);
            bias = adapt(delta, (uint32_t)done + 1, done == basic);
            delta = 0;
            done++;
        }
    }
}

/* One label; false if it is too long. */
static bool put_label(struct text *out, struct slice label)
{
    uint32_t characters[LABEL_MAX];
    size_t begin = out->len, count = decode(label, characters);

    if (count == 0 || count == label.len) { /* ASCII */
        text_put(out, label);
        return count > 0;
    }
    text_put(out, slice_of("xn--"));
    encode(characters, count, out);
    return out->len - begin <= LABEL_MAX;
}

bool punycode_domain(struct slice domain, char out[DOMAIN_MAX + 1])
{
    struct text text = { out, DOMAIN_MAX, 0 };
    bool fits = true;

    while (fits && domain.len > 0) {
        const char *dot = memchr(domain.text, '.', domain.len);
        size_t len = dot != NULL ? (size_t)(dot - domain.text) : domain.len;

        fits = put_label(&text, (struct slice){ domain.text, len });
        len += dot != NULL;
        text_put(&text, slice_of(dot != NULL ? "." : ""));
        domain.text += len;
        domain.len -= len;
    }
    out[text.len] = '\0';
    return fits && text.len < DOMAIN_MAX;
}
