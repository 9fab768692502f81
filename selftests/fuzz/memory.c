// SPDX-License-Identifier: GPL-2.0-only
/* The model of memory: frames, and the addresses at which processes see them. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fuzz.h"

/* Room for frames, most of which are never needed at a time */
#define POOL_SIZE (1UL << 30)

struct frame *frame_new(struct world *w, bool large)
{
	struct frame *frame = w->free_frames;

	if (frame) {
		w->free_frames = frame->next_free;
	} else {
		frame = (struct frame *)(w->pool + w->pool_used);
		w->pool_used += sizeof(*frame);
		if (w->pool_used > POOL_SIZE)
			broken(w, "out of frames");
	}
	memset(frame, 0, sizeof(*frame));
	frame->refs = 1;
	frame->large = large;
	return frame;
}

struct frame *frame_get(struct frame *frame)
{
	frame->refs++;
	return frame;
}

void frame_put(struct world *w, struct frame *frame)
{
	if (!frame || --frame->refs)
		return;
	frame->next_free = w->free_frames;
	w->free_frames = frame;
}

unsigned long arena_addr(const struct world *w, unsigned long page)
{
	return ARENA_BASE + w->number * ARENA_STRIDE + page * PAGE;
}

static unsigned long arena_page(const struct world *w, unsigned long addr)
{
	return (addr - arena_addr(w, 0)) / PAGE;
}

struct vpage *mm_vpage(struct mm *mm, unsigned long addr)
{
	if (addr < arena_addr(mm->w, 0) ||
	    addr >= arena_addr(mm->w, ARENA_PAGES))
		return NULL;
	return &mm->page[arena_page(mm->w, addr)];
}

void vpage_drop(struct world *w, struct vpage *vp)
{
	frame_put(w, vp->frame);
	if (vp->file)
		file_put(vp->file);
	*vp = (struct vpage){ .kind = V_NONE };
}

/*
 * From now on a private mapping has its own copy of a page. A call that fails
 * may have got that far or not, and one could not tell until the file changes:
 * so have it copied right now.
 */
static void copy_private(struct mm *mm, struct vpage *vp, unsigned long addr,
			 const struct frame *below)
{
	vp->frame = frame_new(mm->w, false);
	memcpy(vp->frame->bytes, below->bytes, PAGE);
	addr -= addr % PAGE;
	if (pwrite(mm->memory, below->bytes, 1, addr) != 1)
		broken(mm->w, "copying a page of a private mapping");
}

struct frame *mm_fault(struct mm *mm, unsigned long addr, bool write)
{
	struct vpage *vp = mm_vpage(mm, addr);
	struct frame *below;

	if (!mm->alive || !vp || vp->kind == V_NONE || (write && !vp->writable))
		return NULL;
	if (vp->kind == V_ANON) {
		if (!vp->frame)
			vp->frame = frame_new(mm->w, vp->thp);
		return vp->frame;
	}
	below = file_frame(vp->file, vp->index);
	if (vp->kind == V_SHARED || !below)
		return below;
	if (!vp->frame)
		copy_private(mm, vp, addr, below);
	return vp->frame;
}

bool mm_peek(struct mm *mm, unsigned long addr, struct frame **frame)
{
	struct vpage *vp = mm_vpage(mm, addr);

	*frame = NULL;
	if (!mm->alive || !vp || vp->kind == V_NONE)
		return false;
	if (vp->kind != V_ANON && vp->index >= vp->file->npages)
		return false;
	*frame = vp->frame;
	if (vp->kind != V_ANON && !vp->frame)
		*frame = file_frame(vp->file, vp->index);
	return true;
}

/* --- what processes do ---------------------------------------------------------- */

static void store_in_model(struct mm *mm, unsigned long addr,
			   const void *bytes, size_t length)
{
	while (length) {
		size_t offset = addr % PAGE;
		size_t part = PAGE - offset < length ? PAGE - offset : length;

		memcpy(mm_fault(mm, addr, true)->bytes + offset, bytes, part);
		addr += part;
		bytes = (const char *)bytes + part;
		length -= part;
	}
}

