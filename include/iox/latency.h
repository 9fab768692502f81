/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What bpf/probes/latency.bpf.c measures, for its readers.
 *
 * IOX_LATENCY_OPS(X) names each operation once: X(identifier, name for people, handler in
 * iommufd). From it come the enumeration, the BPF programs and the rows of every table.
 */
#ifndef IOX_LATENCY_H
#define IOX_LATENCY_H

#include "hist.h"

#define IOX_LATENCY_OPS(X)					\
	X(map, "map", iommufd_ioas_map)				\
	X(map_file, "map-file", iommufd_ioas_map_file)		\
	X(copy, "copy", iommufd_ioas_copy)			\
	X(unmap, "unmap", iommufd_ioas_unmap)

enum iox_latency_op {
#define IOX_LATENCY_ENUM(id, name, handler) IOX_LATENCY_##id,
	IOX_LATENCY_OPS(IOX_LATENCY_ENUM)
#undef IOX_LATENCY_ENUM
	IOX_LATENCY_NR
};

/*
 * One CPU's share of one operation. The number of calls is the sum of the buckets plus
 * @untimed; it is not kept a second time, so it cannot differ. A call that fails is in the
 * histogram too.
 */
struct iox_latency {
	__u64 failed;		/* calls that returned an errno */
	__u64 untimed;		/* calls of which the kernel skipped the entry probe */
	__u64 sum_ns;
	__u64 max_ns;
	struct iox_hist hist;	/* of nanoseconds */
};

_Static_assert(sizeof(struct iox_latency) == 8 * (4 + IOX_HIST_BUCKETS),
	       "no padding: BPF and the reader share it");

#endif
