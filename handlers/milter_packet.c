/* milter_packet.c - packets of the milter protocol: writing commands, reading what a milter answers; pure */
#include "handlers/milter_packet.h"

#include "session/enhanced.h"

enum { FIELD_WANTED = 60000, CONTEXT = MILTER_LISTS };

/* Lists of macros: connect, HELO, MAIL, RCPT, DATA, end of message, end of header. */
const struct milter_command_row milter_commands[MILTER_COMMANDS] = {
    [MILTER_CONNECT] = { 'C', "connect", 2, 0, 0x1, 0x1000 },
    [MILTER_HELO] = { 'H', "helo", 2, 1, 0x2, 0x2000 },
    [MILTER_MAIL] = { 'M', "mail", 2, 2, 0x4, 0x4000 },
    [MILTER_RCPT] = { 'R', "rcpt", 2, 3, 0x8, 0x8000 },
    [MILTER_DATA_COMMAND] = { 'T', "data", 4, 4, 0x200, 0x10000 },
    [MILTER_HEADER] = { 'L', "header", 2, 6, 0x20, 0x80 },
    [MILTER_EOH] = { 'N', "eoh", 2, 6, 0x40, 0x40000 },
    [MILTER_BODY] = { 'B', "body", 2, 5, 0x10, 0x80000 },
    [MILTER_EOB] = { 'E', "end", 2, 5, 0, 0 },
    [MILTER_UNKNOWN] = { 'U', "unknown", 3, CONTEXT, 0x100, 0x20000 },
    [MILTER_ABORT] = { 'A', "abort", 2, CONTEXT, 0, 0 },
    [MILTER_QUIT] = { 'Q', "quit", 2, CONTEXT, 0, 0 },
    [MILTER_NEGOTIATE] = { 'O', "negotiate", 2, CONTEXT, 0, 0 },
};

const char *const milter_changes[MILTER_CHANGES] = {
    [MILTER_ADD_FIELD] = "addheader", [MILTER_CHANGE_FIELD] = "changeheader", [MILTER_INSERT_FIELD] = "insertheader",
    [MILTER_ADD_RECIPIENT] = "addrcpt", [MILTER_DELETE_RECIPIENT] = "delrcpt", [MILTER_CHANGE_SENDER] = "changefrom",
    [MILTER_QUARANTINE] = "quarantine", [MILTER_REPLACE_BODY] = "replacebody"
};

const char *const milter_words[MILTER_WORDS] = {
    [MILTER_CONTINUE] = "continue", [MILTER_ACCEPT] = "accept", [MILTER_REJECT] = "reject", [MILTER_TEMPFAIL] = "tempfail",
    [MILTER_DISCARD] = "discard", [MILTER_REPLY] = "reply", [MILTER_SKIP] = "skip", [MILTER_PROGRESS] = "progress",
    [MILTER_CONN_FAIL] = "connfail", [MILTER_SHUTDOWN] = "shutdown", [MILTER_CHANGE] = "change", [MILTER_OPTIONS] = "options"
};

/* ---- writing ------------------------------------------------------------------------------- */

void milter_put_number(struct text *out, uint32_t number)
{
    const char bytes[4] = { (char)(number >> 24), (char)(number >> 16), (char)(number >> 8), (char)number };

    text_put(out, (struct slice){ bytes, sizeof bytes });
}

void milter_put_string(struct text *out, struct slice string)
{
    text_put(out, string);
    text_put(out, (struct slice){ "", 1 });
}

size_t milter_packet_begin(struct text *out, char letter)
{
    const size_t begin = out->len;

    milter_put_number(out, 0);
    text_put(out, (struct slice){ &letter, 1 });
    return begin;
}

void milter_packet_end(struct text *out, size_t begin)
{
    struct text head = { out->bytes + begin, sizeof(uint32_t), 0 };

    milter_put_number(&head, (uint32_t)(out->len - begin - sizeof(uint32_t)));
}

void milter_field_fit(struct slice *name, struct slice *value)
{
    const char *fold;

    if (name->len > FIELD_WANTED)
        name->len = FIELD_WANTED;
    if (name->len + value->len + 2 <= FIELD_WANTED)
        return;
    value->len = FIELD_WANTED - name->len;
    fold = value->len > 0 ? memrchr(value->text, '\n', value->len) : NULL;
    value->len = fold != NULL ? (size_t)(fold - value->text) : value->len;
}

/* ---- reading ------------------------------------------------------------------------------- */

static bool take_number(struct slice *data, uint32_t *number)
{
    *number = 0;
    if (data->len < sizeof *number)
        return false;
    for (size_t i = 0; i < sizeof *number; i++)
        *number = *number << 8 | (unsigned char)data->text[i];
    *data = (struct slice){ data->text + sizeof *number, data->len - sizeof *number };
    return true;
}

