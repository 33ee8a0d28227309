# packaging.mk - make install, uninstall, deb, html, demo and serve; included by the Makefile

FAIL2BANDIR  = $(SYSCONFDIR)/fail2ban
XINETDDIR    = $(SYSCONFDIR)/xinetd.d
LOGROTATEDIR = $(SYSCONFDIR)/logrotate.d
SYSUSERSDIR  = $(PREFIX)/lib/sysusers.d
TMPFILESDIR  = $(PREFIX)/lib/tmpfiles.d
BASHDIR      = $(PREFIX)/share/bash-completion/completions
ZSHDIR       = $(PREFIX)/share/zsh/site-functions
INSTALL      = install

# Bash looks for the completion of a program under its name.
COMPLETED = mailrecv-checkpassword mailrecv-lookup mailrecv-publish mailrecv-report mailrecv-tls

# What is installed names what is installed, wherever that is.
PLACED = sed -e 's,/usr/local/sbin/mailrecv,$(SBINDIR)/mailrecv,' -e 's,/usr/local/libexec/mailrecv,$(LIBEXECDIR)/mailrecv,' \
             -e 's,/etc/mailrecv\([-./][a-z]\),$(SYSCONFDIR)/mailrecv\1,g' \
             -e 's,/usr/local/share/doc/mailrecv,$(DOCDIR),'

# What serves another port is what serves port 25, with another name, number and configuration.
OTHER_PORTS = submission=587 submissions=465
FOR_PORT = sed -e "s,mailrecv\(-listen\|@\)*\.\(socket\|service\),mailrecv-$${at%=*}\1.\2,g" \
               -e "s,/etc/mailrecv\.conf,/etc/mailrecv-$${at%=*}.conf,; s/\<25\>/$${at\#*=}/" \
               -e "s/^\(service\|\#\) mailrecv\(-wait\)*\( -\|$$\)/\1 mailrecv-$${at%=*}\2\3/"

# Of each port: a process started for each connection, or one that accepts.
UNITS  = .socket @.service -listen.socket -listen.service
XINETD = '' -wait

# Programs have the paths of their files in them: another SYSCONFDIR or PREFIX means compiling anew.
$(BUILD)/admin/options.o $(BUILD)/programs/checkpassword/checkpassword.o $(BUILD)/base/process.o: $(BUILD)/sysconfdir
$(BUILD)/sysconfdir: is-it-the-same | $(BUILD)
	@echo '$(SYSCONFDIR) $(LIBEXECDIR)' | cmp -s - $@ || echo '$(SYSCONFDIR) $(LIBEXECDIR)' >$@
is-it-the-same:

# Of README.
PICTURES = man/delivery.svg bench/session.svg

