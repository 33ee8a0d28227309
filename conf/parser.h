/* parser.h - what the files of conf/ share among themselves: the line that is being read, its words and values */
#ifndef PARSER_H
#define PARSER_H

#include <sys/stat.h>

#include "base/glyph.h"
#include "base/keyword.h"
#include "conf/conf.h"

/*
 * The file is read in one go and parsed into slices of its text. A row of a table (keyword.h) says what a directive is
 * called, how it is read and printed, where it goes and what its default is; the default is written in the
 * language of the file and parsed by the same code. Errors do not stop the parser: they are collected, so that an
 * administrator sees all of them at once.
 */
struct parser {
    struct conf *conf;  /* NULL: words stay as they are written */
    struct slice line;  /* without its end */
    struct lines *lines; /* those that are read; NULL: not all of them */
    unsigned number;    /* 0 while a default is parsed */
    size_t at;          /* the next byte to look at */
    bool failed;        /* an error was found in this line */
    bool misread;       /* ... in how a word is written: nothing else is said of the line */
    bool has_nul;       /* there is a NUL byte somewhere in the file */
    struct slice before_network; /* what stood before the network of the line; empty: it had none */
    struct patterns *networks;   /* which list that went to */
};

struct word {
    struct slice text;
    unsigned column;
    bool quoted;
    bool odd;        /* worth a look: a quote or backslash at an end, or perhaps not printable ASCII */
};

/* An error in the line that is being parsed: where, what is wrong, what was expected. */
#define fail(p, column, ...) \
    ((p)->misread ? (void)0 \
                  : ((p)->failed = true, conf_complain((p)->conf, SEVERITY_ERROR, (p)->number, column, __VA_ARGS__)))

/* The column of the next byte, counted from 1. */
static inline unsigned parser_column(const struct parser *p)
{
    return (unsigned)p->at + 1;
}

static inline bool is_blank(char c)
{
    return c <= ' ' && (c == ' ' || c == '\t' || c == '\n'); /* most are not; a line feed is in lines that go on (lines.c) */
}

/* ---- memory.c ---- */

/* Zeroed memory that lives as long as the configuration; there is always some, or the program ends. */
void *memory_take(struct conf *conf, size_t size);

/* Is this byte in memory of the configuration? Else it is a constant. */
bool memory_holds(const struct conf *conf, const char *byte);

/* ---- lines.c ---- */

/* A line that goes on in others, as it is parsed: with all of them, as long as in the file, and blanks for backslashes. */
struct folded {
    struct folded *next;
    struct slice text;
};

/* All lines of the configuration, those of included files in their place. */
struct lines {
    struct source *source; /* of the line that was taken last */
    struct slice rest;     /* of the source */
    unsigned number;       /* of that line in the whole */
    unsigned next;
    bool goes_on;          /* it has others in it, each behind a line feed */
    bool open;             /* it ends in a backslash, and cannot go on */
    const struct folded *folded; /* what the next line is that goes on; NULL: that has still to be made */
};

struct lines lines_of(const struct conf *conf);

/* The next line, without its end; false behind the last one. */
bool lines_next(struct lines *lines, struct slice *line);

/* Makes of a line that goes on what lines_next returns from now on. */
struct slice lines_fold(struct conf *conf, struct slice line);

/* A text of such a line with one blank for each end of a line, and the blanks around it. */
struct slice lines_unfold(struct conf *conf, struct slice text);

/* The length of what becomes such a blank at this index; 0: nothing does. */
size_t lines_folded_at(struct slice text, size_t at);

/* The error of a line that ends in a backslash, and cannot go on. */
void lines_fail_open(struct parser *p);

/* The same for a text at the end of the line, behind which is `at`; warns where it goes on or does not in doubt. */
void lines_check_text(struct parser *p, struct slice text);

/* Warns of a comment that seems to go on in the next line. */
void lines_doubt_comment(struct parser *p);

/* ---- file.c ---- */

/* Reads the file that `file` names, if it is safe to use. Returns NULL, or why it cannot be used. */
const char *file_read(struct conf *conf, struct source *file);

/* A byte order mark at its beginning is none of a text. */
struct slice file_unmarked(struct slice bytes);

/* ---- watch.c ---- */

/* The configuration depends on this file or directory, which is so; NULL: which is not there, or cannot be looked at. */
void watch(struct conf *conf, const char *path, const struct stat *status);

