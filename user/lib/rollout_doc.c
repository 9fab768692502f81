// SPDX-License-Identifier: GPL-2.0
/*
 * Documents of rollouts, in YAML: read with what is known of them, a table for each mapping, so
 * that every mistake has a line and a mend.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yaml.h>

#include "msg.h"
#include "policy_sign.h"
#include "rollout_doc.h"

/* What is nested 10,000 times takes libyaml long. */
#define MAX_BYTES (16 << 10)
#define MAX_DURATION_MS (366ULL * 24 * 3600 * 1000)
#define DEFAULT_EVERY_MS 30000
#define DEFAULT_SAMPLES 100
#define MAX_KEYS 16

struct reader {
	const char *path;
	yaml_document_t *yaml;
	struct rollout_doc *doc;
	char folder[PATH_MAX];		/* that the document is in */
	bool any_guard;
};

/* One key of a mapping: @read gets its value, and @arg. */
struct key {
	const char *name;
	bool (*read)(struct reader *r, const yaml_node_t *value, int arg);
	bool needed;
	int arg;
};

/* --- what is wrong ------------------------------------------------------------ */

static bool __attribute__((format(printf, 4, 5)))
complain_at(const struct reader *r, size_t line, const char *mend, const char *fmt, ...)
{
	char where[PATH_MAX + 16], why[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	/* What was quoted may be anything. */
	for (char *c = why; *c; c++)
		if (iscntrl((unsigned char)*c))
			*c = '?';
	snprintf(where, sizeof(where), "%s:%zu", r->path, line + 1);
	msg_error(where, why, mend);
	return false;
}

#define COMPLAIN(r, node, mend, ...) complain_at(r, (node)->start_mark.line, mend, __VA_ARGS__)

/* How many characters have to be changed, added or left out */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int row[32], above, corner;
	size_t len = strlen(b);

	if (len >= 32 || strlen(a) >= 32)
		return 32;
	for (unsigned int j = 0; j <= len; j++)
		row[j] = j;
	for (unsigned int i = 1; a[i - 1]; i++) {
		corner = row[0];
		row[0] = i;
		for (size_t j = 1; j <= len; j++) {
			above = row[j];
			row[j] = corner + (a[i - 1] != b[j - 1]);
			if (above + 1 < row[j])
				row[j] = above + 1;
			if (row[j - 1] + 1 < row[j])
				row[j] = row[j - 1] + 1;
			corner = above;
		}
	}
	return row[len];
}

static bool complain_unknown(const struct reader *r, const yaml_node_t *node, const char *name,
			     const struct key *keys)
{
	char mend[512] = "there are ";
	const struct key *best = keys;
	size_t len = strlen(mend);

	for (const struct key *k = keys; k->name; k++) {
		if (distance(name, k->name) < distance(name, best->name))
			best = k;
		len += (size_t)snprintf(mend + len, sizeof(mend) - len, "%s%s", k == keys ? "" : ", ",
					k->name);
	}
	if (distance(name, best->name) <= 2)
		snprintf(mend, sizeof(mend), "did you mean '%s'?", best->name);
	return COMPLAIN(r, node, mend, "unknown key '%.64s'", name);
}

/* --- nodes -------------------------------------------------------------------- */

static const yaml_node_t *node_of(const struct reader *r, int index)
{
	return yaml_document_get_node(r->yaml, index);
}

/* The text of a scalar; NULL with the message given. @what: what it should be */
static const char *text_of(const struct reader *r, const yaml_node_t *node, const char *what)
{
	const char *text = (const char *)node->data.scalar.value;

	if (node->type != YAML_SCALAR_NODE || strlen(text) != node->data.scalar.length || !*text) {
		COMPLAIN(r, node, NULL, "this has to be %s", what);
		return NULL;
	}
	return text;
}

static const struct key *find_key(const struct key *keys, const char *name)
{
	while (keys->name && strcmp(keys->name, name))
		keys++;
	return keys;
}

