/* rules.c - unit tests of rules.h: who may connect, and what becomes of a recipient */
#include "rules.h"

#include <stdio.h>

#include "conf/conf.h"
#include "unit.h"

#define UNSURE "?" /* behind a client: DNS fails temporarily when it is asked for the name */

/* May a client connect? `code` 0 is yes. The table has one line per pattern. */
static const struct {
    const char *conf, *client;
    unsigned code;
} connections[] = {
    { "", "192.0.2.7", 0 },
    { "", "192.0.2.7" UNSURE, 0 },
    { "allow remotehost ^192\\.0\\.2\\.", "192.0.2.7", 0 },
    { "allow remotehost ^192\\.0\\.2\\.", "198.51.100.7", 554 },
    { "allow remotehost ^192\\.0\\.2\\.7$", "::ffff:192.0.2.7", 0 },
    { "allow remotehost ffff", "::ffff:192.0.2.7", 554 },
    { "allow remotehost 2\\.7", "192.0.2.7", 0 }, /* unanchored as written */
    { "allow remotehost ^2001:db8::1$", "2001:db8::1", 0 },
    { "allow remotehost ^2001:0db8:0000:", "2001:db8::1", 0 },
    { "allow remotehost ^2001:DB8::1$", "2001:db8::1", 0 },
    { "allow remotehost ^2001:db8::1$", "2001:db8::2", 554 },
    { "allow remotehost ^local$", "local", 0 },
    { "allow remotehost ^127\\.", "local", 554 },
    { "allow remotehost a\nallow remotehost ^192", "192.0.2.7", 0 },

    { "allow remotehost \\.example$", "192.0.2.7=client.example", 0 },
    { "allow remotehost \\.EXAMPLE$", "192.0.2.7=client.example", 0 },
    { "allow remotehost \\.example$", "192.0.2.7=Client.Example", 0 },
    { "allow remotehost \\.example$", "192.0.2.7", 554 },
    { "allow remotehost ^unknown$", "192.0.2.7", 554 },
    { "allow remotehost \\.example$", "192.0.2.7" UNSURE, 451 },
    { "allow remotehost ^192\nallow remotehost \\.example$", "192.0.2.7" UNSURE, 0 },

    /* a pattern for addresses is not tried on a name that looks like one */
    { "allow remotehost ^192\\.0\\.2\\.", "198.51.100.7=192.0.2.7.client.example", 554 },
    { "allow remotehost ^192\\.0\\.2\\.\nallow remotehost other", "198.51.100.7=192.0.2.7.client.example", 554 },
    { "allow remotehost ^192\\.0\\.2\\.", "198.51.100.7" UNSURE, 554 },

    { "deny remotehost ^192\\.0\\.2\\.", "192.0.2.7", 554 },
    { "deny remotehost ^192\\.0\\.2\\.", "198.51.100.7", 0 },
    { "allow remotehost .\ndeny remotehost ^192", "192.0.2.7", 554 },
    { "allow remotehost .\ndeny remotehost ^192", "198.51.100.7", 0 },
    { "deny remotehost dyn", "192.0.2.7=dyn.example", 554 },
    { "deny remotehost dyn", "192.0.2.7=static.example", 0 },
    { "deny remotehost dyn", "192.0.2.7", 0 },
    { "deny remotehost dyn", "192.0.2.7" UNSURE, 451 },
    { "deny remotehost ^192\ndeny remotehost dyn", "192.0.2.7" UNSURE, 554 },
    { "deny remotehost dyn\nallow remotehost ^198", "192.0.2.7" UNSURE, 554 },
    { "deny remotehost \\d+-\\d+-\\d+", "192.0.2.7=192-0-2.dyn.example", 554 },

    { "allow remotehost (", "192.0.2.7", 451 },
    { "deny remotehost (", "192.0.2.7", 451 },
    { "allow remotehost ^192\nallow remotehost (", "192.0.2.7", 0 },

    { "limit.fcrdns_check on", "192.0.2.7", 450 },
    { "limit.fcrdns_check on", "192.0.2.7=client.example", 0 },
    { "limit.fcrdns_check on", "192.0.2.7" UNSURE, 450 },
    { "limit.fcrdns_check on 550 No", "192.0.2.7", 550 },
    { "limit.fcrdns_check on 550 No", "192.0.2.7" UNSURE, 451 },
    { "limit.fcrdns_check on\ndeny remotehost ^192", "192.0.2.7" UNSURE, 554 },
    { "limit.fcrdns_check off", "192.0.2.7", 0 },
};

