/* pattern.c - regular expressions of the configuration: PCRE2, loaded for those that need it */
/*
 * Most patterns are an address, its beginning, or the end of a name. Those are matched here: to load
 * PCRE2 and to compile them would take longer than all the rest of a decision.
 */
#include "patterns/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/library.h"

static struct {
    __typeof__(&pcre2_general_context_create) general_context_create;
    __typeof__(&pcre2_compile_context_create) compile_context_create;
    __typeof__(&pcre2_compile) compile;
    __typeof__(&pcre2_code_free) code_free;
    __typeof__(&pcre2_get_error_message) get_error_message;
    __typeof__(&pcre2_match_context_create) match_context_create;
    __typeof__(&pcre2_set_match_limit) set_match_limit;
    __typeof__(&pcre2_set_heap_limit) set_heap_limit;
    __typeof__(&pcre2_match_data_create) match_data_create;
    __typeof__(&pcre2_match) match;
    __typeof__(&pcre2_get_ovector_pointer) get_ovector_pointer;
    __typeof__(&pcre2_pattern_info) pattern_info;
    __typeof__(&pcre2_substring_number_from_name) number_from_name;
} pcre2;

static const struct library_function functions[] = {
    LIBRARY_FUNCTION(pcre2.general_context_create, pcre2_general_context_create),
    LIBRARY_FUNCTION(pcre2.compile_context_create, pcre2_compile_context_create),
    LIBRARY_FUNCTION(pcre2.code_free, pcre2_code_free),
    LIBRARY_FUNCTION(pcre2.get_error_message, pcre2_get_error_message),
    LIBRARY_FUNCTION(pcre2.match_context_create, pcre2_match_context_create),
    LIBRARY_FUNCTION(pcre2.set_match_limit, pcre2_set_match_limit),
    LIBRARY_FUNCTION(pcre2.set_heap_limit, pcre2_set_heap_limit),
    LIBRARY_FUNCTION(pcre2.match_data_create, pcre2_match_data_create),
    LIBRARY_FUNCTION(pcre2.match, pcre2_match),
    LIBRARY_FUNCTION(pcre2.get_ovector_pointer, pcre2_get_ovector_pointer),
    LIBRARY_FUNCTION(pcre2.pattern_info, pcre2_pattern_info),
    LIBRARY_FUNCTION(pcre2.number_from_name, pcre2_substring_number_from_name),
    LIBRARY_FUNCTION(pcre2.compile, pcre2_compile), /* the last: if it is there, all are */
};

enum { GROUP_NAME = 32 }; /* bytes of the name of a group: PCRE2 takes no more */

static pcre2_match_context *context;
static pcre2_match_data *match_data;

void patterns_add(struct patterns *list, struct pattern *pattern)
{
    if (list->tail == NULL)
        list->tail = &list->first;
    *list->tail = pattern;
    list->tail = &pattern->next;
}

/* ---- the memory of what is compiled ------------------------------------------------------- */

/*
 * It is apart from all other memory, and no session gets it: that must know nothing of it (patterns_share). Pieces are
 * taken one behind the other; when the last one is given back it begins anew.
 */
struct store {
    struct store *next;
    size_t used, size;
    char bytes[] __attribute__((aligned(16)));
};

enum { STORE_BYTES = 64 * 1024, PIECE_ALIGNMENT = 16 };

static struct store *stores;                   /* pieces are taken from the first */
static size_t pieces, kept;                    /* how many are in use; bytes of the oldest store that always are */
static pcre2_compile_context *compile_context; /* which they hold */
static bool shared;                            /* forked processes get them */

void patterns_share(bool share)
{
    shared = share;
    for (struct store *s = stores; s != NULL; s = s->next)
        (void)madvise(s, sizeof *s + s->size, share ? MADV_DOFORK : MADV_DONTFORK); /* ours: cannot fail */
}

