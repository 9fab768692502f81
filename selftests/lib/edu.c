// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "edu.h"
#include "iommufd.h"
#include "kmsg.h"

#define EDU_VENDOR 0x1234
#define EDU_DEVICE 0x11e8
#define EDU_BUFFER 0x40000ULL	/* where the DMA engine sees its buffer */

enum edu_register {
	EDU_DMA_FROM = 0x80,
	EDU_DMA_TO = 0x88,
	EDU_DMA_LENGTH = 0x90,
	EDU_DMA_COMMAND = 0x98,
};

#define EDU_DMA_START 0x1ULL
#define EDU_DMA_TO_MEMORY 0x2ULL

#define POLL_NS 2000000
#define POLL_LIMIT 5000
#define FAULT_MS 2000

static volatile __u64 *edu_reg(struct edu *edu, enum edu_register reg)
{
	return (volatile __u64 *)((char *)edu->bar + reg);
}

static int find(bool iommu, int index, char name[PCI_NAME_SIZE])
{
	int err;

	for (int nth = 0;; nth++) {
		err = pci_find_nth(EDU_VENDOR, EDU_DEVICE, nth, name);
		if (err || (pci_has_iommu(name) == iommu && !index--))
			return err;
	}
}

int edu_find(int index, char name[PCI_NAME_SIZE])
{
	return find(true, index, name);
}

int edu_find_noiommu(char name[PCI_NAME_SIZE])
{
	return find(false, 0, name);
}

int edu_open_name(struct edu *edu, const char *name)
{
	int err;

	*edu = (struct edu){ .fd = -1 };
	snprintf(edu->name, sizeof(edu->name), "%s", name);
	err = vfio_pci_claim(edu->name);
	if (err)
		return err;
	edu->fd = vfio_open(edu->name);
	return edu->fd < 0 ? edu->fd : 0;
}

int edu_open(struct edu *edu)
{
	char name[PCI_NAME_SIZE];
	int err;

	*edu = (struct edu){ .fd = -1 };
	err = edu_find(0, name);
	return err ?: edu_open_name(edu, name);
}

int edu_map_bar(struct edu *edu)
{
	int err;

	err = vfio_map_bar(edu->fd, VFIO_PCI_BAR0_REGION_INDEX, &edu->bar,
			   &edu->bar_size);
	if (err) {
		edu->bar = NULL;
		return err;
	}
	return vfio_bus_master(edu->fd, true);
}

int edu_start(struct edu *edu, int iommufd)
{
	return vfio_bind(edu->fd, iommufd, &edu->id) ?: edu_map_bar(edu);
}

int edu_bind_new(struct edu *edu, int *iommufd, __u32 *ioas)
{
	int err;

	*edu = (struct edu){ .fd = -1 };
	*iommufd = iommufd_open();
	if (*iommufd < 0)
		return *iommufd;
	err = ioas_alloc(*iommufd, ioas);
	if (!err)
		err = edu_open(edu);
	if (!err)
		err = edu_start(edu, *iommufd);
	return err;
}

int edu_setup(struct edu *edu, int iommufd, __u32 ioas)
{
	int err = edu_open(edu);

	if (!err)
		err = edu_start(edu, iommufd);
	if (!err)
		err = vfio_attach_ioas(edu->fd, ioas);
	return err;
}

void edu_unmap_bar(struct edu *edu)
{
	if (edu->bar)
		munmap(edu->bar, edu->bar_size);
	edu->bar = NULL;
}

void edu_close(struct edu *edu)
{
	edu_unmap_bar(edu);
	if (edu->fd >= 0)
		close(edu->fd);
	edu->fd = -1;
}

static int edu_transfer(struct edu *edu, __u64 from, __u64 to, size_t length,
			__u64 command)
{
	const struct timespec nap = { .tv_nsec = POLL_NS };

	*edu_reg(edu, EDU_DMA_FROM) = from;
	*edu_reg(edu, EDU_DMA_TO) = to;
	*edu_reg(edu, EDU_DMA_LENGTH) = length;
	*edu_reg(edu, EDU_DMA_COMMAND) = command | EDU_DMA_START;
	for (int i = 0; i < POLL_LIMIT; i++) {
		if (!(*edu_reg(edu, EDU_DMA_COMMAND) & EDU_DMA_START))
			return 0;
		nanosleep(&nap, NULL);
	}
	return -ETIMEDOUT;
}

int edu_load(struct edu *edu, __u64 iova, size_t offset, size_t length)
{
	if (offset + length > EDU_CHUNK)
		return -EINVAL;
	return edu_transfer(edu, iova, EDU_BUFFER + offset, length, 0);
}

int edu_store(struct edu *edu, __u64 iova, size_t offset, size_t length)
{
	if (offset + length > EDU_CHUNK)
		return -EINVAL;
	return edu_transfer(edu, EDU_BUFFER + offset, iova, length,
			    EDU_DMA_TO_MEMORY);
}

int edu_copy(struct edu *edu, __u64 to, __u64 from, size_t length)
{
	size_t chunk;
	int err = 0;

	for (; length && !err; length -= chunk, to += chunk, from += chunk) {
		chunk = length < EDU_CHUNK ? length : EDU_CHUNK;
		err = edu_load(edu, from, 0, chunk);
		if (!err)
			err = edu_store(edu, to, 0, chunk);
	}
	return err;
}

/* The registers of a device that nobody has open */
static int open_sysfs_bar(struct edu *edu, const char *name)
{
	char path[128];
	int fd;

	*edu = (struct edu){ .fd = -1, .bar_size = 4096 };
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource0", name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	edu->bar = mmap(NULL, edu->bar_size, PROT_READ | PROT_WRITE, MAP_SHARED,
			fd, 0);
	close(fd);
	if (edu->bar != MAP_FAILED)
		return 0;
	edu->bar = NULL;
	return -errno;
}

int edu_check_blocked(const char *name, __u64 iova)
{
	char needle[64], text[256];
	int kmsg = kmsg_open();
	struct edu edu;
	int err;

	if (kmsg < 0)
		return kmsg;
	snprintf(needle, sizeof(needle), "Request device [%s]", name);
	printf("# provoked: %s\n", name);
	err = open_sysfs_bar(&edu, name);
	err = err ?: pci_force_master(name);
	err = err ?: edu_load(&edu, iova, 0, EDU_CHUNK);
	err = err ?: kmsg_wait(kmsg, needle, FAULT_MS, text, sizeof(text));
	edu_close(&edu);
	close(kmsg);
	return err;
}
