// SPDX-License-Identifier: GPL-2.0-only
/*
 * Automatic IOVAs in an address space with many areas. Each is one page, and so
 * is the hole behind it, while what is mapped is two: no early hole fits.
 */
#include <stdio.h>

#include "../lib/buffer.h"
#include "../lib/iommufd.h"
#include "bench.h"

#define CALLS 21

static void measure(const char *name, unsigned int areas)
{
	double values[CALLS];
	struct rig rig;
	__u64 iova, t;
	char *pages;
	int rc;

	pages = buffer_small(2 * PAGE);
	pages[0] = 1;
	pages[PAGE] = 1;
	rig_open(&rig, 1, true);
	for (unsigned int i = 0; i < areas; i++)
		check(ioas_map_fixed(rig.fd, rig.ioas[0], pages, PAGE,
				     2 * PAGE * i), "map an area");
	for (int i = 0; i < CALLS; i++) {
		t = now();
		rc = ioas_map_auto(rig.fd, rig.ioas[0], pages, 2 * PAGE, &iova);
		values[i] = now() - t;
		check(rc, "map with automatic IOVA");
		check(ioas_unmap(rig.fd, rig.ioas[0], iova, 2 * PAGE), "unmap");
	}
	report(name, "clock", median(values, CALLS));
	rig_close(&rig);
	buffer_free(BUFFER_SMALL, pages, 2 * PAGE);
}

void bench_iova(const struct bench *bench)
{
	static const unsigned int areas[] = { 1000, 20000, 200000 };
	char name[64];

	for (int i = 0; i < (bench->quick ? 2 : 3); i++) {
		snprintf(name, sizeof(name), "iova/%u", areas[i]);
		if (wanted(bench, name))
			measure(name, areas[i]);
	}
}
