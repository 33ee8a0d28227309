/* canonical.c - unit tests of canonical.h: what is the same address, and what is none */
#include "dns/canonical.h"

#include "unit.h"

#define A63 X10("aaaaaa") "aaa"
#define B62 X10("bbbbbb") "bb"
#define UE "\xc3\xbc"

/* `canonical` NULL: it is forbidden. */
static const struct {
    struct slice domain;
    const char *canonical;
} domains[] = {
    { SLICE("example.com"), "example.com" },
    { SLICE("Example.COM"), "Example.COM" },
    { SLICE("example.com."), "example.com" },
    { SLICE("my_host.example"), "my_host.example" },
    { SLICE(""), NULL },
    { SLICE("."), NULL },
    { SLICE("example.com.."), NULL },
    { SLICE("a b"), NULL },
    { SLICE("b" UE "cher.example"), "xn--bcher-kva.example" },
    { SLICE("B\xc3\x9c" "CHER.Example."), "xn--bcher-kva.example" },
    { SLICE("bu\xcc\x88" "cher.example"), "xn--bcher-kva.example" },               /* u and a combining diaeresis */
    { SLICE("xn--bcher-kva.example"), "xn--bcher-kva.example" },
    { SLICE("m" UE "nchen.b" UE "cher.example"), "xn--mnchen-3ya.xn--bcher-kva.example" },
    { SLICE("my_b" UE "cher.ex_ample"), "xn--my_bcher-95a.ex_ample" },
    { SLICE("stra\xc3\x9f" "e.example"), "xn--strae-oqa.example" },                /* not transitional: not ss */
    { SLICE("b" UE "cher\xe3\x80\x82" "example"), "xn--bcher-kva.example" },       /* U+3002 is a dot */
    { SLICE("\xef\xbd\x85xample.com"), "example.com" },                            /* a wide e */
    { SLICE("\xe4\xbe\x8b\xe3\x81\x88.\xe3\x83\x86\xe3\x82\xb9\xe3\x83\x88"), "xn--r8jz45g.xn--zckzah" },
    { SLICE("\xd0\xbf\xd1\x80\xd0\xb8\xd0\xbc\xd0\xb5\xd1\x80.example"), "xn--e1afmkfd.example" },
    { SLICE("exam\xe2\x80\x8bple.org"), NULL },                                    /* U+200B */
    { SLICE("exam\xc2\xadple.org"), NULL },                                        /* U+00AD */
    { SLICE("exam\xe2\x81\xa0ple.org"), NULL },                                    /* U+2060 */
    { SLICE("exam\xef\xb8\x8fple.org"), NULL },                                    /* U+FE0F */
    { SLICE("\xef\xbb\xbf" "example.org"), NULL },                                 /* U+FEFF */
    { SLICE("exam\xe2\x80\x8dple.org"), NULL },                                    /* U+200D out of its context */
    /* NOLINTNEXTLINE(misc-misleading-bidirectional) */
    { SLICE("exam\xe2\x80\xaeple.org"), NULL },                                    /* U+202E */
    { SLICE("a\xc2\xa0" "b.org"), NULL },                                          /* a no-break space */
    { SLICE("\xf0\x9f\x92\xa9.example"), NULL },
    { SLICE("-b" UE "cher.example"), NULL },
    { SLICE("ab--" UE ".example"), NULL },
    { SLICE(UE "\xef\xbc\xa0" "x.example"), NULL },                                /* a wide @ */
    { SLICE(UE "\xef\xbc\x8e"), "xn--tda" },                                       /* a wide dot, at the end */
    { SLICE("1\xd7\x90.example"), NULL },                                          /* the Bidi rule */
    { SLICE(A63 "." A63 "." A63 "." A63), A63 "." A63 "." A63 "." A63 },
    { SLICE(X10(UE UE UE) ".example"), "xn--tdaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example" },
    { SLICE(X10(UE UE UE) UE UE UE UE UE UE UE UE ".example"),                     /* 76 bytes that fit into a label */
      "xn--tdaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example" },
    { SLICE(B62 UE ".example"), NULL },
    { SLICE("[192.0.2.1]"), "[192.0.2.1]" },
    { SLICE("[ipv6:2001:DB8:0:0::1]"), "[IPv6:2001:db8::1]" },
    { SLICE("[Tag:Content]"), "[Tag:Content]" },
    { SLICE("[]"), NULL },
};

