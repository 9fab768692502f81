// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/ioctl.h>

#include "buffer.h"
#include "iommufd.h"
#include "mock.h"

int mock_call(int fd, struct iommu_test_cmd *cmd)
{
	cmd->size = sizeof(*cmd);
	return xioctl(fd, IOMMU_TEST_CMD, cmd);
}

int mock_plug(int fd, __u32 pt, __u32 flags, struct mock *mock)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_MOCK_DOMAIN_FLAGS,
		.id = pt,
		.mock_domain_flags = { .dev_flags = flags },
	};
	int err = mock_call(fd, &cmd);

	if (!err)
		*mock = (struct mock){
			.stdev = cmd.mock_domain_flags.out_stdev_id,
			.hwpt = cmd.mock_domain_flags.out_hwpt_id,
			.dev = cmd.mock_domain_flags.out_idev_id,
		};
	return err;
}

int mock_replace(int fd, __u32 stdev, __u32 *pt)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_MOCK_DOMAIN_REPLACE,
		.id = stdev,
		.mock_domain_replace = { .pt_id = *pt },
	};
	int err = mock_call(fd, &cmd);

	if (!err)
		*pt = cmd.mock_domain_replace.pt_id;
	return err;
}

int mock_pasid_attach(int fd, __u32 stdev, __u32 pasid, __u32 pt)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_PASID_ATTACH,
		.id = stdev,
		.pasid_attach = { .pasid = pasid, .pt_id = pt },
	};

	return mock_call(fd, &cmd);
}

int mock_pasid_replace(int fd, __u32 stdev, __u32 pasid, __u32 pt)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_PASID_REPLACE,
		.id = stdev,
		.pasid_replace = { .pasid = pasid, .pt_id = pt },
	};

	return mock_call(fd, &cmd);
}

int mock_pasid_detach(int fd, __u32 stdev, __u32 pasid)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_PASID_DETACH,
		.id = stdev,
		.pasid_detach = { .pasid = pasid },
	};

	return mock_call(fd, &cmd);
}

int mock_pasid_check(int fd, __u32 stdev, __u32 pasid, __u32 hwpt)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_PASID_CHECK_HWPT,
		.id = stdev,
		.pasid_check = { .pasid = pasid, .hwpt_id = hwpt },
	};

	return mock_call(fd, &cmd);
}

int mock_check_map(int fd, __u32 hwpt, __u64 iova, const void *va,
		   size_t length)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_MD_CHECK_MAP,
		.id = hwpt,
		.check_map = {
			.iova = iova,
			.length = length,
			.uptr = (uintptr_t)va,
		},
	};

	return mock_call(fd, &cmd);
}

int mock_check_pins(int fd, const void *va, size_t length, __u32 pins)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_MD_CHECK_REFS,
		.check_refs = {
			.length = length,
			.uptr = (uintptr_t)va,
			.refs = pins,
		},
	};

	return mock_call(fd, &cmd);
}

int mock_dirty(int fd, __u32 hwpt, __u64 iova, size_t length,
	       const void *bitmap)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_DIRTY,
		.id = hwpt,
		.dirty = {
			.iova = iova,
			.length = length,
			.page_size = PAGE,
			.uptr = (uintptr_t)bitmap,
		},
	};

	return mock_call(fd, &cmd);
}

int mock_page_request(int fd, __u32 dev, __u32 group, __u64 addr)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_TRIGGER_IOPF,
		.trigger_iopf = {
			.dev_id = dev,
			.grpid = group,
			.perm = IOMMU_PGFAULT_PERM_READ,
			.addr = addr,
		},
	};

	return mock_call(fd, &cmd);
}

int mock_event(int fd, __u32 dev)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_TRIGGER_VEVENT,
		.trigger_vevent = { .dev_id = dev },
	};

	return mock_call(fd, &cmd);
}

int mock_access(int fd, __u32 ioas, bool pins)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_CREATE_ACCESS,
		.id = ioas,
		.create_access = {
			.flags = pins ?
				MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES : 0,
		},
	};

	return mock_call(fd, &cmd) ?: (int)cmd.create_access.out_access_fd;
}

int mock_access_replace(int fd, int access, __u32 ioas)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_ACCESS_REPLACE_IOAS,
		.id = access,
		.access_replace_ioas = { .ioas_id = ioas },
	};

	return mock_call(fd, &cmd);
}

int mock_access_pin(int fd, int access, __u64 iova, const void *va,
		    size_t length, __u32 *id)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_ACCESS_PAGES,
		.id = access,
		.access_pages = {
			.iova = iova,
			.length = length,
			.uptr = (uintptr_t)va,
		},
	};
	int err = mock_call(fd, &cmd);

	if (!err)
		*id = cmd.access_pages.out_access_pages_id;
	return err;
}

int mock_access_unpin(int fd, int access, __u32 id)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_DESTROY_ACCESS_PAGES,
		.id = access,
		.destroy_access_pages = { .access_pages_id = id },
	};

	return mock_call(fd, &cmd);
}

int mock_access_rw(int fd, int access, __u64 iova, void *data, size_t length,
		   __u32 flags)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_ACCESS_RW,
		.id = access,
		.access_rw = {
			.iova = iova,
			.length = length,
			.uptr = (uintptr_t)data,
			.flags = flags,
		},
	};

	return mock_call(fd, &cmd);
}

int mock_dmabuf(int fd, size_t length)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_DMABUF_GET,
		.dmabuf_get = {
			.length = length,
			.open_flags = O_CLOEXEC | O_RDWR,
		},
	};
	int dmabuf = ioctl(fd, IOMMU_TEST_CMD, &cmd);

	return dmabuf < 0 ? -errno : dmabuf;
}

int mock_dmabuf_revoke(int fd, int dmabuf, bool revoked)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_DMABUF_REVOKE,
		.dmabuf_revoke = {
			.dmabuf_fd = dmabuf,
			.revoked = revoked,
		},
	};

	return mock_call(fd, &cmd);
}
