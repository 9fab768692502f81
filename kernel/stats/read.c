// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading page tables while memory is mapped and unmapped.
 *
 * Maps and unmaps take no lock that a reader could take, and a table that an
 * unmap has emptied is freed as soon as the IOTLB has forgotten it. So, as long
 * as anybody reads, tables are not freed but kept, until all have ended who
 * read when the last of them was put aside:
 *
 *  - A table is taken out of its parent before it is freed or kept. A reader
 *    comes from the top, so it meets a table that is still in place, or one
 *    that was taken out after the reader had begun. The latter is kept, as are
 *    all tables below it.
 *  - Who frees looks at nr_readers within an RCU read-side critical section,
 *    and frees within it. The first reader waits for all of those that may not
 *    have seen it.
 *  - Readers hold SRCU for one walk, which may sleep. What is kept is freed a
 *    grace period of it later, also when there are new readers by then.
 *
 * When nobody reads, all of it costs an unmap that frees tables a look at one
 * variable, and others nothing.
 */
#include <linux/cleanup.h>
#include <linux/export.h>
#include <linux/generic_pt/iommu.h>
#include <linux/iommu.h>
#include <linux/iox_stats.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/sizes.h>
#include <linux/spinlock.h>
#include <linux/srcu.h>
#include <linux/workqueue.h>

#include "../iommu-pages.h"

/* IOVAs that one walk of leaves covers: a millisecond or two if all are small */
#define SLICE SZ_1G

/* Changed with readers_lock held, read in RCU read-side critical sections */
static unsigned int nr_readers;
static DEFINE_MUTEX(readers_lock);

DEFINE_STATIC_SRCU(tables_srcu);

/* struct ioptdesc, protected by kept_lock */
static LIST_HEAD(kept_tables);
static DEFINE_SPINLOCK(kept_lock);

static void free_kept(struct work_struct *work)
{
	struct ioptdesc *iopt, *next;
	LIST_HEAD(tables);

	scoped_guard(spinlock_irqsave, &kept_lock)
		list_splice_init(&kept_tables, &tables);
	synchronize_srcu(&tables_srcu);
	list_for_each_entry_safe(iopt, next, &tables, iopt_freelist_elm) {
		iommu_free_pages(folio_address(ioptdesc_folio(iopt)));
		cond_resched();
	}
}

static DECLARE_WORK(free_work, free_kept);

/**
 * iommu_pages_keep - free tables later if somebody may be reading them
 * @list: not empty; no page table leads to them any more
 *
 * Context: any; the RCU read lock is held until they are freed, when they are
 * not kept.
 * Return: whether they are kept, and @list is not the caller's any more.
 */
bool iommu_pages_keep(struct iommu_pages_list *list)
{
	if (likely(!READ_ONCE(nr_readers)))
		return false;
	scoped_guard(spinlock_irqsave, &kept_lock)
		list_splice(&list->pages, &kept_tables);
	schedule_work(&free_work);
	return true;
}

/**
 * iommu_pt_read_begin - keep tables from now on, so that they can be read
 *
 * Context: sleeps for a grace period of RCU.
 */
void iommu_pt_read_begin(void)
{
	guard(mutex)(&readers_lock);
	WRITE_ONCE(nr_readers, nr_readers + 1);
	if (nr_readers == 1)
		synchronize_rcu();
}
EXPORT_SYMBOL_FOR_MODULES(iommu_pt_read_begin, "iommufd");

/** iommu_pt_read_end - undo iommu_pt_read_begin() */
void iommu_pt_read_end(void)
{
	guard(mutex)(&readers_lock);
	WRITE_ONCE(nr_readers, nr_readers - 1);
}
EXPORT_SYMBOL_FOR_MODULES(iommu_pt_read_end, "iommufd");

/**
 * iommu_pt_read_tables - count the tables of a domain
 * @domain: cannot be freed meanwhile
 * @tables: zero, but for @tables->stop
 *
 * Context: sleeps; between iommu_pt_read_begin() and iommu_pt_read_end().
 * Return: 0; -EOPNOTSUPP its page table is not of generic_pt; -ECANCELED
 * @tables->stop wanted it.
 */
int iommu_pt_read_tables(struct iommu_domain *domain,
			 struct iommu_pt_tables *tables)
{
	struct pt_iommu *table = iommupt_from_domain(domain);

	if (!table)
		return -EOPNOTSUPP;
	guard(srcu)(&tables_srcu);
	return table->ops->read_tables(table, tables);
}
EXPORT_SYMBOL_FOR_MODULES(iommu_pt_read_tables, "iommufd");

/* So many IOVAs that what is unmapped meanwhile is not kept for long */
static int read_slice(struct pt_iommu *table, u64 first, u64 last,
		      struct iommu_pt_leaf_reader *reader)
{
	guard(srcu)(&tables_srcu);
	return table->ops->read_leaves(table, first, last, reader);
}

/**
 * iommu_pt_read_leaves - read the leaves of a range
 * @domain: cannot be freed meanwhile
 * @reader: @reader->next and last say which range
 *
 * Context: sleeps; between iommu_pt_read_begin() and iommu_pt_read_end().
 * Return: 0; -EOPNOTSUPP its page table is not of generic_pt; -ECANCELED
 * @reader->stop wanted it.
 */
int iommu_pt_read_leaves(struct iommu_domain *domain,
			 struct iommu_pt_leaf_reader *reader)
{
	struct pt_iommu *table = iommupt_from_domain(domain);
	u64 first, last;
	int rc = 0;

	if (!table)
		return -EOPNOTSUPP;
	reader->run.length = 0;
	for (first = reader->next; !rc; first = max(last + 1, reader->next)) {
		last = min(first | (SLICE - 1), reader->last);
		rc = read_slice(table, first, last, reader);
		/* The last leaf may end at the end of all there is. */
		if (last == reader->last || reader->next - 1 == reader->last)
			break;
	}
	if (reader->run.length)
		reader->tell(reader, &reader->run);
	return rc;
}
EXPORT_SYMBOL_FOR_MODULES(iommu_pt_read_leaves, "iommufd");
