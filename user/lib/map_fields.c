// SPDX-License-Identifier: GPL-2.0
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cgroup.h"
#include "map_fields.h"
#include "msg.h"

/* What is longer is no text that anybody types. */
#define TEXT_MAX 4096

/* --- what there is -------------------------------------------------------- */

static void find(struct map_fields *fields, const struct btf *btf, __u32 type, const char *name,
		 __u32 offset);

/* The last part of its name. */
static const char *leaf_of(const struct map_field *f)
{
	const char *dot = strrchr(f->name, '.');

	return dot ? dot + 1 : f->name;
}

static void add(struct map_fields *fields, const char *name, __u32 offset, __u32 size,
		enum map_field_form form)
{
	struct map_field *f = &fields->list[fields->nr];

	if (fields->nr == MAP_FIELDS_MAX)
		return;
	fields->nr++;
	*f = (struct map_field){ .offset = offset, .size = size, .form = form };
	snprintf(f->name, sizeof(f->name), "%s", name);
}

/* One inside of @outer; members without a name are as if they were in there themselves. */
static void find_inner(struct map_fields *fields, const struct btf *btf, __u32 type,
		       const char *outer, const char *inner, __u32 offset)
{
	char name[96];

	snprintf(name, sizeof(name), "%s%s%s", outer, *outer && *inner ? "." : "", inner);
	find(fields, btf, type, name, offset);
}

static bool has_names(const struct btf_type *t)
{
	return btf_is_composite(t) || btf_is_datasec(t);
}

static void find_members(struct map_fields *fields, const struct btf *btf, const struct btf_type *t,
			 const char *name, __u32 offset)
{
	const struct btf_member *m = btf_members(t);

	for (__u32 i = 0; i < btf_vlen(t); i++) {
		const char *inner = btf__name_by_offset(btf, m[i].name_off);
		__u32 bit = btf_member_bit_offset(t, i);

		if (btf_member_bitfield_size(t, i))
			add(fields, inner, offset + bit / 8, 0, MAP_FIELD_OTHER);
		else
			find_inner(fields, btf, m[i].type, name, inner, offset + bit / 8);
	}
}

/* Global variables. */
static void find_variables(struct map_fields *fields, const struct btf *btf,
			   const struct btf_type *section)
{
	const struct btf_var_secinfo *v = btf_var_secinfos(section);

	for (__u32 i = 0; i < btf_vlen(section); i++) {
		const struct btf_type *variable = btf__type_by_id(btf, v[i].type);

		find(fields, btf, variable->type, btf__name_by_offset(btf, variable->name_off),
		     v[i].offset);
	}
}

static bool is_char(const struct btf *btf, const struct btf_type *t)
{
	return btf_is_int(t) && !strcmp(btf__name_by_offset(btf, t->name_off), "char");
}

static void find_elements(struct map_fields *fields, const struct btf *btf,
			  const struct btf_array *array, const char *name, __u32 offset)
{
	__s32 id = btf__resolve_type(btf, array->type);
	__s64 size = btf__resolve_size(btf, array->type);
	char element[96];

	if (id < 0 || size < 0)
		return;
	if (is_char(btf, btf__type_by_id(btf, (__u32)id))) {
		add(fields, name, offset, array->nelems,
		    array->nelems <= TEXT_MAX ? MAP_FIELD_TEXT : MAP_FIELD_OTHER);
		return;
	}
	for (__u32 i = 0; i < array->nelems && fields->nr < MAP_FIELDS_MAX; i++) {
		snprintf(element, sizeof(element), "%.80s[%u]", name, i);
		find(fields, btf, (__u32)id, element, offset + i * (__u32)size);
	}
}

static enum map_field_form form_of(const struct btf_type *t)
{
	if (t->size != 1 && t->size != 2 && t->size != 4 && t->size != 8)
		return MAP_FIELD_OTHER;
	if (btf_is_int(t))
		return btf_int_encoding(t) & BTF_INT_SIGNED ? MAP_FIELD_SIGNED : MAP_FIELD_NUMBER;
	return btf_kflag(t) ? MAP_FIELD_SIGNED : MAP_FIELD_NUMBER;
}

