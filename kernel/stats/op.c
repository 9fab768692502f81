// SPDX-License-Identifier: GPL-2.0-only
/*
 * Operations of iommufd, counted, and the BPF iterator iter/iox_op over the
 * counters: a step for each kind of operation.
 *
 * Counters are there, and filled, as long as the iterator has a link. All who
 * hold one share them.
 */
#include <linux/bpf.h>
#include <linux/btf_ids.h>
#include <linux/cleanup.h>
#include <linux/init.h>
#include <linux/iox_op.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/topology.h>

DEFINE_STATIC_KEY_FALSE(iox_op_counted);
EXPORT_SYMBOL_FOR_MODULES(iox_op_counted, "iommufd");

DEFINE_PER_CPU(struct iox_op_counters *[IOMMUFD_NR_OPS], iox_op_counters);
EXPORT_SYMBOL_FOR_MODULES(iox_op_counters, "iommufd");

/* Protects nr_links, and that there are counters while it is not 0 */
static DEFINE_MUTEX(links_lock);
static unsigned int nr_links;

static void free_counters(void)
{
	unsigned int kind;
	int cpu;

	for_each_possible_cpu(cpu) {
		for (kind = IOMMUFD_OP_MAP; kind < IOMMUFD_NR_OPS; kind++) {
			kvfree(per_cpu(iox_op_counters[kind], cpu));
			per_cpu(iox_op_counters[kind], cpu) = NULL;
		}
	}
}

static int alloc_for(int cpu)
{
	struct iox_op_counters *c;
	unsigned int kind;
	size_t size;

	for (kind = IOMMUFD_OP_MAP; kind < IOMMUFD_NR_OPS; kind++) {
		size = struct_size(c, stage_bucket, iox_op_has_stages(kind) ?
						    IOMMUFD_NR_STAGES : 0);
		c = kvzalloc_node(size, GFP_KERNEL_ACCOUNT, cpu_to_node(cpu));
		if (!c)
			return -ENOMEM;
		per_cpu(iox_op_counters[kind], cpu) = c;
	}
	return 0;
}

static int alloc_counters(void)
{
	int cpu, rc;

	for_each_possible_cpu(cpu) {
		rc = alloc_for(cpu);
		if (rc) {
			free_counters();
			return rc;
		}
	}
	return 0;
}

static int attach(struct bpf_prog *prog, union bpf_iter_link_info *linfo,
		  struct bpf_iter_aux_info *aux)
{
	int rc = 0;

	if (prog->aux->max_rdonly_access > sizeof(struct iox_op_info))
		return -EACCES;
	guard(mutex)(&links_lock);
	if (!nr_links)
		rc = alloc_counters();
	if (rc)
		return rc;
	if (!nr_links++) {
		static_branch_enable(&iox_op_counted);
		iox_op_watch();
	}
	return 0;
}

static void detach(struct bpf_iter_aux_info *aux)
{
	guard(mutex)(&links_lock);
	if (--nr_links)
		return;
	iox_op_unwatch();
	static_branch_disable(&iox_op_counted);
	/* Those who have seen it count with preemption disabled. */
	synchronize_rcu();
	free_counters();
}

static void add(u64 *to, const u64 *from, unsigned int nr)
{
	while (nr--)
		*to++ += READ_ONCE(*from++);
}

/* For readers, the last bucket has all that took longer, too. */
static void add_buckets(u64 *to, const u64 *from)
{
	unsigned int i;

	add(to, from, IOX_OP_BUCKETS);
	for (i = IOX_OP_BUCKETS; i < IOX_OP_ALL_BUCKETS; i++)
		to[IOX_OP_BUCKETS - 1] += READ_ONCE(from[i]);
}

static void add_sums(struct iox_op_sums *to, const struct iox_op_sums *from)
{
	u64 max_ns = max(to->max_ns, READ_ONCE(from->max_ns));

	add((u64 *)to, (const u64 *)from, sizeof(*to) / sizeof(u64));
	to->max_ns = max_ns;
}

