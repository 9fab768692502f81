// SPDX-License-Identifier: GPL-2.0
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "msg.h"
#include "out.h"
#include "policy_sign.h"
#include "rollout_state.h"

#define STATE "state.json"
#define OBJECT "policy.bpf.o"
#define MAX_STATE (64 << 10)

/* DIR/NAME/FILE; @name NULL: DIR, @file NULL: DIR/NAME */
static const char *path_of(char path[PATH_MAX], const char *dir, const char *name, const char *file)
{
	snprintf(path, PATH_MAX, "%s%s%s%s%s", dir, name ? "/" : "", name ? name : "",
		 file ? "/" : "", file ? file : "");
	return path;
}

/* --- files that are whole or not there ------------------------------------------ */

static int write_all(int fd, const char *bytes, size_t size)
{
	ssize_t n;

	for (; size; bytes += n, size -= (size_t)n) {
		n = write(fd, bytes, size);
		if (n < 0)
			return -errno;
	}
	return fsync(fd) ? -errno : 0;
}

static int sync_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (fsync(fd))
		err = -errno;
	close(fd);
	return err;
}

static int write_aside(const char *path, const void *bytes, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644), err;

	if (fd < 0)
		return -errno;
	err = write_all(fd, bytes, size);
	close(fd);
	return err;
}

static bool replace_file(const char *dir, const char *name, const char *file, const void *bytes,
			 size_t size)
{
	char folder[PATH_MAX], path[PATH_MAX], aside[PATH_MAX + 8];
	int err;

	path_of(folder, dir, name, NULL);
	path_of(path, dir, name, file);
	snprintf(aside, sizeof(aside), "%s.new", path);
	err = write_aside(aside, bytes, size);
	if (!err && rename(aside, path))
		err = -errno;
	if (!err)
		err = sync_folder(folder);
	if (err)
		msg_errno(err, path, "is there room, and may it be written?");
	return !err;
}

/* With the folders above it. */
static bool make_folder(const char *path)
{
	char part[PATH_MAX];

	for (size_t i = 1; i <= strlen(path); i++) {
		if (path[i] && path[i] != '/')
			continue;
		snprintf(part, sizeof(part), "%.*s", (int)i, path);
		if (mkdir(part, 0755) && errno != EEXIST) {
			msg_errno(errno, part, NULL);
			return false;
		}
	}
	return true;
}

/* --- as JSON -------------------------------------------------------------------- */

static json_object *guard_json(const struct rollout_record *r, enum rollout_guard g)
{
	json_object *o = json_object_new_object();

	json_object_object_add(o, "baseline", json_object_new_double(r->st.baseline[g]));
	json_object_object_add(o, "value", json_object_new_double(r->st.value[g]));
	json_object_object_add(o, "limit",
			       r->has_limit[g] ? json_object_new_double(r->limit[g]) : NULL);
	out_json_u64(o, "trips", r->st.trips[g]);
	return o;
}

static json_object *guards_json(const struct rollout_record *r)
{
	json_object *o = json_object_new_object();

	for (int g = 0; g < ROLLOUT_NR_GUARDS; g++)
		json_object_object_add(o, rollout_guard_name[g], guard_json(r, g));
	return o;
}

static json_object *policy_json_of(const struct rollout_policy *p)
{
	json_object *o = json_object_new_object();

	out_json_str(o, "kind", p->kind == ROLLOUT_ADMIT ? "admit" : "iova");
	out_json_str(o, "sha256", p->sha256);
	out_json_str(o, "variable", p->variable);
	json_object_object_add(o, "may_refuse", json_object_new_boolean(p->may_refuse));
	out_json_str(o, "cgroup", p->cgroup);
	out_json_str(o, "replaces", p->replaces);
	out_json_u64(o, "spaces", p->spaces);
	return o;
}

static json_object *to_json(const struct rollout_record *r)
{
	json_object *o = json_object_new_object();

	out_json_str(o, "rollout", r->name);
	out_json_str(o, "document", r->document);
	out_json_u64(o, "goal", r->goal);
	out_json_u64(o, "stages", r->nr_stages);
	out_json_str(o, "state", rollout_phase_name[r->st.phase]);
	out_json_u64(o, "stage", r->st.stage);
	out_json_u64(o, "attempt", r->st.attempt);
	out_json_u64(o, "since", r->st.since);
	out_json_u64(o, "baked_ms", r->st.baked_ms);
	out_json_u64(o, "bake_samples", r->st.bake_samples);
	out_json_u64(o, "measured_ms", r->st.measured_ms);
	out_json_bool(o, "has_baseline", r->st.has_baseline);
	out_json_bool(o, "guard_holds", r->st.guard_holds);
	out_json_str(o, "reason", r->st.reason);
	json_object_object_add(o, "guards", guards_json(r));
	json_object_object_add(o, "policy", policy_json_of(&r->policy));
	return o;
}

