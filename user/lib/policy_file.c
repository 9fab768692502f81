// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>

#include "btf_members.h"
#include "kmsg.h"
#include "msg.h"
#include "policy_file.h"

#define LOG_SIZE (16 << 20)

/* --- opening and choosing ------------------------------------------------- */

static bool can_read(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		msg_errno(errno, path, NULL);
		return false;
	}
	close(fd);
	return true;
}

/* What libbpf would call the object if it read the file: that is in names of its maps. */
static void name_object(char *name, size_t size, const char *path)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;

	snprintf(name, size, "%.*s", (int)strcspn(base, "."), base);
}

/* From memory, or from the file @name. */
static bool open_object(struct policy_file *f, const char *name, const void *bytes, size_t size)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .kernel_log_size = LOG_SIZE);
	char object_name[64];

	*f = (struct policy_file){ .path = name };
	f->log = calloc(1, LOG_SIZE);
	if (!f->log) {
		msg_errno(ENOMEM, name, NULL);
		return false;
	}
	opts.kernel_log_buf = f->log;
	name_object(object_name, sizeof(object_name), name);
	opts.object_name = object_name;
	f->object = bytes ? bpf_object__open_mem(bytes, size, &opts) :
			    bpf_object__open_file(name, &opts);
	if (f->object && bpf_object__btf(f->object))
		return true;
	msg_error(name, "is no BPF object with BTF",
		  "compile it with clang -target bpf -g, as 'make bpf' does");
	policy_file_close(f);
	return false;
}

bool policy_file_open(struct policy_file *f, const char *path)
{
	*f = (struct policy_file){};
	return can_read(path) && open_object(f, path, NULL, 0);
}

bool policy_file_open_bytes(struct policy_file *f, const char *name, const void *bytes, size_t size)
{
	return open_object(f, name, bytes, size);
}

void policy_file_close(struct policy_file *f)
{
	bpf_object__close(f->object);
	free(f->log);
	*f = (struct policy_file){};
}

static const struct btf_type *type_of(const struct policy_file *f, const struct bpf_map *map)
{
	const struct btf *btf = bpf_object__btf(f->object);

	return btf__type_by_id(btf, bpf_map__btf_value_type_id(map));
}

/* POLICY_NR_KINDS: it is none. */
static enum policy_kind kind_of(const struct policy_file *f, const struct bpf_map *map)
{
	enum policy_kind kind = 0;
	const struct btf_type *t;
	const char *name;

	t = bpf_map__type(map) == BPF_MAP_TYPE_STRUCT_OPS ? type_of(f, map) : NULL;
	if (!t)
		return POLICY_NR_KINDS;
	name = btf__name_by_offset(bpf_object__btf(f->object), t->name_off);
	while (kind < POLICY_NR_KINDS && strcmp(name, policy_kinds[kind].type))
		kind++;
	return kind;
}

struct bpf_map *policy_file_next(const struct policy_file *f, struct bpf_map *map)
{
	do
		map = bpf_object__next_map(f->object, map);
	while (map && kind_of(f, map) == POLICY_NR_KINDS);
	return map;
}

/* What there is to choose from, with the error. */
static void say_choose(const struct policy_file *f, const char *why)
{
	char *mend = NULL;
	size_t size;
	FILE *out = open_memstream(&mend, &size);
	const char *before = "";

	if (!out)
		return;
	fputs("say which with --name: ", out);
	for (struct bpf_map *m = NULL; (m = policy_file_next(f, m)); before = ", ")
		fprintf(out, "%s%s", before, bpf_map__name(m));
	fclose(out);
	msg_error(f->path, why, mend);
	free(mend);
}

void policy_file_say_none(const struct policy_file *f)
{
	msg_error(f->path, "has no policy", "it needs a struct iox_iova_ops or iox_admit_ops in the "
		  "section .struct_ops.link");
}

static struct bpf_map *find(const struct policy_file *f, const char *name)
{
	struct bpf_map *map = policy_file_next(f, NULL), *m = map;
	char why[128];

	if (!map) {
		policy_file_say_none(f);
		return NULL;
	}
	if (!name && policy_file_next(f, map)) {
		say_choose(f, "has more than one policy");
		return NULL;
	}
	while (name && m && strcmp(bpf_map__name(m), name))
		m = policy_file_next(f, m);
	if (!m) {
		snprintf(why, sizeof(why), "has no policy '%s'", name);
		say_choose(f, why);
	}
	return m;
}

