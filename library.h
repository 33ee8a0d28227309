/* library.h - a shared library that is loaded when it is needed, so that nobody else pays for it */
#ifndef LIBRARY_H
#define LIBRARY_H

#include <stddef.h>

/* A function that is wanted of a library: its name, and a pointer to the pointer that will hold its address. */
struct library_function {
    const char *name;
    void *pointer; /* the address of a pointer to a function */
};

/*
 * Loads the shared library `file` ("libfoo.so.1", found as the dynamic loader finds libraries) and fills
 * the pointers to its functions, `count` of them. NULL if all is there, else the reason, for a log
 * line; it lives until the next call, and no pointer may be used. The library stays for the life
 * of the process.
 */
const char *library_load(const char *file, const struct library_function *functions, size_t count);

#endif
