// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctl with which tests make mock devices and look into the kernel.
 */
#include <linux/bitmap.h>
#include <linux/debugfs.h>
#include <linux/fault-inject.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "selftest_mock.h"
#include "../iommu-priv.h"

#define MEMORY_LIMIT_DEFAULT 65536
/* Bits of a dirty bitmap that a test gives in one call */
#define DIRTY_BITS_MAX BIT(20)

unsigned int iommufd_test_memory_limit = MEMORY_LIMIT_DEFAULT;

static DECLARE_FAULT_ATTR(fail_iommufd);
static struct dentry *fault_dir;

/**
 * struct test_device - a mock device, and the driver that has bound it
 * @obj: its id
 * @ictx: the context, not held: it goes with it
 * @idev: as the core knows it
 * @mdev: the device
 * @pasids: those that may be attached, for when it is unplugged
 */
struct test_device {
	struct iommufd_object obj;
	struct iommufd_ctx *ictx;
	struct iommufd_device *idev;
	struct mock_dev *mdev;
	struct xarray pasids;
};

/**
 * iommufd_test_should_fail - fail here, as if the memory had gone?
 *
 * For the points where no allocation can be made to fail instead; see
 * /sys/kernel/debug/fail_iommufd and /proc/PID/fail-nth.
 */
bool iommufd_test_should_fail(void)
{
	return should_fail(&fail_iommufd, 1);
}

static struct test_device *test_device_get(struct iommufd_ctx *ictx, u32 id)
{
	struct iommufd_object *obj =
		iommufd_object_lookup(ictx, id, IOMMUFD_OBJ_SELFTEST);

	if (IS_ERR(obj))
		return ERR_CAST(obj);
	return container_of(obj, struct test_device, obj);
}

/* The same by the id of what the core made of the device */
static struct test_device *test_device_get_idev(struct iommufd_ctx *ictx,
						u32 idev_id)
{
	struct test_device *found = ERR_PTR(-ENOENT);
	struct iommufd_object *obj;
	struct test_device *test;
	unsigned long id;

	xa_lock(&ictx->objects);
	xa_for_each(&ictx->objects, id, obj) {
		if (obj->type != IOMMUFD_OBJ_SELFTEST)
			continue;
		test = container_of(obj, struct test_device, obj);
		if (iommufd_device_to_id(test->idev) == idev_id &&
		    refcount_inc_not_zero(&obj->wait_cnt)) {
			found = test;
			break;
		}
	}
	xa_unlock(&ictx->objects);
	return found;
}

static void test_device_put(struct test_device *test)
{
	iommufd_object_put(test->ictx, &test->obj);
}

/* What a call about an HWPT works on */
struct hwpt_ref {
	struct iommufd_object *obj;
	struct iommu_domain *domain;
};

static int hwpt_get(struct iommufd_ctx *ictx, u32 id,
		    enum iommufd_object_type type, struct hwpt_ref *ref)
{
	ref->obj = iommufd_object_lookup(ictx, id, type);
	if (IS_ERR(ref->obj))
		return PTR_ERR(ref->obj);
	ref->domain = container_of(ref->obj, struct iommufd_hwpt, obj)->domain;
	if (mock_domain_is_paging(ref->domain) ||
	    mock_domain_is_nested(ref->domain))
		return 0;
	iommufd_object_put(ictx, ref->obj);
	return -EINVAL;
}

static int test_device_attach(struct iommufd_ctx *ictx, struct test_device *test,
			      u32 *pt_id, u32 *idev_id)
{
	int rc;

	test->idev = iommufd_device_bind(ictx, &test->mdev->dev, idev_id);
	if (IS_ERR(test->idev))
		return PTR_ERR(test->idev);
	rc = iommufd_device_attach(test->idev, IOMMU_NO_PASID, pt_id);
	if (rc)
		iommufd_device_unbind(test->idev);
	return rc;
}