/* Where the value of each key is, in the order of @keys */
static bool find_values(const struct reader *r, const yaml_node_t *node, const struct key *keys,
			const yaml_node_t *found[MAX_KEYS])
{
	yaml_node_pair_t *pair = node->data.mapping.pairs.start;

	for (; pair < node->data.mapping.pairs.top; pair++) {
		const yaml_node_t *name = node_of(r, pair->key);
		const char *text = text_of(r, name, "a key");
		const struct key *key;

		if (!text)
			return false;
		key = find_key(keys, text);
		if (!key->name)
			return complain_unknown(r, name, text, keys);
		if (found[key - keys])
			return COMPLAIN(r, name, "leave one of them out", "'%s' is there twice", text);
		found[key - keys] = node_of(r, pair->value);
	}
	return true;
}

/* Reads a mapping, key by key in the order of @keys, whatever theirs is. */
static bool read_mapping(struct reader *r, const yaml_node_t *node, const struct key *keys,
			 const char *what)
{
	const yaml_node_t *found[MAX_KEYS] = {};

	if (node->type != YAML_MAPPING_NODE)
		return COMPLAIN(r, node, "write 'key: value' lines", "%s has to be a mapping", what);
	if (!find_values(r, node, keys, found))
		return false;
	for (const struct key *k = keys; k->name; k++) {
		if (found[k - keys] && !k->read(r, found[k - keys], k->arg))
			return false;
		if (!found[k - keys] && k->needed)
			return COMPLAIN(r, node, "add it", "%s has no '%s'", what, k->name);
	}
	return true;
}

/* --- values ------------------------------------------------------------------- */

static bool read_number(const struct reader *r, const yaml_node_t *node, __u64 min, __u64 max,
			__u64 *value)
{
	const char *text = text_of(r, node, "a number");
	size_t digits = text ? strspn(text, "0123456789") : 0;

	if (!text)
		return false;
	*value = strtoull(text, NULL, 10);
	if (!text[digits] && digits < 19 && *value >= min && *value <= max)
		return true;
	return COMPLAIN(r, node, NULL, "'%.32s' has to be a whole number, %llu to %llu", text, min, max);
}

/* "1.5"; where it ends. NULL if there is none. */
static const char *decimal(const char *text, double *value)
{
	size_t whole = strspn(text, "0123456789"), part = 0;

	if (text[whole] == '.')
		part = 1 + strspn(text + whole + 1, "0123456789");
	if (!whole || part == 1 || whole + part > 15)
		return NULL;
	*value = strtod(text, NULL);
	return text + whole + part;
}

/* One number with its unit, as ms; where it ends, NULL if it is none. */
static const char *span(const char *text, double *ms)
{
	static const struct {
		const char *name;
		double ms;
	} units[] = { { "ms", 1 }, { "s", 1e3 }, { "m", 60e3 }, { "h", 3600e3 }, { "d", 86400e3 } };
	const char *unit = decimal(text, ms);

	for (size_t i = 0; unit && i < sizeof(units) / sizeof(units[0]); i++) {
		if (strncmp(unit, units[i].name, strlen(units[i].name)))
			continue;
		*ms *= units[i].ms;
		return unit + strlen(units[i].name);
	}
	return NULL;
}

static bool read_duration(const struct reader *r, const yaml_node_t *node, __u64 min_ms, __u64 *ms)
{
	const char *text = text_of(r, node, "a duration"), *from = text;
	double sum = 0, part;

	if (!text)
		return false;
	while (from && *from) {
		from = span(from, &part);
		sum += part;
	}
	if (!from)
		return COMPLAIN(r, node, "write '30s', '10m', '2h', '1h30m' or '1d'",
				"'%.32s' is no duration", text);
	if (sum < (double)min_ms || sum > (double)MAX_DURATION_MS)
		return COMPLAIN(r, node, min_ms ? "from 100ms to 366d" : "366d at most",
				"'%.32s' is out of range", text);
	*ms = (__u64)sum;
	return true;
}

