/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What keys and values of BPF maps consist of, by what BTF says: numbers and texts with names, for
 * people to write and to read.
 *
 * A field called cgroup_id can be written as the path of a cgroup, or "host"; fields called vendor and
 * device are hexadecimal, as lspci has them; numbers may end with K, M, G or T; "any" is all bits set.
 */
#ifndef IOX_LIB_MAP_FIELDS_H
#define IOX_LIB_MAP_FIELDS_H

#include <stdbool.h>
#include <stdio.h>
#include <bpf/btf.h>
#include <json-c/json.h>
#include <linux/types.h>

#define MAP_FIELDS_MAX 64

enum map_field_form {
	MAP_FIELD_NUMBER,
	MAP_FIELD_SIGNED,
	MAP_FIELD_TEXT,
	MAP_FIELD_OTHER,	/* neither written nor read */
};

struct map_field {
	char name[96];		/* "bytes", "amount.bytes", "slot[1]" */
	__u32 offset, size;
	enum map_field_form form;
};

struct map_fields {
	struct map_field list[MAP_FIELDS_MAX];
	size_t nr;
	bool whole;		/* it is one field, which has no name of its own */
};

/* Those of the type with this id; one that is no structure is called @name. */
void map_fields_find(struct map_fields *fields, const struct btf *btf, __u32 type,
		     const char *name);

/* The field called @name, or whose last part is; NULL: there is none. */
const struct map_field *map_fields_named(const struct map_fields *fields, const char *name);

/* Puts what @word says into @bytes, which the field is in; false with the message given about @what. */
bool map_field_write(const struct map_field *field, const char *what, const char *word, char *bytes);

/* "name=value", as map_field_write() takes it. */
void map_field_print(const struct map_field *field, const char *bytes, FILE *f);

/* All of them: a value if there is one without a name, else an object. */
json_object *map_fields_json(const struct map_fields *fields, const char *bytes);

#endif
