/* command.h - a copy into a command: pipe and exec */
#ifndef COMMAND_H
#define COMMAND_H

#include "delivery/copy.h"

/*
 * Runs the command of a target with the copy on its standard input, for limit.pipe_secs and the
 * rest of the session at most; then its process group is ended. The command leads a session of
 * its own, has descriptors 0 to 2, default signals, and an environment that holds nothing but
 * what environment.h describes. What it writes goes to the log. Exit status 0 is success; 65,
 * 67, 77 and 100 refuse for good, with the last line of output as reason; all else is passing.
 * It may leave input unread; what it leaves running in the background is not waited for.
 */
void command_run(const struct transaction *transaction, const struct recipient *recipient,
                 const struct target *target, struct outcome *outcome);

#endif
