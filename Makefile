# Builds, tests and installs mailrecv. `make help` lists the targets.

VERSION     = 2.0

PREFIX     ?= /usr/local
SYSCONFDIR ?= /etc
DESTDIR    ?=
BINDIR      = $(PREFIX)/bin
SBINDIR     = $(PREFIX)/sbin
LIBEXECDIR  = $(PREFIX)/libexec
MANDIR      = $(PREFIX)/share/man
DOCDIR      = $(PREFIX)/share/doc/mailrecv
UNITDIR     = $(PREFIX)/lib/systemd/system

BUILD  ?= build
CC     ?= cc
CFLAGS ?= -O2 -g
WARN    = -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 \
          -Wvla -Wpointer-arith -Wcast-qual -Wwrite-strings $(WERROR)
HARDEN ?= -fPIE -fstack-protector-strong -fstack-clash-protection $(CF_$(shell uname -m)) \
          -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
CF_x86_64 = -fcf-protection=full
ALL_CFLAGS  = -std=gnu11 -D_GNU_SOURCE -DVERSION='"$(VERSION)"' -I. $(CPPFLAGS) $(CFLAGS) $(HARDEN) $(WARN) -MMD -MP
# noseparate-code: code and constants are one mapping, not three, to be made at each start and copied by each fork.
ALL_LDFLAGS = -Wl,-z,relro,-z,now -Wl,-z,noseparate-code -Wl,--as-needed -Wl,--sort-section=name $(PACKED_$(shell uname -m)) $(LDFLAGS)
# What the dynamic loader has to add its address to is 1300 places in tables: a bitmap of them is read faster than their list.
# Other ld than that for x86-64 do not know it yet.
PACKED_x86_64 = -Wl,-z,pack-relative-relocs
# Three functions of libmd, 4 KB, are linked in: to load the library would take longer than the digest of most messages.
LDLIBS      = -l:libmd.a

# make STATIC=1: no dynamic loader, a faster start; users are those of /etc/passwd, whatever nsswitch.conf says
ifdef STATIC
override BUILD := $(BUILD)/static
ALL_CFLAGS += -DSTATIC
LINK        = -static-pie
LDLIBS      = -lhiredis -lpcre2-8 -lcares -lidn2 -lunistring -l:libmd.a
else
LINK        = -pie
endif

