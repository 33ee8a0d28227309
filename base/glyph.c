/* glyph.c - characters that cannot be seen, or that look like others: blanks, controls, quotes of typesetting */
#include "base/glyph.h"

static const struct {
    uint32_t first, last;
    enum glyph_kind kind;
    const char *name;
} ranges[] = {
    { 0x0000, 0x0008, GLYPH_UNSEEN, "control character" },
    { 0x000b, 0x000c, GLYPH_UNSEEN, "control character" },
    { 0x000d, 0x000d, GLYPH_UNSEEN, "carriage return" },
    { 0x000e, 0x001f, GLYPH_UNSEEN, "control character" },
    { 0x0022, 0x0022, GLYPH_QUOTE, "double quote" },
    { 0x0027, 0x0027, GLYPH_QUOTE, "single quote" },
    { 0x007f, 0x009f, GLYPH_UNSEEN, "control character" },
    { 0x00a0, 0x00a0, GLYPH_UNSEEN, "no-break space" },
    { 0x00ab, 0x00ab, GLYPH_QUOTE, "guillemet" },
    { 0x00ad, 0x00ad, GLYPH_UNSEEN, "soft hyphen" },
    { 0x00b4, 0x00b4, GLYPH_QUOTE, "acute accent" },
    { 0x00bb, 0x00bb, GLYPH_QUOTE, "guillemet" },
    { 0x034f, 0x034f, GLYPH_UNSEEN, "grapheme joiner" },
    { 0x061c, 0x061c, GLYPH_UNSEEN, "direction mark" },
    { 0x115f, 0x1160, GLYPH_UNSEEN, "filler" },
    { 0x1680, 0x1680, GLYPH_UNSEEN, "ogham space" },
    { 0x180e, 0x180e, GLYPH_UNSEEN, "vowel separator" },
    { 0x2000, 0x200a, GLYPH_UNSEEN, "wide or narrow space" },
    { 0x200b, 0x200b, GLYPH_UNSEEN, "zero-width space" },
    { 0x200c, 0x200c, GLYPH_UNSEEN, "zero-width non-joiner" },
    { 0x200d, 0x200d, GLYPH_UNSEEN, "zero-width joiner" },
    { 0x200e, 0x200f, GLYPH_UNSEEN, "direction mark" },
    { 0x2018, 0x201b, GLYPH_QUOTE, "typographic single quote" },
    { 0x201c, 0x201f, GLYPH_QUOTE, "typographic double quote" },
    { 0x2028, 0x2029, GLYPH_UNSEEN, "line separator" },
    { 0x202a, 0x202e, GLYPH_UNSEEN, "direction mark" },
    { 0x202f, 0x202f, GLYPH_UNSEEN, "narrow no-break space" },
    { 0x2032, 0x2036, GLYPH_QUOTE, "prime" },
    { 0x2039, 0x203a, GLYPH_QUOTE, "guillemet" },
    { 0x205f, 0x205f, GLYPH_UNSEEN, "mathematical space" },
    { 0x2060, 0x2064, GLYPH_UNSEEN, "word joiner" },
    { 0x2066, 0x206f, GLYPH_UNSEEN, "direction mark" },
    { 0x3000, 0x3000, GLYPH_UNSEEN, "ideographic space" },
    { 0x3164, 0x3164, GLYPH_UNSEEN, "filler" },
    { 0xfe00, 0xfe0f, GLYPH_UNSEEN, "variation selector" },
    { 0xfeff, 0xfeff, GLYPH_UNSEEN, "byte order mark" },
    { 0xff02, 0xff02, GLYPH_QUOTE, "fullwidth quote" },
    { 0xff07, 0xff07, GLYPH_QUOTE, "fullwidth quote" },
    { 0xffa0, 0xffa0, GLYPH_UNSEEN, "filler" },
};

/* The number of a character of two or three bytes, behind its first byte. False: it is none. */
static bool decode(struct slice text, struct glyph *glyph)
{
    unsigned char first = (unsigned char)text.text[0];
    size_t len = first >= 0xe0 ? 3 : 2;
    uint32_t code = first & (first >= 0xe0 ? 0x0f : 0x1f);

    if (first < 0xc2 || first >= 0xf0 || text.len < len)
        return false;
    for (size_t i = 1; i < len; i++) {
        if (((unsigned char)text.text[i] & 0xc0) != 0x80)
            return false;
        code = code << 6 | ((unsigned char)text.text[i] & 0x3f);
    }
    if (len == 3 && code < 0x800)
        return false;
    glyph->code = code;
    glyph->len = len;
    return true;
}

struct glyph glyph_at(struct slice text)
{
    struct glyph glyph = { .code = (unsigned char)text.text[0], .len = 1 };

    if ((glyph.code > '\'' && glyph.code < 0x7f) || (glyph.code >= 0x80 && !decode(text, &glyph)))
        return glyph;
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (glyph.code >= ranges[i].first && glyph.code <= ranges[i].last) {
            glyph.kind = ranges[i].kind;
            glyph.name = ranges[i].name;
            break;
        }
    return glyph;
}

bool glyph_find(struct slice text, enum glyph_kind kind, size_t *at, struct glyph *glyph)
{
    *glyph = (struct glyph){ .len = 1 };
    for (; *at < text.len; *at += glyph->len) {
        *glyph = glyph_at((struct slice){ text.text + *at, text.len - *at });
        if (glyph->kind == kind)
            return true;
    }
    return false;
}
