// SPDX-License-Identifier: GPL-2.0-only
/* What concerns a domain as a whole: filling a new one, copying, dirty pages. */
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>

#include "../lib/buffer.h"
#include "../lib/iommufd.h"
#include "../lib/vfio.h"
#include "bench.h"

#define REPEATS 3

static int hwpt_alloc(struct rig *rig, int i, __u32 ioas, __u32 flags,
		      __u32 *id)
{
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.flags = flags,
		.dev_id = rig->device_id[i],
		.pt_id = ioas,
	};
	int rc = xioctl(rig->fd, IOMMU_HWPT_ALLOC, &cmd);

	*id = cmd.out_hwpt_id;
	return rc;
}

/* An IOAS that holds everything already gets its first domain. */
static int attach_first(const struct memory *memory, size_t length,
			double *value)
{
	struct rig rig;
	__u64 t;
	int rc;

	rig_open(&rig, 1, false);
	rc = rig_map(&rig, 0, memory, length, MAP_AT);
	if (!rc) {
		t = now();
		rc = vfio_attach_ioas(rig.device[0], rig.ioas[0]);
		*value = now() - t;
	}
	rig_close(&rig);
	return rc;
}

/* The second device gets a domain of its own with all that is mapped. */
static int attach_second(const struct memory *memory, size_t length,
			 double *value)
{
	struct rig rig;
	__u32 hwpt;
	__u64 t;
	int rc;

	rig_open(&rig, 2, true);
	rc = rig_map(&rig, 0, memory, length, MAP_AT);
	if (!rc)
		rc = vfio_detach(rig.device[1]);
	if (!rc) {
		t = now();
		rc = hwpt_alloc(&rig, 1, rig.ioas[0], 0, &hwpt);
		if (!rc)
			rc = vfio_attach(rig.device[1], &hwpt);
		*value = now() - t;
	}
	rig_close(&rig);
	return rc;
}

/* Both address spaces have a device. */
static int copy(const struct memory *memory, size_t length, double *value)
{
	struct rig rig;
	struct iommu_ioas_copy cmd = {
		.size = sizeof(cmd),
		.flags = MAP_RW | IOMMU_IOAS_MAP_FIXED_IOVA,
		.length = length,
		.dst_iova = MAP_AT,
		.src_iova = MAP_AT,
	};
	__u64 t;
	int rc;

	rig_open(&rig, 2, true);
	rc = rig_map(&rig, 0, memory, length, MAP_AT);
	if (!rc) {
		cmd.src_ioas_id = rig.ioas[0];
		cmd.dst_ioas_id = rig.ioas[1];
		t = now();
		rc = xioctl(rig.fd, IOMMU_IOAS_COPY, &cmd);
		*value = now() - t;
	}
	rig_close(&rig);
	return rc;
}

static int read_dirty(struct rig *rig, __u32 hwpt, size_t length)
{
	struct iommu_hwpt_get_dirty_bitmap get = {
		.size = sizeof(get),
		.hwpt_id = hwpt,
		.iova = MAP_AT,
		.length = length,
		.page_size = PAGE,
	};
	void *bitmap = calloc(length / PAGE / 8, 1);
	int rc;

	get.data = (uintptr_t)bitmap;
	rc = xioctl(rig->fd, IOMMU_HWPT_GET_DIRTY_BITMAP, &get);
	free(bitmap);
	return rc;
}

static int dirty(const struct memory *memory, size_t length, double *value)
{
	struct iommu_hwpt_set_dirty_tracking set = {
		.size = sizeof(set),
		.flags = IOMMU_HWPT_DIRTY_TRACKING_ENABLE,
	};
	struct rig rig;
	__u64 t;
	int rc;

	rig_open(&rig, 1, false);
	rc = hwpt_alloc(&rig, 0, rig.ioas[0], IOMMU_HWPT_ALLOC_DIRTY_TRACKING,
			&set.hwpt_id);
	if (!rc) {
		__u32 hwpt = set.hwpt_id;

		rc = vfio_attach(rig.device[0], &hwpt);
	}
	if (!rc)
		rc = rig_map(&rig, 0, memory, length, MAP_AT);
	if (!rc)
		rc = xioctl(rig.fd, IOMMU_HWPT_SET_DIRTY_TRACKING, &set);
	if (!rc) {
		t = now();
		rc = read_dirty(&rig, set.hwpt_id, length);
		*value = now() - t;
	}
	rig_close(&rig);
	return rc;
}

static const struct {
	const char *name;
	int (*measure)(const struct memory *memory, size_t length,
		       double *value);
} cases[] = {
	{ "attach-first", attach_first },
	{ "attach-second", attach_second },
	{ "copy", copy },
	{ "dirty", dirty },
};

#define NR_CASES (sizeof(cases) / sizeof(cases[0]))

static void case_name(char name[64], int i, const struct memory *memory)
{
	snprintf(name, 64, "%s/%s/%zuM", cases[i].name,
		 memory_name(memory->kind), memory->length / MIB);
}

static void measure(int i, const char *name, const struct memory *memory)
{
	double values[REPEATS];
	int rc;

	for (int n = 0; n < REPEATS; n++) {
		rc = cases[i].measure(memory, memory->length, &values[n]);
		if (is_missing(rc)) {
			report_missing(name, rc);
			return;
		}
		check(rc, name);
	}
	report(name, "clock", median(values, REPEATS));
}

void bench_domain(const struct bench *bench)
{
	static const enum memory_kind kinds[] = { MEMORY_SCATTERED,
						  MEMORY_THP };
	struct memory memory;
	char name[64];

	for (int k = 0; k < 2; k++) {
		bool any = false;

		memory.kind = kinds[k];
		memory.length = (bench->quick ? 64 : 512) * MIB;
		for (size_t i = 0; i < NR_CASES; i++) {
			case_name(name, i, &memory);
			any |= wanted(bench, name);
		}
		if (!any)
			continue;
		memory_open(&memory, kinds[k], memory.length);
		for (size_t i = 0; i < NR_CASES; i++) {
			case_name(name, i, &memory);
			if (wanted(bench, name))
				measure(i, name, &memory);
		}
		memory_close(&memory);
	}
}
