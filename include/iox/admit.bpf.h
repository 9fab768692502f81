/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an admission policy written in BPF includes: the kernel's types, the kfunc
 * it may call. docs/admission.md tells how to write, load and watch one.
 */
#ifndef __IOX_ADMIT_BPF_H
#define __IOX_ADMIT_BPF_H

#include "vmlinux.h"

#include <asm-generic/errno.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

extern void iox_admit_reason_bstr(struct iox_admit_req *req, char *fmt,
				  unsigned long long *data,
				  u32 data__sz) __weak __ksym;

/*
 * Explains the answer, as bpf_printk() would print it: in the kernel's log and in
 * sysfs if it is a refusal, and in the tracepoint iox_admit:iox_admit.
 */
#define IOX_ADMIT_REASON(req, fmt, args...) ({				\
	static char ____fmt[] = fmt;					\
	unsigned long long ____args[___bpf_narg(args) ?: 1] = {};	\
									\
	_Pragma("GCC diagnostic push")					\
	_Pragma("GCC diagnostic ignored \"-Wint-conversion\"")		\
	___bpf_fill(____args, args);					\
	_Pragma("GCC diagnostic pop")					\
	iox_admit_reason_bstr(req, ____fmt, ____args,			\
			      ___bpf_narg(args) * 8);			\
})

/* return IOX_REFUSE(req, -EPERM, "not on a %s", "Monday"); */
#define IOX_REFUSE(req, err, fmt, args...) ({				\
	IOX_ADMIT_REASON(req, fmt, ##args);				\
	(err);								\
})

#endif