static bool read_bool(const struct reader *r, const yaml_node_t *node, bool *value)
{
	const char *text = text_of(r, node, "true or false");

	if (!text)
		return false;
	*value = !strcmp(text, "true");
	return *value || !strcmp(text, "false") ||
	       COMPLAIN(r, node, NULL, "'%.32s' has to be true or false", text);
}

static bool read_name(const struct reader *r, const yaml_node_t *node, char name[ROLLOUT_NAME_LEN])
{
	const char *text = text_of(r, node, "a name"), *c = text;

	if (!text)
		return false;
	while (islower((unsigned char)*c) || isdigit((unsigned char)*c) ||
	       (c > text && (*c == '-' || *c == '.')))
		c++;
	if (*c || c - text >= ROLLOUT_NAME_LEN)
		return COMPLAIN(r, node, "lower-case letters, digits, '-' and '.', 63 at most",
				"'%.80s' cannot be the name of a rollout", text);
	strcpy(name, text);
	return true;
}

static bool read_path(const struct reader *r, const yaml_node_t *node, char path[PATH_MAX])
{
	const char *text = text_of(r, node, "a path");
	int len;

	if (!text)
		return false;
	len = snprintf(path, PATH_MAX, "%s%s%s", *text == '/' ? "" : r->folder,
		       *text == '/' ? "" : "/", text);
	return len < PATH_MAX || COMPLAIN(r, node, NULL, "this path is too long");
}

/* --- policy and scope --------------------------------------------------------- */

static bool read_object(struct reader *r, const yaml_node_t *node, int arg)
{
	(void)arg;
	return read_path(r, node, r->doc->object);
}

static bool read_signature(struct reader *r, const yaml_node_t *node, int arg)
{
	(void)arg;
	return read_path(r, node, r->doc->signature);
}

static bool read_sha256(struct reader *r, const yaml_node_t *node, int arg)
{
	const char *text = text_of(r, node, "a digest");

	(void)arg;
	if (!text)
		return false;
	if (strlen(text) != 64 || strspn(text, "0123456789abcdef") != 64)
		return COMPLAIN(r, node, "write what 'sha256sum' says of the object",
				"'%.70s' is no SHA-256 digest: 64 digits, 0 to 9 and a to f", text);
	strcpy(r->doc->sha256, text);
	return true;
}

static bool read_variable(struct reader *r, const yaml_node_t *node, int arg)
{
	const char *text = text_of(r, node, "the name of a variable"), *c = text;

	(void)arg;
	if (!text)
		return false;
	while (isalnum((unsigned char)*c) || *c == '_')
		c++;
	if (*c || c - text >= (int)sizeof(r->doc->variable))
		return COMPLAIN(r, node, "'iox policy check' tells which the object has",
				"'%.64s' cannot be the name of a variable", text);
	strcpy(r->doc->variable, text);
	return true;
}

static bool read_policy(struct reader *r, const yaml_node_t *node, int arg)
{
	static const struct key keys[] = {
		{ "object", read_object, true, 0 },
		{ "sha256", read_sha256, true, 0 },
		{ "signature", read_signature, false, 0 },
		{ "variable", read_variable, false, 0 },
		{}
	};
	int len;

	(void)arg;
	if (!read_mapping(r, node, keys, "the policy"))
		return false;
	if (*r->doc->signature)
		return true;
	len = snprintf(r->doc->signature, PATH_MAX, "%s.p7s", r->doc->object);
	return len < PATH_MAX || COMPLAIN(r, node, NULL, "the path of the object is too long");
}

static bool read_cgroup(struct reader *r, const yaml_node_t *node, int arg)
{
	(void)arg;
	if (!read_path(r, node, r->doc->cgroup))
		return false;
	return *(const char *)node->data.scalar.value == '/' ||
	       COMPLAIN(r, node, "such as /sys/fs/cgroup/tenant.slice",
			"a cgroup is named by its whole path");
}

