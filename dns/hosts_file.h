/* hosts_file.h - the text of /etc/hosts */
#ifndef HOSTS_FILE_H
#define HOSTS_FILE_H

#include "base/slice.h"

/*
 * All of it, which is read by the first call; empty, or cut, if it cannot be read. It is there until hosts_file_forget,
 * after which it is read anew.
 */
struct slice hosts_file_text(void);
void hosts_file_forget(void);

#endif
