// SPDX-License-Identifier: GPL-2.0-only
/* Accesses: the bytes behind IOVAs, and pages held by a driver. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"

/* The most that one read or write moves */
#define MOVE_MAX (6 * PAGE)

static int access_call(struct access *access, struct iommu_test_cmd *cmd)
{
	cmd->size = sizeof(*cmd);
	cmd->id = access->fd;
	return xioctl(any_fd(access->ctx), IOMMU_TEST_CMD, cmd);
}

static struct access *pick_access(struct world *w)
{
	struct ctx *ctx = pick_ctx(w);
	struct access *access = ctx ? vec_pick(w, &ctx->accesses) : NULL;

	/* Calls on it go through any context, if there is one. */
	return access && any_fd(ctx) >= 0 ? access : NULL;
}

struct access *ioas_access(struct ioas *ioas)
{
	struct ctx *ctx = ioas->ctx;

	for (unsigned int i = 0; i < ctx->accesses.nr; i++)
		if (ctx->accesses.at[i]->ioas == ioas && any_fd(ctx) >= 0)
			return ctx->accesses.at[i];
	return NULL;
}

/* --- life and death ------------------------------------------------------------------ */

static void join(struct access *access, struct ioas *ioas)
{
	access->ioas = ioas;
	ioas->accesses++;
	ioas->pinning += access->pinning;
}

static void leave(struct access *access)
{
	access->ioas->accesses--;
	access->ioas->pinning -= access->pinning;
	access->ioas = NULL;
}

void op_access_new(struct world *w)
{
	struct ioas *ioas = pick_ioas(w);
	bool pinning = one_in(w, 2);
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_CREATE_ACCESS,
	};
	struct answer lawful = {};
	struct access *access;

	if (!ioas || !(ioas->ctx->holders & 1) || vec_full(&ioas->ctx->accesses))
		return;
	cmd.id = ioas->id;
	if (pinning)
		cmd.create_access.flags =
			MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES;
	note(w, "new access to ioas %u%s", ioas->id, pinning ? ", pins" : "");
	if (pinning && misaligned(ioas, PAGE))
		may_fail(&lawful, EADDRINUSE);
	if (!judge(w, xioctl(ioas->ctx->fd, IOMMU_TEST_CMD, &cmd), &lawful))
		return;
	access = calloc(1, sizeof(*access));
	if (!access)
		broken(w, "memory for an access's model");
	access->ctx = ioas->ctx;
	access->fd = cmd.create_access.out_access_fd;
	access->pinning = pinning;
	join(access, ioas);
	vec_add(&ioas->ctx->accesses, access);
}

static void hold_release(struct access *access, const struct hold *hold)
{
	__u64 last = hold->iova + hold->length - 1, end;

	for (__u64 iova = hold->iova;; iova = end + 1) {
		struct area *area = area_at(access->ioas, iova);

		end = area->last < last ? area->last : last;
		pages_release(area->pages, area_page(area, iova),
			      area_page(area, end));
		if (end == last)
			return;
	}
}

static void hold_forget(struct access *access, struct hold *hold)
{
	hold_release(access, hold);
	vec_del(&access->holds, hold);
	free(hold);
}

/* What goes with the access itself, not with its context */
static void access_forget(struct access *access)
{
	while (access->holds.nr)
		hold_forget(access, access->holds.at[0]);
	leave(access);
	vec_del(&access->ctx->accesses, access);
	free(access);
}

void access_close(struct access *access)
{
	struct ctx *ctx = access->ctx;
	struct world *w = ctx->w;
	int rc;

	note(w, "close an access to ioas %u", access->ioas->id);
	lock_fork(w);
	rc = close(access->fd) ? -errno : 0;
	unlock_fork(w);
	must_work(w, rc);
	access_forget(access);
	ctx_reap(ctx);
}

void op_access_close(struct world *w)
{
	struct ctx *ctx = pick_ctx(w);
	struct access *access = ctx ? vec_pick(w, &ctx->accesses) : NULL;

	if (access)
		access_close(access);
}

