/* answer.h - what a table says of a key */
#ifndef TABLES_ANSWER_H
#define TABLES_ANSWER_H

#include "nexthop/server.h"

enum {
    TABLE_VALUE = 16384,          /* bytes of a value */
    TABLE_REASON = SERVER_REASON /* bytes of why there is no answer, which is one line */
};

enum table_answer { TABLE_FOUND, TABLE_UNKNOWN, TABLE_FAILED };

#endif
