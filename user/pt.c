// SPDX-License-Identifier: GPL-2.0
/* iox pt: the page tables of HWPTs: tables, sizes of leaves, why they are not larger, what is where. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "iox.h"
#include "lib/msg.h"
#include "lib/out.h"
#include "pt.h"

/* Lines of the picture: of each of several HWPTs, and of one that was asked for. */
#define LINES_OF_MANY 8
#define LINES_OF_ONE 32

struct options {
	bool json;
	bool one;		/* only HWPTs with @hwpt_id */
	bool in_context;	/* only in @ctx_id */
	unsigned long long ctx_id, hwpt_id;
};

static const struct argp_option options[] = {
	{ "hwpt", 'H', "ID", 0,
	  "Only HWPTs of this id, which is CONTEXT:ID where several contexts have one, and a larger picture", 0 },
	{ "json", 'j', NULL, 0, "Print JSON, an object in one line", 0 },
	{ 0 },
};

static const char doc[] =
	"Show the page tables of all HWPTs: tables of each level, leaves of each size, and how much "
	"memory is not in larger leaves, and why.\v"
	"A leaf is not of the next larger size because the mapping is too short or begins or ends "
	"there (short), because the memory is in pieces (scattered), because IOVA and memory are not "
	"aligned to each other (unaligned), or though nothing is in the way (unused). Reading stops "
	"nobody: what is mapped or unmapped meanwhile counts or does not. "
	"The exit status is 0, 1 (failed) or 2 (usage).";

static bool parse_number(const char *text, char end, unsigned long long *value, const char **rest)
{
	char *stop;

	errno = 0;
	*value = strtoull(text, &stop, 10);
	*rest = stop + 1;
	return stop != text && *stop == end && !errno && *text != '-';
}

