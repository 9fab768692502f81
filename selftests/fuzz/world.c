// SPDX-License-Identifier: GPL-2.0-only
/* A world: what one thread does from its seed, from nothing to nothing. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz.h"

/* Operations between two looks at everything */
#define VERIFY_EVERY 150

/* --- chance ---------------------------------------------------------------------------- */

/* splitmix64 */
__u64 rnd64(struct world *w)
{
	__u64 z = w->random += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

__u64 rnd(struct world *w, __u64 below)
{
	return below ? rnd64(w) % below : 0;
}

bool one_in(struct world *w, unsigned int n)
{
	return !rnd(w, n);
}

void random_bytes(struct world *w, void *bytes, size_t length)
{
	__u8 *p = bytes;

	while (length) {
		__u64 word = rnd64(w);
		size_t part = length < sizeof(word) ? length : sizeof(word);

		memcpy(p, &word, part);
		p += part;
		length -= part;
	}
}

/* --- what there is to do ------------------------------------------------------------------ */

struct operation {
	unsigned int weight;
	bool alone;		/* changes what all worlds share */
	void (*run)(struct world *w);
};

static const struct operation operations[] = {
	{ 160, false, op_map },
	{ 40, false, op_map_file },
	{ 50, false, op_copy },
	{ 120, false, op_unmap },
	{ 30, false, op_attach },
	{ 24, false, op_detach },
	{ 24, false, op_replace },
	{ 16, false, op_hwpt_alloc },
	{ 16, false, op_dirty },
	{ 40, false, op_check_map },
	{ 40, false, op_check_refs },
	{ 16, false, op_access_new },
	{ 10, false, op_access_close },
	{ 8, false, op_access_replace },
	{ 60, false, op_access_read },
	{ 60, false, op_access_write },
	{ 30, false, op_access_pin },
	{ 16, false, op_access_unpin },
	{ 30, false, op_mmap },
	{ 12, false, op_munmap },
	{ 12, false, op_mremap },
	{ 12, false, op_mprotect },
	{ 10, false, op_dontneed },
	{ 60, false, op_store },
	{ 10, false, op_file_new },
	{ 3, false, op_file_close },
	{ 10, false, op_file_truncate },
	{ 8, false, op_file_punch },
	{ 16, false, op_file_write },
	{ 8, false, op_fork },
	{ 3, false, op_kill },
	{ 3, false, op_kill_in_call },
	{ 4, false, op_ctx_open },
	{ 2, false, op_ctx_close },
	{ 10, false, op_ioas_alloc },
	{ 20, false, op_destroy },
	{ 12, false, op_ranges },
	{ 8, false, op_allow },
	{ 8, false, op_reserve },
	{ 30, false, op_claim },
	{ 12, false, op_option },
	{ 6, false, op_change_process },
	{ 4, true, op_memory_limit },
	{ 24, false, op_bad },
};

static const struct operation *pick_operation(struct world *w)
{
	unsigned int total = 0, at;

	for (size_t i = 0; i < ARRAY_SIZE(operations); i++)
		total += operations[i].weight;
	at = rnd(w, total);
	for (size_t i = 0;; i++) {
		if (at < operations[i].weight)
			return &operations[i];
		at -= operations[i].weight;
	}
}

/* --- looking at everything ------------------------------------------------------------------ */

static void verify_ioas(struct ioas *ioas)
{
	struct access *access = ioas_access(ioas);

	ioas_verify_ranges(ioas);
	for (unsigned int i = 0; i < ioas->areas.nr; i++) {
		struct area *area = ioas->areas.at[i];

		if (access)
			access_verify(access, area);
		for (unsigned int j = 0; j < ioas->hwpts.nr; j++)
			hwpt_verify(ioas->hwpts.at[j], area);
	}
}

static void verify(struct world *w)
{
	for (unsigned int i = 0; i < w->ctxs.nr; i++)
		for (unsigned int j = 0; j < w->ctxs.at[i]->ioases.nr; j++)
			verify_ioas(w->ctxs.at[i]->ioases.at[j]);
	note(w, "look at all memory");
	for (unsigned int i = 0; i < w->nr_mms; i++)
		mm_verify(w->mm[i]);
}

/* --- beginning and end ------------------------------------------------------------------------ */

/* A window in the IOAS of all, which has been made so that nothing changes it */
static void join_common(struct world *w)
{
	struct common *common = w->common;
	struct ctx *ctx = ctx_new(w, common->fd, true);
	struct ioas *ioas = ioas_new(ctx, common->ioas);

	ioas->common = true;
	ioas->pinning = 1;
	ioas->reserved[0] = (struct range){ 0, APERTURE_FIRST - 1 };
	ioas->reserved[1] = (struct range){ APERTURE_LAST + 1, UINT64_MAX };
	ioas->nr_reserved = 2;
	ioas->allowed[0] = common->automatic;
	ioas->nr_allowed = 1;
	ioas->window.first = APERTURE_FIRST + w->number * 4 * HUGE_PAGE;
	ioas->window.last = ioas->window.first + 64 * PAGE - 1;
}

/* What it has made in a context that others go on using */
static void leave_common(struct ctx *ctx)
{
	struct world *w = ctx->w;

	while (ctx->accesses.nr)
		access_close(ctx->accesses.at[0]);
	while (ctx->devices.nr) {
		struct device *device = ctx->devices.at[0];

		note(w, "destroy device %u at the end", device->stdev);
		must_work(w, iommufd_destroy(ctx->fd, device->stdev));
		device_forget(device);
	}
	while (ctx->ioases.nr) {
		struct ioas *ioas = ctx->ioases.at[0];

		unmap_all(ioas);
		while (ioas->hwpts.nr) {
			note(w, "destroy hwpt %u at the end",
			     ioas->hwpts.at[0]->id);
			must_work(w, iommufd_destroy(ctx->fd,
						     ioas->hwpts.at[0]->id));
			hwpt_forget(ioas->hwpts.at[0]);
		}
		if (!ioas->common) {
			note(w, "destroy ioas %u at the end", ioas->id);
			must_work(w, iommufd_destroy(ctx->fd, ioas->id));
		}
		ioas_free(ioas);
	}
	ctx_leave(ctx, 0);
}

static void end_world(struct world *w)
{
	for (unsigned int i = 1; i < w->nr_mms; i++)
		if (w->mm[i]->alive)
			mm_kill(w->mm[i]);
	while (w->ctxs.nr) {
		struct ctx *ctx = w->ctxs.at[0];

		if (ctx->common) {
			leave_common(ctx);
			continue;
		}
		/* In either order: an access keeps its context. */
		if (ctx->holders && (!ctx->accesses.nr || one_in(w, 2)))
			ctx_close(ctx);
		else
			access_close(ctx->accesses.at[0]);
	}
	while (w->files.nr)
		op_file_close(w);
	memory_teardown(w);
}

void world_run(struct world *w)
{
	const struct operation *operation;

	w->random = w->seed * 0x2545f4914f6cdd1dULL + w->number;
	w->is_iox = iommufd_is_iox();
	w->hugetlb_pages = HUGETLB_PAGES;
	memory_setup(w);
	if (w->common)
		join_common(w);
	op_ctx_open(w);
	op_ioas_alloc(w);
	for (w->op = 0; w->op < w->ops; w->op++) {
		operation = pick_operation(w);
		if (!w->common || !operation->alone)
			operation->run(w);
		if (w->op % VERIFY_EVERY == VERIFY_EVERY - 1)
			verify(w);
	}
	verify(w);
	end_world(w);
}
