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
 *
 * User memory is pinned page by page, since that is how its page tables are
 * read. Files and hugetlb pages are pinned by folio: in such a chunk, each folio
 * has one pin for all of its pages that the chunk holds.
 */
#include <linux/cleanup.h>
#include <linux/file.h>
#include <linux/dma-buf.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "pages.h"
#include "selftest.h"

#define RUN_LEN_BITS 24
#define RUN_LEN_MAX (BIT(RUN_LEN_BITS) - 1)

/**
 * struct pin_chunk - consecutive pinned pages
 * @node: in pages->chunks
 * @first: index of the first page
 * @npages: how many
 * @users: who needs them; the chunk is unpinned when it gets to 0
 * @nr_runs: entries of @runs
 * @by_folio: a folio has one pin, not one for each page
 * @runs: where they are, in order: pfn << RUN_LEN_BITS | pages
 */
struct pin_chunk {
	struct rb_node node;
	unsigned long first;
	unsigned long npages;
	unsigned int users;
	u16 nr_runs;
	bool by_folio;
	u64 runs[] __counted_by(nr_runs);
};

#define CHUNK_RUNS ((PAGE_SIZE - sizeof(struct pin_chunk)) / sizeof(u64))
/* Pages or folios asked for at a time: one page full of pointers to them */
#define BATCH_LARGE (PAGE_SIZE / sizeof(void *))
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

