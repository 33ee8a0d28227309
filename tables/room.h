/* room.h - memory for what tables say: no forked process has it, for hashes of passwords may be there */
#ifndef TABLES_ROOM_H
#define TABLES_ROOM_H

#include <stddef.h>

/* Zeroed pages; NULL with errno set. */
void *table_room(size_t size);
void table_room_free(void *room, size_t size);

#endif
