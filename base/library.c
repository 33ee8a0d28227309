/* library.c - a shared library that is loaded when it is needed, so that nobody else pays for it */
#include "base/library.h"

#include <dlfcn.h>
#include <string.h>

#ifdef STATIC

const char *library_load(const char *file, const struct library_function *functions, size_t count)
{
    (void)file;
    for (size_t i = 0; i < count; i++)
        memcpy(functions[i].pointer, &functions[i].linked, sizeof functions[i].linked);
    return NULL;
}

#else

const char *library_load(const char *file, const struct library_function *functions, size_t count)
{
    void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);

    if (library == NULL)
        return dlerror();
    for (size_t i = 0; i < count; i++) {
        void *address = dlsym(library, functions[i].name);

        if (address == NULL)
            return dlerror();
        memcpy(functions[i].pointer, &address, sizeof address); /* an object pointer is one to a function, for dlsym */
    }
    return NULL;
}

#endif
