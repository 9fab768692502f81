// SPDX-License-Identifier: GPL-2.0-only
/* Map and unmap of much memory at once, by kind of memory. */
#include <stdio.h>

#include "../lib/iommufd.h"
#include "bench.h"

#define REPEATS 3

static void measure(const struct memory *memory, size_t length,
		    const char *size)
{
	double mapped[REPEATS], unmapped[REPEATS];
	char map_name[64], unmap_name[64];
	struct rig rig;
	__u64 t;
	int rc;

	snprintf(map_name, sizeof(map_name), "map/%s/%s",
		 memory_name(memory->kind), size);
	snprintf(unmap_name, sizeof(unmap_name), "unmap/%s/%s",
		 memory_name(memory->kind), size);
	rig_open(&rig, 1, true);
	for (int i = 0; i < REPEATS; i++) {
		t = now();
		rc = rig_map(&rig, 0, memory, length, MAP_AT);
		mapped[i] = now() - t;
		if (is_missing(rc)) {
			report_missing(map_name, rc);
			report_missing(unmap_name, rc);
			goto out;
		}
		check(rc, map_name);
		t = now();
		rc = ioas_unmap(rig.fd, rig.ioas[0], MAP_AT, length);
		unmapped[i] = now() - t;
		check(rc, unmap_name);
	}
	report(map_name, "clock", median(mapped, REPEATS));
	report(unmap_name, "clock", median(unmapped, REPEATS));
out:
	rig_close(&rig);
}

void bench_map(const struct bench *bench)
{
	struct memory memory;

	for (int kind = 0; kind < MEMORY_KINDS; kind++) {
		char map_name[64], unmap_name[64];

		snprintf(map_name, sizeof(map_name), "map/%s",
			 memory_name(kind));
		snprintf(unmap_name, sizeof(unmap_name), "unmap/%s",
			 memory_name(kind));
		if (!wanted(bench, map_name) && !wanted(bench, unmap_name))
			continue;
		memory_open(&memory, kind, bench->quick ? 64 * MIB : 2 * GIB);
		if (bench->quick) {
			measure(&memory, 64 * MIB, "64M");
		} else {
			measure(&memory, 512 * MIB, "512M");
			measure(&memory, 2 * GIB, "2G");
		}
		memory_close(&memory);
	}
}