bool policy_file_choose(struct policy_file *f, const char *name)
{
	struct bpf_map *m;

	f->map = find(f, name);
	if (!f->map)
		return false;
	f->kind = kind_of(f, f->map);
	f->type = type_of(f, f->map);
	bpf_object__for_each_map(m, f->object)
		if (bpf_map__type(m) == BPF_MAP_TYPE_STRUCT_OPS)
			bpf_map__set_autocreate(m, m == f->map);
	/* So that a link attaches it, whatever section it is in. */
	bpf_map__set_map_flags(f->map, bpf_map__map_flags(f->map) | BPF_F_LINK);
	return true;
}

/* --- its members ---------------------------------------------------------- */

/* Where @m is in the value in our memory. */
static char *at(const struct policy_file *f, const struct btf_member *m)
{
	return (char *)bpf_map__initial_value(f->map, NULL) + m->offset / 8;
}

/* The @size bytes of member @name; NULL if the object knows no such thing. */
static char *find_value(const struct policy_file *f, const char *name, __s64 size)
{
	const struct btf *btf = bpf_object__btf(f->object);
	const struct btf_member *m = btf_find_member(btf, f->type, name);

	return m && btf__resolve_size(btf, m->type) == size ? at(f, m) : NULL;
}

static __u64 get(const struct policy_file *f, const char *name, size_t size)
{
	const char *from = find_value(f, name, (__s64)size);
	__u64 value = 0;

	if (from)
		memcpy(&value, from, size);
	return value;
}

/* An object that has no such member is fine as long as nobody wants a value there. */
static bool set(struct policy_file *f, const char *name, __u64 value, size_t size)
{
	char *to = find_value(f, name, (__s64)size), why[64];

	if (to) {
		memcpy(to, &value, size);
	} else if (value) {
		snprintf(why, sizeof(why), "was compiled without the member .%s", name);
		msg_error(f->path, why, "compile it with the vmlinux.h of this kernel");
		return false;
	}
	return true;
}

const char *policy_file_name(const struct policy_file *f)
{
	const struct btf *btf = bpf_object__btf(f->object);
	const struct btf_member *m = btf_find_member(btf, f->type, "name");
	const char *name = m ? at(f, m) : "";

	/* A name without an end the kernel will reject. */
	return *name && memchr(name, 0, (size_t)btf__resolve_size(btf, m->type)) ?
		       name : bpf_map__name(f->map);
}

struct policy_place policy_file_place(const struct policy_file *f)
{
	return (struct policy_place){
		.cgroup_id = get(f, "cgroup_id", sizeof(__u64)),
		.share = (__u32)get(f, "share", sizeof(__u32)),
		.flags = (__u32)get(f, "flags", sizeof(__u32)),
	};
}

bool policy_file_set_place(struct policy_file *f, const struct policy_place *place)
{
	return set(f, "cgroup_id", place->cgroup_id, sizeof(place->cgroup_id)) &&
	       set(f, "share", place->share, sizeof(place->share)) &&
	       set(f, "flags", place->flags, sizeof(place->flags));
}

const struct bpf_program *policy_file_program(const struct policy_file *f,
					      const struct btf_member *m)
{
	const struct btf_type *t = btf_member_type(bpf_object__btf(f->object), m);
	const struct bpf_program *prog = NULL;

	if (t && btf_is_ptr(t))
		memcpy(&prog, at(f, m), sizeof(prog));
	return prog;
}

bool policy_file_has(const struct policy_file *f, const char *function)
{
	const struct btf_member *m = btf_find_member(bpf_object__btf(f->object), f->type, function);

	return m && policy_file_program(f, m);
}

/* --- into the kernel ------------------------------------------------------ */

/* The place in the source that the verifier was at: "; CODE @ FILE:LINE". */
static void find_source(const char *line, char *source, size_t size)
{
	const char *where = NULL, *next = line;
	size_t len = strcspn(line, "\n");

	while ((next = memmem(next, len - (size_t)(next - line), " @ ", 3))) {
		next += 3;
		where = next;
	}
	if (where)
		snprintf(source, size, "%.*s", (int)(len - (size_t)(where - line)), where);
}

/* "3: (b7) r4 = 0": the verifier tells what it walks through. */
static bool is_step(const char *line)
{
	size_t digits = strspn(line, "0123456789");

	return *line == ';' || (digits && line[digits] == ':');
}

/*
 * Where the log ends with the step that is wrong, comes what is wrong with it, and then perhaps an
 * explanation of many lines and a summary. Takes what is wrong, and the line of the source.
 */
