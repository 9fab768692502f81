/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * What iox adds to the ioctls of /dev/iommu in <linux/iommufd.h>. The same rules hold: every structure begins with its
 * size, what is reserved is zero, an unknown flag is -EOPNOTSUPP. Numbers begin at 0xC0, flags at bit 31 downwards.
 */
#ifndef _UAPI_LINUX_IOX_H
#define _UAPI_LINUX_IOX_H

#include <linux/iommufd.h>
#include <linux/ioctl.h>
#include <linux/types.h>

enum {
	IOX_CMD_BASE = 0xc0,
	IOX_CMD_HWPT_LU_MARK_PRESERVE = IOX_CMD_BASE,
	IOX_CMD_LU_CHECK = IOX_CMD_BASE + 1,
	IOX_CMD_IOAS_REQUIRE = IOX_CMD_BASE + 2,
	IOX_CMD_IOAS_TEST_ATTACH = IOX_CMD_BASE + 3,
	IOX_CMD_IOAS_TRY_MAP = IOX_CMD_BASE + 4,
	IOX_CMD_HWPT_PT_STATS = IOX_CMD_BASE + 5,
};

/**
 * enum iox_lu_flags - Flags of struct iommu_hwpt_lu_mark_preserve
 * @IOX_LU_UNMARK: Take the mark off; hwpt_token has to be 0
 * @IOX_LU_FIND: Change nothing; answer in hwpt_id which HWPT has hwpt_token. So a program learns the ids of the HWPTs
 *               that an iommufd came back with. hwpt_id has to be 0
 */
enum iox_lu_flags {
	IOX_LU_UNMARK = 1U << 31,
	IOX_LU_FIND = 1U << 30,
};

/**
 * struct iommu_hwpt_lu_mark_preserve - ioctl(IOMMU_HWPT_LU_MARK_PRESERVE)
 * @size: sizeof(struct iommu_hwpt_lu_mark_preserve)
 * @hwpt_id: A paging HWPT
 * @hwpt_token: What it will be known by after the live update; one HWPT of this file can have it
 * @flags: At most one of enum iox_lu_flags
 * @__reserved: Must be 0
 *
 * Have a live update that preserves this file preserve the HWPT: its page tables, and DMA that goes through them. A mark
 * moves when the HWPT is marked again with another token, and goes with the HWPT.
 *
 * When the file is preserved, all that the HWPT's IOAS maps must be of memfds that are sealed against shrinking and
 * preserved in the same session before. As long as it is, neither the marks nor the mappings nor the attachments of
 * preserved devices can be changed: -EBUSY.
 *
 * After the live update, the HWPT comes back with its mark and without an IOAS.
 *
 * Return: 0; -ENOENT no such HWPT, no such token (IOX_LU_FIND), or no mark (IOX_LU_UNMARK); -EADDRINUSE another HWPT has
 * this token; -EBUSY the file is preserved; -EINVAL more than one flag; -EOPNOTSUPP a nested HWPT, one that is made for
 * nesting or that reports page faults, or a kernel without live update.
 */
struct iommu_hwpt_lu_mark_preserve {
	__u32 size;
	__u32 hwpt_id;
	__aligned_u64 hwpt_token;
	__u32 flags;
	__u32 __reserved;
};
#define IOMMU_HWPT_LU_MARK_PRESERVE _IO(IOMMUFD_TYPE, IOX_CMD_HWPT_LU_MARK_PRESERVE)

/**
 * enum iox_lu_finding_kind - What struct iox_lu_finding is about
 * @IOX_LU_FINDING_NO_MARK: No HWPT is marked
 * @IOX_LU_FINDING_PRESERVED: A session has preserved the file already
 * @IOX_LU_FINDING_HWPT: A marked HWPT, with all that it maps
 * @IOX_LU_FINDING_MEMFD: Memory of a memfd, which has to be in the session before
 * @IOX_LU_FINDING_USER_MEMORY: Memory of a process
 * @IOX_LU_FINDING_DMABUF: Memory of another driver
 * @IOX_LU_FINDING_NO_MEMFD: Memory of a file that is no memfd
 * @IOX_LU_FINDING_HUGETLB: Memory of hugetlbfs, which no session takes
 * @IOX_LU_FINDING_UNSEALED: Memory of a memfd that is not sealed against shrinking
 * @IOX_LU_FINDING_LOST: Memory that its memfd has lost, to a hole or a truncation
 * @IOX_LU_FINDING_NO_DEVICE: A marked HWPT to which no device is attached. The kernel will not go then
 * @IOX_LU_FINDING_DEVICE: A device that is bound to this file
 */
