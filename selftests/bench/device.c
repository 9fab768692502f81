// SPDX-License-Identifier: GPL-2.0-only
/* What comes before the first mapping: opening, binding and attaching a device. */
#include <unistd.h>

#include "../lib/iommufd.h"
#include "../lib/vfio.h"
#include "bench.h"

#define REPEATS 20

/* The device of @rig is closed, and opened again; @opened says for how long. */
static void reopen(struct rig *rig, const char *name, double *opened)
{
	__u64 t;

	close(rig->device[0]);
	t = now();
	rig->device[0] = vfio_open(name);
	check(rig->device[0], "vfio device");
	check(vfio_bind(rig->device[0], rig->fd, &rig->device_id[0]), "bind");
	*opened = now() - t;
}

static double attach_detach(struct rig *rig)
{
	__u64 t = now();

	check(vfio_attach_ioas(rig->device[0], rig->ioas[0]), "attach");
	check(vfio_detach(rig->device[0]), "detach");
	return now() - t;
}

void bench_device(const struct bench *bench)
{
	double opened[REPEATS], attached[REPEATS];
	char name[PCI_NAME_SIZE];
	struct rig rig;

	if (!wanted(bench, "device/open") && !wanted(bench, "device/attach"))
		return;
	rig_open(&rig, 1, false);
	rig_device_name(0, name);
	for (int i = 0; i < REPEATS; i++) {
		reopen(&rig, name, &opened[i]);
		attached[i] = attach_detach(&rig);
	}
	if (wanted(bench, "device/open"))
		report("device/open", "clock", median(opened, REPEATS));
	if (wanted(bench, "device/attach"))
		report("device/attach", "clock", median(attached, REPEATS));
	rig_close(&rig);
}
