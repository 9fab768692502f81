// SPDX-License-Identifier: GPL-2.0-only
/* What the PCI core has to do otherwise for devices on their way from one kernel to the next. */
#include <linux/liveupdate.h>
#include <linux/pci.h>

#include "liveupdate.h"

static bool is_preserved(struct pci_dev *pdev)
{
	return iommu_device_is_preserved(&pdev->dev);
}

static int walk_preserved(struct pci_dev *pdev, void *data)
{
	bool *found = data;

	*found = is_preserved(pdev);
	return *found;
}

/**
 * pci_liveupdate_keeps_master - Ask whether a device has to remain a bus master over the kexec
 * @pdev: A preserved device, a bridge above one, or any other
 */
bool pci_liveupdate_keeps_master(struct pci_dev *pdev)
{
	bool found = is_preserved(pdev);

	if (!found && pdev->subordinate)
		pci_walk_bus(pdev->subordinate, walk_preserved, &found);
	return found;
}

/**
 * pci_liveupdate_keeps_bus_numbers - Ask whether buses have to be numbered as the previous kernel had them
 *
 * Requests of a running device carry its bus number, and the IOMMU goes by that.
 */
bool pci_liveupdate_keeps_bus_numbers(void)
{
	return liveupdate_flb_incoming_name(IOMMU_LIVEUPDATE_FLB_PREFIX);
}
