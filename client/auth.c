/* auth.c - whether a password is right: asks a checkpassword program; and whose addresses a user has */
#include "client/auth.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cold.h"
#include "base/guarded.h"
#include "base/log.h"
#include "base/process.h"
#include "base/text.h"
#include "client/client.h"
#include "dns/canonical.h"
#include "tables/answer.h"
#include "tables/table.h"

enum {
    QUESTION_MAX = 512, /* bytes that the checkpassword interface allows */
    ARGUMENTS_MAX = 64,
    USERS_FD = 4,
    HASH_MAX = 512 /* bytes of a hash; libcrypt has none of that length */
};

static int users = -1; /* the open users file, or what stands in for it */

void auth_open(const struct client_settings *settings)
{
    if (settings->auth_command.path.len == 0 && settings->users_table == NULL)
        users = guarded_read(settings->auth_users);
}

/* ---- a users file of one line, with what a table has for that user ----------------------------- */

/* Such a name can be in no users file. */
static bool is_name(struct slice user)
{
    return user.text[0] != '#' && memchr(user.text, ':', user.len) == NULL && memchr(user.text, '\n', user.len) == NULL;
}

/* Puts the line into a file in memory that nobody else can reach; of an unknown user there is none. False with errno set. */
static bool write_users(struct slice user, struct slice hash, bool known)
{
    char bytes[CLIENT_TEXT + HASH_MAX + 2];
    struct text line = { bytes, sizeof bytes, 0 };
    bool written;

    users = memfd_create("users", MFD_CLOEXEC);
    if (users < 0)
        return false;
    text_put(&line, user);
    text_put(&line, (struct slice)SLICE(":"));
    text_put(&line, hash);
    text_put(&line, (struct slice)SLICE("\n"));
    written = fchmod(users, 0600) == 0 && (!known || write(users, bytes, line.len) == (ssize_t)line.len);
    explicit_bzero(bytes, sizeof bytes);
    return written;
}

/* Looks the user up, and makes `users` of that. False: there is no answer, and the log says why. */
static bool ask_table(struct table *table, struct slice user)
{
    struct slice hash = { "", 0 };
    enum match known = is_name(user) ? table_ask(table, user, &hash) : MATCH_NO;

    if (known == MATCH_UNSURE)
        return false;
    if (hash.len > HASH_MAX || (hash.len > 0 && memchr(hash.text, '\n', hash.len) != NULL))
        hash.len = 0; /* of which the program says what is wrong */
    if (write_users(user, hash, known == MATCH_YES))
        return true;
    log_line(LOG_ERR, "auth failed: %m");
    if (users >= 0)
        (void)close(users);
    users = -1;
    return false;
}

/* The hash is in no process that is forked later. */
static void forget_entry(const struct client_settings *settings)
{
    if (settings->users_table == NULL || users < 0)
        return;
    (void)close(users); /* memory, which goes by that */
    users = -1;
}

/* ---- asking the program -------------------------------------------------------------------------- */

/* The arguments of the program; the strings are copied, because slices have no end. NULL: no room. */
static char **build_arguments(const struct client_settings *settings, char *bytes, size_t size)
{
    static char *arguments[ARGUMENTS_MAX + 1] RARE_BSS, option[] = "-d", number[] = "4";
    const struct program *program = &settings->auth_command;
    struct text text = { bytes, size, 0 };
    size_t count = 0;

    if (program->path.len == 0) {
        (void)process_find("mailrecv-checkpassword", bytes, size); /* starting it will fail */
        arguments[count++] = bytes;
        arguments[count++] = option;
        arguments[count++] = number;
        arguments[count] = NULL;
        return arguments;
    }
    for (; count <= program->argument_count && count < ARGUMENTS_MAX; count++) {
        arguments[count] = bytes + text.len;
        text_put(&text, count == 0 ? program->path : program->arguments[count - 1]);
        text_put(&text, (struct slice){ "", 1 });
    }
    arguments[count] = NULL;
    return text.len < size && count > program->argument_count ? arguments : NULL;
}