static bool take_string(struct slice *data, struct slice *string)
{
    const char *nul = data->len > 0 ? memchr(data->text, '\0', data->len) : NULL;

    if (nul == NULL)
        return false;
    *string = (struct slice){ data->text, (size_t)(nul - data->text) };
    *data = (struct slice){ nul + 1, data->len - string->len - 1 };
    return true;
}

static bool read_nothing(struct slice data, struct milter_answer *answer)
{
    (void)data;
    (void)answer;
    return true;
}

static bool read_reply(struct slice data, struct milter_answer *answer)
{
    return take_string(&data, &answer->text);
}

static bool read_field(struct slice data, struct milter_answer *answer)
{
    return take_string(&data, &answer->change.name) && take_string(&data, &answer->change.value);
}

static bool read_indexed_field(struct slice data, struct milter_answer *answer)
{
    return take_number(&data, &answer->change.index) && read_field(data, answer);
}

static bool read_text(struct slice data, struct milter_answer *answer)
{
    return take_string(&data, &answer->change.name);
}

/* An address, and what stands behind it, each with its NUL. */
static bool read_with_arguments(struct slice data, struct milter_answer *answer)
{
    if (!read_text(data, answer))
        return false;
    data = (struct slice){ data.text + answer->change.name.len + 1, data.len - answer->change.name.len - 1 };
    while (data.len > 0 && data.text[data.len - 1] == '\0')
        data.len--;
    answer->change.value = data;
    return true;
}

/* Lists of macros may follow: the number of the stage, and names. What is of no stage is left out. */
static bool read_options(struct slice data, struct milter_answer *answer)
{
    struct milter_options *options = &answer->options;
    struct slice symbols;
    uint32_t list;

    if (!take_number(&data, &options->version) || !take_number(&data, &options->actions) || !take_number(&data, &options->steps))
        return false;
    while (data.len > 0) {
        if (!take_number(&data, &list) || !take_string(&data, &symbols))
            return false;
        if (list >= MILTER_LISTS || symbols.len > MILTER_SYMBOLS)
            continue;
        options->listed |= 1U << list;
        options->symbols[list] = symbols;
    }
    return true;
}

static const struct {
    char letter;
    bool (*read)(struct slice data, struct milter_answer *answer);
    enum milter_word word;
    enum milter_change_kind change;
} letters[] = {
    { 'c', read_nothing, MILTER_CONTINUE, 0 },
    { 'a', read_nothing, MILTER_ACCEPT, 0 },
    { 'r', read_nothing, MILTER_REJECT, 0 },
    { 't', read_nothing, MILTER_TEMPFAIL, 0 },
    { 'd', read_nothing, MILTER_DISCARD, 0 },
    { 'y', read_reply, MILTER_REPLY, 0 },
    { 's', read_nothing, MILTER_SKIP, 0 },
    { 'p', read_nothing, MILTER_PROGRESS, 0 },
    { 'f', read_nothing, MILTER_CONN_FAIL, 0 },
    { '4', read_nothing, MILTER_SHUTDOWN, 0 },
    { 'h', read_field, MILTER_CHANGE, MILTER_ADD_FIELD },
    { 'm', read_indexed_field, MILTER_CHANGE, MILTER_CHANGE_FIELD },
    { 'i', read_indexed_field, MILTER_CHANGE, MILTER_INSERT_FIELD },
    { '+', read_text, MILTER_CHANGE, MILTER_ADD_RECIPIENT },
    { '2', read_with_arguments, MILTER_CHANGE, MILTER_ADD_RECIPIENT },
    { '-', read_text, MILTER_CHANGE, MILTER_DELETE_RECIPIENT },
    { 'e', read_with_arguments, MILTER_CHANGE, MILTER_CHANGE_SENDER },
    { 'q', read_text, MILTER_CHANGE, MILTER_QUARANTINE },
    { 'b', NULL, MILTER_CHANGE, MILTER_REPLACE_BODY },
    { 'O', read_options, MILTER_OPTIONS, 0 },
};

enum { LETTERS = sizeof letters / sizeof letters[0] };

static size_t find_letter(unsigned char letter)
{
    size_t i = 0;

    while (i < LETTERS && (unsigned char)letters[i].letter != letter)
        i++;
    return i;
}

/* The head is there: how much follows, and can it be what it says? */
static bool begin_data(struct milter_reader *reader)
{
    struct slice head = { (const char *)reader->head, sizeof reader->head };
    const size_t i = find_letter(reader->head[MILTER_HEAD - 1]);
    uint32_t len;

    (void)take_number(&head, &len); /* it is there */
    reader->left = len > 0 ? len - 1 : 0;
    return len > 0 && i < LETTERS && (letters[i].read == NULL || reader->left <= sizeof reader->data);
}