static int op_mock_domain(struct iommufd_ucmd *ucmd)
{
	struct iommu_test_cmd *cmd = ucmd->cmd;
	struct iommufd_ctx *ictx = ucmd->ictx;
	struct test_device *test;
	u32 pt_id = cmd->id;
	u32 flags = 0;
	u32 idev_id;
	int rc;

	if (cmd->op == IOMMU_TEST_OP_MOCK_DOMAIN_FLAGS)
		flags = cmd->mock_domain_flags.dev_flags;
	test = iommufd_new(ictx, test, obj, IOMMUFD_OBJ_SELFTEST);
	if (IS_ERR(test))
		return PTR_ERR(test);
	test->ictx = ictx;
	xa_init(&test->pasids);
	test->mdev = mock_dev_create(flags);
	if (IS_ERR(test->mdev)) {
		rc = PTR_ERR(test->mdev);
		goto abort;
	}
	rc = test_device_attach(ictx, test, &pt_id, &idev_id);
	if (rc)
		goto destroy_device;

	cmd->mock_domain.out_stdev_id = test->obj.id;
	cmd->mock_domain.out_hwpt_id = pt_id;
	cmd->mock_domain.out_idev_id = idev_id;
	rc = iommufd_ucmd_respond(ucmd, sizeof(*cmd));
	if (rc)
		goto detach;
	iommufd_object_publish(ictx, &test->obj);
	return 0;

detach:
	iommufd_device_detach(test->idev, IOMMU_NO_PASID);
	iommufd_device_unbind(test->idev);
destroy_device:
	mock_dev_destroy(test->mdev);
abort:
	iommufd_object_abort(ictx, &test->obj);
	return rc;
}

/**
 * iommufd_test_device_destroy - unplug a mock device
 * @obj: of type IOMMUFD_OBJ_SELFTEST
 */
void iommufd_test_device_destroy(struct iommufd_object *obj)
{
	struct test_device *test = container_of(obj, struct test_device, obj);
	unsigned long pasid;
	void *mark;

	xa_for_each(&test->pasids, pasid, mark)
		iommufd_device_detach(test->idev, pasid);
	xa_destroy(&test->pasids);
	iommufd_device_detach(test->idev, IOMMU_NO_PASID);
	iommufd_device_unbind(test->idev);
	mock_dev_destroy(test->mdev);
}

static int op_replace(struct iommufd_ucmd *ucmd)
{
	struct iommu_test_cmd *cmd = ucmd->cmd;
	struct test_device *test = test_device_get(ucmd->ictx, cmd->id);
	u32 pt_id = cmd->mock_domain_replace.pt_id;
	int rc;

	if (IS_ERR(test))
		return PTR_ERR(test);
	rc = iommufd_device_replace(test->idev, IOMMU_NO_PASID, &pt_id);
	if (!rc) {
		cmd->mock_domain_replace.pt_id = pt_id;
		rc = iommufd_ucmd_respond(ucmd, sizeof(*cmd));
	}
	test_device_put(test);
	return rc;
}

static int pasid_attach(struct test_device *test, u32 pasid, u32 *pt_id)
{
	int rc = iommufd_device_attach(test->idev, pasid, pt_id);

	if (rc)
		return rc;
	rc = xa_err(xa_store(&test->pasids, pasid, xa_mk_value(0),
			     GFP_KERNEL_ACCOUNT));
	if (rc)
		iommufd_device_detach(test->idev, pasid);
	return rc;
}

static int op_pasid_attach(struct iommufd_ucmd *ucmd)
{
	struct iommu_test_cmd *cmd = ucmd->cmd;
	struct test_device *test = test_device_get(ucmd->ictx, cmd->id);
	int rc;

	if (IS_ERR(test))
		return PTR_ERR(test);
	if (cmd->op == IOMMU_TEST_OP_PASID_ATTACH)
		rc = pasid_attach(test, cmd->pasid_attach.pasid,
				  &cmd->pasid_attach.pt_id);
	else
		rc = iommufd_device_replace(test->idev,
					    cmd->pasid_replace.pasid,
					    &cmd->pasid_replace.pt_id);
	/* There is nothing to tell, so nothing can fail any more. */
	test_device_put(test);
	return rc;
}

static int op_pasid_detach(struct iommufd_ucmd *ucmd)
{
	struct iommu_test_cmd *cmd = ucmd->cmd;
	struct test_device *test = test_device_get(ucmd->ictx, cmd->id);

	if (IS_ERR(test))
		return PTR_ERR(test);
	iommufd_device_detach(test->idev, cmd->pasid_detach.pasid);
	xa_erase(&test->pasids, cmd->pasid_detach.pasid);
	test_device_put(test);
	return 0;
}

static struct iommu_domain *pasid_domain(struct device *dev, u32 pasid)
{
	struct iommu_group *group = iommu_group_get(dev);
	struct iommu_attach_handle *handle;

	if (!group)
		return NULL;
	handle = iommu_attach_handle_get(group, pasid, 0);
	iommu_group_put(group);
	return IS_ERR(handle) ? NULL : handle->domain;
}

