// SPDX-License-Identifier: GPL-2.0
/* iox lu status, iox lu inspect: what goes to the next kernel, and what came from the last one. */
#include <stdlib.h>
#include <string.h>

#include "lib/lu_state.h"
#include "lib/out.h"
#include "lu.h"
#include "lu_admission.h"

/* --- status: a line for each file ----------------------------------------- */

/* What the lines below a file add up to. */
struct sum {
	__u64 memfd_size, hwpts, bytes, areas;
	const struct lu_node *device;
	bool damaged;
};

static struct sum sum_up(const struct lu_node *file)
{
	struct sum s = {};

	for (const struct lu_node *n = file->child; n; n = n->next) {
		if (!strcmp(n->what, "hwpt")) {
			s.hwpts++;
			s.bytes += lu_number(n, "bytes");
			s.areas += lu_number(n, "areas");
		} else if (!strcmp(n->what, "memfd")) {
			s.memfd_size = lu_number(n, "size");
		} else if (!strcmp(n->what, "device")) {
			s.device = n;
		} else if (lu_is_damaged(n)) {
			s.damaged = true;
		}
	}
	return s;
}

static const char *plural(__u64 n)
{
	return n == 1 ? "" : "s";
}

static void text_what(const char *kind, const struct sum *s)
{
	char bytes[OUT_BYTES_LEN];

	if (s->damaged)
		fputs("damaged", stdout);
	else if (s->device)
		printf("%s on HWPT %s of %s", s->device->object, lu_word(s->device, "hwpt") ?: "?",
		       lu_word(s->device, "iommufd") ?: "?");
	else if (s->hwpts)
		printf("%llu HWPT%s, %s mapped in %llu area%s", s->hwpts, plural(s->hwpts),
		       out_bytes(bytes, s->bytes), s->areas, plural(s->areas));
	else if (!strcmp(kind, "memfd"))
		fputs(out_bytes(bytes, s->memfd_size), stdout);
	putchar('\n');
}

static void text_file(const struct lu_node *file)
{
	struct sum s = sum_up(file);
	char kind[32];

	lu_file_kind(file, kind, sizeof(kind));
	printf("  %-20s%-12s%-12s", lu_word(file, "token") ?: "?", kind,
	       lu_word(file, "state") ?: "?");
	text_what(kind, &s);
}

static void text_session(enum lu_direction d, const struct lu_node *session)
{
	__u64 files = lu_number(session, "files");

	if (strcmp(session->what, "session"))
		return;
	printf("%s session %s: %llu file%s%s\n", lu_direction_name[d],
	       lu_word(session, "name") ?: "?", files, plural(files),
	       d == LU_INCOMING && !lu_number(session, "retrieved") ? ", not retrieved yet" : "");
	for (const struct lu_node *n = session->child; n; n = n->next)
		if (!strcmp(n->what, "file"))
			text_file(n);
}

static void text_cost(enum lu_direction d, const struct lu_node *total)
{
	__u64 tables = lu_number(total, "tables"), tables_ns = lu_number(total, "domains_ns");
	__u64 devices = lu_number(total, "devices"), devices_ns = lu_number(total, "devices_ns");
	__u64 domains = lu_number(total, "domains"), owned = lu_number(total, "owned_ns");
	const char *done = d == LU_OUTGOING ? "preserved so far" : "restored";
	char all[OUT_NS_LEN], each[OUT_NS_LEN];

	if (tables)
		printf("%s: %llu domain%s of %llu page table page%s %s in %s, %s a page\n",
		       lu_direction_name[d], domains, plural(domains), tables, plural(tables), done,
		       out_ns(all, tables_ns), out_ns(each, tables_ns / tables));
	if (devices)
		printf("%s: %llu device%s %s in %s, %s a device\n", lu_direction_name[d], devices,
		       plural(devices), done, out_ns(all, devices_ns),
		       out_ns(each, devices_ns / devices));
	if (owned)
		printf("%s: translation verified and owned %s after the kernel began\n",
		       lu_direction_name[d], out_ns(all, owned));
}

