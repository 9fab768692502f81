# SPDX-License-Identifier: GPL-2.0
#
# What the iox command is made of, for the top-level Makefile.
#
# USER_PKGS	Debian packages beyond those that libbpf itself needs
# USER_SKELS	BPF programs whose skeleton (build/skel/NAME.skel.h, of bpf/*/NAME.bpf.c) it includes
# USER_SRCS	its sources
# USER_CFLAGS	on top of the common flags and -I for include/, build/skel and build/tools/include; the headers of the base
#		kernel (make headers_install), since those of the distribution know too little of BPF,
#		and what iox adds to them
# USER_LIBS	after build/tools/lib/libbpf.a

USER_PKGS	:= libjson-c-dev libncurses-dev libmicrohttpd-dev libcap-ng-dev libssl-dev libyaml-dev libsystemd-dev libelf-dev zlib1g-dev
USER_SKELS	:= fallback no_opinion op_counts probe pt
USER_SRCS	:= $(wildcard user/*.c user/lib/*.c)
USER_CFLAGS	:= -std=gnu11 -isystem kernel/include/uapi -isystem build/headers/include
USER_LIBS	:= -ljson-c -lsystemd -lncursesw -ltinfo -lmicrohttpd -lcap-ng -lyaml -lcrypto -lelf -lz -lm