static const struct {
    const char *address, *canonical;
} addresses[] = {
    { "joe@example.com", "joe@example.com" },
    { "Joe@Example.com", "Joe@Example.com" },
    { "\"joe\"@example.com", "joe@example.com" },
    { "\"j\\oe\"@example.com", "joe@example.com" },
    { "\"j.o.e\"@example.com", "j.o.e@example.com" },
    { "\"j..oe.\"@example.com", "j..oe.@example.com" },
    { "j..oe.@example.com", "j..oe.@example.com" },
    { "\"j oe\"@example.com", "\"j oe\"@example.com" },
    { "\"j\\ oe\"@example.com", "\"j oe\"@example.com" },
    { "\"j\\\"o\\\\\\e\"@example.com", "\"j\\\"o\\\\e\"@example.com" },
    { "\"j@x\"@example.com", "\"j@x\"@example.com" },
    { "\"\"@example.com", "\"\"@example.com" },
    { "\"\\\"joe\\\"\"@example.com", "\"\\\"joe\\\"\"@example.com" },  /* the quotes are its own */
    { "\".\"@example.com", "\".\"@example.com" },
    { "joe@example.com.", "joe@example.com" },
    { "\"joe\"@B\xc3\x9c" "CHER.example.", "joe@xn--bcher-kva.example" },
    { "J\xc3\x9cRGEN@example.com", "j" UE "rgen@example.com" },
    { "ju\xcc\x88rgen@example.com", "j" UE "rgen@example.com" },
    { "\"J\xc3\x9crgen\"@example.com", "j" UE "rgen@example.com" },
    { "\"j" UE " x\"@example.com", "\"j" UE " x\"@example.com" },
    { "stra\xc3\x9f" "e@example.com", "stra\xc3\x9f" "e@example.com" },
    { "a\xcd\xbe@example.com", "\"a;\"@example.com" },      /* U+037E, which composes to a semicolon */
    { "joe@[IPv6:2001:DB8::1]", "joe@[IPv6:2001:db8::1]" },
    { "joe@exam\xe2\x80\x8bple.org", NULL },
};

/* In letters, where there are any. */
static const struct {
    const char *domain, *unicode;
} unicodes[] = {
    { "example.com", NULL },
    { "xn--bcher-kva.example", "b" UE "cher.example" },
    { "mail.XN--Bcher-Kva.example", "mail.b" UE "cher.example" },
    { "axn--bcher-kva.example", NULL },
    { "xn--ls8h.example", NULL },       /* no U-label */
    { "xn--a.example", NULL },
    { "xn--.example", NULL },
    { "xn--zzzzzz99999999.example", NULL },
};

static void test_domains(void)
{
    for (size_t i = 0; i < COUNT(domains); i++) {
        char canonical[DOMAIN_MAX + 1] = "";
        enum canonical_status status = canonical_domain(domains[i].domain, WORDS_OURS, canonical);

        ok(status == (domains[i].canonical != NULL ? CANONICAL_OK : CANONICAL_FORBIDDEN), "domain %s: %s",
           show(domains[i].domain), status == CANONICAL_OK ? "good" : canonical_trouble());
        if (status == CANONICAL_OK && domains[i].canonical != NULL)
            ok_text(slice_of(canonical), slice_of(domains[i].canonical), "domain %s", show(domains[i].domain));
    }
}

static void test_addresses(void)
{
    for (size_t i = 0; i < COUNT(addresses); i++) {
        struct address given, canonical, again;
        bool parsed = envelope_mailbox(slice_of(addresses[i].address), &given);
        enum canonical_status status = canonical_address(&given, WORDS_OURS, &canonical);

        ok(parsed, "%s is an address", addresses[i].address);
        ok(status == (addresses[i].canonical != NULL ? CANONICAL_OK : CANONICAL_FORBIDDEN), "address %s",
           addresses[i].address);
        if (status != CANONICAL_OK || addresses[i].canonical == NULL)
            continue;
        ok_text(address_slice(&canonical), slice_of(addresses[i].canonical), "address %s", addresses[i].address);
        ok(canonical_address(&canonical, WORDS_OURS, &again) == CANONICAL_OK &&
           slice_equal(address_slice(&canonical), address_slice(&again)), "it is its own canonical form");
    }
}

static void test_bare(void)
{
    struct address given = { .text = "\"Post\\master\"", .len = 13, .local_len = 13 }, canonical;

    ok_number(canonical_address(&given, WORDS_OURS, &canonical), CANONICAL_OK, "a bare postmaster in quotes");
    ok_text(address_slice(&canonical), slice_of("Postmaster"), "without them");
    ok_number(canonical.local_len, canonical.len, "and without a domain");
    given = (struct address){ .len = 0 };
    ok_number(canonical_address(&given, WORDS_OURS, &canonical), CANONICAL_OK, "the null reverse-path");
    ok_number(canonical.len, 0, "is empty");
}

static void test_unicode(void)
{
    for (size_t i = 0; i < COUNT(unicodes); i++) {
        char unicode[DOMAIN_MAX + 1];
        bool has = canonical_unicode(slice_of(unicodes[i].domain), WORDS_OURS, unicode);

        ok(has == (unicodes[i].unicode != NULL), "%s %s", unicodes[i].domain, has ? "has U-labels" : "has none");
        if (has && unicodes[i].unicode != NULL)
            ok_text(slice_of(unicode), slice_of(unicodes[i].unicode), "%s", unicodes[i].domain);
    }
}

#ifdef SANDBOX_DEFAULT /* a build for instruments, which make system calls that such a process must not make */
static void test_apart(void)
{
}
#else
/* A process of its own gives the same answers. */
static void test_apart(void)
{
    canonical_confine(true);
    for (size_t i = 0; i < COUNT(domains); i++) {
        char ours[DOMAIN_MAX + 1] = "", theirs[DOMAIN_MAX + 1] = "";
        enum canonical_status status = canonical_domain(domains[i].domain, WORDS_OURS, ours);

        ok(canonical_domain(domains[i].domain, WORDS_OF_STRANGERS, theirs) == status && strcmp(ours, theirs) == 0,
           "domain %s, apart", show(domains[i].domain));
    }
    canonical_confine(false);
}
#endif

void test_canonical(void)
{
    test_domains();
    test_addresses();
    test_bare();
    test_unicode();
    test_apart();
}