static bool read_scope(struct reader *r, const yaml_node_t *node, int arg)
{
	static const struct key keys[] = {
		{ "cgroup", read_cgroup, true, 0 },
		{}
	};

	(void)arg;
	return read_mapping(r, node, keys, "the scope");
}

/* --- stages ------------------------------------------------------------------- */

static bool read_share(const struct reader *r, const yaml_node_t *node, const char *what,
		       __u32 before, __u32 *share)
{
	__u64 value;

	if (!read_number(r, node, 1, ROLLOUT_OF, &value))
		return false;
	*share = (__u32)value;
	return *share >= before ||
	       COMPLAIN(r, node, "shares only grow from stage to stage",
			"%u %s after %u in the stage before", *share, what, before);
}

static bool read_hosts(struct reader *r, const yaml_node_t *node, int arg)
{
	struct rollout_stage *stage = &r->doc->stages[r->doc->nr_stages];

	(void)arg;
	return read_share(r, node, "hosts", r->doc->nr_stages ? stage[-1].hosts : 0, &stage->hosts);
}

static bool read_spaces(struct reader *r, const yaml_node_t *node, int arg)
{
	struct rollout_stage *stage = &r->doc->stages[r->doc->nr_stages];

	(void)arg;
	if (r->doc->kind == ROLLOUT_ADMIT)
		return COMPLAIN(r, node, "leave 'spaces' out",
				"an admission policy is for all or nothing");
	return read_share(r, node, "spaces", r->doc->nr_stages ? stage[-1].spaces : 0,
			  &stage->spaces);
}

static bool read_bake(struct reader *r, const yaml_node_t *node, int arg)
{
	(void)arg;
	return read_duration(r, node, 0, &r->doc->stages[r->doc->nr_stages].bake_ms);
}

static bool read_stage_entry(struct reader *r, const yaml_node_t *node)
{
	static const struct key keys[] = {
		{ "hosts", read_hosts, true, 0 },
		{ "spaces", read_spaces, false, 0 },
		{ "bake", read_bake, true, 0 },
		{}
	};
	struct rollout_stage *stage = &r->doc->stages[r->doc->nr_stages];

	if (!read_mapping(r, node, keys, "a stage"))
		return false;
	if (r->doc->kind == ROLLOUT_ADMIT)
		stage->spaces = ROLLOUT_OF;
	if (!stage->spaces)
		return COMPLAIN(r, node, "add it", "a stage has no 'spaces'");
	r->doc->nr_stages++;
	return true;
}

static bool read_stages(struct reader *r, const yaml_node_t *node, int arg)
{
	yaml_node_item_t *item;
	long nr;

	(void)arg;
	if (node->type != YAML_SEQUENCE_NODE)
		return COMPLAIN(r, node, "write lines of '- {hosts: 10, spaces: 50, bake: 2h}'",
				"the stages have to be a list");
	item = node->data.sequence.items.start;
	nr = node->data.sequence.items.top - item;
	if (nr < 1 || nr > ROLLOUT_MAX_STAGES)
		return COMPLAIN(r, node, NULL, "%ld stages: there have to be 1 to %d", nr,
				ROLLOUT_MAX_STAGES);
	for (; item < node->data.sequence.items.top; item++)
		if (!read_stage_entry(r, node_of(r, *item)))
			return false;
	return true;
}

static bool read_stage(struct reader *r, const yaml_node_t *node, int arg)
{
	__u64 value;

	(void)arg;
	if (!read_number(r, node, 1, ROLLOUT_MAX_STAGES, &value))
		return false;
	r->doc->stage = (__u32)value;
	return r->doc->stage <= r->doc->nr_stages ||
	       COMPLAIN(r, node, "add a stage, or choose a lower one", "stage %u of %u stages",
			r->doc->stage, r->doc->nr_stages);
}

/* --- guards ------------------------------------------------------------------- */

