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

const char *fact_unique_id(void)
{
    const char *id = getenv("DELIVERY_ID");

    return id != NULL && strchr(id, '.') != NULL ? id : NULL; /* of a ledger it is an id and a number, else a digest */
}