#define TO(address) "deliver rcpt_to " address " append /dev/null\n"
#define OF(group, address) "deliver allowgroup " group " rcpt_to " address " append /dev/null\n"
#define BOMB "^(a|aa)+$" /* takes more steps than RULES_MATCH_LIMIT allows */
#define BOOKS "b\xc3\xbc" "cher"
#define AAA X10("aa") "aaaaaa" /* PCRE2 would go on until it finds that there is no match */

/*
 * What becomes of a recipient: "line N" for the rule on that line, with what it captured and the
 * extension; "dead letter"; or code and text of the refusal, and its note.
 */
static const struct {
    const char *name, *conf, *client, *recipient, *outcome;
} recipients[] = {
    { "no rule", "", "192.0.2.7", "a@example.com", "550 No one here by that name" },
    { "an address", TO("a@example.com"), "192.0.2.7", "a@example.com", "line 1" },
    { "case of both parts", TO("Anna@Example.COM"), "192.0.2.7", "aNNA@eXAMPLE.com", "line 1" },
    { "another address", TO("a@example.com"), "192.0.2.7", "b@example.com", "550 No one here by that name" },
    { "another domain", TO("a@example.com"), "192.0.2.7", "a@example.org", "550 No one here by that name" },
    { "a longer domain", TO("a@example.com"), "192.0.2.7", "a@example.com.example", "550 No one here by that name" },
    { "quotes that change nothing", TO("a@example.com"), "192.0.2.7", "\"a\"@example.com", "line 1" },
    { "nor in a rule", TO("\"a.b\"@example.com"), "192.0.2.7", "A.B@example.com", "line 1" },
    { "nor backslashes", TO("a@example.com"), "192.0.2.7", "\"\\a\"@example.com", "line 1" },
    { "a blank needs quotes", TO("\"\\\"a b\\\"@example.com\""), "192.0.2.7", "\"a\\ b\"@example.com", "line 1" },
    { "quotes and an expression", TO("/^([a-z]+)@example\\.com$/"), "192.0.2.7", "\"\\joe\"@example.com", "line 1 (joe)" },
    { "an expression for quotes", TO("/^\"a\"@/"), "192.0.2.7", "\"a\"@example.com", "line 1" },
    { "quotes and an error line", "error rcpt_to ^old@ 551 Gone", "192.0.2.7", "\"old\"@example.com", "551 Gone" },
    { "a dot at the end", TO("a@example.com") TO("@b.example."), "192.0.2.7", "a@Example.com.", "line 1" },
    { "a dot at the end of a rule", TO("@b.example."), "192.0.2.7", "a@b.example", "line 1" },
    { "a dot and an expression", TO("/@example\\.com$/"), "192.0.2.7", "a@example.com.", "line 1" },
    { "dots that nobody should have", TO("a..b.@example.com"), "192.0.2.7", "\"a..b.\"@example.com", "line 1" },
    { "U-label and A-label", TO("a@" BOOKS ".example"), "192.0.2.7", "a@XN--Bcher-KVA.example", "line 1" },
    { "A-label and U-label", TO("a@xn--bcher-kva.example"), "192.0.2.7", "a@" BOOKS ".example", "line 1" },
    { "U-label in capitals", TO("@" BOOKS ".example"), "192.0.2.7", "a@B\xc3\x9c" "CHER.example", "line 1" },
    { "U-label in pieces", TO("@" BOOKS ".example"), "192.0.2.7", "a@bu\xcc\x88" "cher.example", "line 1" },
    { "A-label and expression", TO("/^(.*)@(b.cher)\\.example$/") TO("/^(.*)@(" BOOKS ")\\.example$/"), "192.0.2.7", "a@xn--bcher-kva.example", "line 2 (a)(" BOOKS ")" },
    { "U-label and expression for A-labels", TO("/@xn--bcher-kva\\.example$/"), "192.0.2.7", "a@" BOOKS ".example", "line 1" },
    { "A-label and error line", "error rcpt_to @" BOOKS "[.]example$ 551 Gone", "192.0.2.7", "a@xn--bcher-kva.example", "551 Gone" },
    { "a domain that cannot be", TO("/./"), "192.0.2.7", "a@exam\xe2\x80\x8bple.com", "553 The domain of the recipient is none that can exist" },
    { "an address literal", TO("a@[IPv6:2001:db8::1]"), "192.0.2.7", "a@[ipv6:2001:DB8:0::1]", "line 1" },
    { "a local part outside ASCII", TO("j\xc3\xbcrgen@example.com"), "192.0.2.7", "J\xc3\x9cRGEN@example.com", "line 1" },
    { "and in pieces", TO("j\xc3\xbcrgen@example.com"), "192.0.2.7", "\"ju\xcc\x88rgen\"@example.com", "line 1" },
    { "quoted postmaster", TO("postmaster@mx.example"), "192.0.2.7", "\"Postmaster\"@mx.example", "line 1" },
    { "a literal", TO("a@[192.0.2.1]"), "192.0.2.7", "a@[192.0.2.1]", "line 1" },
    { "the first of two", TO("a@example.com") TO("a@example.com"), "192.0.2.7", "a@example.com", "line 1" },

    { "a domain", TO("@example.com"), "192.0.2.7", "any.one@EXAMPLE.com", "line 1" },
    { "a domain is no suffix", TO("@example.com"), "192.0.2.7", "a@sub.example.com", "550 No one here by that name" },
    { "a domain before an address", TO("@example.com") TO("a@example.com"), "192.0.2.7", "a@example.com", "line 1" },
    { "an address before a domain", TO("a@example.com") TO("@example.com"), "192.0.2.7", "a@example.com", "line 1" },
    { "... and another in that domain", TO("a@example.com") TO("@example.com"), "192.0.2.7", "b@example.com", "line 2" },

    { "bare postmaster", "domain d.example\n" TO("postmaster@d.example"), "192.0.2.7", "postmaster", "line 2" },
    { "bare Postmaster", "domain d.example\n" TO("postmaster@d.example"), "192.0.2.7", "PostMaster", "line 2" },
    { "bare postmaster elsewhere", "domain d.example\n" TO("postmaster@e.example"), "192.0.2.7", "postmaster", "550 No one here by that name" },
    { "patterns see the bare postmaster", "domain d.example\n" TO("/^postmaster$/"), "192.0.2.7", "postmaster", "line 2" },
    { "bare postmaster by domain", "domain d.example\n" TO("@d.example"), "192.0.2.7", "postmaster", "line 2" },

    { "a pattern", TO("/^list-/"), "192.0.2.7", "LIST-a@example.com", "line 1" },
    { "a pattern is unanchored", TO("/example/"), "192.0.2.7", "a@example.com", "line 1" },
    { "a pattern that does not match", TO("/^list-/"), "192.0.2.7", "a-list-@example.com", "550 No one here by that name" },
    { "captures", TO("/^(.+)-(\\d*)@(.*)$/"), "192.0.2.7", "list-42@example.com", "line 1 (list)(42)(example.com)" },
    { "an empty capture", TO("/^(.+)-(\\d*)@/"), "192.0.2.7", "list-@example.com", "line 1 (list)()" },
    { "an unset capture", TO("/^(x)?(a)@/"), "192.0.2.7", "a@example.com", "line 1 ()(a)" },
    { "nine captures", TO("/^(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)/"), "192.0.2.7", "abcdefghijkl@example.com",
      "line 1 (a)(b)(c)(d)(e)(f)(g)(h)(i)" },
    { "the captures are those of the rule that decides", TO("/^(x)/") TO("/(b)@/"), "192.0.2.7", "ab@example.com", "line 2 (b)" },
    { "an address after a pattern has none", OF("g", "/^(a)/") TO("a@example.com") "allowgroup g ^198", "192.0.2.7", "a@example.com", "line 2" },
    { "UTF-8: a dot is one character", TO("/^.@/"), "192.0.2.7", "\xc3\xa4@example.com", "line 1" },
    { "UTF-8: case", TO("/^\xc3\x84@/"), "192.0.2.7", "\xc3\xa4@example.com", "line 1" },

    { "a delimiter", "recipient_delimiter +\n" TO("a@example.com"), "192.0.2.7", "a+tag@example.com", "line 2 +tag" },
    { "a delimiter twice", "recipient_delimiter +\n" TO("a@example.com"), "192.0.2.7", "a+b+c@example.com", "line 2 +b+c" },
    { "an empty extension", "recipient_delimiter +\n" TO("a@example.com"), "192.0.2.7", "a+@example.com", "line 2 +" },
    { "case with a delimiter", "recipient_delimiter +\n" TO("a@example.com"), "192.0.2.7", "A+Tag@EXAMPLE.com", "line 2 +Tag" },
    { "the second delimiter", "recipient_delimiter +-\n" TO("a@example.com"), "192.0.2.7", "a-tag+x@example.com", "line 2 -tag+x" },
    { "no delimiter is set", TO("a@example.com"), "192.0.2.7", "a+tag@example.com", "550 No one here by that name" },
    { "a delimiter at the start is none", "recipient_delimiter +\n" TO("a@example.com"), "192.0.2.7", "+a@example.com", "550 No one here by that name" },
    { "a delimiter in the domain is none", "recipient_delimiter -\n" TO("a@b.example"), "192.0.2.7", "a@b-c.example", "550 No one here by that name" },
    { "the whole address has a rule", "recipient_delimiter +\n" TO("a+tag@example.com") TO("a@example.com"), "192.0.2.7", "a+tag@example.com", "line 2" },
    { "the order of the file counts", "recipient_delimiter +\n" TO("a@example.com") TO("a+tag@example.com"), "192.0.2.7", "a+tag@example.com", "line 2 +tag" },
    { "an extension in quotes", "recipient_delimiter +\n" TO("a@example.com"), "192.0.2.7", "\"a+b\"@example.com", "line 2 +b" },
    { "quotes that are needed keep the extension", "recipient_delimiter +\n" TO("\"a\"@example.com") TO("a@example.com"), "192.0.2.7", "\"a+ b\"@example.com", "550 No one here by that name" },
    { "an extension at a U-label", "recipient_delimiter +\n" TO("a@" BOOKS ".example"), "192.0.2.7", "a+b@xn--bcher-kva.example.", "line 2 +b" },

    { "a member", OF("g", "a@example.com") "allowgroup g ^192", "192.0.2.7", "a@example.com", "line 1" },
    { "a member of the second pattern", OF("g", "a@example.com") "allowgroup g ^198\nallowgroup g ^192", "192.0.2.7", "a@example.com", "line 1" },
    { "a member by a name with a U-label", OF("g", "a@example.com") "allowgroup g \\.B\xc3\x9c" "CHER\\.example$", "192.0.2.7=c.xn--bcher-kva.example", "a@example.com", "line 1" },
    { "no member by another", OF("g", "a@example.com") "allowgroup g \\." BOOKS "x\\.example$", "192.0.2.7=c.xn--bcher-kva.example", "a@example.com", "550 Not accepted from your host groups=g" },
    { "a member by name", OF("g", "a@example.com") "allowgroup g \\.example$", "192.0.2.7=c.example", "a@example.com", "line 1" },
    { "no member", OF("g", "a@example.com") "allowgroup g ^198", "192.0.2.7", "a@example.com", "550 Not accepted from your host groups=g" },
    { "no member by an unconfirmed name", OF("g", "a@example.com") "allowgroup g \\.example$", "192.0.2.7", "a@example.com", "550 Not accepted from your host groups=g" },
    { "IPv4-mapped", OF("g", "a@example.com") "allowgroup g ^192", "::ffff:192.0.2.7", "a@example.com", "line 1" },
    { "a group for another address", OF("g", "a@example.com") "allowgroup g ^198", "192.0.2.7", "b@example.com", "550 No one here by that name" },
    { "member of the second group", OF("g", "a@example.com") OF("h", "a@example.com") "allowgroup g ^198\nallowgroup h ^192", "192.0.2.7", "a@example.com", "line 2" },
    { "member of none of two", OF("g", "a@example.com") OF("h", "a@example.com") "allowgroup g ^198\nallowgroup h ^198", "192.0.2.7", "a@example.com", "550 Not accepted from your host groups=g,h" },
    { "a group, then anybody", OF("g", "a@example.com") TO("a@example.com") "allowgroup g ^198", "192.0.2.7", "a@example.com", "line 2" },
    { "a group, then anybody by domain", OF("g", "a@example.com") TO("@example.com") "allowgroup g ^198", "192.0.2.7", "a@example.com", "line 2" },
    { "DNS fails", OF("g", "a@example.com") "allowgroup g \\.example$", "192.0.2.7" UNSURE, "a@example.com", "451 This address cannot be checked now, try again later" },
    { "DNS fails, but the address decides", OF("g", "a@example.com") "allowgroup g \\.example$\nallowgroup g ^192", "192.0.2.7" UNSURE, "a@example.com", "line 1" },
    { "names of groups have case", OF("g", "a@example.com") "allowgroup g ^198\nallowgroup G ^192", "192.0.2.7", "a@example.com", "550 Not accepted from your host groups=g" },
    { "the name of a group is encoded", OF("\"g[\"", "a@example.com") "allowgroup g[ ^198", "192.0.2.7", "a@example.com", "550 Not accepted from your host groups=g<0x5b>" },

    { "an error line", "error rcpt_to ^old- 551 Gone", "192.0.2.7", "old-a@example.com", "551 Gone" },
    { "an error line without regard to case", "error rcpt_to ^old- 551 Gone", "192.0.2.7", "OLD-a@example.com", "551 Gone" },
    { "the first error line", "error rcpt_to a 551 One\nerror rcpt_to a 552 Two", "192.0.2.7", "a@example.com", "551 One" },
    { "the second error line", "error rcpt_to x 551 One\nerror rcpt_to a 552 Two", "192.0.2.7", "a@b", "552 Two" },
    { "no error line", "error rcpt_to x 551 One", "192.0.2.7", "a@b", "550 No one here by that name" },
    { "a passing error", "error rcpt_to a 450 Later", "192.0.2.7", "a@b", "450 Later" },
    { "deliver lines come first", "error rcpt_to . 551 Gone\n" TO("a@example.com"), "192.0.2.7", "a@example.com", "line 2" },
    { "no error line for who is not in a group", "error rcpt_to . 551 Gone\n" OF("g", "a@example.com") "allowgroup g ^198", "192.0.2.7", "a@example.com", "550 Not accepted from your host groups=g" },

    { "a dead letter", "deadletter_file /dev/null", "192.0.2.7", "a@example.com", "dead letter" },
    { "error lines come before dead letters", "deadletter_file /dev/null\nerror rcpt_to ^a 551 Gone", "192.0.2.7", "a@example.com", "551 Gone" },
    { "no dead letter for who is not in a group", "deadletter_file /dev/null\n" OF("g", "a@example.com") "allowgroup g ^198", "192.0.2.7", "a@example.com", "550 Not accepted from your host groups=g" },

    { "match limit of a rule", TO("/" BOMB "/"), "192.0.2.7", AAA "@example.com", "451 This address cannot be checked now, try again later" },
    { "match limit is never a yes", TO("/" BOMB "/") TO("@example.com"), "192.0.2.7", AAA "@example.com", "451 This address cannot be checked now, try again later" },
    { "a decision before the limit", TO("@example.com") TO("/" BOMB "/"), "192.0.2.7", AAA "@example.com", "line 1" },
    { "match limit of an error line", "deadletter_file /dev/null\nerror rcpt_to " BOMB " 551 Gone", "192.0.2.7", AAA "@example.com", "451 This address cannot be checked now, try again later" },
    { "a bad pattern", TO("/(/") TO("@example.com"), "192.0.2.7", "a@example.com", "451 This address cannot be checked now, try again later" },
    { "a bad pattern of an error line", "error rcpt_to ( 551 Gone", "192.0.2.7", "a@example.com", "451 This address cannot be checked now, try again later" },
};

