// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who pays for pinned memory.
 */
#include <linux/cred.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/sched/user.h>

#include "pages.h"

/**
 * iommufd_owner_init - have the calling process pay
 * @owner: filled in; to be given up with iommufd_owner_release()
 * @account: what is limited, unless the caller may lock without limit
 */
void iommufd_owner_init(struct iommufd_owner *owner,
			enum iommufd_account account)
{
	owner->account = capable(CAP_IPC_LOCK) ? IOMMUFD_ACCOUNT_NONE : account;
	owner->user = get_uid(current_user());
	owner->task = get_task_struct(current->group_leader);
	owner->mm = current->mm;
	mmgrab(owner->mm);
}

/**
 * iommufd_owner_release - undo iommufd_owner_init()
 * @owner: is charged for nothing any more
 */
void iommufd_owner_release(struct iommufd_owner *owner)
{
	free_uid(owner->user);
	put_task_struct(owner->task);
	mmdrop(owner->mm);
}

static unsigned long limit_of(const struct iommufd_owner *owner)
{
	return task_rlimit(owner->task, RLIMIT_MEMLOCK) >> PAGE_SHIFT;
}

static int charge_user(struct iommufd_owner *owner, unsigned long npages,
		       unsigned long limit)
{
	unsigned long locked = atomic_long_read(&owner->user->locked_vm);

	do {
		if (locked + npages > limit)
			return -ENOMEM;
	} while (!atomic_long_try_cmpxchg(&owner->user->locked_vm, &locked,
					  locked + npages));
	return 0;
}

static int charge_mm(struct iommufd_owner *owner, unsigned long npages,
		     unsigned long limit)
{
	int rc = 0;

	mmap_write_lock(owner->mm);
	if (owner->mm->locked_vm + npages > limit)
		rc = -ENOMEM;
	else
		owner->mm->locked_vm += npages;
	mmap_write_unlock(owner->mm);
	return rc;
}

static int charge(struct iommufd_owner *owner, unsigned long npages,
		  unsigned long limit)
{
	int rc = 0;

	if (owner->account == IOMMUFD_ACCOUNT_USER)
		rc = charge_user(owner, npages, limit);
	else if (owner->account == IOMMUFD_ACCOUNT_MM)
		rc = charge_mm(owner, npages, limit);
	if (!rc)
		atomic64_add(npages, &owner->mm->pinned_vm);
	return rc;
}

/**
 * iommufd_owner_charge - count memory that is about to be pinned
 * @owner: who pays
 * @npages: how much
 *
 * Before pinning, so that a limit is never passed even for a moment.
 *
 * Context: sleeps; takes mmap_lock of the owner.
 * Return: 0, or -ENOMEM when RLIMIT_MEMLOCK does not allow it.
 */
int iommufd_owner_charge(struct iommufd_owner *owner, unsigned long npages)
{
	return charge(owner, npages, limit_of(owner));
}

/**
 * iommufd_owner_charge_unlimited - count memory that was paid for before
 * @owner: who pays again
 * @npages: how much
 */
void iommufd_owner_charge_unlimited(struct iommufd_owner *owner,
				    unsigned long npages)
{
	charge(owner, npages, ULONG_MAX);
}

/**
 * iommufd_owner_uncharge - undo iommufd_owner_charge()
 * @owner: who has paid
 * @npages: how much
 */
void iommufd_owner_uncharge(struct iommufd_owner *owner, unsigned long npages)
{
	if (owner->account == IOMMUFD_ACCOUNT_USER) {
		atomic_long_sub(npages, &owner->user->locked_vm);
	} else if (owner->account == IOMMUFD_ACCOUNT_MM) {
		mmap_write_lock(owner->mm);
		owner->mm->locked_vm -= npages;
		mmap_write_unlock(owner->mm);
	}
	atomic64_sub(npages, &owner->mm->pinned_vm);
}