/* ---- words.c ---- */

void word_skip_blanks(struct parser *p);

/* The index behind the closing quote of a word that begins at `at`, or 0 if it is not quoted. */
size_t word_end_of_quoted(struct slice line, size_t at);

/* The next word of the line, whatever it looks like; false at its end or before a comment. */
bool word_take(struct parser *p, struct word *word);

/* Has the word been written as it is meant? If not, that is an error. */
bool word_check(struct parser *p, const struct word *word);

/* The next word of the line; false at its end or before a comment. An odd one is an error, and there all the same. */
bool word_next(struct parser *p, struct word *word);

/* The next word, which may hold anything, as paths and arguments may, and did in 1.x. What is odd is doubtful only. */
bool word_next_value(struct parser *p, struct word *word);

/* The next word, if it is one that may stand there; else it is left for others. */
bool word_next_if(struct parser *p, struct word *word, bool (*is_wanted)(struct word word));

/* A word that must be there; `what` says what was expected. A name must not be "", nor a value (word_next_value). */
bool word_need(struct parser *p, struct word *word, const char *what);
bool word_need_name(struct parser *p, struct word *word, const char *what);
bool word_need_value(struct parser *p, struct word *word, const char *what);

/* A word that can only be this one. */
bool word_need_exactly(struct parser *p, const char *expected);

/* The line must be over. */
void word_need_end(struct parser *p);

/* The rest of the line without comment and trailing blanks; need_rest: it must not be empty. */
struct slice word_rest(struct parser *p);
struct slice word_need_rest(struct parser *p, const char *what);

bool word_is(struct word word, const char *text);

/* Warns of what cannot be seen in a word that may hold it. */
void word_doubt(struct parser *p, const struct word *word);

/* Is the last character a quote that nothing has opened? */
bool word_ends_in_quote(const struct word *word, size_t *offset, struct glyph *glyph);

/* The text without its quotes of any kind. */
struct slice word_without_quotes(struct parser *p, struct slice text);

/* Advises to write this word, in quotes where it needs them; it lies behind an error of this line. */
void word_advise(struct parser *p, struct slice word);

/* ---- values.c ---- */

/* A number from 1 to `max`. */
bool value_number(struct parser *p, struct word word, uint64_t max, uint64_t *number);

/* CODE TEXT. `status` is the enhanced code, without its class, that fits the directive. */
void value_reply(struct parser *p, struct word code, struct slice status, struct reply *reply);

/* A domain in its canonical form, or a literal if there may be one; `text` itself, and an error, if it is none. */
struct slice value_domain(struct parser *p, struct slice text, unsigned column, bool literal, const char *like);

/* The canonical form of what a line holds: that itself, in most cases. */
struct slice value_keep(struct parser *p, struct slice written, struct slice canonical);

/* The word with this index of those that a row has to choose from; empty behind the last. */
struct slice value_choice(const struct keyword *k, size_t index);

/* A regular expression for hosts or recipients, which `directive` has: the next word, or this one. */
bool value_pattern(struct parser *p, const char *directive, bool for_recipients, struct pattern *pattern);
void value_set_pattern(struct parser *p, struct word word, const char *directive, bool for_recipients,
                       struct pattern *pattern);

/* ---- clients.c ---- */

/* The group with this name; rules may name it before it is defined. */
struct allowgroup *client_group(struct conf *conf, struct slice name);

/* If the last line had a network, takes those that follow and differ from it in nothing but the network. */
void client_networks(struct parser *p);

/* ---- handlers.c ---- */

/* Reads a word that is the place of a service; `others` is what else could stand there. False behind an error. */
bool place_parse(struct parser *p, struct word word, const char *others, struct where *where);

/* ---- tables.c ---- */

/* The table with this name; a table line may define it later. NULL behind an error. */
struct table *table_use(struct parser *p, struct slice name, unsigned column);

/* A word that is the name of a table; false behind an error. */
bool table_need_name(struct parser *p, struct word *word, const char *what);

/* The same of a word table:NAME; NULL also of any other word. */
struct table *table_of_word(struct parser *p, struct word word);

/* Tables that are named must be defined. */
void tables_resolve(struct conf *conf);

/* ---- conditions.c ---- */

