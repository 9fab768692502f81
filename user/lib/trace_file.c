// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <json-c/json.h>

#include "msg.h"
#include "trace_file.h"

#define VERSION 1

struct trace_file {
	char *path;
	FILE *stream;
	bool writing;
	bool failed;		/* and told */
	unsigned long line_nr;
	char *line;
	size_t line_size;
	struct json_tokener *tokener;
};

const char *const trace_op_name[TRACE_NR_OPS] = {
	[TRACE_MAP] = "map",
	[TRACE_MAP_FILE] = "map-file",
	[TRACE_COPY] = "copy",
	[TRACE_UNMAP] = "unmap",
	[TRACE_DESTROY] = "destroy",
};

static const char *const prot_name[] = {
	[TRACE_READ] = "r",
	[TRACE_WRITE] = "w",
	[TRACE_READ | TRACE_WRITE] = "rw",
};

static const char *const backing_name[TRACE_NR_BACKINGS] = {
	[TRACE_USER] = "user",
	[TRACE_FILE] = "file",
	[TRACE_DMABUF] = "dmabuf",
};

#define NR(array) (sizeof(array) / sizeof((array)[0]))

/* --- for both directions -------------------------------------------------- */

static void say_failed(struct trace_file *f, int err)
{
	f->failed = true;
	msg_errno(err, f->path, NULL);
}

static void free_file(struct trace_file *f)
{
	if (f->tokener)
		json_tokener_free(f->tokener);
	free(f->line);
	free(f->path);
	free(f);
}

static struct trace_file *open_file(const char *path, const char *mode)
{
	struct trace_file *f = calloc(1, sizeof(*f));

	if (!f) {
		msg_errno(ENOMEM, path, NULL);
		return NULL;
	}
	f->writing = *mode == 'w';
	f->path = strdup(path);
	f->tokener = json_tokener_new();
	f->stream = f->path && f->tokener ? fopen(path, mode) : NULL;
	if (f->stream)
		return f;
	msg_errno(errno, path, NULL);
	free_file(f);
	return NULL;
}

bool trace_file_close(struct trace_file *f)
{
	bool ok;

	if (fclose(f->stream) && !f->failed && f->writing)
		say_failed(f, errno);
	ok = !f->failed;
	free_file(f);
	return ok;
}

/* --- writing -------------------------------------------------------------- */

static bool written(struct trace_file *f, bool ok)
{
	if (!ok && !f->failed)
		say_failed(f, errno);
	return !f->failed;
}

struct trace_file *trace_file_create(const char *path)
{
	struct trace_file *f = open_file(path, "we");
	time_t now = time(NULL);
	struct utsname kernel;
	char date[32];
	struct tm tm;

	if (!f)
		return NULL;
	uname(&kernel);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	if (written(f, fprintf(f->stream,
			       "{\"iox_trace\":%d,\"kernel\":\"%s\",\"recorded\":\"%s\"}\n",
			       VERSION, kernel.release, date) > 0))
		return f;
	trace_file_close(f);
	return NULL;
}

static void write_map(FILE *out, const struct trace_request *req)
{
	fprintf(out, ",\"addr\":\"0x%llx\",\"fixed\":%s", req->addr, req->fixed ? "true" : "false");
	if (req->hint)
		fprintf(out, ",\"hint\":\"0x%llx\"", req->hint);
	fprintf(out, ",\"prot\":\"%s\",\"backing\":\"%s\"", prot_name[req->prot],
		backing_name[req->backing]);
	if (req->run)
		fprintf(out, ",\"run\":%u", req->run);
}

static void write_comm(FILE *out, const struct trace_request *req)
{
	json_object *comm = json_object_new_string_len(
		req->comm, (int)strnlen(req->comm, sizeof(req->comm)));

	fprintf(out, ",\"comm\":%s",
		json_object_to_json_string_ext(comm, JSON_C_TO_STRING_PLAIN));
	json_object_put(comm);
}