void mm_store(struct mm *mm, unsigned long addr, const void *bytes,
	      size_t length)
{
	store_in_model(mm, addr, bytes, length);
	if (!mm->number)
		memcpy((void *)addr, bytes, length);
	else if (pwrite(mm->memory, bytes, length, addr) != (ssize_t)length)
		broken(mm->w, "writing to a puppet's memory");
}

static void load_page(struct mm *mm, unsigned long addr, void *bytes)
{
	if (!mm->number)
		memcpy(bytes, (void *)addr, PAGE);
	else if (pread(mm->memory, bytes, PAGE, addr) != PAGE)
		broken(mm->w, "reading a puppet's memory");
}

void mm_verify(struct mm *mm)
{
	static const __u8 zeros[PAGE];
	struct frame *frame;
	__u8 bytes[PAGE];

	for (unsigned long page = 0; page < ARENA_PAGES; page++) {
		unsigned long addr = arena_addr(mm->w, page);

		if (!mm_peek(mm, addr, &frame))
			continue;
		/* Untouched memory costs time and tells nothing. */
		if (!frame && page % 8)
			continue;
		load_page(mm, addr, bytes);
		if (memcmp(bytes, frame ? frame->bytes : zeros, PAGE))
			mismatch(mm->w,
				 "mm %u sees other bytes at page %lu, of kind %u",
				 mm->number, page, mm->page[page].kind);
	}
}

void mm_unmap_pages(struct mm *mm, unsigned long first, unsigned long nr)
{
	for (unsigned long i = first; i < first + nr; i++)
		vpage_drop(mm->w, &mm->page[i]);
}

void mm_die(struct mm *mm)
{
	struct world *w = mm->w;

	mm->alive = false;
	mm_unmap_pages(mm, 0, ARENA_PAGES);
	for (unsigned int i = 0; i < w->files.nr; i++)
		w->files.at[i]->holders &= ~(1U << mm->number);
	/* Leaving may free the context. */
	for (unsigned int i = w->ctxs.nr; i > 0; i--)
		ctx_leave(w->ctxs.at[i - 1], mm->number);
}

struct mm *pick_mm(struct world *w, __u32 holders)
{
	struct mm *mm = w->mm[rnd(w, w->nr_mms)];

	/* Mostly the process itself */
	if (!mm->alive || !(holders & 1U << mm->number) || one_in(w, 3))
		mm = w->mm[0];
	return holders & 1U << mm->number ? mm : NULL;
}

/* --- operations ----------------------------------------------------------------- */

struct pick {
	struct mm *mm;
	unsigned long first;
	unsigned long nr;
};

/* Pages of one of the blocks that change */
static struct pick pick_pages(struct world *w)
{
	struct pick pick = { .mm = pick_mm(w, ~0U) };
	unsigned long most = 24;

	if (one_in(w, 4)) {
		pick.first = BLOCK_THP * BLOCK_PAGES;
		if (one_in(w, 2)) {
			pick.nr = BLOCK_PAGES;
			return pick;
		}
		pick.first += rnd(w, BLOCK_PAGES - most);
	} else {
		/* A small part, so that these meet often */
		pick.first = BLOCK_SMALL * BLOCK_PAGES + rnd(w, 96);
	}
	pick.nr = 1 + rnd(w, most);
	return pick;
}

static void store_random(struct mm *mm, unsigned long first, unsigned long nr)
{
	__u64 bytes[PAGE / sizeof(__u64)];

	for (unsigned long i = first; i < first + nr; i++) {
		random_bytes(mm->w, bytes, sizeof(bytes));
		mm_store(mm, arena_addr(mm->w, i), bytes, sizeof(bytes));
	}
}

