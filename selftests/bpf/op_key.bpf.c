// SPDX-License-Identifier: GPL-2.0-only
/* How many watch operations of iommufd, by the kernel's own account: the answer of a test run. */
#define BPF_NO_KFUNC_PROTOTYPES
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

extern const void iox_op_watched __ksym;

SEC("syscall")
int op_watchers(void *ctx)
{
	int watchers = -1;

	bpf_probe_read_kernel(&watchers, sizeof(watchers), &iox_op_watched);
	return watchers;
}
