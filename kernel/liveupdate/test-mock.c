// SPDX-License-Identifier: GPL-2.0-only
/* What the unit tests pretend to have, see test-mock.h. */
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "../iommu-pages.h"
#include "liveupdate.h"
#include "test-mock.h"
#include "test.h"

struct mock_calls mock_calls;
struct mock_kho mock_kho;

/* Pages that are preserved and not restored, by frame number; the value is the order. */
static DEFINE_XARRAY(mock_pages);

static int mock_preserve(void *virt)
{
	struct folio *folio = virt_to_folio(virt);

	if (++mock_kho.total == mock_kho.fail_at)
		return -ENOMEM;
	mock_kho.nr++;
	return xa_err(xa_store(&mock_pages, folio_pfn(folio), xa_mk_value(folio_order(folio)), GFP_KERNEL));
}

static void mock_unpreserve(void *virt)
{
	mock_kho.nr--;
	WARN_ON(!xa_erase(&mock_pages, folio_pfn(virt_to_folio(virt))));
}

static bool mock_restorable(phys_addr_t phys, size_t size)
{
	void *order = xa_load(&mock_pages, PHYS_PFN(phys));

	return PAGE_ALIGNED(phys) && phys != mock_kho.lost && order && xa_to_value(order) == get_order(size);
}

/* This kernel's KHO must not hand it over any more. */
static void *mock_restore(phys_addr_t phys)
{
	void *virt = phys_to_virt(phys);

	iommu_unpreserve_pages(virt);
	return virt;
}

static bool mock_attached(struct device *dev)
{
	return true;
}

static struct iommu_lu_test_ops mock_ops = {
	.preserve = mock_preserve,
	.unpreserve = mock_unpreserve,
	.restorable = mock_restorable,
	.restore = mock_restore,
	.attached = mock_attached,
};

void mock_begin(void)
{
	mock_calls = (struct mock_calls){};
	mock_kho = (struct mock_kho){};
	iommu_lu_test = &mock_ops;
}

void mock_jump(bool jumped)
{
	mock_ops.jumped = jumped;
}

/* Returns how many pages somebody forgot. */
int mock_end(void)
{
	int nr = mock_kho.nr;
	unsigned long pfn;
	void *order;

	mock_jump(false);
	xa_for_each(&mock_pages, pfn, order)
		iommu_unpreserve_pages(pfn_to_kaddr(pfn));
	iommu_lu_test = NULL;
	return nr;
}

static void mock_domain_free(struct iommu_domain *domain)
{
	struct mock_domain *mock = container_of(domain, struct mock_domain, domain);

	mock_calls.freed++;
	pt_iommu_deinit(&mock->iommu);
	kfree(mock);
}

static const struct iommu_domain_ops mock_ss_ops = {
	IOMMU_PT_DOMAIN_OPS(vtdss),
	.free = mock_domain_free,
};

static const struct iommu_domain_ops mock_fs_ops = {
	IOMMU_PT_DOMAIN_OPS(x86_64),
	.free = mock_domain_free,
};

static u64 mock_hw_token(struct iommu_device *iommu)
{
	return MOCK_TOKEN;
}

static int mock_preserve_device(struct device *dev, struct iommu_domain *domain)
{
	if (mock_calls.fail_preserve)
		return mock_calls.fail_preserve;
	mock_calls.preserved++;
	return 0;
}

static void mock_unpreserve_device(struct device *dev, struct iommu_domain *domain)
{
	mock_calls.preserved--;
}

static struct iommu_domain *mock_restore_domain(struct device *dev, const struct iommu_domain_ser *ser,
						unsigned long *nr_pages)
{
	struct mock_domain *mock = mock_domain_alloc(ser->sign_extend);
	int ret;

	if (!mock)
		return ERR_PTR(-ENOMEM);
	ret = mock->iommu.ops->restore(&mock->iommu, ser, nr_pages);
	if (ret) {
		mock_domain_free(&mock->domain);
		return ERR_PTR(ret);
	}
	return &mock->domain;
}

static int mock_attach_restored(struct iommu_domain *domain, struct device *dev)
{
	if (mock_calls.fail_attach)
		return mock_calls.fail_attach;
	mock_calls.attached++;
	return 0;
}

static void mock_isolate(struct device *dev)
{
	mock_calls.isolated++;
}

static const struct iommu_liveupdate_ops mock_liveupdate_ops = {
	.hw_type = IOMMU_HW_SER_MOCK,
	.hw_token = mock_hw_token,
	.preserve_device = mock_preserve_device,
	.unpreserve_device = mock_unpreserve_device,
	.restore_domain = mock_restore_domain,
	.attach_restored = mock_attach_restored,
	.isolate = mock_isolate,
};

static const struct iommu_ops mock_iommu_ops = {
	.liveupdate_ops = &mock_liveupdate_ops,
};

static struct iommu_device mock_iommu_device = {
	.ops = &mock_iommu_ops,
};

