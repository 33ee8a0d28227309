# bench.mk - builds and runs the benchmark; included by Makefile

BENCH  ?= session recipients big rules tables idle concurrency counts tls dns handover
ROUNDS ?=

BENCH_TOOLS = driver floor floor-static answer tls

## bench: measure BENCH (session recipients big rules tables idle concurrency counts tls dns handover; publish databases redis) in ROUNDS (200); plots to bench/session.svg
bench: all $(BENCH_TOOLS:%=$(BUILD)/bench/%)
	@tests/deps build bench
	+@$(MAKE) -s STATIC=1 $(BUILD)/static/mailrecv
	@MAILRECV_STATIC=$(BUILD)/static/mailrecv bench/run -b $(BUILD)/bench $(if $(ROUNDS),-n $(ROUNDS)) $(BENCH)

$(BUILD)/bench:
	mkdir -p $@

$(BUILD)/bench/driver: bench/driver.c | $(BUILD)/bench
	$(CC) $(TEST_CFLAGS) $(ALL_LDFLAGS) -o $@ $< -lm

$(BUILD)/bench/floor $(BUILD)/bench/answer: $(BUILD)/bench/%: bench/%.c | $(BUILD)/bench
	$(CC) $(TEST_CFLAGS) $(ALL_LDFLAGS) -o $@ $<

$(BUILD)/bench/floor-static: bench/floor.c | $(BUILD)/bench
	$(CC) $(TEST_CFLAGS) -static-pie $(LDFLAGS) -o $@ $<

$(BUILD)/bench/tls: bench/tls.c | $(BUILD)/bench
	$(CC) $(TEST_CFLAGS) $(ALL_LDFLAGS) -o $@ $< -lssl -lcrypto

.PHONY: bench
