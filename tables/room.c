/* room.c - memory for what tables say: no forked process has it, for hashes of passwords may be there */
#include "tables/room.h"

#include <sys/mman.h>

void *table_room(size_t size)
{
    void *room = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (room == MAP_FAILED)
        return NULL;
    (void)madvise(room, size, MADV_DONTFORK); /* ours: cannot fail */
    return room;
}

void table_room_free(void *room, size_t size)
{
    (void)munmap(room, size); /* ours: cannot fail */
}
