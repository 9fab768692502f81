// SPDX-License-Identifier: GPL-2.0-only
/* memfds, of small pages and of hugetlbfs, that grow, shrink and get holes. */
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

#define SMALL_FILE_PAGES 48

struct frame *file_frame(struct file *file, unsigned long index)
{
	if (index >= file->npages)
		return NULL;
	if (!file->slot[index])
		file->slot[index] = frame_new(file->w, file->hugetlb);
	return file->slot[index];
}

static void drop_slots(struct file *file, unsigned long first,
		       unsigned long last)
{
	for (unsigned long i = first; i < last; i++) {
		frame_put(file->w, file->slot[i]);
		file->slot[i] = NULL;
	}
}

void file_put(struct file *file)
{
	if (--file->refs)
		return;
	drop_slots(file, 0, FILE_PAGES);
	free(file);
}

struct file *pick_file(struct world *w)
{
	return vec_pick(w, &w->files);
}

/*
 * Takes a huge page of those that the world has. A hole would get one when it is
 * pinned, but none of those that cannot be pinned for long: see find_frame().
 */
static void fill_hugetlb(struct file *file)
{
	file->w->hugetlb_pages--;
	must_work(file->w, fallocate(file->fd, 0, 0, file->npages * PAGE) ?
			     -errno : 0);
}

static void resize(struct file *file, unsigned long npages)
{
	note(file->w, "ftruncate from %lu to %lu pages", file->npages, npages);
	must_work(file->w, ftruncate(file->fd, npages * PAGE) ? -errno : 0);
	if (npages < file->npages)
		drop_slots(file, npages, file->npages);
	file->npages = npages;
	if (file->hugetlb && npages)
		fill_hugetlb(file);
}

/* Private copies of what is past the end go with it. */
static void drop_private(struct mm *mm, struct file *file)
{
	for (unsigned long i = 0; i < ARENA_PAGES; i++) {
		struct vpage *vp = &mm->page[i];

		if (vp->file != file || vp->index < file->npages)
			continue;
		frame_put(mm->w, vp->frame);
		vp->frame = NULL;
	}
}

void op_file_new(struct world *w)
{
	bool hugetlb = one_in(w, 4) && w->hugetlb_pages;
	struct file *file;

	if (vec_full(&w->files))
		return;
	file = calloc(1, sizeof(*file));
	if (!file)
		broken(w, "memory for a file's model");
	file->w = w;
	file->refs = 1;
	file->holders = 1;
	file->hugetlb = hugetlb;
	note(w, "memfd_create%s", hugetlb ? " hugetlb" : "");
	file->fd = memfd_create("fuzz", MFD_CLOEXEC |
				(hugetlb ? MFD_HUGETLB | MFD_HUGE_2MB : 0));
	must_work(w, file->fd < 0 ? -errno : 0);
	vec_add(&w->files, file);
	resize(file, hugetlb ? BLOCK_PAGES : 1 + rnd(w, SMALL_FILE_PAGES));
}

void op_file_close(struct world *w)
{
	struct file *file = pick_file(w);

	if (!file)
		return;
	note(w, "close a file");
	must_work(w, close(file->fd) ? -errno : 0);
	vec_del(&w->files, file);
	file->fd = -1;
	file_put(file);
}

void op_file_truncate(struct world *w)
{
	struct file *file = pick_file(w);

	if (!file || (file->hugetlb && !w->hugetlb_pages))
		return;
	if (file->hugetlb)
		resize(file, file->npages ? 0 : BLOCK_PAGES);
	else
		resize(file, rnd(w, SMALL_FILE_PAGES));
	for (unsigned int i = 0; i < w->nr_mms; i++)
		drop_private(w->mm[i], file);
}

void op_file_punch(struct world *w)
{
	struct file *file = pick_file(w);
	unsigned long first, nr;

	if (!file || !file->npages || (file->hugetlb && !w->hugetlb_pages))
		return;
	first = file->hugetlb ? 0 : rnd(w, file->npages);
	nr = file->hugetlb ? BLOCK_PAGES : 1 + rnd(w, file->npages - first);
	note(w, "punch a hole of %lu+%lu into %lu pages", first, nr,
	     file->npages);
	must_work(w, fallocate(file->fd,
			       FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			       first * PAGE, nr * PAGE) ? -errno : 0);
	drop_slots(file, first, first + nr);
	if (file->hugetlb)
		fill_hugetlb(file);
}

/* hugetlbfs has no write(): through a mapping only. */
void op_file_write(struct world *w)
{
	struct file *file = pick_file(w);
	unsigned long index;
	struct frame *frame;

	if (!file || file->hugetlb || !file->npages)
		return;
	index = rnd(w, file->npages);
	frame = file_frame(file, index);
	random_bytes(w, frame->bytes, PAGE);
	note(w, "write to page %lu of a file", index);
	must_work(w, pwrite(file->fd, frame->bytes, PAGE, index * PAGE) == PAGE ?
			     0 : -EIO);
}
