/* stack.c - what functions that have returned have left on the stack goes, before a process is forked that must not know it */
#include "base/stack.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE = 4096, CLEARED = 3 * PAGE, GIVEN_BACK = 256 * PAGE };

void __attribute__((noinline)) stack_clear(void)
{
    char bytes[CLEARED];

    explicit_bzero(bytes, sizeof bytes);
}

void __attribute__((noinline)) stack_forget(void)
{
    char *frame = __builtin_frame_address(0), *end = frame - (uintptr_t)frame % PAGE - PAGE;

    stack_clear();
    (void)madvise(end - GIVEN_BACK, GIVEN_BACK, MADV_DONTNEED); /* ENOMEM: it was not as deep */
}
