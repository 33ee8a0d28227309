/* clients.c - lines about clients: hosts, groups, lists of the DNS */
#include "conf/parser.h"

#include <ctype.h>

#include "dns/canonical.h"

enum { MAX_BUCKETS = 65536 };

/* ---- patterns for hosts ------------------------------------------------------------------ */

/* Memory for one network more, or for as many as the rest of the file may hold. */
static bool make_room(struct parser *p, size_t rest)
{
    enum { SHORTEST_LINE = 24 };
    struct network_table *table = &p->conf->rules.groups.networks;
    size_t room = (size_t)table->room * 2 + rest / SHORTEST_LINE + 4;

    if (table->count == NETWORKS_MOST && !p->failed)
        fail(p, 1, "one network too many, expected at most %d", NETWORKS_MOST);
    room = room < NETWORKS_MOST ? room : NETWORKS_MOST;
    if (!p->failed)
        network_table_move(table, memory_take(p->conf, network_table_bytes((uint32_t)room)), (uint32_t)room);
    return !p->failed;
}

static void begin_run(struct parser *p, struct patterns *list, struct word word)
{
    struct network_table *table = &p->conf->rules.groups.networks;
    uint32_t room = table->run_room * 2 + 4;

    if (table->run_count == table->run_room)
        network_table_move_runs(table, memory_take(p->conf, room * sizeof *table->runs), room);
    network_table_begin(table, list, word.text, p->number);
    p->networks = list;
    if (!p->lines->goes_on && p->at == p->line.len && word.column <= NETWORKS_BEFORE_MOST)
        p->before_network = (struct slice){ p->line.text, word.column - 1 };
}

static void add_network(struct parser *p, const struct network *network, struct slice text, size_t rest)
{
    struct network_table *table = &p->conf->rules.groups.networks;

    if (table->count == table->room && !make_room(p, rest))
        return;
    network_table_add(table, network, text);
    p->networks->networks++;
}

/* Thousands of networks in one file are in one group, and such a line takes a small part of the time of any other. */
void client_networks(struct parser *p)
{
    struct slice before = p->before_network, *rest = &p->lines->rest, text;
    struct network network;
    size_t len;

    while (before.len > 0 && rest->len > before.len && memcmp(rest->text, before.text, before.len) == 0) {
        text = (struct slice){ rest->text + before.len, rest->len - before.len };
        len = network_read(text, &network);
        if (len == 0 || len == text.len || text.text[len] != '\n')
            break;
        p->number = p->lines->next++;
        add_network(p, &network, (struct slice){ text.text, len }, text.len);
        *rest = (struct slice){ text.text + len + 1, text.len - len - 1 };
    }
    p->before_network.len = 0;
}

/* Looks like a network, and is none; `right` is the nearest one. */
static void fail_network(struct parser *p, struct word word, enum network_status status, const struct network *right)
{
    char text[NETWORK_TEXT];

    network_write(right, text);
    if (status == NETWORK_BAD)
        fail(p, word.column, "'%.*s' is no network, expected ADDRESS/BITS as 192.0.2.0/24 or 2001:db8::/32",
             (int)word.text.len, word.text.text);
    else if (status == NETWORK_OUT_OF_RANGE)
        fail(p, word.column, "'%.*s' has more bits than its address, expected %u at most", (int)word.text.len,
             word.text.text, network_size(right->six));
    else if (status == NETWORK_SHORT)
        fail(p, word.column, "'%.*s' lacks a part of its address, expected four numbers", (int)word.text.len,
             word.text.text);
    else
        fail(p, word.column, "'%.*s' has bits that are set behind its first %u, expected 0 there", (int)word.text.len,
             word.text.text, right->bits);
    if (status != NETWORK_BAD)
        conf_advise(p->conf, "write: %s", text);
}

/* A network or an expression, into a list that `directive` has. */
static void add_hosts(struct parser *p, struct word word, const char *directive, struct patterns *list)
{
    struct network network;
    enum network_status status = network_parse(word.text, &network);
    struct pattern *pattern;

    if (status == NETWORK_GOOD) {
        list->directive = directive;
        begin_run(p, list, word);
        add_network(p, &network, word.text, 0);
    } else if (status != NETWORK_NONE) {
        fail_network(p, word, status, &network);
    } else {
        pattern = memory_take(p->conf, sizeof *pattern);
        value_set_pattern(p, word, directive, false, pattern);
        patterns_add(list, pattern);
    }
    word_need_end(p);
}

