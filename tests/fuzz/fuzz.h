/* fuzz.h - the fuzz targets: functions of (data, size) that abort when a promise is broken */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* What must be true whatever the bytes are. */
#define HOLDS(condition) \
    ((condition) ? (void)0 : (fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition), abort()))

typedef void fuzz_target(const uint8_t *data, size_t size);

/* Each file says what its bytes mean. */
fuzz_target fuzz_chunk;
fuzz_target fuzz_line, fuzz_envelope, fuzz_sasl, fuzz_message, fuzz_conf, fuzz_session, fuzz_monitor, fuzz_starttls;
fuzz_target fuzz_dns, fuzz_proxy, fuzz_told, fuzz_report, fuzz_resolver, fuzz_header, fuzz_response, fuzz_dialogue, fuzz_policy, fuzz_milter, fuzz_milter_message;
fuzz_target fuzz_lookup, fuzz_table, fuzz_mailbox, fuzz_shell;

#endif
