// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is on its way and what came, a line for each:
 *
 *	/sys/kernel/debug/iommu_liveupdate	IOMMUs, domains and devices, and what they have cost
 *	/sys/kernel/debug/liveupdate_sessions	sessions, their files, and what each handler says of those
 */
#include <linux/debugfs.h>
#include <linux/init.h>
#include <linux/liveupdate.h>
#include <linux/seq_file.h>

#include "liveupdate.h"

struct iommu_lu_stats iommu_lu_stats_out, iommu_lu_stats_in;

static void show_stats(struct seq_file *m, const char *direction, const struct iommu_lu_stats *stats)
{
	seq_printf(m, "%s domains=%llu tables=%llu domains_ns=%llu devices=%llu devices_ns=%llu owned_ns=%llu\n", direction,
		   stats->domains, stats->tables, stats->domains_ns, stats->devices, stats->devices_ns, stats->owned_ns);
}

static void show_objects(struct seq_file *m, const char *direction, const struct iommu_lu_state *state)
{
	struct iommu_array_hdr_ser *page;
	struct iommu_device_ser *device;
	struct iommu_domain_ser *domain;
	struct iommu_hw_ser *hw;
	u64 index;

	iommu_lu_for_each(&state->arrays[IOMMU_LU_HW], hw, page, index)
		seq_printf(m, "%s iommu type=%llu token=%#llx refs=%u incoming=%u\n", direction, hw->type, hw->token,
			   hw->obj.ref_count, hw->obj.incoming);
	iommu_lu_for_each(&state->arrays[IOMMU_LU_DOMAIN], domain, page, index)
		seq_printf(m, "%s domain top=%#llx level=%llu vasz=%u sign_extend=%u refs=%u incoming=%u\n", direction,
			   domain->top_table_phys, domain->top_level, domain->vasz, domain->sign_extend,
			   domain->obj.ref_count, domain->obj.incoming);
	iommu_lu_for_each(&state->arrays[IOMMU_LU_DEVICE], device, page, index)
		seq_printf(m, "%s device %04x:%02x:%02x.%x attachment=%#llx incoming=%u\n", direction,
			   device->pci_domain_nr, device->devid >> 8, (device->devid >> 3) & 0x1f, device->devid & 7,
			   device->map.attachment_id, device->obj.incoming);
}

static int status_show(struct seq_file *m, void *v)
{
	show_stats(m, "outgoing", &iommu_lu_stats_out);
	iommu_lu_outgoing_show(m, show_objects);
	show_stats(m, "incoming", &iommu_lu_stats_in);
	iommu_lu_incoming_show(m, show_objects);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(status);

static int sessions_show(struct seq_file *m, void *v)
{
	liveupdate_show_sessions(m);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(sessions);

static int __init status_init(void)
{
	debugfs_create_file("iommu_liveupdate", 0400, NULL, NULL, &status_fops);
	debugfs_create_file("liveupdate_sessions", 0400, NULL, NULL, &sessions_fops);
	return 0;
}
device_initcall(status_init);