struct mock_domain *mock_domain_alloc(bool sign_extend)
{
	struct pt_iommu_x86_64_cfg fs_cfg = {
		.common = { .features = BIT(PT_FEAT_SIGN_EXTEND) | BIT(PT_FEAT_FLUSH_RANGE), .hw_max_vasz_lg2 = 48,
			    .hw_max_oasz_lg2 = 52 },
		.top_level = 3,
	};
	struct pt_iommu_vtdss_cfg ss_cfg = {
		.common = { .features = BIT(PT_FEAT_FLUSH_RANGE), .hw_max_vasz_lg2 = 39, .hw_max_oasz_lg2 = 52 },
		.top_level = 2,
	};
	struct mock_domain *mock = kzalloc_obj(*mock);
	int ret;

	if (!mock)
		return NULL;
	mock->iommu.nid = NUMA_NO_NODE;
	if (sign_extend)
		ret = pt_iommu_x86_64_init(&mock->fs, &fs_cfg, GFP_KERNEL);
	else
		ret = pt_iommu_vtdss_init(&mock->ss, &ss_cfg, GFP_KERNEL);
	if (ret) {
		kfree(mock);
		return NULL;
	}
	mock->domain.type = IOMMU_DOMAIN_UNMANAGED;
	mock->domain.ops = sign_extend ? &mock_fs_ops : &mock_ss_ops;
	mock->domain.owner = &mock_iommu_ops;
	return mock;
}

/* Each in a table of its own. */
static u64 mock_iova(unsigned int i)
{
	return MOCK_IOVA + i * (u64)SZ_2M;
}

static phys_addr_t mock_phys(unsigned int i)
{
	return SZ_1G + (phys_addr_t)i * SZ_4K;
}

int mock_domain_map(struct mock_domain *mock, unsigned int nr)
{
	int ret = 0;

	for (unsigned int i = 0; i < nr && !ret; i++) {
		size_t mapped = 0;

		ret = mock->iommu.ops->map_range(&mock->iommu, mock_iova(i), mock_phys(i), SZ_4K,
						 IOMMU_READ | IOMMU_WRITE, GFP_KERNEL, &mapped);
	}
	return ret;
}

bool mock_domain_maps(struct iommu_domain *domain, bool sign_extend, unsigned int nr)
{
	const struct iommu_domain_ops *ops = sign_extend ? &mock_fs_ops : &mock_ss_ops;

	for (unsigned int i = 0; i < nr; i++) {
		if (ops->iova_to_phys(domain, mock_iova(i)) != mock_phys(i))
			return false;
	}
	return !ops->iova_to_phys(domain, mock_iova(nr));
}

/* Its tables belong to the next kernel. */
void mock_domain_forget(struct mock_domain *mock)
{
	kfree(mock);
}

static int mock_read(struct pci_bus *bus, unsigned int devfn, int where, int size, u32 *val)
{
	struct mock_device *mock = bus->sysdata + sizeof(struct pci_sysdata);

	*val = where == PCI_COMMAND ? mock->command : 0;
	return PCIBIOS_SUCCESSFUL;
}

static int mock_write(struct pci_bus *bus, unsigned int devfn, int where, int size, u32 val)
{
	struct mock_device *mock = bus->sysdata + sizeof(struct pci_sysdata);

	if (where == PCI_COMMAND)
		mock->command = val;
	return PCIBIOS_SUCCESSFUL;
}

static struct pci_ops mock_pci_ops = {
	.read = mock_read,
	.write = mock_write,
};

/* A root bus for each, whose sysdata has the device behind it. */
struct mock_device *mock_device_alloc(u8 devfn)
{
	struct pci_sysdata *sysdata = kzalloc(sizeof(*sysdata) + sizeof(struct mock_device), GFP_KERNEL);
	struct pci_bus *bus = kzalloc_obj(*bus);
	struct mock_device *mock;

	if (!sysdata || !bus) {
		kfree(sysdata);
		kfree(bus);
		return NULL;
	}
	sysdata->domain = MOCK_SEGMENT;
	bus->sysdata = sysdata;
	bus->ops = &mock_pci_ops;
	bus->number = 3;

	mock = (struct mock_device *)(sysdata + 1);
	mock->command = PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY;
	mock->pdev.bus = bus;
	mock->pdev.devfn = devfn;
	mock->pdev.dev.bus = &pci_bus_type;
	mock->pdev.dev.iommu = &mock->iommu;
	mock->iommu.iommu_dev = &mock_iommu_device;
	mock->pdev.dev.iommu_group = iommu_group_alloc();
	if (IS_ERR(mock->pdev.dev.iommu_group)) {
		kfree(bus);
		kfree(sysdata);
		return NULL;
	}
	return mock;
}

void mock_device_free(struct mock_device *mock)
{
	struct pci_bus *bus = mock->pdev.bus;

	/* In the kernel that jumped, nobody finished it. */
	kfree(mock->iommu.liveupdate);
	iommu_group_put(mock->pdev.dev.iommu_group);
	kfree(bus->sysdata);
	kfree(bus);
}

MODULE_IMPORT_NS("GENERIC_PT_IOMMU");
