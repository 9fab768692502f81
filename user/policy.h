/* SPDX-License-Identifier: GPL-2.0 */
/* The subcommands of iox policy, and what they share. */
#ifndef IOX_POLICY_H
#define IOX_POLICY_H

#include <limits.h>
#include <stdbool.h>
#include <json-c/json.h>

#include "iox.h"
#include "lib/policies.h"
#include "lib/policy_file.h"

int policy_check(int argc, char **argv);
int policy_get(int argc, char **argv);
int policy_list(int argc, char **argv);
int policy_load(int argc, char **argv);
int policy_replace(int argc, char **argv);
int policy_set(int argc, char **argv);
int policy_show(int argc, char **argv);
int policy_sign(int argc, char **argv);
int policy_try(int argc, char **argv);
int policy_unload(int argc, char **argv);
int policy_verify(int argc, char **argv);

/* What is demanded of a file's signature by options, those of the child parser. */
struct policy_trust {
	const char *signature;	/* NULL: beside the file */
	const char *dir;	/* NULL: only what the host demands */
};

extern const struct argp_child policy_trust_children[];

/* policy_file_open(), once the signature is good if the host or the options demand one. */
bool policy_open_trusted(struct policy_file *f, const char *path, const struct policy_trust *t);

extern const char *const policy_state_name[];

/* All that list and show have in common. */
json_object *policy_json(const struct policy *q);

json_object *policy_flags_json(enum policy_kind kind, __u32 flags);

/* Prints that of the registered policy with this map, with @more, which is freed, in it if it is not NULL. */
bool policy_print_json(__u32 map_id, const char *key, json_object *more);

#define POLICY_SCOPE_LEN (PATH_MAX + 64)

/* "host", "cgroup /sys/fs/cgroup/a", or its id if it has no path. Returns @buf. */
const char *policy_scope(char buf[POLICY_SCOPE_LEN], __u64 cgroup_id);

/* What becomes of what an admission policy does not answer: "allow", "deny". */
const char *policy_default(__u32 flags);

/* The scope, and what else there is to say: "host, 50 of 1000, strict". Returns @buf. */
const char *policy_place(char buf[POLICY_SCOPE_LEN], enum policy_kind kind,
			 const struct policy_place *place);

/* The message of why a link could not attach it there. */
void policy_say_refused(const struct policy_file *f, const struct policy_place *place, int err);

/* Puts an entry, in words, into a map of a policy, or takes it out. False with the message given. */
bool policy_fill(__u32 map_id, const char *name, char *const *words, size_t nr, bool delete);

/* A share as an option's argument; wrong usage ends the program. */
__u32 policy_parse_share(const char *arg, struct argp_state *state);

#endif
