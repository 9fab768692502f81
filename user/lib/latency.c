// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "hist.h"
#include "latency.h"
#include "msg.h"
#include "latency.skel.h"

struct latency {
	struct latency_bpf *skel;
	struct bpf_program *prog[IOX_LATENCY_NR];	/* NULL: iommufd has no such handler */
	struct iox_latency *percpu;			/* one entry as the kernel hands it out */
	int nr_cpus;
	__u64 start_ns;
};

static const char *const op_name[] = {
#define NAME(id, name, handler) [IOX_LATENCY_##id] = name,
	IOX_LATENCY_OPS(NAME)
#undef NAME
};

static const char *const op_handler[] = {
#define HANDLER(id, name, handler) [IOX_LATENCY_##id] = #handler,
	IOX_LATENCY_OPS(HANDLER)
#undef HANDLER
};

const char *latency_op_name(enum iox_latency_op op)
{
	return op_name[op];
}

const char *latency_op_handler(enum iox_latency_op op)
{
	return op_handler[op];
}

static __u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (__u64)ts.tv_sec * 1000000000 + (__u64)ts.tv_nsec;
}

static void find_programs(struct latency *l)
{
#define PROG(id, name, handler) l->prog[IOX_LATENCY_##id] = l->skel->progs.latency_##id;
	IOX_LATENCY_OPS(PROG)
#undef PROG
}

/* Keeps the programs whose handler @btf has; returns how many. */
static int choose_programs(struct latency *l, const struct btf *btf)
{
	int chosen = 0;

	for (int op = 0; op < IOX_LATENCY_NR; op++) {
		if (btf__find_by_name_kind(btf, op_handler[op], BTF_KIND_FUNC) >= 0) {
			chosen++;
			continue;
		}
		bpf_program__set_autoload(l->prog[op], false);
		l->prog[op] = NULL;
	}
	return chosen;
}

/* iommufd's functions are in its own BTF when it is a module, in vmlinux's when it is built in. */
static int match_kernel(struct latency *l)
{
	struct btf *vmlinux = btf__load_vmlinux_btf();
	struct btf *module;
	int chosen;

	if (!vmlinux) {
		msg_error("this kernel", "has no BTF",
			  "it must be built with CONFIG_DEBUG_INFO_BTF=y");
		return -ENOENT;
	}
	module = btf__load_module_btf("iommufd", vmlinux);
	chosen = choose_programs(l, module ? module : vmlinux);
	if (!chosen && module)
		msg_error("iommufd", "has none of the functions to probe",
			  "run 'iox' of the version made for this kernel");
	else if (!chosen)
		msg_error("iommufd", "is not loaded", "run 'modprobe iommufd'");
	btf__free(module);
	btf__free(vmlinux);
	return chosen ? 0 : -ENOENT;
}

static int load(struct latency *l, int follow_pidfd)
{
	bool follow = follow_pidfd >= 0;
	__u8 yes = 1;
	int err;

	l->skel->rodata->follow = follow;
	bpf_program__set_autoload(l->skel->progs.follow_fork, follow);
	err = latency_bpf__load(l->skel);
	if (!err && follow)
		err = bpf_map__update_elem(l->skel->maps.followed, &follow_pidfd,
					   sizeof(follow_pidfd), &yes, sizeof(yes), BPF_ANY);
	if (!err)
		err = latency_bpf__attach(l->skel);
	if (err)
		msg_errno(err, "attaching the latency probes",
			  err == -EPERM ? "run it as root"
					: "IOX_DEBUG=1 in the environment tells more");
	return err;
}

struct latency *latency_open(int follow_pidfd)
{
	struct latency *l;

	l = calloc(1, sizeof(*l));
	if (!l)
		goto no_memory;
	l->nr_cpus = libbpf_num_possible_cpus();
	if (l->nr_cpus < 1) {
		msg_errno(l->nr_cpus, "counting CPUs", "is /sys mounted?");
		goto fail;
	}
	l->percpu = calloc((size_t)l->nr_cpus, sizeof(*l->percpu));
	if (!l->percpu)
		goto no_memory;
	l->skel = latency_bpf__open();
	if (!l->skel)
		goto no_memory;
	find_programs(l);
	if (match_kernel(l) || load(l, follow_pidfd))
		goto fail;
	l->start_ns = now_ns();
	return l;

no_memory:
	msg_errno(ENOMEM, "preparing the latency probes", NULL);
fail:
	latency_close(l);
	return NULL;
}

void latency_close(struct latency *l)
{
	if (!l)
		return;
	latency_bpf__destroy(l->skel);
	free(l->percpu);
	free(l);
}

bool latency_has(const struct latency *l, enum iox_latency_op op)
{
	return l->prog[op];
}

static int read_row(const struct latency *l, __u32 op, struct latency_row *row)
{
	int err = bpf_map__lookup_elem(l->skel->maps.latency, &op, sizeof(op), l->percpu,
				       (size_t)l->nr_cpus * sizeof(*l->percpu), 0);

	if (err)
		return err;
	for (int cpu = 0; cpu < l->nr_cpus; cpu++) {
		const struct iox_latency *from = &l->percpu[cpu];

		row->failed += from->failed;
		row->untimed += from->untimed;
		row->sum_ns += from->sum_ns;
		if (from->max_ns > row->max_ns)
			row->max_ns = from->max_ns;
		hist_add(&row->hist, &from->hist);
	}
	row->count = hist_count(&row->hist) + row->untimed;
	return 0;
}

static int read_misses(const struct bpf_program *prog, __u64 *misses)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);
	int err = bpf_prog_get_info_by_fd(bpf_program__fd(prog), &info, &len);

	*misses += info.recursion_misses;
	return err;
}

bool latency_read(const struct latency *l, struct latency_view *view)
{
	__u64 misses = 0, untimed = 0;
	int err = 0;

	memset(view, 0, sizeof(*view));
	view->span_ns = now_ns() - l->start_ns;
	for (int op = 0; op < IOX_LATENCY_NR && !err; op++) {
		if (!l->prog[op])
			continue;
		err = read_row(l, (__u32)op, &view->row[op]);
		if (!err)
			err = read_misses(l->prog[op], &misses);
		untimed += view->row[op].untimed;
	}
	if (err)
		msg_errno(err, "reading the latency probes", NULL);
	/* An entry that was skipped is an untimed call; any other miss lost us a return. */
	view->skipped = misses > untimed ? misses - untimed : 0;
	return !err;
}

void latency_since(struct latency_view *now, const struct latency_view *before)
{
	now->span_ns -= before->span_ns;
	now->skipped -= before->skipped < now->skipped ? before->skipped : now->skipped;
	for (int op = 0; op < IOX_LATENCY_NR; op++) {
		struct latency_row *n = &now->row[op];
		const struct latency_row *b = &before->row[op];

		n->count -= b->count;
		n->failed -= b->failed;
		n->untimed -= b->untimed;
		n->sum_ns -= b->sum_ns;
		hist_sub(&n->hist, &b->hist);
		/* A maximum that grew did so in between; else only the buckets tell. */
		if (n->max_ns == b->max_ns && hist_highest(&n->hist) < n->max_ns)
			n->max_ns = hist_highest(&n->hist);
	}
}

__u64 latency_mean(const struct latency_row *row)
{
	__u64 timed = row->count - row->untimed;

	return timed ? (row->sum_ns + timed / 2) / timed : 0;
}

__u64 latency_percentile(const struct latency_row *row, double percent)
{
	__u64 value = hist_percentile(&row->hist, percent);

	return value < row->max_ns ? value : row->max_ns;
}