static void parse_pattern(struct parser *p, const char *directive, struct patterns *list)
{
    struct word word;

    if (word_need(p, &word, "a network or a regular expression"))
        add_hosts(p, word, directive, list);
}

static void add_table(struct parser *p, struct table *table, struct patterns *list)
{
    struct host_table *host_table = memory_take(p->conf, sizeof *host_table);

    host_table->table = table;
    groups_add_table(list, host_table);
    word_need_end(p);
}

/* allow remotehost PATTERN, deny remotehost PATTERN; or table:NAME */
void parse_hosts(struct parser *p, const struct keyword *k, void *value)
{
    struct table *table;
    struct word word;

    (void)k;
    if (!word_need_exactly(p, "remotehost") || !word_need(p, &word, "a network, a regular expression or table:NAME"))
        return;
    table = table_of_word(p, word);
    if (table != NULL)
        add_table(p, table, value);
    else if (!p->failed)
        add_hosts(p, word, value == &p->conf->rules.groups.deny ? "deny remotehost" : "allow remotehost", value);
}

/* lockout.exempt PATTERN, proxy_protocol PATTERN, quiet PATTERN */
void parse_clients(struct parser *p, const struct keyword *k, void *value)
{
    parse_pattern(p, k->name, value);
}

/* xclient PATTERN, xforward PATTERN; the word local is no part of a longer name there: that would let in whoever has one. */
void parse_speakers(struct parser *p, const struct keyword *k, void *value)
{
    struct word word;

    if (!word_need(p, &word, "a network, a regular expression, or local"))
        return;
    if (slice_equal(word.text, (struct slice)SLICE("local")))
        word.text = (struct slice)SLICE("^local$");
    add_hosts(p, word, k->name, value);
}

/* ---- groups ------------------------------------------------------------------------------ */

/* About as many buckets as there are groups in files that are long because of them. */
static void make_buckets(struct conf *conf)
{
    struct rules *rules = &conf->rules;
    size_t size = 0;

    for (const struct source *s = conf->sources; s != NULL; s = s->next)
        size += s->text.len;
    for (rules->groups.bucket_count = 16; rules->groups.bucket_count < size / 128 && rules->groups.bucket_count < MAX_BUCKETS;)
        rules->groups.bucket_count *= 2;
    rules->groups.buckets = memory_take(conf, rules->groups.bucket_count * sizeof(struct allowgroup *));
}

struct allowgroup *client_group(struct conf *conf, struct slice name)
{
    struct allowgroup *group = groups_find(&conf->rules.groups, name);

    if (group != NULL)
        return group;
    if (conf->rules.groups.bucket_count == 0)
        make_buckets(conf);
    group = memory_take(conf, sizeof *group);
    group->name = name;
    groups_add(&conf->rules.groups, group);
    return group;
}

static struct allowgroup *define_group(struct conf *conf, struct slice name, unsigned number)
{
    struct allowgroup *group = client_group(conf, name);

    if (!group->defined)
        group->line = number;
    group->defined = true;
    return group;
}

/* SHA256: 64 hexadecimal digits in any case, with or without colons between the bytes. */
static void parse_certificate(struct parser *p, struct allowgroup *group)
{
    struct certificate *certificate = memory_take(p->conf, sizeof *certificate);
    struct word word;
    size_t digits = 0;

    if (!word_need(p, &word, "the SHA-256 fingerprint of a certificate"))
        return;
    for (size_t i = 0; i < word.text.len && digits <= CLIENT_FINGERPRINT; i++) {
        char c = lower_ascii(word.text.text[i]);

        if (c == ':' && digits > 0 && digits % 2 == 0)
            continue;
        if (digits < CLIENT_FINGERPRINT && c != '\0' && strchr("0123456789abcdef", c) != NULL)
            certificate->fingerprint[digits] = c;
        else
            digits = CLIENT_FINGERPRINT;
        digits++;
    }
    if (digits != CLIENT_FINGERPRINT) {
        fail(p, word.column, "'%.*s' is not a SHA-256 fingerprint, expected 64 hexadecimal digits",
             (int)word.text.len, word.text.text);
        return;
    }
    certificate->line = p->number;
    certificate->next = group->certificates;
    group->certificates = certificate;
    word_need_end(p);
}

