// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "msg.h"
#include "trial.h"

/* What x86 keeps for interrupts of devices. */
#define MSI_FIRST 0xfee00000ULL
#define MSI_LAST 0xfeefffffULL

/* What would be in the place of an IOAS. */
struct trial_space {
	struct pt_model pt;
	struct spans taken;	/* MSIs and struct replay_area.now */
	struct span msi;
};

struct trial {
	struct replay replay;
	struct trial_space *spaces;
	unsigned int bits;
	__u64 tables, leaves[PT_NR_LEAVES];	/* now, of all spaces */
	struct trial_result *result;
};

static struct trial *trial_of(struct replay *r)
{
	return (struct trial *)r;
}

static __u64 last_iova(const struct trial *t)
{
	return (1ULL << t->bits) - 1;
}

/* --- what is counted ------------------------------------------------------ */

/* Takes what a table has out of the sums, or adds it again when it has changed. */
static void sum(struct trial *t, const struct pt_model *pt, int sign)
{
	t->tables += (__u64)sign * pt->tables;
	for (int i = 0; i < PT_NR_LEAVES; i++)
		t->leaves[i] += (__u64)sign * pt->leaves[i];
}

static __u64 all(const __u64 *leaves)
{
	return leaves[PT_LEAF_4K] + leaves[PT_LEAF_2M] + leaves[PT_LEAF_1G];
}

static void note_peaks(struct trial *t)
{
	struct trial_result *res = t->result;

	if (res->tables < t->tables)
		res->tables = t->tables;
	if (all(res->leaves) < all(t->leaves))
		for (int i = 0; i < PT_NR_LEAVES; i++)
			res->leaves[i] = t->leaves[i];
}

static void note_place(struct trial *t, const struct trial_space *s, const struct span *now)
{
	__u64 gap = spans_largest_gap(&s->taken, 0, last_iova(t));
	struct trial_result *res = t->result;

	if (res->gap > gap)
		res->gap = gap;
	if (res->lowest > now->start)
		res->lowest = now->start;
	if (res->highest < now->last)
		res->highest = now->last;
}

static struct pt_area pt_area_of(const struct replay_area *area)
{
	return (struct pt_area){
		.iova = area->now.start,
		.length = area->now.last - area->now.start + 1,
		.addr = area->addr,
		.run = area->run ? area->run : TRIAL_RUN_UNKNOWN,
	};
}

static int add(struct trial *t, struct trial_space *s, struct replay_area *area)
{
	struct pt_area pt = pt_area_of(area);
	bool ok;

	spans_insert(&s->taken, &area->now);
	sum(t, &s->pt, -1);
	ok = pt_model_map(&s->pt, &pt);
	sum(t, &s->pt, 1);
	note_peaks(t);
	note_place(t, s, &area->now);
	return ok ? 0 : -ENOMEM;
}

static void take_out(struct trial *t, struct trial_space *s, struct replay_area *area)
{
	struct pt_area pt = pt_area_of(area);

	spans_remove(&s->taken, &area->now);
	sum(t, &s->pt, -1);
	pt_model_unmap(&s->pt, &pt);
	sum(t, &s->pt, 1);
}

/* --- the calls ------------------------------------------------------------ */

int trial_map(struct replay *r, const struct trace_request *req, struct replay_area *area,
	      struct iox_ioas_try_map *cmd)
{
	*cmd = (struct iox_ioas_try_map){
		.size = sizeof(*cmd),
		.ioas_id = r->spaces[req->space].ioas,
		.flags = (req->fixed ? IOMMU_IOAS_MAP_FIXED_IOVA : 0) |
			 (req->prot & TRACE_READ ? IOMMU_IOAS_MAP_READABLE : 0) |
			 (req->prot & TRACE_WRITE ? IOMMU_IOAS_MAP_WRITEABLE : 0),
		.backing = req->backing,
		.addr = req->addr,
		.length = req->length,
		.iova = req->fixed ? req->iova : req->hint,
	};
	if (ioctl(r->fd, IOX_IOAS_TRY_MAP, cmd))
		return -errno;
	area->now.start = cmd->iova;
	area->now.last = cmd->iova + req->length - 1;
	return 0;
}

