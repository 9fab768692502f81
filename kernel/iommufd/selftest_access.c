// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test accesses: files through which a test pins, reads and writes the memory
 * behind an IOAS as a kernel driver would.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "selftest_mock.h"

/* More than a test needs, less than what hurts the machine */
#define LENGTH_MAX SZ_16M

/**
 * struct test_access - what is behind a test access's file
 * @access: the core's
 * @lock: protects @items and @next_id; held while a range is pinned
 * @items: ranges that are pinned
 * @next_id: of the next one
 */
struct test_access {
	struct iommufd_access *access;
	struct mutex lock;
	struct list_head items;
	u32 next_id;
};

/**
 * struct test_pin - a range that a test has pinned
 * @item: in the access's items
 * @iova: where it begins
 * @length: bytes
 * @id: what the test knows it by
 */
struct test_pin {
	struct list_head item;
	unsigned long iova;
	unsigned long length;
	u32 id;
};

static void drop_pin(struct test_access *test, struct test_pin *pin)
{
	iommufd_access_unpin_pages(test->access, pin->iova, pin->length);
	list_del(&pin->item);
	kfree(pin);
}

static void test_access_unmap(void *data, unsigned long iova,
			      unsigned long length)
{
	unsigned long last = iova + (length - 1);
	struct test_access *test = data;
	struct test_pin *pin, *next;

	guard(mutex)(&test->lock);
	list_for_each_entry_safe(pin, next, &test->items, item)
		if (pin->iova <= last && iova <= pin->iova + (pin->length - 1))
			drop_pin(test, pin);
}

static const struct iommufd_access_ops pinning_ops = {
	.needs_pin_pages = 1,
	.unmap = test_access_unmap,
};

static const struct iommufd_access_ops copying_ops = {
	.unmap = test_access_unmap,
};

static int test_access_release(struct inode *inode, struct file *filp)
{
	struct test_access *test = filp->private_data;

	/* Tells of an unmap of everything, which drops the pins. */
	iommufd_access_destroy(test->access);
	WARN_ON(!list_empty(&test->items));
	mutex_destroy(&test->lock);
	kfree(test);
	return 0;
}

static const struct file_operations test_access_fops = {
	.release = test_access_release,
};

static struct file *test_access_get(int fd)
{
	struct file *filp = fget(fd);

	if (filp && filp->f_op == &test_access_fops)
		return filp;
	if (filp)
		fput(filp);
	return ERR_PTR(-EBADF);
}

DEFINE_CLASS(test_access_file, struct file *, if (!IS_ERR(_T)) fput(_T),
	     test_access_get(fd), int fd)

static struct test_access *test_access_new(struct iommufd_ctx *ictx,
					   const struct iommufd_access_ops *ops,
					   u32 ioas_id)
{
	struct test_access *test = kzalloc_obj(*test, GFP_KERNEL_ACCOUNT);
	u32 id;
	int rc;

	if (!test)
		return ERR_PTR(-ENOMEM);
	mutex_init(&test->lock);
	INIT_LIST_HEAD(&test->items);
	test->next_id = 1;
	test->access = iommufd_access_create(ictx, ops, test, &id);
	if (IS_ERR(test->access)) {
		rc = PTR_ERR(test->access);
		kfree(test);
		return ERR_PTR(rc);
	}
	rc = iommufd_access_attach(test->access, ioas_id);
	if (rc) {
		iommufd_access_destroy(test->access);
		kfree(test);
		return ERR_PTR(rc);
	}
	return test;
}

/**
 * iommufd_test_access_create - IOMMU_TEST_OP_CREATE_ACCESS
 * @ucmd: the call; out_access_fd is what other calls take as their id
 */
