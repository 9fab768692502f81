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
#define UNSAFE_NOIOMMU \
	"/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"

int sysfs_write(const char *path, const char *text)
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

int pci_write(const char *name, const char *attribute, const char *text)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/%s", name, attribute);
	return sysfs_write(path, text);
}

int pci_rescan(void)
{
	return sysfs_write("/sys/bus/pci/rescan", "1");
}

bool pci_exists(const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), PCI_DEVICES "/%s", name);
	return !access(path, F_OK);
}

bool pci_has_iommu(const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/iommu", name);
	return !access(path, F_OK);
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

static int open_config(const char *name)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/config", name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int pci_check_master(const char *name, bool wanted)
{
	int fd = open_config(name);
	__u16 command;
	ssize_t got;

	if (fd < 0)
		return fd;
	got = pread(fd, &command, sizeof(command), PCI_COMMAND);
	close(fd);
	if (got != sizeof(command))
		return -EIO;
	return !!(command & PCI_COMMAND_MASTER) == wanted ? 0 : -EPROTO;
}

int pci_force_master(const char *name)
{
	const __u16 command = PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY;
	int fd = open_config(name);
	ssize_t put;

	if (fd < 0)
		return fd;
	put = pwrite(fd, &command, sizeof(command), PCI_COMMAND);
	close(fd);
	return put == sizeof(command) ? 0 : -EIO;
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
	char driver[64];
	int err;

	pci_driver(name, driver, sizeof(driver));
	if (!strcmp(driver, "vfio-pci"))
		return 0;

	err = pci_write(name, "driver_override", "vfio-pci");
	if (err)
		return err;
	if (driver[0]) {
		err = pci_write(name, "driver/unbind", name);
		if (err)
			return err;
	}
	err = sysfs_write("/sys/bus/pci/drivers_probe", name);
	if (err)
		return err;
	/* It is this one time: a module loaded later does not get the device. */
	err = pci_write(name, "driver_override", "\n");
	if (err)
		return err;
	pci_driver(name, driver, sizeof(driver));
	return strcmp(driver, "vfio-pci") ? -ENXIO : 0;
}

bool vfio_knows_noiommu(void)
{
	return !access(UNSAFE_NOIOMMU, F_OK);
}

int vfio_allow_noiommu(void)
{
	return sysfs_write(UNSAFE_NOIOMMU, "1");
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
		/* "vfioN", or "noiommu-vfioN" */
		if (!strstr(entry->d_name, "vfio"))
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

/* The only interrupt of its kind, or its first one */
static int trigger(int device_fd, __u32 index, int eventfd)
{
	struct {
		struct vfio_irq_set set;
		__s32 fd;
	} cmd = {
		.set = {
			.argsz = sizeof(cmd),
			.flags = VFIO_IRQ_SET_DATA_EVENTFD |
				 VFIO_IRQ_SET_ACTION_TRIGGER,
			.index = index,
			.count = 1,
		},
		.fd = eventfd,
	};

	return xioctl(device_fd, VFIO_DEVICE_SET_IRQS, &cmd);
}

int vfio_on_request(int device_fd, int eventfd)
{
	return trigger(device_fd, VFIO_PCI_REQ_IRQ_INDEX, eventfd);
}

int vfio_msi_on(int device_fd, int eventfd)
{
	return trigger(device_fd, VFIO_PCI_MSI_IRQ_INDEX, eventfd);
}

int vfio_msi_off(int device_fd)
{
	struct vfio_irq_set set = {
		.argsz = sizeof(set),
		.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = VFIO_PCI_MSI_IRQ_INDEX,
	};

	return xioctl(device_fd, VFIO_DEVICE_SET_IRQS, &set);
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

static int change_command(int device_fd, __u16 set, __u16 clear)
{
	off_t at = command_place(device_fd);
	__u16 command;
	int err;

	err = vfio_pci_command(device_fd, &command);
	if (err)
		return err;
	command = (command | set) & ~clear;
	if (pwrite(device_fd, &command, sizeof(command), at) != sizeof(command))
		return -EIO;
	return 0;
}

int vfio_bus_master(int device_fd, bool on)
{
	if (on)
		return change_command(device_fd,
				      PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY,
				      0);
	return change_command(device_fd, 0, PCI_COMMAND_MASTER);
}

int vfio_memory(int device_fd, bool on)
{
	return change_command(device_fd, on ? PCI_COMMAND_MEMORY : 0,
			      on ? 0 : PCI_COMMAND_MEMORY);
}

int vfio_dmabuf(int device_fd, __u32 index, __u64 offset, __u64 length)
{
	struct {
		struct vfio_device_feature feature;
		struct vfio_device_feature_dma_buf get;
		struct vfio_region_dma_range range;
	} cmd = {
		.feature = {
			.argsz = sizeof(cmd),
			.flags = VFIO_DEVICE_FEATURE_GET |
				 VFIO_DEVICE_FEATURE_DMA_BUF,
		},
		.get = {
			.region_index = index,
			.open_flags = O_RDWR | O_CLOEXEC,
			.nr_ranges = 1,
		},
		.range = { .offset = offset, .length = length },
	};
	int fd = ioctl(device_fd, VFIO_DEVICE_FEATURE, &cmd);

	return fd < 0 ? -errno : fd;
}