static void find(struct map_fields *fields, const struct btf *btf, __u32 type, const char *name,
		 __u32 offset)
{
	__s32 id = btf__resolve_type(btf, type);
	const struct btf_type *t = id < 0 ? NULL : btf__type_by_id(btf, (__u32)id);

	if (!t)
		return;
	if (btf_is_composite(t))
		find_members(fields, btf, t, name, offset);
	else if (btf_is_datasec(t))
		find_variables(fields, btf, t);
	else if (btf_is_array(t))
		find_elements(fields, btf, btf_array(t), name, offset);
	else if (btf_is_int(t) || btf_is_any_enum(t))
		add(fields, name, offset, t->size, form_of(t));
	else
		add(fields, name, offset, 0, MAP_FIELD_OTHER);
}

void map_fields_find(struct map_fields *fields, const struct btf *btf, __u32 type, const char *name)
{
	__s32 id = btf__resolve_type(btf, type);

	fields->nr = 0;
	if (id <= 0)
		return;
	if (has_names(btf__type_by_id(btf, (__u32)id)))
		name = "";
	find(fields, btf, (__u32)id, name, 0);
	fields->whole = fields->nr == 1 && *name;
}

const struct map_field *map_fields_named(const struct map_fields *fields, const char *name)
{
	for (size_t i = 0; i < fields->nr; i++)
		if (!strcmp(fields->list[i].name, name))
			return &fields->list[i];
	for (size_t i = 0; i < fields->nr; i++)
		if (!strcmp(leaf_of(&fields->list[i]), name))
			return &fields->list[i];
	return NULL;
}

/* --- written -------------------------------------------------------------- */

/* Their names tell how people write them. */
static bool is_cgroup(const struct map_field *f)
{
	return !strcmp(leaf_of(f), "cgroup_id");
}

static bool is_pci_id(const struct map_field *f)
{
	return !strcmp(leaf_of(f), "vendor") || !strcmp(leaf_of(f), "device");
}

static bool is_bytes(const struct map_field *f)
{
	const char *leaf = leaf_of(f);
	size_t len = strlen(leaf);

	return len >= 5 && !strcmp(leaf + len - 5, "bytes");
}

static const char units[] = "KMGT";

/* A number with a unit, of a sign or not; false if it is none, or does not fit into 64 bits. */
static bool parse_number(const char *word, int base, __u64 *value)
{
	const char *digits = word + (*word == '-'), *unit;
	unsigned int shift = 0;
	char *end;

	if (!isxdigit((unsigned char)*digits))
		return false;
	if (!strncmp(digits, "0x", 2))
		base = 16;
	errno = 0;
	*value = strtoull(digits, &end, base);
	unit = *end ? strchr(units, *end) : NULL;
	if (unit)
		shift = (unsigned int)(unit - units + 1) * 10;
	if (errno || end[unit ? 1 : 0] || *value << shift >> shift != *value)
		return false;
	*value <<= shift;
	if (*word == '-')
		*value = -*value;
	return true;
}

/* Is @word, which was read as @value, within the range of the field? */
static bool fits(const struct map_field *f, const char *word, __u64 value)
{
	unsigned int bits = f->size * 8 - (f->form == MAP_FIELD_SIGNED);

	if (*word == '-')
		return f->form == MAP_FIELD_SIGNED && -value <= 1ULL << bits;
	return bits == 64 || !(value >> bits);
}

static bool read_word(const struct map_field *f, const char *what, const char *word, __u64 *value)
{
	char why[256];

	if (is_cgroup(f) && *word == '/')
		return cgroup_id_of(word, value);
	if (!strcmp(word, "any") && f->form == MAP_FIELD_NUMBER)
		*value = ~0ULL >> (64 - f->size * 8);
	else if (!strcmp(word, "host") && is_cgroup(f))
		*value = 0;
	else if (!parse_number(word, is_pci_id(f) ? 16 : 10, value) || !fits(f, word, *value))
		goto wrong;
	return true;

wrong:
	snprintf(why, sizeof(why), "%s: '%.64s' is no %snumber of %u bits", f->name, word,
		 is_pci_id(f) ? "hexadecimal " : "", f->size * 8);
	msg_error(what, why, is_cgroup(f) ? "give the path of a cgroup, its id, or 'host'" : NULL);
	return false;
}

static void put(const struct map_field *f, __u64 value, char *bytes)
{
	__u8 u8 = (__u8)value;
	__u16 u16 = (__u16)value;
	__u32 u32 = (__u32)value;
	const void *from = f->size == 1 ? &u8 : f->size == 2 ? (void *)&u16 :
			   f->size == 4 ? (void *)&u32 : (void *)&value;

	memcpy(bytes + f->offset, from, f->size);
}

