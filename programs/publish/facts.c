/* facts.c - what mailrecv has told its command of a message, and the broker is told, too */
#include "programs/publish/job.h"

#include <stdlib.h>
#include <string.h>

const struct fact facts[FACTS] = {
    { "sender", "SENDER", false },
    { "recipient", "RECIPIENT", false },
    { "recipients", "RECIPIENTS", true },
    { "original_recipient", "ORIGINAL_RECIPIENT", false },
    { "client_address", "CLIENT_ADDRESS", false },
    { "client_hostname", "CLIENT_HOSTNAME", false },
    { "client_helo", "CLIENT_HELO", false },
    { "client_protocol", "CLIENT_PROTOCOL", false },
    { "sasl_username", "SASL_USERNAME", false },
    { "server_name", "SERVER_NAME", false },
    { "received_at", "RECEIVED_AT", false },
    { "message_id", "MESSAGE_ID", false },
    { "delivery_id", "DELIVERY_ID", false },
    { "rule", "RULE", false },
    { "table_value", "TABLE_VALUE", false },
};

static const char *value_of(const struct message *message, const char *variable)
{
    size_t i = 0;

    while (strcmp(facts[i].variable, variable) != 0)
        i++;
    return message->values[i];
}

void facts_take(struct message *message)
{
    for (size_t i = 0; i < FACTS; i++)
        message->values[i] = getenv(facts[i].variable);
}

const char *facts_unique_id(const struct message *message)
{
    const char *id = value_of(message, "DELIVERY_ID");

    return id != NULL && strchr(id, '.') != NULL ? id : NULL; /* of a ledger it is an id and a number, else a digest */
}

const char *facts_received_at(const struct message *message)
{
    return value_of(message, "RECEIVED_AT");
}
