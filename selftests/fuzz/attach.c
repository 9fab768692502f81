// SPDX-License-Identifier: GPL-2.0-only
/* Mock devices, their domains, and what their page tables lead to. */
#include <errno.h>
#include <stdlib.h>

#include "fuzz.h"

static int test_call(struct mm *mm, struct ctx *ctx, struct iommu_test_cmd *cmd)
{
	return mm_ioctl(mm, ctx->fd, IOMMU_TEST_CMD, cmd, sizeof(*cmd));
}

/* --- the model --------------------------------------------------------------------- */

static struct hwpt *automatic_hwpt(struct ioas *ioas)
{
	for (unsigned int i = 0; i < ioas->hwpts.nr; i++)
		if (ioas->hwpts.at[i]->automatic)
			return ioas->hwpts.at[i];
	return NULL;
}

/* Can an IOAS have one more domain? If so, its memory is pinned for it. */
static bool expect_hwpt(struct ioas *ioas, struct answer *lawful)
{
	expect_reserve(ioas, 0, APERTURE_FIRST - 1, lawful);
	expect_reserve(ioas, APERTURE_LAST + 1, UINT64_MAX, lawful);
	if (misaligned(ioas, MOCK_PAGE_SIZE))
		may_fail(lawful, EADDRINUSE);
	return ioas_fill(ioas, lawful);
}

static struct hwpt *hwpt_add(struct ioas *ioas, __u32 id)
{
	struct hwpt *hwpt = calloc(1, sizeof(*hwpt));

	if (!hwpt)
		broken(ioas->ctx->w, "memory for a domain's model");
	new_id(ioas->ctx, id);
	hwpt->ioas = ioas;
	hwpt->id = id;
	vec_add(&ioas->hwpts, hwpt);
	return hwpt;
}

void hwpt_forget(struct hwpt *hwpt)
{
	ioas_empty(hwpt->ioas);
	vec_del(&hwpt->ioas->hwpts, hwpt);
	free(hwpt);
}

static void hwpt_unuse(struct hwpt *hwpt)
{
	if (!--hwpt->devices && hwpt->automatic)
		hwpt_forget(hwpt);
}

void device_forget(struct device *device)
{
	hwpt_unuse(device->hwpt);
	vec_del(&device->ctx->devices, device);
	free(device);
}

/* --- attaching ----------------------------------------------------------------------- */

/* What a device is to be attached to */
struct target {
	struct ioas *ioas;
	struct hwpt *hwpt;	/* or the IOAS itself */
	bool filled;
};

static bool pick_target(struct ctx *ctx, struct target *target)
{
	struct world *w = ctx->w;

	*target = (struct target){ .ioas = vec_pick(w, &ctx->ioases) };
	if (!target->ioas || target->ioas->common)
		return false;
	if (one_in(w, 3))
		target->hwpt = vec_pick(w, &target->ioas->hwpts);
	return target->hwpt || !vec_full(&target->ioas->hwpts);
}

static __u32 target_id(const struct target *target)
{
	return target->hwpt ? target->hwpt->id : target->ioas->id;
}

static void expect_attach(struct target *target, bool no_dirty,
			  struct answer *lawful)
{
	if (target->hwpt) {
		if (no_dirty && target->hwpt->dirty)
			may_fail(lawful, EINVAL);
	} else if (!automatic_hwpt(target->ioas)) {
		target->filled = expect_hwpt(target->ioas, lawful);
	}
}

/* The domain that a device has got; @id is what the kernel says it is. */
static struct hwpt *attached_hwpt(struct target *target, __u32 id)
{
	struct hwpt *hwpt = target->hwpt ?: automatic_hwpt(target->ioas);

	if (!hwpt) {
		hwpt = hwpt_add(target->ioas, id);
		hwpt->automatic = true;
	}
	if (hwpt->id != id)
		mismatch(target->ioas->ctx->w,
			 "attached to hwpt %u instead of %u", id, hwpt->id);
	hwpt->devices++;
	return hwpt;
}

static void verify_areas(struct hwpt *hwpt)
{
	struct ioas *ioas = hwpt->ioas;

	for (unsigned int i = 0; i < ioas->areas.nr; i++)
		hwpt_verify(hwpt, ioas->areas.at[i]);
}

