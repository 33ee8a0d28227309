/* envelope.c - fuzz target: addresses and arguments; what is accepted is clean and stays the same */
/* Byte 0: bit 0 is SMTPUTF8 for RCPT, bit 1 LMTP. The others are the argument. */
#include "base/utf8.h"
#include "session/envelope.h"

#include "dns/canonical.h"
#include "fuzz.h"

/* An accepted address holds nothing that could break a header, a log line or a path of its own. */
static void check_address(const struct address *a)
{
    struct slice rest = address_slice(a);

    HOLDS(a->len <= ADDRESS_MAX && a->local_len <= a->len && a->text[a->len] == '\0');
    while (rest.len > 0) {
        size_t len = utf8_length(rest);

        HOLDS(len > 0 && (len > 1 || (rest.text[0] >= ' ' && rest.text[0] <= '~')));
        HOLDS(len == 1 || a->utf8);
        rest.text += len;
        rest.len -= len;
    }
}

/* It reads back as itself, between angle brackets and alone. */
static void check_again(const struct address *a, bool lmtp)
{
    char argument[ADDRESS_MAX + 16];
    struct address again;
    int len = snprintf(argument, sizeof argument, "TO:<%s>", a->text);

    HOLDS(len > 0 && (size_t)len < sizeof argument);
    HOLDS(envelope_rcpt((struct slice){ argument, (size_t)len }, lmtp, true, &again) == ENVELOPE_OK);
    HOLDS(slice_equal(address_slice(a), address_slice(&again)) && a->local_len == again.local_len);
    HOLDS(envelope_mailbox(address_slice(a), &again) == (a->local_len < a->len));
}

/* A canonical form is an address in ASCII but for its local part, its own canonical form, and as clean. */
static void check_canonical(const struct address *a)
{
    struct address canonical, again;
    struct slice domain;
    char unicode[DOMAIN_MAX + 1];

    if (canonical_address(a, WORDS_OURS, &canonical) != CANONICAL_OK)
        return;
    check_address(&canonical);
    domain = address_domain(&canonical);
    HOLDS(slice_is_ascii(domain) && (domain.len == 0 || domain.text[domain.len - 1] != '.'));
    HOLDS(canonical_address(&canonical, WORDS_OURS, &again) == CANONICAL_OK);
    HOLDS(slice_equal(address_slice(&canonical), address_slice(&again)) && canonical.local_len == again.local_len);
    if (canonical.local_len < canonical.len)
        check_again(&canonical, false);
    HOLDS(!a->plain || slice_equal(address_slice(&canonical), address_slice(a)));
    HOLDS(!canonical_unicode(domain, WORDS_OURS, unicode) || envelope_domain(slice_of(unicode)));
}

void fuzz_envelope(const uint8_t *data, size_t size)
{
    struct slice text;
    struct mail_argument mail;
    struct address address;
    bool smtputf8, lmtp;

    if (size < 1)
        return;
    smtputf8 = (data[0] & 1) != 0;
    lmtp = (data[0] & 2) != 0;
    text = (struct slice){ (const char *)data + 1, size - 1 };

    if (envelope_mail(text, lmtp, &mail) == ENVELOPE_OK) {
        check_address(&mail.sender);
        HOLDS(mail.smtputf8 || lmtp || !mail.sender.utf8);
        if (mail.sender.len > 0)
            check_again(&mail.sender, lmtp);
        if (!lmtp) /* else it is completed first */
            check_canonical(&mail.sender);
    }
    if (envelope_rcpt(text, lmtp, smtputf8, &address) == ENVELOPE_OK) {
        HOLDS(address.len > 0 && (smtputf8 || lmtp || !address.utf8));
        check_address(&address);
        check_again(&address, lmtp);
        if (!lmtp)
            check_canonical(&address);
    }
    if (envelope_mailbox(text, &address)) {
        HOLDS(slice_equal(address_slice(&address), text));
        check_address(&address);
        check_again(&address, false);
    }
    HOLDS(!envelope_domain(text) || (text.len > 0 && text.len <= DOMAIN_MAX));
    HOLDS(!envelope_literal(text) || (text.text[0] == '[' && text.text[text.len - 1] == ']'));
    HOLDS(!envelope_helo(text) || (text.len > 0 && text.len <= HELO_MAX));
    HOLDS(utf8_length(text) <= 4 && utf8_length(text) <= text.len);
}