static void add_counters(struct iox_op_info *info,
			 const struct iox_op_counters *c)
{
	unsigned int i;

	add_sums(&info->sums, &c->sums);
	add_buckets(info->bucket, c->bucket);
	if (!info->has_stages)
		return;
	for (i = 0; i < IOMMUFD_NR_STAGES; i++)
		add_buckets(info->stage_bucket[i], c->stage_bucket[i]);
}

/* Nothing is held between two of them: the counters may be gone. */
static void *read_kind(struct iox_op_info *info, unsigned int kind)
{
	unsigned int i;
	int cpu;

	if (kind >= IOMMUFD_NR_OPS)
		return NULL;
	memset(info, 0, sizeof(*info));
	info->kind = kind;
	info->has_stages = iox_op_has_stages(kind);
	guard(mutex)(&links_lock);
	if (!nr_links)
		return NULL;
	for_each_possible_cpu(cpu) {
		add_counters(info, per_cpu(iox_op_counters[kind], cpu));
		cond_resched();
	}
	/* None that there was takes less than a nanosecond. */
	for (i = 0; i < IOMMUFD_NR_STAGES; i++)
		info->stage_bucket[i][0] = 0;
	return info;
}

struct bpf_iter__iox_op {
	__bpf_md_ptr(struct bpf_iter_meta *, meta);
	__bpf_md_ptr(struct iox_op_info *, op);
};

DEFINE_BPF_ITER_FUNC(iox_op, struct bpf_iter_meta *meta, struct iox_op_info *op)

/* Too large for the private data of a seq_file */
struct op_iter {
	struct iox_op_info *info;
};

static int op_init(void *private, struct bpf_iter_aux_info *aux)
{
	struct op_iter *iter = private;

	iter->info = kvmalloc_obj(*iter->info, GFP_KERNEL_ACCOUNT);
	return iter->info ? 0 : -ENOMEM;
}

static void op_fini(void *private)
{
	struct op_iter *iter = private;

	kvfree(iter->info);
}

static void *op_seq_start(struct seq_file *seq, loff_t *pos)
{
	struct op_iter *iter = seq->private;

	if (!*pos)
		*pos = IOMMUFD_OP_MAP;
	return read_kind(iter->info, *pos);
}

static void *op_seq_next(struct seq_file *seq, void *v, loff_t *pos)
{
	struct op_iter *iter = seq->private;

	return read_kind(iter->info, ++*pos);
}

static int op_show(struct seq_file *seq, void *v, bool in_stop)
{
	struct bpf_iter_meta meta = { .seq = seq };
	struct bpf_iter__iox_op ctx = { .meta = &meta, .op = v };
	struct bpf_prog *prog = bpf_iter_get_info(&meta, in_stop);

	return prog ? bpf_iter_run_prog(prog, &ctx) : 0;
}

static int op_seq_show(struct seq_file *seq, void *v)
{
	return op_show(seq, v, false);
}

static void op_seq_stop(struct seq_file *seq, void *v)
{
	if (!v)
		op_show(seq, NULL, true);
}

static const struct seq_operations op_seq_ops = {
	.start = op_seq_start,
	.next = op_seq_next,
	.stop = op_seq_stop,
	.show = op_seq_show,
};

static const struct bpf_iter_seq_info op_seq_info = {
	.seq_ops = &op_seq_ops,
	.init_seq_private = op_init,
	.fini_seq_private = op_fini,
	.seq_priv_size = sizeof(struct op_iter),
};

/* As a buffer, so that programs can write out the whole of it at once */
static struct bpf_iter_reg op_reg = {
	.target = "iox_op",
	.feature = BPF_ITER_RESCHED,
	.attach_target = attach,
	.detach_target = detach,
	.ctx_arg_info_size = 1,
	.ctx_arg_info = {
		{ offsetof(struct bpf_iter__iox_op, op),
		  PTR_TO_BUF | PTR_MAYBE_NULL | MEM_RDONLY },
	},
	.seq_info = &op_seq_info,
};

static int __init iox_op_init(void)
{
	return bpf_iter_reg_target(&op_reg);
}
late_initcall(iox_op_init);