/* pass, fail, none or temperr: what has become of the question for the client's name */
static void parse_fcrdns(struct parser *p, struct allowgroup *group)
{
    static const struct {
        const char *word;
        enum client_name_state state;
    } results[] = { { "pass", CLIENT_NAME_CONFIRMED }, { "fail", CLIENT_NAME_FAIL }, { "none", CLIENT_NAME_NONE },
                    { "temperr", CLIENT_NAME_UNSURE } };
    struct word word;

    if (!word_need(p, &word, "'pass', 'fail', 'none' or 'temperr'"))
        return;
    for (size_t i = 0; i < sizeof results / sizeof results[0]; i++)
        if (word_is(word, results[i].word)) {
            group->fcrdns |= 1U << results[i].state;
            word_need_end(p);
            return;
        }
    fail(p, word.column, "unexpected '%.*s', expected 'pass', 'fail', 'none' or 'temperr'", (int)word.text.len,
         word.text.text);
}

/* table TABLE, also as table:TABLE elsewhere */
static void parse_member_table(struct parser *p, struct allowgroup *group)
{
    struct table *table;
    struct word word;

    if (!table_need_name(p, &word, "the name of a table"))
        return;
    table = table_use(p, word.text, word.column);
    if (table != NULL)
        add_table(p, table, &group->patterns);
}

static const struct {
    struct slice word;
    void (*parse)(struct parser *p, struct allowgroup *group);
} memberships[] = { { SLICE("cert"), parse_certificate }, { SLICE("fcrdns"), parse_fcrdns },
                    { SLICE("table"), parse_member_table } };

/* WORD VALUE instead of a pattern. A word that stands alone is a pattern, whatever it is. */
static bool parse_membership(struct parser *p, struct word word, struct slice name)
{
    size_t behind = p->at;
    struct word value;

    for (size_t i = 0; i < sizeof memberships / sizeof memberships[0]; i++)
        if (slice_equal(word.text, memberships[i].word) && word_next(p, &value)) {
            p->at = behind;
            memberships[i].parse(p, define_group(p->conf, name, p->number));
            return true;
        }
    p->at = behind;
    return false;
}

/* allowgroup NAME PATTERN, allowgroup NAME cert SHA256, allowgroup NAME fcrdns RESULT, allowgroup NAME table TABLE */
void parse_group(struct parser *p, const struct keyword *k, void *value)
{
    struct word name, word;

    (void)value;
    if (word_need_name(p, &name, "the name of a group") && word_need(p, &word, "a network or a regular expression") &&
        !parse_membership(p, word, name.text))
        add_hosts(p, word, k->name, &define_group(p->conf, name.text, p->number)->patterns);
}

/* ---- lists of the DNS --------------------------------------------------------------------- */

/* One octet of a filter, N or N..M; false if there is none. */
static bool parse_octets(const char **at, const char *end, unsigned char *low, unsigned char *high)
{
    unsigned numbers[2] = { 0, 0 };
    size_t count = 0;

    do {
        const char *begin = *at;

        for (; *at < end && isdigit((unsigned char)**at) && numbers[count] <= 255; ++*at)
            numbers[count] = numbers[count] * 10 + (unsigned)(**at - '0');
        if (*at == begin || numbers[count] > 255)
            return false;
    } while (++count < 2 && end - *at >= 2 && memcmp(*at, "..", 2) == 0 && (*at += 2) != NULL);
    *low = (unsigned char)numbers[0];
    *high = (unsigned char)(count == 2 ? numbers[1] : numbers[0]);
    return *low <= *high;
}

/* =127.0.0.2..11: the answers that count */
static void parse_filter(struct parser *p, struct word word, struct host_list *list)
{
    const char *at = word.text.text + 1, *end = word.text.text + word.text.len;
    struct list_filter *f = &list->filter;
    bool good = true;

    for (size_t i = 0; i < 4 && good; i++)
        good = (i == 0 || (at < end && *at++ == '.')) && parse_octets(&at, end, &f->low[i], &f->high[i]);
    list->filtered = true;
    if (!good || at < end || f->low[0] != 127 || f->high[0] != 127)
        fail(p, word.column, "'%.*s' is no filter for the answers of a list, expected one like =127.0.0.2..11",
             (int)word.text.len, word.text.text);
}

/* The name that is told in the place of a zone: one word, which looks the same in a reply, the log and a list of words. */
static void parse_list_name(struct parser *p, struct host_list *list)
{
    struct word word;
    size_t graphic = 0;

    if (!word_need(p, &word, "a name for the list"))
        return;
    while (graphic < word.text.len && word.text.text[graphic] > ' ' && word.text.text[graphic] <= '~')
        graphic++;
    if (word.text.len == 0 || graphic < word.text.len)
        fail(p, word.column, "the name of a list is a word in ASCII without blanks");
    list->name = word.text;
}

