// SPDX-License-Identifier: GPL-2.0-only
/*
 * Automatic IOVAs in an address space with many areas. Each is one page, and so
 * is the hole behind it, while what is mapped is two: no early hole fits.
 */
#include <errno.h>
#include <linux/iox.h>
#include <stdint.h>
#include <stdio.h>

#include "../lib/buffer.h"
#include "../lib/iommufd.h"
#include "bench.h"

#define CALLS 21

/* One map, as the caller sees it */
static __u64 map_cost(struct rig *rig, char *pages)
{
	__u64 iova, start = now(), cost;
	int rc = ioas_map_auto(rig->fd, rig->ioas[0], pages, 2 * PAGE, &iova);

	cost = now() - start;
	check(rc, "map with automatic IOVA");
	check(ioas_unmap(rig->fd, rig->ioas[0], iova, 2 * PAGE), "unmap");
	return cost;
}

/* Of that, what it takes to find the place */
static __u64 select_cost(struct rig *rig, char *pages)
{
	struct iox_ioas_try_map cmd = {
		.size = sizeof(cmd),
		.ioas_id = rig->ioas[0],
		.flags = MAP_RW,
		.addr = (uintptr_t)pages,
		.length = 2 * PAGE,
	};

	check(xioctl(rig->fd, IOX_IOAS_TRY_MAP, &cmd), "try a map");
	check(cmd.out_answer == IOX_TRY_POLICY ? 0 : -EPROTO, "policy");
	check(ioas_unmap(rig->fd, rig->ioas[0], cmd.iova, 2 * PAGE), "unmap");
	return cmd.out_ns;
}

struct kind {
	const char *name;
	__u64 (*cost)(struct rig *rig, char *pages);
	bool policy;
};

static void measure(const char *name, const struct kind *kind,
		    unsigned int areas)
{
	double values[CALLS];
	struct rig rig;
	char *pages;

	if (kind->policy && !policy_start()) {
		report_missing(name, -EOPNOTSUPP);
		return;
	}
	pages = buffer_small(2 * PAGE);
	pages[0] = 1;
	pages[PAGE] = 1;
	rig_open(&rig, 1, true);
	for (unsigned int i = 0; i < areas; i++)
		check(ioas_map_fixed(rig.fd, rig.ioas[0], pages, PAGE,
				     2 * PAGE * i), "map an area");
	for (int i = 0; i < CALLS; i++)
		values[i] = kind->cost(&rig, pages);
	report(name, "clock", median(values, CALLS));
	rig_close(&rig);
	buffer_free(BUFFER_SMALL, pages, 2 * PAGE);
	if (kind->policy)
		policy_stop();
}

void bench_iova(const struct bench *bench)
{
	static const unsigned int areas[] = { 1000, 20000, 200000 };
	static const struct kind kinds[] = {
		{ "iova", map_cost, false },
		{ "iova-policy", map_cost, true },
		{ "select", select_cost, true },
	};
	char name[64];

	for (unsigned int k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
		for (int i = 0; i < (bench->quick ? 2 : 3); i++) {
			snprintf(name, sizeof(name), "%s/%u", kinds[k].name,
				 areas[i]);
			if (wanted(bench, name))
				measure(name, &kinds[k], areas[i]);
		}
}
