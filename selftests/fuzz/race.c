// SPDX-License-Identifier: GPL-2.0-only
/* Two threads that do the same thing, or opposite ones, at the same moment. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vandal.h"

#define AT (APERTURE_FIRST + 0x40000)
#define TO (APERTURE_FIRST + 0x80000)
#define LENGTH (8 * PAGE)

struct duel;
typedef int (*stroke)(struct duel *duel);

struct duel {
	struct vandal *vandal;
	int fd;
	int access;
	__u32 ioas;
	__u32 victim;		/* an IOAS that is destroyed */
	__u32 stdev;
	__u32 hwpt;
	__u8 *buffer;
	__u8 bytes[LENGTH];
	__u64 unmapped;
	stroke second;		/* what the other thread does next */
	int second_rc;
	pthread_barrier_t barrier;
	char wrong[160];
};

/* --- strokes ---------------------------------------------------------------------------- */

static int map_it(struct duel *duel)
{
	return ioas_map_fixed(duel->fd, duel->ioas, duel->buffer, LENGTH, AT);
}

static int unmap_it(struct duel *duel)
{
	return ioas_unmap(duel->fd, duel->ioas, AT, LENGTH);
}

static int unmap_whatever(struct duel *duel)
{
	duel->unmapped = UINT64_MAX;
	return ioas_unmap_count(duel->fd, duel->ioas, 0, &duel->unmapped);
}

static int destroy_it(struct duel *duel)
{
	return iommufd_destroy(duel->fd, duel->victim);
}

static int attach_it(struct duel *duel)
{
	return mock_attach(duel->fd, duel->ioas, &duel->stdev, &duel->hwpt);
}

static int detach_it(struct duel *duel)
{
	return iommufd_destroy(duel->fd, duel->stdev);
}

static int copy_it(struct duel *duel)
{
	struct iommu_ioas_copy cmd = {
		.size = sizeof(cmd),
		.flags = MAP_RW | IOMMU_IOAS_MAP_FIXED_IOVA,
		.dst_ioas_id = duel->ioas,
		.src_ioas_id = duel->ioas,
		.length = LENGTH,
		.dst_iova = TO,
		.src_iova = AT,
	};

	return xioctl(duel->fd, IOMMU_IOAS_COPY, &cmd);
}

static int read_at(struct duel *duel, __u64 iova)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_ACCESS_RW,
		.id = duel->access,
		.access_rw = { .iova = iova, .length = LENGTH,
			       .uptr = (uintptr_t)duel->bytes },
	};

	memset(duel->bytes, 0, LENGTH);
	return xioctl(duel->fd, IOMMU_TEST_CMD, &cmd);
}

static int read_it(struct duel *duel)
{
	return read_at(duel, AT);
}

static int pin_it(struct duel *duel)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_ACCESS_PAGES,
		.id = duel->access,
		.access_pages = { .iova = AT, .length = LENGTH,
				  .uptr = (uintptr_t)duel->buffer },
	};

	return xioctl(duel->fd, IOMMU_TEST_CMD, &cmd);
}

/* --- duels ------------------------------------------------------------------------------- */

static void *second_thread(void *arg)
{
	struct duel *duel = arg;

	for (;;) {
		pthread_barrier_wait(&duel->barrier);
		if (!duel->second)
			return NULL;
		duel->second_rc = duel->second(duel);
		pthread_barrier_wait(&duel->barrier);
	}
}

/* Both at once; what they returned */
static int fight(struct duel *duel, stroke first, stroke second)
{
	int rc;

	duel->second = second;
	pthread_barrier_wait(&duel->barrier);
	rc = first(duel);
	pthread_barrier_wait(&duel->barrier);
	return rc;
}

static bool expect(struct duel *duel, bool right, const char *what, int rc)
{
	if (!right && !duel->wrong[0])
		snprintf(duel->wrong, sizeof(duel->wrong),
			 "%s: the two threads got %d and %d", what, rc,
			 duel->second_rc);
	return right;
}

/* One of the two has to win, and the other has to fail with @err. */
static bool one_wins(struct duel *duel, stroke both, int err, const char *what)
{
	int rc = fight(duel, both, both);

	return expect(duel, (!rc && duel->second_rc == -err) ||
			    (rc == -err && !duel->second_rc), what, rc);
}

static bool both_win(struct duel *duel, stroke first, stroke second,
		     const char *what)
{
	int rc = fight(duel, first, second);

	return expect(duel, !rc && !duel->second_rc, what, rc);
}

static bool works(struct duel *duel, stroke stroke, const char *what)
{
	int rc = stroke(duel);

	duel->second_rc = 0;
	return expect(duel, !rc, what, rc);
}

