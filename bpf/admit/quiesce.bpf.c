// SPDX-License-Identifier: GPL-2.0-only
/*
 * quiesce: only devices whose interrupts are off.
 *
 * The kernel does not jump while a preserved device has interrupts on. Load this
 * to hear of a VMM that forgets that when it preserves the device, rather than
 * when the whole host is about to go.
 */
#include <iox/admit.bpf.h>

char LICENSE[] SEC("license") = "GPL";

SEC("struct_ops/quiesce_preserve")
int BPF_PROG(quiesce_preserve, struct iox_admit_req *req)
{
	if (req->irqs_on)
		return IOX_REFUSE(req, -EBUSY,
				  "device %x:%x.%x has interrupts on",
				  req->bdf >> 8, (req->bdf >> 3) & 31,
				  req->bdf & 7);
	return 0;
}

SEC(".struct_ops")
struct iox_admit_ops quiesce = {
	.preserve = (void *)quiesce_preserve,
	.name = "quiesce",
};
