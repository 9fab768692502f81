// SPDX-License-Identifier: GPL-2.0
/* Entries of maps in words. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>

#include "msg.h"
#include "policy_maps.h"

/* What has been said of a key or a value. */
struct half {
	const struct map_fields *fields;
	char *bytes;
	bool said[MAP_FIELDS_MAX];
	bool any;
};

struct entry {
	struct policy_map *map;
	struct half key, value;
};

static struct entry begin(struct policy_map *map)
{
	memset(map->key_bytes, 0, map->info.key_size);
	memset(map->value_bytes, 0, map->info.value_size);
	return (struct entry){
		.map = map,
		.key = { .fields = &map->key, .bytes = map->key_bytes },
		.value = { .fields = &map->value, .bytes = map->value_bytes },
	};
}

static void put_names(FILE *f, const struct map_fields *fields)
{
	if (fields->whole)
		fputs(fields->list[0].form == MAP_FIELD_TEXT ? " a text" : " a number", f);
	for (size_t i = 0; !fields->whole && i < fields->nr; i++)
		fprintf(f, "%s %s", i ? "," : "", fields->list[i].name);
}

/* With what there is to be said. */
__attribute__((format(printf, 2, 3)))
static bool fail(const struct entry *e, const char *format, ...)
{
	char why[256], *mend = NULL;
	size_t size;
	va_list args;
	FILE *f = open_memstream(&mend, &size);

	if (!f)
		return false;
	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	fputs(e->map->key.nr ? "the key is" : "it has one entry", f);
	put_names(f, &e->map->key);
	fputs(", the value", f);
	put_names(f, &e->map->value);
	fclose(f);
	msg_error(e->map->info.name, why, mend);
	free(mend);
	return false;
}

static bool write_field(const struct entry *e, struct half *half, size_t i, const char *word)
{
	half->said[i] = true;
	half->any = true;
	return map_field_write(&half->fields->list[i], e->map->info.name, word, half->bytes);
}

/* All fields at once, with colons in between. */
static bool write_all(const struct entry *e, struct half *half, const char *word)
{
	char *text, *next, *part;
	bool ok = true;
	size_t i = 0;

	if (half->fields->nr == 1)
		return write_field(e, half, 0, word);
	text = next = strdup(word);
	while (text && ok && (part = strsep(&next, ":"))) {
		ok = i < half->fields->nr && write_field(e, half, i, part);
		i++;
	}
	free(text);
	/* One that was wrong has been told. */
	if (ok ? i == half->fields->nr : i <= half->fields->nr)
		return ok;
	return fail(e, "'%.64s' is not as many values as there are, with ':' in between", word);
}

/* What "cgroup" stands for is written out in policies. */
static const struct map_field *find_field(const struct half *half, const char *name)
{
	return map_fields_named(half->fields, strcmp(name, "cgroup") ? name : "cgroup_id");
}

static bool write_named(const struct entry *e, struct half *half, const struct map_field *f,
			const char *word)
{
	return write_field(e, half, (size_t)(f - half->fields->list), word);
}

static bool add_word(struct entry *e, const char *word)
{
	const char *equals = strchr(word, '=');
	const struct map_field *f;
	char name[96];

	if (!equals || *word == '/') {
		if (e->map->key.nr && !e->key.any)
			return write_all(e, &e->key, word);
		if (!e->value.any)
			return write_all(e, &e->value, word);
		return fail(e, "'%.64s' is one value too many", word);
	}
	snprintf(name, sizeof(name), "%.*s", (int)(equals - word), word);
	f = find_field(&e->key, name);
	if (f)
		return write_named(e, &e->key, f, equals + 1);
	f = find_field(&e->value, name);
	if (f)
		return write_named(e, &e->value, f, equals + 1);
	return fail(e, "has nothing called '%s'", name);
}

static bool add_words(struct entry *e, char *const *words, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		if (!add_word(e, words[i]))
			return false;
	return true;
}

static bool is_complete(const struct entry *e, const struct half *half)
{
	for (size_t i = 0; i < half->fields->nr; i++)
		if (!half->said[i] && half->fields->list[i].form != MAP_FIELD_OTHER)
			return fail(e, "%s is missing", half->fields->list[i].name);
	return true;
}

/* The only entry of a map has no need of a key. */
static bool has_key(struct entry *e)
{
	return (e->map->info.type == BPF_MAP_TYPE_ARRAY && e->map->info.max_entries == 1) ||
	       is_complete(e, &e->key);
}