static bool parse_id(struct options *o, const char *text)
{
	const char *rest = text;

	o->one = true;
	o->in_context = strchr(text, ':');
	if (o->in_context && !parse_number(text, ':', &o->ctx_id, &rest))
		return false;
	return parse_number(rest, 0, &o->hwpt_id, &rest);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'H':
		if (!parse_id(o, arg))
			argp_error(state, "HWPT '%s': neither ID nor CONTEXT:ID", arg);
		return 0;
	case 'j':
		o->json = true;
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = { .options = options, .parser = parse, .doc = doc };

static bool is_wanted(const struct options *o, const struct pt_hwpt *h)
{
	return (!o->one || h->head->hwpt_id == o->hwpt_id) &&
	       (!o->in_context || h->head->ctx_id == o->ctx_id);
}

static void text_head(const struct pt_hwpt *h)
{
	char mapped[OUT_BYTES_LEN], memory[OUT_BYTES_LEN];
	__u64 tables = 0, bytes = 0;

	printf("context %llu HWPT %u", h->head->ctx_id, h->head->hwpt_id);
	if (h->head->ioas_id)
		printf(" on IOAS %u", h->head->ioas_id);
	else
		printf(" from a live update");
	printf(": process %u (%s)\n", h->head->pid, h->head->comm);
	if (!h->head->readable) {
		printf("  the IOMMU's driver has page tables of its own kind\n");
		return;
	}
	for (__u32 i = 0; i < h->head->nr_levels; i++) {
		tables += h->levels[i].tables;
		bytes += h->levels[i].bytes;
	}
	printf("  %s: %s in %llu mapping%s, %llu table%s of %s in %u levels\n", h->head->format,
	       out_bytes(mapped, h->head->mapped), h->head->areas, h->head->areas == 1 ? "" : "s",
	       tables, tables == 1 ? "" : "s", out_bytes(memory, bytes), h->head->nr_levels);
}

static void text_levels(const struct pt_hwpt *h)
{
	char memory[OUT_BYTES_LEN];

	printf("\n  %-10s%12s%12s\n", "level", "tables", "memory");
	for (__u32 i = h->head->nr_levels; i-- > 0;)
		printf("  %-10u%12llu%12s\n", i, h->levels[i].tables, out_bytes(memory, h->levels[i].bytes));
}

static void text_size(const struct iox_pt_size_rec *s)
{
	char size[OUT_BYTES_LEN], bytes[OUT_BYTES_LEN];

	printf("  %-10s%12llu%12s", out_bytes(size, s->size), s->leaves,
	       out_bytes(bytes, s->leaves * s->size));
	for (int why = 0; why < IOX_PT_WHYS; why++)
		printf("%11s", out_bytes(bytes, s->why[why]));
	putchar('\n');
}

/* Some formats can have dozens of sizes: those that are not in use are left out. */
static void text_sizes(const struct pt_hwpt *h)
{
	if (!h->head->mapped)
		return;
	printf("\n  %-10s%12s%12s", "leaves of", "count", "mapped");
	for (unsigned int why = 0; why < IOX_PT_WHYS; why++)
		printf("%11s", pt_why_name(why));
	putchar('\n');
	for (__u32 i = 0; i < h->head->nr_sizes; i++)
		if (h->sizes[i].leaves)
			text_size(&h->sizes[i]);
}

static void text_hwpt(const struct options *o, const struct pt_view *view, const struct pt_hwpt *h)
{
	bool colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
	const struct pt_area *areas;
	size_t nr;

	text_head(h);
	if (h->head->readable) {
		text_levels(h);
		text_sizes(h);
	}
	areas = pt_areas_of(view, h, &nr);
	if (nr) {
		putchar('\n');
		pt_picture(stdout, areas, nr, o->one ? LINES_OF_ONE : LINES_OF_MANY, colour);
	}
	putchar('\n');
}

static json_object *json_sizes(const struct iox_pt_size_rec *sizes, __u32 nr)
{
	json_object *list = json_object_new_array();

	for (__u32 i = 0; i < nr; i++) {
		json_object *size = json_object_new_object(), *why = json_object_new_object();

		out_json_u64(size, "size_bytes", sizes[i].size);
		out_json_u64(size, "count", sizes[i].leaves);
		for (unsigned int w = 0; w < IOX_PT_WHYS; w++)
			out_json_u64(why, pt_why_name(w), sizes[i].why[w]);
		json_object_object_add(size, "not_larger_bytes", why);
		json_object_array_add(list, size);
	}
	return list;
}

static json_object *json_levels(const struct pt_hwpt *h)
{
	json_object *list = json_object_new_array();

	for (__u32 i = 0; i < h->head->nr_levels; i++) {
		json_object *level = json_object_new_object();

		out_json_u64(level, "level", i);
		out_json_u64(level, "tables", h->levels[i].tables);
		out_json_u64(level, "bytes", h->levels[i].bytes);
		json_object_array_add(list, level);
	}
	return list;
}

static json_object *json_area(const struct pt_area *a)
{
	static const char *const prots[] = { "", "r", "w", "rw" };
	static const char *const backings[] = { "user", "file", "dmabuf" };
	json_object *o = json_object_new_object();

	out_json_hex(o, "iova", a->head->iova);
	out_json_u64(o, "length", a->head->length);
	out_json_str(o, "prot", prots[a->head->prot & 3]);
	out_json_str(o, "backing", a->head->backing < 3 ? backings[a->head->backing] : "unknown");
	json_object_object_add(o, "leaves", json_sizes(a->sizes, a->head->nr_sizes));
	return o;
}

static json_object *json_hwpt(const struct pt_view *view, const struct pt_hwpt *h)
{
	json_object *o = json_object_new_object(), *list = json_object_new_array();
	const struct pt_area *areas;
	size_t nr;

	out_json_u64(o, "context", h->head->ctx_id);
	out_json_u64(o, "hwpt", h->head->hwpt_id);
	out_json_u64(o, "ioas", h->head->ioas_id);
	out_json_u64(o, "space", h->head->space_id);
	out_json_u64(o, "pid", h->head->pid);
	out_json_str(o, "comm", h->head->comm);
	out_json_bool(o, "automatic", h->head->automatic);
	out_json_bool(o, "nest_parent", h->head->nest_parent);
	out_json_bool(o, "readable", h->head->readable);
	out_json_str(o, "format", h->head->format);
	out_json_u64(o, "mappings", h->head->areas);
	out_json_u64(o, "mapped_bytes", h->head->mapped);
	json_object_object_add(o, "levels", json_levels(h));
	json_object_object_add(o, "leaves", json_sizes(h->sizes, h->head->nr_sizes));
	areas = pt_areas_of(view, h, &nr);
	for (size_t i = 0; i < nr; i++)
		json_object_array_add(list, json_area(&areas[i]));
	json_object_object_add(o, "areas", list);
	return o;
}

static size_t print_text(const struct options *o, const struct pt_view *view)
{
	size_t shown = 0;

	for (size_t i = 0; i < view->nr_hwpts; i++) {
		if (!is_wanted(o, &view->hwpts[i]))
			continue;
		text_hwpt(o, view, &view->hwpts[i]);
		shown++;
	}
	if (!shown && !o->one)
		puts("no HWPT: no device is attached through /dev/iommu");
	return shown;
}

static size_t print_json(const struct options *o, const struct pt_view *view, bool *printed)
{
	json_object *all = json_object_new_object(), *list = json_object_new_array();

	for (size_t i = 0; i < view->nr_hwpts; i++)
		if (is_wanted(o, &view->hwpts[i]))
			json_object_array_add(list, json_hwpt(view, &view->hwpts[i]));
	json_object_object_add(all, "hwpts", list);
	*printed = true;
	if (o->one && !json_object_array_length(list)) {
		json_object_put(all);
		return 0;
	}
	*printed = out_json(stdout, all);
	return 1;
}

static int print(const struct options *o, const struct pt_view *view)
{
	bool printed = true;
	size_t shown = o->json ? print_json(o, view, &printed) : print_text(o, view);

	if (!shown && o->one) {
		msg_error("--hwpt", "there is no such HWPT", "'iox pt' shows all");
		return IOX_FAILED;
	}
	return printed ? IOX_OK : IOX_FAILED;
}

int cmd_pt(int argc, char **argv)
{
	struct options opt = {};
	struct pt_view view;
	int status = IOX_FAILED;
	struct pt *pt;

	iox_parse(&argp, argc, argv, &opt);
	pt = pt_open();
	if (!pt)
		return IOX_FAILED;
	if (pt_read(pt, true, &view))
		status = print(&opt, &view);
	pt_view_free(&view);
	pt_close(pt);
	return status;
}
