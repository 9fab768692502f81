/* SPDX-License-Identifier: GPL-2.0 */
/* Policies in BPF object files, on their way into the kernel. */
#ifndef IOX_LIB_POLICY_FILE_H
#define IOX_LIB_POLICY_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <linux/types.h>

#include "policies.h"

/* One policy of an object: its variable, which is a struct_ops map, in the file. */
struct policy_file {
	const char *path;
	struct bpf_object *object;
	struct bpf_map *map;		/* the one that was chosen */
	enum policy_kind kind;
	const struct btf_type *type;	/* of its value, in the object's BTF */
	char *log;			/* the verifier's */
};

/* What is asked for beside what the file says. */
struct policy_place {
	__u64 cgroup_id;
	__u32 share;		/* 0 for an admission policy */
	__u32 flags;		/* enum policy_flags, of its kind */
};

/* All of these give the message when they fail. The path must stay. */
bool policy_file_open(struct policy_file *f, const char *path);
/* The same with one that is in memory; @name is for messages. */
bool policy_file_open_bytes(struct policy_file *f, const char *name, const void *bytes,
			    size_t size);
void policy_file_close(struct policy_file *f);

/* The policy that comes after @map in the file, of any kind; the first one after NULL; NULL: none. */
struct bpf_map *policy_file_next(const struct policy_file *f, struct bpf_map *map);

/* Chooses the variable @name, or with NULL the only one; the others will not be loaded. */
bool policy_file_choose(struct policy_file *f, const char *name);

/* The message for a file without any. */
void policy_file_say_none(const struct policy_file *f);

/* Of the chosen one: its kind, its name, and where it is to be. */
static inline enum policy_kind policy_file_kind(const struct policy_file *f)
{
	return f->kind;
}
const char *policy_file_name(const struct policy_file *f);
struct policy_place policy_file_place(const struct policy_file *f);

/* Before it is loaded. */
bool policy_file_set_place(struct policy_file *f, const struct policy_place *place);

/* The program that is member @m of the type; NULL if there is none, or @m is no function. */
const struct bpf_program *policy_file_program(const struct policy_file *f,
					      const struct btf_member *m);
bool policy_file_has(const struct policy_file *f, const char *function);

/*
 * Brings it into the kernel: the verifier has accepted the programs, and the kernel the values of
 * all members. Nobody asks it before a link attaches its map.
 */
bool policy_file_load(struct policy_file *f);
__u32 policy_file_map_id(const struct policy_file *f);

#endif
