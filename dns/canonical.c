/* canonical.c - one form for every address and domain, however they are written */
/*
 * Most addresses are their own canonical form, which envelope.c has seen already. What is left is put together here from
 * the local part and the domain, and parsed once more, so that nothing comes out that could not have come in. What
 * needs a library is a task: a text goes in, a text or an error comes out, in this process or another.
 */
#include "dns/canonical.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <idn2.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unicase.h>
#include <uninorm.h>
#include <unistd.h>

#include "base/utf8.h"
#include "base/clock.h"
#include "base/cold.h"
#include "base/library.h"
#include "base/log.h"
#include "base/process.h"
#include "base/sandbox.h"
#include "base/text.h"

enum { ANSWER_MS = 5000 }; /* for what takes microseconds, on a machine that is busy */

enum task { TO_ASCII, TO_UNICODE, TO_SMALL };

/* An error is 0, or of libidn2, which are negative, or one of these. */
enum { DROPPED = 1, TOO_LONG };

struct result {
    int error;
    size_t len;
    char text[ADDRESS_MAX + 1];
};

static const char *trouble = "";
static bool confined;

void canonical_confine(bool confine)
{
    confined = confine;
}

const char *canonical_trouble(void)
{
    return trouble;
}

static enum canonical_status forbid(const char *why)
{
    trouble = why;
    return CANONICAL_FORBIDDEN;
}

/* ---- the library ------------------------------------------------------------------------- */

/* All that is used of it, and of libunistring, which it brings. */
static struct {
    __typeof__(idn2_to_ascii_8z) *to_ascii;
    __typeof__(idn2_to_unicode_8z8z) *to_unicode;
    __typeof__(idn2_free) *free;
    __typeof__(idn2_strerror) *strerror;
    __typeof__(u8_tolower) *to_small;
    uninorm_t nfc;
} idn;

static const struct library_function functions[] = {
    LIBRARY_FUNCTION(idn.to_ascii, idn2_to_ascii_8z), LIBRARY_FUNCTION(idn.to_unicode, idn2_to_unicode_8z8z),
    LIBRARY_FUNCTION(idn.free, idn2_free),            LIBRARY_FUNCTION(idn.strerror, idn2_strerror),
    LIBRARY_FUNCTION(idn.to_small, u8_tolower),       LIBRARY_OBJECT(idn.nfc, uninorm_nfc),
};

/* NULL, or why it cannot be used. What failed once is not tried again. */
static const char *load(void)
{
    static char why[256] RARE_BSS;
    static bool tried;

    if (!tried) {
        const char *reason = library_load("libidn2.so.0", functions, sizeof functions / sizeof functions[0]);

        if (reason != NULL)
            text_string(why, sizeof why, slice_of(reason));
    }
    tried = true;
    return why[0] != '\0' ? why : NULL;
}

/* ---- tasks: pure, but that they allocate memory ------------------------------------------- */

static void put_result(struct result *result, const char *text, size_t len)
{
    if (len >= sizeof result->text) {
        result->error = TOO_LONG;
        return;
    }
    memcpy(result->text, text, len);
    result->text[len] = '\0';
    result->len = len;
}

/*
 * Would a character vanish? UTS 46 leaves some out that nobody sees, such as U+200B, but a domain that holds one is not
 * the one without: IDNA2008 forbids them (RFC 5892 2.6).
 */
static bool is_dropped(struct slice character)
{
    char text[] = "a\0\0\0\0a", *ascii = NULL;
    bool dropped;

    memcpy(text + 1, character.text, character.len);
    memcpy(text + 1 + character.len, "a", 2);
    dropped = idn.to_ascii(text, &ascii, IDN2_NONTRANSITIONAL) == IDN2_OK && strcmp(ascii, "aa") == 0;
    idn.free(ascii);
    return dropped;
}

static bool drops_any(struct slice text)
{
    size_t len;

    for (; (len = utf8_length(text)) > 0; text.text += len, text.len -= len)
        if (len > 1 && is_dropped((struct slice){ text.text, len }))
            return true;
    return false;
}

static void to_ascii(const char *text, struct result *result)
{
    char *ascii = NULL;

    result->error = drops_any(slice_of(text)) ? DROPPED : idn.to_ascii(text, &ascii, IDN2_NONTRANSITIONAL);
    if (result->error == IDN2_OK) {
        size_t len = strlen(ascii);

        put_result(result, ascii, len - (len > 1 && ascii[len - 1] == '.')); /* which may have been U+3002 */
    }
    idn.free(ascii);
}

/* Only what is the same when it is read back. */
static void to_unicode(const char *text, struct result *result)
{
    char *unicode = NULL;
    struct result again;

    result->error = idn.to_unicode(text, &unicode, 0);
    if (result->error == IDN2_OK) {
        to_ascii(unicode, &again);
        result->error = again.error == IDN2_OK && strcasecmp(again.text, text) != 0 ? IDN2_UALABEL_MISMATCH : again.error;
    }
    if (result->error == IDN2_OK)
        put_result(result, unicode, strlen(unicode));
    idn.free(unicode);
}

