/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the image of a kernel says of itself to the kernel that is to jump into it.
 */
#ifndef _LINUX_KHO_ABI_NOTE_H
#define _LINUX_KHO_ABI_NOTE_H

#include <linux/kho/abi/iommu.h>
#include <linux/kho/abi/iommufd.h>
#include <linux/kho/abi/kexec_handover.h>
#include <linux/kho/abi/luo.h>
#include <linux/kho/abi/memfd.h>
#include <linux/kho/abi/vfio_pci.h>

/**
 * DOC: live update note
 *
 * A kernel that takes over devices at work has a note in the part of its image that is not compressed; on x86 that is
 * the setup code. The note is a list of strings, each with a NUL at its end. The first is LIVEUPDATE_NOTE_MAGIC, the last
 * is empty. The others are a key and a value:
 *
 *   release=     As of uname
 *   parameters=  What the kernel does as if it stood on the command line before all else
 *   takes=       A compatible string of something that the kernel can take over; one string for each
 *
 * Who reads a note goes over keys that it does not know. Whatever is preserved under a compatible string that the note
 * does not have would be lost. Any change of a meaning is a new LIVEUPDATE_NOTE_MAGIC.
 */

#define LIVEUPDATE_NOTE_MAGIC	"Linux live update note v1"

#define LIVEUPDATE_NOTE_TAKES(compatible)	"takes=" compatible "\0"

#ifdef CONFIG_LIVEUPDATE_MEMFD
#define LIVEUPDATE_NOTE_MEMFD	LIVEUPDATE_NOTE_TAKES(MEMFD_LUO_FH_COMPATIBLE)
#else
#define LIVEUPDATE_NOTE_MEMFD
#endif

#if IS_ENABLED(CONFIG_IOMMUFD)
#define LIVEUPDATE_NOTE_IOMMUFD	LIVEUPDATE_NOTE_TAKES(IOMMUFD_LUO_FH_COMPATIBLE)
#else
#define LIVEUPDATE_NOTE_IOMMUFD
#endif

#if defined(CONFIG_VFIO_LIVEUPDATE) && IS_ENABLED(CONFIG_VFIO_PCI)
#define LIVEUPDATE_NOTE_VFIO	LIVEUPDATE_NOTE_TAKES(VFIO_PCI_LUO_FH_COMPATIBLE)
#else
#define LIVEUPDATE_NOTE_VFIO
#endif

#ifdef CONFIG_KEXEC_HANDOVER_ENABLE_DEFAULT
#define LIVEUPDATE_NOTE_KHO	"kho=on "
#else
#define LIVEUPDATE_NOTE_KHO
#endif

#ifdef CONFIG_INTEL_IOMMU_DEFAULT_ON
#define LIVEUPDATE_NOTE_INTEL	"intel_iommu=on "
#else
#define LIVEUPDATE_NOTE_INTEL
#endif

/* What stands behind "--" is not for the kernel. */
#if defined(CONFIG_CMDLINE_OVERRIDE)
#define LIVEUPDATE_NOTE_CMDLINE	CONFIG_CMDLINE " --"
#elif defined(CONFIG_CMDLINE_BOOL)
#define LIVEUPDATE_NOTE_CMDLINE	CONFIG_CMDLINE
#else
#define LIVEUPDATE_NOTE_CMDLINE
#endif

/* The whole note, whose last string is the NUL that ends this one. */
#define LIVEUPDATE_NOTE(release)						\
	LIVEUPDATE_NOTE_MAGIC "\0"						\
	"release=" release "\0"							\
	"parameters=" LIVEUPDATE_NOTE_KHO LIVEUPDATE_NOTE_INTEL LIVEUPDATE_NOTE_CMDLINE "\0" \
	LIVEUPDATE_NOTE_TAKES(KHO_FDT_COMPATIBLE)				\
	LIVEUPDATE_NOTE_TAKES(LUO_ABI_COMPATIBLE)				\
	LIVEUPDATE_NOTE_TAKES(IOMMU_LIVEUPDATE_FLB_COMPATIBLE)			\
	LIVEUPDATE_NOTE_MEMFD							\
	LIVEUPDATE_NOTE_IOMMUFD							\
	LIVEUPDATE_NOTE_VFIO

#endif /* _LINUX_KHO_ABI_NOTE_H */
