# SPDX-License-Identifier: GPL-2.0-only
# "make help" lists what there is to make. Everything needed is set up on the way.
#
#   KERNEL_SRC=DIR   another Linux 7.x tree as the base, instead of Debian's linux-source-7.3
#   IOX_CACHE=DIR    where built kernels and tools are kept (~/.cache/iox)
#   KERNEL_CONFIG=FILE  make deb: the kernel of a host, configured like FILE, instead of the VM's
#   POLICIES=DIR     BPF policies of your own, to be built with the others
#   V=1              show the commands

include user/build.mk

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.SECONDARY:
MAKEFLAGS += --no-print-directory

Q := $(if $(V),,@)
tell = $(if $(V),,@printf '  %-8s%s\n' $(1) $(2))

BPF_CC := clang-19
# The kernel embeds tagged structures without a name; without the extension clang would drop them from vmlinux.h's types.
# With the whole path of vmlinux.h, which as a name alone is a target that is always made. No path of a checkout gets into
# the programs: they have the same digest wherever they are built.
BPF_CFLAGS := -target bpf -g -O2 -Wall -Werror -fms-extensions -Wno-microsoft-anon-tag -Wno-missing-declarations \
	-I$(CURDIR) -Iinclude -Ibuild/tools/include -isystem build/headers/include -ffile-prefix-map=$(CURDIR)=.
CFLAGS ?= -O2 -g
USER_FLAGS := $(CFLAGS) -Wall -Wextra -D_GNU_SOURCE -Iuser -Iinclude -Ibuild/skel -Ibuild/tools/include $(USER_CFLAGS)

