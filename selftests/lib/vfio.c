// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/pci_regs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "iommufd.h"
#include "vfio.h"

#define PCI_DEVICES "/sys/bus/pci/devices"

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

static unsigned long pci_attribute(const char *name, const char *attribute)
{
	char path[PATH_MAX];
	char text[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/%s", name, attribute);
	f = fopen(path, "re");
	if (!f)
		return ULONG_MAX;
	if (!fgets(text, sizeof(text), f))
		text[0] = 0;
	fclose(f);
	return strtoul(text, NULL, 16);
}

int pci_find_nth(unsigned int vendor, unsigned int device, int index,
		 char name[PCI_NAME_SIZE])
{
	struct dirent *entry;
	int err = -ENODEV;
	DIR *dir = opendir(PCI_DEVICES);

	if (!dir)
		return -errno;
	while (err && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' ||
		    pci_attribute(entry->d_name, "vendor") != vendor ||
		    pci_attribute(entry->d_name, "device") != device ||
		    index-- > 0)
			continue;
		snprintf(name, PCI_NAME_SIZE, "%.*s", PCI_NAME_SIZE - 1,
			 entry->d_name);
		err = 0;
	}
	closedir(dir);
	return err;
}

int pci_find(unsigned int vendor, unsigned int device,
	     char name[PCI_NAME_SIZE])
{
	return pci_find_nth(vendor, device, 0, name);
}

/* Returns the bare name of the driver, "" if there is none. */
static void pci_driver(const char *name, char *driver, size_t size)
{
	char path[PATH_MAX], target[PATH_MAX];
	ssize_t length;
	char *slash;

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/driver", name);
	length = readlink(path, target, sizeof(target) - 1);
	target[length < 0 ? 0 : length] = 0;
	slash = strrchr(target, '/');
	snprintf(driver, size, "%.*s", (int)size - 1,
		 slash ? slash + 1 : target);
}

int vfio_pci_claim(const char *name)
{
	char path[PATH_MAX], driver[64];
	int err;

	pci_driver(name, driver, sizeof(driver));
	if (!strcmp(driver, "vfio-pci"))
		return 0;

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/driver_override", name);
	err = write_text(path, "vfio-pci");
	if (err)
		return err;
	if (driver[0]) {
		snprintf(path, sizeof(path), PCI_DEVICES "/%s/driver/unbind",
			 name);
		err = write_text(path, name);
		if (err)
			return err;
	}
	err = write_text("/sys/bus/pci/drivers_probe", name);
	if (err)
		return err;
	pci_driver(name, driver, sizeof(driver));
	return strcmp(driver, "vfio-pci") ? -ENXIO : 0;
}

int vfio_open(const char *name)
{
	char path[PATH_MAX];
	struct dirent *entry;
	int fd = -ENODEV;
	DIR *dir;

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/vfio-dev", name);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while (fd == -ENODEV && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, "vfio", 4))
			continue;
		snprintf(path, sizeof(path), "/dev/vfio/devices/%s",
			 entry->d_name);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			fd = -errno;
	}
	closedir(dir);
	return fd;
}

int vfio_group_open(const char *name)
{
	char path[PATH_MAX], target[PATH_MAX];
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/iommu_group", name);
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		return -errno;
	target[length] = 0;
	snprintf(path, sizeof(path), "/dev/vfio%s", strrchr(target, '/'));
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int vfio_bind(int device_fd, int iommufd, __u32 *device_id)
{
	struct vfio_device_bind_iommufd cmd = {
		.argsz = sizeof(cmd),
		.iommufd = iommufd,
	};
	int err = xioctl(device_fd, VFIO_DEVICE_BIND_IOMMUFD, &cmd);

	if (!err)
		*device_id = cmd.out_devid;
	return err;
}

int vfio_attach(int device_fd, __u32 *pt_id)
{
	struct vfio_device_attach_iommufd_pt cmd = {
		.argsz = sizeof(cmd),
		.pt_id = *pt_id,
	};
	int err = xioctl(device_fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &cmd);

	if (!err)
		*pt_id = cmd.pt_id;
	return err;
}

int vfio_attach_ioas(int device_fd, __u32 ioas)
{
	return vfio_attach(device_fd, &ioas);
}

int vfio_detach(int device_fd)
{
	struct vfio_device_detach_iommufd_pt cmd = { .argsz = sizeof(cmd) };

	return xioctl(device_fd, VFIO_DEVICE_DETACH_IOMMUFD_PT, &cmd);
}

int vfio_region_info(int device_fd, __u32 index,
		     struct vfio_region_info *info)
{
	*info = (struct vfio_region_info){
		.argsz = sizeof(*info),
		.index = index,
	};
	return xioctl(device_fd, VFIO_DEVICE_GET_REGION_INFO, info);
}

int vfio_map_bar(int device_fd, __u32 index, void **bar, size_t *length)
{
	struct vfio_region_info info;
	int err = vfio_region_info(device_fd, index, &info);

	if (err)
		return err;
	if (!(info.flags & VFIO_REGION_INFO_FLAG_MMAP))
		return -EOPNOTSUPP;
	*bar = mmap(NULL, info.size, PROT_READ | PROT_WRITE, MAP_SHARED,
		    device_fd, info.offset);
	if (*bar == MAP_FAILED)
		return -errno;
	*length = info.size;
	return 0;
}

/* Where the command register is in the device file, or a negative errno. */
static off_t command_place(int device_fd)
{
	struct vfio_region_info info;
	int err;

	err = vfio_region_info(device_fd, VFIO_PCI_CONFIG_REGION_INDEX, &info);
	return err ?: (off_t)info.offset + PCI_COMMAND;
}

int vfio_pci_command(int device_fd, __u16 *command)
{
	off_t at = command_place(device_fd);

	if (at < 0)
		return at;
	if (pread(device_fd, command, sizeof(*command), at) != sizeof(*command))
		return -EIO;
	return 0;
}

int vfio_bus_master(int device_fd, bool on)
{
	off_t at = command_place(device_fd);
	__u16 command;
	int err;

	err = vfio_pci_command(device_fd, &command);
	if (err)
		return err;
	if (on)
		command |= PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY;
	else
		command &= ~PCI_COMMAND_MASTER;
	if (pwrite(device_fd, &command, sizeof(command), at) != sizeof(command))
		return -EIO;
	return 0;
}
