/* header.c - fuzz target: the header of a message; fields lie in it, in order, and sorting loses none */
#include "delivery/header.h"

#include "fuzz.h"

static struct header header;

static bool has(struct slice text, char c)
{
    return text.len > 0 && memchr(text.text, c, text.len) != NULL;
}

static void check_field(size_t i)
{
    struct slice name = header_name(&header, i), value = header_value(&header, i);

    HOLDS(name.len > 0 && name.text >= header.text && name.text + name.len < header.text + HEADER_MAX);
    HOLDS(value.len == 0 || (value.text > name.text + name.len && value.text + value.len <= header.text + HEADER_MAX));
    HOLDS(slice_is_ascii(name) && !has(name, ' ') && !has(name, ':') && !has(name, '\n') && !has(value, '\n'));
    for (size_t c = 0; c < name.len; c++)
        HOLDS(name.text[c] == lower_ascii(name.text[c]));
    HOLDS(value.len == 0 || (value.text[0] != ' ' && value.text[value.len - 1] != '\t'));
}

void fuzz_header(const uint8_t *data, size_t size)
{
    const union {
        const uint8_t *bytes;
        char *memory;
    } input = { .bytes = data }; /* it is only read */
    const struct spool spool = { .memory = input.memory, .fd = -1, .size = size };
    size_t sum = 0, sorted = 0;

    header_read(&header, slice_of(""), &spool);
    HOLDS(!header.cut || size > HEADER_MAX);
    for (size_t i = 0; i < header.count; i++) {
        check_field(i);
        sum += header.fields[i].name;
        HOLDS(i == 0 || header.fields[i].name > header.fields[i - 1].name);
    }
    header_sort(&header, header.count);
    for (size_t i = 0; i < header.count; i++) {
        check_field(i);
        sorted += header.fields[i].name;
    }
    HOLDS(sum == sorted);
}
