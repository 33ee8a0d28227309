/* keyword.h - a row of the tables in which each room of the program lists its directives */
#ifndef KEYWORD_H
#define KEYWORD_H

#include <stddef.h>
#include <stdint.h>

/*
 * A room has its settings in a struct, `struct X_settings` in X/settings.h, and in X/keywords.h a row for each of them: what
 * the directive is called, how its value is written, where it goes, what its default is. conf/keywords.c puts the tables
 * together. A new directive of one of these kinds is a member of the struct, a row, and a place in the manual.
 */
enum keyword_kind {
    KEYWORD_SWITCH, /* off or on: bool */
    KEYWORD_CHOICE, /* one of `words`: unsigned, its index */
    KEYWORD_COUNT,  /* 1 to `max`: uint64_t */
    KEYWORD_DELAY,  /* 0 to `max`: uint64_t */
    KEYWORD_WORD,   /* a path or a name: struct slice */
    KEYWORD_WORDS,  /* the same, on up to KEYWORD_LINES lines: struct slice[KEYWORD_LINES], empty behind the last one */
    KEYWORD_TEXT,   /* the rest of the line: struct slice */
    KEYWORD_DOMAIN, /* a domain, in its canonical form: struct slice */
    KEYWORD_FLAGS,  /* debug flags (log.h): struct slice */
    KEYWORD_LIMIT,  /* 1 to `max`, and perhaps a reply: struct limit (session/limit.h) */
    KEYWORD_CHECK,  /* one of `words`, and perhaps a reply: struct limit, its value is the index */
    KEYWORD_PAUSE,  /* off or on, seconds up to `max`, and perhaps a reply: struct pause (session/limit.h) */
    KEYWORD_KINDS   /* those that are written in a way of their own follow in conf/parser.h */
};

enum {
    KEYWORD_MAX = 1000000000, /* the usual `max` */
    KEYWORD_LINES = 2
};

/* Texts are in the row itself: pointers would have to be relocated at each start. */
struct keyword {
    uint64_t max;
    uint16_t offset;       /* of the value in the settings of the room */
    uint16_t order;        /* -t prints it behind those that have a smaller one; 0: it may be repeated, and has no default */
    uint8_t kind;          /* enum keyword_kind */
    char name[26];
    char status[6];        /* of its replies: the enhanced code without the class (RFC 3463) */
    char words[36];        /* to choose from, with a blank between them; empty: off on */
    char default_text[68]; /* in the language of the file; empty: there is none */
};

#endif
