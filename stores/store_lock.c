/* store_lock.c - locks on bytes of a file, which end when it is closed */
/* Who waits for one asks again and again, because a wait in the kernel would have no end. */
#include "stores/store_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

/* Not all at the same moment, and the longer it has taken already the longer. */
static void sleep_a_little(long times)
{
    const struct timespec time = { .tv_nsec = (200000 + getpid() % 16 * 50000) * (times < 20 ? times : 20) };

    (void)nanosleep(&time, NULL); /* a signal may end it: it is asked again anyway */
}

bool store_lock(int fd, short type, off_t start, off_t len, uint64_t until)
{
    struct flock range = { .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len };

    for (long times = 1; fcntl(fd, F_OFD_SETLK, &range) != 0; times++) {
        if ((errno != EAGAIN && errno != EACCES && errno != EINTR) || clock_left(until) == 0)
            return false;
        sleep_a_little(times);
    }
    return true;
}
