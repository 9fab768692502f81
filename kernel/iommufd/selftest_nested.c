// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a guest gets of the mock IOMMU: domains of its own, whose IOTLB is an
 * array, and a vIOMMU with queues and registers.
 */
#include <linux/gfp.h>
#include <linux/slab.h>

#include "selftest_mock.h"

/* More than a page, so that a test can ask for less of it */
#define REGISTERS_ORDER 1
#define REGISTERS_LENGTH (PAGE_SIZE << REGISTERS_ORDER)

/**
 * struct mock_viommu - a guest's share of the mock IOMMU
 * @core: as the core knows it
 * @parent: what the guest's physical addresses are translated by
 * @lock: protects @queues
 * @queues: by index
 * @registers: what user space may map; %NULL when it gave no data
 * @mmap_offset: where
 */
struct mock_viommu {
	struct iommufd_viommu core;
	struct iommu_domain *parent;
	struct mutex lock;
	struct mock_hw_queue *queues[IOMMU_TEST_HW_QUEUE_MAX];
	u32 *registers;
	unsigned long mmap_offset;
};

/**
 * struct mock_hw_queue - a queue in the guest's memory
 * @core: as the core knows it
 * @previous: the queue with the next lower index, which must outlive it
 * @index: its own
 */
struct mock_hw_queue {
	struct iommufd_hw_queue core;
	struct mock_hw_queue *previous;
	u32 index;
};

static struct mock_viommu *to_mock_viommu(struct iommufd_viommu *viommu)
{
	return container_of(viommu, struct mock_viommu, core);
}

static int nested_attach(struct iommu_domain *domain, struct device *dev,
			 struct iommu_domain *old)
{
	struct mock_nested *nested = to_mock_nested(domain);
	struct mock_dev *mdev = to_mock_dev(dev);
	unsigned long virt_id;
	int rc;

	if (nested->viommu) {
		/* The guest must have been given the device. */
		rc = iommufd_viommu_get_vdev_id(nested->viommu, dev, &virt_id);
		if (rc)
			return rc;
	}
	rc = mock_iopf_switch(dev, domain, old);
	if (rc)
		return rc;
	guard(mutex)(&mdev->lock);
	mdev->viommu = nested->viommu;
	return 0;
}

static void nested_free(struct iommu_domain *domain)
{
	kfree(to_mock_nested(domain));
}

static int nested_invalidate_one(struct mock_nested *nested,
				 struct iommu_user_data_array *array, u32 index)
{
	struct iommu_hwpt_invalidate_selftest request;
	int rc;

	rc = iommu_copy_struct_from_user_array(&request, array,
					       IOMMU_HWPT_INVALIDATE_DATA_SELFTEST,
					       index, iotlb_id);
	if (rc)
		return rc;
	if (request.flags & ~IOMMU_TEST_INVALIDATE_FLAG_ALL)
		return -EOPNOTSUPP;
	if (request.flags & IOMMU_TEST_INVALIDATE_FLAG_ALL)
		memset(nested->iotlb, 0, sizeof(nested->iotlb));
	else if (request.iotlb_id <= MOCK_NESTED_DOMAIN_IOTLB_ID_MAX)
		nested->iotlb[request.iotlb_id] = 0;
	else
		return -EINVAL;
	return 0;
}

static int nested_invalidate(struct iommu_domain *domain,
			     struct iommu_user_data_array *array)
{
	u32 nr = array->entry_num, done = 0;
	int rc = 0;

	if (array->type != IOMMU_HWPT_INVALIDATE_DATA_SELFTEST ||
	    (nr && array->entry_len !=
			   sizeof(struct iommu_hwpt_invalidate_selftest)))
		rc = -EINVAL;
	while (!rc && done < nr) {
		rc = nested_invalidate_one(to_mock_nested(domain), array, done);
		if (!rc)
			done++;
	}
	array->entry_num = done;
	return rc;
}

static const struct iommu_domain_ops nested_ops = {
	.attach_dev = nested_attach,
	.set_dev_pasid = mock_set_pasid,
	.cache_invalidate_user = nested_invalidate,
	.free = nested_free,
};

bool mock_domain_is_nested(const struct iommu_domain *domain)
{
	return domain->ops == &nested_ops;
}

