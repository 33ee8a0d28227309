/* library.h - a shared library that is loaded when it is needed, so that nobody else pays for it */
#ifndef LIBRARY_H
#define LIBRARY_H

#include <stddef.h>
#include <stdint.h>

/* A function that is wanted of a library: its name, and where a pointer to it goes. */
struct library_function {
    const char *name;
    void *pointer; /* the address of a pointer to a function */
#ifdef STATIC
    void (*linked)(void);
#endif
};

/*
 * An entry of a table: `pointer` is a pointer to a function, `function` what the library's header calls it; or the same of
 * a constant object.
 */
#ifdef STATIC
#define LIBRARY_FUNCTION(pointer, function) { LIBRARY_NAME(function), &(pointer), (void (*)(void))(function) }
#define LIBRARY_OBJECT(pointer, object) { LIBRARY_NAME(object), &(pointer), (void (*)(void))(uintptr_t)&(object) }
#else
#define LIBRARY_FUNCTION(pointer, function) { LIBRARY_NAME(function), &(pointer) }
#define LIBRARY_OBJECT(pointer, object) LIBRARY_FUNCTION(pointer, object)
#endif
#define LIBRARY_NAME(function) #function

/*
 * Loads the shared library `file` ("libfoo.so.1", found as the dynamic loader finds libraries) and fills
 * the pointers to its functions, and to those of the libraries that it brings, `count` of them. NULL if all is there, else the reason, for a log
 * line; it lives until the next call, and no pointer may be used. The library stays for the life
 * of the process. In a program that is linked statically it has been there all along.
 */
const char *library_load(const char *file, const struct library_function *functions, size_t count);

#endif