void op_access_replace(struct world *w)
{
	struct access *access = pick_access(w);
	struct iommu_test_cmd cmd = { .op = IOMMU_TEST_OP_ACCESS_REPLACE_IOAS };
	struct answer lawful = {};
	struct ioas *ioas;

	ioas = access ? vec_pick(w, &access->ctx->ioases) : NULL;
	if (!ioas || ioas == access->ioas)
		return;
	cmd.access_replace_ioas.ioas_id = ioas->id;
	note(w, "move an access from ioas %u to ioas %u", access->ioas->id,
	     ioas->id);
	if (access->pinning && misaligned(ioas, PAGE))
		may_fail(&lawful, EADDRINUSE);
	if (!judge(w, access_call(access, &cmd), &lawful))
		return;
	while (access->holds.nr)
		hold_forget(access, access->holds.at[0]);
	leave(access);
	join(access, ioas);
}

/* --- bytes ---------------------------------------------------------------------------- */

/* One read or write on its way through the model */
struct move {
	struct access *access;
	__u64 iova;
	__u64 length;
	bool write;
	__u8 bytes[MOVE_MAX];
	__u64 good;		/* so far nothing is in the way */
};

/* The piece that one area maps; false with the errno if DMA cannot get there */
static bool expect_piece(struct move *move, struct area *area, __u64 first,
			 __u64 last, struct answer *lawful)
{
	if (move->write ? !area->writable : !area->readable) {
		may_fail(lawful, EPERM);
		return false;
	}
	for (unsigned long i = area_page(area, first);
	     i <= area_page(area, last); i++)
		if (!pages_frame(area->pages, i, lawful))
			return false;
	return true;
}

static void move_piece(struct move *move, struct area *area, __u64 first,
		       __u64 last)
{
	__u8 *bytes = move->bytes + (first - move->iova);
	__u64 length = last - first + 1;

	while (length) {
		unsigned long offset = (area->start + (first - area->iova)) %
				       PAGE;
		struct frame *frame = pages_frame(area->pages,
						  area_page(area, first),
						  &(struct answer){});
		__u64 part = PAGE - offset < length ? PAGE - offset : length;

		if (move->write)
			memcpy(frame->bytes + offset, bytes, part);
		else
			memcpy(bytes, frame->bytes + offset, part);
		first += part;
		bytes += part;
		length -= part;
	}
}

/* Expects, or does in the model, the whole move. */
static void walk(struct move *move, bool doit, struct answer *lawful)
{
	__u64 last = move->iova + move->length - 1, end;

	for (__u64 iova = move->iova;; iova = end + 1) {
		struct area *area = area_at(move->access->ioas, iova);

		if (!area) {
			may_fail(lawful, ENOENT);
			return;
		}
		end = area->last < last ? area->last : last;
		if (doit)
			move_piece(move, area, iova, end);
		else if (!expect_piece(move, area, iova, end, lawful))
			return;
		move->good += end - iova + 1;
		if (end == last)
			return;
	}
}

static int call_rw(struct move *move, __u8 *bytes)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_ACCESS_RW,
		.access_rw = {
			.iova = move->iova,
			.length = move->length,
			.uptr = (uintptr_t)bytes,
			.flags = move->write ? MOCK_ACCESS_RW_WRITE : 0,
		},
	};

	if (one_in(move->access->ctx->w, 4))
		cmd.access_rw.flags |= MOCK_ACCESS_RW_SLOW_PATH;
	return access_call(move->access, &cmd);
}

static void read_move(struct move *move)
{
	struct world *w = move->access->ctx->w;
	struct answer lawful = {};
	__u8 bytes[MOVE_MAX];

	note(w, "read %llx+%llx of ioas %u", move->iova, move->length,
	     move->access->ioas->id);
	walk(move, false, &lawful);
	if (!judge(w, call_rw(move, bytes), &lawful))
		return;
	walk(move, true, &lawful);
	for (__u64 i = 0; i < move->length; i++)
		if (bytes[i] != move->bytes[i])
			mismatch(w, "byte at IOVA %llx is %02x instead of %02x",
				 move->iova + i, bytes[i], move->bytes[i]);
}