bool trace_file_write(struct trace_file *f, const struct trace_request *req)
{
	FILE *out = f->stream;

	fprintf(out, "{\"t\":%llu,\"op\":\"%s\",\"space\":%u", req->t_ns, trace_op_name[req->op],
		req->space);
	if (req->op != TRACE_DESTROY)
		fprintf(out, ",\"iova\":\"0x%llx\",\"length\":%llu", req->iova, req->length);
	if (trace_is_map(req->op))
		write_map(out, req);
	if (req->err)
		fprintf(out, ",\"err\":%d", req->err);
	if (req->pid)
		fprintf(out, ",\"pid\":%d", req->pid);
	if (req->comm[0])
		write_comm(out, req);
	fputs("}\n", out);
	return written(f, !ferror(out));
}

/* --- reading -------------------------------------------------------------- */

static bool say_bad(struct trace_file *f, const char *why, const char *mend)
{
	char where[4096];

	snprintf(where, sizeof(where), "%s:%lu", f->path, f->line_nr);
	msg_error(where, why, mend);
	f->failed = true;
	return false;
}

static bool say_bad_value(struct trace_file *f, const char *key, const char *what)
{
	char why[128];

	snprintf(why, sizeof(why), "\"%s\" is not %s", key, what);
	return say_bad(f, why, "docs/iox.md has the format");
}

/* The object of the next line; NULL at the end, or if there is none, with the message given. */
static json_object *read_line(struct trace_file *f)
{
	ssize_t len = getline(&f->line, &f->line_size, f->stream);
	json_object *o;

	f->line_nr++;
	if (len < 0) {
		if (ferror(f->stream))
			say_failed(f, errno);
		return NULL;
	}
	json_tokener_reset(f->tokener);
	o = json_tokener_parse_ex(f->tokener, f->line, (int)len);
	if (o && json_object_is_type(o, json_type_object) &&
	    json_tokener_get_parse_end(f->tokener) + 1 >= (size_t)len)
		return o;
	json_object_put(o);
	say_bad(f, "is no JSON object",
		"if it is the last line, recording was cut off: take the line out");
	return NULL;
}

static json_object *get(json_object *o, const char *key)
{
	json_object *value = NULL;

	json_object_object_get_ex(o, key, &value);
	return value;
}

static bool get_number(struct trace_file *f, json_object *o, const char *key, __u64 min, __u64 max,
		       __u64 *to)
{
	json_object *value = get(o, key);
	char what[64];

	if (value && json_object_is_type(value, json_type_int) &&
	    json_object_get_int64(value) >= 0) {
		*to = json_object_get_uint64(value);
		if (*to >= min && *to <= max)
			return true;
	}
	snprintf(what, sizeof(what), "a number from %llu to %llu", min, max);
	return say_bad_value(f, key, what);
}

static bool get_address(struct trace_file *f, json_object *o, const char *key, __u64 *to)
{
	json_object *value = get(o, key);
	const char *text = value && json_object_is_type(value, json_type_string) ?
				   json_object_get_string(value) : "";
	char *end;

	errno = 0;
	*to = strtoull(text, &end, 16);
	return (text[0] == '0' && text[1] == 'x' && text[2] && !*end && !errno) ||
	       say_bad_value(f, key, "an address such as \"0x1000\"");
}

/* Which of @names the string is. */
static bool get_word(struct trace_file *f, json_object *o, const char *key,
		     const char *const *names, size_t nr, __u32 *to)
{
	json_object *value = get(o, key);
	const char *text = value ? json_object_get_string(value) : "";
	char what[64];
	size_t used = 0;

	for (*to = 0; *to < nr; ++*to)
		if (names[*to] && !strcmp(text, names[*to]))
			return true;
	for (size_t i = 0; i < nr; i++)
		if (names[i])
			used += (size_t)snprintf(what + used, sizeof(what) - used, "%s\"%s\"",
						 used ? ", " : "", names[i]);
	return say_bad_value(f, key, what);
}

