// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "buffer.h"
#include "iommufd.h"
#include "nth.h"
#include "world.h"

#define FAULTS_MAX 1000
#define RANGES_MAX 16
#define PINS_MAX 64
#define NR_PROBES 4
#define NR_PAGES 4

/* --- the world ---------------------------------------------------------------- */

void world_own_id(struct world *w, __u32 id)
{
	w->ids[w->nr_ids++] = id;
}

void world_own_file(struct world *w, int file)
{
	w->files[w->nr_files++] = file;
}

static int open_memory(struct world *w)
{
	static char *buffer, *shared;
	static int memfd;

	/* Lasts as long as the process: all of it is there, nothing is faulted in. */
	if (!buffer) {
		buffer = buffer_small(WORLD_BUFFER);
		memfd = memfd_create("world", MFD_CLOEXEC);
		if (memfd < 0 || ftruncate(memfd, WORLD_BUFFER))
			return -ENOMEM;
		shared = mmap(NULL, WORLD_BUFFER, PROT_READ | PROT_WRITE,
			      MAP_SHARED, memfd, 0);
		if (shared == MAP_FAILED)
			return -ENOMEM;
		buffer_fill(buffer, WORLD_BUFFER, 1);
		buffer_fill(shared, WORLD_BUFFER, 2);
	}
	w->buffer = buffer;
	w->shared = shared;
	w->memfd = memfd;
	return 0;
}

static int open_mock(struct world *w)
{
	return ioas_alloc(w->fd, &w->ioas) ?:
	       ioas_alloc(w->fd, &w->other) ?:
	       ioas_map_fixed(w->fd, w->ioas, w->buffer, WORLD_LENGTH,
			      WORLD_AT) ?:
	       mock_plug(w->fd, w->ioas, MOCK_FLAGS_DEVICE_PASID, &w->mock);
}

static int open_edu(struct world *w)
{
	return ioas_alloc(w->fd, &w->ioas) ?:
	       ioas_alloc(w->fd, &w->other) ?:
	       ioas_map_fixed(w->fd, w->ioas, w->buffer, WORLD_LENGTH,
			      WORLD_AT) ?:
	       edu_open(&w->edu);
}

static int world_open(struct world *w, const struct world_case *c)
{
	int err;

	*w = (struct world){ .edu = { .fd = -1 }, .file = -1 };
	err = open_memory(w);
	if (err)
		return err;
	w->fd = iommufd_open();
	if (w->fd < 0)
		return w->fd;
	if (c->kind == WORLD_MOCK)
		err = open_mock(w);
	else if (c->kind == WORLD_EDU)
		err = open_edu(w);
	if (!err)
		err = ioas_alloc(w->fd, &w->probe);
	return err ?: c->prepare ? c->prepare(w) : 0;
}

static int destroy_if(struct world *w, __u32 id)
{
	return id ? iommufd_destroy(w->fd, id) : 0;
}

/* In this order all of it can be destroyed, or something is used still. */
static int world_close(struct world *w)
{
	int err = 0;

	while (w->nr_files && !err)
		err = close(w->files[--w->nr_files]) ? -errno : 0;
	edu_close(&w->edu);
	while (w->nr_ids && !err)
		err = iommufd_destroy(w->fd, w->ids[--w->nr_ids]);
	if (!err)
		err = destroy_if(w, w->mock.stdev);
	if (!err)
		err = destroy_if(w, w->other);
	if (!err)
		err = destroy_if(w, w->ioas);
	if (!err)
		err = destroy_if(w, w->probe);
	if (w->fd >= 0 && close(w->fd) && !err)
		err = -errno;
	return err;
}

/* --- its state ------------------------------------------------------------------ */

struct ranges {
	struct iommu_iova_range range[RANGES_MAX];
	__u64 align;
	__u32 nr;
	int err;
};

struct state {
	__u32 next_id;		/* of the objects: lower ones are taken */
	int next_fd;
	int probes[NR_PROBES];	/* 0 mapped, -ENOENT not mapped */
	int pins[NR_PAGES];
	int attached;		/* 0 the mock device to its HWPT */
	int pasid;
	__u64 rlimit_mode, huge_pages;
	struct ranges ioas, other;
};

static void read_ranges(struct world *w, __u32 ioas, struct ranges *ranges)
{
	memset(ranges, 0, sizeof(*ranges));
	if (!ioas)
		return;
	ranges->nr = RANGES_MAX;
	ranges->err = ioas_ranges(w->fd, ioas, ranges->range, &ranges->nr,
				  &ranges->align);
}

/* Is there anything at this IOVA? What cannot be copied is not there. */
static int probe(struct world *w, __u32 ioas, __u64 iova)
{
	struct iommu_ioas_copy cmd = {
		.size = sizeof(cmd),
		.flags = IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_FIXED_IOVA,
		.dst_ioas_id = w->probe,
		.src_ioas_id = ioas,
		.length = PAGE,
		.dst_iova = WORLD_AT,
		.src_iova = iova,
	};

	if (!ioas)
		return 0;
	return xioctl(w->fd, IOMMU_IOAS_COPY, &cmd) ?:
	       ioas_unmap(w->fd, w->probe, WORLD_AT, PAGE);
}

/* How often a page is pinned */
static int count_pins(struct world *w, const char *page)
{
	for (int pins = 0; pins < PINS_MAX; pins++)
		if (!mock_check_pins(w->fd, page, PAGE, pins))
			return pins;
	return -1;
}