static void find_reason(const char *log, char *reason, size_t reason_size, char *source,
			size_t source_size)
{
	size_t len, used = 0;

	for (const char *line = log; *line; line += len + (line[len] == '\n')) {
		len = strcspn(line, "\n");
		if (!strncmp(line, "Verification failed:", 20) || !strncmp(line, "processed ", 10))
			return;
		if (*line == ';')
			find_source(line, source, source_size);
		if (is_step(line))
			*reason = (char)(used = 0);
		else if (len && used < reason_size)
			used += (size_t)snprintf(reason + used, reason_size - used, "%s%.*s",
						 used ? ": " : "", (int)len, line);
	}
}

static void say_rejected(const struct policy_file *f)
{
	char reason[512] = "", source[128] = "", *why;

	find_reason(f->log, reason, sizeof(reason), source, sizeof(source));
	if (getenv("IOX_DEBUG"))
		fputs(f->log, stderr);
	if (asprintf(&why, "the verifier rejects %s: %s%s%s%s", policy_file_name(f), reason,
		     *source ? " (" : "", source, *source ? ")" : "") < 0)
		return;
	msg_error(f->path, why, "mend it (IOX_DEBUG=1 shows all that the verifier says)");
	free(why);
}

static void say_load_failed(const struct policy_file *f, int err)
{
	if (*f->log)
		say_rejected(f);
	else
		msg_errno(err, f->path, err == -EPERM ? "run it as root" :
			  "IOX_DEBUG=1 tells more");
}

/* One member as the kernel wants it: descriptors of programs, all else as it is. */
static void put_member(const struct policy_file *f, const struct btf *kernel,
		       const struct btf_member *to, char *data)
{
	const struct btf *btf = bpf_object__btf(f->object);
	const struct btf_member *from = btf_find_member(btf, f->type,
							btf__name_by_offset(kernel, to->name_off));
	const struct btf_type *t = from ? btf_member_type(btf, from) : NULL;
	const struct bpf_program *prog;
	unsigned long fd;

	if (!t)
		return;
	data += to->offset / 8;
	if (!btf_is_ptr(t)) {
		/* libbpf has compared the sizes. */
		memcpy(data, at(f, from), (size_t)btf__resolve_size(btf, from->type));
		return;
	}
	prog = policy_file_program(f, from);
	if (!prog)
		return;
	fd = (unsigned long)bpf_program__fd(prog);
	memcpy(data, &fd, sizeof(fd));
}

/* The value of the map, for the kernel; NULL if its types are other than we think. */
static char *make_value(const struct policy_file *f, const struct btf *kernel)
{
	struct bpf_map_info info = {};
	const struct btf_type *value, *t;
	const struct btf_member *data;
	__u32 len = sizeof(info);
	char *buf;

	if (bpf_map_get_info_by_fd(bpf_map__fd(f->map), &info, &len))
		return NULL;
	value = btf__type_by_id(kernel, info.btf_vmlinux_value_type_id);
	data = value ? btf_find_member(kernel, value, "data") : NULL;
	t = data ? btf_member_type(kernel, data) : NULL;
	buf = t ? calloc(1, info.value_size) : NULL;
	if (!buf)
		return NULL;
	for (__u32 i = 0; i < btf_vlen(t); i++)
		put_member(f, kernel, &btf_members(t)[i], buf + data->offset / 8);
	return buf;
}

/* The kernel looks at the values of all members now, and has its log say what it does not like. */
static bool put_value(const struct policy_file *f)
{
	const struct btf *kernel = btf_kernel();
	char *value = kernel ? make_value(f, kernel) : NULL, why[256], prefix[64];
	int mark = kmsg_mark(), err = -EINVAL;
	__u32 zero = 0;

	if (value)
		err = bpf_map_update_elem(bpf_map__fd(f->map), &zero, value, 0);
	free(value);
	snprintf(prefix, sizeof(prefix), "iox: %s ", policy_kinds[f->kind].words);
	if (!kmsg_last(mark, prefix, why, sizeof(why)))
		snprintf(why, sizeof(why), "the kernel rejects it: %s", strerror(-err));
	if (err)
		msg_error(f->path, why, "mend it and compile it again");
	return !err;
}

bool policy_file_load(struct policy_file *f)
{
	int err;

	if (!policies_support(f->kind))
		return false;
	err = bpf_object__load(f->object);
	if (err) {
		say_load_failed(f, err);
		return false;
	}
	return put_value(f);
}

__u32 policy_file_map_id(const struct policy_file *f)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);

	return bpf_map_get_info_by_fd(bpf_map__fd(f->map), &info, &len) ? 0 : info.id;
}