bool rollout_state_write(const char *dir, const struct rollout_record *r)
{
	json_object *o = to_json(r);
	const char *text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY |
							  JSON_C_TO_STRING_NOSLASHESCAPE);
	bool ok = replace_file(dir, r->name, STATE, text, strlen(text));

	json_object_put(o);
	return ok;
}

/* --- and back: what is not as it was written is damaged ---------------------------- */

static bool take(json_object *o, const char *key, json_type type, json_object **value)
{
	return json_object_object_get_ex(o, key, value) && json_object_is_type(*value, type);
}

static bool take_u64(json_object *o, const char *key, __u64 max, __u64 *to)
{
	json_object *v;

	if (!take(o, key, json_type_int, &v) || json_object_get_int64(v) < 0)
		return false;
	*to = json_object_get_uint64(v);
	return *to <= max;
}

static bool take_u32(json_object *o, const char *key, __u32 max, __u32 *to)
{
	__u64 value;

	if (!take_u64(o, key, max, &value))
		return false;
	*to = (__u32)value;
	return true;
}

static bool take_text(json_object *o, const char *key, char *to, size_t size)
{
	json_object *v;

	if (!take(o, key, json_type_string, &v))
		return false;
	return (size_t)snprintf(to, size, "%s", json_object_get_string(v)) < size;
}

static bool take_bool(json_object *o, const char *key, bool *to)
{
	json_object *v;

	if (!take(o, key, json_type_boolean, &v))
		return false;
	*to = json_object_get_boolean(v);
	return true;
}

static bool take_double(json_object *o, const char *key, double *to)
{
	json_object *v;

	if (!take(o, key, json_type_double, &v))
		return false;
	*to = json_object_get_double(v);
	return true;
}

static bool take_phase(json_object *o, enum rollout_phase *phase)
{
	char word[32];

	if (!take_text(o, "state", word, sizeof(word)))
		return false;
	for (int i = 0; i < ROLLOUT_NR_PHASES; i++) {
		if (strcmp(word, rollout_phase_name[i]))
			continue;
		*phase = i;
		return true;
	}
	return false;
}

static bool take_guards(json_object *o, struct rollout_record *r)
{
	json_object *guards, *guard, *limit;

	if (!take(o, "guards", json_type_object, &guards))
		return false;
	for (int g = 0; g < ROLLOUT_NR_GUARDS; g++) {
		if (!take(guards, rollout_guard_name[g], json_type_object, &guard) ||
		    !take_double(guard, "baseline", &r->st.baseline[g]) ||
		    !take_double(guard, "value", &r->st.value[g]) ||
		    !take_u64(guard, "trips", INT64_MAX, &r->st.trips[g]) ||
		    !json_object_object_get_ex(guard, "limit", &limit))
			return false;
		r->has_limit[g] = limit;
		r->limit[g] = json_object_get_double(limit);
	}
	return true;
}

static bool take_policy(json_object *o, struct rollout_policy *p)
{
	json_object *policy;
	char kind[8];

	if (!take(o, "policy", json_type_object, &policy) ||
	    !take_text(policy, "kind", kind, sizeof(kind)))
		return false;
	p->kind = strcmp(kind, "admit") ? ROLLOUT_IOVA : ROLLOUT_ADMIT;
	return take_text(policy, "sha256", p->sha256, sizeof(p->sha256)) &&
	       take_text(policy, "variable", p->variable, sizeof(p->variable)) &&
	       take_bool(policy, "may_refuse", &p->may_refuse) &&
	       take_text(policy, "cgroup", p->cgroup, sizeof(p->cgroup)) &&
	       take_text(policy, "replaces", p->replaces, sizeof(p->replaces)) &&
	       take_u32(policy, "spaces", ROLLOUT_OF, &p->spaces);
}

static bool from_json(json_object *o, struct rollout_record *r)
{
	struct rollout_state *st = &r->st;

	return take_text(o, "rollout", r->name, sizeof(r->name)) &&
	       take_text(o, "document", r->document, sizeof(r->document)) &&
	       take_u32(o, "goal", ROLLOUT_MAX_STAGES, &r->goal) &&
	       take_u32(o, "stages", ROLLOUT_MAX_STAGES, &r->nr_stages) &&
	       take_phase(o, &st->phase) && take_u32(o, "stage", ROLLOUT_MAX_STAGES, &st->stage) &&
	       take_u32(o, "attempt", UINT32_MAX, &st->attempt) &&
	       take_u64(o, "since", INT64_MAX, &st->since) &&
	       take_u64(o, "baked_ms", INT64_MAX, &st->baked_ms) &&
	       take_u64(o, "bake_samples", INT64_MAX, &st->bake_samples) &&
	       take_u64(o, "measured_ms", INT64_MAX, &st->measured_ms) &&
	       take_bool(o, "has_baseline", &st->has_baseline) &&
	       take_bool(o, "guard_holds", &st->guard_holds) &&
	       take_text(o, "reason", st->reason, sizeof(st->reason)) && take_guards(o, r) &&
	       take_policy(o, &r->policy);
}

