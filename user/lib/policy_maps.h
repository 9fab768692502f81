/* SPDX-License-Identifier: GPL-2.0 */
/* The BPF maps that the programs of a policy use, and entries of them in words. */
#ifndef IOX_LIB_POLICY_MAPS_H
#define IOX_LIB_POLICY_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <json-c/json.h>
#include <linux/bpf.h>

#include "map_fields.h"

struct policy_map {
	int fd;
	struct bpf_map_info info;
	char *key_bytes, *value_bytes;	/* room for one of each */
	struct map_fields key, value;	/* no field: without BTF, or in a map of one entry */
};

struct policy_maps {
	struct policy_map *list;
	size_t nr;
};

/* Those of the policy with this struct_ops map, in the order of their ids. False with the message given. */
bool policy_maps_read(struct policy_maps *maps, __u32 policy_map_id);
void policy_maps_free(struct policy_maps *maps);

/*
 * The map called @name, or, of global variables, with ".data" and the like at the end of its name.
 * NULL if there is none, or it cannot be used here, with the message given.
 */
struct policy_map *policy_maps_find(const struct policy_maps *maps, const char *name);

/* "hash", "array"; "?": entries of it are not known here. */
const char *policy_map_type(const struct policy_map *map);

/*
 * An entry in words: those of the key, then those of the value, or "name=value" in any order.
 * False with the message given.
 */
bool policy_map_set(struct policy_map *map, char *const *words, size_t nr);
bool policy_map_delete(struct policy_map *map, char *const *words, size_t nr);

/* Calls @fn for each entry, which is in key_bytes and value_bytes; of an array for those that are not 0. */
bool policy_map_each(struct policy_map *map, void (*fn)(const struct policy_map *map, void *arg),
		     void *arg);

/* Puts the entry that @words name into key_bytes and value_bytes. False with the message given. */
bool policy_map_get(struct policy_map *map, char *const *words, size_t nr);

#endif