enum iox_lu_finding_kind {
	IOX_LU_FINDING_NO_MARK = 1,
	IOX_LU_FINDING_PRESERVED = 2,
	IOX_LU_FINDING_HWPT = 3,
	IOX_LU_FINDING_MEMFD = 4,
	IOX_LU_FINDING_USER_MEMORY = 5,
	IOX_LU_FINDING_DMABUF = 6,
	IOX_LU_FINDING_NO_MEMFD = 7,
	IOX_LU_FINDING_UNSEALED = 8,
	IOX_LU_FINDING_LOST = 9,
	IOX_LU_FINDING_NO_DEVICE = 10,
	IOX_LU_FINDING_DEVICE = 11,
	IOX_LU_FINDING_HUGETLB = 12,
};

/**
 * struct iox_lu_finding - One thing that matters for a live update
 * @kind: enum iox_lu_finding_kind
 * @err: 0 if it is in nobody's way; else the negative errno that preserving it would end with
 * @hwpt_id: Which HWPT it belongs to; that a device is attached to; 0 for none
 * @__reserved: 0
 * @token: Of a marked HWPT
 * @ino: Of the file that is mapped: as stat(2) has it
 * @dev: Of the file that is mapped: as stat(2) has it
 * @iova: Where the first area is mapped
 * @areas: How many areas there are of the kind
 * @bytes: How many bytes they map
 * @name: Of the device, such as 0000:00:04.0, or of the file that is mapped; cut if it is too long
 */
struct iox_lu_finding {
	__u32 kind;
	__s32 err;
	__u32 hwpt_id;
	__u32 __reserved;
	__aligned_u64 token;
	__aligned_u64 ino;
	__aligned_u64 dev;
	__aligned_u64 iova;
	__aligned_u64 areas;
	__aligned_u64 bytes;
	char name[32];
};

/**
 * struct iox_lu_check - ioctl(IOX_LU_CHECK)
 * @size: sizeof(struct iox_lu_check)
 * @flags: Must be 0
 * @nr: In: for how many findings there is room. Out: how many there are
 * @__reserved: Must be 0
 * @findings_uptr: Array of struct iox_lu_finding
 *
 * Ask what a session would say if it preserved this file and the devices that are bound to it now. Nothing is changed.
 * What is mapped one after the other and differs in nothing but its place is one finding.
 *
 * Return: 0; -EMSGSIZE there are more findings than room: as many as fit are there; -EOPNOTSUPP an unknown flag, or a
 * kernel without live update; -ENOMEM.
 */
struct iox_lu_check {
	__u32 size;
	__u32 flags;
	__u32 nr;
	__u32 __reserved;
	__aligned_u64 findings_uptr;
};
#define IOX_LU_CHECK _IO(IOMMUFD_TYPE, IOX_CMD_LU_CHECK)

/**
 * enum iox_ioas_require_flags - Flags of struct iox_ioas_require
 * @IOX_IOAS_REQUIRE_AT: The window has to begin at or before base
 */
enum iox_ioas_require_flags {
	IOX_IOAS_REQUIRE_AT = 1U << 31,
};

/**
 * struct iox_ioas_require - ioctl(IOX_IOAS_REQUIRE)
 * @size: sizeof(struct iox_ioas_require)
 * @ioas_id: The IOAS
 * @flags: enum iox_ioas_require_flags
 * @__reserved: Must be 0
 * @length: Bytes; 0 ends what has been required before
 * @align: What the IOVA that they begin at shall be a multiple of: a power of two, or 0 for 1
 * @base: With IOX_IOAS_REQUIRE_AT, that IOVA; else it must be 0
 *
 * For programs that know how much they need, and do not care where: so many IOVAs in a row have to be usable, now and
 * from now on. A later attach that would leave no such window fails with -EADDRINUSE. What is mapped makes no difference:
 * this is about what devices can reach. A later call replaces an earlier one.
 *
 * Return: 0; -ENOSPC there is no such window now, and nothing has changed; -EINVAL align is no power of two, base is not
 * aligned or not 0, or the range wraps; -ENOENT no such IOAS; -EOPNOTSUPP an unknown flag.
 */