static struct pin_chunk *chunk_alloc(unsigned long first, unsigned int max_runs,
				     bool by_folio)
{
	struct pin_chunk *chunk;

	chunk = kmalloc(struct_size(chunk, runs, max_runs), GFP_KERNEL_ACCOUNT);
	if (!chunk)
		return NULL;
	chunk->first = first;
	chunk->npages = 0;
	chunk->users = 1;
	chunk->nr_runs = 0;
	chunk->by_folio = by_folio;
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

/*
 * Add contiguous pages; false when the chunk is full and its last run cannot
 * take them. They stay together, so that what has one pin is in one run.
 */
static inline bool chunk_add(struct pin_chunk *chunk, unsigned long pfn,
		      unsigned long npages)
{
	if (chunk->nr_runs) {
		u64 *run = &chunk->runs[chunk->nr_runs - 1];

		if (pfn == run_pfn(*run) + run_len(*run) &&
		    run_len(*run) + npages <= RUN_LEN_MAX) {
			*run += npages;
			chunk->npages += npages;
			return true;
		}
	}
	if (chunk->nr_runs == CHUNK_RUNS)
		return false;
	chunk->nr_runs++;
	chunk->runs[chunk->nr_runs - 1] = run_make(pfn, npages);
	chunk->npages += npages;
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

/* What of a run that begins at @pfn lies in one folio */
static unsigned long folio_part(struct folio *folio, unsigned long pfn,
				unsigned long npages)
{
	return min(npages, folio_nr_pages(folio) - (pfn - folio_pfn(folio)));
}

static void unpin_folio_run(unsigned long pfn, unsigned long npages, bool dirty)
{
	unsigned long part;

	for (; npages; npages -= part, pfn += part) {
		struct folio *folio = pfn_folio(pfn);

		part = folio_part(folio, pfn, npages);
		if (dirty && !folio_test_dirty(folio)) {
			folio_lock(folio);
			folio_mark_dirty(folio);
			folio_unlock(folio);
		}
		unpin_folio(folio);
	}
}

static void chunk_unpin(struct iommufd_pages *pages, struct pin_chunk *chunk)
{
	unsigned int i;

	for (i = 0; i < chunk->nr_runs; i++) {
		unsigned long pfn = run_pfn(chunk->runs[i]);
		unsigned long len = run_len(chunk->runs[i]);

		if (chunk->by_folio)
			unpin_folio_run(pfn, len, pages->writable);
		else
			unpin_user_page_range_dirty_lock(pfn_to_page(pfn), len,
							 pages->writable);
	}
}

/* A folio with one pin that is about to be in two chunks needs two. */
static int pin_split_folio(const struct pin_chunk *chunk, unsigned long pfn)
{
	struct folio *folio = pfn_folio(pfn);

	if (!chunk->by_folio || pfn == folio_pfn(folio))
		return 0;
	return folio_add_pins(folio, 1);
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

	tail = chunk_alloc(index, nr, chunk->by_folio);
	if (!tail)
		return -ENOMEM;
	if (keep) {
		int rc = pin_split_folio(chunk, run_pfn(chunk->runs[i]) + keep);

		if (rc) {
			kfree(tail);
			return rc;
		}
	}
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

/**
 * struct pin_op - pinning a range of pages of which nothing is pinned yet
 * @pages: the memory
 * @index: the next page to pin
 * @last: the last one
 * @building: the chunk that the next page goes to; %NULL for none yet
 * @by_folio: what is placed has a pin for each folio
 * @singly: a page may stand for the rest of its folio; ask for no more than one
 * @batch: room for pointers to pages or folios
 * @max: how many
 */
struct pin_op {
	struct iommufd_pages *pages;
	unsigned long index;
	unsigned long last;
	struct pin_chunk *building;
	bool by_folio;
	bool singly;
	void **batch;
	unsigned long max;
};

static void finish_chunk(struct pin_op *op)
{
	if (op->building)
		chunk_insert(op->pages, op->building);
	op->building = NULL;
}

/* From here on, pinned pages have a pin for each folio, or for each page. */
static void place_by_folio(struct pin_op *op, bool by_folio)
{
	if (op->by_folio != by_folio)
		finish_chunk(op);
	op->by_folio = by_folio;
}

static int place_in_new_chunk(struct pin_op *op, unsigned long pfn,
			      unsigned long npages)
{
	finish_chunk(op);
	/* There are never more runs than pages left. */
	op->building = chunk_alloc(op->index,
				   min(op->last - op->index + 1, CHUNK_RUNS),
				   op->by_folio);
	if (!op->building)
		return -ENOMEM;
	chunk_add(op->building, pfn, npages);
	op->index += npages;
	return 0;
}

/* Put pinned pages in their place; @op->index goes on when there was memory. */
static inline int place_pages(struct pin_op *op, unsigned long pfn,
			      unsigned long npages)
{
	if (!op->building || !chunk_add(op->building, pfn, npages))
		return place_in_new_chunk(op, pfn, npages);
	op->index += npages;
	return 0;
}

static long get_user_batch(struct iommufd_pages *pages, unsigned long index,
			   unsigned long nr, struct page **batch)
{
	unsigned long addr = pages->base + (index << PAGE_SHIFT);
	struct mm_struct *mm = pages->owner.mm;
	unsigned int flags = FOLL_LONGTERM;
	int locked = 1;
	long got;

	if (pages->writable)
		flags |= FOLL_WRITE;
	if (mm == current->mm)
		return pin_user_pages_fast(addr, nr, flags, batch);

	if (!mmget_not_zero(mm))
		return -EFAULT;
	mmap_read_lock(mm);
	got = pin_user_pages_remote(mm, addr, nr, flags, batch, &locked);
	if (locked)
		mmap_read_unlock(mm);
	mmput(mm);
	return got;
}

/*
 * How many pages from the first on have consecutive frames. Most of the cost of
 * mapping huge pages is here, so compare pointers, four in a turn: turning each
 * into a frame number takes longer.
 */
static inline long contiguous(struct page **batch, long nr)
{
	struct page **next = batch + 1, **end = batch + nr;
	struct page *want = batch[0] + 1;

	BUILD_BUG_ON(IS_ENABLED(CONFIG_SPARSEMEM) &&
		     !IS_ENABLED(CONFIG_SPARSEMEM_VMEMMAP));
	if (next == end || *next != want)
		return 1;
	for (; end - next >= 4; next += 4, want += 4)
		if (next[0] != want || next[1] != want + 1 ||
		    next[2] != want + 2 || next[3] != want + 3)
			break;
	for (; next != end && *next == want; next++)
		want++;
	return next - batch;
}

/* Pages of a batch as runs of their own, as far as the chunk has room */
static long chunk_add_batch(struct pin_chunk *chunk, struct page **batch,
			    long nr)
{
	u64 *run = chunk->runs + chunk->nr_runs;
	u64 *end = chunk->runs + CHUNK_RUNS;
	long i = 0, len;

	for (; i < nr && run != end; i += len) {
		len = contiguous(batch + i, nr - i);
		*run++ = run_make(page_to_pfn(batch[i]), len);
	}
	chunk->nr_runs = run - chunk->runs;
	chunk->npages += i;
	return i;
}

/*
 * Only the first of them can continue the run before, or need a new chunk. How
 * many have been placed, with *rc saying why not all.
 */
static long place_batch(struct pin_op *op, struct page **batch, long nr, int *rc)
{
	long i, len;

	for (i = 0; i < nr; i += len) {
		len = contiguous(batch + i, nr - i);
		*rc = place_pages(op, page_to_pfn(batch[i]), len);
		if (*rc)
			return i;
		i += len;
		len = chunk_add_batch(op->building, batch + i, nr - i);
		op->index += len;
	}
	return nr;
}

/*
 * Wherever one page of a hugetlb folio is mapped, all of the folio is, so one pin
 * serves for what is wanted of it.
 */
static int place_hugetlb(struct pin_op *op, struct page *page)
{
	unsigned long pfn = page_to_pfn(page);

	place_by_folio(op, true);
	return place_pages(op, pfn,
			   folio_part(page_folio(page), pfn,
				      op->last - op->index + 1));
}

static int pin_user_batch(struct pin_op *op)
{
	unsigned long nr = min(op->last - op->index + 1, op->max);
	struct page **batch = (struct page **)op->batch;
	bool singly = op->singly;
	long got, placed;
	int rc;

	got = get_user_batch(op->pages, op->index, singly ? 1 : nr, batch);
	if (got <= 0)
		return got ?: -EFAULT;

	op->singly = folio_test_hugetlb(page_folio(batch[got - 1]));
	if (singly && op->singly) {
		rc = place_hugetlb(op, batch[0]);
		if (rc)
			unpin_user_page(batch[0]);
		return rc;
	}
	place_by_folio(op, false);
	placed = place_batch(op, batch, got, &rc);
	unpin_user_pages(batch + placed, got - placed);
	return rc;
}

static int pin_file_batch(struct pin_op *op)
{
	struct folio **batch = (struct folio **)op->batch;
	loff_t base = op->pages->base;
	pgoff_t offset;
	long got, i;
	int rc;

	got = memfd_pin_folios(op->pages->file,
			       base + ((loff_t)op->index << PAGE_SHIFT),
			       base + ((loff_t)(op->last + 1) << PAGE_SHIFT) - 1,
			       batch, op->max, &offset);
	if (got <= 0)
		return got ?: -EFAULT;
	for (i = 0; i < got; i++, offset = 0) {
		unsigned long pfn = folio_pfn(batch[i]) + (offset >> PAGE_SHIFT);

		rc = place_pages(op, pfn,
				 folio_part(batch[i], pfn,
					    op->last - op->index + 1));
		if (rc) {
			unpin_folios(batch + i, got - i);
			return rc;
		}
	}
	return 0;
}

static int pin_batch(struct pin_op *op)
{
	/* Of what pinning needs inside, hardly anything can be made to fail. */
	if (iommufd_test_should_fail())
		return -EFAULT;
	if (op->pages->backing == IOX_BACKING_FILE)
		return pin_file_batch(op);
	return pin_user_batch(op);
}

/*
 * Pin [first, last], of which nothing is pinned yet, with one user. On failure
 * what has been pinned stays, and *end says where it ends (one past).
 */
static int pin_range(struct iommufd_pages *pages, unsigned long first,
		     unsigned long last, unsigned long *end)
{
	void *small[BATCH_SMALL];
	void **large __free(kfree) = NULL;
	struct pin_op op = { .pages = pages, .index = first, .last = last,
			     .by_folio = pages->backing == IOX_BACKING_FILE,
			     .batch = small, .max = BATCH_SMALL };
	int rc;

	*end = first;
	rc = iommufd_owner_charge(&pages->owner, last - first + 1);
	if (rc)
		return rc;

	if (last - first >= BATCH_SMALL) {
		/* Without it, pinning only takes longer. */
		large = kmalloc_array(BATCH_LARGE, sizeof(*large),
				      GFP_KERNEL | __GFP_NOWARN);
		if (large) {
			op.batch = large;
			op.max = iommufd_test_clamp(BATCH_LARGE,
						    sizeof(*large));
		}
		op.singly = true;
	}

	while (!rc && op.index <= last) {
		rc = pin_batch(&op);
		cond_resched();
	}

	if (op.building)
		chunk_insert(pages, chunk_shrink(op.building));
	*end = op.index;
	pages->npinned += op.index - first;
	if (rc)
		iommufd_owner_uncharge(&pages->owner, last - op.index + 1);
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
		pages->npinned -= chunk->npages;
		iommufd_owner_uncharge(&pages->owner, chunk->npages);
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
 * writable, or the process is gone; -EINVAL memory of another driver; other
 * errnos of pin_user_pages().
 * Nothing has changed on failure.
 */
int iommufd_pages_acquire(struct iommufd_pages *pages, unsigned long first,
			  unsigned long last)
{
	unsigned long pos = first;
	struct pin_chunk *chunk;
	int rc;

	if (pages->dmabuf)
		return -EINVAL;
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
 * iommufd_pages_split - let users release what is before and after a page alone
 * @pages: the memory
 * @index: of the page; who has acquired it and the one before as one range can
 *	release the two parts apart when this has returned 0
 *
 * Context: sleeps.
 * Return: 0; -ENOMEM; -EINVAL memory of another driver.
 */
int iommufd_pages_split(struct iommufd_pages *pages, unsigned long index)
{
	/* What is mapped of a dma-buf is taken away in one piece. */
	if (pages->dmabuf)
		return -EINVAL;
	guard(mutex)(&pages->lock);
	return chunk_split(pages, index);
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
			if (pfn + npages == run_pfn(run)) {
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

static struct iommufd_pages *pages_new(enum iox_backing backing,
				       unsigned long base, bool writable,
				       enum iommufd_account account)
{
	struct iommufd_pages *pages = kzalloc_obj(*pages, GFP_KERNEL_ACCOUNT);

	if (!pages)
		return NULL;
	kref_init(&pages->kref);
	mutex_init(&pages->lock);
	pages->chunks = RB_ROOT;
	pages->backing = backing;
	pages->base = base & PAGE_MASK;
	pages->writable = writable;
	iommufd_owner_init(&pages->owner, account);
	return pages;
}

/**
 * iommufd_pages_from_user - describe memory of the calling process
 * @uptr: user address of the first byte; page 0 is the one it lies in
 * @writable: devices may write to it
 * @account: who pays when it is pinned
 *
 * Nothing is looked at or pinned until somebody acquires pages.
 *
 * Return: the memory, with one reference; -ENOMEM.
 */
struct iommufd_pages *iommufd_pages_from_user(unsigned long uptr, bool writable,
					      enum iommufd_account account)
{
	struct iommufd_pages *pages =
		pages_new(IOX_BACKING_USER, uptr, writable, account);

	return pages ?: ERR_PTR(-ENOMEM);
}

/**
 * iommufd_pages_from_file - describe memory of a memfd
 * @file: the memfd; a reference is taken
 * @start: offset of the first byte; page 0 is the one it lies in
 * @writable: devices may write to it; the file cannot be sealed against
 *	writing as long as the result lives
 * @account: who pays when it is pinned
 *
 * Return: the memory, with one reference; -EPERM @file may not be written to;
 * -ENOMEM.
 */
struct iommufd_pages *iommufd_pages_from_file(struct file *file,
					      unsigned long start,
					      bool writable,
					      enum iommufd_account account)
{
	struct iommufd_pages *pages;
	int rc;

	if (writable && !(file->f_mode & FMODE_WRITE))
		return ERR_PTR(-EPERM);
	rc = writable ? mapping_map_writable(file->f_mapping) : 0;
	if (rc)
		return ERR_PTR(rc);

	pages = pages_new(IOX_BACKING_FILE, start, writable, account);
	if (!pages) {
		if (writable)
			mapping_unmap_writable(file->f_mapping);
		return ERR_PTR(-ENOMEM);
	}
	pages->file = get_file(file);
	return pages;
}

/**
 * iommufd_pages_from_dmabuf - describe memory that another driver exports
 * @file: the dma-buf; a reference is taken
 * @start: offset of the first byte; page 0 is the one it lies in
 * @length: bytes
 * @writable: devices may write to it
 *
 * Nobody pays for it, since it is the exporter who has it.
 *
 * Return: the memory, with one reference; -EINVAL @file is not that long;
 * -ENOMEM; or an errno of iommufd_dmabuf_attach().
 */
struct iommufd_pages *iommufd_pages_from_dmabuf(struct dma_buf *file,
						unsigned long start,
						unsigned long length,
						bool writable)
{
	struct iommufd_dmabuf *dmabuf;
	struct iommufd_pages *pages;

	if (start + length > file->size)
		return ERR_PTR(-EINVAL);
	dmabuf = iommufd_dmabuf_attach(file);
	if (IS_ERR(dmabuf))
		return ERR_CAST(dmabuf);
	pages = pages_new(IOX_BACKING_DMABUF, start, writable,
			  IOMMUFD_ACCOUNT_NONE);
	if (!pages) {
		iommufd_dmabuf_detach(dmabuf);
		return ERR_PTR(-ENOMEM);
	}
	pages->dmabuf = dmabuf;
	return pages;
}

static void pages_free(struct kref *kref)
{
	struct iommufd_pages *pages =
		container_of(kref, struct iommufd_pages, kref);

	WARN_ON(!RB_EMPTY_ROOT(&pages->chunks) || pages->npinned);
	if (pages->file) {
		if (pages->writable)
			mapping_unmap_writable(pages->file->f_mapping);
		fput(pages->file);
	}
	if (pages->dmabuf)
		iommufd_dmabuf_detach(pages->dmabuf);
	iommufd_owner_release(&pages->owner);
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
