// SPDX-License-Identifier: GPL-2.0-only
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "buffer.h"

#define HUGEPAGES_POOL \
	"/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"

static size_t round_up(size_t length, size_t unit)
{
	return (length + unit - 1) / unit * unit;
}

static void *map_anonymous(size_t length, int flags)
{
	void *p = mmap(NULL, length, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void *buffer_small(size_t length)
{
	void *p = map_anonymous(round_up(length, PAGE), 0);

	if (!p)
		err(1, "no memory for a buffer of %zu bytes", length);
	madvise(p, round_up(length, PAGE), MADV_NOHUGEPAGE);
	return p;
}

/* Does the kernel back the 2 MiB at @p by one huge page? */
static bool is_huge(const void *p)
{
	unsigned long first, last, kb = 0;
	bool inside = false;
	char line[512];
	FILE *f = fopen("/proc/self/smaps", "re");

	if (!f)
		return false;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &first, &last) == 2)
			inside = first <= (uintptr_t)p && (uintptr_t)p < last;
		if (inside && sscanf(line, "AnonHugePages: %lu", &kb) == 1)
			break;
	}
	fclose(f);
	return kb >= HUGE_PAGE / 1024;
}

static void *buffer_thp(size_t length)
{
	size_t room = round_up(length, HUGE_PAGE) + HUGE_PAGE;
	char *p = map_anonymous(room, MAP_NORESERVE);
	char *start;

	if (!p)
		return NULL;
	start = (char *)round_up((uintptr_t)p, HUGE_PAGE);
	length = round_up(length, HUGE_PAGE);
	if (start > p)
		munmap(p, start - p);
	if (p + room > start + length)
		munmap(start + length, p + room - start - length);
	madvise(start, length, MADV_HUGEPAGE);
	for (size_t i = 0; i < length; i += HUGE_PAGE)
		start[i] = 1;
	if (is_huge(start))
		return start;
	munmap(start, length);
	return NULL;
}

bool buffer_hugetlb_pool(size_t pages)
{
	FILE *f = fopen(HUGEPAGES_POOL, "we");

	if (!f)
		return false;
	fprintf(f, "%zu\n", pages);
	return !fclose(f);
}

/* Two pages more than asked for, since a test may hold two buffers. */
static void *buffer_hugetlb(size_t length)
{
	length = round_up(length, HUGE_PAGE);
	if (!buffer_hugetlb_pool(length / HUGE_PAGE + 2))
		return NULL;
	return map_anonymous(length, MAP_HUGETLB);
}

static void *buffer_memfd(size_t length)
{
	int fd = memfd_create("buffer", MFD_CLOEXEC);
	void *p;

	if (fd < 0)
		return NULL;
	p = ftruncate(fd, length) ? MAP_FAILED :
		mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return p == MAP_FAILED ? NULL : p;
}

void *buffer_alloc(enum buffer_kind kind, size_t length)
{
	switch (kind) {
	case BUFFER_THP:
		return buffer_thp(length);
	case BUFFER_HUGETLB:
		return buffer_hugetlb(length);
	case BUFFER_MEMFD:
		return buffer_memfd(round_up(length, PAGE));
	case BUFFER_SMALL:
		break;
	}
	return buffer_small(length);
}

void buffer_free(enum buffer_kind kind, void *buffer, size_t length)
{
	bool huge = kind == BUFFER_THP || kind == BUFFER_HUGETLB;

	if (buffer)
		munmap(buffer, round_up(length, huge ? HUGE_PAGE : PAGE));
}

/* One step of a 32-bit xorshift generator: never 0 for a state that is not. */
static __u32 next_random(__u32 state)
{
	state ^= state << 13;
	state ^= state >> 17;
	return state ^ state << 5;
}

static __u32 first_random(__u32 seed)
{
	return next_random(seed * 2654435761U | 1);
}

void buffer_fill(void *buffer, size_t length, __u32 seed)
{
	__u32 state = first_random(seed);
	__u8 *p = buffer;

	for (size_t i = 0; i < length; i++, state = next_random(state))
		p[i] = state >> 8;
}

bool buffer_holds(const void *buffer, size_t length, __u32 seed)
{
	__u32 state = first_random(seed);
	const __u8 *p = buffer;

	for (size_t i = 0; i < length; i++, state = next_random(state))
		if (p[i] != (__u8)(state >> 8))
			return false;
	return true;
}