/* Name, password and time, each with its NUL, into a pipe, which holds more than that. */
static int write_question(int fd, struct slice user, struct slice password)
{
    char bytes[QUESTION_MAX];
    struct text text = { bytes, sizeof bytes, 0 };
    ssize_t written;

    text_put(&text, user);
    text_put(&text, (struct slice){ "", 1 });
    text_put(&text, password);
    text_put(&text, (struct slice){ "", 1 });
    text_number(&text, (uint64_t)time(NULL), 1);
    text_put(&text, (struct slice){ "", 1 });
    written = write(fd, bytes, text.len);
    explicit_bzero(bytes, sizeof bytes);
    return written == (ssize_t)text.len ? 0 : EIO;
}

/* What the program has said, for the log. It is not to say anything secret; of one that we do not know we make sure. */
static void log_output(const struct client_settings *settings, int fd, struct slice password)
{
    char bytes[2048], shown[LOG_TEXT], *rest = bytes;
    ssize_t len = read(fd, bytes, sizeof bytes - 1);
    const bool lines = memchr(password.text, '\n', password.len) != NULL; /* a line may be a part of it */

    bytes[len > 0 ? len : 0] = '\0';
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        bool cut = rest == NULL && len == sizeof bytes - 1; /* maybe in the middle of what is looked for */
        bool secret = settings->auth_command.path.len > 0 &&
                      (cut || lines || memmem(line, strlen(line), password.text, password.len) != NULL);

        if (line[0] != '\0')
            log_line(LOG_WARNING, "auth output text=\"%s\"",
                     secret ? "(hidden)" : log_encode(shown, sizeof shown, slice_of(line)));
    }
    explicit_bzero(bytes, sizeof bytes);
}

/* Starts the program with the question waiting for it. Returns 0 or an error number. */
static int ask(const struct client_settings *settings, struct slice user, struct slice password, int out, pid_t *pid)
{
    static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    static char strings[PATH_MAX] COLD_BSS;
    char *variables[] = { path, NULL }, **arguments = build_arguments(settings, strings, sizeof strings);
    int question[2], nothing, error;

    if (arguments == NULL)
        return E2BIG;
    if (pipe2(question, O_CLOEXEC) != 0)
        return errno;
    nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    error = nothing < 0 ? errno : write_question(question[1], user, password);
    if (error == 0) {
        const int fds[] = { nothing, out, out, question[0], users };

        error = process_start(pid, arguments[0], arguments, variables, fds, users >= 0 ? USERS_FD + 1 : USERS_FD);
    }
    if (nothing >= 0)
        (void)close(nothing);
    (void)close(question[0]);
    (void)close(question[1]);
    return error;
}

/* A yes holds, however late it comes; a no of a program that was asked to end may come of just that. */
static enum auth_result judge(const struct process_end *end)
{
    char text[PROCESS_TEXT];

    if (process_exited(end, 0))
        return AUTH_YES;
    if (end->in_time && process_exited(end, 1))
        return AUTH_NO;
    log_line(LOG_ERR, "auth failed: the password program %s",
             end->in_time || end->how == PROCESS_UNKNOWN ? process_end_text(end, text) : "has not answered in time");
    return AUTH_BROKEN;
}

static bool open_users(const struct client_settings *settings, struct slice user)
{
    if (settings->auth_command.path.len > 0)
        return true;
    if (settings->users_table != NULL)
        return ask_table(settings->users_table, user);
    if (users < 0)
        users = guarded_read(settings->auth_users);
    if (users >= 0)
        return true;
    log_line(LOG_ERR, "auth failed: cannot open %.*s: %m", (int)settings->auth_users.len, settings->auth_users.text);
    return false;
}