static bool holds_bytes(struct duel *duel, const char *what)
{
	return expect(duel, !memcmp(duel->bytes, duel->buffer, LENGTH), what,
		      0);
}

static bool same_range(struct duel *duel)
{
	return one_wins(duel, map_it, EEXIST, "map of the same range") &&
	       one_wins(duel, unmap_it, ENOENT, "unmap of the same range");
}

static bool same_object(struct duel *duel)
{
	int rc = ioas_alloc(duel->fd, &duel->victim);

	return expect(duel, !rc, "ioas alloc", rc) &&
	       one_wins(duel, destroy_it, ENOENT, "destroy of the same IOAS");
}

static bool map_and_unmap_all(struct duel *duel)
{
	__u64 bytes;

	if (!both_win(duel, map_it, unmap_whatever, "map against unmap all"))
		return false;
	bytes = duel->unmapped;
	return works(duel, unmap_whatever, "unmap all") &&
	       expect(duel, bytes + duel->unmapped == LENGTH,
		      "bytes unmapped", bytes);
}

static bool map_and_attach(struct duel *duel)
{
	return both_win(duel, map_it, attach_it, "map against attach") &&
	       expect(duel, !mock_check_map(duel->fd, duel->hwpt, AT,
					    duel->buffer, LENGTH),
		      "page table after map against attach", 0) &&
	       both_win(duel, unmap_it, detach_it, "unmap against detach");
}

static bool read_and_unmap(struct duel *duel)
{
	int rc;

	if (!works(duel, map_it, "map"))
		return false;
	rc = fight(duel, read_it, unmap_it);
	return expect(duel, (!rc || rc == -ENOENT) && !duel->second_rc,
		      "read against unmap", rc) &&
	       (rc || holds_bytes(duel, "bytes of read against unmap"));
}

/* Whoever is later, nothing is held and nothing is mapped in the end. */
static bool pin_and_unmap(struct duel *duel)
{
	int rc;

	if (!works(duel, map_it, "map"))
		return false;
	rc = fight(duel, pin_it, unmap_it);
	return expect(duel, (!rc || rc == -ENOENT) && !duel->second_rc,
		      "pin against unmap", rc);
}

static bool copy_and_unmap(struct duel *duel)
{
	int rc;

	if (!works(duel, map_it, "map"))
		return false;
	rc = fight(duel, copy_it, unmap_it);
	if (!expect(duel, (!rc || rc == -ENOENT) && !duel->second_rc,
		    "copy against unmap", rc))
		return false;
	if (rc)
		return true;
	return expect(duel, !read_at(duel, TO), "read of the copy", 0) &&
	       holds_bytes(duel, "bytes of a copy") &&
	       works(duel, unmap_whatever, "unmap all");
}

static bool prepare(struct duel *duel)
{
	/* Its own context: elsewhere a destroyed id is soon another's. */
	duel->fd = iommufd_open();
	duel->buffer = buffer_small(LENGTH);
	buffer_fill(duel->buffer, LENGTH, 1);
	if (ioas_alloc(duel->fd, &duel->ioas))
		return false;
	duel->access = mock_access(duel->fd, duel->ioas, true);
	return duel->access >= 0;
}

static bool clean_up(struct duel *duel)
{
	int rc = unmap_whatever(duel);

	pthread_mutex_lock(&duel->vandal->common->fork_lock);
	close(duel->access);
	rc = rc ?: iommufd_destroy(duel->fd, duel->ioas);
	close(duel->fd);
	pthread_mutex_unlock(&duel->vandal->common->fork_lock);
	munmap(duel->buffer, LENGTH);
	return expect(duel, !rc, "destroy of the IOAS at the end", rc);
}

void *vandal_race(void *arg)
{
	static bool (*const duels[])(struct duel *duel) = {
		same_range, same_object, map_and_unmap_all, map_and_attach,
		read_and_unmap, pin_and_unmap, copy_and_unmap,
	};
	struct duel *duel = calloc(1, sizeof(*duel));
	struct vandal *vandal = arg;
	pthread_t second;
	bool fine = true;

	duel->vandal = vandal;
	pthread_barrier_init(&duel->barrier, NULL, 2);
	if (!prepare(duel))
		return "the racers cannot begin";
	pthread_create(&second, NULL, second_thread, duel);
	for (unsigned int i = 0; fine && !vandal->stop; i++)
		fine = duels[i % ARRAY_SIZE(duels)](duel);
	duel->second = NULL;
	pthread_barrier_wait(&duel->barrier);
	pthread_join(second, NULL);
	pthread_barrier_destroy(&duel->barrier);
	if (fine && clean_up(duel)) {
		free(duel);
		return NULL;
	}
	return duel->wrong;
}