static struct device *device_add(struct ctx *ctx,
				 const struct iommu_test_cmd *cmd)
{
	struct device *device = calloc(1, sizeof(*device));

	if (!device)
		broken(ctx->w, "memory for a device's model");
	device->ctx = ctx;
	device->stdev = cmd->mock_domain_flags.out_stdev_id;
	device->idev = cmd->mock_domain_flags.out_idev_id;
	device->no_dirty = cmd->mock_domain_flags.dev_flags &
			   MOCK_FLAGS_DEVICE_NO_DIRTY;
	new_id(ctx, device->stdev);
	new_id(ctx, device->idev);
	vec_add(&ctx->devices, device);
	return device;
}

static void attach_nowhere(struct ctx *ctx, struct mm *mm)
{
	struct device *device = vec_pick(ctx->w, &ctx->devices);
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_MOCK_DOMAIN,
		.id = device ? device->idev : NO_ID,
	};
	struct answer lawful = {};

	note(ctx->w, "attach to what is no page table");
	may_fail(&lawful, device ? EINVAL : ENOENT);
	judge(ctx->w, test_call(mm, ctx, &cmd), &lawful);
}

void op_attach(struct world *w)
{
	struct ctx *ctx = pick_ctx(w);
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_MOCK_DOMAIN_FLAGS,
	};
	bool no_dirty = one_in(w, 4);
	struct answer lawful = {};
	struct device *device;
	struct target target;
	struct mm *mm;

	mm = ctx ? pick_mm(w, ctx->holders) : NULL;
	if (!mm || vec_full(&ctx->devices) || !pick_target(ctx, &target))
		return;
	if (one_in(w, 20)) {
		attach_nowhere(ctx, mm);
		return;
	}
	cmd.id = target_id(&target);
	if (no_dirty)
		cmd.mock_domain_flags.dev_flags = MOCK_FLAGS_DEVICE_NO_DIRTY;
	note(w, "mm %u attach a device to %s %u of ioas %u", mm->number,
	     target.hwpt ? "hwpt" : "ioas", cmd.id, target.ioas->id);
	expect_attach(&target, no_dirty, &lawful);
	if (!judge(w, test_call(mm, ctx, &cmd), &lawful)) {
		if (target.filled)
			ioas_empty(target.ioas);
		return;
	}
	device = device_add(ctx, &cmd);
	note_more(w, " %u hwpt %u", device->stdev,
		  cmd.mock_domain_flags.out_hwpt_id);
	device->hwpt = attached_hwpt(&target, cmd.mock_domain_flags.out_hwpt_id);
	if (one_in(w, 2))
		verify_areas(device->hwpt);
}

void op_detach(struct world *w)
{
	struct ctx *ctx = pick_ctx(w);
	struct device *device = ctx ? vec_pick(w, &ctx->devices) : NULL;
	struct iommu_destroy cmd = { .size = sizeof(cmd) };
	struct mm *mm;

	mm = device ? pick_mm(w, ctx->holders) : NULL;
	if (!mm)
		return;
	cmd.id = device->stdev;
	note(w, "mm %u detach device %u from hwpt %u of ioas %u", mm->number,
	     device->stdev, device->hwpt->id, device->hwpt->ioas->id);
	must_work(w, mm_ioctl(mm, ctx->fd, IOMMU_DESTROY, &cmd, sizeof(cmd)));
	device_forget(device);
}

static bool stays(const struct device *device, const struct target *target)
{
	if (target->hwpt)
		return device->hwpt == target->hwpt;
	return device->hwpt->automatic && device->hwpt->ioas == target->ioas;
}

static void replace(struct mm *mm, struct device *device, struct target *target)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_MOCK_DOMAIN_REPLACE,
		.id = device->stdev,
		.mock_domain_replace.pt_id = target_id(target),
	};
	struct hwpt *old = device->hwpt;
	struct world *w = device->ctx->w;
	struct answer lawful = {};

	if (!stays(device, target))
		expect_attach(target, device->no_dirty, &lawful);
	if (!judge(w, test_call(mm, device->ctx, &cmd), &lawful)) {
		if (target->filled)
			ioas_empty(target->ioas);
		return;
	}
	device->hwpt = attached_hwpt(target, cmd.mock_domain_replace.pt_id);
	hwpt_unuse(old);
	if (one_in(w, 2))
		verify_areas(device->hwpt);
}

