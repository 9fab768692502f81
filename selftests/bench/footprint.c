// SPDX-License-Identifier: GPL-2.0-only
/* What memory the kernel needs for a GiB that is mapped. */
#include <glob.h>
#include <stdio.h>

#include "../lib/iommufd.h"
#include "../lib/leak.h"
#include "bench.h"

/*
 * The same memory is mapped many times, since slab grows by whole pages, more
 * often where less is needed.
 */
static int times(enum memory_kind kind)
{
	switch (kind) {
	case MEMORY_THP:
	case MEMORY_HUGETLB:
	case MEMORY_FILE:
		return 64;
	default:
		return 4;
	}
}

struct usage {
	double slab;
	double tables;
};

/* What earlier cases have freed must not be what the next one is given. */
static void shrink_slab(void)
{
	glob_t caches;

	if (glob("/sys/kernel/slab/*/shrink", 0, NULL, &caches))
		return;
	for (size_t i = 0; i < caches.gl_pathc; i++) {
		FILE *f = fopen(caches.gl_pathv[i], "we");

		if (!f)
			continue;
		fputs("1", f);
		fclose(f);
	}
	globfree(&caches);
}

static void take(struct usage *usage)
{
	usage->slab = leak_slab_kb() * 1024.0;
	usage->tables = leak_iommu_pages() * 4096.0;
}

static int map_all(struct rig *rig, const struct memory *memory)
{
	int rc = 0;

	for (int i = 0; i < times(memory->kind) && !rc; i++)
		rc = rig_map(rig, 0, memory, memory->length,
			     MAP_AT + i * memory->length);
	return rc;
}

static void measure(const struct memory *memory, const char *slab,
		    const char *tables)
{
	double gib = (double)times(memory->kind) * memory->length / GIB;
	struct usage before, after;
	struct rig rig;
	int rc;

	rig_open(&rig, 1, true);
	shrink_slab();
	take(&before);
	rc = map_all(&rig, memory);
	take(&after);
	if (is_missing(rc)) {
		report_missing(slab, rc);
		report_missing(tables, rc);
		rig_close(&rig);
		return;
	}
	check(rc, slab);
	report(slab, "bytes", (after.slab - before.slab) / gib);
	report(tables, "bytes", (after.tables - before.tables) / gib);
	rig_close(&rig);
}

void bench_footprint(const struct bench *bench)
{
	char slab[64], tables[64];
	struct memory memory;

	for (int kind = 0; kind < MEMORY_KINDS; kind++) {
		snprintf(slab, sizeof(slab), "memory/%s", memory_name(kind));
		snprintf(tables, sizeof(tables), "memory-tables/%s",
			 memory_name(kind));
		if (!wanted(bench, slab) && !wanted(bench, tables))
			continue;
		memory_open(&memory, kind, (bench->quick ? 64 : 512) * MIB);
		measure(&memory, slab, tables);
		memory_close(&memory);
	}
}
