// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "btf_members.h"

const struct btf *btf_kernel(void)
{
	static struct btf *kernel;

	if (!kernel)
		kernel = btf__load_vmlinux_btf();
	return kernel;
}

const struct btf_member *btf_find_member(const struct btf *btf, const struct btf_type *t,
					 const char *name)
{
	const struct btf_member *m = btf_members(t);

	for (__u32 i = 0; i < btf_vlen(t); i++)
		if (!strcmp(btf__name_by_offset(btf, m[i].name_off), name))
			return &m[i];
	return NULL;
}

const struct btf_type *btf_member_type(const struct btf *btf, const struct btf_member *m)
{
	__s32 id = btf__resolve_type(btf, m->type);

	return id < 0 ? NULL : btf__type_by_id(btf, (__u32)id);
}