int iommufd_test_access_create(struct iommufd_ucmd *ucmd)
{
	struct iommu_test_cmd *cmd = ucmd->cmd;
	struct test_access *test;
	struct file *filp;
	int fd, rc;

	if (cmd->create_access.flags &
	    ~MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES)
		return -EOPNOTSUPP;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	test = test_access_new(ucmd->ictx,
			       cmd->create_access.flags ? &pinning_ops :
							  &copying_ops,
			       cmd->id);
	if (IS_ERR(test)) {
		rc = PTR_ERR(test);
		goto put_fd;
	}
	filp = anon_inode_getfile("[iommufd_test_access]", &test_access_fops,
				  test, O_RDWR);
	if (IS_ERR(filp)) {
		iommufd_access_destroy(test->access);
		kfree(test);
		rc = PTR_ERR(filp);
		goto put_fd;
	}

	cmd->create_access.out_access_fd = fd;
	rc = iommufd_ucmd_respond(ucmd, sizeof(*cmd));
	if (rc) {
		fput(filp);
		goto put_fd;
	}
	fd_install(fd, filp);
	return 0;

put_fd:
	put_unused_fd(fd);
	return rc;
}

/**
 * iommufd_test_access_replace - IOMMU_TEST_OP_ACCESS_REPLACE_IOAS
 * @ucmd: the call
 */
int iommufd_test_access_replace(struct iommufd_ucmd *ucmd)
{
	struct iommu_test_cmd *cmd = ucmd->cmd;
	struct test_access *test;

	CLASS(test_access_file, filp)(cmd->id);
	if (IS_ERR(filp))
		return PTR_ERR(filp);
	test = filp->private_data;
	return iommufd_access_replace(test->access,
				      cmd->access_replace_ioas.ioas_id);
}

/**
 * iommufd_test_check_page - is this the page that a process sees?
 * @uptr: any address in the page
 * @page: what it should be
 */
int iommufd_test_check_page(unsigned long uptr, struct page *page)
{
	struct page *seen;

	if (get_user_pages_fast(uptr & PAGE_MASK, 1, 0, &seen) != 1)
		return -EFAULT;
	put_page(seen);
	return seen == page ? 0 : -EINVAL;
}

static int check_pages(unsigned long uptr, struct page **pages,
		       unsigned long npages)
{
	unsigned long i;
	int rc = 0;

	for (i = 0; i < npages && !rc; i++)
		rc = iommufd_test_check_page(uptr + i * PAGE_SIZE, pages[i]);
	return rc;
}

static int pin_and_check(struct test_access *test, struct iommu_test_cmd *cmd,
			 struct test_pin *pin, u32 *id)
{
	unsigned long npages = pin->length >> PAGE_SHIFT;
	struct page **pages __free(kvfree) =
		kvcalloc(npages, sizeof(*pages), GFP_KERNEL_ACCOUNT);
	unsigned int flags = 0;
	int rc;

	if (!pages)
		return -ENOMEM;
	if (cmd->access_pages.flags & MOCK_FLAGS_ACCESS_WRITE)
		flags = IOMMUFD_ACCESS_RW_WRITE;

	/* Held over both, so that an unmap in between finds the pin. */
	guard(mutex)(&test->lock);
	rc = iommufd_access_pin_pages(test->access, pin->iova, pin->length,
				      pages, flags);
	if (rc)
		return rc;
	rc = check_pages(cmd->access_pages.uptr, pages, npages);
	if (rc) {
		iommufd_access_unpin_pages(test->access, pin->iova,
					   pin->length);
		return rc;
	}
	*id = test->next_id++;
	pin->id = *id;
	list_add_tail(&pin->item, &test->items);
	return 0;
}

static int drop_pin_id(struct test_access *test, u32 id)
{
	struct test_pin *pin;

	guard(mutex)(&test->lock);
	list_for_each_entry(pin, &test->items, item) {
		if (pin->id == id) {
			drop_pin(test, pin);
			return 0;
		}
	}
	return -ENOENT;
}

/**
 * iommufd_test_access_pages - IOMMU_TEST_OP_ACCESS_PAGES
 * @ucmd: the call; pins a range and fails when it is not the pages at uptr
 */