static void text_status(const struct lu_state *state)
{
	for (enum lu_direction d = 0; d < LU_NR_DIRECTIONS; d++) {
		const struct lu_half *half = &state->half[d];

		if (!half->sessions.child)
			printf("%s: no session\n", lu_direction_name[d]);
		for (const struct lu_node *n = half->sessions.child; n; n = n->next)
			text_session(d, n);
		if (d == LU_INCOMING && lu_is_unread(state))
			puts("incoming: sessions that nobody has asked for yet; load iommufd and "
			     "vfio-pci before");
		text_cost(d, &half->iommu);
	}
	lu_admission_print();
}

static json_object *json_file(const struct lu_node *file)
{
	json_object *o = json_object_new_object();
	struct sum s = sum_up(file);
	char kind[32];

	lu_file_kind(file, kind, sizeof(kind));
	out_json_hex(o, "token", lu_number(file, "token"));
	out_json_str(o, "kind", kind);
	out_json_str(o, "state", lu_word(file, "state") ?: "?");
	out_json_bool(o, "damaged", s.damaged);
	if (!strcmp(kind, "memfd"))
		out_json_u64(o, "bytes", s.memfd_size);
	if (!strcmp(kind, "iommufd")) {
		out_json_u64(o, "hwpts", s.hwpts);
		out_json_u64(o, "areas", s.areas);
		out_json_u64(o, "bytes", s.bytes);
	}
	if (s.device) {
		out_json_str(o, "device", s.device->object ?: "?");
		out_json_hex(o, "iommufd", lu_number(s.device, "iommufd"));
		out_json_hex(o, "hwpt", lu_number(s.device, "hwpt"));
	}
	return o;
}

static json_object *json_session(enum lu_direction d, const struct lu_node *session)
{
	json_object *o = json_object_new_object(), *files = json_object_new_array();

	out_json_str(o, "name", lu_word(session, "name") ?: "?");
	if (d == LU_INCOMING)
		out_json_bool(o, "retrieved", lu_number(session, "retrieved"));
	for (const struct lu_node *n = session->child; n; n = n->next)
		if (!strcmp(n->what, "file"))
			json_object_array_add(files, json_file(n));
	json_object_object_add(o, "files", files);
	return o;
}

static json_object *json_half(const struct lu_state *state, enum lu_direction d)
{
	static const char *const total[] = { "domains", "tables", "domains_ns", "devices",
					     "devices_ns", "owned_ns" };
	json_object *o = json_object_new_object(), *sessions = json_object_new_array();
	const struct lu_half *half = &state->half[d];

	for (const struct lu_node *n = half->sessions.child; n; n = n->next)
		if (!strcmp(n->what, "session"))
			json_object_array_add(sessions, json_session(d, n));
	json_object_object_add(o, "sessions", sessions);
	if (d == LU_INCOMING)
		out_json_bool(o, "unread", lu_is_unread(state));
	for (size_t i = 0; i < sizeof(total) / sizeof(total[0]); i++)
		out_json_u64(o, total[i], lu_number(&half->iommu, total[i]));
	return o;
}

/* --- inspect: every line, every word -------------------------------------- */

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), n = strlen(end);

	return length >= n && !strcmp(text + length - n, end);
}

static void text_word(const struct lu_word *word)
{
	char buf[OUT_BYTES_LEN > OUT_NS_LEN ? OUT_BYTES_LEN : OUT_NS_LEN];
	__u64 value = strtoull(word->value, NULL, 0);

	if (!strcmp(word->key, "bytes") || !strcmp(word->key, "size"))
		printf(" %s %s", word->key, out_bytes(buf, value));
	else if (ends_with(word->key, "_ns"))
		printf(" %.*s in %s", (int)strlen(word->key) - 3, word->key, out_ns(buf, value));
	else
		printf(" %s %s", word->key, word->value);
}

static void text_words(const struct lu_node *node)
{
	for (int i = 0; i < node->nr_words; i++) {
		if (i)
			putchar(',');
		text_word(&node->words[i]);
	}
	putchar('\n');
}

