// SPDX-License-Identifier: GPL-2.0-only
/*
 * BPF iterators over what iommufd maps: iter/iox_hwpt has a step for each HWPT,
 * iter/iox_area one for each mapping in each HWPT.
 *
 * Each read() of the file goes on where the one before stopped. Between two of
 * them nothing is held, and anything may come or go.
 */
#include <linux/bpf.h>
#include <linux/btf_ids.h>
#include <linux/cleanup.h>
#include <linux/init.h>
#include <linux/iox_stats.h>
#include <linux/rwsem.h>
#include <linux/seq_file.h>

/* Protects core_ops: the core may not be unloaded while one of them runs. */
static DECLARE_RWSEM(core_lock);
static const struct iox_stats_ops *core_ops;

/**
 * iox_stats_register - the core is there
 * @ops: its functions; stay until iox_stats_unregister()
 */
void iox_stats_register(const struct iox_stats_ops *ops)
{
	guard(rwsem_write)(&core_lock);
	core_ops = ops;
}
EXPORT_SYMBOL_FOR_MODULES(iox_stats_register, "iommufd");

/**
 * iox_stats_unregister - the core goes
 *
 * Context: sleeps until nobody is in one of its functions.
 */
void iox_stats_unregister(void)
{
	guard(rwsem_write)(&core_lock);
	core_ops = NULL;
}
EXPORT_SYMBOL_FOR_MODULES(iox_stats_unregister, "iommufd");

static void begin(void)
{
	down_read(&core_lock);
	iommu_pt_read_begin();
}

static void end(void)
{
	iommu_pt_read_end();
	up_read(&core_lock);
}

struct bpf_iter__iox_hwpt {
	__bpf_md_ptr(struct bpf_iter_meta *, meta);
	__bpf_md_ptr(struct iox_hwpt_info *, hwpt);
};

struct bpf_iter__iox_area {
	__bpf_md_ptr(struct bpf_iter_meta *, meta);
	__bpf_md_ptr(struct iox_area_info *, area);
};

DEFINE_BPF_ITER_FUNC(iox_hwpt, struct bpf_iter_meta *meta,
		     struct iox_hwpt_info *hwpt)
DEFINE_BPF_ITER_FUNC(iox_area, struct bpf_iter_meta *meta,
		     struct iox_area_info *area)

/*
 * What did not fit into the buffer any more is shown again by the next read:
 * @have says that @info has not been shown yet.
 */
struct hwpt_iter {
	struct iox_stats_pos pos;
	bool have;
	struct iox_hwpt_info info;
};

struct area_iter {
	struct iox_stats_pos pos;
	bool have;
	struct iox_area_info info;
};

static void *step(int rc, void *info, bool *have)
{
	*have = !rc;
	if (!rc)
		return info;
	return rc == -ENOENT ? NULL : ERR_PTR(rc);
}

static void *next_hwpt(struct hwpt_iter *iter)
{
	int rc = -ENOENT;

	memset(&iter->info, 0, sizeof(iter->info));
	if (core_ops)
		rc = core_ops->next_hwpt(&iter->pos, &iter->info);
	return step(rc, &iter->info, &iter->have);
}

static void *hwpt_seq_start(struct seq_file *seq, loff_t *pos)
{
	struct hwpt_iter *iter = seq->private;

	begin();
	if (!*pos)
		++*pos;
	return iter->have ? &iter->info : next_hwpt(iter);
}

static void *hwpt_seq_next(struct seq_file *seq, void *v, loff_t *pos)
{
	++*pos;
	return next_hwpt(seq->private);
}

static int hwpt_show(struct seq_file *seq, void *v, bool in_stop)
{
	struct bpf_iter_meta meta = { .seq = seq };
	struct bpf_iter__iox_hwpt ctx = { .meta = &meta, .hwpt = v };
	struct bpf_prog *prog = bpf_iter_get_info(&meta, in_stop);

	return prog ? bpf_iter_run_prog(prog, &ctx) : 0;
}