static void write_move(struct move *move)
{
	struct world *w = move->access->ctx->w;
	struct answer lawful = {};

	walk(move, false, &lawful);
	if (lawful.nr && move->good) {
		/* Which part would be written is the kernel's business. */
		move->write = false;
		read_move(move);
		return;
	}
	note(w, "write %llx+%llx of ioas %u", move->iova, move->length,
	     move->access->ioas->id);
	random_bytes(w, move->bytes, move->length);
	if (judge(w, call_rw(move, move->bytes), &lawful))
		walk(move, true, &lawful);
}

/* Somewhere at an area, or anywhere */
static bool pick_move(struct move *move)
{
	struct ioas *ioas = move->access->ioas;
	struct world *w = ioas->ctx->w;
	struct area *area = vec_pick(w, &ioas->areas);

	move->length = 1 + rnd(w, one_in(w, 2) ? PAGE : MOVE_MAX - 1);
	if (!area || one_in(w, 16)) {
		move->iova = pick_iova(w, ioas, move->length);
		return !ioas->common &&
		       move->iova + move->length - 1 >= move->iova;
	}
	move->iova = area->iova + rnd(w, area_length(area));
	/* What follows may be another world's. */
	if (area->last - move->iova < move->length - 1 &&
	    (ioas->common || one_in(w, 2)))
		move->length = area->last - move->iova + 1;
	return move->iova + move->length - 1 >= move->iova;
}

void access_verify(struct access *access, struct area *area)
{
	struct move move = {
		.access = access, .iova = area->iova,
		.length = area_length(area),
	};

	if (move.length > MOVE_MAX) {
		move.iova += rnd(access->ctx->w, move.length - MOVE_MAX);
		move.length = MOVE_MAX;
	}
	read_move(&move);
}

void op_access_read(struct world *w)
{
	struct move move = { .access = pick_access(w) };

	if (move.access && pick_move(&move))
		read_move(&move);
}

void op_access_write(struct world *w)
{
	struct move move = { .access = pick_access(w), .write = true };

	if (move.access && pick_move(&move))
		write_move(&move);
}

/* --- pins ------------------------------------------------------------------------------ */

/* Pins a range in the model, or nothing of it. */
static bool hold_acquire(struct access *access, const struct hold *hold,
			 bool write, struct answer *lawful)
{
	__u64 last = hold->iova + hold->length - 1, iova = hold->iova, end;

	for (;; iova = end + 1) {
		struct area *area = area_at(access->ioas, iova);

		if (!area)
			may_fail(lawful, ENOENT);
		else if (write ? !area->writable : !area->readable)
			may_fail(lawful, EPERM);
		if (lawful->nr)
			break;
		end = area->last < last ? area->last : last;
		if (!pages_acquire(area->pages, area_page(area, iova),
				   area_page(area, end), lawful))
			break;
		if (end == last)
			return true;
	}
	if (iova > hold->iova)
		hold_release(access, &(struct hold){
			.iova = hold->iova, .length = iova - hold->iova });
	return false;
}

/* The test driver compares what it has pinned with what the caller sees. */
static void expect_same(struct access *access, const struct hold *hold,
			unsigned long addr, struct answer *lawful)
{
	struct mm *self = access->ctx->w->mm[0];

	for (__u64 at = 0; at < hold->length; at += PAGE) {
		struct area *area = area_at(access->ioas, hold->iova + at);
		struct pin *pin = &area->pages->pin[area_page(area, hold->iova +
							      at)];
		struct frame *seen;

		if (!mm_peek(self, addr + at, &seen))
			may_fail(lawful, EFAULT);
		else if (seen != pin->frame)
			may_fail(lawful, EINVAL);
	}
}

