/* milter_message.c - the message that milters change: its header as a list of fields, its body, and what both become */
/*
 * The texts of the fields lie in the copy of the header that was made at the beginning, or in what was allocated when they
 * were changed. The changes of a milter are made to a copy of the list, which becomes the list when all has gone well.
 */
#include "handlers/milter_message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "delivery/header.h"

/* What was written for the fields that one milter has changed. */
struct written {
    struct written *next;
    char bytes[];
};

/* The header, and what deliveries read for it. */
struct version {
    struct slice *fields; /* whole lines, with the last LF; our own Received: has no text */
    size_t count, own;    /* where that stands */
    char *text;           /* all of it, without our own; with the empty line if there is one */
    size_t above, len;    /* bytes of the text that stand above our own; of all */
};

static struct {
    const struct spool *came; /* NULL: there is no message */
    char *header;            /* of it, and of the fields above */
    struct slice fields;     /* those */
    bool has_end;            /* the header came with the empty line */
    bool changed;
    struct version now;
    struct written *written;
    size_t written_bytes;
    struct spool body, spool; /* the body alone; all below our own Received: */
    char *body_memory;       /* of a body that is new */

    struct slice directory;
    uint64_t most;
    bool replacing;
    struct spool next;       /* the body that is being received */
    struct message reader;   /* of that */
} m;

/* ---- what came ------------------------------------------------------------------------------- */

/* Bytes of the fields that this text begins with. `ended`: what is behind them is no field, whatever follows. */
static size_t fields_length(struct slice text, bool whole, bool *ended)
{
    size_t at = 0, len, name;

    for (*ended = whole; at < text.len; at += len) {
        const struct slice rest = { text.text + at, text.len - at };

        len = header_field_length(rest, whole);
        if (len == 0)
            break;
        if (header_value_at((struct slice){ rest.text, len }, &name) == 0 || rest.text[len - 1] != '\n') {
            *ended = true;
            break;
        }
    }
    return at;
}

/* Reads on up to `size` bytes of the message, behind `used` other bytes of the memory, which grows. */
static bool read_on(const struct spool *spool, size_t used, size_t *len, size_t size)
{
    char *memory = realloc(m.header, used + size + 1);

    if (memory == NULL)
        return false;
    m.header = memory;
    while (*len < size) {
        char *to = memory + used + *len;
        const struct slice piece = spool_piece(spool, *len, to, size - *len);

        if (piece.text == NULL)
            return false;
        if (piece.text != to)
            memcpy(to, piece.text, piece.len);
        *len += piece.len;
    }
    return true;
}

/* Reads the header of the message behind the fields above it, and says where its body begins. */
static bool read_header(const struct spool *spool, struct slice above, size_t *header_len)
{
    bool ended = false;
    size_t len = 0;

    for (size_t size = SPOOL_PIECE; !ended; size *= 2) {
        const bool whole = spool->size <= size;

        if (size > MILTER_MOST_HEADER) {
            errno = EMSGSIZE;
            return false;
        }
        if (!read_on(spool, above.len, &len, whole ? (size_t)spool->size : size))
            return false;
        *header_len = fields_length((struct slice){ m.header + above.len, len }, whole, &ended);
    }
    m.has_end = *header_len < len && m.header[above.len + *header_len] == '\n';
    return true;
}

/* Appends the fields of a text that consists of fields. */
static bool list_fields(struct slice text)
{
    for (size_t len; text.len > 0; text = (struct slice){ text.text + len, text.len - len }) {
        if (m.now.count >= MILTER_MOST_FIELDS) {
            errno = EMSGSIZE;
            return false;
        }
        len = header_field_length(text, true);
        m.now.fields[m.now.count++] = (struct slice){ text.text, len };
    }
    return true;
}

static bool begin(const struct spool *spool, struct slice above)
{
    size_t header, skip;
    char *memory;

    if (!read_header(spool, above, &header))
        return false;
    memory = realloc(m.header, above.len + header + 1);
    if (memory == NULL)
        return false;
    m.header = memory;
    m.now.fields = malloc((MILTER_MOST_FIELDS + 1) * sizeof m.now.fields[0]);
    if (m.now.fields == NULL)
        return false;
    memcpy(memory, above.text, above.len);
    m.fields = (struct slice){ memory, above.len };
    if (!list_fields(m.fields))
        return false;
    m.now.own = m.now.count;
    m.now.fields[m.now.count++] = (struct slice){ NULL, 0 };
    skip = header + m.has_end;
    m.body = *spool;
    m.body.size -= skip;
    if (spool->fd < 0)
        m.body.memory += skip;
    else
        m.body.start += skip;
    return list_fields((struct slice){ memory + above.len, header });
}

bool milter_message_begin(const struct spool *spool, struct slice fields, struct slice directory, uint64_t most)
{
    bool begun;
    int error;

    milter_message_end();
    m.came = spool;
    m.directory = directory;
    m.most = most;
    begun = begin(spool, fields);
    error = errno;
    if (!begun)
        milter_message_end();
    errno = error;
    return begun;
}