#define IF(conditions) "deliver " conditions " rcpt_to a@example.com append /dev/null\n"
#define OTHER "550 Not accepted from your host "
#define LATER "451 This address cannot be checked now, try again later"

/* What becomes of a@example.com, from 192.0.2.7, when more is known of the session. */
static const struct {
    const char *conf, *sender, *helo, *user;
    bool tls;
    unsigned port;
    const char *outcome;
} conditions[] = {
    { "allowgroup g ^192\nallowgroup h 7$\n" IF("allowgroup g allowgroup h"), "", "", "", false, 0, "line 3" },
    { "allowgroup g ^192\nallowgroup h 8$\n" IF("allowgroup g allowgroup h"), "", "", "", false, 0, OTHER "groups=h" },
    { "allowgroup g ^192\n" IF("not allowgroup g"), "", "", "", false, 0, OTHER "groups=!g" },
    { "allowgroup g ^198\n" IF("not allowgroup g"), "", "", "", false, 0, "line 2" },
    { "allowgroup g ^192\nallowgroup h .\n" IF("allowgroup g not allowgroup h"), "", "", "", false, 0, OTHER "groups=!h" },
    { "allowgroup g (\n" IF("not allowgroup g"), "", "", "", false, 0, LATER },

    { IF("from joe@example.org"), "Joe@EXAMPLE.org", "", "", false, 0, "line 1" },
    { IF("from joe@example.org"), "\"joe\"@example.org.", "", "", false, 0, "line 1" },
    { IF("from joe@example.org"), "joe+x@example.org", "", "", false, 0, OTHER "needs=from" },
    { "recipient_delimiter +\n" IF("from joe@example.org"), "joe+x@example.org", "", "", false, 0, OTHER "needs=from" },
    { IF("from joe@example.org"), "", "", "", false, 0, OTHER "needs=from" },
    { IF("from @example.org"), "joe@example.org", "", "", false, 0, "line 1" },
    { IF("from @example.org"), "joe@sub.example.org", "", "", false, 0, OTHER "needs=from" },
    { IF("from @" BOOKS ".example"), "joe@xn--bcher-kva.example", "", "", false, 0, "line 1" },
    { IF("from /@" BOOKS "\\.example$/"), "joe@xn--bcher-kva.example", "", "", false, 0, "line 1" },
    { IF("from <>"), "", "", "", false, 0, "line 1" },
    { IF("from <>"), "joe@example.org", "", "", false, 0, OTHER "needs=from" },
    { IF("from /^joe@/"), "JOE@example.org", "", "", false, 0, "line 1" },
    { IF("from /./"), "", "", "", false, 0, OTHER "needs=from" },
    { IF("from /^j/ from @example.org"), "joe@example.org", "", "", false, 0, "line 1" },
    { IF("from /^j/ from @example.org"), "ann@example.org", "", "", false, 0, OTHER "needs=from" },
    { IF("from /(/"), "joe@example.org", "", "", false, 0, LATER },

    { IF("helo /^mail\\./"), "", "MAIL.example", "", false, 0, "line 1" },
    { IF("helo /^mail\\./"), "", "client.example", "", false, 0, OTHER "needs=helo" },
    { IF("helo /^$/"), "", "", "", false, 0, "line 1" },
    { IF("port 587"), "", "", "", false, 587, "line 1" },
    { IF("port 587"), "", "", "", false, 25, OTHER "needs=port" },
    { IF("port 587"), "", "", "", false, 0, OTHER "needs=port" },

    { IF("auth"), "", "", "joe", false, 0, "line 1" },
    { IF("auth"), "", "", "", false, 0, "530 Authentication is required needs=auth" },
    { IF("auth joe"), "", "", "joe", false, 0, "line 1" },
    { IF("auth joe"), "", "", "Joe", false, 0, OTHER "needs=auth" },
    { IF("auth joe"), "", "", "", false, 0, "530 Authentication is required needs=auth" },
    { IF("auth \"tls\""), "", "", "tls", false, 0, "line 1" },
    { IF("auth tls"), "", "", "tls", false, 0, "530 Say STARTTLS first needs=tls" },
    { IF("tls"), "", "", "", true, 0, "line 1" },
    { IF("tls"), "", "", "", false, 0, "530 Say STARTTLS first needs=tls" },
    { IF("tls auth"), "", "", "", false, 0, "530 Say STARTTLS first, and authenticate needs=tls,auth" },
    { IF("tls auth joe"), "", "", "ann", false, 0, OTHER "needs=tls,auth" },
    { IF("tls port 25"), "", "", "", false, 26, OTHER "needs=tls,port" },
    { IF("port 25") IF("auth"), "", "", "", false, 26, "530 Authentication is required needs=auth,port" },
    { "allowgroup g ^198\n" IF("tls allowgroup g"), "", "", "", false, 0, OTHER "groups=g needs=tls" },
    { "allowgroup g ^192\n" IF("tls allowgroup g"), "", "", "", false, 0, "530 Say STARTTLS first needs=tls" },
    { "allowgroup g (\n" IF("tls allowgroup g"), "", "", "", false, 0, LATER " needs=tls" },
    { "allowgroup g (\n" IF("port 25 allowgroup g"), "", "", "", false, 0, OTHER "needs=port" },

    { "refuse rcpt_to a@example.com 550 5.1.6 Moved\n" TO("@example.com"), "", "", "", false, 0, "550 Moved" },
    { TO("@example.com") "refuse rcpt_to a@example.com 550 5.1.6 Moved\n", "", "", "", false, 0, "line 1" },
    { "refuse rcpt_to b@example.com 550 Moved\n" TO("@example.com"), "", "", "", false, 0, "line 2" },
    { "refuse from <> rcpt_to /./ 550 No\n" TO("@example.com"), "joe@example.org", "", "", false, 0, "line 2" },
    { "refuse from <> rcpt_to /./ 550 No\n" TO("@example.com"), "", "", "", false, 0, "550 No" },
    { "refuse port 25 rcpt_to /./ 550 No\n", "", "", "", false, 0, "550 No one here by that name" },
    { "refuse rcpt_to /(/ 550 No\n" TO("@example.com"), "", "", "", false, 0, LATER },
    { "error rcpt_to . 551 Gone\nrefuse rcpt_to @example.com 552 No\n", "", "", "", false, 0, "552 No" },
    { "also rcpt_to /./ append /dev/null\n", "", "", "", false, 0, "550 No one here by that name" },
};

