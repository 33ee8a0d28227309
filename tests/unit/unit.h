/* unit.h - what a unit test needs: three kinds of assertion, each one line of TAP */
#ifndef UNIT_H
#define UNIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* A string literal that may hold NUL bytes. */
#define BYTES(literal) ((struct slice){ (literal), sizeof(literal) - 1 })

/* Ten times a string literal. */
#define X10(literal) literal literal literal literal literal literal literal literal literal literal

/* Each prints `ok N - WHAT` or `not ok N - WHAT` and, if it failed, what it got and wanted. */
bool ok(bool passed, const char *what, ...) __attribute__((format(printf, 2, 3)));
bool ok_number(uintmax_t got, uintmax_t want, const char *what, ...) __attribute__((format(printf, 3, 4)));
bool ok_text(struct slice got, struct slice want, const char *what, ...) __attribute__((format(printf, 3, 4)));

/* A text as it can stand in a line of TAP: \xNN for what is not printable. Lives for eight calls. */
const char *show(struct slice text);

/* All of a file from its beginning, as a slice that lives until the next call. */
struct slice file_text(int fd);

/* The suites, one per module. */
void test_slice(void);
void test_log(void);
void test_envelope(void);
void test_line(void);
void test_reply(void);
void test_message(void);
void test_client(void);
void test_conf(void);
void test_rules(void);
void test_pattern(void);
void test_network(void);
void test_sasl(void);
void test_wire(void);
void test_canonical(void);
void test_dns(void);
void test_hosts(void);
void test_ledger(void);
void test_lockout_db(void);
void test_redis_place(void);
void test_proxy(void);
void test_told(void);
void test_regex_lint(void);
void test_chunk(void);
void test_counts(void);
void test_scope(void);
void test_mend(void);
void test_said(void);
void test_netstring(void);
void test_stored(void);
void test_shell(void);
void test_where(void);
void test_tables(void);
void test_response(void);
void test_policy(void);
void test_milter(void);
void test_milter_message(void);
void test_connect(void);
void test_credentials(void);
void test_tls(void);
void test_content(void);

#endif
