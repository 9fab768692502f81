# SPDX-License-Identifier: GPL-2.0-only
#
# Installing the iox command and what belongs to it, for the top-level Makefile.
#
#   PREFIX=DIR    where it will be (/usr/local)
#   DESTDIR=DIR   put in front, for packages

PREFIX ?= /usr/local
# Each file that is installed, relative to the prefix, is made of the one behind the colon.
INSTALL_POLICIES := $(notdir $(patsubst %.c,%.o,$(wildcard bpf/policies/*.bpf.c bpf/admit/*.bpf.c)))
INSTALL_DATA = \
	share/bash-completion/completions/iox:user/completion/iox.bash \
	include/iox/admit.bpf.h:include/iox/admit.bpf.h \
	include/iox/policy.bpf.h:include/iox/policy.bpf.h \
	include/iox/vmlinux.h:vmlinux.h \
	$(foreach policy,$(INSTALL_POLICIES),lib/iox/policies/$(policy):build/bpf/$(policy)) \
	$(foreach page,$(notdir $(wildcard build/man/*.1)),share/man/man1/$(page):build/man/$(page))

.PHONY: man install install-files uninstall uninstall-files

man: build/man/iox.1

build/man/iox.1: build/bin/iox user/man/generate $(wildcard user/man/*.mdoc)
	$(call tell,MAN,$(@D))
	$(Q)rm -rf $(@D)
	$(Q)user/man/generate $< $(@D)

# By a make of its own: only then are all pages there to be listed.
install: bpf user man
	@$(MAKE) -s install-files

install-files:
	@install -D -m 755 build/bin/iox '$(DESTDIR)$(PREFIX)/bin/iox'
	@set -- $(INSTALL_DATA); for pair; do install -D -m 644 "$${pair#*:}" '$(DESTDIR)$(PREFIX)'"/$${pair%%:*}"; done

# Folders that nothing else is in go, too.
uninstall: man
	@$(MAKE) -s uninstall-files

uninstall-files:
	@rm -f '$(DESTDIR)$(PREFIX)/bin/iox'
	@set -- $(INSTALL_DATA); for pair; do rm -f '$(DESTDIR)$(PREFIX)'"/$${pair%%:*}"; done
	@for dir in include/iox lib/iox/policies lib/iox; do rmdir '$(DESTDIR)$(PREFIX)'"/$$dir" 2>/dev/null || true; done