static const struct {
    const char *pattern;
    bool for_addresses;
} patterns[] = {
    { "^192\\.0\\.2\\.", true },
    { "^192.0.2.7$", true },
    { "^192\\.0\\.(2|3)\\.[1-9]\\d*$", true },
    { "^10\\.\\d{1,3}\\.", true },
    { "^2001:db8:", true },
    { "^2001:DB8::[0-9a-f]+$", true },
    { "^::1$", true },
    { "", true },
    { ".", true },
    { "^local$", false },
    { "\\.example$", false },
    { "dyn", false },
    { "^cafe\\.", false },        /* hexadecimal digits without a colon can be a name */
    { "^2001:db8:|cafe", false },
    { "^[^.]+$", false },
    { "\\w", false },
    { "\\d+-\\d+", false },       /* no address has a hyphen */
    { "^192\\.0\\.2\\.|example", false },
};

static bool become(struct client *client, const char *who)
{
    char address[64];
    size_t len = strcspn(who, UNSURE);
    bool good;

    (void)snprintf(address, sizeof address, "%.*s", (int)len, who);
    good = client_pretend(client, address) == CLIENT_OK;
    if (who[len] != '\0')
        client->state = CLIENT_NAME_UNSURE;
    return good;
}

static void test_connections(void)
{
    for (size_t i = 0; i < COUNT(connections); i++) {
        struct conf conf;
        struct client client;
        struct reply reply;
        bool ready;

        conf_parse(&conf, "test.conf", slice_of(connections[i].conf));
        ready = become(&client, connections[i].client) && conf.errors == 0;
        reply = rules_connect(&conf.rules, &client);
        ok(ready, "connection %zu: the test makes sense", i);
        ok_number(reply.code, connections[i].code, "%s and client %s", show(slice_of(connections[i].conf)),
                  connections[i].client);
        conf_free(&conf);
    }
}

