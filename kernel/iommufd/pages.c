// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pinned memory, kept as runs.
 *
 * A run is a physically contiguous piece {pfn, npages}, packed into one u64.
 * Runs are held in chunks: a chunk covers consecutive pages of the memory,
 * is at most a page large, and carries a count of users. A user (a domain
 * that an area fills, an access that pinned) acquires a range of page indexes:
 * chunks are split where the range begins and ends, so that every chunk is
 * wholly inside or outside of it, what is missing is pinned, and the counts
 * go up. Release meets the same boundaries, so it never has to split: it needs
 * no memory and cannot fail.
 */
#include <linux/cleanup.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/sched/user.h>
#include <linux/slab.h>

#include "pages.h"

#define RUN_LEN_BITS 24
#define RUN_LEN_MAX (BIT(RUN_LEN_BITS) - 1)

/**
 * struct pin_chunk - consecutive pinned pages
 * @node: in pages->chunks
 * @first: index of the first page
 * @npages: how many
 * @users: who needs them; the chunk is unpinned when it gets to 0
 * @nr_runs: entries of @runs
 * @runs: where they are, in order: pfn << RUN_LEN_BITS | pages
 */
struct pin_chunk {
	struct rb_node node;
	unsigned long first;
	unsigned long npages;
	unsigned int users;
	unsigned int nr_runs;
	u64 runs[] __counted_by(nr_runs);
};

#define CHUNK_RUNS ((PAGE_SIZE - sizeof(struct pin_chunk)) / sizeof(u64))
/* struct page pointers asked for at a time: one page full of them */
#define BATCH_PAGES (PAGE_SIZE / sizeof(struct page *))
/* Up to here the pointers are on the stack. */
#define BATCH_SMALL 8

static inline u64 run_make(unsigned long pfn, unsigned long npages)
{
	return (u64)pfn << RUN_LEN_BITS | npages;
}

static inline unsigned long run_pfn(u64 run)
{
	return run >> RUN_LEN_BITS;
}

static inline unsigned long run_len(u64 run)
{
	return run & RUN_LEN_MAX;
}

static inline unsigned long chunk_last(const struct pin_chunk *chunk)
{
	return chunk->first + chunk->npages - 1;
}

static struct pin_chunk *chunk_alloc(unsigned long first, unsigned int max_runs)
{
	struct pin_chunk *chunk;

	chunk = kmalloc(struct_size(chunk, runs, max_runs), GFP_KERNEL_ACCOUNT);
	if (!chunk)
		return NULL;
	chunk->first = first;
	chunk->npages = 0;
	chunk->users = 1;
	chunk->nr_runs = 0;
	return chunk;
}

