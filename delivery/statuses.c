/* statuses.c - what the exit statuses of a delivery command mean */
#include "delivery/statuses.h"

#include <string.h>

const char *const statuses_meanings[MEANINGS] = {
    [MEANING_RETRY] = "retry", [MEANING_DELIVERED] = "delivered", [MEANING_REFUSED] = "refused",
    [MEANING_VIOLATION] = "violation"
};

/* Statuses that do not mean what the others do; ends with 0. Status 0 always means that the message was delivered. */
static const struct built_in {
    char name[9];
    unsigned char others;
    struct {
        unsigned char status, meaning;
    } exceptions[11];
} built_ins[] = {
    { "sysexits", MEANING_RETRY,
      { { 65, MEANING_REFUSED }, { 67, MEANING_REFUSED }, { 77, MEANING_REFUSED }, { 100, MEANING_REFUSED } } },
    { "qmail", MEANING_RETRY, /* 99: delivered, and the lines that follow in a .qmail file are left out */
      { { 99, MEANING_DELIVERED }, { 100, MEANING_REFUSED }, { 64, MEANING_REFUSED }, { 65, MEANING_REFUSED },
        { 70, MEANING_REFUSED }, { 76, MEANING_REFUSED }, { 77, MEANING_REFUSED }, { 78, MEANING_REFUSED },
        { 112, MEANING_REFUSED } } },
    { "postfix", MEANING_REFUSED, { { 71, MEANING_RETRY }, { 75, MEANING_RETRY } } },
};

static enum meaning meaning_in(const struct built_in *built_in, unsigned status)
{
    if (status == 0)
        return MEANING_DELIVERED;
    for (size_t i = 0; built_in->exceptions[i].status != 0; i++)
        if (built_in->exceptions[i].status == status)
            return built_in->exceptions[i].meaning;
    return built_in->others;
}

enum meaning statuses_meaning(const struct statuses *statuses, unsigned status)
{
    if (status >= STATUSES_MOST)
        return MEANING_RETRY;
    return statuses != NULL ? statuses->meanings[status] : meaning_in(&built_ins[0], status);
}

bool statuses_built_in(struct slice name, unsigned char meanings[STATUSES_MOST])
{
    for (size_t i = 0; i < sizeof built_ins / sizeof built_ins[0]; i++)
        if (slice_equal(name, slice_of(built_ins[i].name))) {
            for (unsigned status = 0; status < STATUSES_MOST; status++)
                meanings[status] = (unsigned char)meaning_in(&built_ins[i], status);
            return true;
        }
    return false;
}
