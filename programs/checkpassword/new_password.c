/* new_password.c - a line for the users file, with the hash of a password that is asked for (-p) */
#include "programs/checkpassword/new_password.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "programs/checkpassword/crypts.h"
#include "programs/checkpassword/exits.h"
#include "base/utf8.h"
#include "session/envelope.h"
#include "session/sasl.h"

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    interrupted = number;
}

/* Reads a line without its end. False when there is none, or it does not fit. */
static bool read_line(int fd, char *line, size_t size)
{
    size_t len = 0;

    while (len < size) {
        ssize_t got = read(fd, line + len, 1); /* byte by byte: what follows the line is for others */

        if (got < 0 || (got == 0 && len == 0))
            return false;
        if (got == 0 || line[len] == '\n') {
            line[len] = '\0';
            return true;
        }
        len++;
    }
    return false;
}

/* Asks on the terminal, which does not show the answer and is afterwards as it was before. */
static bool ask(int tty, const char *prompt, char *line, size_t size)
{
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
    enum { SIGNALS = sizeof signals / sizeof signals[0] };
    struct sigaction catch = { .sa_handler = on_signal }, before[SIGNALS];
    struct pollfd poll_tty = { .fd = tty, .events = POLLIN };
    struct termios shown, hidden;
    sigset_t blocked, mask;
    bool got;

    if (tcgetattr(tty, &shown) != 0)
        return false;
    (void)sigemptyset(&blocked); /* these and the next fail for no signal of the list */
    for (size_t i = 0; i < SIGNALS; i++) {
        (void)sigaddset(&blocked, signals[i]);
        (void)sigaction(signals[i], &catch, &before[i]);
    }
    (void)sigprocmask(SIG_BLOCK, &blocked, &mask); /* let in while waiting only: none is missed */
    hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    got = tcsetattr(tty, TCSAFLUSH, &hidden) == 0 && dprintf(tty, "%s", prompt) > 0 &&
          ppoll(&poll_tty, 1, NULL, &mask) == 1 && read_line(tty, line, size);
    (void)tcsetattr(tty, TCSAFLUSH, &shown); /* there is nothing else to try */
    (void)dprintf(tty, "\n");
    for (size_t i = 0; i < SIGNALS; i++)
        (void)sigaction(signals[i], &before[i], NULL);
    (void)sigprocmask(SIG_SETMASK, &mask, NULL);
    if (interrupted != 0)
        (void)raise(interrupted);
    return got;
}

static bool ask_twice(int tty, char *password, char *again, size_t size)
{
    if (!ask(tty, "Password: ", password, size) || !ask(tty, "Again: ", again, size)) {
        complain("no password, or one that is too long");
        return false;
    }
    if (strcmp(password, again) != 0)
        complain("the two passwords are not the same");
    return strcmp(password, again) == 0;
}

static bool get_password(char *password, char *again, size_t size)
{
    bool got;
    int tty;

    if (!isatty(STDIN_FILENO)) {
        got = read_line(STDIN_FILENO, password, size);
        if (!got)
            complain("no password on standard input, or one that is too long");
        return got;
    }
    tty = open("/dev/tty", O_RDWR | O_CLOEXEC);
    if (tty < 0) {
        complain("/dev/tty: %s", strerror(errno));
        return false;
    }
    got = ask_twice(tty, password, again, size);
    (void)close(tty); /* nothing is left to be written */
    return got;
}

/* AUTH carries nothing else, so that another password would never be right. */
static bool is_utf8(struct slice text)
{
    while (text.len > 0) {
        size_t len = utf8_length(text);

        if (len == 0)
            return false;
        text.text += len;
        text.len -= len;
    }
    return true;
}

static int print_hash(const struct method *method, const char *name, const char *password)
{
    char setting[CRYPTS_SIZE];
    const char *hash = NULL;

    if (password[0] == '\0' || !is_utf8(slice_of(password))) {
        complain(password[0] == '\0' ? "an empty password is none" : "the password is not UTF-8");
        return WRONG;
    }
    if (crypts_setting(setting, method))
        hash = crypts_hash(password, setting);
    if (hash == NULL) {
        complain("%s: %s", method->name, strerror(errno));
        return TEMPORARY;
    }
    printf("%s%s%s\n", name != NULL ? name : "", name != NULL ? ":" : "", hash);
    return output_status();
}

int new_password(const char *method_word, const char *name)
{
    char password[SASL_TEXT_MAX + 1] = "", again[SASL_TEXT_MAX + 1];
    const struct method *method = crypts_choose(method_word);
    int status = WRONG;

    if (name != NULL && (name[0] == '\0' || name[0] == '#' || strpbrk(name, ":\r\n") != NULL ||
                            strlen(name) > SASL_TEXT_MAX || !is_utf8(slice_of(name))))
        die_usage("'%s' cannot be a name", encoded(slice_of(name)));
    if (get_password(password, again, sizeof password))
        status = print_hash(method, name, password);
    explicit_bzero(password, sizeof password);
    explicit_bzero(again, sizeof again);
    crypts_wipe();
    return status;
}
