// SPDX-License-Identifier: GPL-2.0
/* iox lu plan: what would be refused if a process were preserved now, and why. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "lib/lu_plan.h"
#include "lib/msg.h"
#include "lib/out.h"
#include "lu.h"
#include "lu_admission.h"

struct options {
	pid_t pid;
	bool json;
};

static const struct argp_option options[] = {
	{ "json", 'j', NULL, 0, "Print one JSON object", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	char *end;
	long pid;

	switch (key) {
	case 'j':
		o->json = true;
		return 0;
	case ARGP_KEY_ARG:
		errno = 0;
		pid = strtol(arg, &end, 10);
		if (o->pid || errno || *end || pid < 1 || pid > INT_MAX)
			argp_error(state, "'%s': not the id of one process", arg);
		o->pid = pid;
		return 0;
	case ARGP_KEY_END:
		if (!o->pid)
			argp_error(state, "say which process");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "PID",
	.doc = "What would be refused if process PID were preserved now, and why: its iommufds, the "
	       "vfio devices that are bound to them, and the memfds that they map, in the order in "
	       "which a session wants them. Nothing is changed, nothing is stopped.\v"
	       "Admission policies are named, but not asked: they want to know who preserves it, and "
	       "when. "
	       "Exit status: 0 nothing is in the way, 1 something is, or the process has nothing of "
	       "the kind, 2 wrong usage. What has to be done only just before the kernel is "
	       "replaced does not count.",
};

static const char *const kind_name[] = {
	[PROC_MEMFD] = "memfd",
	[PROC_IOMMUFD] = "iommufd",
	[PROC_DEVICE] = "device",
	[PROC_GROUP] = "group",
};

/* --- text ----------------------------------------------------------------- */

static const char *plural(__u64 n)
{
	return n == 1 ? "" : "s";
}

static void text_what(FILE *f, const struct plan_item *item)
{
	char bytes[OUT_BYTES_LEN];

	fputs(item->name, f);
	if (item->kind == PROC_MEMFD && item->file)
		fprintf(f, ", %s", out_bytes(bytes, item->file->size));
	if (item->kind == PROC_DEVICE && item->hwpt_id)
		fprintf(f, " on HWPT %u", item->hwpt_id);
	for (size_t i = 0; i < item->nr_hwpts; i++) {
		const struct iox_lu_finding *h = &item->hwpts[i];

		fprintf(f, "%sHWPT %u as 0x%llx: %s in %llu area%s", i ? "; " : "", h->hwpt_id,
			h->token, out_bytes(bytes, h->bytes), h->areas, plural(h->areas));
	}
}

static void text_problems(const struct plan_problems *problems, const char *intro)
{
	char bytes[OUT_BYTES_LEN];

	for (size_t i = 0; i < problems->nr; i++) {
		const struct plan_problem *p = &problems->list[i];

		printf("    %s%s", intro, p->why);
		if (p->areas)
			printf(", %s in %llu area%s from IOVA 0x%llx up", out_bytes(bytes, p->bytes),
			       p->areas, plural(p->areas), p->iova);
		printf("; %s\n", p->mend);
	}
}

static void text_item(const struct plan_item *item)
{
	const char *verdict = "ok";
	char *what = NULL, fd[16] = "-";
	size_t size;
	FILE *f = open_memstream(&what, &size);

	if (!f)
		return;
	text_what(f, item);
	fclose(f);
	if (item->file)
		snprintf(fd, sizeof(fd), "fd %d", item->file->fds[0]);
	if (item->problems.nr)
		verdict = strerrorname_np(item->problems.list[0].err) ?: "refused";
	printf("  %-9s%-8s%-52s %s\n", kind_name[item->kind], fd, what, verdict);
	text_problems(&item->problems, "");
	text_problems(&item->later, "before the jump: ");
	free(what);
}

/* What does it, for who wants to try: tokens count up from 1. */
static void text_command(const struct plan *plan, pid_t pid)
{
	printf("iox lu hold NAME");
	for (size_t i = 0; i < plan->nr; i++)
		printf(" %zu=pid:%d:%d", i + 1, pid, plan->items[i].file->fds[0]);
	putchar('\n');
}

