// SPDX-License-Identifier: GPL-2.0-only
#include <unistd.h>

#include "../lib/iommufd.h"
#include "../lib/vfio.h"
#include "bench.h"

#define EDU_VENDOR 0x1234
#define EDU_DEVICE 0x11e8

void rig_device_name(int i, char *name)
{
	check(pci_find_nth(EDU_VENDOR, EDU_DEVICE, i, name),
	      "four edu devices are needed");
}

static int open_device(int i)
{
	char name[PCI_NAME_SIZE];
	int fd;

	rig_device_name(i, name);
	check(vfio_pci_claim(name), "vfio-pci");
	fd = vfio_open(name);
	check(fd, "vfio device");
	return fd;
}

void rig_open(struct rig *rig, int nr, bool attach)
{
	*rig = (struct rig){ .fd = iommufd_open(), .nr = nr };
	check(rig->fd, "/dev/iommu");
	for (int i = 0; i < nr; i++) {
		check(ioas_alloc(rig->fd, &rig->ioas[i]), "ioas");
		rig->device[i] = open_device(i);
		check(vfio_bind(rig->device[i], rig->fd, &rig->device_id[i]),
		      "bind");
		if (attach)
			check(vfio_attach_ioas(rig->device[i], rig->ioas[i]),
			      "attach");
	}
}

void rig_close(struct rig *rig)
{
	for (int i = 0; i < rig->nr; i++)
		close(rig->device[i]);
	close(rig->fd);
}

int rig_map(struct rig *rig, int i, const struct memory *memory, size_t length,
	    __u64 iova)
{
	struct iommu_ioas_map_file file = {
		.size = sizeof(file),
		.flags = MAP_RW | IOMMU_IOAS_MAP_FIXED_IOVA,
		.ioas_id = rig->ioas[i],
		.fd = memory->fd,
		.length = length,
		.iova = iova,
	};

	if (memory->fd < 0)
		return ioas_map_fixed(rig->fd, rig->ioas[i], memory->va, length,
				      iova);
	return xioctl(rig->fd, IOMMU_IOAS_MAP_FILE, &file);
}