bool milter_message_field(size_t number, struct slice *name, struct slice *value)
{
    const size_t place = number + (number >= m.now.own);
    struct slice field;
    size_t skip;

    if (place >= m.now.count)
        return false;
    field = m.now.fields[place];
    skip = header_value_at(field, &name->len);
    name->text = field.text;
    *value = (struct slice){ field.text + skip, field.len - skip - 1 };
    return true;
}

struct slice milter_message_body(uint64_t offset, char *buffer, size_t size)
{
    return spool_piece(&m.body, offset, buffer, size);
}

/* ---- a new body ------------------------------------------------------------------------------ */

static int open_body(void *context, uint64_t *start)
{
    (void)context;
    *start = 0;
    return spool_file(m.directory);
}

static bool begin_body(void)
{
    m.next = (struct spool){ .memory = malloc(SPOOL_MEMORY), .fd = -1 };
    if (m.next.memory == NULL)
        return false;
    message_begin(&m.reader, &m.next, UINT64_MAX, false, open_body, NULL);
    m.reader.in_body = true;
    m.replacing = true;
    return true;
}

/* A descriptor or memory that could not be had stays the error, however much more comes. */
static bool reader_is_well(void)
{
    errno = m.reader.error;
    return errno == 0;
}

bool milter_message_replace(struct slice bytes)
{
    if (!m.replacing && !begin_body())
        return false;
    if (m.reader.error == 0 && bytes.len > m.most - m.reader.received)
        m.reader.error = EMSGSIZE;
    while (bytes.len > 0 && m.reader.error == 0) {
        size_t room;
        char *place = message_room(&m.reader, &room);
        const size_t len = bytes.len < room ? bytes.len : room;

        memcpy(place, bytes.text, len);
        message_take(&m.reader, len);
        bytes = (struct slice){ bytes.text + len, bytes.len - len };
    }
    return reader_is_well();
}

static bool finish_body(void)
{
    message_close(&m.reader);
    message_finish(&m.reader);
    return reader_is_well();
}

static void forget_body(struct spool *spool, char **memory)
{
    if (*memory == NULL)
        return;
    spool_clear(spool);
    free(*memory);
    *memory = NULL;
}

void milter_message_undo(void)
{
    forget_body(&m.next, &m.next.memory);
    m.replacing = false;
}

static void take_body(void)
{
    forget_body(&m.body, &m.body_memory);
    m.body = m.next;
    m.body_memory = m.next.memory;
    m.next.memory = NULL;
    m.replacing = false;
}

/* ---- changes --------------------------------------------------------------------------------- */

static bool deletes_field(const struct milter_change *change)
{
    return change->kind == MILTER_CHANGE_FIELD && change->value.len == 0;
}

static bool is_about_fields(const struct milter_change *change)
{
    return change->kind == MILTER_ADD_FIELD || change->kind == MILTER_CHANGE_FIELD || change->kind == MILTER_INSERT_FIELD;
}

/* What a field may take: each byte of its value may be a line end, behind which a blank has to be put. */
static size_t field_most(const struct milter_change *change)
{
    return change->name.len + change->value.len * 2 + sizeof ": \n";
}

/* A value of whatever bytes, as one field has it: a line end goes on with a blank, and there is none at the end. */
static char *put_value(char *to, struct slice value)
{
    while (value.len > 0 && (value.text[value.len - 1] == '\n' || value.text[value.len - 1] == '\r'))
        value.len--;
    for (size_t i = 0; i < value.len; i++) {
        const char c = value.text[i], next = value.text[i + 1 < value.len ? i + 1 : i];

        if (c == '\r' && next == '\n')
            continue;
        *to++ = (char)(c == '\r' || c == '\0' ? ' ' : c);
        if (c == '\n' && next != ' ' && next != '\t')
            *to++ = '\t';
    }
    return to;
}

/* Writes the field that a change asks for. Moves `to` behind it. */
static struct slice write_field(char **to, const struct milter_change *change)
{
    char *begin = *to, *end = begin;

    memcpy(end, change->name.text, change->name.len);
    end += change->name.len;
    *end++ = ':';
    if (!change->as_is)
        *end++ = ' ';
    end = put_value(end, change->value);
    *end++ = '\n';
    *to = end;
    return (struct slice){ begin, (size_t)(end - begin) };
}

static void insert(struct version *v, size_t place, struct slice field)
{
    memmove(v->fields + place + 1, v->fields + place, (v->count - place) * sizeof field);
    v->fields[place] = field;
    v->count++;
    v->own += place <= v->own;
}

static void delete(struct version *v, size_t place)
{
    v->count--;
    memmove(v->fields + place, v->fields + place + 1, (v->count - place) * sizeof v->fields[0]);
    v->own -= place < v->own;
}