/* Keys that may be missing. */
static bool read_optional(struct trace_file *f, json_object *o, struct trace_request *req)
{
	json_object *value;
	__u64 number;

	value = get(o, "err");
	if (value)
		req->err = json_object_get_int(value);
	if (req->err > 0)
		return say_bad_value(f, "err", "a negative errno");
	value = get(o, "pid");
	if (value)
		req->pid = json_object_get_int(value);
	value = get(o, "comm");
	if (value)
		snprintf(req->comm, sizeof(req->comm), "%s", json_object_get_string(value));
	if (get(o, "hint") && !get_address(f, o, "hint", &req->hint))
		return false;
	if (get(o, "run")) {
		if (!get_number(f, o, "run", 12, 63, &number))
			return false;
		req->run = (__u32)number;
	}
	return true;
}

static bool read_map(struct trace_file *f, json_object *o, struct trace_request *req)
{
	json_object *fixed = get(o, "fixed");

	if (!fixed || !json_object_is_type(fixed, json_type_boolean))
		return say_bad_value(f, "fixed", "true or false");
	req->fixed = json_object_get_boolean(fixed);
	/* Somebody may have asked for just that, in vain. */
	if (!req->err && req->length - 1 > ~0ULL - req->iova)
		return say_bad(f, "\"iova\" and \"length\" wrap", "docs/iox.md has the format");
	return get_address(f, o, "addr", &req->addr) &&
	       get_word(f, o, "prot", prot_name, NR(prot_name), &req->prot) &&
	       get_word(f, o, "backing", backing_name, NR(backing_name), &req->backing);
}

static bool read_request(struct trace_file *f, json_object *o, struct trace_request *req)
{
	__u64 number;
	__u32 op;

	if (!get_number(f, o, "t", 0, ~0ULL, &req->t_ns) ||
	    !get_word(f, o, "op", trace_op_name, NR(trace_op_name), &op) ||
	    !get_number(f, o, "space", 1, TRACE_MAX_SPACES - 1, &number))
		return false;
	req->op = op;
	req->space = (__u32)number;
	if (req->op != TRACE_DESTROY &&
	    (!get_address(f, o, "iova", &req->iova) ||
	     !get_number(f, o, "length", 1, ~0ULL, &req->length)))
		return false;
	return read_optional(f, o, req) && (!trace_is_map(req->op) || read_map(f, o, req));
}

struct trace_file *trace_file_open(const char *path)
{
	struct trace_file *f = open_file(path, "re");
	json_object *o, *version;

	if (!f)
		return NULL;
	o = read_line(f);
	version = o ? get(o, "iox_trace") : NULL;
	if (version && json_object_get_int(version) == VERSION) {
		json_object_put(o);
		return f;
	}
	if (o && version)
		say_bad(f, "is a trace of another version", "record it with this version of iox");
	else if (!f->failed)
		say_bad(f, "is not how a trace begins", "'iox record' makes one");
	json_object_put(o);
	trace_file_close(f);
	return NULL;
}

int trace_file_read(struct trace_file *f, struct trace_request *req)
{
	json_object *o = f->failed ? NULL : read_line(f);
	bool ok;

	if (!o)
		return f->failed ? -1 : 0;
	*req = (struct trace_request){};
	ok = read_request(f, o, req);
	json_object_put(o);
	return ok ? 1 : -1;
}

/* --- all of it ------------------------------------------------------------ */

static bool add(struct trace *trace, size_t *room, const struct trace_request *req)
{
	struct trace_request *list;

	if (trace->nr == *room) {
		*room = *room ? 2 * *room : 1024;
		list = reallocarray(trace->list, *room, sizeof(*list));
		if (!list) {
			msg_errno(ENOMEM, trace->path, NULL);
			return false;
		}
		trace->list = list;
	}
	trace->list[trace->nr++] = *req;
	if (trace->spaces < req->space)
		trace->spaces = req->space;
	return true;
}

bool trace_load(struct trace *trace, const char *path)
{
	struct trace_file *f = trace_file_open(path);
	struct trace_request req;
	size_t room = 0;
	int more;

	*trace = (struct trace){ .path = path };
	if (!f)
		return false;
	while ((more = trace_file_read(f, &req)) > 0 && add(trace, &room, &req))
		;
	trace_file_close(f);
	if (!more)
		return true;
	trace_free(trace);
	return false;
}

void trace_free(struct trace *trace)
{
	free(trace->list);
	*trace = (struct trace){};
}
