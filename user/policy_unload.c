// SPDX-License-Identifier: GPL-2.0
/* iox policy unload: takes a policy out, with a link or without. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>

#include "lib/msg.h"
#include "lib/out.h"
#include "lib/policy_pins.h"
#include "policy.h"

struct options {
	const char *which;
	bool json;
};

static const struct argp_option options[] = {
	{ "json", 'j', NULL, 0, "Print what the policy was, with its last numbers, as JSON", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'j':
		o->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (o->which)
			argp_error(state, "'%s': one policy at a time", arg);
		o->which = arg;
		return 0;
	case ARGP_KEY_END:
		if (!o->which)
			argp_error(state, "say which policy");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "NAME|ID",
	.doc = "Takes the policy with that name, or that map id, out of the kernel. The address "
	       "spaces of an IOVA policy go to the policy that is next, or to the built-in "
	       "allocator; what is mapped stays where it is. What an admission policy has allowed "
	       "stays preserved, and it is asked about nothing any more.\v"
	       "For those that 'iox policy load' or 'bpftool struct_ops register' put in force.",
};

/* One that a link attaches. Detached, it ends even if somebody has the link open. */
static bool unload_link(const struct policy *q)
{
	char path[PATH_MAX], why[64];
	int link, err;

	if (!policy_pins_find(q->link_id, path)) {
		snprintf(why, sizeof(why), "is held by link %u, which is not ours", q->link_id);
		msg_error(q->name, why, "end the program that holds it, or remove its pin");
		return false;
	}
	link = bpf_link_get_fd_by_id(q->link_id);
	err = link < 0 ? link : bpf_link_detach(link);
	if (link >= 0)
		close(link);
	if (!err && unlink(path))
		err = -errno;
	if (err)
		msg_errno(err, path, NULL);
	return !err;
}

/* One that stands without a link: bpftool's. */
static bool unload_map(const struct policy *q)
{
	int map = bpf_map_get_fd_by_id(q->map_id), err;
	__u32 zero = 0;

	err = map < 0 ? map : bpf_map_delete_elem(map, &zero);
	if (map >= 0)
		close(map);
	if (err)
		msg_errno(err, q->name, NULL);
	return !err;
}

/* The kernel has let go of it when these calls return. */
static bool unload(const struct policy *q)
{
	if (!policy_is_registered(q)) {
		msg_error(q->name, "is not in force", "it goes with the program that loaded it");
		return false;
	}
	return q->link_id ? unload_link(q) : unload_map(q);
}

int policy_unload(int argc, char **argv)
{
	struct options opt = {};
	const struct policy *q;
	struct policies p;
	bool ok;

	iox_parse(&argp, argc, argv, &opt);
	if (!policies_read(&p))
		return IOX_FAILED;
	q = policies_find(&p, opt.which);
	ok = q && unload(q);
	if (ok && opt.json)
		ok = out_json(stdout, policy_json(q));
	policies_free(&p);
	return ok ? IOX_OK : IOX_FAILED;
}
