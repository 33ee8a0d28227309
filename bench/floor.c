/* floor.c - the least that any program must do to receive one message: read, answer, un-stuff, append */
/*
 * usage: floor FILE          appends, and syncs before the 250
 *        floor -n FILE       appends
 *        floor -c COMMAND    feeds the message to /bin/sh -c COMMAND
 *
 * One process, one message, fixed answers by the first letters of a command, no configuration, no log,
 * no limits, no rules. It locks the file, because whoever appends must. It is the measure of what the
 * kernel costs, not an example.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BUFFER = 1 << 16 };

static char in[BUFFER], out[BUFFER], replies[1024];
static size_t used, taken; /* of `in` */
static size_t said;        /* of `replies`, which go out before input is waited for */

static void put(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t n = write(fd, data, length);

        if (n <= 0)
            _exit(1);
        data += n;
        length -= (size_t)n;
    }
}

static void say(const char *text)
{
    size_t length = strlen(text);

    if (said + length > sizeof replies)
        _exit(1);
    memcpy(replies + said, text, length);
    said += length;
}

static void flush(void)
{
    put(STDOUT_FILENO, replies, said);
    said = 0;
}

/* The next line, with its end, in place. A longer one than the buffer ends the session. */
static char *next_line(size_t *length)
{
    for (;;) {
        char *end = memchr(in + taken, '\n', used - taken);

        if (end != NULL) {
            char *line = in + taken;

            *length = (size_t)(end + 1 - line);
            taken += *length;
            return line;
        }
        memmove(in, in + taken, used - taken);
        used -= taken;
        taken = 0;
        flush();
        ssize_t n = read(STDIN_FILENO, in + used, sizeof in - used);

        if (n <= 0)
            _exit(1);
        used += (size_t)n;
    }
}

/* The lines up to the dot, without stuffing and CR, in writes as large as the buffer. */
static void copy_message(int fd)
{
    size_t filled = 0;

    for (;;) {
        size_t length;
        char *line = next_line(&length);

        if (length == 3 && memcmp(line, ".\r\n", 3) == 0)
            break;
        if (line[0] == '.') {
            line++;
            length--;
        }
        if (length >= 2 && line[length - 2] == '\r')
            line[--length - 1] = '\n';
        if (filled + length > BUFFER) {
            put(fd, out, filled);
            filled = 0;
        }
        memcpy(out + filled, line, length);
        filled += length;
    }
    put(fd, out, filled);
}

static bool to_file(const char *path, bool sync)
{
    const struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0 || fcntl(fd, F_SETLKW, &lock) != 0)
        return false;
    copy_message(fd);
    return (!sync || fsync(fd) == 0) && close(fd) == 0;
}

static bool to_command(const char *command)
{
    int ends[2], status;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    pid = vfork();
    if (pid == 0) {
        if (dup2(ends[0], STDIN_FILENO) == STDIN_FILENO && dup2(STDERR_FILENO, STDOUT_FILENO) == STDOUT_FILENO)
            execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    (void)close(ends[0]);
    copy_message(ends[1]);
    (void)close(ends[1]);
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int main(int argc, char **argv)
{
    const char *option = argc == 3 ? argv[1] : "";
    size_t length;

    if (argc < 2)
        return 64;
    say("220 floor.example.com ESMTP\r\n");
    for (;;) {
        switch (next_line(&length)[0]) {
        case 'E':
            say("250-floor.example.com\r\n250 PIPELINING\r\n");
            break;
        case 'D':
            say("354 go on\r\n");
            if (strcmp(option, "-c") == 0 ? to_command(argv[2]) : to_file(argv[argc - 1], option[0] == '\0'))
                say("250 delivered\r\n");
            else
                say("451 not delivered\r\n");
            break;
        case 'Q':
            say("221 bye\r\n");
            flush();
            return 0;
        default:
            say("250 ok\r\n");
        }
    }
}