int iommufd_test_access_pages(struct iommufd_ucmd *ucmd)
{
	struct iommu_test_cmd *cmd = ucmd->cmd;
	struct test_access *test;
	struct test_pin *pin;
	u32 id;
	int rc;

	if (cmd->access_pages.flags & ~MOCK_FLAGS_ACCESS_WRITE)
		return -EOPNOTSUPP;
	if (!cmd->access_pages.length ||
	    cmd->access_pages.length > LENGTH_MAX)
		return -EINVAL;
	CLASS(test_access_file, filp)(cmd->id);
	if (IS_ERR(filp))
		return PTR_ERR(filp);
	test = filp->private_data;

	pin = kzalloc_obj(*pin, GFP_KERNEL_ACCOUNT);
	if (!pin)
		return -ENOMEM;
	pin->iova = cmd->access_pages.iova & PAGE_MASK;
	pin->length = PAGE_ALIGN(cmd->access_pages.length +
				 offset_in_page(cmd->access_pages.iova));
	rc = pin_and_check(test, cmd, pin, &id);
	if (rc) {
		kfree(pin);
		return rc;
	}

	/* An unmap may have freed the pin by now. */
	cmd->access_pages.out_access_pages_id = id;
	rc = iommufd_ucmd_respond(ucmd, sizeof(*cmd));
	if (rc)
		drop_pin_id(test, id);
	return rc;
}

/**
 * iommufd_test_access_unpin - IOMMU_TEST_OP_DESTROY_ACCESS_PAGES
 * @ucmd: the call
 *
 * Return: 0, or -ENOENT when an unmap has unpinned it already.
 */
int iommufd_test_access_unpin(struct iommufd_ucmd *ucmd)
{
	struct iommu_test_cmd *cmd = ucmd->cmd;

	CLASS(test_access_file, filp)(cmd->id);
	if (IS_ERR(filp))
		return PTR_ERR(filp);
	return drop_pin_id(filp->private_data,
			   cmd->destroy_access_pages.access_pages_id);
}

static int access_copy(struct test_access *test, struct iommu_test_cmd *cmd,
		       void *data, unsigned int flags)
{
	void __user *uptr = u64_to_user_ptr(cmd->access_rw.uptr);
	size_t length = cmd->access_rw.length;
	int rc;

	if (flags & IOMMUFD_ACCESS_RW_WRITE &&
	    copy_from_user(data, uptr, length))
		return -EFAULT;
	rc = iommufd_access_rw(test->access, cmd->access_rw.iova, data, length,
			       flags);
	if (rc)
		return rc;
	if (!(flags & IOMMUFD_ACCESS_RW_WRITE) &&
	    copy_to_user(uptr, data, length))
		return -EFAULT;
	return 0;
}

/**
 * iommufd_test_access_rw - IOMMU_TEST_OP_ACCESS_RW
 * @ucmd: the call
 */
int iommufd_test_access_rw(struct iommufd_ucmd *ucmd)
{
	struct iommu_test_cmd *cmd = ucmd->cmd;
	unsigned int flags = 0;
	void *data;
	int rc;

	if (cmd->access_rw.flags &
	    ~(MOCK_ACCESS_RW_WRITE | MOCK_ACCESS_RW_SLOW_PATH))
		return -EOPNOTSUPP;
	if (cmd->access_rw.length > LENGTH_MAX)
		return -EINVAL;
	if (cmd->access_rw.flags & MOCK_ACCESS_RW_WRITE)
		flags |= IOMMUFD_ACCESS_RW_WRITE;
	if (cmd->access_rw.flags & MOCK_ACCESS_RW_SLOW_PATH)
		flags |= __IOMMUFD_ACCESS_RW_SLOW_PATH;
	CLASS(test_access_file, filp)(cmd->id);
	if (IS_ERR(filp))
		return PTR_ERR(filp);

	data = kvzalloc(cmd->access_rw.length, GFP_KERNEL_ACCOUNT);
	if (!data)
		return -ENOMEM;
	rc = access_copy(filp->private_data, cmd, data, flags);
	kvfree(data);
	return rc;
}