/* An hwpt_id of 0 asks whether nothing is attached. */
static int op_pasid_check(struct iommufd_ucmd *ucmd)
{
	struct iommu_test_cmd *cmd = ucmd->cmd;
	struct test_device *test = test_device_get(ucmd->ictx, cmd->id);
	struct iommu_domain *attached;
	struct hwpt_ref hwpt;
	int rc;

	if (IS_ERR(test))
		return PTR_ERR(test);
	attached = pasid_domain(&test->mdev->dev, cmd->pasid_check.pasid);
	test_device_put(test);
	if (!cmd->pasid_check.hwpt_id)
		return attached ? -EINVAL : 0;

	rc = hwpt_get(ucmd->ictx, cmd->pasid_check.hwpt_id, IOMMUFD_OBJ_ANY,
		      &hwpt);
	if (rc)
		return rc;
	rc = attached == hwpt.domain ? 0 : -EINVAL;
	iommufd_object_put(ucmd->ictx, hwpt.obj);
	return rc;
}

static int op_add_reserved(struct iommufd_ucmd *ucmd)
{
	struct iommu_test_cmd *cmd = ucmd->cmd;
	unsigned long start = cmd->add_reserved.start;
	struct iommufd_ioas *ioas;
	unsigned long last;
	int rc;

	if (!cmd->add_reserved.length)
		return -EINVAL;
	if (check_add_overflow(start, cmd->add_reserved.length - 1, &last))
		return -EOVERFLOW;
	ioas = iommufd_ioas_lookup(ucmd->ictx, cmd->id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	/* Stays until the IOAS goes. */
	rc = iova_space_reserve(&ioas->space, start, last, ioas);
	iommufd_object_put(ucmd->ictx, &ioas->obj);
	return rc;
}

static int check_map(struct iommu_domain *domain, struct iommu_test_cmd *cmd)
{
	unsigned long uptr = cmd->check_map.uptr;
	u64 done;
	int rc;

	for (done = 0; done < cmd->check_map.length; done += MOCK_PAGE_SIZE) {
		phys_addr_t phys = iommu_iova_to_phys(domain,
						      cmd->check_map.iova +
							      done);

		if (!phys || offset_in_page(phys) != offset_in_page(uptr + done))
			return -EINVAL;
		rc = iommufd_test_check_page(uptr + done, phys_to_page(phys));
		if (rc)
			return rc;
	}
	return 0;
}

/* Does the domain lead to the memory that the caller sees? */
static int op_check_map(struct iommufd_ucmd *ucmd)
{
	struct iommu_test_cmd *cmd = ucmd->cmd;
	struct hwpt_ref hwpt;
	u64 last;
	int rc;

	if ((cmd->check_map.iova | cmd->check_map.length |
	     cmd->check_map.uptr) % MOCK_PAGE_SIZE || !cmd->check_map.length ||
	    check_add_overflow(cmd->check_map.uptr, cmd->check_map.length - 1,
			       &last))
		return -EINVAL;
	rc = hwpt_get(ucmd->ictx, cmd->id, IOMMUFD_OBJ_HWPT_PAGING, &hwpt);
	if (rc)
		return rc;
	rc = check_map(hwpt.domain, cmd);
	iommufd_object_put(ucmd->ictx, hwpt.obj);
	return rc;
}

/*
 * A small folio counts each pin. Of a large one it can only be told whether
 * any of its pages is pinned.
 */
static bool pins_are(struct page *page, u32 pins)
{
	struct folio *folio = page_folio(page);

	if (folio_test_large(folio))
		return !!atomic_read(&folio->_pincount) == !!pins;
	return folio_ref_count(folio) / GUP_PIN_COUNTING_BIAS == pins;
}

static int op_check_refs(struct iommufd_ucmd *ucmd)
{
	struct iommu_test_cmd *cmd = ucmd->cmd;
	unsigned long uptr = cmd->check_refs.uptr;
	struct page *page;
	u64 done;
	bool as_told;

	if ((cmd->check_refs.length | uptr) % PAGE_SIZE ||
	    check_add_overflow(cmd->check_refs.uptr, cmd->check_refs.length,
			       &done))
		return -EINVAL;
	for (done = 0; done < cmd->check_refs.length; done += PAGE_SIZE) {
		if (get_user_pages_fast(uptr + done, 1, 0, &page) != 1)
			return -EFAULT;
		as_told = pins_are(page, cmd->check_refs.refs);
		put_page(page);
		if (!as_told)
			return -EIO;
	}
	return 0;
}

static int op_memory_limit(struct iommufd_ucmd *ucmd)
{
	struct iommu_test_cmd *cmd = ucmd->cmd;

	WRITE_ONCE(iommufd_test_memory_limit, cmd->memory_limit.limit);
	return 0;
}

static int set_dirty(struct mock_domain *mock, const unsigned long *bitmap,
		     unsigned int nbits, struct iommu_test_cmd *cmd)
{
	unsigned int bit;
	int rc;

	cmd->dirty.out_nr_dirty = 0;
	for_each_set_bit(bit, bitmap, nbits) {
		rc = mock->iommu.ops->set_dirty(&mock->iommu,
						cmd->dirty.iova +
							(u64)bit *
							cmd->dirty.page_size);
		if (rc)
			return rc;
		cmd->dirty.out_nr_dirty++;
	}
	return 0;
}

static int set_dirty_from_user(struct iommu_domain *domain,
			       struct iommu_test_cmd *cmd)
{
	unsigned int nbits = cmd->dirty.length / cmd->dirty.page_size;
	unsigned long *bitmap;
	int rc = -EFAULT;

	if (!mock_domain_is_paging(domain) ||
	    !to_mock_domain(domain)->tracking)
		return -EINVAL;
	bitmap = kvcalloc(BITS_TO_LONGS(nbits), sizeof(*bitmap),
			  GFP_KERNEL_ACCOUNT);
	if (!bitmap)
		return -ENOMEM;
	if (!copy_from_user(bitmap, u64_to_user_ptr(cmd->dirty.uptr),
			    DIV_ROUND_UP(nbits, BITS_PER_BYTE)))
		rc = set_dirty(to_mock_domain(domain), bitmap, nbits, cmd);
	kvfree(bitmap);
	return rc;
}

/* Do as if a device had written where the bitmap says. */
static int op_dirty(struct iommufd_ucmd *ucmd)
{
	struct iommu_test_cmd *cmd = ucmd->cmd;
	struct hwpt_ref hwpt;
	int rc;

	if (cmd->dirty.flags || !cmd->dirty.page_size ||
	    !cmd->dirty.length || cmd->dirty.length % cmd->dirty.page_size ||
	    cmd->dirty.length / cmd->dirty.page_size > DIRTY_BITS_MAX)
		return -EINVAL;
	rc = hwpt_get(ucmd->ictx, cmd->id, IOMMUFD_OBJ_HWPT_PAGING, &hwpt);
	if (rc)
		return rc;
	rc = set_dirty_from_user(hwpt.domain, cmd);
	iommufd_object_put(ucmd->ictx, hwpt.obj);
	return rc ?: iommufd_ucmd_respond(ucmd, sizeof(*cmd));
}

static int op_check_iotlb(struct iommufd_ucmd *ucmd)
{
	struct iommu_test_cmd *cmd = ucmd->cmd;
	struct hwpt_ref hwpt;
	int rc;

	if (cmd->check_iotlb.id > MOCK_NESTED_DOMAIN_IOTLB_ID_MAX)
		return -EINVAL;
	rc = hwpt_get(ucmd->ictx, cmd->id, IOMMUFD_OBJ_HWPT_NESTED, &hwpt);
	if (rc)
		return rc;
	if (to_mock_nested(hwpt.domain)->iotlb[cmd->check_iotlb.id] !=
	    cmd->check_iotlb.iotlb)
		rc = -EINVAL;
	iommufd_object_put(ucmd->ictx, hwpt.obj);
	return rc;
}

static int op_check_cache(struct iommufd_ucmd *ucmd)
{
	struct iommu_test_cmd *cmd = ucmd->cmd;
	struct test_device *test;
	int rc = 0;

	if (cmd->check_dev_cache.id > MOCK_DEV_CACHE_ID_MAX)
		return -EINVAL;
	test = test_device_get_idev(ucmd->ictx, cmd->id);
	if (IS_ERR(test))
		return PTR_ERR(test);
	if (test->mdev->cache[cmd->check_dev_cache.id] !=
	    cmd->check_dev_cache.cache)
		rc = -EINVAL;
	test_device_put(test);
	return rc;
}

static int op_iopf(struct iommufd_ucmd *ucmd)
{
	struct iommu_test_cmd *cmd = ucmd->cmd;
	struct iopf_fault event = {
		.fault = {
			.type = IOMMU_FAULT_PAGE_REQ,
			.prm = {
				.flags = IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE,
				.pasid = cmd->trigger_iopf.pasid,
				.grpid = cmd->trigger_iopf.grpid,
				.perm = cmd->trigger_iopf.perm,
				.addr = cmd->trigger_iopf.addr,
			},
		},
	};
	struct test_device *test;
	int rc;

	test = test_device_get_idev(ucmd->ictx, cmd->trigger_iopf.dev_id);
	if (IS_ERR(test))
		return PTR_ERR(test);
	if (cmd->trigger_iopf.pasid != IOMMU_NO_PASID)
		event.fault.prm.flags |= IOMMU_FAULT_PAGE_REQUEST_PASID_VALID;
	rc = iommu_report_device_fault(&test->mdev->dev, &event);
	test_device_put(test);
	return rc;
}

static int report_vevent(struct mock_dev *mdev)
{
	struct iommu_viommu_event_selftest event;
	unsigned long virt_id;
	int rc;

	guard(mutex)(&mdev->lock);
	if (!mdev->viommu)
		return -ENOENT;
	rc = iommufd_viommu_get_vdev_id(mdev->viommu, &mdev->dev, &virt_id);
	if (rc)
		return rc;
	event.virt_id = virt_id;
	return iommufd_viommu_report_event(mdev->viommu,
					   IOMMU_VEVENTQ_TYPE_SELFTEST, &event,
					   sizeof(event));
}

static int op_vevent(struct iommufd_ucmd *ucmd)
{
	struct iommu_test_cmd *cmd = ucmd->cmd;
	struct test_device *test;
	int rc;

	test = test_device_get_idev(ucmd->ictx, cmd->trigger_vevent.dev_id);
	if (IS_ERR(test))
		return PTR_ERR(test);
	rc = report_vevent(test->mdev);
	test_device_put(test);
	return rc;
}

static int (*const test_ops[])(struct iommufd_ucmd *ucmd) = {
	[IOMMU_TEST_OP_ADD_RESERVED] = op_add_reserved,
	[IOMMU_TEST_OP_MOCK_DOMAIN] = op_mock_domain,
	[IOMMU_TEST_OP_MOCK_DOMAIN_FLAGS] = op_mock_domain,
	[IOMMU_TEST_OP_MOCK_DOMAIN_REPLACE] = op_replace,
	[IOMMU_TEST_OP_MD_CHECK_MAP] = op_check_map,
	[IOMMU_TEST_OP_MD_CHECK_REFS] = op_check_refs,
	[IOMMU_TEST_OP_MD_CHECK_IOTLB] = op_check_iotlb,
	[IOMMU_TEST_OP_DEV_CHECK_CACHE] = op_check_cache,
	[IOMMU_TEST_OP_CREATE_ACCESS] = iommufd_test_access_create,
	[IOMMU_TEST_OP_ACCESS_REPLACE_IOAS] = iommufd_test_access_replace,
	[IOMMU_TEST_OP_ACCESS_PAGES] = iommufd_test_access_pages,
	[IOMMU_TEST_OP_DESTROY_ACCESS_PAGES] = iommufd_test_access_unpin,
	[IOMMU_TEST_OP_ACCESS_RW] = iommufd_test_access_rw,
	[IOMMU_TEST_OP_SET_TEMP_MEMORY_LIMIT] = op_memory_limit,
	[IOMMU_TEST_OP_DIRTY] = op_dirty,
	[IOMMU_TEST_OP_TRIGGER_IOPF] = op_iopf,
	[IOMMU_TEST_OP_TRIGGER_VEVENT] = op_vevent,
	[IOMMU_TEST_OP_PASID_ATTACH] = op_pasid_attach,
	[IOMMU_TEST_OP_PASID_REPLACE] = op_pasid_attach,
	[IOMMU_TEST_OP_PASID_DETACH] = op_pasid_detach,
	[IOMMU_TEST_OP_PASID_CHECK_HWPT] = op_pasid_check,
	[IOMMU_TEST_OP_DMABUF_GET] = iommufd_test_dmabuf_get,
	[IOMMU_TEST_OP_DMABUF_REVOKE] = iommufd_test_dmabuf_revoke,
};

/**
 * iommufd_test_ioctl - IOMMU_TEST_CMD
 * @ucmd: the call
 */
int iommufd_test_ioctl(struct iommufd_ucmd *ucmd)
{
	struct iommu_test_cmd *cmd = ucmd->cmd;

	if (cmd->op >= ARRAY_SIZE(test_ops) || !test_ops[cmd->op])
		return -EOPNOTSUPP;
	return test_ops[cmd->op](ucmd);
}

int iommufd_test_init(void)
{
	int rc = mock_iommu_register();

	if (rc)
		return rc;
	/* Without debugfs there is nothing to set it by. */
	fault_dir = fault_create_debugfs_attr("fail_iommufd", NULL,
					      &fail_iommufd);
	return 0;
}

void iommufd_test_exit(void)
{
	debugfs_remove_recursive(fault_dir);
	mock_iommu_unregister();
}
