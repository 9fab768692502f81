// SPDX-License-Identifier: GPL-2.0-only
/*
 * Admission policies as BPF sees them: the struct_ops type iox_admit_ops, and what
 * the verifier lets its programs do.
 */
#include <linux/bpf.h>
#include <linux/bpf_verifier.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/init.h>
#include <linux/string.h>

#include "admit.h"

static struct bpf_struct_ops iox_admit_struct_ops;

__bpf_kfunc_start_defs();

/**
 * iox_admit_reason_bstr - a policy explains its answer
 * @req: the request that it was called with
 * @fmt: a constant string, as for bpf_printk()
 * @data: its arguments
 * @data__sz: bytes of @data
 *
 * IOX_ADMIT_REASON() in <iox/admit.bpf.h> calls it. The words go to the kernel's
 * log if the policy refuses, and to the tracepoint in any case.
 */
__bpf_kfunc void iox_admit_reason_bstr(struct iox_admit_req *req, char *fmt,
				       unsigned long long *data, u32 data__sz)
{
	struct iox_admission *admission = req->admission;

	iox_bstr_printf(admission->reason, sizeof(admission->reason), fmt, data,
			data__sz);
}

__bpf_kfunc_end_defs();

BTF_KFUNCS_START(iox_admit_kfunc_ids)
BTF_ID_FLAGS(func, iox_admit_reason_bstr)
BTF_KFUNCS_END(iox_admit_kfunc_ids)

/* Asked about all kfuncs of struct_ops programs, first with no type known. */
static int iox_admit_kfunc_filter(const struct bpf_prog *prog, u32 kfunc_id)
{
	if (!btf_id_set8_contains(&iox_admit_kfunc_ids, kfunc_id))
		return 0;
	if (!prog->aux->st_ops)
		return 0;
	if (prog->aux->st_ops != &iox_admit_struct_ops)
		return -EACCES;
	/* Nobody asks for a reason there. */
	if (prog->aux->attach_st_ops_member_off ==
	    offsetof(struct iox_admit_ops, unpreserve))
		return -EACCES;
	return 0;
}

static const struct btf_kfunc_id_set iox_admit_kfuncs = {
	.owner = THIS_MODULE,
	.set = &iox_admit_kfunc_ids,
	.filter = iox_admit_kfunc_filter,
};

/* Asked for writes only, and a policy has nothing to write in the kernel. */
static int iox_admit_btf_struct_access(struct bpf_verifier_log *log,
				       const struct bpf_reg_state *reg,
				       int off, int size)
{
	bpf_log(log, "an admission policy may not write to struct %s\n",
		btf_name_by_offset(reg->btf,
				   btf_type_by_id(reg->btf, reg->btf_id)->name_off));
	return -EACCES;
}

static const struct bpf_verifier_ops iox_admit_verifier_ops = {
	.get_func_proto = bpf_base_func_proto,
	.is_valid_access = bpf_tracing_btf_ctx_access,
	.btf_struct_access = iox_admit_btf_struct_access,
};

static int iox_admit_btf_init(struct btf *btf)
{
	return 0;
}

/* What is no function is copied here; 1 says that this has been done. */
static int iox_admit_init_member(const struct btf_type *t,
				 const struct btf_member *member,
				 void *kdata, const void *udata)
{
	const struct iox_admit_ops *from = udata;
	struct iox_admit_ops *ops = kdata;

	switch (__btf_member_bit_offset(t, member) / 8) {
	case offsetof(struct iox_admit_ops, name):
		memcpy(ops->name, from->name, sizeof(ops->name));
		return 1;
	case offsetof(struct iox_admit_ops, flags):
		ops->flags = from->flags;
		return 1;
	case offsetof(struct iox_admit_ops, cgroup_id):
		ops->cgroup_id = from->cgroup_id;
		return 1;
	default:
		return 0;
	}
}

static int iox_admit_bpf_validate(void *kdata)
{
	return iox_admit_validate(kdata);
}

static int iox_admit_reg(void *kdata, struct bpf_link *link)
{
	return iox_admit_register(kdata);
}

static void iox_admit_unreg(void *kdata, struct bpf_link *link)
{
	iox_admit_unregister(kdata);
}

static int iox_admit_update(void *kdata, void *old_kdata, struct bpf_link *link)
{
	return iox_admit_replace(kdata, old_kdata);
}

static int iox_admit_ask_stub(struct iox_admit_req *req)
{
	return 0;
}

static void iox_admit_tell_stub(struct iox_admit_req *req)
{
}

static struct iox_admit_ops iox_admit_cfi_stubs = {
	.mark = iox_admit_ask_stub,
	.preserve = iox_admit_ask_stub,
	.freeze = iox_admit_ask_stub,
	.retrieve = iox_admit_ask_stub,
	.unpreserve = iox_admit_tell_stub,
};

static struct bpf_struct_ops iox_admit_struct_ops = {
	.verifier_ops = &iox_admit_verifier_ops,
	.init = iox_admit_btf_init,
	.check_member = iox_check_member,
	.init_member = iox_admit_init_member,
	.validate = iox_admit_bpf_validate,
	.reg = iox_admit_reg,
	.unreg = iox_admit_unreg,
	.update = iox_admit_update,
	.cfi_stubs = &iox_admit_cfi_stubs,
	.owner = THIS_MODULE,
	.name = "iox_admit_ops",
};

/**
 * iox_admit_init - have BPF know admission policies
 *
 * Context: once, when the folder of all policies is there.
 * Return: 0 or an errno.
 */
int __init iox_admit_init(void)
{
	int rc = iox_admit_sysfs_init();

	if (rc)
		return rc;
	rc = register_btf_kfunc_id_set(BPF_PROG_TYPE_STRUCT_OPS,
				       &iox_admit_kfuncs);
	if (rc)
		return rc;
	return register_bpf_struct_ops(&iox_admit_struct_ops, iox_admit_ops);
}