static int hwpt_seq_show(struct seq_file *seq, void *v)
{
	return hwpt_show(seq, v, false);
}

static void hwpt_seq_stop(struct seq_file *seq, void *v)
{
	end();
	if (!v)
		hwpt_show(seq, NULL, true);
}

static void *next_area(struct area_iter *iter)
{
	int rc = -ENOENT;

	memset(&iter->info, 0, sizeof(iter->info));
	if (core_ops)
		rc = core_ops->next_area(&iter->pos, &iter->info);
	return step(rc, &iter->info, &iter->have);
}

static void *area_seq_start(struct seq_file *seq, loff_t *pos)
{
	struct area_iter *iter = seq->private;

	begin();
	if (!*pos)
		++*pos;
	return iter->have ? &iter->info : next_area(iter);
}

static void *area_seq_next(struct seq_file *seq, void *v, loff_t *pos)
{
	++*pos;
	return next_area(seq->private);
}

static int area_show(struct seq_file *seq, void *v, bool in_stop)
{
	struct bpf_iter_meta meta = { .seq = seq };
	struct bpf_iter__iox_area ctx = { .meta = &meta, .area = v };
	struct bpf_prog *prog = bpf_iter_get_info(&meta, in_stop);

	return prog ? bpf_iter_run_prog(prog, &ctx) : 0;
}

static int area_seq_show(struct seq_file *seq, void *v)
{
	return area_show(seq, v, false);
}

static void area_seq_stop(struct seq_file *seq, void *v)
{
	end();
	if (!v)
		area_show(seq, NULL, true);
}

static const struct seq_operations hwpt_seq_ops = {
	.start = hwpt_seq_start,
	.next = hwpt_seq_next,
	.stop = hwpt_seq_stop,
	.show = hwpt_seq_show,
};

static const struct seq_operations area_seq_ops = {
	.start = area_seq_start,
	.next = area_seq_next,
	.stop = area_seq_stop,
	.show = area_seq_show,
};

static const struct bpf_iter_seq_info hwpt_seq_info = {
	.seq_ops = &hwpt_seq_ops,
	.seq_priv_size = sizeof(struct hwpt_iter),
};

static const struct bpf_iter_seq_info area_seq_info = {
	.seq_ops = &area_seq_ops,
	.seq_priv_size = sizeof(struct area_iter),
};

BTF_ID_LIST(iox_iter_btf_ids)
BTF_ID(struct, iox_hwpt_info)
BTF_ID(struct, iox_area_info)

static struct bpf_iter_reg hwpt_reg = {
	.target = "iox_hwpt",
	.feature = BPF_ITER_RESCHED,
	.ctx_arg_info_size = 1,
	.ctx_arg_info = {
		{ offsetof(struct bpf_iter__iox_hwpt, hwpt),
		  PTR_TO_BTF_ID_OR_NULL | PTR_TRUSTED },
	},
	.seq_info = &hwpt_seq_info,
};

static struct bpf_iter_reg area_reg = {
	.target = "iox_area",
	.feature = BPF_ITER_RESCHED,
	.ctx_arg_info_size = 1,
	.ctx_arg_info = {
		{ offsetof(struct bpf_iter__iox_area, area),
		  PTR_TO_BTF_ID_OR_NULL | PTR_TRUSTED },
	},
	.seq_info = &area_seq_info,
};

static int __init iox_stats_init(void)
{
	int rc;

	hwpt_reg.ctx_arg_info[0].btf_id = iox_iter_btf_ids[0];
	area_reg.ctx_arg_info[0].btf_id = iox_iter_btf_ids[1];
	rc = bpf_iter_reg_target(&hwpt_reg);
	if (rc)
		return rc;
	rc = bpf_iter_reg_target(&area_reg);
	if (rc)
		bpf_iter_unreg_target(&hwpt_reg);
	return rc;
}
late_initcall(iox_stats_init);