static void to_small(const char *text, struct result *result)
{
    size_t len = 0;
    uint8_t *small = idn.to_small((const uint8_t *)text, strlen(text), NULL, idn.nfc, NULL, &len);

    result->error = small == NULL ? IDN2_MALLOC : IDN2_OK;
    if (small != NULL)
        put_result(result, (const char *)small, len);
    free(small);
}

/* UTF-8 without control characters, from whom it may come. */
static bool is_clean(struct slice text)
{
    size_t len;

    for (; (len = utf8_length(text)) > 0; text.text += len, text.len -= len)
        if (len == 1 && (text.text[0] < ' ' || text.text[0] > '~'))
            return false;
    return text.len == 0;
}

static bool is_ascii_domain(struct slice text)
{
    return slice_is_ascii(text) && envelope_domain(text);
}

static const struct {
    void (*work)(const char *text, struct result *result);
    bool (*is_answer)(struct slice text); /* what can come of it */
} tasks[] = {
    [TO_ASCII] = { to_ascii, is_ascii_domain },
    [TO_UNICODE] = { to_unicode, envelope_domain },
    [TO_SMALL] = { to_small, is_clean },
};

/* ---- the process of its own ---------------------------------------------------------------- */

static _Noreturn void answer(int fd, enum task task, const char *text)
{
    struct result result = { .error = 0 };

    if (dup2(fd, STDIN_FILENO) != STDIN_FILENO || close_range(STDIN_FILENO + 1, ~0U, 0) != 0 ||
        !sandbox_enter(SANDBOX_ANSWER, 0))
        _exit(1);
    tasks[task].work(text, &result);
    _exit(write(STDIN_FILENO, &result, sizeof result) == (ssize_t)sizeof result ? 0 : 1);
}

/* Reads the whole result; nothing of it is believed yet. */
static bool hear(int fd, struct result *result)
{
    uint64_t until = clock_ms() + ANSWER_MS;
    struct pollfd ready = { .fd = fd, .events = POLLIN };
    int n;

    do
        n = clock_poll(&ready, 1, until, NULL);
    while (n < 0 && errno == EINTR);
    return n > 0 && read(fd, result, sizeof *result) == (ssize_t)sizeof *result; /* a pipe takes and gives it as a whole */
}

static bool work_apart(enum task task, const char *text, struct result *result)
{
    int ends[2];
    pid_t pid = -1;
    bool heard;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    pid = fork();
    if (pid == 0)
        answer(ends[1], task, text);
    (void)close(ends[1]); /* the other process writes */
    heard = pid > 0 && hear(ends[0], result);
    (void)close(ends[0]);
    if (pid > 0) {
        (void)kill(pid, SIGKILL); /* if it has not ended: there is nothing more to hear from it */
        (void)process_reap(pid);
    }
    return heard;
}

static const char *describe(int error)
{
    return error == DROPPED    ? "it holds a character that nobody sees"
           : error == TOO_LONG ? "it is too long"
                               : idn.strerror(error);
}

/* Does a task; `text` is a string. */
static enum canonical_status perform(enum task task, enum canonical_words whose, const char *text, struct result *result)
{
    const char *why = load();

    *result = (struct result){ .error = 0 };
    if (why == NULL && whose == WORDS_OF_STRANGERS && confined)
        why = work_apart(task, text, result) ? NULL : "its process does not answer";
    else if (why == NULL)
        tasks[task].work(text, result);
    if (why != NULL) {
        log_line(LOG_ERR, "libidn2 cannot be asked: %s", why);
        trouble = "libidn2 cannot be asked";
        return CANONICAL_UNKNOWN;
    }
    if (result->error != 0)
        return forbid(describe(result->error));
    if (result->len >= sizeof result->text || !tasks[task].is_answer((struct slice){ result->text, result->len }))
        return forbid("it becomes no domain name");
    result->text[result->len] = '\0';
    return CANONICAL_OK;
}

/* ---- domains ------------------------------------------------------------------------------- */

/* RFC 5952 4; other literals stay as they are. */
static void put_literal(struct slice literal, char out[DOMAIN_MAX + 1])
{
    static const struct slice tag = SLICE("[IPv6:");
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;

    text_string(out, DOMAIN_MAX + 1, literal);
    if (literal.len <= tag.len || literal.len - tag.len > sizeof text ||
        !slice_equal_nocase((struct slice){ literal.text, tag.len }, tag))
        return;
    text_string(text, sizeof text, (struct slice){ literal.text + tag.len, literal.len - tag.len - 1 });
    if (inet_pton(AF_INET6, text, &address) != 1 || inet_ntop(AF_INET6, &address, text, sizeof text) == NULL)
        return;
    (void)snprintf(out, DOMAIN_MAX + 1, "[IPv6:%s]", text); /* it has room */
}

