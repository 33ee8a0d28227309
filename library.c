/* library.c - a shared library that is loaded when it is needed, so that nobody else pays for it */
#include "library.h"

#include <dlfcn.h>
#include <string.h>

const char *library_load(const char *file, const struct library_function *functions, size_t count)
{
    void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);

    if (library == NULL)
        return dlerror();
    for (size_t i = 0; i < count; i++) {
        void *address = dlsym(library, functions[i].name);

        if (address == NULL)
            return dlerror();
        /* an object pointer as a function pointer: POSIX has it so for dlsym */
        memcpy(functions[i].pointer, &address, sizeof address);
    }
    return NULL;
}
