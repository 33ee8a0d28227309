/* resolver_memory.c - memory of the resolver for names that were asked for, which no other process gets */
#include "dns/resolving.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct own *resolving_own;

/* Stands before each piece. */
struct piece {
    size_t size;
} __attribute__((aligned(16)));

static bool is_own(const void *memory)
{
    return (uintptr_t)memory >= (uintptr_t)resolving_own->bytes &&
           (uintptr_t)memory < (uintptr_t)resolving_own->bytes + OWN_BYTES;
}

/* A long session may need more than there is here; then it has begun, and its process has memory of its own. */
void *resolving_take(size_t size)
{
    struct piece *piece = (struct piece *)(void *)(resolving_own->bytes + resolving_own->used);
    size_t room = OWN_BYTES - resolving_own->used; /* a multiple of the size of a struct piece */

    if (room < sizeof *piece || size > room - sizeof *piece)
        return malloc(size);
    resolving_own->used += (1 + (size + sizeof *piece - 1) / sizeof *piece) * sizeof *piece;
    piece->size = size;
    return piece + 1;
}

void resolving_give(void *memory)
{
    if (!is_own(memory))
        free(memory);
}

void *resolving_resize(void *memory, size_t size)
{
    size_t old;
    void *other;

    if (memory != NULL && !is_own(memory))
        return realloc(memory, size);
    old = memory != NULL ? ((struct piece *)memory)[-1].size : 0;
    other = resolving_take(size);
    if (other != NULL && old > 0)
        memcpy(other, memory, old < size ? old : size);
    return other;
}

/* False with errno set. */
bool resolving_make_own(void)
{
    void *memory;

    if (resolving_own != NULL)
        return true;
    memory = mmap(NULL, sizeof *resolving_own, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                  -1, 0);
    if (memory == MAP_FAILED || madvise(memory, sizeof *resolving_own, MADV_DONTFORK) != 0)
        return false;
    resolving_own = memory;
    return true;
}

void resolving_drop_own(void)
{
    if (resolving_own != NULL)
        (void)munmap(resolving_own, sizeof *resolving_own); /* ours: cannot fail */
    resolving_own = NULL;
}

void resolving_share_own(bool share)
{
    (void)madvise(resolving_own, sizeof *resolving_own, share ? MADV_DOFORK : MADV_DONTFORK); /* ours: cannot fail */
}
