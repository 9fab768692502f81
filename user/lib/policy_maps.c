// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>

#include "btf_members.h"
#include "msg.h"
#include "policy_maps.h"

#define MAPS_MAX 64
#define PROGRAMS_MAX 32

/* --- finding them --------------------------------------------------------- */

/* The programs in the value of a struct_ops map: where it has functions, the kernel shows their ids. */
static size_t find_programs(const char *value, const struct btf *btf, const struct btf_type *t,
			    __u32 programs[PROGRAMS_MAX])
{
	const struct btf_member *data = btf_find_member(btf, t, "data"), *m;
	const struct btf_type *ops = data ? btf_member_type(btf, data) : NULL;
	size_t nr = 0;
	__u64 id;

	m = ops ? btf_members(ops) : NULL;
	for (__u32 i = 0; m && i < btf_vlen(ops) && nr < PROGRAMS_MAX; i++) {
		const struct btf_type *member = btf_member_type(btf, &m[i]);

		if (!member || !btf_is_ptr(member))
			continue;
		memcpy(&id, value + (data->offset + m[i].offset) / 8, sizeof(id));
		if (id)
			programs[nr++] = (__u32)id;
	}
	return nr;
}

static int read_value(int fd, const struct bpf_map_info *info, __u32 programs[PROGRAMS_MAX],
		      size_t *nr)
{
	const struct btf *btf = btf_kernel();
	char *value = calloc(1, info->value_size);
	__u32 zero = 0;
	int err = -ENOMEM;

	if (value && btf)
		err = bpf_map_lookup_elem(fd, &zero, value);
	if (!err)
		*nr = find_programs(value, btf,
				    btf__type_by_id(btf, info->btf_vmlinux_value_type_id), programs);
	free(value);
	return err;
}

static int read_programs(__u32 policy_map_id, __u32 programs[PROGRAMS_MAX], size_t *nr)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	int fd = bpf_map_get_fd_by_id(policy_map_id), err;

	if (fd < 0)
		return fd;
	err = bpf_map_get_info_by_fd(fd, &info, &len);
	if (!err)
		err = read_value(fd, &info, programs, nr);
	close(fd);
	return err;
}

static bool is_there(const struct policy_maps *maps, __u32 id)
{
	for (size_t i = 0; i < maps->nr; i++)
		if (maps->list[i].info.id == id)
			return true;
	return false;
}

static void find_fields(struct policy_map *map)
{
	struct btf *btf = map->info.btf_id ? btf__load_from_kernel_by_id(map->info.btf_id) : NULL;

	if (!btf)
		return;
	if (map->info.btf_key_type_id)
		map_fields_find(&map->key, btf, map->info.btf_key_type_id, "key");
	map_fields_find(&map->value, btf, map->info.btf_value_type_id, "value");
	btf__free(btf);
}

static int add_map(struct policy_maps *maps, __u32 id)
{
	struct policy_map *list = reallocarray(maps->list, maps->nr + 1, sizeof(*list)), *map;
	__u32 len = sizeof(map->info);
	int err;

	if (!list)
		return -ENOMEM;
	maps->list = list;
	map = &list[maps->nr];
	*map = (struct policy_map){ .fd = bpf_map_get_fd_by_id(id) };
	if (map->fd < 0)
		return map->fd;
	maps->nr++;
	err = bpf_map_get_info_by_fd(map->fd, &map->info, &len);
	if (err)
		return err;
	map->key_bytes = calloc(1, map->info.key_size + 1);
	map->value_bytes = calloc(1, map->info.value_size + 1);
	if (!map->key_bytes || !map->value_bytes)
		return -ENOMEM;
	find_fields(map);
	return 0;
}

static int add_maps_of(struct policy_maps *maps, __u32 program)
{
	__u32 ids[MAPS_MAX], len = sizeof(struct bpf_prog_info);
	struct bpf_prog_info info = { .nr_map_ids = MAPS_MAX, .map_ids = (__u64)(unsigned long)ids };
	int fd = bpf_prog_get_fd_by_id(program), err;

	if (fd < 0)
		return fd;
	err = bpf_prog_get_info_by_fd(fd, &info, &len);
	close(fd);
	for (__u32 i = 0; !err && i < info.nr_map_ids && i < MAPS_MAX; i++)
		if (!is_there(maps, ids[i]))
			err = add_map(maps, ids[i]);
	return err;
}

static int compare(const void *left, const void *right)
{
	const struct policy_map *a = left, *b = right;

	return a->info.id < b->info.id ? -1 : a->info.id > b->info.id;
}

bool policy_maps_read(struct policy_maps *maps, __u32 policy_map_id)
{
	__u32 programs[PROGRAMS_MAX];
	size_t nr = 0;
	int err;

	*maps = (struct policy_maps){};
	err = read_programs(policy_map_id, programs, &nr);
	for (size_t i = 0; !err && i < nr; i++)
		err = add_maps_of(maps, programs[i]);
	if (err) {
		msg_errno(err, "the maps of the policy", err == -ENOENT ?
			  "it has been unloaded or replaced; 'iox policy list' shows what there is" :
			  NULL);
		policy_maps_free(maps);
		return false;
	}
	if (maps->nr)
		qsort(maps->list, maps->nr, sizeof(*maps->list), compare);
	return true;
}

void policy_maps_free(struct policy_maps *maps)
{
	for (size_t i = 0; i < maps->nr; i++) {
		close(maps->list[i].fd);
		free(maps->list[i].key_bytes);
		free(maps->list[i].value_bytes);
	}
	free(maps->list);
	*maps = (struct policy_maps){};
}

/* --- choosing one --------------------------------------------------------- */

const char *policy_map_type(const struct policy_map *map)
{
	switch (map->info.type) {
	case BPF_MAP_TYPE_HASH:
	case BPF_MAP_TYPE_LRU_HASH:
		return "hash";
	case BPF_MAP_TYPE_ARRAY:
		return "array";
	default:
		return "?";
	}
}

/* Of those for global variables, the kernel knows the object's name cut off, and the section's. */
static bool is_called(const struct policy_map *map, const char *name)
{
	const char *section = strchr(map->info.name, '.');

	return !strcmp(map->info.name, name) || (*name == '.' && section && !strcmp(section, name));
}

static void say_choose(const struct policy_maps *maps, const char *name)
{
	char *mend = NULL;
	size_t size;
	FILE *f = open_memstream(&mend, &size);

	if (!f)
		return;
	fputs(maps->nr ? "it has" : "it has none", f);
	for (size_t i = 0; i < maps->nr; i++)
		fprintf(f, "%s %s", i ? "," : "", maps->list[i].info.name);
	fclose(f);
	msg_error(name, "the policy has no such map", mend);
	free(mend);
}

struct policy_map *policy_maps_find(const struct policy_maps *maps, const char *name)
{
	struct policy_map *map = NULL;

	for (size_t i = 0; !map && i < maps->nr; i++)
		if (is_called(&maps->list[i], name))
			map = &maps->list[i];
	if (!map) {
		say_choose(maps, name);
		return NULL;
	}
	if (*policy_map_type(map) == '?' || !map->value.nr) {
		msg_error(name, "is no hash or array with types that are known",
			  "'bpftool map' reads and writes it");
		return NULL;
	}
	return map;
}
