/* mend.c - unit tests of mend.h: what is advised matches what was meant, and nothing else */
#include "conf/mend.h"

#include "unit.h"

static const struct {
    const char *text, *mended; /* "": there is more than can be said, NULL: it is no network, or right */
} networks[] = {
    { "^10\\.0\\.0\\.0/8", "10.0.0.0/8" },
    { "^192\\.0\\.2\\.0\\/24$", "192.0.2.0/24" },
    { "192\\.0\\.2\\.77/24", "192.0.2.0/24" },
    { "^10/8", "10.0.0.0/8" },
    { "192.0.2.0/255.255.255.0", "192.0.2.0/24" },
    { "192.0.2.77/255.255.255.128", "192.0.2.0/25" },
    { "0.0.0.0/0.0.0.0", "0.0.0.0/0" },
    { "192.168.1.*", "192.168.1.0/24" },
    { "^192\\.168\\.*", "192.168.0.0/16" },
    { "192.168.*.*", "192.168.0.0/16" },
    { "10.*", "10.0.0.0/8" },
    { "192.168.1.", "192.168.1.0/24" },
    { "^192.168.1.", "192.168.1.0/24" },
    { "192\\.168\\.", "192.168.0.0/16" },
    { "2001:db8:", "2001:db8::/32" },
    { "192.0.2.1", "192.0.2.1/32" },
    { "192\\.0\\.2\\.1", "192.0.2.1/32" },
    { "^192.0.2.1$", "192.0.2.1/32" },
    { "192.0.2.1-20",
      "192.0.2.1/32 192.0.2.2/31 192.0.2.4/30 192.0.2.8/29 192.0.2.16/30 192.0.2.20/32" },
    { "192.0.2.0-192.0.2.127", "192.0.2.0/25" },
    { "192.0.2.250-192.0.3.5", "192.0.2.250/31 192.0.2.252/30 192.0.3.0/30 192.0.3.4/31" },
    { "0.0.0.0-255.255.255.255", "0.0.0.0/0" },
    { "0.0.0.1-255.255.255.254", "" },
    { "[2001:db8::]/32", NULL },
    { "^2001:db8::/32", "2001:db8::/32" },
    { "^2001:db8::1/128$", "2001:db8::1/128" },
    { "2001:DB8:0:0::0001", "2001:db8::1/128" },
    { "2001:db8::1", "2001:db8::1/128" },
    { "[2001:db8::1]", "2001:db8::1/128" },
    { "^::ffff:192\\.0\\.2\\.1$", "192.0.2.1/32" },
    { "2001:db8:*", "2001:db8::/32" },
    { "2001:db8::*", "2001:db8::/32" },
    { "2001:db8::", NULL },
    { "^2001:db8::1$", NULL },
    { "^2001:db8:", NULL },
    { "^192\\.168\\.1\\.", NULL },
    { "^192\\.0\\.2\\.1$", NULL },
    { "^192\\.0\\.2\\.[1-5]$", NULL },
    { "^10\\.0\\..*", NULL },
    { "192.0.2.$", NULL },
    { "192.0.2", NULL },
    { "10", NULL },
    { "192.0.2.300/255.0.0.0", NULL },
    { "192.0.2.0/255.0.255.0", NULL },
    { "192.0.2.20-1", NULL },
    { "mx-1.example.com", NULL },
    { ":", NULL },
    { "::", NULL },
    { ".", NULL },
    { "*", NULL },
    { "a/b", NULL },
    { "^$", NULL },
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
    test_globs_and_slips();
    test_loose();
}
