/* services.h - what the files of super-servers would have them do to a listener */
#ifndef SERVICES_H
#define SERVICES_H

#include "conf/conf.h"

/*
 * For -t: looks for services of systemd and xinetd that start mailrecv with this configuration, and warns of what closes
 * their port for good or starts nothing: start limits, a socket that cannot be restarted, only_from. Services that are
 * right, or not there, are not mentioned.
 */
void services_check(struct conf *conf);

#endif
