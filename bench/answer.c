/* answer.c - the least that a program can cost that is asked as a table: it answers each request with one word */
/* usage: answer WORD */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    char request[4096], reply[256]; /* mailrecv asks when it has heard the answer: a read is a request */
    int len;

    if (argc != 2)
        return 64;
    len = snprintf(reply, sizeof reply, "%zu:OK %s,", strlen(argv[1]) + 3, argv[1]);
    if (len < 0 || (size_t)len >= sizeof reply)
        return 64;
    while (read(STDIN_FILENO, request, sizeof request) > 0)
        if (write(STDOUT_FILENO, reply, (size_t)len) != len)
            return 1;
    return 0;
}
