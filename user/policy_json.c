// SPDX-License-Identifier: GPL-2.0
/* iox policy: a policy as JSON. */
#include "lib/msg.h"
#include "lib/out.h"
#include "policy.h"

json_object *policy_flags_json(enum policy_kind kind, __u32 flags)
{
	json_object *list = json_object_new_array();

	if (kind == POLICY_ADMIT && flags & POLICY_FLAG_DENY)
		json_object_array_add(list, json_object_new_string("deny"));
	if (kind == POLICY_IOVA && flags & POLICY_FLAG_SHADOW)
		json_object_array_add(list, json_object_new_string("shadow"));
	if (kind == POLICY_IOVA && flags & POLICY_FLAG_STRICT)
		json_object_array_add(list, json_object_new_string("strict"));
	if (kind == POLICY_IOVA && flags & POLICY_FLAG_LENIENT)
		json_object_array_add(list, json_object_new_string("lenient"));
	return list;
}

/* null unless there is something to say. */
static void add_words(json_object *o, const char *key, const char *words)
{
	json_object_object_add(o, key, *words ? json_object_new_string(words) : NULL);
}

static json_object *counters_json(const struct policy *q)
{
	const struct policy_kind_info *kind = &policy_kinds[q->kind];
	json_object *o = json_object_new_object();

	for (size_t i = 0; i < kind->nr_counters; i++)
		out_json_u64(o, policy_counter_name[kind->counters[i]],
			     q->counter[kind->counters[i]]);
	return o;
}

static void add_iova(json_object *o, const struct policy *q)
{
	out_json_u64(o, "share", q->share);
	out_json_u64(o, "spaces", q->spaces);
	out_json_u64(o, "p50_ns", q->p50_ns);
	out_json_u64(o, "p99_ns", q->p99_ns);
}

static void add_admission(json_object *o, const struct policy *q)
{
	json_object_object_add(o, "order", q->order ? json_object_new_uint64(q->order) : NULL);
	out_json_str(o, "default", policy_default(q->flags));
	out_json_u64(o, "slowest_ns", q->slowest_ns);
	add_words(o, "last_refusal", q->last_refusal);
}

json_object *policy_json(const struct policy *q)
{
	json_object *o = json_object_new_object();

	out_json_str(o, "kind", policy_kinds[q->kind].word);
	out_json_str(o, "name", q->name);
	out_json_str(o, "state", policy_state_name[q->state]);
	out_json_str(o, "map_name", q->map_name);
	out_json_u64(o, "map_id", q->map_id);
	json_object_object_add(o, "link_id", q->link_id ? json_object_new_uint64(q->link_id) : NULL);
	out_json_u64(o, "cgroup_id", q->cgroup_id);
	json_object_object_add(o, "flags", policy_flags_json(q->kind, q->flags));
	if (q->kind == POLICY_IOVA)
		add_iova(o, q);
	else
		add_admission(o, q);
	add_words(o, "exit", q->exit);
	json_object_object_add(o, "counters", counters_json(q));
	return o;
}

bool policy_print_json(__u32 map_id, const char *key, json_object *more)
{
	json_object *o = NULL;
	struct policies p;

	if (policies_read(&p)) {
		for (size_t i = 0; i < p.nr && !o; i++)
			if (p.list[i].map_id == map_id)
				o = policy_json(&p.list[i]);
		if (!o)
			msg_error("the policy", "is in force no more", "'iox policy list' shows what is");
		policies_free(&p);
	}
	if (!o) {
		json_object_put(more);
		return false;
	}
	if (more)
		json_object_object_add(o, key, more);
	return out_json(stdout, o);
}
