/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a host remembers of its rollouts: a folder each, NAME/state.json and NAME/policy.bpf.o, a copy
 * of the object. Each is written aside and renamed, so that a power cut leaves the old or the new one.
 */
#ifndef IOX_LIB_ROLLOUT_STATE_H
#define IOX_LIB_ROLLOUT_STATE_H

#include <json-c/json.h>
#include <stddef.h>

#include "rollout_decide.h"

#define ROLLOUT_STATE_DIR "/var/lib/iox/rollouts"

/* All that is needed to put the policy in force again, without the document */
struct rollout_policy {
	enum rollout_kind kind;
	char sha256[65];
	char variable[64];
	bool may_refuse;
	char cgroup[PATH_MAX];
	char replaces[ROLLOUT_NAME_LEN];
	__u32 spaces;			/* that are to have it; 0: it is not to be in force */
};

struct rollout_record {
	char name[ROLLOUT_NAME_LEN];
	char document[65];		/* digest of the one that was applied last */
	__u32 goal, nr_stages;		/* of that document */
	struct rollout_policy policy;
	bool has_limit[ROLLOUT_NR_GUARDS];
	double limit[ROLLOUT_NR_GUARDS];
	struct rollout_state st;
};

enum rollout_read {
	ROLLOUT_READ,
	ROLLOUT_NONE,		/* nothing is known of it */
	ROLLOUT_DAMAGED,	/* the message is given */
};

enum rollout_read rollout_state_read(const char *dir, const char *name, struct rollout_record *r);

/* These give the message when they fail. */
bool rollout_state_write(const char *dir, const struct rollout_record *r);
bool rollout_state_forget(const char *dir, const char *name);

/* The copy of the object: put there; read, if it is what @sha256 says, to be freed. */
bool rollout_state_put_object(const char *dir, const char *name, const void *bytes, size_t size);
void *rollout_state_object(const char *dir, const char *name, const char *sha256, size_t *size);

/* The names of all rollouts, sorted; how many, -1 with the message given. To be freed, each too. */
int rollout_state_list(const char *dir, char ***names);
void rollout_state_list_free(char **names, int nr);

/*
 * One process drives a rollout: a descriptor that holds it until it is closed; -1 with the message
 * given. The folder is made.
 */
int rollout_state_lock(const char *dir, const char *name);

/* Held while policies change, as one rollout may take the place of another. */
int rollout_state_lock_all(const char *dir);

#endif
