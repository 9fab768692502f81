/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory behind mappings: what it is, who pays for it, what of it is pinned.
 */
#ifndef IOMMUFD_PAGES_H
#define IOMMUFD_PAGES_H

#include <linux/err.h>
#include <linux/iox.h>
#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/rbtree.h>

struct dma_buf;
struct file;
struct iommu_domain;
struct iommufd_area;
struct iommufd_dmabuf;
struct mm_struct;
struct task_struct;
struct user_struct;

/**
 * enum iommufd_account - what RLIMIT_MEMLOCK of an owner limits
 * @IOMMUFD_ACCOUNT_USER: what all processes of the user have pinned
 * @IOMMUFD_ACCOUNT_MM: what this process has locked or pinned
 * @IOMMUFD_ACCOUNT_NONE: nothing, the owner may lock without limit
 */
enum iommufd_account {
	IOMMUFD_ACCOUNT_USER,
	IOMMUFD_ACCOUNT_MM,
	IOMMUFD_ACCOUNT_NONE,
};

/**
 * struct iommufd_owner - who pays for pinned memory
 * @mm: the process; the structure is held, not the memory
 * @task: whose RLIMIT_MEMLOCK holds
 * @user: whose pinned memory is counted
 * @account: what is limited
 */
struct iommufd_owner {
	struct mm_struct *mm;
	struct task_struct *task;
	struct user_struct *user;
	enum iommufd_account account;
};

/**
 * struct iommufd_pages - a piece of memory that areas map
 * @kref: one for each area
 * @lock: protects @chunks, @npinned and @owner
 * @chunks: what is pinned, by page index; see pages.c
 * @npinned: pages in @chunks, which @owner has been charged for
 * @owner: who is charged
 * @backing: what kind of memory it is
 * @base: user address of page 0, or its offset in @file
 * @dmabuf: the memory of another driver, held; only for IOX_BACKING_DMABUF.
 *	It is never acquired
 * @file: held, with writers allowed if @writable; only for IOX_BACKING_FILE
 * @writable: pinned for writing
 */
struct iommufd_pages {
	struct kref kref;
	struct mutex lock;
	struct rb_root chunks;
	unsigned long npinned;
	struct iommufd_owner owner;
	enum iox_backing backing;
	unsigned long base;
	struct file *file;
	struct iommufd_dmabuf *dmabuf;
	bool writable;
};

struct iommufd_pages *iommufd_pages_from_user(unsigned long uptr, bool writable,
					      enum iommufd_account account);
struct iommufd_pages *iommufd_pages_from_file(struct file *file,
					      unsigned long start,
					      bool writable,
					      enum iommufd_account account);
struct iommufd_pages *iommufd_pages_from_dmabuf(struct dma_buf *file,
						unsigned long start,
						unsigned long length,
						bool writable);
void iommufd_pages_put(struct iommufd_pages *pages);
int iommufd_pages_acquire(struct iommufd_pages *pages, unsigned long first,
			  unsigned long last);
int iommufd_pages_split(struct iommufd_pages *pages, unsigned long index);
void iommufd_pages_release(struct iommufd_pages *pages, unsigned long first,
			   unsigned long last);

typedef int (*iommufd_run_fn)(void *arg, unsigned long pfn,
			      unsigned long npages);
int iommufd_pages_for_each_run(struct iommufd_pages *pages, unsigned long first,
			       unsigned long last, iommufd_run_fn fn,
			       void *arg);

/* dmabuf.c */
#ifdef CONFIG_DMA_SHARED_BUFFER
struct iommufd_dmabuf *iommufd_dmabuf_attach(struct dma_buf *file);
void iommufd_dmabuf_detach(struct iommufd_dmabuf *dmabuf);
int iommufd_dmabuf_fill(struct iommufd_dmabuf *dmabuf,
			struct iommu_domain *domain,
			const struct iommufd_area *area);
void iommufd_dmabuf_empty(struct iommufd_dmabuf *dmabuf,
			  struct iommu_domain *domain,
			  const struct iommufd_area *area);
#else
static inline struct iommufd_dmabuf *iommufd_dmabuf_attach(struct dma_buf *file)
{
	return ERR_PTR(-EOPNOTSUPP);
}

static inline void iommufd_dmabuf_detach(struct iommufd_dmabuf *dmabuf)
{
}

static inline int iommufd_dmabuf_fill(struct iommufd_dmabuf *dmabuf,
				      struct iommu_domain *domain,
				      const struct iommufd_area *area)
{
	return -EOPNOTSUPP;
}

static inline void iommufd_dmabuf_empty(struct iommufd_dmabuf *dmabuf,
					struct iommu_domain *domain,
					const struct iommufd_area *area)
{
}
#endif

/* account.c */
void iommufd_owner_init(struct iommufd_owner *owner,
			enum iommufd_account account);
void iommufd_owner_release(struct iommufd_owner *owner);
int iommufd_owner_charge(struct iommufd_owner *owner, unsigned long npages);
void iommufd_owner_charge_unlimited(struct iommufd_owner *owner,
				    unsigned long npages);
void iommufd_owner_uncharge(struct iommufd_owner *owner, unsigned long npages);

#endif