static bool fits(enum rollout_kind kind, enum rollout_guard guard)
{
	if (guard == ROLLOUT_GUARD_faults)
		return true;
	return (kind == ROLLOUT_ADMIT) == (guard == ROLLOUT_GUARD_preserve_refusals);
}

static bool read_times(struct reader *r, const yaml_node_t *node, int guard)
{
	const char *text = text_of(r, node, "a factor"), *end;

	if (!text)
		return false;
	end = decimal(text, &r->doc->limits[guard].times);
	return (end && !*end) ||
	       COMPLAIN(r, node, "such as 1.5, for half as much again as the baseline",
			"'%.32s' is no factor", text);
}

/* With the unit of the guard, so that nobody takes 1 for 1 %. */
static bool read_over(struct reader *r, const yaml_node_t *node, int guard)
{
	bool is_time = guard == ROLLOUT_GUARD_map_p99;
	const char *text = text_of(r, node, is_time ? "a time" : "a percentage"), *unit;
	double *over = &r->doc->limits[guard].over;

	if (!text)
		return false;
	unit = decimal(text, over);
	if (!is_time) {
		*over /= 100;
		return (unit && !strcmp(unit, "%") && *over <= 1) ||
		       COMPLAIN(r, node, "such as 0.5%", "'%.32s' is no percentage", text);
	}
	if (unit && !strcmp(unit, "us"))
		*over *= 1e3;
	else if (unit && !strcmp(unit, "ms"))
		*over *= 1e6;
	else if (!unit || strcmp(unit, "ns"))
		return COMPLAIN(r, node, "such as 500ns, 2us or 1ms", "'%.32s' is no time", text);
	return true;
}

static bool read_guard(struct reader *r, const yaml_node_t *node, int guard)
{
	const struct key keys[] = {
		{ "times", read_times, false, guard },
		{ "over", read_over, false, guard },
		{}
	};
	const char *name = rollout_guard_name[guard];

	if (!fits(r->doc->kind, guard))
		return COMPLAIN(r, node, "leave it out", "the guard '%s' is not for policies of kind %s",
				name, r->doc->kind == ROLLOUT_ADMIT ? "admit" : "iova");
	if (!read_mapping(r, node, keys, name))
		return false;
	if (node->data.mapping.pairs.top == node->data.mapping.pairs.start)
		return COMPLAIN(r, node, "add 'times', 'over' or both", "the guard '%s' has no limit",
				name);
	r->doc->limits[guard].set = true;
	r->any_guard = true;
	return true;
}

static bool read_every(struct reader *r, const yaml_node_t *node, int arg)
{
	(void)arg;
	return read_duration(r, node, 100, &r->doc->every_ms);
}

static bool read_samples(struct reader *r, const yaml_node_t *node, int arg)
{
	(void)arg;
	return read_number(r, node, 1, 1000000000, &r->doc->samples);
}

static bool read_guards(struct reader *r, const yaml_node_t *node, int arg)
{
	static const struct key keys[] = {
		{ "every", read_every, false, 0 },
		{ "samples", read_samples, false, 0 },
#define KEY(name) { #name, read_guard, false, ROLLOUT_GUARD_##name },
		ROLLOUT_GUARDS(KEY)
#undef KEY
		{}
	};

	(void)arg;
	if (!read_mapping(r, node, keys, "the guards"))
		return false;
	return r->any_guard ||
	       COMPLAIN(r, node, "add one, such as 'map_p99: {times: 1.5, over: 2us}'",
			"there is no guard among the guards");
}

static bool read_baseline(struct reader *r, const yaml_node_t *node, int arg)
{
	(void)arg;
	if (!r->any_guard)
		return COMPLAIN(r, node, "add guards, or leave the baseline out",
				"a baseline, and no guard that is measured by it");
	return read_duration(r, node, 100, &r->doc->baseline_ms);
}

