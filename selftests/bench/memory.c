// SPDX-License-Identifier: GPL-2.0-only
#include <err.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../lib/buffer.h"
#include "bench.h"

static const char * const names[MEMORY_KINDS] = {
	[MEMORY_SMALL] = "small",
	[MEMORY_SCATTERED] = "scattered",
	[MEMORY_THP] = "thp",
	[MEMORY_HUGETLB] = "hugetlb",
	[MEMORY_FILE] = "memfd",
	[MEMORY_FILE_SMALL] = "memfd-4k",
};

const char *memory_name(enum memory_kind kind)
{
	return names[kind];
}

/*
 * Fresh memory often comes in physical order. Touched in an order in which
 * neighbours are far apart, no two of them are contiguous.
 */
static void touch_scattered(char *va, size_t length)
{
	size_t nr = length / PAGE;

	for (size_t i = 0; i < nr; i++)
		va[i * 40503 % nr * PAGE] = 1;
}

static void touch(char *va, size_t length, size_t step)
{
	for (size_t i = 0; i < length; i += step)
		va[i] = 1;
}

static int open_file(size_t length, unsigned int flags)
{
	int fd = memfd_create("bench", MFD_CLOEXEC | flags);

	if (fd < 0 || ftruncate(fd, length) || fallocate(fd, 0, 0, length))
		err(1, "no memfd of %zu bytes", length);
	return fd;
}

static bool uses_pool(enum memory_kind kind)
{
	return kind == MEMORY_HUGETLB || kind == MEMORY_FILE;
}

void memory_open(struct memory *memory, enum memory_kind kind, size_t length)
{
	*memory = (struct memory){ .kind = kind, .length = length, .fd = -1 };

	if (uses_pool(kind) && !buffer_hugetlb_pool(length / HUGE_PAGE))
		err(1, "no pool of huge pages");

	switch (kind) {
	case MEMORY_SMALL:
		memory->va = buffer_small(length);
		touch(memory->va, length, PAGE);
		return;
	case MEMORY_SCATTERED:
		memory->va = buffer_small(length);
		touch_scattered(memory->va, length);
		return;
	case MEMORY_THP:
		memory->va = buffer_alloc(BUFFER_THP, length);
		if (!memory->va)
			errx(1, "no %zu bytes of huge pages", length);
		return;
	case MEMORY_HUGETLB:
		memory->va = mmap(NULL, length, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1,
				  0);
		if (memory->va == MAP_FAILED)
			err(1, "no %zu bytes of hugetlb pages", length);
		touch(memory->va, length, HUGE_PAGE);
		return;
	case MEMORY_FILE:
		memory->fd = open_file(length, MFD_HUGETLB | MFD_HUGE_2MB);
		return;
	case MEMORY_FILE_SMALL:
		memory->fd = open_file(length, 0);
		return;
	case MEMORY_KINDS:
		break;
	}
}

void memory_close(struct memory *memory)
{
	if (memory->va)
		munmap(memory->va, memory->length);
	if (memory->fd >= 0)
		close(memory->fd);
	if (uses_pool(memory->kind))
		buffer_hugetlb_pool(0);
}
