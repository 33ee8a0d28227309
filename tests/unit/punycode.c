/* punycode.c - unit tests of punycode.h: RFC 3492, with domains of RFC 5890's kind */
#include "punycode.h"

#include "unit.h"

#define A63 X10("aaaaaa") "aaa"
#define B62 X10("bbbbbb") "bb"

static const struct {
    struct slice domain;
    const char *name; /* NULL: it is too long */
} domains[] = {
    { SLICE("example.com"), "example.com" },
    { SLICE("Example.COM"), "Example.COM" },
    { SLICE("b\xc3\xbc" "cher.example"), "xn--bcher-kva.example" },
    { SLICE("m\xc3\xbcnchen.b\xc3\xbc" "cher.example"), "xn--mnchen-3ya.xn--bcher-kva.example" },
    { SLICE("B\xc3\xbc" "cher.example"), "xn--bcher-kva.example" },
    { SLICE("xn--bcher-kva.example"), "xn--bcher-kva.example" },
    { SLICE("\xe4\xbe\x8b\xe3\x81\x88.\xe3\x83\x86\xe3\x82\xb9\xe3\x83\x88"), "xn--r8jz45g.xn--zckzah" },
    { SLICE("\xd0\xbf\xd1\x80\xd0\xb8\xd0\xbc\xd0\xb5\xd1\x80.\xd0\xb8\xd1\x81\xd0\xbf\xd1\x8b\xd1\x82\xd0\xb0\xd0\xbd\xd0\xb8\xd0\xb5"),
      "xn--e1afmkfd.xn--80akhbyknj4f" },
    { SLICE("\xf0\x9f\x92\xa9.example"), "xn--ls8h.example" },
    { SLICE(A63 "." A63 "." A63 "." A63), NULL },
    { SLICE(A63 "." A63 "." A63 "." B62), "" A63 "." A63 "." A63 "." B62 },
    { SLICE(X10("\xc3\xbc\xc3\xbc\xc3\xbc") ".example"), "xn--tdaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example" },
    { SLICE(B62 "\xc3\xbc.example"), NULL },
};

void test_punycode(void)
{
    for (size_t i = 0; i < COUNT(domains); i++) {
        char name[DOMAIN_MAX + 1];
        bool fits = punycode_domain(domains[i].domain, name);

        ok(fits == (domains[i].name != NULL), "%s: %s", show(domains[i].domain), fits ? "fits" : "is too long");
        if (fits && domains[i].name != NULL)
            ok_text(slice_of(name), slice_of(domains[i].name), "%s", show(domains[i].domain));
    }
}