/* The outcome as the table has it. */
static const char *outcome_of(const struct conf *conf, const struct reply *reply, const struct recipient *r)
{
    static char text[512];
    size_t used;

    if (reply->code != 0) {
        (void)snprintf(text, sizeof text, "%u %.*s%s%.*s", reply->code, (int)reply->text.len, reply->text.text,
                       reply->note.len > 0 ? " " : "", (int)reply->note.len, reply->note.text);
        return text;
    }
    if (r->rule == &conf->dead_letter)
        return "dead letter";
    used = (size_t)snprintf(text, sizeof text, "line %u", r->rule->line);
    if (r->extension > 0)
        used += (size_t)snprintf(text + used, sizeof text - used, " %.*s", r->address.local_len - r->extension,
                                 r->address.text + r->extension);
    for (size_t i = 0; i < r->captures.count; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s(%.*s)", i == 0 ? " " : "", r->captures.spans[i].len,
                                 recipient_form(r, r->form).text + r->captures.spans[i].start);
    return text;
}

static void test_recipients(void)
{
    for (size_t i = 0; i < COUNT(recipients); i++) {
        char argument[512];
        struct conf conf;
        struct client client;
        struct address address;
        static struct recipient_forms forms;
        struct recipient recipient;
        const struct address sender = { .len = 0 };
        const struct asking asking = { .client = &client, .sender = &sender, .canonical = &sender, .helo = "" };
        struct reply reply;

        conf_parse(&conf, "test.conf", slice_of(recipients[i].conf));
        (void)snprintf(argument, sizeof argument, "TO:<%s>", recipients[i].recipient);
        if (ok(become(&client, recipients[i].client) && conf.errors == 0 &&
               envelope_rcpt(slice_of(argument), false, true, &address) == ENVELOPE_OK, "%s: the test makes sense",
               recipients[i].name)) {
            memset(&recipient, 0x55, sizeof recipient); /* nothing may be left of what was there */
            recipient.other = &forms;
            reply = rules_rcpt(&conf.rules, &asking, &address, &recipient);
            ok_text(slice_of(outcome_of(&conf, &reply, &recipient)), slice_of(recipients[i].outcome), "%s",
                    recipients[i].name);
            conf_index(&conf);
            groups_forget(&conf.rules.groups);
            reply = rules_rcpt(&conf.rules, &asking, &address, &recipient);
            ok_text(slice_of(outcome_of(&conf, &reply, &recipient)), slice_of(recipients[i].outcome), "%s, by the index",
                    recipients[i].name);
        }
        conf_free(&conf);
    }
}