bool map_field_write(const struct map_field *field, const char *what, const char *word, char *bytes)
{
	char why[160];
	__u64 value;

	if (field->form == MAP_FIELD_OTHER) {
		snprintf(why, sizeof(why), "%s is neither a number nor a text", field->name);
		msg_error(what, why, "'bpftool map update' writes bytes");
		return false;
	}
	if (field->form != MAP_FIELD_TEXT) {
		if (!read_word(field, what, word, &value))
			return false;
		put(field, value, bytes);
		return true;
	}
	/* With an end. */
	if (strlen(word) >= field->size) {
		snprintf(why, sizeof(why), "%s has room for %u characters", field->name,
			 field->size - 1);
		msg_error(what, why, NULL);
		return false;
	}
	memset(bytes + field->offset, 0, field->size);
	memcpy(bytes + field->offset, word, strlen(word));
	return true;
}

/* --- read ----------------------------------------------------------------- */

static __u64 get(const struct map_field *f, const char *bytes)
{
	__u64 u64;
	__u32 u32;
	__u16 u16;

	bytes += f->offset;
	switch (f->size) {
	case 1:
		return f->form == MAP_FIELD_SIGNED ? (__u64)(__s8)*bytes : (__u8)*bytes;
	case 2:
		memcpy(&u16, bytes, sizeof(u16));
		return f->form == MAP_FIELD_SIGNED ? (__u64)(__s16)u16 : u16;
	case 4:
		memcpy(&u32, bytes, sizeof(u32));
		return f->form == MAP_FIELD_SIGNED ? (__u64)(__s32)u32 : u32;
	default:
		memcpy(&u64, bytes, sizeof(u64));
		return u64;
	}
}

/* What is there, with what a terminal or JSON would not bear as dots. */
static void get_text(const struct map_field *f, const char *bytes, char *text)
{
	__u32 i;

	bytes += f->offset;
	for (i = 0; i < f->size && bytes[i]; i++)
		text[i] = isprint((unsigned char)bytes[i]) ? bytes[i] : '.';
	text[i] = 0;
}

static void print_number(const struct map_field *f, __u64 value, FILE *out)
{
	char path[PATH_MAX];
	size_t unit = 0;

	if (is_cgroup(f) && !value) {
		fputs("host", out);
	} else if (is_cgroup(f) && cgroup_path_of(value, path)) {
		fputs(path, out);
	} else if (f->form == MAP_FIELD_NUMBER && value == ~0ULL >> (64 - f->size * 8)) {
		fputs("any", out);
	} else if (is_pci_id(f)) {
		fprintf(out, "%04llx", value);
	} else {
		for (; is_bytes(f) && value && unit < strlen(units) && !(value & 1023); unit++)
			value >>= 10;
		fprintf(out, f->form == MAP_FIELD_SIGNED ? "%lld" : "%llu", value);
		if (unit)
			fputc(units[unit - 1], out);
	}
}

void map_field_print(const struct map_field *field, const char *bytes, FILE *f)
{
	char text[field->size + 1];

	fprintf(f, "%s=", field->name);
	if (field->form == MAP_FIELD_OTHER) {
		fputc('?', f);
	} else if (field->form == MAP_FIELD_TEXT) {
		get_text(field, bytes, text);
		fputs(text, f);
	} else {
		print_number(field, get(field, bytes), f);
	}
}

static json_object *field_json(const struct map_field *f, const char *bytes)
{
	char text[f->size + 1];

	switch (f->form) {
	case MAP_FIELD_OTHER:
		return NULL;
	case MAP_FIELD_TEXT:
		get_text(f, bytes, text);
		return json_object_new_string(text);
	case MAP_FIELD_SIGNED:
		return json_object_new_int64((__s64)get(f, bytes));
	default:
		return json_object_new_uint64(get(f, bytes));
	}
}

json_object *map_fields_json(const struct map_fields *fields, const char *bytes)
{
	json_object *o;

	if (fields->whole)
		return field_json(&fields->list[0], bytes);
	o = json_object_new_object();
	for (size_t i = 0; i < fields->nr; i++)
		json_object_object_add(o, fields->list[i].name, field_json(&fields->list[i], bytes));
	return o;
}