static void text_plan(const struct plan *plan, pid_t pid)
{
	size_t refused = 0;

	printf("process %d, in the order in which a session wants it:\n", pid);
	for (size_t i = 0; i < plan->nr; i++) {
		text_item(&plan->items[i]);
		refused += plan->items[i].problems.nr;
	}
	lu_admission_print();
	if (refused) {
		printf("%zu thing%s in the way\n", refused, refused == 1 ? " is" : "s are");
		return;
	}
	puts("nothing is in the way; to preserve it:");
	text_command(plan, pid);
}

/* --- JSON ----------------------------------------------------------------- */

static json_object *json_problems(const struct plan_problems *problems)
{
	json_object *list = json_object_new_array();

	for (size_t i = 0; i < problems->nr; i++) {
		const struct plan_problem *p = &problems->list[i];
		json_object *o = json_object_new_object();

		out_json_str(o, "kind", p->kind);
		out_json_str(o, "errno", strerrorname_np(p->err) ?: "?");
		out_json_str(o, "why", p->why);
		out_json_str(o, "mend", p->mend);
		if (p->areas) {
			out_json_hex(o, "iova", p->iova);
			out_json_u64(o, "areas", p->areas);
			out_json_u64(o, "bytes", p->bytes);
		}
		json_object_array_add(list, o);
	}
	return list;
}

static json_object *json_hwpts(const struct plan_item *item)
{
	json_object *list = json_object_new_array();

	for (size_t i = 0; i < item->nr_hwpts; i++) {
		const struct iox_lu_finding *h = &item->hwpts[i];
		json_object *o = json_object_new_object();

		out_json_u64(o, "id", h->hwpt_id);
		out_json_hex(o, "token", h->token);
		out_json_u64(o, "areas", h->areas);
		out_json_u64(o, "bytes", h->bytes);
		json_object_array_add(list, o);
	}
	return list;
}

static json_object *json_fds(const struct proc_file *file)
{
	json_object *list = json_object_new_array();

	for (int i = 0; file && i < file->nr_fds; i++)
		json_object_array_add(list, json_object_new_int(file->fds[i]));
	return list;
}

static json_object *json_item(const struct plan_item *item)
{
	json_object *o = json_object_new_object();

	out_json_str(o, "kind", kind_name[item->kind]);
	json_object_object_add(o, "fds", json_fds(item->file));
	if (*item->name)
		out_json_str(o, "name", item->name);
	if (item->kind == PROC_MEMFD && item->file)
		out_json_u64(o, "bytes", item->file->size);
	if (item->kind == PROC_IOMMUFD)
		json_object_object_add(o, "hwpts", json_hwpts(item));
	if (item->kind == PROC_DEVICE && item->iommufd) {
		out_json_u64(o, "iommufd_fd", item->iommufd->fds[0]);
		out_json_u64(o, "hwpt_id", item->hwpt_id);
	}
	json_object_object_add(o, "in_the_way", json_problems(&item->problems));
	json_object_object_add(o, "before_the_jump", json_problems(&item->later));
	return o;
}

static bool json_plan(const struct plan *plan, pid_t pid)
{
	json_object *o = json_object_new_object(), *items = json_object_new_array();

	out_json_u64(o, "pid", pid);
	out_json_bool(o, "clear", plan_is_clear(plan));
	for (size_t i = 0; i < plan->nr; i++)
		json_object_array_add(items, json_item(&plan->items[i]));
	json_object_object_add(o, "items", items);
	json_object_object_add(o, "admission", lu_admission_json());
	return out_json(stdout, o);
}

int lu_plan(int argc, char **argv)
{
	struct options opt = {};
	struct plan plan;
	char what[32];
	bool ok;

	iox_parse(&argp, argc, argv, &opt);
	if (!plan_make(opt.pid, &plan))
		return IOX_FAILED;
	ok = plan.nr;
	if (!ok) {
		snprintf(what, sizeof(what), "process %d", opt.pid);
		msg_error(what, "has neither an iommufd nor a vfio device open",
			  "name the process that has");
	} else if (opt.json) {
		ok = json_plan(&plan, opt.pid);
	} else {
		text_plan(&plan, opt.pid);
	}
	ok = ok && plan_is_clear(&plan);
	plan_free(&plan);
	return ok ? IOX_OK : IOX_FAILED;
}
