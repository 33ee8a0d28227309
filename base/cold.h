/* cold.h - where large buffers lie: behind all that every session touches */
#ifndef COLD_H
#define COLD_H

/*
 * For a large buffer that is not needed at once. The linker puts it behind the small variables, so that
 * those share pages: each page that is touched costs a session microseconds, in each process again.
 * It begins with a page, so that what is small in it touches one only.
 */
#define COLD_BSS __attribute__((section(".bss.late"), aligned(4096)))

/* For a large buffer whose beginning every session touches: directly behind the small variables, which share its first page. */
#define BEHIND __attribute__((section(".bss.behind")))

/* For what is small and seldom needed: behind both of them, so that pages hold more of what each session touches. */
#define RARE_BSS __attribute__((section(".bss.rare")))

#endif