static void take_data(struct milter_reader *reader, struct slice bytes)
{
    memcpy(reader->data + (reader->have - MILTER_HEAD), bytes.text, bytes.len);
    reader->have += bytes.len;
    reader->left -= bytes.len;
}

/* Data of a body are not kept. */
static enum milter_progress take_piece(struct milter_reader *reader, struct slice bytes, size_t *used,
                                       struct milter_answer *answer)
{
    const size_t len = bytes.len < reader->left ? bytes.len : (size_t)reader->left;

    if (len == 0 && reader->left > 0)
        return MILTER_MORE;
    answer->text = (struct slice){ bytes.text, len };
    reader->left -= len;
    reader->have = reader->left > 0 ? reader->have : 0;
    *used += len;
    return MILTER_DONE;
}

enum milter_progress milter_answer_feed(struct milter_reader *reader, struct slice bytes, size_t *used,
                                        struct milter_answer *answer)
{
    struct slice data;
    size_t i, len;

    *used = 0;
    while (reader->have < MILTER_HEAD && *used < bytes.len) {
        reader->head[reader->have++] = (unsigned char)bytes.text[(*used)++];
        if (reader->have == MILTER_HEAD && !begin_data(reader))
            return MILTER_NONSENSE;
    }
    if (reader->have < MILTER_HEAD)
        return MILTER_MORE;
    i = find_letter(reader->head[MILTER_HEAD - 1]);
    *answer = (struct milter_answer){ .word = letters[i].word, .change = { .kind = letters[i].change, .name = { "", 0 }, .value = { "", 0 } },
                                      .text = { "", 0 } };
    bytes = (struct slice){ bytes.text + *used, bytes.len - *used };
    if (letters[i].read == NULL)
        return take_piece(reader, bytes, used, answer);
    len = bytes.len < reader->left ? bytes.len : (size_t)reader->left;
    if (len > 0)
        take_data(reader, (struct slice){ bytes.text, len });
    *used += len;
    if (reader->left > 0)
        return MILTER_MORE;
    data = (struct slice){ reader->data, reader->have - MILTER_HEAD };
    reader->have = 0;
    return letters[i].read(data, answer) ? MILTER_DONE : MILTER_NONSENSE;
}

bool milter_is_field_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.text[i] <= ' ' || name.text[i] > '~' || name.text[i] == ':')
            return false;
    return name.len > 0;
}

/* ---- replies ------------------------------------------------------------------------------- */

/* Up to the next line end, which is taken, too. */
static struct slice take_line(struct slice *text)
{
    const char *lf = memchr(text->text, '\n', text->len);
    struct slice line = { text->text, lf != NULL ? (size_t)(lf - text->text) : text->len };

    *text = (struct slice){ text->text + line.len + (lf != NULL), text->len - line.len - (lf != NULL) };
    while (line.len > 0 && line.text[line.len - 1] == '\r')
        line.len--;
    return line;
}

/* %% is %, and another % nothing, as Postfix has it. */
static void put_unquoted(struct text *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.text[i] == '%' && ++i == text.len)
            return;
        text_put(out, (struct slice){ text.text + i, 1 });
    }
}

/* Takes code and enhanced code; both may be missing in lines behind the first one. */
static void take_codes(struct slice *line, unsigned *code, struct slice *status)
{
    struct slice rest = *line;
    unsigned number = 0, class;

    *status = (struct slice){ "", 0 };
    if (digits_take(&rest, 3, &number) != 3 || (rest.len > 0 && rest.text[0] != ' ' && rest.text[0] != '-'))
        return;
    *line = (struct slice){ rest.text + (rest.len > 0), rest.len - (rest.len > 0) };
    *code = number;
    (void)enhanced_take(line, &class, status); /* the class is that of the code, whatever stands there */
}

bool milter_reply_read(struct slice text, struct milter_reply *reply)
{
    struct text out = { reply->text, sizeof reply->text, 0 };
    bool first = true;

    reply->code = 0;
    while (text.len > 0) {
        struct slice line = take_line(&text), status;
        unsigned code = 0;

        take_codes(&line, &code, &status);
        if (first) {
            reply->code = code;
            text_string(reply->status, sizeof reply->status, status.len > 0 ? status : (struct slice)SLICE("7.1"));
        } else {
            text_put(&out, (struct slice)SLICE("\n"));
        }
        put_unquoted(&out, line);
        first = false;
    }
    if (reply->code < 400 || reply->code > 599)
        return false;
    reply->len = out.len;
    return true;
}