void op_replace(struct world *w)
{
	struct ctx *ctx = pick_ctx(w);
	struct device *device = ctx ? vec_pick(w, &ctx->devices) : NULL;
	struct target target;
	struct mm *mm;

	mm = device ? pick_mm(w, ctx->holders) : NULL;
	if (!mm || !pick_target(ctx, &target))
		return;
	note(w, "mm %u move device %u to %s %u of ioas %u", mm->number,
	     device->stdev, target.hwpt ? "hwpt" : "ioas", target_id(&target),
	     target.ioas->id);
	replace(mm, device, &target);
}

static void set_hwpt_data(struct world *w, struct iommu_hwpt_alloc *cmd,
			  struct iommu_hwpt_selftest *data)
{
	if (one_in(w, 2))
		return;
	data->pagetable_type = rnd(w, 9) % 3;
	cmd->data_type = IOMMU_HWPT_DATA_SELFTEST;
	cmd->data_len = sizeof(*data);
	cmd->data_uptr = (uintptr_t)data;
}

void op_hwpt_alloc(struct world *w)
{
	static const __u32 flags[] = {
		0, 0, IOMMU_HWPT_ALLOC_DIRTY_TRACKING,
		IOMMU_HWPT_ALLOC_NEST_PARENT, 1U << 31,
	};
	struct ctx *ctx = pick_ctx(w);
	struct device *device = ctx ? vec_pick(w, &ctx->devices) : NULL;
	struct iommu_hwpt_selftest data = {};
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.flags = flags[rnd(w, ARRAY_SIZE(flags))],
	};
	bool dirty = cmd.flags & IOMMU_HWPT_ALLOC_DIRTY_TRACKING;
	struct answer lawful = {};
	struct ioas *ioas;
	bool filled;

	ioas = device ? vec_pick(w, &ctx->ioases) : NULL;
	if (!ioas || ioas->common || vec_full(&ioas->hwpts) ||
	    !(ctx->holders & 1))
		return;
	cmd.dev_id = device->idev;
	cmd.pt_id = ioas->id;
	set_hwpt_data(w, &cmd, &data);
	note(w, "hwpt alloc flags %x type %u in ioas %u", cmd.flags,
	     data.pagetable_type, ioas->id);
	if (cmd.flags & 1U << 31 || data.pagetable_type > MOCK_IOMMUPT_HUGE ||
	    (dirty && device->no_dirty))
		may_fail(&lawful, EOPNOTSUPP);
	filled = expect_hwpt(ioas, &lawful);
	if (!judge(w, xioctl(ctx->fd, IOMMU_HWPT_ALLOC, &cmd), &lawful)) {
		if (filled)
			ioas_empty(ioas);
		return;
	}
	note_more(w, " %u", cmd.out_hwpt_id);
	hwpt_add(ioas, cmd.out_hwpt_id)->dirty = dirty;
}

/* --- what page tables lead to ------------------------------------------------------- */

static int check_map(struct mm *mm, const struct hwpt *hwpt, __u64 iova,
		     __u64 length, unsigned long addr)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_MD_CHECK_MAP,
		.id = hwpt->id,
		.check_map = { .iova = iova, .length = length, .uptr = addr },
	};

	return test_call(mm, hwpt->ioas->ctx, &cmd);
}

/* Where a process sees the page of a file, or 0 */
static unsigned long find_file_page(struct mm *mm, const struct file *file,
				    unsigned long index)
{
	for (unsigned long i = 0; i < ARENA_PAGES; i++)
		if (mm->page[i].kind == V_SHARED && mm->page[i].file == file &&
		    mm->page[i].index == index)
			return arena_addr(mm->w, i);
	return 0;
}

/* An address that may well lead to the same memory as @area */
static unsigned long addr_of(struct mm *mm, const struct area *area)
{
	const struct pages *pages = area->pages;
	unsigned long at = pages->base + area->start, found = 0;

	if (!pages->file)
		return at;
	found = find_file_page(mm, pages->file, at / PAGE);
	return (found ?: arena_addr(mm->w, 0)) + at % PAGE;
}

