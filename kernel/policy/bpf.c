// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOVA policies as BPF sees them: the struct_ops type iox_iova_ops, what the
 * verifier lets its programs do, and the kfuncs that answer their questions.
 */
#include <linux/bpf.h>
#include <linux/bpf_verifier.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/init.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include "policy.h"

static struct bpf_struct_ops iox_iova_struct_ops;

/* Bring what a policy asks for into the form that the core wants. */
static bool iox_gap_args(const struct iox_iova_req *req, u64 min, u64 *max,
			 u64 *align)
{
	if (!*align)
		*align = req->align;
	if (!is_power_of_2(*align))
		return false;
	*align = max(*align, req->align);
	*max = min(*max, IOX_IOVA_MAX);
	return min <= *max;
}

__bpf_kfunc_start_defs();

/**
 * iox_iova_first_gap - lowest IOVA at which the mapping fits
 * @req: the request that select was called with
 * @min: lowest IOVA that will do
 * @max: last byte that the mapping may cover
 * @align: the IOVA shall equal req->addr modulo this power of two, in bytes.
 *	0 and all below req->align mean req->align.
 *
 * Space that is free, allowed and not reserved is found in O(log areas). The
 * highest 4 KiB of the 64-bit range are never offered, since an answer there
 * would read as an errno.
 *
 * Context: from iox_iova_ops.select only, the verifier sees to it. Does not
 * sleep.
 * Return: the IOVA. 0 when there is no such gap, when @min > @max, and when
 * @align is not a power of two. IOVA 0 itself is never offered.
 */
__bpf_kfunc u64 iox_iova_first_gap(struct iox_iova_req *req, u64 min, u64 max,
				   u64 align)
{
	u64 iova;

	if (!iox_gap_args(req, min, &max, &align))
		return 0;
	if (req->ops->first_gap(req, min, max, align, &iova))
		return 0;
	return iova;
}

/**
 * iox_iova_last_gap - highest IOVA at which the mapping fits
 * @req: the request that select was called with
 * @min: lowest IOVA that will do
 * @max: last byte that the mapping may cover
 * @align: as for iox_iova_first_gap()
 *
 * Context: as for iox_iova_first_gap().
 * Return: as for iox_iova_first_gap().
 */
__bpf_kfunc u64 iox_iova_last_gap(struct iox_iova_req *req, u64 min, u64 max,
				  u64 align)
{
	u64 iova;

	if (!iox_gap_args(req, min, &max, &align))
		return 0;
	if (req->ops->last_gap(req, min, max, align, &iova))
		return 0;
	return iova;
}

__bpf_kfunc_end_defs();

BTF_KFUNCS_START(iox_iova_kfunc_ids)
BTF_ID_FLAGS(func, iox_iova_first_gap)
BTF_ID_FLAGS(func, iox_iova_last_gap)
BTF_KFUNCS_END(iox_iova_kfunc_ids)

/*
 * The verifier asks about every kfunc of every struct_ops program. It first
 * collects the calls, when it does not know the type of the program yet, and
 * asks again with the type known.
 */
static int iox_iova_kfunc_filter(const struct bpf_prog *prog, u32 kfunc_id)
{
	if (!btf_id_set8_contains(&iox_iova_kfunc_ids, kfunc_id))
		return 0;
	if (!prog->aux->st_ops)
		return 0;
	if (prog->aux->st_ops != &iox_iova_struct_ops)
		return -EACCES;
	if (prog->aux->attach_st_ops_member_off !=
	    offsetof(struct iox_iova_ops, select))
		return -EACCES;
	return 0;
}

static const struct btf_kfunc_id_set iox_iova_kfunc_set = {
	.owner = THIS_MODULE,
	.set = &iox_iova_kfunc_ids,
	.filter = iox_iova_kfunc_filter,
};

static bool iox_iova_is_valid_access(int off, int size,
				     enum bpf_access_type type,
				     const struct bpf_prog *prog,
				     struct bpf_insn_access_aux *info)
{
	return bpf_tracing_btf_ctx_access(off, size, type, prog, info);
}

/* Asked for writes only, and a policy has nothing to write in the kernel. */
static int iox_iova_btf_struct_access(struct bpf_verifier_log *log,
				      const struct bpf_reg_state *reg,
				      int off, int size)
{
	bpf_log(log, "an IOVA policy may not write to struct %s\n",
		btf_name_by_offset(reg->btf,
				   btf_type_by_id(reg->btf, reg->btf_id)->name_off));
	return -EACCES;
}

static const struct bpf_verifier_ops iox_iova_verifier_ops = {
	.get_func_proto = bpf_base_func_proto,
	.is_valid_access = iox_iova_is_valid_access,
	.btf_struct_access = iox_iova_btf_struct_access,
};

static int iox_iova_init(struct btf *btf)
{
	return 0;
}

/* The core asks with the lock of the IOVA space and the RCU read lock held. */
static int iox_iova_check_member(const struct btf_type *t,
				 const struct btf_member *member,
				 const struct bpf_prog *prog)
{
	return prog->sleepable ? -EINVAL : 0;
}

static int iox_iova_init_member(const struct btf_type *t,
				const struct btf_member *member,
				void *kdata, const void *udata)
{
	const struct iox_iova_ops *from = udata;
	struct iox_iova_ops *ops = kdata;

	if (__btf_member_bit_offset(t, member) / 8 !=
	    offsetof(struct iox_iova_ops, name))
		return 0;
	memcpy(ops->name, from->name, sizeof(ops->name));
	return 1;
}

static int iox_iova_validate(void *kdata)
{
	return iox_policy_validate(kdata);
}

static int iox_iova_reg(void *kdata, struct bpf_link *link)
{
	return iox_policy_register(kdata);
}

static void iox_iova_unreg(void *kdata, struct bpf_link *link)
{
	iox_policy_unregister(kdata);
}

static int iox_iova_update(void *kdata, void *old_kdata, struct bpf_link *link)
{
	return iox_policy_replace(kdata, old_kdata);
}

static u64 iox_iova_select_stub(struct iox_iova_req *req)
{
	return 0;
}

static struct iox_iova_ops iox_iova_cfi_stubs = {
	.select = iox_iova_select_stub,
};

static struct bpf_struct_ops iox_iova_struct_ops = {
	.verifier_ops = &iox_iova_verifier_ops,
	.init = iox_iova_init,
	.check_member = iox_iova_check_member,
	.init_member = iox_iova_init_member,
	.validate = iox_iova_validate,
	.reg = iox_iova_reg,
	.unreg = iox_iova_unreg,
	.update = iox_iova_update,
	.cfi_stubs = &iox_iova_cfi_stubs,
	.owner = THIS_MODULE,
	.name = "iox_iova_ops",
};

static int __init iox_policy_init(void)
{
	int rc;

	rc = iox_policy_sysfs_init();
	if (rc)
		return rc;

	rc = register_btf_kfunc_id_set(BPF_PROG_TYPE_STRUCT_OPS,
				       &iox_iova_kfunc_set);
	if (!rc)
		rc = register_bpf_struct_ops(&iox_iova_struct_ops, iox_iova_ops);
	if (rc)
		iox_policy_sysfs_exit();
	return rc;
}
late_initcall(iox_policy_init);
