/* modes.h - whether the group that mailbox.mode is for can come at the mail */
#ifndef MODES_H
#define MODES_H

#include "conf/conf.h"

/*
 * For -t, of a target or a dead-letter file on this line: adds a warning where mailbox.mode is for a group that cannot
 * enter a directory, or do there what its mode is for, or to which new files do not belong, and where a file is there
 * already with less. Nothing is said of what cannot be looked at. probe_who is known.
 */
void modes_check(struct conf *conf, unsigned line, struct slice path, bool is_maildir);

#endif
