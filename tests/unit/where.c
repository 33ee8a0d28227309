/* where.c - unit tests of where.h: how a place of another server is written */
#include "nexthop/where.h"

#include "unit.h"

static const struct {
    const char *text;
    enum where_kind kind;
    unsigned port;
    const char *rest; /* NULL: it is no place */
} places[] = {
    { "unix:/run/lmtp", WHERE_UNIX, 0, "/run/lmtp" },
    { "local:/run/lmtp", WHERE_UNIX, 0, "/run/lmtp" },
    { "/run/lmtp", WHERE_UNIX, 0, "/run/lmtp" },
    { "/run/a:25", WHERE_UNIX, 0, "/run/a:25" },
    { "mail.example.com:24", WHERE_NAME, 24, "mail.example.com" },
    { "a_b-1:65535", WHERE_NAME, 65535, "a_b-1" },
    { "192.0.2.7:25", WHERE_IPV4, 25, "192.0.2.7" },
    { "[2001:db8::1]:25", WHERE_IPV6, 25, "2001:db8::1" },
    { "inet:mail.example.com:24", WHERE_NAME, 24, "mail.example.com" },
    { "inet:24@mail.example.com", WHERE_NAME, 24, "mail.example.com" },
    { "inet:192.0.2.7:24", WHERE_IPV4, 24, "192.0.2.7" },
    { "inet6:24@[::1]", WHERE_IPV6, 24, "::1" },
    { "inet6:[::1]:24", WHERE_IPV6, 24, "::1" },
    { "", 0, 0, NULL },
    { "unix:", 0, 0, NULL },
    { "unix:run/lmtp", 0, 0, NULL },
    { "mail.example.com", 0, 0, NULL },
    { "24", 0, 0, NULL },
    { "24@mail.example.com", 0, 0, NULL },
    { ":24", 0, 0, NULL },
    { "mail.example.com:", 0, 0, NULL },
    { "mail.example.com:0", 0, 0, NULL },
    { "mail.example.com:65536", 0, 0, NULL },
    { "mail.example.com:99999999999999999999", 0, 0, NULL },
    { "mail.example.com:smtp", 0, 0, NULL },
    { "mail.example.com:2 5", 0, 0, NULL },
    { "192.0.2.256:25", 0, 0, NULL },
    { "192.0.2:25", 0, 0, NULL },
    { "2001:db8::1:25", 0, 0, NULL },
    { "[192.0.2.7]:25", 0, 0, NULL },
    { "[]:25", 0, 0, NULL },
    { "[::1]", 0, 0, NULL },
    { "inet:", 0, 0, NULL },
    { "inet:@mail.example.com", 0, 0, NULL },
    { "inet:24@", 0, 0, NULL },
    { "a b:25", 0, 0, NULL },
    { "a\xc3\xa4:25", 0, 0, NULL },
    { X10("/23456789") "/23456789/23456789", 0, 0, NULL },
};

static const struct {
    const char *text;
    bool local;
} locals[] = {
    { "/run/lmtp", true },           { "127.0.0.1:25", true }, { "127.9.9.9:25", true }, { "[::1]:25", true },
    { "LocalHost:25", true },        { "192.0.2.7:25", false }, { "128.0.0.1:25", false }, { "[2001:db8::1]:25", false },
    { "localhost.example:25", false },
};

static bool equal(const char *a, const char *b)
{
    struct where first, second;

    return where_parse(slice_of(a), &first) == NULL && where_parse(slice_of(b), &second) == NULL &&
           where_equal(&first, &second);
}

void test_where(void)
{
    struct where where;

    for (size_t i = 0; i < COUNT(places); i++) {
        const char *wrong = where_parse(slice_of(places[i].text), &where);

        if (!ok((wrong == NULL) == (places[i].rest != NULL), "'%s' is %s", places[i].text, places[i].rest != NULL ? "a place" : "none") ||
            places[i].rest == NULL)
            continue;
        ok_number(where.kind, places[i].kind, "the kind of '%s'", places[i].text);
        ok_number(where.port, places[i].port, "the port of '%s'", places[i].text);
        ok_text(where.text, slice_of(places[i].rest), "the rest of '%s'", places[i].text);
    }
    for (size_t i = 0; i < COUNT(locals); i++)
        ok(where_parse(slice_of(locals[i].text), &where) == NULL && where_is_local(&where) == locals[i].local,
           "'%s' is %s this host", locals[i].text, locals[i].local ? "on" : "not on");
    ok(equal("Mail.Example.com:25", "inet:25@mail.example.com"), "the case of a name does not matter");
    ok(!equal("mail.example.com:25", "mail.example.com:24"), "the port does");
    ok(equal("unix:/a", "/a") && !equal("/a", "/A"), "a path is the same to the byte");
}