## install: copy program, manuals, units and examples to PREFIX (/usr/local) and SYSCONFDIR (/etc)
# An administrator's files, mailrecv*.conf and what xinetd and logrotate read, are never overwritten.
install: $(BUILD)/mailrecv $(BUILD)/mailrecv-tls $(BUILD)/mailrecv-checkpassword $(BUILD)/mailrecv-report $(BUILD)/mailrecv-lookup \
    $(BUILD)/mailrecv-publish
	$(INSTALL) -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(MANDIR)/man7
	$(INSTALL) -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(LIBEXECDIR) $(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(MANDIR)/man8 $(DESTDIR)$(DOCDIR) \
	    $(DESTDIR)$(UNITDIR) $(DESTDIR)$(SYSUSERSDIR) $(DESTDIR)$(TMPFILESDIR) \
	    $(DESTDIR)$(SYSCONFDIR) $(DESTDIR)$(XINETDDIR) $(DESTDIR)$(LOGROTATEDIR) \
	    $(DESTDIR)$(FAIL2BANDIR)/filter.d $(DESTDIR)$(FAIL2BANDIR)/jail.d
	$(INSTALL) -m 755 $(BUILD)/mailrecv $(DESTDIR)$(SBINDIR)/mailrecv
	$(INSTALL) -m 755 $(BUILD)/mailrecv-checkpassword $(DESTDIR)$(SBINDIR)/mailrecv-checkpassword
	$(INSTALL) -m 755 $(BUILD)/mailrecv-lookup $(DESTDIR)$(SBINDIR)/mailrecv-lookup
	$(INSTALL) -m 755 $(BUILD)/mailrecv-report $(DESTDIR)$(BINDIR)/mailrecv-report
	$(INSTALL) -m 755 $(BUILD)/mailrecv-publish $(DESTDIR)$(BINDIR)/mailrecv-publish
	$(INSTALL) -m 755 $(BUILD)/mailrecv-tls $(DESTDIR)$(LIBEXECDIR)/mailrecv-tls
	for page in $(PAGES); do $(PLACED) man/$$page >$(BUILD)/page && \
	    $(INSTALL) -D -m 644 $(BUILD)/page $(DESTDIR)$(MANDIR)/man$${page##*.}/$$page || exit 1; done
	$(INSTALL) -m 644 README.md LICENSE mailrecv.conf systemd/demanding-commands.conf $(DESTDIR)$(DOCDIR)
	for picture in $(PICTURES); do \
	    $(INSTALL) -D -m 644 $$picture $(DESTDIR)$(DOCDIR)/$$picture || exit 1; done
	for unit in $(UNITS:%=mailrecv%); do \
	    $(PLACED) systemd/$$unit >$(BUILD)/$$unit && \
	    $(INSTALL) -m 644 $(BUILD)/$$unit $(DESTDIR)$(UNITDIR)/$$unit || exit 1; done
	for at in $(OTHER_PORTS); do for unit in $(UNITS); do \
	    $(FOR_PORT) systemd/mailrecv$$unit | $(PLACED) >$(BUILD)/placed && \
	    $(INSTALL) -m 644 $(BUILD)/placed $(DESTDIR)$(UNITDIR)/mailrecv-$${at%=*}$$unit || exit 1; done; \
	    $(PLACED) systemd/tls.conf >$(BUILD)/placed && for unit in $(filter %.service,$(UNITS)); do \
	    $(INSTALL) -D -m 644 $(BUILD)/placed $(DESTDIR)$(UNITDIR)/mailrecv-$${at%=*}$$unit.d/tls.conf || exit 1; done; done
	$(INSTALL) -m 644 $(BUILD)/placed $(DESTDIR)$(DOCDIR)/tls.conf
	$(INSTALL) -m 644 systemd/sysusers.conf $(DESTDIR)$(SYSUSERSDIR)/mailrecv.conf
	$(INSTALL) -m 644 systemd/tmpfiles.conf $(DESTDIR)$(TMPFILESDIR)/mailrecv.conf
	$(INSTALL) -m 644 fail2ban/filter.d/mailrecv.conf fail2ban/filter.d/mailrecv-auth.conf \
	    $(DESTDIR)$(FAIL2BANDIR)/filter.d
	$(INSTALL) -m 644 fail2ban/jail.d/mailrecv.conf $(DESTDIR)$(FAIL2BANDIR)/jail.d/mailrecv.conf
	$(INSTALL) -d $(DESTDIR)$(BASHDIR) $(DESTDIR)$(ZSHDIR)
	$(INSTALL) -m 644 completion/mailrecv.bash $(DESTDIR)$(BASHDIR)/mailrecv
	$(INSTALL) -m 644 completion/_mailrecv $(DESTDIR)$(ZSHDIR)/_mailrecv
	for name in $(COMPLETED); do ln -sf mailrecv $(DESTDIR)$(BASHDIR)/$$name || exit 1; done
	for way in $(XINETD); do $(PLACED) xinetd/mailrecv$$way >$(BUILD)/xinetd && \
	    { test -e $(DESTDIR)$(XINETDDIR)/mailrecv$$way || \
	    $(INSTALL) -m 644 $(BUILD)/xinetd $(DESTDIR)$(XINETDDIR)/mailrecv$$way; } || exit 1; done
	for at in $(OTHER_PORTS); do name=mailrecv-$${at%=*}; for way in $(XINETD); do \
	    $(FOR_PORT) xinetd/mailrecv$$way | $(PLACED) >$(BUILD)/xinetd || exit 1; \
	    test -e $(DESTDIR)$(XINETDDIR)/$$name$$way || \
	    $(INSTALL) -m 644 $(BUILD)/xinetd $(DESTDIR)$(XINETDDIR)/$$name$$way || exit 1; done; \
	    $(PLACED) $$name.conf >$(BUILD)/placed.conf || exit 1; \
	    test -e $(DESTDIR)$(SYSCONFDIR)/$$name.conf || \
	    $(INSTALL) -m 644 $(BUILD)/placed.conf $(DESTDIR)$(SYSCONFDIR)/$$name.conf || exit 1; done
	test -e $(DESTDIR)$(LOGROTATEDIR)/mailrecv || \
	    $(INSTALL) -m 644 logrotate/mailrecv $(DESTDIR)$(LOGROTATEDIR)/mailrecv
	$(PLACED) mailrecv.conf >$(BUILD)/placed.conf
	test -e $(DESTDIR)$(SYSCONFDIR)/mailrecv.conf || \
	    $(INSTALL) -m 644 $(BUILD)/placed.conf $(DESTDIR)$(SYSCONFDIR)/mailrecv.conf

## uninstall: remove all of that but the configuration
# Leaves mailrecv*.conf, and directories that others may share. Stop the super-server first.
uninstall:
	rm -f $(DESTDIR)$(BINDIR)/mailrecv-report $(DESTDIR)$(MANDIR)/man1/mailrecv-report.1 \
	    $(DESTDIR)$(MANDIR)/man7/mailrecv-recipes.7 $(DESTDIR)$(MANDIR)/man7/mailrecv-scale.7
	rm -f $(DESTDIR)$(BINDIR)/mailrecv-publish $(DESTDIR)$(MANDIR)/man1/mailrecv-publish.1
	rm -f $(DESTDIR)$(SBINDIR)/mailrecv-checkpassword $(DESTDIR)$(MANDIR)/man8/mailrecv-checkpassword.8
	rm -f $(DESTDIR)$(SBINDIR)/mailrecv-lookup $(DESTDIR)$(MANDIR)/man8/mailrecv-lookup.8
	rm -f $(DESTDIR)$(SBINDIR)/mailrecv $(DESTDIR)$(MANDIR)/man8/mailrecv.8 \
	    $(DESTDIR)$(LIBEXECDIR)/mailrecv-tls $(DESTDIR)$(MANDIR)/man8/mailrecv-tls.8 \
	    $(DESTDIR)$(MANDIR)/man5/mailrecv.conf.5 $(UNITS:%=$(DESTDIR)$(UNITDIR)/mailrecv%) \
	    $(DESTDIR)$(XINETDDIR)/mailrecv $(DESTDIR)$(XINETDDIR)/mailrecv-wait \
	    $(DESTDIR)$(FAIL2BANDIR)/filter.d/mailrecv.conf $(DESTDIR)$(FAIL2BANDIR)/jail.d/mailrecv.conf \
	    $(DESTDIR)$(FAIL2BANDIR)/filter.d/mailrecv-auth.conf \
	    $(DESTDIR)$(SYSUSERSDIR)/mailrecv.conf $(DESTDIR)$(TMPFILESDIR)/mailrecv.conf \
	    $(DESTDIR)$(LOGROTATEDIR)/mailrecv
	rm -f $(addprefix $(DESTDIR)$(BASHDIR)/,mailrecv $(COMPLETED)) $(DESTDIR)$(ZSHDIR)/_mailrecv
	rm -f $(addprefix $(DESTDIR)$(DOCDIR)/,README.md LICENSE mailrecv.conf demanding-commands.conf tls.conf $(PICTURES))
	for at in $(OTHER_PORTS); do for unit in $(UNITS); do unit=$(DESTDIR)$(UNITDIR)/mailrecv-$${at%=*}$$unit; \
	    rm -rf $$unit $$unit.d; done; for way in $(XINETD); do \
	    rm -f $(DESTDIR)$(XINETDDIR)/mailrecv-$${at%=*}$$way; done; done
	for dir in $(DESTDIR)$(DOCDIR)/man $(DESTDIR)$(DOCDIR)/bench $(DESTDIR)$(DOCDIR); do test ! -d $$dir || rmdir $$dir || exit 1; done

## deb: build a Debian package, and put it into build/deb
# In a copy of the tree: the tools of Debian write into it, and beside it.
DEB = $(BUILD)/deb
deb:
	@tests/deps build deb
	rm -rf $(DEB)
	mkdir -p $(DEB)/mailrecv
	tar -c --exclude=./build --exclude='./build-*' --exclude=./.git . | tar -x -C $(DEB)/mailrecv
	cd $(DEB)/mailrecv && env -u MAKEFLAGS -u MAKELEVEL dpkg-buildpackage -us -uc -b
	lintian --allow-root --fail-on error,warning $(DEB)/mailrecv_*.changes
	@rm -r $(DEB)/mailrecv
	@ls $(DEB)/*.deb

## html: render the manual pages to build/html
PAGES = $(notdir $(wildcard man/*.[1-8]))
HTML  = $(BUILD)/html
html: $(PAGES:%=$(HTML)/%.html) $(HTML)/manual.css $(HTML)/index.html
	@ls $(HTML)/*.html

# Our pages refer to each other; what else there is to read, the system's reader of manual pages has.
$(HTML)/%.html: man/% | $(HTML)
	@cd man && mandoc -Thtml -O 'style=manual.css,man=%N.%S.html;man:%N(%S)' $* >$(abspath $@.new)
	@mv $@.new $@

$(HTML)/manual.css: man/manual.css | $(HTML)
	@$(INSTALL) -m 644 $< $@

$(HTML)/index.html: $(PAGES:%=man/%) | $(HTML)
	@{ echo '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>mailrecv</title>'; \
	   echo '<link rel="stylesheet" href="manual.css"></head><body><h1>mailrecv</h1><ul>'; \
	   for page in $(PAGES); do \
	       sed -n "s,^\.Nd \(.*\),<li><a href=\"$$page.html\">$$page</a> - \1</li>,p" man/$$page; done; \
	   echo '</ul></body></html>'; } >$@

$(HTML):
	@tests/deps docs
	mkdir -p $@

## demo: serve on a free loopback port, send two messages, show what happens, clean up
## serve: the same set-up, until Ctrl-C, for you to try
demo serve:
	@tests/demo $@

.PHONY: install uninstall deb html demo serve is-it-the-same