static void text_tree(const struct lu_node *node, int depth)
{
	for (; node; node = node->next) {
		printf("%*s%s%s%s%s", depth * 2, "", node->what, node->object ? " " : "",
		       node->object ?: "", node->nr_words ? ":" : "");
		text_words(node);
		text_tree(node->child, depth + 1);
	}
}

static void text_inspect(const struct lu_state *state)
{
	for (enum lu_direction d = 0; d < LU_NR_DIRECTIONS; d++) {
		const struct lu_half *half = &state->half[d];

		puts(lu_direction_name[d]);
		text_tree(half->sessions.child, 1);
		fputs("  iommu state:", stdout);
		text_words(&half->iommu);
		text_tree(half->iommu.child, 2);
	}
}

/* Quantities as numbers; what is written with 0x is a name, and stays as it is. */
static json_object *json_value(const char *value)
{
	char *end;
	__u64 number = strtoull(value, &end, 10);

	return *value && !*end && *value != '-' ? json_object_new_uint64(number) :
						  json_object_new_string(value);
}

static json_object *json_tree(const struct lu_node *node);

static void json_words(json_object *o, const struct lu_node *node)
{
	for (int i = 0; i < node->nr_words; i++) {
		const struct lu_word *word = &node->words[i];

		json_object_object_add(o, word->key,
				       strcmp(word->key, "name") ?
					       json_value(word->value) :
					       json_object_new_string(word->value));
	}
}

static json_object *json_node(const struct lu_node *node)
{
	json_object *o = json_object_new_object();

	out_json_str(o, "what", node->what);
	if (node->object)
		out_json_str(o, "object", node->object);
	json_words(o, node);
	if (node->child)
		json_object_object_add(o, "holds", json_tree(node->child));
	return o;
}

static json_object *json_tree(const struct lu_node *node)
{
	json_object *list = json_object_new_array();

	for (; node; node = node->next)
		json_object_array_add(list, json_node(node));
	return list;
}

static json_object *json_inspect_half(const struct lu_state *state, enum lu_direction d)
{
	json_object *o = json_object_new_object(), *iommu = json_object_new_object();
	const struct lu_half *half = &state->half[d];

	json_object_object_add(o, "sessions", json_tree(half->sessions.child));
	json_words(iommu, &half->iommu);
	json_object_object_add(iommu, "holds", json_tree(half->iommu.child));
	json_object_object_add(o, "iommu", iommu);
	return o;
}

/* --- what both have in common --------------------------------------------- */

static const struct argp_option options[] = {
	{ "json", 'j', NULL, 0, "Print one JSON object", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	bool *json = state->input;

	switch (key) {
	case 'j':
		*json = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "'%s': not understood here", arg);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static int show(int argc, char **argv, const struct argp *argp,
		void (*text)(const struct lu_state *state),
		json_object *(*half)(const struct lu_state *state, enum lu_direction d),
		json_object *(*admission)(void))
{
	struct lu_state state;
	bool json = false, ok = true;

	iox_parse(argp, argc, argv, &json);
	if (!lu_state_read(&state))
		return IOX_FAILED;
	if (json) {
		json_object *o = json_object_new_object();

		for (enum lu_direction d = 0; d < LU_NR_DIRECTIONS; d++)
			json_object_object_add(o, lu_direction_name[d], half(&state, d));
		if (admission)
			json_object_object_add(o, "admission", admission());
		ok = out_json(stdout, o);
	} else {
		text(&state);
	}
	lu_state_free(&state);
	return ok ? IOX_OK : IOX_FAILED;
}

int lu_status(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.doc = "What is preserved for the next kernel (outgoing) and what came from the "
		       "last one (incoming), what both cost, and which admission policies are asked.",
	};

	return show(argc, argv, &argp, text_status, json_half, lu_admission_json);
}

int lu_inspect(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.doc = "All that is preserved for the next kernel (outgoing) and all that came from "
		       "the last one (incoming), decoded: sessions, files, HWPTs, memory, devices, "
		       "and the domains and IOMMUs that translate for them. Addresses are physical.",
	};

	return show(argc, argv, &argp, text_inspect, json_inspect_half, NULL);
}
