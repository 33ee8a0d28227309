/* hosts_file.c - the text of /etc/hosts, read once in a session */
#include "dns/hosts_file.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cold.h"

static char usual[8192] COLD_BSS; /* nearly always it is shorter, and takes nothing from the heap */

static struct {
    bool read;
    char *text; /* NULL: none */
    size_t len;
} file;

static bool make_room(size_t size)
{
    const bool first = file.text == usual;
    char *more = realloc(first ? NULL : file.text, size);

    if (more == NULL)
        return false;
    if (first)
        memcpy(more, usual, sizeof usual);
    file.text = more;
    return true;
}

/* Reads all that there is; what cannot be read holds no names. */
static void read_all(int fd)
{
    size_t size = sizeof usual;
    ssize_t got = 1;

    file.text = usual;
    while (got > 0) {
        if (file.len == size && !make_room(size *= 2))
            return;
        got = read(fd, file.text + file.len, size - file.len);
        file.len += got > 0 ? (size_t)got : 0;
    }
}

struct slice hosts_file_text(void)
{
    int fd;

    if (!file.read) {
        file.read = true;
        fd = open("/etc/hosts", O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK); /* a FIFO shall not stop us */
        if (fd >= 0) {
            read_all(fd);
            (void)close(fd); /* it was only read */
        }
    }
    return (struct slice){ file.text, file.len };
}

void hosts_file_forget(void)
{
    if (file.text != usual)
        free(file.text);
    file.text = NULL;
    file.len = 0;
    file.read = false;
}