static void test_conditions(void)
{
    for (size_t i = 0; i < COUNT(conditions); i++) {
        char argument[512];
        struct conf conf;
        struct client client;
        struct address address, canonical;
        struct mail_argument mail;
        static struct recipient_forms forms;
        struct recipient recipient = { .other = &forms };
        const struct asking asking = { .client = &client, .sender = &mail.sender, .canonical = &canonical,
                                       .helo = conditions[i].helo };
        struct reply reply;

        conf_parse(&conf, "test.conf", slice_of(conditions[i].conf));
        (void)snprintf(argument, sizeof argument, "FROM:<%s>", conditions[i].sender);
        if (ok(become(&client, "192.0.2.7") && conf.errors == 0 &&
               envelope_mail(slice_of(argument), false, &mail) == ENVELOPE_OK &&
               canonical_address(&mail.sender, WORDS_OURS, &canonical) == CANONICAL_OK &&
               envelope_mailbox(slice_of("a@example.com"), &address), "%s: the test makes sense", conditions[i].conf)) {
            client.server_port = conditions[i].port;
            (void)snprintf(client.user, sizeof client.user, "%s", conditions[i].user);
            if (conditions[i].tls)
                client_pretend_tls(&client);
            reply = rules_rcpt(&conf.rules, &asking, &address, &recipient);
            ok_text(slice_of(outcome_of(&conf, &reply, &recipient)), slice_of(conditions[i].outcome), "%s from <%s>",
                    conditions[i].conf, conditions[i].sender);
        }
        conf_free(&conf);
    }
}

