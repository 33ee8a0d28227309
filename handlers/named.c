/* named.c - addresses that a handler names: as the client's are taken, and decided about */
#include "handlers/named.h"

#include "dns/dns.h"

struct slice named_address(struct slice text)
{
    if (text.len >= 2 && text.text[0] == '<' && text.text[text.len - 1] == '>')
        return (struct slice){ text.text + 1, text.len - 2 };
    return text;
}

struct reply named_recipient(struct rules *rules, const struct asking *asking, struct slice text, struct recipient *recipient,
                             const char **ignored)
{
    static const struct reply no_objection = { .code = 0 };
    struct address address;
    struct reply reply;

    *ignored = "it is no address";
    if (!envelope_mailbox(named_address(text), &address))
        return no_objection;
    dns_new_deadline();
    reply = rules_rcpt(rules, asking, &address, recipient);
    if (reply.code / 100 == 4)
        return reply;
    *ignored = reply.code == 0 && recipient->rule != rules->dead_letter ? NULL : "no deliver line takes that address";
    return no_objection;
}
