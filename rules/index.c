/* index.c - the lines that may name a recipient, without a look at all of them: for a listener, whose file may be long */
#include "rules/index.h"

#include <stdbool.h>
#include <string.h>

#include "base/hash.h"
#include "base/slice.h"

/* A line; entries of one bucket are chained in the order of the file, and so are the others. */
struct entry {
    const struct rule *rule;
    uint32_t next; /* its place and 1; 0: there is none */
};

struct index {
    uint32_t buckets; /* a power of two */
    uint32_t *heads;  /* as `next` */
    uint32_t others;  /* expressions and tables */
    struct entry *entries;
};

static uint32_t hash_address(struct slice local, struct slice domain)
{
    return hash_nocase(hash_on(hash_nocase(HASH_BEGIN, local), "@", 1), domain);
}

static size_t count_rules(const struct rules *rules)
{
    size_t count = 0;

    for (const struct rule *rule = rules->first_rule; rule != NULL; rule = rule->next)
        count++;
    return count;
}

static uint32_t buckets_for(size_t count)
{
    uint32_t buckets = 16;

    while (buckets < count && buckets < UINT32_C(1) << 30)
        buckets *= 2;
    return buckets;
}

size_t index_size(const struct rules *rules)
{
    size_t count = count_rules(rules);

    return sizeof(struct index) + count * sizeof(struct entry) + buckets_for(count) * sizeof(uint32_t);
}

/* Where the chain of a line begins. */
static uint32_t *head_of(struct index *index, const struct rule *rule)
{
    const struct slice text = rule->rcpt.canonical;
    const char *at = rule->rcpt.kind == MAILBOXES_ADDRESS ? memrchr(text.text, '@', text.len) : NULL;
    struct slice local = { text.text, at != NULL ? (size_t)(at - text.text) : 0 }, domain = text;

    if (rule->rcpt.kind == MAILBOXES_PATTERN || rule->rcpt.kind == MAILBOXES_TABLE)
        return &index->others;
    if (at != NULL)
        domain = (struct slice){ at + 1, text.len - local.len - 1 };
    return &index->heads[hash_address(local, domain) & (index->buckets - 1)];
}

struct index *index_make(const struct rules *rules, void *memory)
{
    struct index *index = memory;
    size_t count = count_rules(rules), i = 0;

    index->buckets = buckets_for(count);
    index->entries = (struct entry *)(void *)(index + 1);
    index->heads = (uint32_t *)(void *)(index->entries + count);
    for (const struct rule *rule = rules->first_rule; rule != NULL; rule = rule->next)
        index->entries[i++].rule = rule;
    while (i-- > 0) { /* from the end, so that each chain is in the order of the file */
        uint32_t *head = head_of(index, index->entries[i].rule);

        if (index->entries[i].rule->kind == RULE_ALSO)
            continue;
        index->entries[i].next = *head;
        *head = (uint32_t)i + 1;
    }
    return index;
}

struct index_walk index_begin(const struct index *index, const struct recipient *recipient, uint16_t extension)
{
    const struct address *a = &recipient->address;
    const struct slice domain = address_domain(a), none = { "", 0 };
    struct index_walk walk = { .index = index };
    const uint32_t hashes[] = { hash_address((struct slice){ a->text, a->local_len }, domain),
                                hash_address((struct slice){ a->text, extension }, domain), hash_address(none, domain) };
    size_t count = 0;

    for (size_t i = 0; i < sizeof hashes / sizeof hashes[0]; i++) {
        uint32_t head = index->heads[hashes[i] & (index->buckets - 1)];
        bool known = i == 1 && extension == 0; /* else it is that of the domain */

        for (size_t j = 0; j < count; j++) /* one bucket is walked once */
            known = known || walk.at[j] == head;
        if (!known)
            walk.at[count++] = head;
    }
    walk.at[count] = index->others;
    return walk;
}

const struct rule *index_next(struct index_walk *walk)
{
    const struct entry *entry;
    uint32_t *first = NULL;

    for (size_t i = 0; i < INDEX_CURSORS; i++)
        if (walk->at[i] != 0 && (first == NULL || walk->at[i] < *first))
            first = &walk->at[i];
    if (first == NULL)
        return NULL;
    entry = &walk->index->entries[*first - 1];
    *first = entry->next;
    return entry->rule;
}