struct iox_ioas_require {
	__u32 size;
	__u32 ioas_id;
	__u32 flags;
	__u32 __reserved;
	__aligned_u64 length;
	__aligned_u64 align;
	__aligned_u64 base;
};
#define IOX_IOAS_REQUIRE _IO(IOMMUFD_TYPE, IOX_CMD_IOAS_REQUIRE)

/**
 * enum iox_attach_reason - Why an attach would fail
 * @IOX_ATTACH_OK: It would not, for want of IOVAs
 * @IOX_ATTACH_MAPPED: Something is mapped in a range that the device cannot use
 * @IOX_ATTACH_ALLOWED: IOMMU_IOAS_ALLOW_IOVAS has promised IOVAs in such a range
 * @IOX_ATTACH_REQUIRED: No window would be left that is as IOX_IOAS_REQUIRE wants it
 * @IOX_ATTACH_MISALIGNED: A mapping does not begin or end at a page of the device's IOMMU
 * @IOX_ATTACH_RESERVED: IOX_IOAS_MAP_RESERVE has reserved IOVAs in a range that the device cannot use
 */
enum iox_attach_reason {
	IOX_ATTACH_OK = 0,
	IOX_ATTACH_MAPPED = 1,
	IOX_ATTACH_ALLOWED = 2,
	IOX_ATTACH_REQUIRED = 3,
	IOX_ATTACH_MISALIGNED = 4,
	IOX_ATTACH_RESERVED = 5,
};

/**
 * struct iox_ioas_test_attach - ioctl(IOX_IOAS_TEST_ATTACH)
 * @size: sizeof(struct iox_ioas_test_attach)
 * @ioas_id: The IOAS
 * @dev_id: A device that is bound to this file
 * @flags: Must be 0
 * @num_iovas: In: for how many ranges there is room. Out: how many there are
 * @out_reason: enum iox_attach_reason
 * @allowed_iovas: Array of struct iommu_iova_range: what would be usable after the attach, as IOMMU_IOAS_IOVA_RANGES would
 *                 say then
 * @out_iova_alignment: What mappings would have to be aligned to, in bytes
 * @out_start: The range that the device cannot use, or the mapping, that is in the way; 0 if nothing is, and with
 *             IOX_ATTACH_REQUIRED
 * @out_last: Its last byte
 *
 * Ask what an attach of the device to the IOAS, or to an HWPT on it, would change, and whether it would fail because of
 * that, without doing it. It can still fail for other reasons, such as want of memory.
 *
 * Return: 0, whatever out_reason says; -EMSGSIZE there are more ranges than room, as many as fit are there; -ENOENT no such
 * IOAS or device; -EOPNOTSUPP flags; -EINVAL its IOMMU has pages larger than the CPU's; -ENOMEM, or why its IOMMU makes no
 * domain.
 */
struct iox_ioas_test_attach {
	__u32 size;
	__u32 ioas_id;
	__u32 dev_id;
	__u32 flags;
	__u32 num_iovas;
	__u32 out_reason;
	__aligned_u64 allowed_iovas;
	__aligned_u64 out_iova_alignment;
	__aligned_u64 out_start;
	__aligned_u64 out_last;
};
#define IOX_IOAS_TEST_ATTACH _IO(IOMMUFD_TYPE, IOX_CMD_IOAS_TEST_ATTACH)