/* What a zone is called outside must be known where its questions are logged. */
static void add_alias(struct conf *conf, const struct host_list *list)
{
    struct dns_alias *alias;

    if (slice_equal(list->zone, list->name))
        return;
    alias = memory_take(conf, sizeof *alias);
    *alias = (struct dns_alias){ .next = conf->dns.aliases, .zone = list->zone, .shown = list->name };
    conf->dns.aliases = alias;
}

static bool is_filter(struct word word)
{
    return word.text.len > 0 && word.text.text[0] == '=';
}

static bool is_as(struct word word)
{
    return word_is(word, "as");
}

/* ZONE [=FILTER] [as NAME], into a list of its own */
static struct host_list *parse_list(struct parser *p)
{
    enum { ZONE_MAX = DOMAIN_MAX - 1 - 64, LISTS_MAX = 32 }; /* an IPv6 address takes 64 bytes of the name */
    struct host_list *list = memory_take(p->conf, sizeof *list);
    struct word word;
    size_t count = 0;
    char zone[DOMAIN_MAX + 1] = "";

    list->line = p->number;
    if (!word_need(p, &word, "the zone of a list, like list.example.com"))
        return NULL;
    if (canonical_domain(word.text, WORDS_OURS, zone) == CANONICAL_OK && zone[0] != '[' && strlen(zone) <= ZONE_MAX)
        list->zone = value_keep(p, word.text, slice_of(zone));
    else
        fail(p, word.column, "'%.*s' is not the zone of a list, expected one like list.example.com",
             (int)word.text.len, word.text.text);
    for (const struct host_list *l = p->conf->rules.groups.lists; l != NULL; l = l->next)
        count++;
    if (count == LISTS_MAX)
        fail(p, word.column, "one list too many, expected at most %d", LISTS_MAX);
    if (!p->failed)
        list->name = list_public_part(list->zone);
    if (word_next_if(p, &word, is_filter))
        parse_filter(p, word, list);
    if (word_next_if(p, &word, is_as))
        parse_list_name(p, list);
    if (p->failed)
        return NULL;
    add_alias(p->conf, list);
    *p->conf->rules.groups.last_list = list;
    p->conf->rules.groups.last_list = &list->next;
    return list;
}

static void set_listed_reply(struct parser *p, struct slice status, struct host_list *list)
{
    static const char words[] = "Your host is listed by ";
    char *text = memory_take(p->conf, sizeof words + list->name.len);

    memcpy(text, words, sizeof words - 1);
    memcpy(text + sizeof words - 1, list->name.text, list->name.len);
    list->reply = (struct reply){ .code = 554, .status = status,
                                  .text = { text, sizeof words - 1 + list->name.len } };
}

/* dnsbl ZONE [=FILTER] [as NAME] [log | CODE TEXT] */
void parse_dnsbl(struct parser *p, const struct keyword *k, void *value)
{
    struct host_list *list = parse_list(p);
    struct word word;

    (void)value;
    if (list == NULL)
        return;
    if (!word_next(p, &word))
        set_listed_reply(p, slice_of(k->status), list);
    else if (word_is(word, "log"))
        word_need_end(p);
    else
        value_reply(p, word, slice_of(k->status), &list->reply);
}

/* dnswl ZONE [=FILTER] [as NAME] */
void parse_dnswl(struct parser *p, const struct keyword *k, void *value)
{
    struct host_list *list = parse_list(p);

    (void)k;
    (void)value;
    if (list == NULL)
        return;
    list->allows = true;
    word_need_end(p);
}

/* bypass allowgroup NAME */
void parse_bypass(struct parser *p, const struct keyword *k, void *value)
{
    struct bypass *bypass = memory_take(p->conf, sizeof *bypass);
    struct word word;

    (void)k;
    (void)value;
    if (!word_need_exactly(p, "allowgroup") || !word_need_name(p, &word, "the name of a group"))
        return;
    *bypass = (struct bypass){ .next = p->conf->rules.groups.bypasses, .group = client_group(p->conf, word.text),
                               .line = p->number, .group_column = word.column };
    p->conf->rules.groups.bypasses = bypass;
    word_need_end(p);
}
