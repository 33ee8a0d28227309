/* tls-misbehave.c - a mailrecv-tls that has been taken over: stands in for the handshake in a test build */
/* Linked with --wrap=SSL_accept. The client sends a letter that says what to try, and hears "SURVIVED" if it goes on. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/ssl.h>

enum { CLIENT = 0 };

int __wrap_SSL_accept(SSL *ssl);

/* Says which descriptors there are. */
static void list_descriptors(void)
{
    for (int fd = 0; fd < 64; fd++) {
        struct pollfd one = { .fd = fd };
        const struct timespec now = { .tv_sec = 0 };
        const char digit = (char)('0' + fd);

        if (ppoll(&one, 1, &now, NULL) >= 0 && (one.revents & POLLNVAL) == 0)
            (void)!write(CLIENT, &digit, 1);
    }
}

static void misbehave(char letter)
{
    char *const arguments[] = { (char[]){ "true" }, NULL };

    switch (letter) {
    case 'o': (void)open("/etc/passwd", O_RDONLY); break;
    case 'x': (void)execv("/bin/true", arguments); break;
    case 'f': (void)fork(); break;
    case 's': (void)socket(AF_INET, SOCK_STREAM, 0); break;
    case 'k': (void)kill(getppid(), SIGKILL); break;
    case 'm': (void)mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); break;
    case 'd': list_descriptors(); break;
    default: break;
    }
}

int __wrap_SSL_accept(SSL *ssl)
{
    static const char survived[] = "SURVIVED";
    struct pollfd client = { .fd = CLIENT, .events = POLLIN };
    char letter = 0;

    (void)ssl;
    (void)ppoll(&client, 1, NULL, NULL);
    if (read(CLIENT, &letter, 1) == 1)
        misbehave(letter);
    (void)!write(CLIENT, survived, sizeof survived - 1);
    _exit(0);
}
