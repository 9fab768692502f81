/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * iox: asking policies what may be preserved over a live update.
 *
 * The file handlers of iommufd and vfio-pci write down what somebody wants to
 * preserve or retrieve, and ask. Policies are struct iox_admit_ops, see
 * drivers/iommu/iox/admit.h.
 */
#ifndef __LINUX_IOX_ADMIT_H
#define __LINUX_IOX_ADMIT_H

#include <linux/err.h>
#include <linux/liveupdate.h>
#include <linux/types.h>

#define IOX_ADMIT_NAME_LEN 64

struct cgroup;
struct iox_admission;

/**
 * enum iox_admit_step - when policies are asked
 * @IOX_ADMIT_MARK: an HWPT is being marked
 * @IOX_ADMIT_PRESERVE: a file is being preserved in a session
 * @IOX_ADMIT_FREEZE: the kernel is about to be replaced
 * @IOX_ADMIT_RETRIEVE: a file is being retrieved in the next kernel
 */
enum iox_admit_step {
	IOX_ADMIT_MARK,
	IOX_ADMIT_PRESERVE,
	IOX_ADMIT_FREEZE,
	IOX_ADMIT_RETRIEVE,
	IOX_NR_ADMIT_STEPS,
};

/**
 * enum iox_admit_kind - what they are asked about
 * @IOX_ADMIT_HWPT: one HWPT; only with %IOX_ADMIT_MARK
 * @IOX_ADMIT_IOMMUFD: an iommufd with its marked HWPTs
 * @IOX_ADMIT_DEVICE: a device of vfio-pci
 */
enum iox_admit_kind {
	IOX_ADMIT_HWPT,
	IOX_ADMIT_IOMMUFD,
	IOX_ADMIT_DEVICE,
};

/**
 * struct iox_admit_req - one request, as a policy sees it
 * @id: what this admission is known by, from preserve over freeze to
 *	unpreserve; never used twice until reboot
 * @cgroup_id: cgroup v2 id of the task that preserves, marks or retrieves
 * @token: of the file in its session; with %IOX_ADMIT_MARK, of the HWPT
 * @iommufd_token: with %IOX_ADMIT_DEVICE: of the iommufd that it is bound to
 * @mapped_bytes: what the HWPTs map; 0 for a device, whose iommufd has that
 * @pt_bytes: of the I/O page tables that are preserved; 0 with %IOX_ADMIT_MARK
 *	and %IOX_ADMIT_RETRIEVE, and for a device
 * @step: enum iox_admit_step
 * @kind: enum iox_admit_kind
 * @uid: effective user id of that task, in the initial user namespace
 * @pid: its process id, in the initial pid namespace
 * @nr_hwpts: how many HWPTs; 0 for a device
 * @backings: a bit (1 << enum iox_backing) for each kind of memory that is
 *	mapped; 0 for a device
 * @segment: of a device: its PCI segment
 * @bdf: of a device: bus << 8 | device << 3 | function
 * @vendor: of a device: PCI vendor id
 * @device: of a device: PCI device id
 * @class: of a device: PCI class, subclass and programming interface (24 bits);
 *	0 with %IOX_ADMIT_RETRIEVE
 * @irqs_on: of a device: user space has interrupts of it enabled
 * @session: name of the session; empty with %IOX_ADMIT_MARK
 * @abi: version of the records that the file is handed over with
 * @release: of this kernel, as uname -r says
 * @peer_release: of the other kernel: with %IOX_ADMIT_FREEZE the next one, with
 *	%IOX_ADMIT_RETRIEVE the one that preserved; else, or if it is not known,
 *	empty
 * @peer_abi: @abi if the other kernel knows that too; else, or if it is not
 *	known, empty
 * @admission: what it is a part of; not for policies. That there is a pointer in
 *	it keeps the verifier from taking any memory of this size for a request.
 *
 * What freeze and unpreserve see of the task and the file is what preserve saw.
 */
struct iox_admit_req {
	u64 id;
	u64 cgroup_id;
	u64 token;
	u64 iommufd_token;
	u64 mapped_bytes;
	u64 pt_bytes;
	u32 step;
	u32 kind;
	u32 uid;
	u32 pid;
	u32 nr_hwpts;
	u32 backings;
	u32 segment;
	u32 bdf;
	u32 vendor;
	u32 device;
	u32 class;
	u32 irqs_on;
	char session[IOX_ADMIT_NAME_LEN];
	char abi[IOX_ADMIT_NAME_LEN];
	char release[IOX_ADMIT_NAME_LEN + 1];
	char peer_release[IOX_ADMIT_NAME_LEN + 1];
	char peer_abi[IOX_ADMIT_NAME_LEN];
	struct iox_admission *admission;
};

/**
 * struct iox_admission - something that is, or asks to be, preserved
 * @req: what policies see; the owner fills in what is about its kind
 * @cgroup: of the task that asks; held
 * @reason: what the policy that was asked last has to say
 */
struct iox_admission {
	struct iox_admit_req req;
	struct cgroup *cgroup;
	char reason[128];
};

#if IS_ENABLED(CONFIG_IOX_ADMIT)

struct iox_admission *iox_admission_new(enum iox_admit_kind kind,
					const struct liveupdate_file_op_args *args);
void iox_admission_free(struct iox_admission *admission);
int iox_admit(struct iox_admission *admission, enum iox_admit_step step);
void iox_admission_withdraw(struct iox_admission *admission);

#else

static inline struct iox_admission *
iox_admission_new(enum iox_admit_kind kind,
		  const struct liveupdate_file_op_args *args)
{
	return NULL;
}

static inline void iox_admission_free(struct iox_admission *admission)
{
}

static inline int iox_admit(struct iox_admission *admission,
			    enum iox_admit_step step)
{
	return 0;
}

static inline void iox_admission_withdraw(struct iox_admission *admission)
{
}

#endif
#endif
