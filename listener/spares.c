/* spares.c - processes that wait for the next connection, as far advanced as can be without one */
#include "listener/spares.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cold.h"
#include "base/passing.h"

static struct {
    size_t count;
    struct spare {
        pid_t pid;
        int socket; /* ours; its end tells the spare that nobody comes */
    } list[SPARES_MOST];
} spares RARE_BSS;

pid_t spares_fork(int *socket)
{
    int ends[2];
    pid_t pid;

    if (spares.count == SPARES_MOST || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return -1;
    pid = _Fork();
    if (pid == 0) {
        (void)close(ends[0]);
        spares_close();
        *socket = ends[1];
        return 0;
    }
    (void)close(ends[1]);
    if (pid < 0)
        (void)close(ends[0]);
    else
        spares.list[spares.count++] = (struct spare){ pid, ends[0] };
    return pid;
}

size_t spares_count(void)
{
    return spares.count;
}

/* The order does not matter. */
static void take_out(size_t i)
{
    (void)close(spares.list[i].socket);
    spares.list[i] = spares.list[--spares.count];
}

pid_t spares_give(int connection, const struct sockaddr_storage *peer)
{
    while (spares.count > 0) {
        struct spare spare = spares.list[0]; /* which has waited longest, and is ready */
        bool given = passing_send(spare.socket, peer, sizeof *peer, connection, MSG_DONTWAIT) > 0;

        take_out(0);
        if (given)
            return spare.pid;
    }
    return 0;
}

bool spares_remove(pid_t pid)
{
    for (size_t i = 0; i < spares.count; i++)
        if (spares.list[i].pid == pid) {
            take_out(i);
            return true;
        }
    return false;
}

void spares_close(void)
{
    while (spares.count > 0)
        take_out(0);
}

int spares_await(int socket, struct sockaddr_storage *peer)
{
    int connection;
    ssize_t len;

    do
        len = passing_receive(socket, peer, sizeof *peer, &connection, 0);
    while (len < 0 && errno == EINTR);
    (void)close(socket);
    return connection;
}