static bool add_store(size_t size)
{
    size_t wanted = sizeof(struct store) + size > STORE_BYTES ? sizeof(struct store) + size : STORE_BYTES;
    struct store *store = mmap(NULL, wanted, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (store == MAP_FAILED || (!shared && madvise(store, wanted, MADV_DONTFORK) != 0))
        return false;
    store->next = stores;
    store->size = wanted - sizeof *store;
    stores = store;
    return true;
}

static void *take_piece(size_t size, void *unused)
{
    void *piece;

    (void)unused;
    size = (size + PIECE_ALIGNMENT - 1) / PIECE_ALIGNMENT * PIECE_ALIGNMENT;
    if ((stores == NULL || stores->size - stores->used < size) && !add_store(size))
        return NULL;
    piece = stores->bytes + stores->used;
    stores->used += size;
    pieces++;
    return piece;
}

static void return_piece(void *piece, void *unused)
{
    (void)unused;
    if (piece == NULL || --pieces > 0)
        return;
    for (struct store *next; stores->next != NULL; stores = next) {
        next = stores->next;
        (void)munmap(stores, sizeof *stores + stores->size); /* ours: cannot fail */
    }
    stores->used = kept;
}

static bool prepare_store(void)
{
    pcre2_general_context *general;

    if (compile_context != NULL)
        return true;
    general = pcre2.general_context_create(take_piece, return_piece, NULL);
    compile_context = general != NULL ? pcre2.compile_context_create(general) : NULL;
    pieces = 0;
    kept = stores != NULL ? stores->used : 0;
    return compile_context != NULL;
}

/* ---- compiling ---------------------------------------------------------------------------- */

static bool load(char *message, size_t size)
{
    const char *why;

    if (pcre2.compile != NULL)
        return true;
    why = library_load("libpcre2-8.so.0", functions, sizeof functions / sizeof functions[0]);
    if (why != NULL)
        (void)snprintf(message, size, "%s", why); /* cut when too long */
    return why == NULL;
}

bool pattern_compile(struct pattern *pattern, char *message, size_t size, size_t *offset)
{
    uint32_t options = PCRE2_CASELESS | (pattern->utf ? PCRE2_UTF : 0);
    int error;

    *offset = 0;
    if (pattern->code != NULL)
        return true;
    if (!load(message, size))
        return false;
    if (!prepare_store()) {
        (void)snprintf(message, size, "out of memory");
        return false;
    }
    pattern->code = pcre2.compile((PCRE2_SPTR)pattern->text.text, pattern->text.len, options, &error, offset,
                                  compile_context);
    if (pattern->code == NULL)
        (void)pcre2.get_error_message(error, (PCRE2_UCHAR *)message, size); /* cut when too long, always ended */
    return pattern->code != NULL;
}

/* Compiles it where somebody wants to know about its groups only. */
static bool is_compiled(struct pattern *pattern)
{
    char message[256];
    size_t offset;

    return pattern_compile(pattern, message, sizeof message, &offset);
}

size_t pattern_groups(struct pattern *pattern)
{
    uint32_t count = 0;

    if (is_compiled(pattern))
        (void)pcre2.pattern_info(pattern->code, PCRE2_INFO_CAPTURECOUNT, &count); /* valid arguments: cannot fail */
    return count;
}

bool pattern_group(struct pattern *pattern, struct slice name, size_t *number)
{
    char text[GROUP_NAME + 1];
    int found = -1;

    if (name.len <= GROUP_NAME && is_compiled(pattern)) {
        memcpy(text, name.text, name.len);
        text[name.len] = '\0';
        found = pcre2.number_from_name(pattern->code, (PCRE2_SPTR)text);
    }
    *number = found > 0 ? (size_t)found : 0;
    return found > 0;
}

void pattern_free(struct pattern *pattern)
{
    if (pattern->code != NULL)
        pcre2.code_free(pattern->code);
    pattern->code = NULL;
}

/* ---- without PCRE2 ----------------------------------------------------------------------- */

/* One character of a plain pattern. */
struct step {
    char c;   /* in lower case */
    bool any; /* a dot: everything but a line feed */
};

/* Takes the character at *at of a plain pattern. False: the pattern is not plain. */
static bool take_step(struct slice pattern, size_t *at, struct step *step)
{
    char c = pattern.text[(*at)++];

    step->any = c == '.';
    if (c == '\\' && *at < pattern.len) {
        c = pattern.text[(*at)++];
        if (c <= ' ' || c > '~' || strchr("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", c) != NULL)
            return false;
    } else if (c < ' ' || c > '~' || strchr("\\^$*+?()[]{}|", c) != NULL) {
        return false;
    }
    step->c = lower_ascii(c);
    return true;
}

/* The pattern without its anchors. */
static struct slice strip_anchors(struct slice pattern, bool *begins, bool *ends)
{
    *begins = pattern.len > 0 && pattern.text[0] == '^';
    if (*begins)
        pattern = (struct slice){ pattern.text + 1, pattern.len - 1 };
    *ends = pattern.len > 0 && pattern.text[pattern.len - 1] == '$' &&
            (pattern.len < 2 || pattern.text[pattern.len - 2] != '\\');
    if (*ends)
        pattern.len--;
    return pattern;
}

/* The number of characters, for a pattern that can be matched here; false for all others. */
static bool is_plain(const struct pattern *pattern, struct slice subject, size_t *steps)
{
    bool begins, ends;
    struct slice body = strip_anchors(pattern->text, &begins, &ends);
    struct step step;
    size_t at = 0;

    for (*steps = 0; at < body.len; ++*steps)
        if (!take_step(body, &at, &step))
            return false;
    return !pattern->utf || slice_is_ascii(subject); /* among all the letters of Unicode some others equal ASCII ones */
}

/* Do the characters stand at the beginning of the subject, which is long enough? */
static bool stands(struct slice body, const char *subject)
{
    struct step step;
    size_t at = 0;

    while (at < body.len) {
        if (!take_step(body, &at, &step) || (step.any ? *subject == '\n' : lower_ascii(*subject) != step.c))
            return false;
        subject++;
    }
    return true;
}

static enum match match_plain(struct slice pattern, size_t steps, struct slice subject, struct captures *captures)
{
    bool begins, ends;
    struct slice body = strip_anchors(pattern, &begins, &ends);

    for (size_t start = 0; start + steps <= subject.len && !(begins && start > 0); start++) {
        struct slice rest = { subject.text + start + steps, subject.len - start - steps };
        /* $ stands before a last line feed, too */
        bool at_end = rest.len == 0 || (rest.len == 1 && rest.text[0] == '\n');

        if ((!at_end && ends) || !stands(body, subject.text + start))
            continue;
        if (captures != NULL)
            *captures = (struct captures){ .whole = { (uint16_t)start, (uint16_t)steps } };
        return MATCH_YES;
    }
    return MATCH_NO;
}

/* ---- with PCRE2 -------------------------------------------------------------------------- */

/* What every match needs; the limits make sure that no text can keep the process busy. */
static bool prepare(void)
{
    if (context == NULL && (context = pcre2.match_context_create(NULL)) != NULL) {
        (void)pcre2.set_match_limit(context, PATTERN_MATCH_LIMIT);
        (void)pcre2.set_heap_limit(context, PATTERN_HEAP_LIMIT);
    }
    if (match_data == NULL)
        match_data = pcre2.match_data_create(PATTERN_CAPTURES + 1, NULL);
    return context != NULL && match_data != NULL;
}

/* `found` is how many pairs the last match has set, 0: more than there is room for. */
static void take_captures(int found, struct captures *captures)
{
    const PCRE2_SIZE *at = pcre2.get_ovector_pointer(match_data);
    size_t count = found > 0 ? (size_t)found : PATTERN_CAPTURES + 1;

    captures->whole = (struct span){ (uint16_t)at[0], (uint16_t)(at[1] < at[0] ? 0 : at[1] - at[0]) };
    captures->count = count - 1;
    for (size_t i = 1; i < count; i++)
        captures->spans[i - 1] = at[2 * i] == PCRE2_UNSET ? (struct span){ 0, 0 }
                                 : (struct span){ (uint16_t)at[2 * i], (uint16_t)(at[2 * i + 1] - at[2 * i]) };
}

static enum match match_pcre2(struct pattern *pattern, struct slice subject, struct captures *captures, char *why,
                              size_t size)
{
    size_t offset;
    int found;

    if (!pattern_compile(pattern, why, size, &offset))
        return MATCH_UNSURE;
    if (!prepare()) {
        (void)snprintf(why, size, "out of memory");
        return MATCH_UNSURE;
    }
    found = pcre2.match(pattern->code, (PCRE2_SPTR)subject.text, subject.len, 0, pattern->utf ? PCRE2_NO_UTF_CHECK : 0,
                        match_data, context);
    if (found < 0 && found != PCRE2_ERROR_NOMATCH) {
        (void)pcre2.get_error_message(found, (PCRE2_UCHAR *)why, size);
        return MATCH_UNSURE;
    }
    if (found >= 0 && captures != NULL)
        take_captures(found, captures);
    return found >= 0 ? MATCH_YES : MATCH_NO;
}

enum match pattern_match(struct pattern *pattern, struct slice subject, struct captures *captures, char *why,
                         size_t size)
{
    size_t steps;

    if (!is_plain(pattern, subject, &steps))
        return match_pcre2(pattern, subject, captures, why, size);
    return match_plain(pattern->text, steps, subject, captures);
}

enum scope pattern_scope(struct pattern *pattern)
{
    if (pattern->scope == SCOPE_UNKNOWN)
        pattern->scope = scope_of(pattern->text);
    return pattern->scope;
}

bool pattern_on_names(struct pattern *pattern, bool denies, char room[PATTERN_PART], struct slice *text)
{
    enum scope scope = pattern_scope(pattern);

    *text = pattern->text;
    if (scope == SCOPE_BOTH && scope_names_part(pattern->text, !denies, room, PATTERN_PART, text))
        return true;
    *text = pattern->text;
    return scope == SCOPE_NAMES || (scope == SCOPE_BOTH && denies);
}