BPFTOOL := build/tools/bin/bpftool
# The file, as opposed to the target that makes it anew.
VMLINUX_H := $(CURDIR)/vmlinux.h
BPF_SRCS := $(wildcard bpf/*/*.bpf.c selftests/bpf/*.bpf.c $(POLICIES:%=%/*.bpf.c))
BPF_OBJS := $(patsubst %.c,build/bpf/%.o,$(notdir $(BPF_SRCS)))
SKELS := $(USER_SKELS:%=build/skel/%.skel.h)
USER_OBJS := $(USER_SRCS:user/%.c=build/user/%.o)

.PHONY: all demo demo-liveupdate test peer-test bench fuzz sim deb kernel modules tools bpf user selftests vmlinux.h \
	check-vmlinux-h setup clean help
.DEFAULT_GOAL := help

all: kernel bpf user man selftests

demo: all
	@scripts/demo

demo-liveupdate: all
	@scripts/demo-liveupdate

test: all
	@scripts/test

peer-test: kernel tools
	@selftests/peer/build
	@scripts/peer-test

bench: all
	@scripts/bench $(BENCH)

FUZZ ?= --seconds 600

fuzz: tools selftests
	@./vm run --kernel debug --append kho=off --timeout 3600 -- sh -c 'modprobe iommufd && exec build/bin/iox-fuzz $(FUZZ)'

# The decisions of iox rollout, on a fleet that is made up. Neither kernel nor libbpf is needed.
SIM_OBJS := $(patsubst %.c,build/sim/%.o,$(notdir $(wildcard sim/*.c) user/lib/rollout_decide.c))

vpath %.c sim user/lib

build/sim/%.o: %.c | setup
	@mkdir -p $(@D)
	$(call tell,CC,$@)
	$(Q)$(CC) $(CFLAGS) -std=gnu11 -Wall -Wextra -D_GNU_SOURCE -MMD -MP -c $< -o $@

build/bin/iox-sim: $(SIM_OBJS)
	@mkdir -p $(@D)
	$(call tell,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lcrypto -lm

sim: build/bin/iox-sim
	@scripts/setup --sim
	@build/bin/iox-sim --tsv build/sim/figures.tsv | tee build/sim/tables.md
	@gnuplot -e "tsv='build/sim/figures.tsv'; svg='build/sim/reached.svg'" sim/plot.gp

export KERNEL_CONFIG

deb:
	@scripts/setup --deb
	@scripts/deb $(DEB)

setup:
	@scripts/setup

kernel modules: setup
	@scripts/kernel iox >/dev/null

tools: setup
	@scripts/tools

$(BPFTOOL): | tools ;

bpf: $(BPF_OBJS)

vpath %.bpf.c $(sort $(dir $(BPF_SRCS)))

build/bpf/%.bpf.o: %.bpf.c $(VMLINUX_H) $(BPFTOOL)
	@mkdir -p $(@D)
	$(call tell,CLANG,$@)
	$(Q)$(BPF_CC) $(BPF_CFLAGS) -MMD -MP -MF build/bpf/$*.d -c $< -o $@

build/skel/%.skel.h: build/bpf/%.bpf.o
	@mkdir -p $(@D)
	$(call tell,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf >$@

user: build/bin/iox

build/bin/iox: $(USER_OBJS)
	@mkdir -p $(@D)
	$(call tell,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ build/tools/lib/libbpf.a $(USER_LIBS)

build/user/report_page.o: user/report/page.html user/report/style.css

build/user/%.o: user/%.c $(BPFTOOL) | $(SKELS)
	@mkdir -p $(@D)
	$(call tell,CC,$@)
	$(Q)$(CC) $(USER_FLAGS) -MMD -MP -c $< -o $@

include user/install.mk

build/traces/made: selftests/traces/generate
	$(call tell,TRACES,$(@D))
	$(Q)$< $(@D)
	@touch $@

selftests: $(BPFTOOL) build/traces/made build/bin/iox-sim
	$(call tell,MAKE,build/selftests)
	@$(MAKE) -C selftests $(if $(V),,-s)

$(VMLINUX_H):
	@echo "iox: error: vmlinux.h is missing, which git has: run git checkout vmlinux.h, or make vmlinux.h" >&2; exit 1

# Its first line tells what it was made with: another compiler or Linux describes some types differently.
build/vmlinux.h: kernel tools
	@scripts/vmlinux-h >$@

vmlinux.h: build/vmlinux.h
	@cmp -s $< $@ || cp $< $@

check-vmlinux-h: build/vmlinux.h
	@scripts/vmlinux-h --check

clean:
	rm -rf build

help:
	@echo 'make demo             boot the iox kernel in a VM and see it at work (sets up and builds all it needs)'
	@echo 'make demo-liveupdate  replace the kernel under a network card that receives, and see what is lost without live update'
	@echo 'make test             run all tests; the last line of output is the sum'
	@echo 'make peer-test        run the own tests of Linux on Linux as it came and on iox, and compare'
	@echo 'make bench            compare with the stock kernel; BENCH="--quick map/thp" passes options on'
	@echo 'make fuzz             ten minutes of random calls on the debug kernel; FUZZ="--seed 7 --rounds 1" replays'
	@echo 'make sim              roll good and bad policies out on 10,000 hosts that are made up: tables and a plot in build/sim/'
	@echo
	@echo 'make kernel           build the iox kernel; also "modules", as only what changed is built'
	@echo 'make bpf              BPF policies and probes      -> build/bpf/'
	@echo 'make user             the iox command              -> build/bin/iox'
	@echo 'make man              its man pages                -> build/man/'
	@echo 'make install          the command, man pages, completion, policies; PREFIX=/usr/local DESTDIR=; uninstall takes it out'
	@echo 'make deb              Debian packages of the last commit   -> build/deb/; DEB=--no-kernel leaves the kernel out'
	@echo 'make selftests        the test programs and traces -> build/selftests/, build/traces/'
	@echo 'make tools            bpftool, libbpf and headers  -> build/tools/, build/headers/'
	@echo 'make vmlinux.h        the kernel types for BPF, from the built kernel'
	@echo 'make check-vmlinux-h  fail if the committed vmlinux.h is not that of the built kernel'
	@echo 'make setup            install the Debian packages that are missing (scripts/setup --list)'
	@echo 'make clean            remove build/; the cache of built kernels stays'
	@echo
	@echo 'KERNEL_SRC=DIR        base on another Linux 7.x tree instead of linux-source-7.3'
	@echo 'IOX_CACHE=DIR         keep built kernels there (~/.cache/iox)'
	@echo 'KERNEL_CONFIG=FILE    make deb: the kernel of a host, configured like FILE, instead of the one for VMs'
	@echo 'POLICIES=DIR          make bpf: build the *.bpf.c of that directory too'
	@echo 'V=1                   show the commands'

# Only of what there is: a policy that is gone leaves its file behind.
-include $(BPF_OBJS:%.bpf.o=%.d) $(wildcard build/user/*.d build/user/*/*.d build/sim/*.d)
