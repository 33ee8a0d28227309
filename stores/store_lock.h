/* store_lock.h - locks on bytes of a file, which end when it is closed */
#ifndef STORE_LOCK_H
#define STORE_LOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Locks bytes of an open file description (F_WRLCK, F_UNLCK; fcntl(2)), and waits until `until` (clock.h) for who has them.
 * False with errno set.
 */
bool store_lock(int fd, short type, off_t start, off_t len, uint64_t until);

#endif
