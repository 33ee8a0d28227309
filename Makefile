# Builds, tests and installs mailrecv. `make help` lists the targets.

PREFIX     ?= /usr/local
SYSCONFDIR ?= /etc
DESTDIR    ?=
SBINDIR     = $(PREFIX)/sbin
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
ALL_CFLAGS  = -std=gnu11 -D_GNU_SOURCE $(CPPFLAGS) $(CFLAGS) $(HARDEN) $(WARN) -MMD -MP
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(LDFLAGS)
LDLIBS      = -lpcre2-8

# mailrecv.c holds main; all else can be linked into a test.
MODULES = smtp monitor sandbox accept deliver command mailbox environment copy check conf message rules peer envelope reply line log
OBJECTS = $(MODULES:%=$(BUILD)/%.o)

all: mailrecv

mailrecv: $(BUILD)/mailrecv
	cp $< $@

$(BUILD)/mailrecv: $(BUILD)/mailrecv.o $(OBJECTS)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/%.o: %.c | $(BUILD)
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/mailrecv.o: CPPFLAGS += -DSYSCONFDIR='"$(SYSCONFDIR)"'

$(BUILD):
	mkdir -p $@

-include $(wildcard $(BUILD)/*.d)

# For tests that link most of the program.
print-objects: $(BUILD)/mailrecv.o $(OBJECTS)
	@echo $^

clean:
	rm -rf $(BUILD) mailrecv

.PHONY: all clean print-objects
