// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>

#include "lib/out.h"
#include "lu_admission.h"
#include "policy.h"

static void print_policy(const struct policy *q)
{
	char scope[POLICY_SCOPE_LEN];

	printf("admission policy %s: %s, default %s, asked %llu, refused %llu%s%s\n", q->name,
	       policy_scope(scope, q->cgroup_id), policy_default(q->flags),
	       q->counter[POLICY_asked], q->counter[POLICY_refused],
	       q->exit[0] ? ", ejected: " : "", q->exit);
	if (q->last_refusal[0])
		printf("  refused last: %s\n", q->last_refusal);
}

void lu_admission_print(void)
{
	struct policies p;

	if (!policies_read_admission(&p))
		return;
	for (size_t i = 0; i < p.nr; i++)
		print_policy(&p.list[i]);
	policies_free(&p);
}

static json_object *json_policy(const struct policy *q)
{
	json_object *o = json_object_new_object();

	out_json_str(o, "name", q->name);
	out_json_u64(o, "map_id", q->map_id);
	out_json_str(o, "state", policy_state_name[q->state]);
	out_json_u64(o, "cgroup_id", q->cgroup_id);
	out_json_str(o, "default", policy_default(q->flags));
	out_json_u64(o, "asked", q->counter[POLICY_asked]);
	out_json_u64(o, "refused", q->counter[POLICY_refused]);
	json_object_object_add(o, "last_refusal", q->last_refusal[0] ?
			       json_object_new_string(q->last_refusal) : NULL);
	return o;
}

json_object *lu_admission_json(void)
{
	json_object *list = json_object_new_array();
	struct policies p;

	if (!policies_read_admission(&p))
		return list;
	for (size_t i = 0; i < p.nr; i++)
		json_object_array_add(list, json_policy(&p.list[i]));
	policies_free(&p);
	return list;
}
