/* settings.h - what the configuration asks of connections to other servers */
#ifndef NEXTHOP_SETTINGS_H
#define NEXTHOP_SETTINGS_H

#include "base/slice.h"

struct nexthop_settings {
    struct slice tls_ca; /* a file with the certificates of those who may have signed certificates of servers */
};

#endif