/* A whole text of at most MAX_STATE bytes, to be freed; NULL with errno */
static char *read_text(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = fd < 0 ? NULL : calloc(1, MAX_STATE + 1);
	ssize_t n = text ? read(fd, text, MAX_STATE) : -1;
	int err = errno;

	if (fd >= 0)
		close(fd);
	if (n >= 0)
		return text;
	free(text);
	errno = err;
	return NULL;
}

static enum rollout_read say_damaged(const char *path, const char *name, const char *why)
{
	char mend[ROLLOUT_NAME_LEN + 64];

	snprintf(mend, sizeof(mend), "'iox rollout forget %s', then apply its document again", name);
	msg_error(path, why, mend);
	return ROLLOUT_DAMAGED;
}

enum rollout_read rollout_state_read(const char *dir, const char *name, struct rollout_record *r)
{
	char path[PATH_MAX];
	json_object *o;
	char *text;
	bool ok;

	*r = (struct rollout_record){};
	text = read_text(path_of(path, dir, name, STATE));
	if (!text && (errno == ENOENT || errno == ENOTDIR))
		return ROLLOUT_NONE;
	if (!text)
		return say_damaged(path, name, strerror(errno));
	o = json_tokener_parse(text);
	free(text);
	ok = o && from_json(o, r) && !strcmp(r->name, name);
	json_object_put(o);
	return ok ? ROLLOUT_READ : say_damaged(path, name, "is damaged");
}

bool rollout_state_forget(const char *dir, const char *name)
{
	static const char *const files[] = { STATE ".new", OBJECT ".new", STATE, OBJECT };
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (!unlink(path_of(path, dir, name, files[i])) || errno == ENOENT)
			continue;
		msg_errno(errno, path, NULL);
		return false;
	}
	if (!rmdir(path_of(path, dir, name, NULL)) && !sync_folder(dir))
		return true;
	msg_errno(errno, path, NULL);
	return false;
}

/* --- the object ------------------------------------------------------------------- */

bool rollout_state_put_object(const char *dir, const char *name, const void *bytes, size_t size)
{
	return replace_file(dir, name, OBJECT, bytes, size);
}

void *rollout_state_object(const char *dir, const char *name, const char *sha256, size_t *size)
{
	char path[PATH_MAX], hex[65];
	void *bytes = policy_sign_read(path_of(path, dir, name, OBJECT), size);

	if (!bytes)
		return NULL;
	policy_sign_sha256(bytes, *size, hex);
	if (!strcmp(hex, sha256))
		return bytes;
	free(bytes);
	msg_error(path, "is not the object that was verified", "apply the document again");
	return NULL;
}

/* --- all of them -------------------------------------------------------------------- */

static int is_rollout(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

int rollout_state_list(const char *dir, char ***names)
{
	struct dirent **list = NULL;
	int nr = scandir(dir, &list, is_rollout, alphasort);

	*names = NULL;
	if (nr < 0 && errno == ENOENT)
		return 0;
	if (nr >= 0)
		*names = calloc((size_t)nr + 1, sizeof(**names));
	if (!*names) {
		msg_errno(errno, dir, NULL);
		return -1;
	}
	for (int i = 0; i < nr; i++) {
		(*names)[i] = strdup(list[i]->d_name);
		free(list[i]);
	}
	free(list);
	return nr;
}

void rollout_state_list_free(char **names, int nr)
{
	for (int i = 0; i < nr; i++)
		free(names[i]);
	free(names);
}

static int lock_folder(const char *path, int how)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0 && !flock(fd, how))
		return fd;
	if (fd >= 0 && errno == EWOULDBLOCK)
		msg_error(path, "another process drives this rollout", "let that do it, or end it");
	else
		msg_errno(errno, path, NULL);
	if (fd >= 0)
		close(fd);
	return -1;
}

int rollout_state_lock(const char *dir, const char *name)
{
	char path[PATH_MAX];

	path_of(path, dir, name, NULL);
	return make_folder(path) && !sync_folder(dir) ? lock_folder(path, LOCK_EX | LOCK_NB) : -1;
}

int rollout_state_lock_all(const char *dir)
{
	return make_folder(dir) ? lock_folder(dir, LOCK_EX) : -1;
}
