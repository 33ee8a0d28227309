/* hammer.c - many processes change one file of contacts as fast as they can, and are killed at random moments */
/*
 * usage: hammer FILE SEED SECONDS PROCESSES
 *
 * Each process counts connections of a few clients and notes, in shared memory, before and after each change that it
 * begins and that it was made. In the end the file must say, for each client, at least what was made and at most what
 * was begun; and no change may have failed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/lockout_db.h"

enum { CLIENTS = 8, MAX = 1000 };

static struct shared {
    atomic_uint begun[CLIENTS], made[CLIENTS], failed;
} *shared;

static struct lockout_db file = { .engine = &store_file, .keep = 100000, .serving = true };

static struct contact client(unsigned i)
{
    const unsigned char bytes[4] = { 192, 0, 2, (unsigned char)i };

    return contact_of(AF_INET, bytes);
}

static void count(struct contact *contact, const void *context)
{
    (void)context;
    contact->connections++;
}

static void __attribute__((noreturn)) work(unsigned seed)
{
    srandom(seed);
    for (;;) {
        unsigned i = (unsigned)random() % CLIENTS;
        struct contact contact = client(i);

        shared->begun[i]++;
        if (lockout_db_change(&file, &contact, (uint64_t)time(NULL), count, NULL)) {
            shared->made[i]++;
        } else {
            shared->failed++;
            perror("a change fails");
        }
    }
}

static pid_t start(unsigned seed)
{
    pid_t pid = fork();

    if (pid == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0)
        work(seed);
    return pid;
}

static unsigned end(pid_t pid)
{
    (void)kill(pid, SIGKILL);
    return waitpid(pid, NULL, 0) == pid;
}

static unsigned connections(const struct contact *all, size_t total, unsigned i)
{
    const struct contact wanted = client(i);

    for (size_t j = 0; j < total; j++)
        if (all[j].family == 4 && memcmp(all[j].network, wanted.network, 4) == 0)
            return all[j].connections;
    return 0;
}

/* Exit status: 0, nothing is lost. */
static int check(void)
{
    size_t total;
    struct contact *all = lockout_db_list(&file, &total);
    int status = shared->failed > 0 || all == NULL;
    unsigned sum = 0;

    for (unsigned i = 0; i < CLIENTS && all != NULL; i++) {
        unsigned known = connections(all, total, i), made = shared->made[i], begun = shared->begun[i];

        if (known < made || known > begun) {
            printf("client %u: %u changes were made and %u begun, but there are %u\n", i, made, begun, known);
            status = 1;
        }
        sum += made;
    }
    printf("%u changes\n", sum);
    free(all);
    return status;
}

int main(int argc, char **argv)
{
    pid_t pids[MAX];
    unsigned seed = argc > 4 ? (unsigned)atoi(argv[2]) : 0, many = argc > 4 ? (unsigned)atoi(argv[4]) : 0, kills = 0;
    uint64_t until;

    if (many < 1 || many > MAX)
        return 64;
    file.path = argv[1];
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return 71;
    until = clock_ms() + (uint64_t)atoi(argv[3]) * 1000;
    for (unsigned i = 0; i < many; i++)
        pids[i] = start(seed + i);
    srandom(seed);
    while (clock_left(until) > 0) {
        unsigned victim = (unsigned)random() % many;

        (void)usleep((useconds_t)random() % 2000);
        kills += end(pids[victim]);
        pids[victim] = start(seed + many + kills);
    }
    for (unsigned i = 0; i < many; i++)
        kills += end(pids[i]);
    printf("seed %u: %u kills, ", seed, kills);
    return check();
}
