/* remembered.h - what -S shows: all that is remembered from one session to the next */
#ifndef REMEMBERED_H
#define REMEMBERED_H

#include "conf/conf.h"

/* Prints the tables of what there is: contacts, and the ledger; in JSON all of it is one array. Returns an exit status. */
int remembered_show(const struct conf *conf, bool json);

#endif