# Each folder is a room of the program, but for those in programs/: they are programs of their own. mailrecv.c holds
# main; all else can be linked into a test.
ROOMS   = base patterns session dns nexthop stores tables client rules delivery handlers listener conf monitor smtp admin
SOURCES = rules.c smtp.c $(sort $(wildcard $(ROOMS:%=%/*.c)))
OBJECTS = $(SOURCES:%.c=$(BUILD)/%.o)
program_of = $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard programs/$(1)/*.c)))
HEADERS = $(wildcard *.h $(ROOMS:%=%/*.h) programs/*/*.h)

all: mailrecv mailrecv-tls mailrecv-checkpassword mailrecv-report mailrecv-lookup mailrecv-publish

# Compared, because another build of it may be newer.
mailrecv mailrecv-tls mailrecv-checkpassword mailrecv-report mailrecv-lookup mailrecv-publish: %: $(BUILD)/% always
	@cmp -s $< $@ || { echo install -m 755 $< $@ && install -m 755 $< $@; }
always:

$(BUILD)/mailrecv: $(BUILD)/mailrecv.o $(OBJECTS)
	$(CC) $(ALL_CFLAGS) $(LINK) $(ALL_LDFLAGS) -o $@ $^ $(LDLIBS)

# The only one that is linked with OpenSSL: sessions in clear do not pay for it.
$(BUILD)/mailrecv-tls: $(call program_of,tls) $(BUILD)/base/inherited.o $(BUILD)/base/sandbox.o
	$(CC) $(ALL_CFLAGS) -pie $(ALL_LDFLAGS) -o $@ $^ -lssl -lcrypto

# The only program that needs libcrypt.
$(BUILD)/mailrecv-checkpassword: $(call program_of,checkpassword) \
    $(addprefix $(BUILD)/,session/envelope.o base/guarded.o base/log.o base/outlet.o base/utf8.o)
	$(CC) $(ALL_CFLAGS) -pie $(ALL_LDFLAGS) -o $@ $^ -lcrypt

# Needs the C library only.
$(BUILD)/mailrecv-report: $(call program_of,report)
	$(CC) $(ALL_CFLAGS) -pie $(ALL_LDFLAGS) -o $@ $^

# Loads the libraries of databases, also where mailrecv is linked statically.
$(BUILD)/mailrecv-lookup: $(call program_of,lookup) $(BUILD)/programs/lookup/library.o \
    $(addprefix $(BUILD)/,base/inherited.o base/netstring.o base/sandbox.o)
	$(CC) $(ALL_CFLAGS) -pie $(ALL_LDFLAGS) -o $@ $^

# Loads the libraries of brokers, in the same way.
$(BUILD)/mailrecv-publish: $(call program_of,publish) $(BUILD)/programs/lookup/library.o \
    $(addprefix $(BUILD)/base/,credentials.o guarded.o inherited.o)
	$(CC) $(ALL_CFLAGS) -pie $(ALL_LDFLAGS) -o $@ $^

$(BUILD)/programs/lookup/%.o $(BUILD)/programs/publish/%.o: ALL_CFLAGS += -USTATIC

$(BUILD)/programs/lookup/library.o: base/library.c | $(BUILD)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/%.o: %.c | $(BUILD)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/admin/options.o $(BUILD)/admin/services.o $(BUILD)/programs/checkpassword/checkpassword.o: CPPFLAGS += -DSYSCONFDIR='"$(SYSCONFDIR)"'

$(BUILD)/admin/options.o $(BUILD)/admin/services.o $(BUILD)/programs/checkpassword/checkpassword.o $(BUILD)/programs/tls/tls.o \
    $(BUILD)/programs/report/report.o $(BUILD)/programs/lookup/lookup.o \
    $(BUILD)/programs/publish/publish.o: Makefile # for VERSION

$(BUILD)/base/process.o: CPPFLAGS += -DLIBEXECDIR='"$(LIBEXECDIR)"'

$(BUILD):
	mkdir -p $@

-include $(wildcard $(BUILD)/*.d $(BUILD)/*/*.d $(BUILD)/programs/*/*.d)

# For tests that link most of the program: what there is to link, with its libraries.
# The folder of the dialogue is an archive there: who brings a dialogue instead of smtp.o gets nothing of it.
print-objects: $(BUILD)/mailrecv.o $(filter-out $(BUILD)/smtp/%,$(OBJECTS)) $(BUILD)/smtp.a
	@echo $^ $(LDLIBS)

$(BUILD)/smtp.a: $(filter $(BUILD)/smtp/%,$(OBJECTS))
	rm -f $@ && ar rcs $@ $^

print-sources:
	@echo mailrecv.c $(SOURCES) $(wildcard programs/*/*.c)

## cert: write a self-signed pair for trying TLS out, key.pem and cert.pem, for CERT_NAME (localhost)
CERT_NAME ?= localhost
cert:
	@for file in key.pem cert.pem; do \
	    test ! -e $$file || { echo "$$file exists, and is left as it is" >&2; exit 1; }; done
	@openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -subj '/CN=$(CERT_NAME)' \
	    -addext 'subjectAltName=DNS:$(CERT_NAME)' -keyout key.pem -out cert.pem
	@echo 'Written: key.pem and cert.pem, for $(CERT_NAME), for a year'

clean:
	rm -rf $(BUILD) mailrecv mailrecv-tls mailrecv-checkpassword mailrecv-report mailrecv-lookup mailrecv-publish

.PHONY: all always cert clean print-objects print-sources

# install, uninstall, deb, html, demo, serve
-include packaging.mk

# ---- tests -----------------------------------------------------------------------------------

TEST_CFLAGS  = $(filter-out -MMD -MP,$(ALL_CFLAGS))
UNIT         = $(wildcard tests/unit/*.c)
FUZZ_TARGETS = line chunk envelope sasl message header conf session monitor starttls dns resolver proxy told report response dialogue policy milter milter_message lookup table mailbox shell
FUZZ         = $(FUZZ_TARGETS:%=tests/fuzz/%.c)
FUZZ_SECONDS ?= 100
FUZZED_OBJECTS = $(OBJECTS) $(filter-out %/report.o,$(call program_of,report)) $(addprefix $(BUILD)/programs/lookup/,query.o socketmap.o)

# Instruments make system calls that a confined session must not make.
UNCONFINED = -DSANDBOX_DEFAULT=\"off\"
# Variables of a build with sanitizers: make BUILD=build-asan $(SANITIZED) build-asan/mailrecv
SANITIZE  = -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
SANITIZED = CC=clang HARDEN= CPPFLAGS='$(UNCONFINED)' CFLAGS="-O1 -g $(SANITIZE)"
FUZZED    = CC=clang HARDEN= CPPFLAGS='$(UNCONFINED)' CFLAGS="-O1 -g $(SANITIZE) -fsanitize=fuzzer-no-link"

## test: install what is missing, build, run all tests (ONLY='dns tls': these parts); ends with `N passed, N failed`
ONLY ?=
test:
	+@$(if $(ONLY),tests/deps build test && $(MAKE) -s all $(BUILD)/unit $(BUILD)/replay &&) tests/run $(ONLY)

## check: test, and then other compilers, analysers, sanitizers, valgrind, a little fuzzing
check:
	+@status=0; tests/run || status=1; tests/check || status=1; exit $$status

## docs-check: hold the table of keywords, mailrecv.conf, manual pages, help and README together
docs-check:
	@tests/deps build test
	+@$(MAKE) -s all
	@tests/run docs.bats

## fuzz: look for new crashes for FUZZ_SECONDS (100) in all, shared by the targets
fuzz:
	@tests/deps build check
	+@$(MAKE) -s BUILD=build-fuzz $(FUZZED) $(FUZZ_TARGETS:%=build-fuzz/fuzz-%)
	@tests/fuzz/run $(FUZZ_SECONDS) $(FUZZ_TARGETS)

## cover: run the tests, and say which lines of the program they execute
cover:
	@tests/deps build test check
	+@tests/cover

## help: list these targets
help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST) | sort

$(BUILD)/unit: $(UNIT) tests/unit/unit.h $(OBJECTS) $(HEADERS)
	$(CC) $(TEST_CFLAGS) $(LINK) $(ALL_LDFLAGS) -o $@ $(UNIT) $(OBJECTS) $(LDLIBS)

# The target dns answers the questions itself; dialogue says the next line when somebody waits for it.
$(BUILD)/replay $(BUILD)/fuzz-dns: WRAPPED += -Wl,--wrap=dns_ask,--wrap=dns_send
$(BUILD)/replay $(BUILD)/fuzz-dialogue: WRAPPED += -Wl,--wrap=ppoll

$(BUILD)/replay: tests/fuzz/replay.c $(FUZZ) tests/fuzz/fuzz.h $(FUZZED_OBJECTS) $(HEADERS)
	$(CC) $(TEST_CFLAGS) $(LINK) $(ALL_LDFLAGS) $(WRAPPED) -o $@ tests/fuzz/replay.c $(FUZZ) $(FUZZED_OBJECTS) $(LDLIBS)

$(BUILD)/fuzz-%: tests/fuzz/libfuzzer.c tests/fuzz/%.c tests/fuzz/fuzz.h $(FUZZED_OBJECTS) $(HEADERS)
	$(CC) $(TEST_CFLAGS) -DTARGET=fuzz_$* -fsanitize=fuzzer $(WRAPPED) -o $@ $(filter %.c,$^) $(FUZZED_OBJECTS) $(LDLIBS)

# For make cover: a session that is able to write its counters.
$(BUILD)/counted: tests/tools/count.c $(BUILD)/mailrecv.o $(OBJECTS)
	$(CC) $(TEST_CFLAGS) $(LINK) $(ALL_LDFLAGS) -Wl,--wrap=_exit,--wrap=syscall -o $@ $^ $(LDLIBS)

clean: clean-tests
clean-tests:
	rm -rf build-asan build-check build-cover build-fuzz

.PHONY: test check docs-check fuzz cover help clean-tests

-include bench/bench.mk