/* Of a thousand lines for a hundred addresses and a few domains and expressions, with conditions that hold or not: the same one. */
static void test_index(void)
{
    enum { ADDRESSES = 600 };
    static char text[200000];
    struct client client;
    struct conf conf;
    size_t used = 0, same = 0;
    static struct recipient_forms forms;
    struct recipient recipient = { .other = &forms };
    const struct address sender = { .len = 0 };
    const struct asking asking = { .client = &client, .sender = &sender, .canonical = &sender, .helo = "" };
    const struct index *kept = NULL;

    used += (size_t)snprintf(text, sizeof text, "recipient_delimiter +\n");
    for (unsigned i = 0, random = 7; i < 1000; i++, random = random * 1103515245 + 12345) {
        unsigned pick = random >> 16, kind = pick % 10;
        const char *condition = pick / 10 % 3 == 0 ? "port 25 " : "";

        used += (size_t)snprintf(text + used, sizeof text - used, "%s %srcpt_to ", kind == 9 ? "refuse" : "deliver", condition);
        if (kind == 0)
            used += (size_t)snprintf(text + used, sizeof text - used, "@D%u.example ", pick / 30 % 4);
        else if (kind == 1)
            used += (size_t)snprintf(text + used, sizeof text - used, "/^u%u@/ ", pick / 30 % 100);
        else
            used += (size_t)snprintf(text + used, sizeof text - used, "u%u@d%u.example ", pick / 30 % 100, pick / 3 % 4);
        used += (size_t)snprintf(text + used, sizeof text - used, kind == 9 ? "550 No %u\n" : "append /dev/null%u\n", i);
    }
    conf_parse(&conf, "test.conf", slice_of(text));
    ok(conf.errors == 0 && become(&client, "192.0.2.7"), "the index: the test makes sense");
    for (unsigned i = 0; i < ADDRESSES; i++) {
        char name[64], before[512];
        struct address address;
        struct reply reply;

        (void)snprintf(name, sizeof name, "U%u%s@d%u.EXAMPLE", i % 120, i % 7 == 0 ? "+x" : "", i / 120);
        (void)envelope_mailbox(slice_of(name), &address);
        conf.rules.index = NULL;
        reply = rules_rcpt(&conf.rules, &asking, &address, &recipient);
        (void)snprintf(before, sizeof before, "%s", outcome_of(&conf, &reply, &recipient));
        if (i == 0)
            conf_index(&conf);
        else
            conf.rules.index = kept;
        kept = conf.rules.index;
        reply = rules_rcpt(&conf.rules, &asking, &address, &recipient);
        same += strcmp(before, outcome_of(&conf, &reply, &recipient)) == 0;
    }
    ok_number(same, ADDRESSES, "the index: the same decision for each of many addresses");
    conf_free(&conf);
}