/* The first chunk that ends at @index or later */
static struct pin_chunk *chunk_find(struct iommufd_pages *pages,
				    unsigned long index)
{
	struct rb_node *node = pages->chunks.rb_node;
	struct pin_chunk *found = NULL;

	while (node) {
		struct pin_chunk *chunk = rb_entry(node, struct pin_chunk, node);

		if (chunk_last(chunk) >= index) {
			found = chunk;
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}
	return found;
}

static struct pin_chunk *chunk_next(struct pin_chunk *chunk)
{
	return rb_entry_safe(rb_next(&chunk->node), struct pin_chunk, node);
}

static void chunk_insert(struct iommufd_pages *pages, struct pin_chunk *chunk)
{
	struct rb_node **link = &pages->chunks.rb_node, *parent = NULL;

	while (*link) {
		parent = *link;
		if (chunk->first <
		    rb_entry(parent, struct pin_chunk, node)->first)
			link = &parent->rb_left;
		else
			link = &parent->rb_right;
	}
	rb_link_node(&chunk->node, parent, link);
	rb_insert_color(&chunk->node, &pages->chunks);
}

/* Add one page; false when the chunk is full and its last run cannot grow. */
static bool chunk_add(struct pin_chunk *chunk, unsigned long pfn)
{
	if (chunk->nr_runs) {
		u64 *run = &chunk->runs[chunk->nr_runs - 1];

		if (pfn == run_pfn(*run) + run_len(*run) &&
		    run_len(*run) < RUN_LEN_MAX) {
			(*run)++;
			chunk->npages++;
			return true;
		}
	}
	if (chunk->nr_runs == CHUNK_RUNS)
		return false;
	chunk->nr_runs++;
	chunk->runs[chunk->nr_runs - 1] = run_make(pfn, 1);
	chunk->npages++;
	return true;
}

/*
 * Give back what a chunk does not need: it was made for scattered pages. Short
 * of memory it stays as it is.
 */
static struct pin_chunk *chunk_shrink(struct pin_chunk *chunk)
{
	struct pin_chunk *small;

	if (chunk->nr_runs > min(chunk->npages, CHUNK_RUNS) / 2)
		return chunk;
	small = kmemdup(chunk, struct_size(chunk, runs, chunk->nr_runs),
			GFP_KERNEL_ACCOUNT);
	if (!small)
		return chunk;
	kfree(chunk);
	return small;
}

static void chunk_unpin(struct iommufd_pages *pages, struct pin_chunk *chunk)
{
	unsigned int i;

	for (i = 0; i < chunk->nr_runs; i++) {
		u64 run = chunk->runs[i];

		unpin_user_page_range_dirty_lock(pfn_to_page(run_pfn(run)),
						 run_len(run), pages->writable);
	}
}

/* Make @index the first page of a chunk, if it is inside of one. */
static int chunk_split(struct iommufd_pages *pages, unsigned long index)
{
	struct pin_chunk *chunk = chunk_find(pages, index), *tail;
	unsigned long pos, keep;
	unsigned int i, nr;

	if (!chunk || chunk->first >= index)
		return 0;

	pos = chunk->first;
	for (i = 0; pos + run_len(chunk->runs[i]) <= index; i++)
		pos += run_len(chunk->runs[i]);
	keep = index - pos;
	nr = chunk->nr_runs - i;

	tail = chunk_alloc(index, nr);
	if (!tail)
		return -ENOMEM;
	tail->npages = chunk_last(chunk) - index + 1;
	tail->users = chunk->users;
	tail->nr_runs = nr;
	memcpy(tail->runs, &chunk->runs[i], nr * sizeof(u64));
	tail->runs[0] = run_make(run_pfn(chunk->runs[i]) + keep,
				 run_len(chunk->runs[i]) - keep);
	if (keep)
		chunk->runs[i] = run_make(run_pfn(chunk->runs[i]), keep);

	chunk->nr_runs = keep ? i + 1 : i;
	chunk->npages = index - chunk->first;
	chunk_insert(pages, tail);
	return 0;
}

/* Charge before pinning, so that a limit is never passed even for a moment. */
static int pages_charge(struct iommufd_pages *pages, unsigned long npages)
{
	unsigned long limit, locked;

	if (pages->user) {
		limit = task_rlimit(pages->task, RLIMIT_MEMLOCK) >> PAGE_SHIFT;
		locked = atomic_long_read(&pages->user->locked_vm);
		do {
			if (locked + npages > limit)
				return -ENOMEM;
		} while (!atomic_long_try_cmpxchg(&pages->user->locked_vm,
						  &locked, locked + npages));
	}
	atomic64_add(npages, &pages->mm->pinned_vm);
	return 0;
}

static void pages_uncharge(struct iommufd_pages *pages, unsigned long npages)
{
	if (pages->user)
		atomic_long_sub(npages, &pages->user->locked_vm);
	atomic64_sub(npages, &pages->mm->pinned_vm);
}

/* Pin up to @nr pages. Returns how many, at least one, or an errno. */
static long pin_batch(struct iommufd_pages *pages, unsigned long index,
		      unsigned long nr, struct page **batch)
{
	unsigned long addr = pages->uaddr + (index << PAGE_SHIFT);
	unsigned int flags = FOLL_LONGTERM;
	int locked = 1;
	long got;

	if (pages->writable)
		flags |= FOLL_WRITE;

	if (pages->mm == current->mm) {
		got = pin_user_pages_fast(addr, nr, flags, batch);
	} else {
		if (!mmget_not_zero(pages->mm))
			return -EFAULT;
		mmap_read_lock(pages->mm);
		got = pin_user_pages_remote(pages->mm, addr, nr, flags, batch,
					    &locked);
		if (locked)
			mmap_read_unlock(pages->mm);
		mmput(pages->mm);
	}
	return got ?: -EFAULT;
}

/*
 * Sort pinned pages into chunks; @left pages are wanted from @index on, which
 * bounds the runs that a chunk begun here can need. Returns how many pages have
 * found a place: fewer than @nr when memory ran out.
 */
static unsigned long add_batch(struct iommufd_pages *pages,
			       struct pin_chunk **building, unsigned long index,
			       unsigned long left, struct page **batch,
			       unsigned long nr)
{
	unsigned long i;

	for (i = 0; i < nr; i++) {
		unsigned long pfn = page_to_pfn(batch[i]);

		if (*building && chunk_add(*building, pfn))
			continue;
		if (*building)
			chunk_insert(pages, *building);
		*building = chunk_alloc(index + i, min(left, CHUNK_RUNS));
		if (!*building)
			break;
		chunk_add(*building, pfn);
	}
	return i;
}

/*
 * Pin [first, last], of which nothing is pinned yet, with one user. On failure
 * what has been pinned stays, and *end says where it ends (one past).
 */
static int pin_range(struct iommufd_pages *pages, unsigned long first,
		     unsigned long last, unsigned long *end)
{
	struct page *small[BATCH_SMALL];
	struct page **large __free(kfree) = NULL;
	struct page **batch = small;
	unsigned long index = first, max = BATCH_SMALL;
	struct pin_chunk *building = NULL;
	int rc;

	*end = first;
	rc = pages_charge(pages, last - first + 1);
	if (rc)
		return rc;

	if (last - first >= BATCH_SMALL) {
		large = kmalloc_array(BATCH_PAGES, sizeof(*large), GFP_KERNEL);
		if (large) {
			batch = large;
			max = BATCH_PAGES;
		}
	}

	while (index <= last) {
		unsigned long left = last - index + 1, placed;
		long got = pin_batch(pages, index, min(left, max), batch);

		if (got < 0) {
			rc = got;
			break;
		}
		placed = add_batch(pages, &building, index, left, batch, got);
		index += placed;
		if (placed < got) {
			unpin_user_pages(batch + placed, got - placed);
			rc = -ENOMEM;
			break;
		}
		cond_resched();
	}

	if (building)
		chunk_insert(pages, chunk_shrink(building));
	*end = index;
	if (rc)
		pages_uncharge(pages, last - index + 1);
	return rc;
}

static void release_locked(struct iommufd_pages *pages, unsigned long first,
			   unsigned long last)
{
	struct pin_chunk *chunk = chunk_find(pages, first), *next;

	lockdep_assert_held(&pages->lock);

	for (; chunk && chunk->first <= last; chunk = next) {
		next = chunk_next(chunk);
		if (--chunk->users)
			continue;
		rb_erase(&chunk->node, &pages->chunks);
		chunk_unpin(pages, chunk);
		pages_uncharge(pages, chunk->npages);
		kfree(chunk);
		cond_resched();
	}
}

/**
 * iommufd_pages_acquire - have pages pinned for one more user
 * @pages: the memory
 * @first: index of the first page
 * @last: of the last, included
 *
 * Context: sleeps; takes mmap_lock of the memory's owner.
 * Return: 0; -ENOMEM, also for RLIMIT_MEMLOCK; -EFAULT not mapped, not
 * writable, or the process is gone; other errnos of pin_user_pages().
 * Nothing has changed on failure.
 */
int iommufd_pages_acquire(struct iommufd_pages *pages, unsigned long first,
			  unsigned long last)
{
	unsigned long pos = first;
	struct pin_chunk *chunk;
	int rc;

	guard(mutex)(&pages->lock);
	rc = chunk_split(pages, first) ?: chunk_split(pages, last + 1);
	if (rc)
		return rc;

	chunk = chunk_find(pages, first);
	while (pos <= last) {
		unsigned long until = last;

		if (chunk && chunk->first == pos) {
			chunk->users++;
			pos = chunk_last(chunk) + 1;
			chunk = chunk_next(chunk);
			continue;
		}
		if (chunk)
			until = min(last, chunk->first - 1);
		rc = pin_range(pages, pos, until, &pos);
		if (rc)
			break;
	}
	if (rc && pos > first)
		release_locked(pages, first, pos - 1);
	return rc;
}

/**
 * iommufd_pages_release - one user less
 * @pages: the memory
 * @first: as in the iommufd_pages_acquire() that this ends
 * @last: likewise
 *
 * Context: sleeps, cannot fail.
 */
void iommufd_pages_release(struct iommufd_pages *pages, unsigned long first,
			   unsigned long last)
{
	guard(mutex)(&pages->lock);
	release_locked(pages, first, last);
}

/**
 * iommufd_pages_for_each_run - walk acquired pages, as long runs as there are
 * @pages: the memory
 * @first: index of the first page, acquired by the caller
 * @last: of the last, likewise
 * @fn: called for each run in order, sleeps if it likes; not 0 ends the walk
 * @arg: passed to @fn
 *
 * Return: 0, or what @fn returned.
 */
int iommufd_pages_for_each_run(struct iommufd_pages *pages, unsigned long first,
			       unsigned long last, iommufd_run_fn fn, void *arg)
{
	unsigned long pfn = 0, npages = 0;
	struct pin_chunk *chunk;
	unsigned int i;
	int rc;

	guard(mutex)(&pages->lock);
	for (chunk = chunk_find(pages, first); chunk && chunk->first <= last;
	     chunk = chunk_next(chunk)) {
		for (i = 0; i < chunk->nr_runs; i++) {
			u64 run = chunk->runs[i];

			/* Runs can meet where one chunk ends. */
			if (npages && pfn + npages == run_pfn(run)) {
				npages += run_len(run);
				continue;
			}
			rc = npages ? fn(arg, pfn, npages) : 0;
			if (rc)
				return rc;
			pfn = run_pfn(run);
			npages = run_len(run);
		}
	}
	return npages ? fn(arg, pfn, npages) : 0;
}

/**
 * iommufd_pages_from_user - describe memory of the calling process
 * @uptr: user address of the first byte; page 0 is the one it lies in
 * @writable: devices may write to it
 *
 * Nothing is looked at or pinned until somebody acquires pages.
 *
 * Return: the memory, with one reference; -ENOMEM.
 */
struct iommufd_pages *iommufd_pages_from_user(unsigned long uptr, bool writable)
{
	struct iommufd_pages *pages = kzalloc_obj(*pages, GFP_KERNEL_ACCOUNT);

	if (!pages)
		return ERR_PTR(-ENOMEM);
	kref_init(&pages->kref);
	mutex_init(&pages->lock);
	pages->chunks = RB_ROOT;
	pages->uaddr = uptr & PAGE_MASK;
	pages->writable = writable;
	pages->mm = current->mm;
	mmgrab(pages->mm);
	pages->task = get_task_struct(current->group_leader);
	if (!capable(CAP_IPC_LOCK))
		pages->user = get_uid(current_user());
	return pages;
}

static void pages_free(struct kref *kref)
{
	struct iommufd_pages *pages =
		container_of(kref, struct iommufd_pages, kref);

	WARN_ON(!RB_EMPTY_ROOT(&pages->chunks));
	if (pages->user)
		free_uid(pages->user);
	put_task_struct(pages->task);
	mmdrop(pages->mm);
	mutex_destroy(&pages->lock);
	kfree(pages);
}

/**
 * iommufd_pages_put - drop a reference
 * @pages: no page of it is acquired when the last reference goes
 */
void iommufd_pages_put(struct iommufd_pages *pages)
{
	kref_put(&pages->kref, pages_free);
}