enum canonical_status canonical_domain(struct slice domain, enum canonical_words whose, char out[DOMAIN_MAX + 1])
{
    enum canonical_status status;
    struct result result;

    if (domain.len > 1 && domain.text[domain.len - 1] == '.')
        domain.len--;
    if (domain.len <= DOMAIN_MAX && envelope_literal(domain)) {
        put_literal(domain, out);
        return CANONICAL_OK;
    }
    if (!envelope_domain(domain))
        return forbid("it is no domain name");
    text_string(out, DOMAIN_MAX + 1, domain);
    if (slice_is_ascii(domain))
        return CANONICAL_OK;
    status = perform(TO_ASCII, whose, out, &result);
    if (status == CANONICAL_OK)
        text_string(out, DOMAIN_MAX + 1, (struct slice){ result.text, result.len });
    return status;
}

static bool has_a_label(struct slice domain)
{
    static const struct slice prefix = SLICE("xn--");
    bool begins = true; /* a label */

    for (size_t i = 0; i + prefix.len <= domain.len; begins = domain.text[i++] == '.')
        if (begins && slice_equal_nocase((struct slice){ domain.text + i, prefix.len }, prefix))
            return true;
    return false;
}

bool canonical_unicode(struct slice domain, enum canonical_words whose, char out[DOMAIN_MAX + 1])
{
    struct result result;

    if (!has_a_label(domain) || domain.len > DOMAIN_MAX)
        return false;
    text_string(out, DOMAIN_MAX + 1, domain);
    for (char *c = out; *c != '\0'; c++)
        *c = lower_ascii(*c);
    if (perform(TO_UNICODE, whose, out, &result) != CANONICAL_OK)
        return false;
    text_string(out, DOMAIN_MAX + 1, (struct slice){ result.text, result.len });
    return true;
}

/* ---- addresses ------------------------------------------------------------------------------ */

/* What the local part stands for, in small letters if it is not all ASCII. `out` is a string. */
static enum canonical_status plain_local(struct slice given, enum canonical_words whose, char out[ADDRESS_MAX + 1])
{
    enum canonical_status status = CANONICAL_OK;
    size_t len = envelope_unquote(given, out);
    struct result result;

    out[len] = '\0';
    if (slice_is_ascii((struct slice){ out, len }))
        return CANONICAL_OK;
    status = perform(TO_SMALL, whose, out, &result);
    if (status == CANONICAL_OK)
        text_string(out, ADDRESS_MAX + 1, (struct slice){ result.text, result.len });
    return status;
}

static void put_character(struct text *text, char c)
{
    if (text->len < text->size)
        text->bytes[text->len++] = c;
}

static void put_quoted(struct text *text, const char *local)
{
    put_character(text, '"');
    for (; *local != '\0'; local++) {
        if (*local == '"' || *local == '\\')
            put_character(text, '\\');
        put_character(text, *local);
    }
    put_character(text, '"');
}

/* Without quotes if it is the same so, which one that begins with a quote is not. */
static bool put_together(const char *local, const char *domain, struct address *address)
{
    char bytes[3 * ADDRESS_MAX];
    struct text text = { bytes, sizeof bytes, 0 };

    for (int quoted = local[0] == '"'; quoted <= 1; quoted++) {
        text.len = 0;
        if (quoted)
            put_quoted(&text, local);
        else
            text_put(&text, slice_of(local));
        text_put(&text, slice_of("@"));
        text_put(&text, slice_of(domain));
        if (text.len <= ADDRESS_MAX && envelope_mailbox(text_slice(&text), address) &&
            (quoted || address->local_len == strlen(local)))
            return true;
    }
    return false;
}

enum canonical_status canonical_address(const struct address *given, enum canonical_words whose,
                                        struct address *canonical)
{
    char local[ADDRESS_MAX + 1], domain[DOMAIN_MAX + 1];
    enum canonical_status status;

    *canonical = *given;
    if (given->plain || given->len == 0)
        return CANONICAL_OK;
    status = plain_local((struct slice){ given->text, given->local_len }, whose, local);
    if (status == CANONICAL_OK && given->local_len == given->len) { /* a bare postmaster */
        *canonical = (struct address){ .len = (uint16_t)strlen(local), .local_len = (uint16_t)strlen(local) };
        memcpy(canonical->text, local, canonical->len);
        return CANONICAL_OK;
    }
    if (status == CANONICAL_OK)
        status = canonical_domain(address_domain(given), whose, domain);
    if (status == CANONICAL_OK && !put_together(local, domain, canonical))
        return forbid("it is too long");
    return status;
}
