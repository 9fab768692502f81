// SPDX-License-Identifier: GPL-2.0
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vfio_pci.h"

#define INTEL 0x8086
#define CLASS_DISPLAY 0x03

/* Where a symbolic link of the device leads to, the last part; empty if there is none. */
static void read_link(const char *sysfs, const char *name, char target[NAME_MAX + 1])
{
	char path[PATH_MAX], whole[PATH_MAX];
	const char *slash;
	ssize_t length;

	snprintf(path, sizeof(path), "%s/%s", sysfs, name);
	length = readlink(path, whole, sizeof(whole) - 1);
	whole[length < 0 ? 0 : length] = 0;
	slash = strrchr(whole, '/');
	snprintf(target, NAME_MAX + 1, "%s", slash ? slash + 1 : "");
}

static unsigned long read_number(const char *sysfs, const char *name)
{
	unsigned long number = 0;
	char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", sysfs, name);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (fscanf(f, "%li", (long *)&number) != 1)
		number = 0;
	fclose(f);
	return number;
}

static bool is_no_pci(const char *sysfs)
{
	char subsystem[NAME_MAX + 1];

	read_link(sysfs, "subsystem", subsystem);
	return strcmp(subsystem, "pci");
}

static bool has_other_driver(const char *sysfs)
{
	char driver[NAME_MAX + 1];

	read_link(sysfs, "driver", driver);
	return !is_no_pci(sysfs) && strcmp(driver, "vfio-pci");
}

bool vfio_pci_has_device(const char *name)
{
	char sysfs[PATH_MAX];

	snprintf(sysfs, sizeof(sysfs), "/sys/bus/pci/devices/%s", name);
	return !has_other_driver(sysfs) && !is_no_pci(sysfs);
}

static bool has_company(const char *sysfs)
{
	char path[PATH_MAX];
	struct dirent *entry;
	int others = -1;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/iommu_group/devices", sysfs);
	dir = opendir(path);
	if (!dir)
		return false;
	while ((entry = readdir(dir)))
		others += entry->d_name[0] != '.';
	closedir(dir);
	return others > 0;
}

static bool is_virtual(const char *sysfs)
{
	char physical[NAME_MAX + 1];

	read_link(sysfs, "physfn", physical);
	return *physical;
}

static bool has_virtual(const char *sysfs)
{
	return read_number(sysfs, "sriov_numvfs");
}

static bool is_intel_display(const char *sysfs)
{
	return read_number(sysfs, "vendor") == INTEL &&
	       read_number(sysfs, "class") >> 16 == CLASS_DISPLAY;
}

const struct vfio_pci_rule vfio_pci_rules[] = {
	{ is_no_pci, "not-pci", ENOENT, "it is no PCI device", "give the VMM a PCI device instead" },
	{ has_other_driver, "driver", ENOENT, "its driver is not vfio-pci itself",
	  "bind it to vfio-pci rather than to a variant" },
	{ has_company, "group", EOPNOTSUPP, "it is not alone in its IOMMU group",
	  "take a slot that the IOMMU tells apart" },
	{ is_virtual, "virtual", EOPNOTSUPP, "it is a virtual function",
	  "give the VMM a physical function instead" },
	{ has_virtual, "has-virtual", EOPNOTSUPP, "it has virtual functions",
	  "remove them: write 0 to its sriov_numvfs" },
	{ is_intel_display, "intel-display", EOPNOTSUPP, "it is an Intel display",
	  "leave it out; displays are not handed over" },
	{ NULL, NULL, 0, NULL, NULL },
};

bool vfio_pci_group(const char *sysfs, char path[64])
{
	char group[NAME_MAX + 1];

	read_link(sysfs, "iommu_group", group);
	snprintf(path, 64, "/dev/vfio/%.32s", group);
	return *group;
}

bool vfio_pci_find_irq(const char *name, char *irq, size_t size)
{
	char *line = NULL, *at, wanted[64];
	size_t length = 0;
	bool found = false;
	FILE *f = fopen("/proc/interrupts", "re");

	snprintf(wanted, sizeof(wanted), "(%s)", name);
	while (f && !found && getline(&line, &length, f) > 0) {
		at = strstr(line, wanted);
		if (!at)
			continue;
		found = true;
		*at = 0;
		at = strrchr(line, ' ');
		snprintf(irq, size, "%s", at ? at + 1 : line);
	}
	free(line);
	if (f)
		fclose(f);
	return found;
}