static struct mock_nested *nested_new(u32 flags,
				      const struct iommu_user_data *user_data)
{
	struct iommu_hwpt_selftest cfg;
	struct mock_nested *nested;
	int rc, i;

	if (flags & ~(IOMMU_HWPT_ALLOC_PASID | IOMMU_HWPT_FAULT_ID_VALID) ||
	    user_data->type != IOMMU_HWPT_DATA_SELFTEST)
		return ERR_PTR(-EOPNOTSUPP);
	rc = iommu_copy_struct_from_user(&cfg, user_data,
					 IOMMU_HWPT_DATA_SELFTEST, iotlb);
	if (rc)
		return ERR_PTR(rc);

	nested = kzalloc_obj(*nested, GFP_KERNEL_ACCOUNT);
	if (!nested)
		return ERR_PTR(-ENOMEM);
	nested->domain.type = IOMMU_DOMAIN_NESTED;
	nested->domain.ops = &nested_ops;
	for (i = 0; i < MOCK_NESTED_DOMAIN_IOTLB_NUM; i++)
		nested->iotlb[i] = cfg.iotlb;
	return nested;
}

/**
 * mock_nested_alloc - make a domain for a guest, without a vIOMMU
 * @dev: a mock device
 * @parent: what translates the guest's physical addresses
 * @flags: IOMMU_HWPT_ALLOC_*
 * @user_data: struct iommu_hwpt_selftest
 */
struct iommu_domain *mock_nested_alloc(struct device *dev,
				       struct iommu_domain *parent, u32 flags,
				       const struct iommu_user_data *user_data)
{
	struct mock_nested *nested;

	if (!mock_domain_is_paging(parent))
		return ERR_PTR(-EINVAL);
	nested = nested_new(flags, user_data);
	return IS_ERR(nested) ? ERR_CAST(nested) : &nested->domain;
}

static struct iommu_domain *
viommu_alloc_nested(struct iommufd_viommu *viommu, u32 flags,
		    const struct iommu_user_data *user_data)
{
	struct mock_nested *nested = nested_new(flags, user_data);

	if (IS_ERR(nested))
		return ERR_CAST(nested);
	nested->viommu = viommu;
	return &nested->domain;
}

static void cache_clear(struct mock_dev *mdev,
			const struct iommu_viommu_invalidate_selftest *request)
{
	if (request->flags & IOMMU_TEST_INVALIDATE_FLAG_ALL)
		memset(mdev->cache, 0, sizeof(mdev->cache));
	else
		mdev->cache[request->cache_id] = 0;
}

static int cache_invalidate_one(struct iommufd_viommu *viommu,
				const struct iommu_viommu_invalidate_selftest *request)
{
	struct device *dev;

	if (request->flags & ~IOMMU_TEST_INVALIDATE_FLAG_ALL)
		return -EOPNOTSUPP;
	if (!(request->flags & IOMMU_TEST_INVALIDATE_FLAG_ALL) &&
	    request->cache_id > MOCK_DEV_CACHE_ID_MAX)
		return -EINVAL;

	/* The lock keeps the vDEVICE, and so the device. */
	xa_lock(&viommu->vdevs);
	dev = iommufd_viommu_find_dev(viommu, request->vdev_id);
	if (dev)
		cache_clear(to_mock_dev(dev), request);
	xa_unlock(&viommu->vdevs);
	return dev ? 0 : -EINVAL;
}

static int viommu_invalidate(struct iommufd_viommu *viommu,
			     struct iommu_user_data_array *array)
{
	struct iommu_viommu_invalidate_selftest *requests;
	u32 nr = array->entry_num, done = 0;
	int rc;

	array->entry_num = 0;
	if (array->type != IOMMU_VIOMMU_INVALIDATE_DATA_SELFTEST ||
	    (nr && array->entry_len != sizeof(*requests)))
		return -EINVAL;
	if (!nr)
		return 0;
	requests = kvmalloc_array(nr, sizeof(*requests), GFP_KERNEL_ACCOUNT);
	if (!requests)
		return -ENOMEM;

	array->entry_num = nr;
	rc = iommu_copy_struct_from_full_user_array(requests, sizeof(*requests),
						    array,
						    IOMMU_VIOMMU_INVALIDATE_DATA_SELFTEST);
	while (!rc && done < nr) {
		rc = cache_invalidate_one(viommu, &requests[done]);
		if (!rc)
			done++;
	}
	array->entry_num = done;
	kvfree(requests);
	return rc;
}

static size_t hw_queue_size(struct iommufd_viommu *viommu,
			    enum iommu_hw_queue_type type)
{
	if (type != IOMMU_HW_QUEUE_TYPE_SELFTEST)
		return 0;
	return HW_QUEUE_STRUCT_SIZE(struct mock_hw_queue, core);
}

static void hw_queue_destroy(struct iommufd_hw_queue *hw_queue)
{
	struct mock_hw_queue *queue =
		container_of(hw_queue, struct mock_hw_queue, core);
	struct mock_viommu *mock = to_mock_viommu(hw_queue->viommu);

	guard(mutex)(&mock->lock);
	mock->queues[queue->index] = NULL;
	if (queue->previous)
		iommufd_hw_queue_undepend(queue, queue->previous, core);
}