/*
 * ADDRESS, @DOMAIN or /REGEX/, of senders also <>, of recipients also table:NAME; `directive` is what the log calls an
 * expression.
 */
void mailboxes_parse(struct parser *p, const char *directive, bool senders, struct mailboxes *mailboxes);

/* A word that is /REGEX/, for addresses and names; NULL behind an error. */
struct pattern *expression_parse(struct parser *p, const char *directive);

/* What stands before rcpt_to, and that. */
void conditions_parse(struct parser *p, struct rule *rule);

/* for allowgroup NAME, not allowgroup NAME, any number of them, up to the end of the line. */
void conditions_parse_groups(struct parser *p, struct rule *rule);

/* ---- targets.c ---- */

/* What stands behind the recipient. */
void target_parse(struct parser *p, struct target *target);

/* Is this the word of an option of a command? Then target_option reads what belongs to it, too. */
bool target_is_option(struct word word);
bool target_option(struct parser *p, struct word word, struct target *target);

/* ---- keywords.c ---- */

/* How lines are read and written that only conf/ knows, behind the kinds of keyword.h. */
enum {
    CONF_PROGRAM = KEYWORD_KINDS, /* auth.command: struct program */
    CONF_LISTING,                 /* auth.users, auth.senders: struct slice */
    CONF_QUARANTINE,              /* quarantine: struct quarantine */
    CONF_POLICY,
    CONF_TABLE,
    CONF_MILTER,
    CONF_MACROS,
    CONF_SERVER,                  /* dns.server: struct dns_settings */
    CONF_HOSTS,                   /* allow, deny: struct patterns */
    CONF_CLIENTS,                 /* lockout.exempt, proxy_protocol, quiet: struct patterns */
    CONF_SPEAKERS,                /* xclient, xforward: struct patterns */
    CONF_GROUP,
    CONF_DNSBL,
    CONF_DNSWL,
    CONF_BYPASS,
    CONF_DELIVER,
    CONF_REFUSE,
    CONF_ALSO,
    CONF_REWRITE,
    CONF_ERROR,
    CONF_STATUS,
    CONF_INCLUDE,
    CONF_KINDS
};

/* All directives: rows 0 to KEYWORDS - 1 of all tables. */
enum { KEYWORDS_MOST = 128 }; /* there are not more, which a unit test holds */
size_t keywords_count(void);
const struct keyword *keywords_row(size_t index);

/* The row of this directive; keywords_count() if there is none. */
size_t keywords_find(struct slice name);

/* Where the value of a row is. */
void *keywords_value(struct conf *conf, size_t index);

/* Calls for each row, in their order, with where its value is: no index has to be looked up. */
typedef void keyword_visit(const struct keyword *k, void *value, void *context);
void keywords_each(struct conf *conf, keyword_visit *visit, void *context);

/* Parses what follows the name of the directive, whose value is there; prints its value behind the name. */
void keywords_parse(struct parser *p, const struct keyword *k, void *value);
void keywords_print(struct conf *conf, size_t index, FILE *out);

/* It is not the name of a directive; of which one, perhaps? */
void keywords_fail_unknown(struct parser *p, struct word word);

/* ---- the kinds: how a value is read, and how it is written behind a blank ---- */

typedef void kind_parse(struct parser *p, const struct keyword *k, void *value);
typedef void kind_print(const struct keyword *k, const void *value, FILE *out);

/* values.c */
kind_parse parse_word, parse_words, parse_domain, parse_flags, parse_text, parse_switch, parse_choice, parse_limit, parse_count,
    parse_delay, parse_check, parse_pause, parse_server;

/* clients.c, deliveries.c, targets.c */
kind_parse parse_hosts, parse_clients, parse_speakers, parse_group, parse_dnsbl, parse_dnswl, parse_bypass;
kind_parse parse_program, parse_deliver, parse_refuse, parse_also, parse_error, parse_status;

/* rewrites.c */
kind_parse parse_rewrite;

/* tables.c */
kind_parse parse_table, parse_listing;

/* handlers.c */
kind_parse parse_policy, parse_milter, parse_macros, parse_quarantine;

/* include.c */
kind_parse parse_include;

/* print.c */
kind_print print_word, print_words, print_text, print_switch, print_choice, print_limit, print_count, print_check, print_pause,
    print_program, print_quarantine;

#endif
