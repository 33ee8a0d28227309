/* lookup-misbehave.c - a mailrecv-lookup that was taken over by what it read: linked with the rest of it, instead of serve */
/* The environment variable MISBEHAVE says what it tries when it is confined; it prints what came of that. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "programs/lookup/serve.h"

int __wrap_serve(const struct source *source, const struct opened *opened, const struct answer *failure, unsigned ms);

static int make_socket(void) { return socket(AF_UNIX, SOCK_STREAM, 0); }
static int connect_anew(void) { return connect(STDIN_FILENO, NULL, 0); }
static int start_process(void) { return fork(); }
static int execute(void) { return execl("/bin/true", "true", (char *)NULL); }
static int read_beside(void) { return open("beside", O_RDONLY | O_CLOEXEC); }
static int read_elsewhere(void) { return open("/etc/passwd", O_RDONLY | O_CLOEXEC); }
static int write_beside(void) { return open("beside", O_WRONLY | O_CLOEXEC); }
static int make_file(void) { return open("made", O_RDONLY | O_CREAT | O_CLOEXEC, 0600); }
static int remove_file(void) { return unlink("beside"); }

static const struct {
    const char *name;
    int (*run)(void);
} deeds[] = {
    { "socket", make_socket }, { "connect", connect_anew },       { "fork", start_process },   { "exec", execute },
    { "read", read_beside },   { "elsewhere", read_elsewhere },   { "write", write_beside },   { "make", make_file },
    { "remove", remove_file },
};

int __wrap_serve(const struct source *source, const struct opened *opened, const struct answer *failure, unsigned ms)
{
    const char *wanted = getenv("MISBEHAVE");

    (void)source, (void)opened, (void)ms;
    if (failure != NULL || wanted == NULL)
        return EXIT_FAILURE;
    for (size_t i = 0; i < sizeof deeds / sizeof deeds[0]; i++)
        if (strcmp(deeds[i].name, wanted) == 0)
            dprintf(STDOUT_FILENO, "%s\n", deeds[i].run() >= 0 ? "done" : strerror(errno));
    return EXIT_SUCCESS;
}
