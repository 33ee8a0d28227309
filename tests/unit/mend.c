/* mend.c - unit tests of mend.h: what is advised matches what was meant, and nothing else */
#include "conf/mend.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "client/client.h"
#include "patterns/pattern.h"
#include "unit.h"

static bool matches(const char *expression, const char *text)
{
    struct pattern pattern = { .text = slice_of(expression) };
    char why[256];
    bool yes = pattern_match(&pattern, slice_of(text), NULL, why, sizeof why) == MATCH_YES;

    pattern_free(&pattern);
    return yes;
}

static const struct {
    const char *text, *mended; /* "": nothing passes, NULL: it is no network */
} networks[] = {
    { "10.0.0.0/8", "^10\\." },
    { "10.0.0.0/9", "^10\\.(\\d|[1-9]\\d|1[01]\\d|12[0-7])\\." },
    { "192.0.2.0/24", "^192\\.0\\.2\\." },
    { "192.0.2.77/24", "^192\\.0\\.2\\." },
    { "192.0.2.0/255.255.255.0", "^192\\.0\\.2\\." },
    { "192.0.2.0/25", "^192\\.0\\.2\\.(\\d|[1-9]\\d|1[01]\\d|12[0-7])$" },
    { "192.0.2.8/31", "^192\\.0\\.2\\.[89]$" },
    { "192.0.2.1/32", "^192\\.0\\.2\\.1$" },
    { "0.0.0.0/0", "^\\d+\\." },
    { "192.168.1.*", "^192\\.168\\.1\\." },
    { "^192\\.168\\.*", "^192\\.168\\." },
    { "192.168.*.*", "^192\\.168\\." },
    { "192.0.2.1-20", "^192\\.0\\.2\\.([1-9]|1\\d|20)$" },
    { "192.0.2.1-192.0.2.255", "^192\\.0\\.2\\.([1-9]|[1-9]\\d|1\\d\\d|2[0-4]\\d|25[0-5])$" },
    { "192.0.2.250-192.0.3.5", "" },
    { "2001:db8::/32", "^2001:0db8:" },
    { "2001:db8:8000::/33", "^2001:0db8:[89abcdef][\\da-f][\\da-f][\\da-f]:" },
    { "2001:db8::1/128", "^2001:db8::1$" },
    { "2001:DB8:0:0::0001", "^2001:db8::1$" },
    { "[2001:db8::1]", "^2001:db8::1$" },
    { "2001:db8:*", "^2001:0db8:" },
    { "fe80::/10", "^fe[89ab][\\da-f]:" },
    { "::/0", ":" },
    { "^2001:db8::1$", NULL },
    { "^192\\.0\\.2\\.[1-5]$", NULL },
    { "^10\\.0\\..*", NULL },
    { "192.0.2.300/24", NULL },
    { "192.0.2.0/33", NULL },
    { "192.0.2.0/255.0.255.0", NULL },
    { "192.0.2.20-1", NULL },
    { "mx-1.example.com", NULL },
    { "*", NULL },
    { "a/b", NULL },
    { "", NULL },
};

static void test_networks(void)
{
    char out[MEND_MAX];

    for (size_t i = 0; i < COUNT(networks); i++) {
        enum mend mend = mend_network(slice_of(networks[i].text), out);

        ok_number(mend, networks[i].mended == NULL ? MEND_NOTHING : networks[i].mended[0] == '\0' ? MEND_VAGUE : MEND_FOUND,
                  "%s is a network", networks[i].text);
        if (mend == MEND_FOUND)
            ok_text(slice_of(out), slice_of(networks[i].mended != NULL ? networks[i].mended : ""), "... for %s",
                    networks[i].text);
    }
}

static unsigned next_random(unsigned *state)
{
    *state = *state * 1103515245U + 12345U;
    return *state >> 16;
}

/* Networks of all sizes, tried on addresses that share a random part with them. */
static void test_random_networks(void)
{
    unsigned state = 1, wrong = 0, inside = 0, tries = 0;

    for (unsigned i = 0; i < 400; i++) {
        int family = i % 2 == 0 ? AF_INET : AF_INET6;
        unsigned size = family == AF_INET ? 4 : 16, bits = next_random(&state) % (size * 8 + 1);
        unsigned char base[16], bytes[16];
        char text[INET6_ADDRSTRLEN + 8], address[INET6_ADDRSTRLEN], out[MEND_MAX];

        for (unsigned b = 0; b < size; b++)
            base[b] = (unsigned char)next_random(&state);
        (void)inet_ntop(family, base, address, sizeof address);
        (void)snprintf(text, sizeof text, "%s/%u", address, bits);
        if (mend_network(slice_of(text), out) != MEND_FOUND) {
            ok(false, "nothing is found for %s", text);
            continue;
        }
        for (unsigned n = 0; n < 20; n++) {
            unsigned flip = next_random(&state) % (size * 8);
            struct client client;
            bool yes;

            memcpy(bytes, base, size);
            bytes[flip / 8] ^= (unsigned char)(0x80 >> flip % 8);
            for (unsigned b = flip / 8 + 1; b < size; b++)
                bytes[b] = (unsigned char)next_random(&state);
            (void)inet_ntop(family, bytes, address, sizeof address);
            (void)client_pretend(&client, address);
            yes = matches(out, client.address) || (client.address_full[0] != '\0' && matches(out, client.address_full));
            tries++;
            inside += yes;
            if (yes != (flip >= bits) && wrong++ < 5)
                ok(false, "%s, by %s, and %s", text, out, address);
        }
    }
    ok_number(wrong, 0, "all %u addresses are where they belong", tries);
    ok(inside > tries / 4 && inside < tries * 3 / 4, "%u of them inside", inside);
}