static __u64 read_option(struct world *w, __u32 id, __u32 option)
{
	struct iommu_option cmd = {
		.size = sizeof(cmd),
		.option_id = option,
		.op = IOMMU_OPTION_OP_GET,
		.object_id = id,
	};

	return xioctl(w->fd, IOMMU_OPTION, &cmd) ? ~0ULL : cmd.val64;
}

static int next_id(struct world *w, __u32 *id)
{
	return ioas_alloc(w->fd, id) ?: iommufd_destroy(w->fd, *id);
}

static int next_fd(void)
{
	int fd = dup(STDIN_FILENO);

	close(fd);
	return fd;
}

static int state_take(struct world *w, struct state *s)
{
	memset(s, 0, sizeof(*s));
	s->next_fd = next_fd();
	if (w->fd < 0)
		return 0;
	s->probes[0] = probe(w, w->ioas, WORLD_AT);
	s->probes[1] = probe(w, w->ioas, WORLD_TO);
	s->probes[2] = probe(w, w->other, WORLD_AT);
	s->probes[3] = probe(w, w->other, WORLD_TO);
	s->pins[0] = count_pins(w, w->buffer);
	s->pins[1] = count_pins(w, w->buffer + WORLD_FREE);
	s->pins[2] = count_pins(w, w->shared);
	s->pins[3] = count_pins(w, w->shared + WORLD_FREE);
	if (w->mock.stdev) {
		s->attached = mock_pasid_check(w->fd, w->mock.stdev, 0,
					       w->mock.hwpt);
		s->pasid = mock_pasid_check(w->fd, w->mock.stdev, 1, 0);
	}
	s->rlimit_mode = read_option(w, 0, IOMMU_OPTION_RLIMIT_MODE);
	if (w->other)
		s->huge_pages = read_option(w, w->other,
					    IOMMU_OPTION_HUGE_PAGES);
	read_ranges(w, w->ioas, &s->ioas);
	read_ranges(w, w->other, &s->other);
	return next_id(w, &s->next_id);
}

static const char *differs(const struct state *a, const struct state *b)
{
	if (a->next_id != b->next_id)
		return "an id is left";
	if (a->next_fd != b->next_fd)
		return "a file descriptor is left";
	if (memcmp(a->probes, b->probes, sizeof(a->probes)))
		return "other IOVAs are mapped";
	if (memcmp(a->pins, b->pins, sizeof(a->pins)))
		return "other pages are pinned";
	if (a->attached != b->attached || a->pasid != b->pasid)
		return "the device is attached elsewhere";
	if (a->rlimit_mode != b->rlimit_mode || a->huge_pages != b->huge_pages)
		return "an option has changed";
	if (memcmp(&a->ioas, &b->ioas, sizeof(a->ioas)) ||
	    memcmp(&a->other, &b->other, sizeof(a->other)))
		return "the usable ranges have changed";
	return NULL;
}

/* --- a call in it ---------------------------------------------------------------- */

static const char *say(unsigned int nth, const char *what, int err)
{
	static char text[256];

	snprintf(text, sizeof(text), "fault %u: %s (%s)", nth, what,
		 strerror(-err));
	return text;
}

static bool lawful(const struct world_case *c, int err)
{
	if (c->never_fails)
		return err == -EFAULT;
	return err == -ENOMEM || err == -EFAULT || (c->also && err == -c->also);
}

static int check(struct world *w, const struct world_case *c)
{
	return c->check ? c->check(w) : 0;
}

/* After a failure: all is as before, and the call can be made again. */
static const char *after_failure(struct world *w, const struct world_case *c,
				 unsigned int nth, int err,
				 const struct state *before)
{
	const char *difference;
	struct state after;

	if (!lawful(c, err))
		return say(nth, "fails with the wrong errno", err);
	if (c->done_before_answer && err == -EFAULT && !check(w, c))
		return NULL;
	if (state_take(w, &after))
		return say(nth, "the state cannot be read", err);
	difference = differs(before, &after);
	if (difference)
		return say(nth, difference, err);
	err = c->call(w);
	if (err)
		return say(nth, "cannot be repeated", err);
	err = check(w, c);
	return err ? say(nth, "when repeated, does not do all", err) : NULL;
}

static const char *fail_nth(struct world *w, const struct world_case *c,
			    unsigned int nth, bool *failed)
{
	struct state before;
	int err, rc;

	err = state_take(w, &before);
	if (err)
		return say(nth, "the state cannot be read", err);
	err = nth_begin(nth);
	if (err)
		return say(nth, "cannot be injected", err);
	rc = c->call(w);
	*failed = nth_end();
	if (rc && !*failed)
		return say(nth, "fails by itself", rc);
	if (rc)
		return after_failure(w, c, nth, rc, &before);
	err = check(w, c);
	return err ? say(nth, "does not do all", err) : NULL;
}

const char *world_fail_each(const struct world_case *c, unsigned int *faults)
{
	bool failed = true;

	for (*faults = 0; failed; ++*faults) {
		unsigned int nth = *faults + 1;
		const char *wrong;
		struct world w;
		int err;

		if (nth > FAULTS_MAX)
			return "there is no end of faults";
		err = world_open(&w, c);
		if (err)
			return say(nth, "cannot be prepared", err);
		wrong = fail_nth(&w, c, nth, &failed);
		if (wrong)
			return wrong;
		err = world_close(&w);
		if (err)
			return say(nth, "something is used for ever", err);
	}
	--*faults;
	return NULL;
}
