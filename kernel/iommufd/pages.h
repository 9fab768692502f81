/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory behind mappings: what it is, and what of it is pinned.
 */
#ifndef IOMMUFD_PAGES_H
#define IOMMUFD_PAGES_H

#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/rbtree.h>

struct mm_struct;
struct page;
struct task_struct;
struct user_struct;

/**
 * struct iommufd_pages - a piece of memory that areas map
 * @kref: one for each area
 * @lock: protects @chunks
 * @chunks: what is pinned, by page index; see pages.c
 * @uaddr: user address of page 0
 * @mm: whose address that is; keeps the structure, not the memory
 * @task: whose RLIMIT_MEMLOCK holds
 * @user: who is charged; %NULL when the caller may lock without limit
 * @writable: pinned for writing
 */
struct iommufd_pages {
	struct kref kref;
	struct mutex lock;
	struct rb_root chunks;
	unsigned long uaddr;
	struct mm_struct *mm;
	struct task_struct *task;
	struct user_struct *user;
	bool writable;
};

struct iommufd_pages *iommufd_pages_from_user(unsigned long uptr, bool writable);
void iommufd_pages_put(struct iommufd_pages *pages);
int iommufd_pages_acquire(struct iommufd_pages *pages, unsigned long first,
			  unsigned long last);
void iommufd_pages_release(struct iommufd_pages *pages, unsigned long first,
			   unsigned long last);

typedef int (*iommufd_run_fn)(void *arg, unsigned long pfn,
			      unsigned long npages);
int iommufd_pages_for_each_run(struct iommufd_pages *pages, unsigned long first,
			       unsigned long last, iommufd_run_fn fn,
			       void *arg);

#endif