static const struct {
    const char *text, *mended;
    enum regex_subject subject;
} globs[] = {
    { "*.example.com", "\\.example\\.com$", REGEX_NAME },
    { "mail*.example.com", "^mail.*\\.example\\.com$", REGEX_NAME },
    { "mail*", "^mail", REGEX_NAME },
    { "mx?*.example.com", "^mx..*\\.example\\.com$", REGEX_NAME },
    { "*@example.com", "@example\\.com$", REGEX_RECIPIENT },
    { "bounce-*@example.com", "^bounce-.*@example\\.com$", REGEX_RECIPIENT },
    { "joe@*", "^joe@", REGEX_RECIPIENT },
    { "^mail.*\\.example\\.com$", NULL, REGEX_NAME },
    { "mail.*", NULL, REGEX_NAME },
    { "example.com", NULL, REGEX_NAME },
    { "", NULL, REGEX_NAME },
};

static const struct {
    const char *pattern;
    enum slip slip;
    size_t at;
    const char *mended;
} slips[] = {
    { "^192\\.0\\.2\\.[0-255]$", SLIP_NUMBER, 12, "^192\\.0\\.2\\.(?:\\d|[1-9]\\d|1\\d\\d|2[0-4]\\d|25[0-5])$" },
    { "[1-12]", SLIP_NUMBER, 0, "(?:[1-9]|1[0-2])" },
    { "[A-z]+", SLIP_CASES, 0, "[a-z]+" },
    { "x[0-9A-z_]", SLIP_CASES, 1, "x[0-9a-z_]" },
    { "\\.example\\.[com|net]$", SLIP_ALTERNATIVES, 11, "\\.example\\.(?:com|net)$" },
    { "\\d{1-3}\\.", SLIP_BRACES, 2, "\\d{1,3}\\." },
    { "[0-9]", SLIP_NONE, 0, NULL },
    { "[0-9a-z]{2,3}", SLIP_NONE, 0, NULL },
    { "[a|b]", SLIP_NONE, 0, NULL },
    { "\\[0-255]", SLIP_NONE, 0, NULL },
    { "[]0-255]", SLIP_NONE, 0, NULL },
    { "[", SLIP_NONE, 0, NULL },
};

static void test_globs_and_slips(void)
{
    char out[MEND_MAX] = "";

    for (size_t i = 0; i < COUNT(globs); i++) {
        enum mend mend = mend_glob(slice_of(globs[i].text), globs[i].subject, out);

        ok_number(mend, globs[i].mended != NULL ? MEND_FOUND : MEND_NOTHING, "%s is a pattern of the shell", globs[i].text);
        if (mend == MEND_FOUND)
            ok_text(slice_of(out), slice_of(globs[i].mended != NULL ? globs[i].mended : ""), "... for %s", globs[i].text);
    }
    for (size_t i = 0; i < COUNT(slips); i++) {
        enum mend mend = MEND_NOTHING;
        size_t at = 0;
        enum slip slip = mend_slip(slice_of(slips[i].pattern), &at, &mend, out);

        ok_number(slip, slips[i].slip, "slip of %s", slips[i].pattern);
        if (slip == SLIP_NONE)
            continue;
        ok_number(at, slips[i].at, "... its place");
        ok_number(mend, MEND_FOUND, "... it is mended");
        ok_text(slice_of(out), slice_of(slips[i].mended != NULL ? slips[i].mended : ""), "... in %s", slips[i].pattern);
    }
}

static const struct {
    const char *pattern;
    enum regex_subject subject;
    enum mend mend;
} loose[] = {
    { "example.com", REGEX_NAME, MEND_FOUND },
    { "^(www|mail).example.com$", REGEX_NAME, MEND_FOUND },
    { "^mx[0-9]+.example\\.com$", REGEX_NAME, MEND_FOUND },
    { "^mail\\.", REGEX_NAME, MEND_VAGUE },            /* a name does not end in a dot */
    { "^(a)\\1.example\\.com", REGEX_NAME, MEND_VAGUE }, /* no text is made of a reference */
    { "^192.0.2.", REGEX_ADDRESS, MEND_FOUND },
    { "^192\\.0\\.2\\.1", REGEX_ADDRESS, MEND_FOUND },
    { "^2001:db8", REGEX_ADDRESS, MEND_FOUND },
    { "^192.0.2.0/24$", REGEX_ADDRESS, MEND_VAGUE },   /* matches no address */
    { "^192\\.0\\.2\\.", REGEX_ADDRESS, MEND_NOTHING },
    { "joe@example.com", REGEX_RECIPIENT, MEND_FOUND },
    { "^joe@", REGEX_RECIPIENT, MEND_NOTHING },
};

static void test_loose(void)
{
    char out[MEND_MAX];

    for (size_t i = 0; i < COUNT(loose); i++)
        ok_number(mend_loose(slice_of(loose[i].pattern), loose[i].subject, out), loose[i].mend, "%s is mended",
                  loose[i].pattern);
}

void test_mend(void)
{
    test_networks();
    test_random_networks();
    test_globs_and_slips();
    test_loose();
}