/* The place of the nth field of a name, which is `count` if there is none. */
static size_t find(const struct version *v, struct slice name, uint32_t number)
{
    size_t place = 0;

    for (uint32_t left = number > 0 ? number : 1; place < v->count; place++) {
        struct slice found = v->fields[place];

        if (header_value_at(found, &found.len) > 0 && slice_equal_nocase(found, name) && --left == 0)
            break;
    }
    return place;
}

static void make_change(struct version *v, const struct milter_change *change, char **to)
{
    size_t place = v->count;

    if (change->kind == MILTER_CHANGE_FIELD)
        place = find(v, change->name, change->index);
    else if (change->kind == MILTER_INSERT_FIELD && change->index < v->count)
        place = change->index;
    if (deletes_field(change) && place < v->count)
        delete(v, place);
    else if (change->kind == MILTER_CHANGE_FIELD && place < v->count)
        v->fields[place] = write_field(to, change);
    else if (!deletes_field(change))
        insert(v, place, write_field(to, change));
}

/* Memory for what is to be written for fields, of which there are so many; NULL: there is none, or that is too much. */
static char *room_for_fields(const struct milter_change *changes, size_t count, size_t *fields)
{
    struct written *written;
    size_t bytes = 0;

    *fields = 0;
    for (size_t i = 0; i < count; i++) {
        const bool writes = is_about_fields(&changes[i]) && !deletes_field(&changes[i]);

        *fields += writes;
        bytes += writes ? field_most(&changes[i]) : 0;
    }
    errno = EMSGSIZE;
    if (m.now.count + *fields > MILTER_MOST_FIELDS + 1 || bytes > MILTER_MOST_HEADER - m.written_bytes)
        return NULL;
    written = malloc(sizeof *written + bytes);
    if (written == NULL)
        return NULL;
    written->next = m.written;
    m.written = written;
    m.written_bytes += bytes;
    return written->bytes;
}

/* Makes changes to a copy of the list. */
static bool change_fields(struct version *v, const struct milter_change *changes, size_t count)
{
    size_t fields;
    char *to = room_for_fields(changes, count, &fields);

    if (to == NULL)
        return false;
    v->fields = malloc((m.now.count + fields) * sizeof v->fields[0]);
    if (v->fields == NULL)
        return false;
    memcpy(v->fields, m.now.fields, m.now.count * sizeof v->fields[0]);
    for (size_t i = 0; i < count; i++)
        if (is_about_fields(&changes[i]))
            make_change(v, &changes[i], &to);
    return true;
}

/* The header in one piece. A body that came without an empty line before it must not become a part of it. */
static bool write_header(struct version *v, uint64_t body)
{
    const bool ends = m.has_end || body > 0;
    size_t size = ends;

    for (size_t i = 0; i < v->count; i++)
        size += v->fields[i].len;
    v->text = malloc(size + 1);
    if (v->text == NULL)
        return false;
    for (size_t i = 0; i < v->count; i++) {
        if (i == v->own)
            v->above = v->len;
        else
            memcpy(v->text + v->len, v->fields[i].text, v->fields[i].len);
        v->len += v->fields[i].len;
    }
    if (ends)
        v->text[v->len++] = '\n';
    return true;
}

static void free_version(struct version *v)
{
    free(v->fields);
    free(v->text);
}

/* From now on this is the message. */
static void take_version(const struct version *v)
{
    if (m.replacing)
        take_body();
    free_version(&m.now);
    m.now = *v;
    m.spool = m.body;
    m.spool.head = (struct slice){ v->text + v->above, v->len - v->above };
    m.spool.size += m.spool.head.len;
    m.changed = true;
}

bool milter_message_apply(const struct milter_change *changes, size_t count)
{
    struct version v = { .count = m.now.count, .own = m.now.own };
    bool changes_any = m.replacing;
    int error;

    for (size_t i = 0; i < count; i++)
        changes_any = changes_any || is_about_fields(&changes[i]);
    if (!changes_any)
        return true;
    if ((!m.replacing || finish_body()) && change_fields(&v, changes, count) &&
        write_header(&v, m.replacing ? m.next.size : m.body.size)) {
        take_version(&v);
        return true;
    }
    error = errno;
    free_version(&v);
    milter_message_undo();
    errno = error;
    return false;
}

bool milter_message_changed(void)
{
    return m.changed;
}

struct slice milter_message_fields(void)
{
    return m.changed ? (struct slice){ m.now.text, m.now.above } : m.fields;
}

const struct spool *milter_message_spool(void)
{
    return m.changed ? &m.spool : m.came;
}

void milter_message_end(void)
{
    if (m.came == NULL)
        return;
    milter_message_undo();
    forget_body(&m.body, &m.body_memory);
    free_version(&m.now);
    free(m.header);
    while (m.written != NULL) {
        struct written *next = m.written->next;

        free(m.written);
        m.written = next;
    }
    memset(&m, 0, sizeof m);
}
