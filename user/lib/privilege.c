// SPDX-License-Identifier: GPL-2.0
#include <cap-ng.h>
#include <errno.h>
#include <stddef.h>
#include <sys/prctl.h>

#include "msg.h"
#include "privilege.h"

static __u64 permitted(void)
{
	__u64 caps = 0;

	for (unsigned int cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (capng_have_capability(CAPNG_PERMITTED, cap))
			caps |= 1ULL << cap;
	return caps;
}

static void choose(__u64 caps)
{
	const capng_type_t sets = CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET;

	capng_clear(CAPNG_SELECT_ALL);
	for (unsigned int cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (caps >> cap & 1)
			capng_update(CAPNG_ADD, sets, cap);
}

bool privilege_keep(__u64 keep)
{
	capng_select_t sets = CAPNG_SELECT_CAPS | CAPNG_SELECT_AMBIENT;
	int err;

	err = capng_get_caps_process();
	/* Who may not shrink the bounding set cannot use it either, with no_new_privs. */
	if (!err && capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP))
		sets |= CAPNG_SELECT_BOUNDS;
	if (!err) {
		choose(permitted() & keep);
		err = capng_apply(sets);
	}
	if (!err)
		err = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (err)
		msg_errno(errno, "giving up privileges", NULL);
	return !err;
}