static bool read_on_trip(struct reader *r, const yaml_node_t *node, int arg)
{
	const char *text = text_of(r, node, "rollback or hold");

	(void)arg;
	if (!text)
		return false;
	r->doc->on_trip = strcmp(text, "hold") ? ROLLOUT_ROLL_BACK : ROLLOUT_HOLD;
	return r->doc->on_trip == ROLLOUT_HOLD || !strcmp(text, "rollback") ||
	       COMPLAIN(r, node, NULL, "'%.32s' has to be rollback or hold", text);
}

/* --- the document ------------------------------------------------------------- */

static bool read_rollout(struct reader *r, const yaml_node_t *node, int arg)
{
	(void)arg;
	return read_name(r, node, r->doc->name);
}

static bool read_kind(struct reader *r, const yaml_node_t *node, int arg)
{
	const char *text = text_of(r, node, "iova or admit");

	(void)arg;
	if (!text)
		return false;
	r->doc->kind = strcmp(text, "admit") ? ROLLOUT_IOVA : ROLLOUT_ADMIT;
	return r->doc->kind == ROLLOUT_ADMIT || !strcmp(text, "iova") ||
	       COMPLAIN(r, node, NULL, "'%.32s' has to be iova or admit", text);
}

static bool read_replaces(struct reader *r, const yaml_node_t *node, int arg)
{
	(void)arg;
	if (!read_name(r, node, r->doc->replaces))
		return false;
	return strcmp(r->doc->replaces, r->doc->name) ||
	       COMPLAIN(r, node, "name an earlier one", "a rollout cannot replace itself");
}

static bool read_may_refuse(struct reader *r, const yaml_node_t *node, int arg)
{
	(void)arg;
	if (r->doc->kind == ROLLOUT_ADMIT)
		return COMPLAIN(r, node, "leave it out",
				"'may_refuse' is for IOVA policies: admission policies are there to refuse");
	return read_bool(r, node, &r->doc->may_refuse);
}

static bool read_hold(struct reader *r, const yaml_node_t *node, int arg)
{
	(void)arg;
	return read_bool(r, node, &r->doc->hold);
}

static bool read_attempt(struct reader *r, const yaml_node_t *node, int arg)
{
	__u64 value;

	(void)arg;
	if (!read_number(r, node, 1, 1000000, &value))
		return false;
	r->doc->attempt = (__u32)value;
	return true;
}

/* In the order in which they can be read: what is needed to read another comes before it. */
static bool read_document(struct reader *r, const yaml_node_t *root)
{
	static const struct key keys[] = {
		{ "rollout", read_rollout, true, 0 },
		{ "kind", read_kind, true, 0 },
		{ "policy", read_policy, true, 0 },
		{ "scope", read_scope, false, 0 },
		{ "may_refuse", read_may_refuse, false, 0 },
		{ "replaces", read_replaces, false, 0 },
		{ "stages", read_stages, true, 0 },
		{ "stage", read_stage, true, 0 },
		{ "hold", read_hold, false, 0 },
		{ "attempt", read_attempt, false, 0 },
		{ "guards", read_guards, false, 0 },
		{ "baseline", read_baseline, false, 0 },
		{ "on_trip", read_on_trip, false, 0 },
		{}
	};

	if (!read_mapping(r, root, keys, "the document"))
		return false;
	return !r->any_guard || r->doc->baseline_ms ||
	       COMPLAIN(r, root, "add 'baseline: 30m', for how long to measure before",
			"guards, and no baseline to compare with");
}

/* Each node stands in one place: what is there twice is an alias. */
static bool check_aliases(const struct reader *r)
{
	size_t nr = (size_t)(r->yaml->nodes.top - r->yaml->nodes.start), seen = 1;

	for (size_t i = 0; i < nr; i++) {
		const yaml_node_t *n = &r->yaml->nodes.start[i];

		if (n->type == YAML_SEQUENCE_NODE)
			seen += (size_t)(n->data.sequence.items.top - n->data.sequence.items.start);
		else if (n->type == YAML_MAPPING_NODE)
			seen += 2 * (size_t)(n->data.mapping.pairs.top - n->data.mapping.pairs.start);
	}
	return seen == nr ||
	       complain_at(r, 0, "write out what '*' stands for", "there are aliases in it");
}

