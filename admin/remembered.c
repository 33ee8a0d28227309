/* remembered.c - what -S shows: all that is remembered from one session to the next */
#include "admin/remembered.h"

#include <sysexits.h>

#include "admin/ledger_show.h"
#include "admin/lockout_show.h"

int remembered_show(const struct conf *conf, bool json)
{
    const bool ledger = conf->delivery.ledger.len > 0;
    size_t objects = 0;
    int status = EX_OK;

    if (!ledger && conf->client.lockout_db.len == 0) {
        fprintf(stderr, "mailrecv: %s: there is no lockout.db and no ledger, so nothing is remembered\n", conf->path);
        return EX_CONFIG;
    }
    if (json)
        putchar('[');
    if (conf->client.lockout_db.len > 0)
        status = lockout_show(conf, json, &objects, stdout);
    if (ledger && !json && conf->client.lockout_db.len > 0)
        putchar('\n');
    if (status == EX_OK && ledger)
        status = ledger_show(conf, json, &objects, stdout);
    if (json)
        puts("]");
    return status;
}
