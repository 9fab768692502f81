// SPDX-License-Identifier: GPL-2.0
/* The probes where iommufd cannot be probed: maps and unmaps of the IOMMU layer are counted. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <bpf/libbpf.h>

#include "msg.h"
#include "probe_internal.h"

static void say_unseen(struct probe *p)
{
	const struct probe_lack *lack = &p->lack;

	snprintf(p->unseen, sizeof(p->unseen),
		 "all but what the IOMMU layer maps and unmaps, for drivers of this machine too: "
		 "no calls, times, failures, IOASes (%s: %s%s%s)", lack->what, lack->why,
		 lack->mend ? "; " : "", lack->mend ?: "");
}

static int load(struct probe *p, const struct probe_config *config)
{
	struct fallback_bpf *skel = p->fallback;
	bool follow = config->follow_pidfd >= 0;
	int err;

	skel->rodata->follow = follow;
	skel->rodata->by = config->by;
	/* Both take BTF of the kernel, which is what may be missing. */
	bpf_program__set_autoload(skel->progs.follow_fork, follow);
	bpf_map__set_autocreate(skel->maps.followed, follow);
	bpf_map__set_autocreate(skel->maps.events, false);
	if (config->by)
		bpf_map__set_max_entries(skel->maps.keyed, probe_max_keys(config));
	err = fallback_bpf__load(skel);
	if (!err)
		err = probe_fill_maps(p, config);
	return err ? err : fallback_bpf__attach(skel);
}

bool probe_fallback_open(struct probe *p, const struct probe_config *config)
{
	struct fallback_bpf *skel = fallback_bpf__open();
	int err;

	if (!skel) {
		msg_error(p->lack.what, p->lack.why, p->lack.mend);
		return false;
	}
	p->fallback = skel;
	p->counts = skel->maps.counts;
	p->keyed = skel->maps.keyed;
	p->dropped = skel->maps.dropped;
	p->followed = skel->maps.followed;
	memset(p->prog, 0, sizeof(p->prog));
	p->prog[0] = skel->progs.layer_map;
	p->prog[1] = skel->progs.layer_unmap;
	p->staged = false;
	memset(p->has, 0, sizeof(p->has));
	p->has[IOX_PROBE_map] = p->has[IOX_PROBE_unmap] = true;
	say_unseen(p);
	err = load(p, config);
	if (err == -EPERM)
		msg_errno(err, "attaching the probes", "run it as root");
	else if (err)
		/* What was wrong at first is what can be mended. */
		msg_error(p->lack.what, p->lack.why, p->lack.mend);
	return !err;
}