static bool complain_syntax(const struct reader *r, const yaml_parser_t *parser, const char *text)
{
	size_t line = parser->problem_mark.line;

	if (parser->error == YAML_READER_ERROR) {
		line = 0;
		for (size_t i = 0; i < parser->problem_offset && i < strlen(text); i++)
			line += text[i] == '\n';
	}
	return complain_at(r, line, "mend the YAML", "%s",
			   parser->problem ? parser->problem : "this is no YAML");
}

static bool read_one(struct reader *r)
{
	const yaml_node_t *root = yaml_document_get_root_node(r->yaml);

	if (!root)
		return complain_at(r, 0, "docs/fleet.md has an example", "there is nothing in it");
	return check_aliases(r) && read_document(r, root);
}

static bool check_last(const struct reader *r, yaml_parser_t *parser, const char *text)
{
	yaml_document_t more;
	const yaml_node_t *root;
	size_t line = 0;

	if (!yaml_parser_load(parser, &more))
		return complain_syntax(r, parser, text);
	root = yaml_document_get_root_node(&more);
	if (root)
		line = root->start_mark.line;
	yaml_document_delete(&more);
	return !root || complain_at(r, line, "put each into a file of its own",
				    "there is more than one document in it");
}

static bool parse(struct reader *r, const char *text, size_t size)
{
	yaml_document_t yaml;
	yaml_parser_t parser;
	bool ok;

	if (!yaml_parser_initialize(&parser))
		return complain_at(r, 0, NULL, "%s", strerror(ENOMEM));
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
	if (!yaml_parser_load(&parser, &yaml)) {
		ok = complain_syntax(r, &parser, text);
	} else {
		r->yaml = &yaml;
		ok = read_one(r) && check_last(r, &parser, text);
		yaml_document_delete(&yaml);
	}
	yaml_parser_delete(&parser);
	return ok;
}

/* --- the file ----------------------------------------------------------------- */

static bool find_folder(struct reader *r)
{
	char copy[PATH_MAX];

	snprintf(copy, sizeof(copy), "%s", r->path);
	if (realpath(dirname(copy), r->folder))
		return true;
	msg_errno(errno, r->path, NULL);
	return false;
}

/* @text has room for one byte more than a document may have, and its end. */
static ssize_t read_file(const char *path, char *text)
{
	ssize_t n = 0, size = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		msg_errno(errno, path, NULL);
		return -1;
	}
	while (size <= MAX_BYTES && (n = read(fd, text + size, (size_t)(MAX_BYTES + 1 - size))) > 0)
		size += n;
	if (n < 0)
		msg_errno(errno, path, NULL);
	else if (size > MAX_BYTES)
		msg_error(path, "is larger than 16 KiB", "a document of a rollout is a page of text");
	close(fd);
	text[size] = 0;
	return n < 0 || size > MAX_BYTES ? -1 : size;
}

bool rollout_doc_read(struct rollout_doc *doc, const char *path)
{
	struct reader r = { .path = path, .doc = doc };
	char *text = malloc(MAX_BYTES + 2);
	ssize_t size;
	bool ok;

	*doc = (struct rollout_doc){
		.attempt = 1,
		.every_ms = DEFAULT_EVERY_MS,
		.samples = DEFAULT_SAMPLES,
	};
	if (!text) {
		msg_errno(ENOMEM, path, NULL);
		return false;
	}
	size = read_file(path, text);
	ok = size >= 0 && find_folder(&r) && parse(&r, text, (size_t)size);
	if (ok)
		policy_sign_sha256(text, (size_t)size, doc->digest);
	free(text);
	return ok;
}