/**
 * enum iox_ioas_map_flags - Flags of IOMMU_IOAS_MAP besides those of enum iommufd_ioas_map_flags
 * @IOX_IOAS_MAP_RESERVE: Reserve the IOVAs, and map nothing
 *
 * A reservation is to IOVAs what a PROT_NONE mapping is to addresses of a process. Automatic IOVAs avoid it, hints and the
 * answers of IOVA policies in it are not taken. A mapping with IOMMU_IOAS_MAP_FIXED_IOVA, or a copy, may lie over it: over
 * all or part of it, over several and over free IOVAs between. For devices, for accesses and as the source of
 * IOMMU_IOAS_COPY, what is reserved is as if it were free. A vfio type 1 container knows it by the same rules.
 *
 * With this flag, user_va is no address. It is what the address of the memory would be: automatic IOVAs are chosen so that
 * memory of such an address could be mapped there in large pages; 0 will do. IOMMU_IOAS_MAP_READABLE and WRITEABLE are
 * optional: an IOVA policy sees them, and nobody else. With IOMMU_IOAS_MAP_FIXED_IOVA, nothing may be mapped or reserved
 * there: -EEXIST. The other errnos are those of mapping memory. A reservation has to be as aligned as a mapping when it is
 * made; an attach that asks for more alignment later leaves it alone.
 *
 * IOMMU_IOAS_UNMAP gives up what lies on top. If there are mappings in its range, they go, and what was reserved there is
 * reserved again, whatever it was that they lay over. If there are none, all that is reserved in the range is free; a
 * reservation can be cut, its other parts stay. Unmapping all (0, U64_MAX) gives up both. The length that comes back is that
 * of the mappings plus that of the reservations which are gone, U64_MAX at most.
 *
 * An attach of a device that cannot use reserved IOVAs fails with -EADDRINUSE. A live update does not preserve
 * reservations, as it does not preserve the IOAS; as long as the file is preserved, they cannot be made or given up: -EBUSY.
 */
enum iox_ioas_map_flags {
	IOX_IOAS_MAP_RESERVE = 1U << 31,
};

/**
 * enum iox_try_backing - What struct iox_ioas_try_map is about
 * @IOX_TRY_USER: Memory of a process, as of IOMMU_IOAS_MAP
 * @IOX_TRY_FILE: Memory of a file, as of IOMMU_IOAS_MAP_FILE
 * @IOX_TRY_DMABUF: A dma-buf, as of IOMMU_IOAS_MAP_FILE
 */
enum iox_try_backing {
	IOX_TRY_USER = 0,
	IOX_TRY_FILE = 1,
	IOX_TRY_DMABUF = 2,
};

/**
 * enum iox_try_answer - Who has chosen an IOVA
 * @IOX_TRY_FIXED: The caller, with IOMMU_IOAS_MAP_FIXED_IOVA
 * @IOX_TRY_BUILT_IN: The built-in allocator: there is no IOVA policy
 * @IOX_TRY_POLICY: The IOVA policy
 * @IOX_TRY_DECLINED: The built-in allocator, as the policy had no opinion
 * @IOX_TRY_FAULT: The built-in allocator, or the hint was taken: the policy gave an answer that could not be used
 * @IOX_TRY_REFUSED: Nobody: the policy ends the call with its errno, or has no opinion and is strict. Not seen here
 * @IOX_TRY_HINT: The caller, with a hint; there is no policy, or it had no opinion
 */
enum iox_try_answer {
	IOX_TRY_FIXED = 0,
	IOX_TRY_BUILT_IN = 1,
	IOX_TRY_POLICY = 2,
	IOX_TRY_DECLINED = 3,
	IOX_TRY_FAULT = 4,
	IOX_TRY_REFUSED = 5,
	IOX_TRY_HINT = 6,
};

/**
 * struct iox_ioas_try_map - ioctl(IOX_IOAS_TRY_MAP)
 * @size: sizeof(struct iox_ioas_try_map)
 * @ioas_id: The IOAS
 * @flags: IOMMU_IOAS_MAP_FIXED_IOVA, READABLE and WRITEABLE, of these two at least one
 * @backing: enum iox_try_backing
 * @addr: What would be the address in the process, or the offset in the file, of the first byte
 * @length: Bytes
 * @iova: In: where, with IOMMU_IOAS_MAP_FIXED_IOVA; else a hint, 0 for none. Out: where it is
 * @out_answer: enum iox_try_answer
 * @__reserved: Must be 0
 * @out_ns: How long finding the place took, in nanoseconds
 *
 * Place a mapping without its memory: for trying IOVA policies on requests that have been recorded elsewhere. Policies are
 * asked, and hear of it and of its end, as of a mapping. What is left is a reservation, as of IOX_IOAS_MAP_RESERVE.
 *
 * Return: 0; -EEXIST with IOMMU_IOAS_MAP_FIXED_IOVA, something is mapped or reserved there; -ENOSPC no room; -EINVAL length
 * is 0, there is neither READABLE nor WRITEABLE, addr, length or a fixed IOVA is not aligned as the IOAS demands, or a fixed
 * IOVA is not usable; -EOVERFLOW a range wraps; -EOPNOTSUPP an unknown flag or backing; -ENOENT no such IOAS; -EBUSY a live
 * update preserves it; -ENOMEM; or the errno with which a policy refuses.
 */