static bool say_errno(const struct entry *e, int err)
{
	if (err == -ENOENT && e->map->info.type == BPF_MAP_TYPE_ARRAY)
		msg_error(e->map->info.name, "it has no entry of this number", NULL);
	else if (err == -E2BIG)
		msg_error(e->map->info.name, "it is full", "take an entry out with 'iox policy set -d'");
	else if (err == -ENOENT)
		msg_error(e->map->info.name, "it has no such entry",
			  "'iox policy get' shows those that there are");
	else if (err == -EPERM)
		msg_error(e->map->info.name, "it cannot be written to", "change the policy's source");
	else
		msg_errno(err, e->map->info.name, NULL);
	return false;
}

/* A member of a set needs no value but one. */
static bool complete_value(struct entry *e)
{
	struct half *value = &e->value;

	if (value->fields->whole && !value->any)
		return write_field(e, value, 0, "1");
	return is_complete(e, value);
}

/* What is not said of an entry that is there stays as it is. */
static bool keep_value(struct entry *e, char *now)
{
	const struct map_fields *fields = e->value.fields;

	if (!e->value.any && e->map->info.type == BPF_MAP_TYPE_ARRAY)
		return is_complete(e, &e->value);
	for (size_t i = 0; i < fields->nr; i++)
		if (e->value.said[i])
			memcpy(now + fields->list[i].offset,
			       e->value.bytes + fields->list[i].offset, fields->list[i].size);
	memcpy(e->value.bytes, now, e->map->info.value_size);
	return true;
}

static bool update(struct entry *e)
{
	char *now = calloc(1, e->map->info.value_size + 1);
	int err;
	bool ok;

	if (!now)
		return say_errno(e, -ENOMEM);
	err = bpf_map_lookup_elem(e->map->fd, e->key.bytes, now);
	if (err && e->map->info.type == BPF_MAP_TYPE_ARRAY)
		ok = say_errno(e, err);
	else
		ok = err ? complete_value(e) : keep_value(e, now);
	free(now);
	if (!ok)
		return false;
	err = bpf_map_update_elem(e->map->fd, e->key.bytes, e->value.bytes, BPF_ANY);
	return !err || say_errno(e, err);
}

bool policy_map_set(struct policy_map *map, char *const *words, size_t nr)
{
	struct entry e = begin(map);

	return add_words(&e, words, nr) && has_key(&e) && update(&e);
}

/* Words that name an entry, and say nothing of its value. */
static bool find_entry(struct entry *e, char *const *words, size_t nr)
{
	if (!add_words(e, words, nr) || !has_key(e))
		return false;
	return !e->value.any || fail(e, "a value was given, and none is wanted");
}

bool policy_map_delete(struct policy_map *map, char *const *words, size_t nr)
{
	struct entry e = begin(map);
	int err;

	if (!find_entry(&e, words, nr))
		return false;
	if (map->info.type == BPF_MAP_TYPE_ARRAY) {
		msg_error(map->info.name, "nothing can be taken out of an array", "set it to 0");
		return false;
	}
	err = bpf_map_delete_elem(map->fd, e.key.bytes);
	return !err || say_errno(&e, err);
}

bool policy_map_get(struct policy_map *map, char *const *words, size_t nr)
{
	struct entry e = begin(map);
	int err;

	if (!find_entry(&e, words, nr))
		return false;
	err = bpf_map_lookup_elem(map->fd, e.key.bytes, e.value.bytes);
	return !err || say_errno(&e, err);
}

/* --- all of them ---------------------------------------------------------- */

static bool is_empty(const struct policy_map *map)
{
	if (map->info.type != BPF_MAP_TYPE_ARRAY || map->info.max_entries == 1)
		return false;
	for (__u32 i = 0; i < map->info.value_size; i++)
		if (map->value_bytes[i])
			return false;
	return true;
}

bool policy_map_each(struct policy_map *map, void (*fn)(const struct policy_map *map, void *arg),
		     void *arg)
{
	__u32 left = map->info.max_entries;
	void *key = NULL;
	int err = -ENOENT;

	/* Where an entry was taken out meanwhile, the kernel begins anew. */
	while (left-- && !(err = bpf_map_get_next_key(map->fd, key, map->key_bytes))) {
		key = map->key_bytes;
		/* One that is gone since. */
		if (bpf_map_lookup_elem(map->fd, key, map->value_bytes) || is_empty(map))
			continue;
		fn(map, arg);
	}
	if (!err || err == -ENOENT)
		return true;
	msg_errno(err, map->info.name, NULL);
	return false;
}