static int map(struct replay *r, const struct trace_request *req, struct replay_area *area)
{
	struct trial *t = trial_of(r);
	struct trial_result *res = t->result;
	struct iox_ioas_try_map cmd;
	int err = trial_map(r, req, area, &cmd);

	if (err) {
		res->failed++;
		if (!res->first_errno)
			res->first_errno = err;
		return err;
	}
	if (cmd.out_answer <= IOX_TRY_HINT)
		res->answers[cmd.out_answer]++;
	if (cmd.out_answer != IOX_TRY_FIXED)
		res->select.bucket[iox_hist_index(cmd.out_ns)]++;
	err = add(t, &t->spaces[req->space], area);
	if (err)
		res->err = err;
	return 0;
}

static int unmap(struct replay *r, __u32 space, struct replay_area *area, bool destroyed)
{
	struct trial *t = trial_of(r);
	struct iommu_ioas_unmap cmd = {
		.size = sizeof(cmd),
		.ioas_id = r->spaces[space].ioas,
		.iova = area->now.start,
		.length = area->now.last - area->now.start + 1,
	};
	int err = destroyed || !ioctl(r->fd, IOMMU_IOAS_UNMAP, &cmd) ? 0 : -errno;

	take_out(t, &t->spaces[space], area);
	if (err)
		t->result->err = err;
	return err;
}

/* Automatic IOVAs are in what such an IOMMU has. */
static int allow(struct trial *t, __u32 ioas)
{
	struct iommu_iova_range windows[] = {
		{ .start = 0, .last = MSI_FIRST - 1 },
		{ .start = MSI_LAST + 1, .last = last_iova(t) },
	};
	struct iommu_ioas_allow_iovas cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas,
		.num_iovas = sizeof(windows) / sizeof(windows[0]),
		.allowed_iovas = (__u64)windows,
	};

	return ioctl(t->replay.fd, IOMMU_IOAS_ALLOW_IOVAS, &cmd) ? -errno : 0;
}

static int space_new(struct replay *r, __u32 space)
{
	struct trial *t = trial_of(r);
	struct trial_space *s = &t->spaces[space];

	*s = (struct trial_space){
		.pt.three = t->bits <= PT_BITS_OF_3_LEVELS,
		.msi = { .start = MSI_FIRST, .last = MSI_LAST },
	};
	spans_insert(&s->taken, &s->msi);
	/* The root of its page table. */
	t->tables++;
	t->result->spaces++;
	return allow(t, r->spaces[space].ioas);
}

static void space_gone(struct replay *r, __u32 space)
{
	struct trial *t = trial_of(r);

	sum(t, &t->spaces[space].pt, -1);
	t->tables--;
	pt_model_free(&t->spaces[space].pt);
}

static const struct replay_ops ops = {
	.space_new = space_new,
	.map = map,
	.unmap = unmap,
	.space_gone = space_gone,
};

/* --- all of it ------------------------------------------------------------ */

static int run(struct trial *t, const struct trace *trace)
{
	int err;

	t->spaces = calloc(trace->spaces + 1, sizeof(*t->spaces));
	if (!t->spaces)
		return -ENOMEM;
	err = replay_run(&t->replay, trace);
	t->result->tables_end = t->tables;
	replay_free(&t->replay);
	free(t->spaces);
	return err;
}

void trial_run(const struct trace *trace, unsigned int bits, struct trial_result *result)
{
	struct trial t = { .replay.ops = &ops, .bits = bits, .result = result };
	int err;

	*result = (struct trial_result){ .lowest = ~0ULL };
	result->gap = last_iova(&t) + 1;
	t.replay.fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	if (t.replay.fd < 0) {
		result->err = -errno;
		return;
	}
	err = run(&t, trace);
	if (err)
		result->err = err;
	result->maps = t.replay.maps;
	result->unmaps = t.replay.unmaps;
	result->skipped = t.replay.skipped;
	close(t.replay.fd);
}

static int try_nothing(void)
{
	/* There is no such IOAS. */
	struct iox_ioas_try_map cmd = { .size = sizeof(cmd), .flags = IOMMU_IOAS_MAP_READABLE,
					.length = 4096 };
	int fd = open("/dev/iommu", O_RDWR | O_CLOEXEC), err = -errno;

	if (fd < 0)
		return err;
	err = ioctl(fd, IOX_IOAS_TRY_MAP, &cmd) && errno != ENOENT ? -errno : 0;
	close(fd);
	return err;
}

bool trial_check(void)
{
	int err = try_nothing();

	if (err == -ENOTTY)
		msg_error("this kernel", "cannot place without memory (IOX_IOAS_TRY_MAP)",
			  "boot the kernel of this tree ('make kernel')");
	else if (err)
		msg_errno(err, "/dev/iommu", err == -EACCES ? "run it as root" : "modprobe iommufd");
	return !err;
}