static void test_groups(void)
{
    static struct allowgroup groups[2000], *buckets[512];
    static char names[COUNT(groups)][8];
    struct groups all = { .buckets = buckets, .bucket_count = COUNT(buckets), .last_group = &all.first_group };
    bool found = true, absent = true;

    for (size_t i = 0; i < COUNT(groups); i++) {
        (void)snprintf(names[i], sizeof names[i], "g%zu", i);
        groups[i].name = slice_of(names[i]);
        absent = absent && groups_find(&all, groups[i].name) == NULL;
        groups_add(&all, &groups[i]);
    }
    for (size_t i = 0; i < COUNT(groups); i++)
        found = found && groups_find(&all, groups[i].name) == &groups[i];
    ok(absent, "groups_find: %zu groups are new", COUNT(groups));
    ok(found, "... and each is found again");
    ok(groups_find(&all, BYTES("G1")) == NULL, "names of groups have case");
}

void test_rules(void)
{
    for (size_t i = 0; i < COUNT(patterns); i++)
        ok((scope_of(slice_of(patterns[i].pattern)) == SCOPE_ADDRESSES) == patterns[i].for_addresses,
           "%s is %s for addresses only", patterns[i].pattern, patterns[i].for_addresses ? "a pattern" : "not");
    test_connections();
    test_recipients();
    test_conditions();
    test_index();
    test_groups();
}