/* A piece of the domain has to be what the process sees, or not. */
static void verify_piece(struct mm *mm, struct hwpt *hwpt, struct area *area,
			 __u64 skip, __u64 length)
{
	unsigned long addr = addr_of(mm, area) + skip;
	struct world *w = hwpt->ioas->ctx->w;
	struct answer lawful = {};
	struct frame *seen;

	note(w, "mm %u compare %llx+%llx of hwpt %u with %lx", mm->number,
	     area->iova + skip, length, hwpt->id, addr);
	for (__u64 at = 0; at < length; at += MOCK_PAGE_SIZE) {
		unsigned long index = area_page(area, area->iova + skip + at);

		if (!mm_peek(mm, addr + at, &seen))
			may_fail(&lawful, EFAULT);
		else if (seen != area->pages->pin[index].frame)
			may_fail(&lawful, EINVAL);
	}
	judge(w, check_map(mm, hwpt, area->iova + skip, length, addr),
	      &lawful);
}

void hwpt_verify(struct hwpt *hwpt, struct area *area)
{
	struct ctx *ctx = hwpt->ioas->ctx;
	struct world *w = ctx->w;
	struct mm *mm = area->pages->mm;
	__u64 most = 24 * PAGE, length = area_length(area), skip = 0;

	if (!mm || !mm->alive || !(ctx->holders & 1U << mm->number))
		mm = pick_mm(w, ctx->holders);
	if (!mm)
		return;
	if (length > most) {
		skip = rnd(w, (length - most) / PAGE) * PAGE;
		length = most;
	}
	verify_piece(mm, hwpt, area, skip, length);
}

static void verify_gone(struct hwpt *hwpt, __u64 iova)
{
	struct ctx *ctx = hwpt->ioas->ctx;
	struct mm *mm = pick_mm(ctx->w, ctx->holders);
	struct answer lawful = {};

	iova &= ~(MOCK_PAGE_SIZE - 1ULL);
	if (!mm || iova < APERTURE_FIRST || iova > APERTURE_LAST ||
	    area_in(hwpt->ioas, iova, iova + MOCK_PAGE_SIZE - 1))
		return;
	note(ctx->w, "hwpt %u has nothing at %llx", hwpt->id, iova);
	may_fail(&lawful, EINVAL);
	judge(ctx->w, check_map(mm, hwpt, iova, MOCK_PAGE_SIZE,
				arena_addr(ctx->w, 0) + iova % PAGE), &lawful);
}

void ioas_verify_gone(struct ioas *ioas, __u64 iova, __u64 last)
{
	for (unsigned int i = 0; i < ioas->hwpts.nr; i++) {
		verify_gone(ioas->hwpts.at[i], iova);
		verify_gone(ioas->hwpts.at[i], last);
		verify_gone(ioas->hwpts.at[i], iova + (last - iova) / 2);
	}
}

void op_check_map(struct world *w)
{
	struct ioas *ioas = pick_ioas(w);

	if (ioas && ioas->hwpts.nr && ioas->areas.nr)
		hwpt_verify(vec_pick(w, &ioas->hwpts),
			    vec_pick(w, &ioas->areas));
}

/* How often is a page pinned? */
void op_check_refs(struct world *w)
{
	unsigned long page = rnd(w, (BLOCK_SMALL + 1) * BLOCK_PAGES);
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_MD_CHECK_REFS,
		.check_refs.length = PAGE,
	};
	struct ctx *ctx = pick_ctx(w);
	bool wrong = one_in(w, 8);
	struct answer lawful = {};
	struct frame *frame;

	if (one_in(w, 2))
		page = BLOCK_SMALL * BLOCK_PAGES + rnd(w, 110);
	/* What others attach domains to is pinned whenever they like. */
	if (!ctx || !(ctx->holders & 1) ||
	    (w->common && page < BLOCK_SMALL * BLOCK_PAGES))
		return;
	/* Of a large folio the kernel only counts all pins together. */
	if (!mm_peek(w->mm[0], arena_addr(w, page), &frame) || !frame ||
	    frame->large)
		return;
	cmd.check_refs.uptr = arena_addr(w, page);
	cmd.check_refs.refs = frame->pins + wrong;
	note(w, "page %lu is pinned %u times%s", page, cmd.check_refs.refs,
	     wrong ? ", or is it?" : "");
	if (wrong)
		may_fail(&lawful, EIO);
	judge(w, xioctl(ctx->fd, IOMMU_TEST_CMD, &cmd), &lawful);
}