enum auth_result auth_check(const struct client_settings *settings, struct slice user, struct slice password,
                            uint64_t deadline)
{
    int output[2], error;
    struct process_end end;
    pid_t pid = 0;

    if (user.len + password.len > QUESTION_MAX - 24) /* two NULs, and a time with its own */
        return AUTH_NO;
    if (!open_users(settings, user))
        return AUTH_BROKEN;
    if (pipe2(output, O_CLOEXEC | O_NONBLOCK) != 0) {
        log_line(LOG_ERR, "auth failed: %m");
        forget_entry(settings);
        return AUTH_BROKEN;
    }
    error = ask(settings, user, password, output[1], &pid);
    (void)close(output[1]);
    if (error != 0) {
        log_line(LOG_ERR, "auth failed: cannot start the password program: %s", strerror(error));
        forget_entry(settings);
        (void)close(output[0]);
        return AUTH_BROKEN;
    }
    end = process_wait(pid, deadline);
    log_output(settings, output[0], password);
    (void)close(output[0]);
    forget_entry(settings);
    return judge(&end);
}

/* Is the word the sender's address, however it is written? */
static bool is_sender(struct slice word, enum canonical_words whose, const struct address *sender)
{
    struct address address, canonical;

    return envelope_mailbox(word, &address) && canonical_address(&address, whose, &canonical) == CANONICAL_OK &&
           slice_equal_nocase(address_slice(&canonical), address_slice(sender));
}

static bool is_domain_of_sender(struct slice word, const struct address *sender)
{
    char domain[DOMAIN_MAX + 1];

    return canonical_domain(word, WORDS_OURS, domain) == CANONICAL_OK &&
           slice_equal_nocase(slice_of(domain), address_domain(sender));
}

/* Is one of the words the sender, or "@" and the sender's domain? */
static bool lists_sender(char *words, const struct address *sender)
{
    for (char *word; (word = strsep(&words, " \t\r\n")) != NULL;)
        if (word[0] == '@' ? is_domain_of_sender(slice_of(word + 1), sender)
                           : is_sender(slice_of(word), WORDS_OURS, sender))
            return true;
    return false;
}

/* A file that cannot be read to its end, or a line for which there is no memory, says neither yes nor no. */
static enum auth_result search_senders(FILE *file, const char *user, const struct address *sender)
{
    char *line = NULL;
    size_t size = 0, name = strlen(user);
    bool found = false;

    while (!found && getline(&line, &size, file) >= 0)
        found = strncmp(line, user, name) == 0 && line[name] == ':' && lists_sender(line + name + 1, sender);
    free(line);
    return found ? AUTH_YES : feof(file) != 0 && ferror(file) == 0 ? AUTH_NO : AUTH_BROKEN;
}

static enum auth_result ask_senders(struct table *table, const char *user, const struct address *sender)
{
    static char words[TABLE_VALUE + 1] COLD_BSS;
    struct slice value;

    switch (table_ask(table, slice_of(user), &value)) {
    case MATCH_NO:
        return AUTH_NO;
    case MATCH_UNSURE:
        return AUTH_BROKEN;
    case MATCH_YES:
        break;
    }
    text_string(words, sizeof words, value);
    return lists_sender(words, sender) ? AUTH_YES : AUTH_NO;
}

enum auth_result auth_may_send(const struct client_settings *settings, const char *user, const struct address *sender)
{
    int fd;
    FILE *file;
    enum auth_result result;

    if (sender->len == 0 || is_sender(slice_of(user), WORDS_OF_STRANGERS, sender))
        return AUTH_YES;
    if (settings->auth_senders.len == 0)
        return AUTH_NO;
    if (settings->senders_table != NULL)
        return ask_senders(settings->senders_table, user, sender);
    fd = guarded_read(settings->auth_senders);
    file = fd >= 0 ? fdopen(fd, "r") : NULL;
    if (file == NULL) {
        log_line(LOG_ERR, "cannot open auth.senders %.*s: %m", (int)settings->auth_senders.len,
                 settings->auth_senders.text);
        if (fd >= 0)
            (void)close(fd);
        return AUTH_BROKEN;
    }
    result = search_senders(file, user, sender);
    if (result == AUTH_BROKEN)
        log_line(LOG_ERR, "cannot read auth.senders %.*s: %m", (int)settings->auth_senders.len,
                 settings->auth_senders.text);
    (void)fclose(file); /* only read */
    return result;
}