static void pin_range(struct access *access, struct hold *hold,
		      unsigned long addr, bool write)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_ACCESS_PAGES,
		.access_pages = {
			.flags = write ? MOCK_FLAGS_ACCESS_WRITE : 0,
			.iova = hold->iova,
			.length = hold->length,
			.uptr = addr,
		},
	};
	struct world *w = access->ctx->w;
	struct answer lawful = {};
	bool held;

	note(w, "pin %llx+%llx of ioas %u%s", hold->iova, hold->length,
	     access->ioas->id, write ? " to write" : "");
	held = hold_acquire(access, hold, write, &lawful);
	if (held)
		expect_same(access, hold, addr, &lawful);
	if (judge(w, access_call(access, &cmd), &lawful)) {
		hold->id = cmd.access_pages.out_access_pages_id;
		vec_add(&access->holds, hold);
		return;
	}
	if (held)
		hold_release(access, hold);
	free(hold);
}

void op_access_pin(struct world *w)
{
	struct access *access = pick_access(w);
	struct area *area = access ? vec_pick(w, &access->ioas->areas) : NULL;
	__u64 skip, length, most = 8 * PAGE;
	struct hold *hold;

	if (!area || !access->pinning || vec_full(&access->holds))
		return;
	skip = rnd(w, area_length(area) / PAGE) * PAGE;
	length = area_length(area) - skip;
	if (length > most)
		length = (1 + rnd(w, most / PAGE)) * PAGE;
	if (!access->ioas->common && one_in(w, 6) &&
	    area->iova + skip < UINT64_MAX - most)
		length += PAGE;
	hold = calloc(1, sizeof(*hold));
	if (!hold)
		broken(w, "memory for the model of a pin");
	hold->iova = area->iova + skip;
	hold->length = length;
	/* A file is compared with the stable block, where it is not. */
	pin_range(access, hold,
		  area->pages->file ? arena_addr(w, 0) :
				      area->pages->base + area->start + skip,
		  one_in(w, 3));
}

/* Unpins; it may be gone already where @gone says so. */
static void unpin(struct access *access, struct hold *hold, bool gone)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_DESTROY_ACCESS_PAGES,
		.destroy_access_pages.access_pages_id = hold->id,
	};
	struct world *w = access->ctx->w;
	struct answer lawful = { .may_succeed = true };

	note(w, "unpin %llx+%llx of ioas %u", hold->iova, hold->length,
	     access->ioas->id);
	if (gone)
		may_fail(&lawful, ENOENT);
	judge(w, access_call(access, &cmd), &lawful);
	hold_forget(access, hold);
}

static void unpin_nothing(struct access *access)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_DESTROY_ACCESS_PAGES,
		.destroy_access_pages.access_pages_id = NO_ID,
	};
	struct answer lawful = {};

	note(access->ctx->w, "unpin what is not pinned");
	may_fail(&lawful, ENOENT);
	judge(access->ctx->w, access_call(access, &cmd), &lawful);
}

void op_access_unpin(struct world *w)
{
	struct access *access = pick_access(w);

	if (!access)
		return;
	if (access->holds.nr && !one_in(w, 8))
		unpin(access, vec_pick(w, &access->holds), false);
	else
		unpin_nothing(access);
}

static bool meets(const struct hold *hold, __u64 first, __u64 last)
{
	return hold->iova <= last && first <= hold->iova + hold->length - 1;
}

void holds_dropped(struct ioas *ioas, __u64 first, __u64 last)
{
	struct ctx *ctx = ioas->ctx;

	for (unsigned int i = 0; i < ctx->accesses.nr; i++) {
		struct access *access = ctx->accesses.at[i];

		for (unsigned int j = access->holds.nr;
		     j > 0 && access->ioas == ioas; j--)
			if (meets(access->holds.at[j - 1], first, last))
				hold_forget(access, access->holds.at[j - 1]);
	}
}

void holds_let_go(struct ioas *ioas, __u64 first, __u64 last)
{
	struct ctx *ctx = ioas->ctx;

	if (any_fd(ctx) < 0)
		return;
	for (unsigned int i = 0; i < ctx->accesses.nr; i++) {
		struct access *access = ctx->accesses.at[i];

		for (unsigned int j = access->holds.nr;
		     j > 0 && access->ioas == ioas; j--)
			if (meets(access->holds.at[j - 1], first, last))
				unpin(access, access->holds.at[j - 1], true);
	}
}
