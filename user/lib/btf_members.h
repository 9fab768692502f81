/* SPDX-License-Identifier: GPL-2.0 */
/* Where members of structures are, by what BTF says: so layouts may change. */
#ifndef IOX_LIB_BTF_MEMBERS_H
#define IOX_LIB_BTF_MEMBERS_H

#include <bpf/btf.h>

/* The running kernel's, read once and kept. NULL if it has none. */
const struct btf *btf_kernel(void);

/* NULL if @t has no such member. */
const struct btf_member *btf_find_member(const struct btf *btf, const struct btf_type *t,
					 const char *name);

/* The type of @m without typedefs and qualifiers, NULL if there is none. */
const struct btf_type *btf_member_type(const struct btf *btf, const struct btf_member *m);

#endif