/* Queues are numbered without a gap, as some hardware wants it. */
static int hw_queue_init(struct iommufd_hw_queue *hw_queue, u32 index,
			 phys_addr_t base)
{
	struct mock_hw_queue *queue =
		container_of(hw_queue, struct mock_hw_queue, core);
	struct mock_viommu *mock = to_mock_viommu(hw_queue->viommu);
	int rc;

	if (index >= IOMMU_TEST_HW_QUEUE_MAX)
		return -EINVAL;
	guard(mutex)(&mock->lock);
	if (mock->queues[index])
		return -EEXIST;
	if (index && !mock->queues[index - 1])
		return -EIO;
	if (iommu_iova_to_phys(mock->parent, hw_queue->base_addr) != base)
		return -EFAULT;

	if (index) {
		queue->previous = mock->queues[index - 1];
		rc = iommufd_hw_queue_depend(queue, queue->previous, core);
		if (rc)
			return rc;
	}
	queue->index = index;
	mock->queues[index] = queue;
	hw_queue->destroy = hw_queue_destroy;
	return 0;
}

static void free_registers(struct mock_viommu *mock)
{
	if (!mock->registers)
		return;
	iommufd_viommu_destroy_mmap(&mock->core, mock->mmap_offset);
	free_pages((unsigned long)mock->registers, REGISTERS_ORDER);
	mock->registers = NULL;
}

static void viommu_destroy(struct iommufd_viommu *viommu)
{
	struct mock_viommu *mock = to_mock_viommu(viommu);

	free_registers(mock);
	mutex_destroy(&mock->lock);
}

static const struct iommufd_viommu_ops viommu_ops = {
	.destroy = viommu_destroy,
	.alloc_domain_nested = viommu_alloc_nested,
	.cache_invalidate = viommu_invalidate,
	.get_hw_queue_size = hw_queue_size,
	.hw_queue_init_phys = hw_queue_init,
};

size_t mock_viommu_size(struct device *dev, enum iommu_viommu_type type)
{
	if (type != IOMMU_VIOMMU_TYPE_SELFTEST)
		return 0;
	return VIOMMU_STRUCT_SIZE(struct mock_viommu, core);
}

/* The first register holds what user space gave. */
static int make_registers(struct mock_viommu *mock,
			  struct iommu_viommu_selftest *data)
{
	int rc;

	mock->registers = (u32 *)__get_free_pages(GFP_KERNEL_ACCOUNT |
							  __GFP_ZERO,
						  REGISTERS_ORDER);
	if (!mock->registers)
		return -ENOMEM;
	mock->registers[0] = data->in_data;
	rc = iommufd_viommu_alloc_mmap(&mock->core, virt_to_phys(mock->registers),
				       REGISTERS_LENGTH, &mock->mmap_offset);
	if (rc) {
		free_pages((unsigned long)mock->registers, REGISTERS_ORDER);
		mock->registers = NULL;
		return rc;
	}
	data->out_data = data->in_data;
	data->out_mmap_offset = mock->mmap_offset;
	data->out_mmap_length = REGISTERS_LENGTH;
	return 0;
}

static int exchange_data(struct mock_viommu *mock,
			 const struct iommu_user_data *user_data)
{
	struct iommu_viommu_selftest data;
	int rc;

	rc = iommu_copy_struct_from_user(&data, user_data,
					 IOMMU_VIOMMU_TYPE_SELFTEST,
					 out_mmap_length);
	if (rc)
		return rc;
	rc = make_registers(mock, &data);
	if (rc)
		return rc;
	rc = iommu_copy_struct_to_user(user_data, &data,
				       IOMMU_VIOMMU_TYPE_SELFTEST,
				       out_mmap_length);
	if (rc)
		free_registers(mock);
	return rc;
}

/**
 * mock_viommu_init - make the mock IOMMU's part of a vIOMMU
 * @viommu: zeroed behind what is the core's
 * @parent: what translates the guest's physical addresses
 * @user_data: struct iommu_viommu_selftest, or %NULL
 */
int mock_viommu_init(struct iommufd_viommu *viommu,
		     struct iommu_domain *parent,
		     const struct iommu_user_data *user_data)
{
	struct mock_viommu *mock = to_mock_viommu(viommu);
	int rc;

	if (!mock_domain_is_paging(parent))
		return -EINVAL;
	mutex_init(&mock->lock);
	mock->parent = parent;
	if (user_data) {
		rc = exchange_data(mock, user_data);
		if (rc) {
			mutex_destroy(&mock->lock);
			return rc;
		}
	}
	viommu->ops = &viommu_ops;
	return 0;
}
