# packaging.mk - make install, uninstall, demo and serve; included by the Makefile

FAIL2BANDIR  = $(SYSCONFDIR)/fail2ban
XINETDDIR    = $(SYSCONFDIR)/xinetd.d
LOGROTATEDIR = $(SYSCONFDIR)/logrotate.d
SYSUSERSDIR  = $(PREFIX)/lib/sysusers.d
TMPFILESDIR  = $(PREFIX)/lib/tmpfiles.d
INSTALL      = install

# What is installed names what is installed, wherever that is.
PLACED = sed -e 's,/usr/local/sbin/mailrecv,$(SBINDIR)/mailrecv,' \
             -e 's,/etc/mailrecv\.conf,$(SYSCONFDIR)/mailrecv.conf,' \
             -e 's,/usr/local/share/doc/mailrecv,$(DOCDIR),'

# Programs have the paths of their files in them: another SYSCONFDIR or PREFIX means compiling anew.
$(BUILD)/mailrecv.o $(BUILD)/checkpassword.o $(BUILD)/process.o: $(BUILD)/sysconfdir
$(BUILD)/sysconfdir: is-it-the-same | $(BUILD)
	@echo '$(SYSCONFDIR) $(LIBEXECDIR)' | cmp -s - $@ || echo '$(SYSCONFDIR) $(LIBEXECDIR)' >$@
is-it-the-same:

## install: copy program, manuals, units and examples to PREFIX (/usr/local) and SYSCONFDIR (/etc)
# An administrator's files, mailrecv.conf and what xinetd and logrotate read, are never overwritten.
install: $(BUILD)/mailrecv $(BUILD)/mailrecv-tls $(BUILD)/mailrecv-checkpassword
	$(INSTALL) -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(LIBEXECDIR) $(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(MANDIR)/man8 $(DESTDIR)$(DOCDIR) \
	    $(DESTDIR)$(UNITDIR) $(DESTDIR)$(SYSUSERSDIR) $(DESTDIR)$(TMPFILESDIR) \
	    $(DESTDIR)$(SYSCONFDIR) $(DESTDIR)$(XINETDDIR) $(DESTDIR)$(LOGROTATEDIR) \
	    $(DESTDIR)$(FAIL2BANDIR)/filter.d $(DESTDIR)$(FAIL2BANDIR)/jail.d
	$(INSTALL) -m 755 $(BUILD)/mailrecv $(DESTDIR)$(SBINDIR)/mailrecv
	$(INSTALL) -m 755 $(BUILD)/mailrecv-checkpassword $(DESTDIR)$(SBINDIR)/mailrecv-checkpassword
	$(INSTALL) -m 755 $(BUILD)/mailrecv-tls $(DESTDIR)$(LIBEXECDIR)/mailrecv-tls
	$(INSTALL) -m 644 man/mailrecv.8 man/mailrecv-tls.8 man/mailrecv-checkpassword.8 $(DESTDIR)$(MANDIR)/man8
	$(INSTALL) -m 644 man/mailrecv.conf.5 $(DESTDIR)$(MANDIR)/man5/mailrecv.conf.5
	$(INSTALL) -m 644 README.md LICENSE mailrecv.conf systemd/demanding-commands.conf $(DESTDIR)$(DOCDIR)
	for unit in mailrecv.socket mailrecv@.service; do \
	    $(PLACED) systemd/$$unit >$(BUILD)/$$unit && \
	    $(INSTALL) -m 644 $(BUILD)/$$unit $(DESTDIR)$(UNITDIR)/$$unit || exit 1; done
	$(INSTALL) -m 644 systemd/sysusers.conf $(DESTDIR)$(SYSUSERSDIR)/mailrecv.conf
	$(INSTALL) -m 644 systemd/tmpfiles.conf $(DESTDIR)$(TMPFILESDIR)/mailrecv.conf
	$(INSTALL) -m 644 fail2ban/filter.d/mailrecv.conf fail2ban/filter.d/mailrecv-auth.conf \
	    $(DESTDIR)$(FAIL2BANDIR)/filter.d
	$(INSTALL) -m 644 fail2ban/jail.d/mailrecv.conf $(DESTDIR)$(FAIL2BANDIR)/jail.d/mailrecv.conf
	$(PLACED) xinetd/mailrecv >$(BUILD)/xinetd
	test -e $(DESTDIR)$(XINETDDIR)/mailrecv || \
	    $(INSTALL) -m 644 $(BUILD)/xinetd $(DESTDIR)$(XINETDDIR)/mailrecv
	test -e $(DESTDIR)$(LOGROTATEDIR)/mailrecv || \
	    $(INSTALL) -m 644 logrotate/mailrecv $(DESTDIR)$(LOGROTATEDIR)/mailrecv
	test -e $(DESTDIR)$(SYSCONFDIR)/mailrecv.conf || \
	    $(INSTALL) -m 644 mailrecv.conf $(DESTDIR)$(SYSCONFDIR)/mailrecv.conf

## uninstall: remove all of that but mailrecv.conf
# Leaves mailrecv.conf, and directories that others may share. Stop the super-server first.
uninstall:
	rm -f $(DESTDIR)$(SBINDIR)/mailrecv-checkpassword $(DESTDIR)$(MANDIR)/man8/mailrecv-checkpassword.8
	rm -f $(DESTDIR)$(SBINDIR)/mailrecv $(DESTDIR)$(MANDIR)/man8/mailrecv.8 \
	    $(DESTDIR)$(LIBEXECDIR)/mailrecv-tls $(DESTDIR)$(MANDIR)/man8/mailrecv-tls.8 \
	    $(DESTDIR)$(MANDIR)/man5/mailrecv.conf.5 $(DESTDIR)$(UNITDIR)/mailrecv.socket \
	    $(DESTDIR)$(UNITDIR)/mailrecv@.service $(DESTDIR)$(XINETDDIR)/mailrecv \
	    $(DESTDIR)$(FAIL2BANDIR)/filter.d/mailrecv.conf $(DESTDIR)$(FAIL2BANDIR)/jail.d/mailrecv.conf \
	    $(DESTDIR)$(FAIL2BANDIR)/filter.d/mailrecv-auth.conf \
	    $(DESTDIR)$(SYSUSERSDIR)/mailrecv.conf $(DESTDIR)$(TMPFILESDIR)/mailrecv.conf \
	    $(DESTDIR)$(LOGROTATEDIR)/mailrecv
	rm -f $(addprefix $(DESTDIR)$(DOCDIR)/,README.md LICENSE mailrecv.conf demanding-commands.conf)
	test ! -d $(DESTDIR)$(DOCDIR) || rmdir $(DESTDIR)$(DOCDIR)

## demo: serve on a free loopback port, send two messages, show what happens, clean up
## serve: the same set-up, until Ctrl-C, for you to try
demo serve:
	@tests/demo $@

.PHONY: install uninstall demo serve is-it-the-same
