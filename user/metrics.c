// SPDX-License-Identifier: GPL-2.0
/* iox exporter: operations on I/O address spaces as metrics. */
#include <sys/utsname.h>

#include "metrics.h"

/* The calls that map and unmap are always told, others once they were there. */
static bool has(const struct probe *probe, const struct probe_snapshot *s, int op)
{
	return probe_has(probe, op) && (op <= IOX_PROBE_unmap || s->row[op].count);
}

static void about(struct prom *p, const struct probe *probe)
{
	struct utsname kernel;

	uname(&kernel);
	prom_family(p, "iox_info", PROM_GAUGE,
		    "1; the release of the kernel, and whose iommufd it has: iox, linux or unknown.");
	prom_u64(p, PROM_LABELS({ "kernel", kernel.release }, { "iommufd", probe_iommufd(probe) }), 1);
}

/* A family of counters, with a sample for each operation: a number in struct probe_row. */
#define COUNTER(p, probe, s, name, help, member) do {					\
	prom_family(p, name, PROM_COUNTER, help);					\
	for (int op = 0; op < IOX_PROBE_NR_OPS; op++)					\
		if (has(probe, s, op))							\
			prom_u64(p, PROM_LABELS({ "op", probe_op_name(op) }),		\
				 (s)->row[op].member);					\
} while (0)

static void counters(struct prom *p, const struct probe *probe, const struct probe_snapshot *s)
{
	COUNTER(p, probe, s, "iox_map_operations",
		"Operations on I/O address spaces that ended, failed or not.", count);
	if (!probe_only_counts(probe))
		COUNTER(p, probe, s, "iox_map_failures", "Operations that ended with an error.", failed);
	COUNTER(p, probe, s, "iox_map_untimed",
		"Operations in no histogram, since the kernel skipped the probe at their beginning, or there is none.",
		untimed);
	COUNTER(p, probe, s, "iox_map_bytes", "Bytes of IOVA that operations without error were about.",
		bytes);
}

static void latencies(struct prom *p, const struct probe *probe, const struct probe_snapshot *s)
{
	prom_family(p, "iox_map_latency_seconds", PROM_HISTOGRAM,
		    "How long operations on I/O address spaces took, without the system call itself.");
	for (int op = 0; op < IOX_PROBE_NR_OPS; op++)
		if (has(probe, s, op))
			prom_times(p, PROM_LABELS({ "op", probe_op_name(op) }), &s->row[op].all);
}

static void stages(struct prom *p, const struct probe *probe, const struct probe_snapshot *s)
{
	prom_family(p, "iox_map_stage_seconds", PROM_HISTOGRAM,
		    "Where the time of an operation went: choosing an IOVA, pinning, page tables, flush.");
	for (int op = 0; op < IOX_PROBE_NR_OPS; op++)
		for (int i = 0; has(probe, s, op) && i < IOX_PROBE_NR_STAGES; i++)
			prom_times(p,
				   PROM_LABELS({ "op", probe_op_name(op) },
					       { "stage", probe_stage_name(op, i) }),
				   &s->detail[op].stage[i]);
}

static void leaves(struct prom *p, const struct probe_snapshot *s)
{
	static const char *const size[IOX_PROBE_NR_LEAVES] = { "4096", "2097152", "1073741824" };

	prom_family(p, "iox_map_leaves", PROM_COUNTER,
		    "Leaves of page tables that were written, by their size in bytes.");
	for (int op = 0; op < IOX_PROBE_unmap; op++)
		for (int i = 0; i < IOX_PROBE_NR_LEAVES; i++)
			prom_u64(p, PROM_LABELS({ "op", probe_op_name(op) }, { "size", size[i] }),
				 s->detail[op].leaves[i]);
}

static void choosers(struct prom *p, const struct probe_snapshot *s)
{
	prom_family(p, "iox_map_iovas", PROM_COUNTER,
		    "IOVAs by who chose them: the caller, the built-in allocator, a policy.");
	for (int op = 0; op < IOX_PROBE_unmap; op++)
		for (__u32 i = 0; i < IOX_PROBE_NR_CHOOSERS; i++)
			if (*probe_chooser_name(i) != '?')
				prom_u64(p,
					 PROM_LABELS({ "op", probe_op_name(op) },
						     { "chooser", probe_chooser_name(i) }),
					 s->detail[op].chosen[i]);
}

void metrics_probes(struct prom *p, const struct probe *probe, const struct probe_snapshot *s)
{
	about(p, probe);
	counters(p, probe, s);
	if (!probe_only_counts(probe))
		latencies(p, probe, s);
	if (probe_staged(probe)) {
		stages(p, probe, s);
		leaves(p, s);
		choosers(p, s);
	}
	prom_family(p, "iox_probe_skipped", PROM_COUNTER,
		    "Operations nobody saw, at most: the kernel skipped the probe.");
	prom_u64(p, PROM_NO_LABELS, s->skipped);
	prom_family(p, "iox_probe_dropped", PROM_COUNTER, "Events for which there was no room.");
	prom_u64(p, PROM_NO_LABELS, s->dropped);
}
