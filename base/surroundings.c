/* surroundings.c - what every program is told that we start for a session: the search path, and who we are */
#include "base/surroundings.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/account.h"
#include "base/cold.h"

static bool add(struct surroundings *s, const char *name, const char *value)
{
    const size_t room = sizeof s->text - s->used;
    int len = snprintf(s->text + s->used, room, "%s=%s", name, value);

    if (len < 0 || (size_t)len >= room || s->count == SURROUNDINGS_MOST)
        return false;
    s->variables[s->count++] = s->text + s->used;
    s->variables[s->count] = NULL;
    s->used += (size_t)len + 1;
    return true;
}

int surroundings_make(struct surroundings *s)
{
    static struct account_person person COLD_BSS;
    uid_t uid = geteuid();
    int error = account_person(&person, uid);

    s->count = s->used = 0;
    if (error == ENOENT) {
        person = (struct account_person){ .home = "/", .shell = "/bin/sh" };
        (void)snprintf(person.name, sizeof person.name, "%lu", (unsigned long)uid);
        error = 0;
    }
    if (error == 0 && !(add(s, "PATH", ENVIRONMENT_PATH) && add(s, "HOME", person.home) && add(s, "USER", person.name) &&
                        add(s, "LOGNAME", person.name) && add(s, "SHELL", person.shell)))
        error = E2BIG;
    return error;
}

int surroundings_inherit(struct surroundings *s, const char *const *names)
{
    for (const char *const *name = names; *name != NULL; name++) {
        const char *value = getenv(*name);

        if (value != NULL && !add(s, *name, value))
            return E2BIG;
    }
    return 0;
}
