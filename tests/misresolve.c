/* misresolve.c - a process that reads the DNS and has been taken over: wraps sandbox_enter in a test build */
/*
 * The environment variable MISRESOLVE says what it tries, once it is confined. What it has told by then is nothing, and
 * the question that it is asked has the number 0, and the type PTR.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/sandbox.h"
#include "dns/resolver.h"

bool real_enter(enum sandbox_role role, uint64_t file_size) __asm__("__real_sandbox_enter");
bool wrapped_enter(enum sandbox_role role, uint64_t file_size) __asm__("__wrap_sandbox_enter");

static int channel, server; /* descriptors; `server` is connected to the DNS */
static struct resolver_message m = { .kind = RESOLVER_ANSWER, .status = ANSWER_FOUND, .count = 1, .why = "found" };

enum { HEAD = offsetof(struct resolver_message, data), NAME = DOMAIN_MAX + 1 };

static void tell(size_t len)
{
    (void)send(channel, &m, len, MSG_NOSIGNAL);
}

static struct sockaddr_in elsewhere(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(1) };

    (void)inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    return address;
}

static void open_file(void)
{
    (void)open("/etc/passwd", O_RDONLY);
}

static void execute(void)
{
    char *const arguments[] = { (char[]){ "true" }, NULL };

    (void)execv("/bin/true", arguments);
}

static void start_process(void)
{
    (void)fork();
}

static void make_socket(void)
{
    (void)socket(AF_INET, SOCK_DGRAM, 0);
}

static void connect_elsewhere(void)
{
    struct sockaddr_in address = elsewhere();

    (void)connect(server, (struct sockaddr *)&address, sizeof address);
}

static void send_elsewhere(void)
{
    struct sockaddr_in address = elsewhere();

    (void)sendto(server, "x", 1, MSG_NOSIGNAL, (struct sockaddr *)&address, sizeof address);
}

/* The lower half of the address of the address is zero. */
static void send_elsewhere_from_afar(void)
{
    struct sockaddr_in address = elsewhere(), *far;

    far = mmap((void *)0x100000000, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    memcpy(far, &address, sizeof address);
    (void)sendto(server, "x", 1, MSG_NOSIGNAL, (struct sockaddr *)far, sizeof *far);
}

static void send_message_elsewhere(void)
{
    struct sockaddr_in address = elsewhere();
    struct iovec part = { &address, 1 };
    struct msghdr message = { .msg_name = &address, .msg_namelen = sizeof address, .msg_iov = &part, .msg_iovlen = 1 };

    (void)sendmsg(server, &message, MSG_NOSIGNAL);
}

static void kill_parent(void)
{
    (void)kill(getppid(), SIGKILL);
}

static void make_code(void)
{
    (void)mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void crash(void)
{
    __builtin_trap();
}

static void end(void)
{
    _exit(3);
}

static void be_silent(void)
{
    for (;;) {
    }
}

static void tell_little(void)
{
    tell(1);
}

static void tell_much(void)
{
    static struct resolver_message many[2];

    many[0] = m;
    (void)send(channel, many, sizeof many, MSG_NOSIGNAL);
}

static void tell_garbage(void)
{
    memset(&m, 0xff, sizeof m);
    tell(sizeof m);
}

static void answer_another(void)
{
    m.number = 1;
    tell(HEAD + NAME);
}

static void answer_beyond(void)
{
    m.number = UINT32_MAX;
    tell(HEAD + NAME);
}

/* The second time the question is not open any more, or is another. */
static void answer_for_ever(void)
{
    memcpy(m.data, "client.example", 15);
    for (;;)
        tell(HEAD + NAME);
}

static void answer_without_end(void)
{
    memset(m.data, 'x', NAME);
    tell(HEAD + NAME);
}

static void answer_with_newline(void)
{
    memcpy(m.data, "client.example\nforged", 22);
    tell(HEAD + NAME);
}

static void answer_too_many(void)
{
    memset(m.data, 'x', sizeof m.data);
    m.count = 1U << 31;
    tell(sizeof m);
}

static void answer_with_status(void)
{
    m.status = 77;
    m.count = 0;
    tell(HEAD);
}

static void log_lines(void)
{
    m.count = 0;
    m.status = ANSWER_NONE;
    memcpy(m.why, "none\nforged", 12);
    tell(HEAD);
}

static void fail_with_lines(void)
{
    m.kind = RESOLVER_FAILED;
    memcpy(m.why, "none\nforged", 12);
    tell(HEAD);
    pause();
}

static void ask_for(struct sockaddr_in address)
{
    m.kind = RESOLVER_SOCKET;
    m.stream = 1;
    m.server.v4 = address;
    tell(HEAD + sizeof m.server);
}

static void want_elsewhere(void)
{
    ask_for(elsewhere());
}

static void want_nonsense(void)
{
    struct sockaddr_in address = { .sin_family = AF_UNIX };

    ask_for(address);
}

/* Of the right server, but for nothing. */
static void want_for_ever(void)
{
    struct sockaddr_in address = elsewhere();
    const char *port = getenv("SERVER_PORT");

    address.sin_port = htons((uint16_t)strtoul(port != NULL ? port : "1", NULL, 10));
    for (;;)
        ask_for(address);
}

static const struct {
    const char *name;
    void (*act)(void);
} acts[] = {
    { "open", open_file },
    { "execute", execute },
    { "fork", start_process },
    { "socket", make_socket },
    { "connect", connect_elsewhere },
    { "send", send_elsewhere },
    { "send-far", send_elsewhere_from_afar },
    { "send-message", send_message_elsewhere },
    { "kill", kill_parent },
    { "code", make_code },
    { "crash", crash },
    { "end", end },
    { "silent", be_silent },
    { "little", tell_little },
    { "much", tell_much },
    { "garbage", tell_garbage },
    { "another", answer_another },
    { "beyond", answer_beyond },
    { "for-ever", answer_for_ever },
    { "without-end", answer_without_end },
    { "newline", answer_with_newline },
    { "too-many", answer_too_many },
    { "status", answer_with_status },
    { "log-lines", log_lines },
    { "fail-lines", fail_with_lines },
    { "want-elsewhere", want_elsewhere },
    { "want-nonsense", want_nonsense },
    { "want-for-ever", want_for_ever },
};

static void find_descriptors(void)
{
    for (int fd = 0; fd < 64; fd++) {
        int type;
        socklen_t size = sizeof type;

        if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0)
            continue;
        if (type == SOCK_SEQPACKET)
            channel = fd;
        else if (type == SOCK_DGRAM)
            server = fd;
    }
}

bool wrapped_enter(enum sandbox_role role, uint64_t file_size)
{
    const char *what = getenv("MISRESOLVE");

    if (role != SANDBOX_RESOLVER || what == NULL)
        return real_enter(role, file_size);
    find_descriptors();
    if (!real_enter(role, file_size))
        return false;
    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++)
        if (strcmp(acts[i].name, what) == 0)
            acts[i].act();
    return true;
}
