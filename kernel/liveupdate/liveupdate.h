/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update within drivers/iommu: what iommu.c, the IOMMU drivers and the files of this folder share.
 *
 * Locks, outermost first: the group's mutex; outgoing.lock or incoming.lock. KHO's own lock is taken inside.
 */
#ifndef __IOMMU_LIVEUPDATE_H
#define __IOMMU_LIVEUPDATE_H

#include <linux/iommu-liveupdate.h>
#include <linux/kho/abi/iommu.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>

struct iommu_domain;
struct liveupdate_flb;
struct liveupdate_note;
struct seq_file;

#ifdef CONFIG_IOMMU_LIVEUPDATE

/* In the order of struct iommu_flb_ser. */
enum iommu_lu_array_id {
	IOMMU_LU_HW,
	IOMMU_LU_DOMAIN,
	IOMMU_LU_DEVICE,
	IOMMU_LU_NR_ARRAYS,
};

/**
 * struct iommu_lu_array - A list of pages full of objects
 * @size:       Of one object
 * @headp:      Where the physical address of the first page is noted
 * @last:       Last page, NULL while there is none
 * @nr_pages:   Pages
 * @nr_deleted: Objects that may be used again
 */
struct iommu_lu_array {
	size_t size;
	u64 *headp;
	struct iommu_array_hdr_ser *last;
	u64 nr_pages;
	u64 nr_deleted;
};

/**
 * struct iommu_lu_state - All that is preserved, for or by another kernel
 * @ser:    The page that leads to everything else
 * @arrays: By enum iommu_lu_array_id
 */
struct iommu_lu_state {
	struct iommu_flb_ser *ser;
	struct iommu_lu_array arrays[IOMMU_LU_NR_ARRAYS];
};

/**
 * struct iommu_liveupdate_dev - A device on its way
 * @ser:      Its record
 * @domain:   What it is attached to, NULL if it is isolated. Incoming only: until the session is finished.
 * @incoming: It came from the previous kernel; otherwise it goes to the next
 * @taken:    Incoming only: its heir has attached the domain, so that the device is like any other
 * @list:     Incoming only: in the list of all
 * @dev:      Back to the device
 */
struct iommu_liveupdate_dev {
	struct iommu_device_ser *ser;
	struct iommu_domain *domain;
	bool incoming;
	bool taken;
	struct list_head list;
	struct device *dev;
};

/**
 * struct iommu_lu_domain - A restored domain; struct iommu_domain_ser::restored_domain points here
 * @domain:     The domain
 * @nr_devices: Devices that are attached to it and not taken
 * @claimed:    iommufd owns it
 * @discarded:  Nobody will claim it: goes with the last device
 */
struct iommu_lu_domain {
	struct iommu_domain *domain;
	unsigned int nr_devices;
	bool claimed;
	bool discarded;
};

/**
 * struct iommu_lu_stats - What one direction has cost so far, for the reports
 * @domains: Preserved or restored
 * @tables: Of these domains
 * @domains_ns: Time for them
 * @devices: Preserved or attached
 * @devices_ns: Time for them
 * @owned_ns: Incoming only: from boot until the last IOMMU was verified and owned
 */
struct iommu_lu_stats {
	u64 domains;
	u64 tables;
	u64 domains_ns;
	u64 devices;
	u64 devices_ns;
	u64 owned_ns;
};

#define iommu_lu_objects(hdr) ((void *)((hdr) + 1))

/* array.c */
void *iommu_lu_alloc_page(void);
void iommu_lu_free_page(void *page);
void iommu_lu_state_init(struct iommu_lu_state *state, struct iommu_flb_ser *ser);
u64 iommu_lu_array_max(const struct iommu_lu_array *array);
void *iommu_lu_array_add(struct iommu_lu_array *array);
void iommu_lu_array_del(struct iommu_lu_array *array, void *object);
void iommu_lu_array_unpreserve(struct iommu_lu_array *array);
void *iommu_lu_array_next(const struct iommu_lu_array *array, struct iommu_array_hdr_ser **page, u64 *index);
void *iommu_lu_array_at(const struct iommu_lu_array *array, u64 phys);
u32 iommu_lu_array_checksum(const struct iommu_lu_array *array);
u32 iommu_lu_state_checksum(const struct iommu_lu_state *state);

