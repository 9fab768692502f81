// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "alias.h"
#include "msg.h"
#include "out.h"

#define ALIGN (2ULL << 20)
/* More than this of real memory is never needed. */
#define MAX_FILE (128ULL << 20)

static __u64 round_up(__u64 value)
{
	return (value + ALIGN - 1) & ~(ALIGN - 1);
}

static bool make_file(struct alias *a)
{
	a->fd = memfd_create("iox-replay", MFD_CLOEXEC);
	if (a->fd >= 0 && !ftruncate(a->fd, (off_t)a->file_size))
		return true;
	msg_errno(errno, "memfd", NULL);
	return false;
}

/* All of it has its page tables before anything is timed. */
static bool map_all(struct alias *a)
{
	char size[OUT_BYTES_LEN], what[64];
	__u64 at, length;

	a->base = mmap(NULL, a->size + ALIGN, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		       -1, 0);
	if (a->base != MAP_FAILED) {
		a->base = (char *)round_up((__u64)a->base);
		for (at = 0; at < a->size; at += length) {
			length = a->size - at < a->file_size ? a->size - at : a->file_size;
			if (mmap(a->base + at, length, PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_FIXED | MAP_POPULATE, a->fd, 0) == MAP_FAILED)
				break;
		}
		if (at >= a->size)
			return true;
	}
	snprintf(what, sizeof(what), "%s of address space", out_bytes(size, a->size));
	msg_errno(errno, what, "the longest mapping of the trace needs as much");
	return false;
}

bool alias_make(struct alias *a, __u64 length)
{
	*a = (struct alias){ .fd = -1 };
	if (length > 1ULL << 46) {
		msg_error("the trace", "has mappings longer than an address space",
			  "leave them out, or take --no-memory");
		return false;
	}
	a->size = round_up(length) + ALIGN;
	a->file_size = a->size < MAX_FILE ? a->size : MAX_FILE;
	if (make_file(a) && map_all(a))
		return true;
	alias_free(a);
	return false;
}

/* The address space goes with the process. */
void alias_free(struct alias *a)
{
	if (a->fd >= 0)
		close(a->fd);
	a->fd = -1;
}

__u64 alias_offset(__u64 addr)
{
	return addr & (ALIGN - 1);
}

void *alias_at(const struct alias *a, __u64 addr)
{
	return a->base + alias_offset(addr);
}

bool alias_in_file(const struct alias *a, __u64 addr, __u64 length)
{
	return length <= a->file_size && alias_offset(addr) <= a->file_size - length;
}
