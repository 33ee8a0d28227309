/* facts.h - what there is to say about one delivery: a table, each row with the function that writes one fact */
#ifndef FACTS_H
#define FACTS_H

#include "base/text.h"
#include "delivery/copy.h"

/* The delivery that the facts are about. */
struct delivery {
    const struct transaction *transaction;
    const struct recipient *recipient;
    uint64_t size; /* bytes that the command will read */
};

/* What a fact is in JSON: a string, a number or null, an array with a string for each line. */
enum fact_kind { FACT_TEXT, FACT_NUMBER, FACT_LINES };

struct fact {
    const char *name; /* of the variable */
    enum fact_kind kind;
    void (*get)(const struct delivery *delivery, struct text *fact);
};

enum { FACTS = 36 };

extern const struct fact facts[FACTS];

/* The text that an argument of exec stands for, as a string that lives as long as the buffer. */
const char *facts_argument(const struct transaction *transaction, const struct recipient *recipient,
                           const struct argument *argument, char *buffer, size_t size);

#endif