/* All objects that are not deleted. @page and @index are for the loop to keep its place in. */
#define iommu_lu_for_each(array, object, page, index)								\
	for ((page) = NULL, (index) = 0; ((object) = iommu_lu_array_next(array, &(page), &(index)));)		\
		if ((object)->obj.deleted)									\
			continue;										\
		else

static inline struct iommu_flb_check_ser *iommu_lu_check(const struct iommu_lu_state *state)
{
	return (struct iommu_flb_check_ser *)(state->ser + 1);
}

/* pages.c, and what iommu-pages.h has of it */
bool iommu_pages_restorable(phys_addr_t phys, size_t size);

/* verify.c */
int iommu_lu_verify(u64 phys, struct iommu_lu_state *state, const char **why);

/* flb.c */
extern struct liveupdate_flb iommu_lu_flb;

/* status.c. Each statistic is protected by the lock of its direction. */
extern struct iommu_lu_stats iommu_lu_stats_out, iommu_lu_stats_in;
typedef void (*iommu_lu_show_fn)(struct seq_file *m, const char *direction, const struct iommu_lu_state *state);

/* outgoing.c */
extern struct mutex iommu_lu_outgoing_lock;
int iommu_lu_outgoing_begin(u64 *data, void **obj);
void iommu_lu_outgoing_end(void *obj);
void iommu_lu_outgoing_freeze(void *obj);
bool iommu_lu_outgoing_any(void);
void iommu_lu_outgoing_show(struct seq_file *m, iommu_lu_show_fn show);

/* jump.c: what is known of the kernel that is loaded */
int iommu_lu_note_parse(struct liveupdate_note *note, const char *setup, size_t setup_len, const char *cmdline,
			size_t cmdline_len);

/* incoming.c */
int iommu_lu_incoming_begin(u64 data, void **obj);
void iommu_lu_incoming_end(void *obj);
void iommu_lu_incoming_show(struct seq_file *m, iommu_lu_show_fn show);
bool iommu_liveupdate_incoming(void);
struct iommu_hw_ser *iommu_liveupdate_find_hw(u64 type, u64 token);
struct iommu_device_ser *iommu_liveupdate_find_device(struct iommu_hw_ser *hw, u32 pci_domain_nr, u32 devid,
						      struct iommu_domain_ser **domain_ser);
void iommu_liveupdate_adopted(struct iommu_hw_ser *hw);
void iommu_liveupdate_isolate(u32 pci_domain_nr, u32 devid, const char *why);
void iommu_liveupdate_isolate_hw(u64 type, u64 token, const char *why);
void iommu_liveupdate_isolate_all(const char *why);
void iommu_liveupdate_isolate_unknown(void);

/* For iommu.c */
bool iommu_liveupdate_find(struct device *dev);
struct iommu_domain *iommu_liveupdate_attach(struct device *dev, bool alone);
void iommu_liveupdate_taken(struct device *dev);
void iommu_liveupdate_remove_device(struct device *dev);

/* In iommu.c, see group.h */
int iommu_group_set_heir(struct device *dev, void *owner);
void iommu_group_release_restored(struct device *dev);
int iommu_group_call_attached(struct device *dev, struct iommu_domain *domain,
			      int (*fn)(struct device *dev, void *arg), void *arg);

#else /* CONFIG_IOMMU_LIVEUPDATE */

static inline void iommu_liveupdate_remove_device(struct device *dev)
{
}

#endif /* CONFIG_IOMMU_LIVEUPDATE */
#endif /* __IOMMU_LIVEUPDATE_H */