struct iox_ioas_try_map {
	__u32 size;
	__u32 ioas_id;
	__u32 flags;
	__u32 backing;
	__aligned_u64 addr;
	__aligned_u64 length;
	__aligned_u64 iova;
	__u32 out_answer;
	__u32 __reserved;
	__aligned_u64 out_ns;
};
#define IOX_IOAS_TRY_MAP _IO(IOMMUFD_TYPE, IOX_CMD_IOAS_TRY_MAP)

/**
 * enum iox_pt_why - Why something is not in a leaf of the next larger size that the page table can have
 * @IOX_PT_SHORT: The mapping is shorter than a block; or its memory is in one piece, and the mapping begins or ends within
 *                the block
 * @IOX_PT_SCATTERED: The memory that the mapping goes on with, to either side, is another one before the block ends
 * @IOX_PT_UNALIGNED: The whole block is mapped in one piece, but IOVA and physical address differ modulo its size
 * @IOX_PT_UNUSED: Nothing is in the way. It is mapped page by page, as IOMMU_OPTION_HUGE_PAGES wants it, or was mapped in
 *                 several pieces
 * @IOX_PT_NR_WHY: How many there are
 *
 * A block is the memory that the larger leaf would hold: from one multiple of its size, in physical addresses, to the next.
 */
enum iox_pt_why {
	IOX_PT_SHORT = 0,
	IOX_PT_SCATTERED = 1,
	IOX_PT_UNALIGNED = 2,
	IOX_PT_UNUSED = 3,
	IOX_PT_NR_WHY = 4,
};

/**
 * struct iox_pt_level - The tables of one level
 * @tables: How many
 * @bytes: How much memory they take
 */
struct iox_pt_level {
	__aligned_u64 tables;
	__aligned_u64 bytes;
};

/**
 * struct iox_pt_size - The leaves of one size
 * @size: Of one, in bytes
 * @leaves: How many
 * @why: By enum iox_pt_why: how many bytes are in them rather than in the next larger leaf. Their sum is size times
 *       leaves; for the largest size all are 0
 */
struct iox_pt_size {
	__aligned_u64 size;
	__aligned_u64 leaves;
	__aligned_u64 why[IOX_PT_NR_WHY];
};

/**
 * struct iox_hwpt_pt_stats - ioctl(IOX_HWPT_PT_STATS)
 * @size: sizeof(struct iox_hwpt_pt_stats)
 * @hwpt_id: A paging HWPT
 * @flags: Must be 0
 * @nr_levels: In: for how many levels there is room. Out: how many there are
 * @nr_sizes: In: for how many sizes there is room. Out: how many there are
 * @__reserved: Must be 0
 * @levels_uptr: Array of struct iox_pt_level; the first one is of tables that have nothing but leaves
 * @sizes_uptr: Array of struct iox_pt_size, ascending: every size that leaves can have
 * @out_areas: How many mappings there are
 * @out_mapped: How many bytes all leaves map
 * @out_format: Of the page table: "vtdss", "x86_64", "amdv1" and others
 *
 * Read the page table of an HWPT. Nobody waits for that: what is mapped or unmapped meanwhile counts or does not. What has
 * been mapped and stays so is exact.
 *
 * Return: 0; -EMSGSIZE there is more than room, as much as fits is there; -ENOENT no such HWPT, or it was destroyed
 * meanwhile; -EOPNOTSUPP an unknown flag, an IOMMU whose driver has page tables of its own kind, or a kernel without
 * page-table statistics; -ENOMEM; -EINTR.
 */
struct iox_hwpt_pt_stats {
	__u32 size;
	__u32 hwpt_id;
	__u32 flags;
	__u32 nr_levels;
	__u32 nr_sizes;
	__u32 __reserved;
	__aligned_u64 levels_uptr;
	__aligned_u64 sizes_uptr;
	__aligned_u64 out_areas;
	__aligned_u64 out_mapped;
	char out_format[16];
};
#define IOX_HWPT_PT_STATS _IO(IOMMUFD_TYPE, IOX_CMD_HWPT_PT_STATS)

#endif /* _UAPI_LINUX_IOX_H */
