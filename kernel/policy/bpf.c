// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOVA policies as BPF sees them: the struct_ops type iox_iova_ops, and what the
 * verifier lets its programs do.
 */
#include <linux/bpf.h>
#include <linux/bpf_verifier.h>
#include <linux/btf.h>
#include <linux/init.h>
#include <linux/string.h>

#include "policy.h"

static struct bpf_struct_ops iox_iova_struct_ops;

/*
 * The verifier asks about every kfunc of every struct_ops program. It first
 * collects the calls, when it does not know the type of the program yet, and
 * asks again with the type known.
 */
static int iox_iova_kfunc_filter(const struct bpf_prog *prog, u32 kfunc_id)
{
	if (!iox_is_select_kfunc(kfunc_id))
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
	.is_valid_access = bpf_tracing_btf_ctx_access,
	.btf_struct_access = iox_iova_btf_struct_access,
};

/* Policies use these names, and no function of the kernel has them in its type. */
static int iox_iova_init(struct btf *btf)
{
	BTF_TYPE_EMIT_ENUM(IOX_PROT_READ);
	BTF_TYPE_EMIT_ENUM(IOX_BACKING_USER);
	return 0;
}

/**
 * iox_check_member - can a member of a policy be this program?
 * @t: the struct_ops type
 * @member: the member
 * @prog: the program
 *
 * All are called with the RCU read lock held.
 *
 * Return: 0, or -EINVAL if it may sleep.
 */
int iox_check_member(const struct btf_type *t,
		     const struct btf_member *member,
		     const struct bpf_prog *prog)
{
	return prog->sleepable ? -EINVAL : 0;
}

/* What is no function is copied here; 1 says that this has been done. */
static int iox_iova_init_member(const struct btf_type *t,
				const struct btf_member *member,
				void *kdata, const void *udata)
{
	const struct iox_iova_ops *from = udata;
	struct iox_iova_ops *ops = kdata;

	switch (__btf_member_bit_offset(t, member) / 8) {
	case offsetof(struct iox_iova_ops, name):
		memcpy(ops->name, from->name, sizeof(ops->name));
		return 1;
	case offsetof(struct iox_iova_ops, flags):
		ops->flags = from->flags;
		return 1;
	case offsetof(struct iox_iova_ops, share):
		ops->share = from->share;
		return 1;
	case offsetof(struct iox_iova_ops, cgroup_id):
		ops->cgroup_id = from->cgroup_id;
		return 1;
	default:
		return 0;
	}
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

static int iox_iova_ioas_init_stub(struct iox_ioas *ioas)
{
	return 0;
}

static void iox_iova_ioas_exit_stub(struct iox_ioas *ioas)
{
}

static void iox_iova_area_stub(struct iox_iova_area *area)
{
}

static int iox_iova_init_stub(void)
{
	return 0;
}

static void iox_iova_exit_stub(struct iox_exit_info *info)
{
}

static struct iox_iova_ops iox_iova_cfi_stubs = {
	.select = iox_iova_select_stub,
	.ioas_init = iox_iova_ioas_init_stub,
	.ioas_exit = iox_iova_ioas_exit_stub,
	.mapped = iox_iova_area_stub,
	.unmapped = iox_iova_area_stub,
	.init = iox_iova_init_stub,
	.exit = iox_iova_exit_stub,
};

static struct bpf_struct_ops iox_iova_struct_ops = {
	.verifier_ops = &iox_iova_verifier_ops,
	.init = iox_iova_init,
	.check_member = iox_check_member,
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

	rc = iox_policy_kfuncs_init(iox_iova_kfunc_filter);
	if (!rc)
		rc = register_bpf_struct_ops(&iox_iova_struct_ops, iox_iova_ops);
	if (rc)
		iox_policy_sysfs_exit();
	return rc ?: iox_admit_init();
}
late_initcall(iox_policy_init);
