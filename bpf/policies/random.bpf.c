// SPDX-License-Identifier: GPL-2.0-only
/*
 * random: IOVAs that cannot be guessed.
 *
 * A device, or a guest that drives one, that has got hold of one IOVA learns
 * nothing from it about where the rest is. Mappings are spread over 128 TiB, so
 * small ones hardly ever share page tables: use it for few and large mappings.
 *
 * A mapping of 2 MiB or more still gets large leaves.
 */
#include <iox/policy.bpf.h>

char LICENSE[] SEC("license") = "GPL";

/* What an IOMMU with four levels reaches in the lower half. */
#define SPREAD (1ULL << 47)

/* Ranges that no mapping may touch, such as that of MSIs, part the windows. */
#define MAX_WINDOWS 64

/* How far the IOMMU reaches, if that is less. */
static u64 spread(struct iox_iova_req *req)
{
	struct iox_gap window;
	u64 last = SPREAD - 1;
	u32 i;

	bpf_for(i, 0, MAX_WINDOWS) {
		if (iox_iova_window(req, i, &window))
			break;
		last = window.last;
	}
	return last < SPREAD - 1 ? last + 1 : SPREAD;
}

SEC("struct_ops/random_select")
u64 BPF_PROG(random_select, struct iox_iova_req *req)
{
	u64 align = req->length >= IOX_SZ_2M ? IOX_SZ_2M : 0;
	u64 from = ((u64)bpf_get_prandom_u32() << 32 | bpf_get_prandom_u32()) %
		   spread(req);
	u64 iova = iox_iova_first_gap(req, from, IOX_IOVA_ANY, align);

	return iova ?: iox_iova_first_gap(req, 0, IOX_IOVA_ANY, align);
}

SEC(".struct_ops")
struct iox_iova_ops random = {
	.select = (void *)random_select,
	.name = "random",
};