static void map_anonymous(struct mm *mm, unsigned long first, unsigned long nr)
{
	unsigned long addr = arena_addr(mm->w, first);
	bool thp = first / BLOCK_PAGES == BLOCK_THP;
	__u32 vma = ++mm->w->next_vma;
	long rc;

	rc = mm_syscall(mm, SYS_mmap, addr, nr * PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (rc >= 0)
		rc = mm_syscall(mm, SYS_madvise, addr, nr * PAGE,
				thp ? MADV_HUGEPAGE : MADV_NOHUGEPAGE, 0, 0, 0);
	must_work(mm->w, rc);
	mm_unmap_pages(mm, first, nr);
	for (unsigned long i = first; i < first + nr; i++)
		mm->page[i] = (struct vpage){ .kind = V_ANON, .writable = true,
					      .thp = thp, .vma = vma };
}

static void map_file_pages(struct mm *mm, unsigned long first, unsigned long nr,
			   struct file *file, unsigned long index, bool shared)
{
	__u32 vma = ++mm->w->next_vma;
	long rc;

	rc = mm_syscall(mm, SYS_mmap, arena_addr(mm->w, first), nr * PAGE,
			PROT_READ | PROT_WRITE,
			(shared ? MAP_SHARED : MAP_PRIVATE) | MAP_FIXED,
			file->fd, index * PAGE);
	must_work(mm->w, rc < 0 ? rc : 0);
	mm_unmap_pages(mm, first, nr);
	for (unsigned long i = 0; i < nr; i++) {
		mm->page[first + i] = (struct vpage){
			.kind = shared ? V_SHARED : V_PRIVATE,
			.writable = true, .vma = vma,
			.file = file, .index = index + i };
		file->refs++;
	}
}

static void mmap_hugetlb(struct world *w, struct file *file)
{
	struct mm *mm = pick_mm(w, file->holders);

	if (!mm || file->npages < BLOCK_PAGES)
		return;
	note(w, "mm %u mmap hugetlb", mm->number);
	map_file_pages(mm, BLOCK_HUGETLB * BLOCK_PAGES, BLOCK_PAGES, file, 0,
		       true);
}

void op_mmap(struct world *w)
{
	struct pick pick = pick_pages(w);
	struct file *file = pick_file(w);
	bool shared = one_in(w, 2);

	if (one_in(w, 3) && file && file->hugetlb) {
		mmap_hugetlb(w, file);
		return;
	}
	if (one_in(w, 2) || !file || file->hugetlb ||
	    !(file->holders & 1U << pick.mm->number)) {
		note(w, "mm %u mmap %lu+%lu", pick.mm->number, pick.first,
		     pick.nr);
		map_anonymous(pick.mm, pick.first, pick.nr);
		if (!one_in(w, 4))
			store_random(pick.mm, pick.first,
				     pick.nr < 24 ? pick.nr : 24);
		return;
	}
	note(w, "mm %u mmap %lu+%lu file %lu pages %s", pick.mm->number,
	     pick.first, pick.nr, file->npages, shared ? "shared" : "private");
	map_file_pages(pick.mm, pick.first, pick.nr, file, rnd(w, 8), shared);
}

void op_munmap(struct world *w)
{
	struct pick pick = pick_pages(w);

	if (one_in(w, 8)) {
		pick.first = BLOCK_HUGETLB * BLOCK_PAGES;
		pick.nr = BLOCK_PAGES;
	}
	note(w, "mm %u munmap %lu+%lu", pick.mm->number, pick.first, pick.nr);
	must_work(w, mm_syscall(pick.mm, SYS_munmap,
				arena_addr(w, pick.first), pick.nr * PAGE, 0, 0,
				0, 0));
	mm_unmap_pages(pick.mm, pick.first, pick.nr);
}

/* How many pages from @first on are of one VMA */
static unsigned long vma_pages(struct mm *mm, unsigned long first,
			       unsigned long nr)
{
	const struct vpage *head = &mm->page[first];
	unsigned long i;

	for (i = 0; i < nr && head->kind != V_NONE; i++)
		if (head[i].vma != head->vma ||
		    head[i].writable != head->writable)
			break;
	return i;
}

void op_mremap(struct world *w)
{
	struct pick from = pick_pages(w);
	unsigned long to = BLOCK_SMALL * BLOCK_PAGES + rnd(w, 96);
	unsigned long nr = vma_pages(from.mm, from.first, from.nr);
	struct mm *mm = from.mm;
	__u32 vma = ++w->next_vma;
	long rc;

	if (nr > 64)
		nr = 64;
	if (!nr || (to < from.first + nr && from.first < to + nr))
		return;
	note(w, "mm %u mremap %lu+%lu to %lu", mm->number, from.first, nr, to);
	rc = mm_syscall(mm, SYS_mremap, arena_addr(w, from.first), nr * PAGE,
			nr * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
			arena_addr(w, to), 0);
	must_work(w, rc < 0 ? rc : 0);
	mm_unmap_pages(mm, to, nr);
	for (unsigned long i = 0; i < nr; i++) {
		mm->page[to + i] = mm->page[from.first + i];
		mm->page[to + i].vma = vma;
		mm->page[from.first + i] = (struct vpage){ .kind = V_NONE };
	}
}

void op_mprotect(struct world *w)
{
	struct pick pick = pick_pages(w);
	unsigned long nr = vma_pages(pick.mm, pick.first, pick.nr);
	bool writable = !one_in(w, 3);

	/* See copy_private(): it has to be able to write. */
	if (!nr || pick.mm->page[pick.first].kind == V_PRIVATE)
		return;
	note(w, "mm %u mprotect %lu+%lu %s", pick.mm->number, pick.first, nr,
	     writable ? "rw" : "r");
	must_work(w, mm_syscall(pick.mm, SYS_mprotect,
				arena_addr(w, pick.first), nr * PAGE,
				PROT_READ | (writable ? PROT_WRITE : 0), 0, 0,
				0));
	for (unsigned long i = pick.first; i < pick.first + nr; i++)
		pick.mm->page[i].writable = writable;
}

void op_dontneed(struct world *w)
{
	struct pick pick = pick_pages(w);
	unsigned long nr = vma_pages(pick.mm, pick.first, pick.nr);

	if (!nr)
		return;
	note(w, "mm %u madvise %lu+%lu", pick.mm->number, pick.first, nr);
	must_work(w, mm_syscall(pick.mm, SYS_madvise, arena_addr(w, pick.first),
				nr * PAGE, MADV_DONTNEED, 0, 0, 0));
	for (unsigned long i = pick.first; i < pick.first + nr; i++) {
		frame_put(w, pick.mm->page[i].frame);
		pick.mm->page[i].frame = NULL;
	}
}

void op_store(struct world *w)
{
	unsigned long page = rnd(w, ARENA_PAGES), addr;
	struct mm *mm = pick_mm(w, ~0U);
	size_t length = 1 + rnd(w, 256);
	__u64 bytes[32];

	if (one_in(w, 2))
		page = BLOCK_SMALL * BLOCK_PAGES + rnd(w, 120);
	addr = arena_addr(w, page) + rnd(w, PAGE - length);
	if (!mm_fault(mm, addr, true))
		return;
	random_bytes(w, bytes, sizeof(bytes));
	note(w, "mm %u store %zu at page %lu", mm->number, length, page);
	mm_store(mm, addr, bytes, length);
}

/* --- setup ------------------------------------------------------------------------ */

static struct mm *mm_new(struct world *w)
{
	struct mm *mm = calloc(1, sizeof(*mm));

	if (!mm)
		broken(w, "memory for a process's model");
	mm->w = w;
	mm->number = w->nr_mms;
	mm->alive = true;
	w->mm[w->nr_mms++] = mm;
	return mm;
}

void memory_setup(struct world *w)
{
	w->pool = mmap(NULL, POOL_SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (w->pool == MAP_FAILED ||
	    madvise(w->pool, POOL_SIZE, MADV_DONTFORK))
		broken(w, "memory for frames");
	mm_new(w)->memory = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	if (w->mm[0]->memory < 0)
		broken(w, "/proc/self/mem");
	note(w, "set up");
	map_anonymous(w->mm[0], 0, 64);
	store_random(w->mm[0], 0, 64);
	map_anonymous(w->mm[0], BLOCK_SMALL * BLOCK_PAGES, 64);
	store_random(w->mm[0], BLOCK_SMALL * BLOCK_PAGES, 64);
}

void memory_teardown(struct world *w)
{
	for (unsigned int i = 0; i < w->nr_mms; i++) {
		if (!i) {
			close(w->mm[i]->memory);
			munmap((void *)arena_addr(w, 0), ARENA_PAGES * PAGE);
		}
		mm_unmap_pages(w->mm[i], 0, ARENA_PAGES);
		free(w->mm[i]);
	}
	munmap(w->pool, POOL_SIZE);
}
