// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/iommu: contexts and the dispatch of ioctls.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <uapi/linux/iox.h>

#include "core.h"
#include "selftest.h"
#ifdef CONFIG_IOMMUFD_TEST
#include "iommufd_test.h"
#endif

static struct iommufd_ctx *ctx_new(void)
{
	struct iommufd_ctx *ictx = kzalloc_obj(*ictx, GFP_KERNEL_ACCOUNT);

	if (!ictx)
		return NULL;
	xa_init_flags(&ictx->objects, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
	xa_init(&ictx->groups);
	mutex_init(&ictx->groups_lock);
	init_waitqueue_head(&ictx->destroy_wait);
	mt_init_flags(&ictx->mmaps, MT_FLAGS_ALLOC_RANGE);
	mutex_init(&ictx->lu_lock);
	xa_init(&ictx->lu_tokens);
	ictx->pid = task_tgid_nr(current);
	get_task_comm(ictx->comm, current->group_leader);
	iommufd_ctx_list(ictx);
	return ictx;
}

static void ctx_free(struct iommufd_ctx *ictx)
{
	iommufd_ctx_unlist(ictx);
	WARN_ON(!xa_empty(&ictx->groups));
	WARN_ON(!xa_empty(&ictx->lu_tokens));
	WARN_ON(!mtree_empty(&ictx->mmaps));
	mutex_destroy(&ictx->groups_lock);
	mutex_destroy(&ictx->lu_lock);
	kfree(ictx);
}

static int iommufd_fops_open(struct inode *inode, struct file *filp)
{
	struct iommufd_ctx *ictx = ctx_new();

	if (!ictx)
		return -ENOMEM;
	ictx->file = filp;
	/* vfio's container has always counted what a process has locked. */
	if (iminor(inode) == VFIO_MINOR)
		ictx->account = IOMMUFD_ACCOUNT_MM;
	filp->private_data = ictx;
	return 0;
}

static int iommufd_fops_release(struct inode *inode, struct file *filp)
{
	struct iommufd_ctx *ictx = filp->private_data;

	iommufd_object_destroy_all(ictx);
	ctx_free(ictx);
	return 0;
}

static int iommufd_destroy(struct iommufd_ucmd *ucmd)
{
	struct iommu_destroy *cmd = ucmd->cmd;

	if (iommufd_hwpt_awaits_device(ucmd->ictx, cmd->id))
		return -EBUSY;
	return iommufd_object_destroy(ucmd->ictx, cmd->id);
}

union ucmd_buffer {
	struct iommu_destroy destroy;
	struct iommu_fault_alloc fault;
	struct iommu_hw_info hw_info;
	struct iommu_hw_queue_alloc hw_queue;
	struct iommu_hwpt_alloc hwpt;
	struct iommu_hwpt_get_dirty_bitmap get_dirty_bitmap;
	struct iommu_hwpt_invalidate invalidate;
	struct iommu_hwpt_set_dirty_tracking set_dirty_tracking;
	struct iommu_ioas_alloc ioas_alloc;
	struct iommu_ioas_allow_iovas ioas_allow_iovas;
	struct iommu_ioas_change_process ioas_change_process;
	struct iommu_ioas_copy ioas_copy;
	struct iommu_ioas_iova_ranges ioas_iova_ranges;
	struct iommu_ioas_map ioas_map;
	struct iommu_ioas_map_file ioas_map_file;
	struct iommu_ioas_noiommu_get_pa ioas_noiommu_get_pa;
	struct iommu_ioas_unmap ioas_unmap;
	struct iommu_option option;
	struct iommu_vdevice_alloc vdevice_alloc;
	struct iommu_veventq_alloc veventq_alloc;
	struct iommu_vfio_ioas vfio_ioas;
	struct iommu_viommu_alloc viommu;
	struct iommu_hwpt_lu_mark_preserve lu_mark;
	struct iox_ioas_require ioas_require;
	struct iox_ioas_test_attach ioas_test_attach;
	struct iox_ioas_try_map ioas_try_map;
	struct iox_lu_check lu_check;
	struct iox_hwpt_pt_stats pt_stats;
#ifdef CONFIG_IOMMUFD_TEST
	struct iommu_test_cmd test;
#endif
};

/**
 * struct ioctl_entry - what an ioctl takes and who does it
 * @cmd: the whole ioctl number
 * @size: of the structure as this kernel knows it, bytes
 * @min_size: the shortest structure there has ever been, bytes
 * @execute: does it
 * @op: what it is for those who listen, if anything
 */
struct ioctl_entry {
	unsigned int cmd;
	unsigned int size;
	unsigned int min_size;
	int (*execute)(struct iommufd_ucmd *ucmd);
	enum iommufd_op_kind op;
};

#define ENTRY_OP(_cmd, _execute, _struct, _last, _op)                         \
	[_IOC_NR(_cmd) - IOMMUFD_CMD_BASE] = {                                \
		.cmd = _cmd,                                                  \
		.size = sizeof(_struct) +                                     \
			BUILD_BUG_ON_ZERO(sizeof(union ucmd_buffer) <         \
					  sizeof(_struct)),                   \
		.min_size = offsetofend(_struct, _last),                      \
		.execute = _execute,                                          \
		.op = _op,                                                    \
	}

#define ENTRY(_cmd, _execute, _struct, _last)                                 \
	ENTRY_OP(_cmd, _execute, _struct, _last, IOMMUFD_OP_NONE)

static const struct ioctl_entry ioctls[] = {
	ENTRY(IOMMU_DESTROY, iommufd_destroy, struct iommu_destroy, id),
	ENTRY(IOMMU_FAULT_QUEUE_ALLOC, iommufd_fault_alloc,
	      struct iommu_fault_alloc, out_fault_fd),
	ENTRY(IOMMU_GET_HW_INFO, iommufd_get_hw_info, struct iommu_hw_info,
	      __reserved),
	ENTRY(IOMMU_HW_QUEUE_ALLOC, iommufd_hw_queue_alloc,
	      struct iommu_hw_queue_alloc, length),
	ENTRY(IOMMU_HWPT_ALLOC, iommufd_hwpt_alloc, struct iommu_hwpt_alloc,
	      __reserved),
	ENTRY(IOMMU_HWPT_GET_DIRTY_BITMAP, iommufd_hwpt_get_dirty_bitmap,
	      struct iommu_hwpt_get_dirty_bitmap, data),
	ENTRY_OP(IOMMU_HWPT_INVALIDATE, iommufd_hwpt_invalidate,
		 struct iommu_hwpt_invalidate, __reserved,
		 IOMMUFD_OP_INVALIDATE),
	ENTRY(IOMMU_HWPT_SET_DIRTY_TRACKING, iommufd_hwpt_set_dirty_tracking,
	      struct iommu_hwpt_set_dirty_tracking, __reserved),
	ENTRY(IOMMU_IOAS_ALLOC, iommufd_ioas_alloc_ioctl,
	      struct iommu_ioas_alloc, out_ioas_id),
	ENTRY(IOMMU_IOAS_ALLOW_IOVAS, iommufd_ioas_allow_iovas,
	      struct iommu_ioas_allow_iovas, allowed_iovas),
	ENTRY(IOMMU_IOAS_CHANGE_PROCESS, iommufd_ioas_change_process,
	      struct iommu_ioas_change_process, __reserved),
	ENTRY_OP(IOMMU_IOAS_COPY, iommufd_ioas_copy, struct iommu_ioas_copy,
		 src_iova, IOMMUFD_OP_COPY),
	ENTRY(IOMMU_IOAS_IOVA_RANGES, iommufd_ioas_iova_ranges,
	      struct iommu_ioas_iova_ranges, out_iova_alignment),
	ENTRY_OP(IOMMU_IOAS_MAP, iommufd_ioas_map, struct iommu_ioas_map, iova,
		 IOMMUFD_OP_MAP),
	ENTRY_OP(IOMMU_IOAS_MAP_FILE, iommufd_ioas_map_file,
		 struct iommu_ioas_map_file, iova, IOMMUFD_OP_MAP_FILE),
#ifdef CONFIG_IOMMUFD_NOIOMMU
	ENTRY(IOMMU_IOAS_NOIOMMU_GET_PA, iommufd_ioas_noiommu_get_pa,
	      struct iommu_ioas_noiommu_get_pa, out_phys),
#endif
	ENTRY_OP(IOMMU_IOAS_UNMAP, iommufd_ioas_unmap, struct iommu_ioas_unmap,
		 length, IOMMUFD_OP_UNMAP),
	ENTRY(IOMMU_OPTION, iommufd_option, struct iommu_option, val64),
	ENTRY(IOMMU_VDEVICE_ALLOC, iommufd_vdevice_alloc,
	      struct iommu_vdevice_alloc, virt_id),
	ENTRY(IOMMU_VEVENTQ_ALLOC, iommufd_veventq_alloc,
	      struct iommu_veventq_alloc, __reserved),
	ENTRY(IOMMU_VFIO_IOAS, iommufd_vfio_ioas, struct iommu_vfio_ioas,
	      __reserved),
	ENTRY(IOMMU_VIOMMU_ALLOC, iommufd_viommu_alloc,
	      struct iommu_viommu_alloc, out_viommu_id),
	ENTRY(IOMMU_HWPT_LU_MARK_PRESERVE, iommufd_hwpt_lu_mark,
	      struct iommu_hwpt_lu_mark_preserve, __reserved),
	ENTRY(IOX_IOAS_REQUIRE, iommufd_ioas_require, struct iox_ioas_require,
	      base),
	ENTRY(IOX_IOAS_TEST_ATTACH, iommufd_ioas_test_attach,
	      struct iox_ioas_test_attach, out_last),
	ENTRY(IOX_IOAS_TRY_MAP, iommufd_ioas_try_map, struct iox_ioas_try_map,
	      out_ns),
	ENTRY(IOX_LU_CHECK, iommufd_lu_check, struct iox_lu_check,
	      findings_uptr),
	ENTRY(IOX_HWPT_PT_STATS, iommufd_hwpt_pt_stats,
	      struct iox_hwpt_pt_stats, out_format),
#ifdef CONFIG_IOMMUFD_TEST
	ENTRY(IOMMU_TEST_CMD, iommufd_test_ioctl, struct iommu_test_cmd, last),
#endif
};

static const struct ioctl_entry *find_ioctl(unsigned int cmd)
{
	unsigned int index = _IOC_NR(cmd) - IOMMUFD_CMD_BASE;

	if (index >= ARRAY_SIZE(ioctls) || !ioctls[index].execute ||
	    ioctls[index].cmd != cmd)
		return NULL;
	return &ioctls[index];
}

static long iommufd_fops_ioctl(struct file *filp, unsigned int cmd,
			       unsigned long arg)
{
	const struct ioctl_entry *entry = find_ioctl(cmd);
	struct iommufd_ucmd ucmd = { .ictx = filp->private_data,
				     .uarg = (void __user *)arg };
	union ucmd_buffer buffer;
	int rc;

	if (!entry)
		return iommufd_vfio_ioctl(ucmd.ictx, cmd, arg);
	if (get_user(ucmd.usize, (u32 __user *)ucmd.uarg))
		return -EFAULT;
	if (ucmd.usize < entry->min_size)
		return -EINVAL;

	ucmd.cmd = &buffer;
	rc = copy_struct_from_user(ucmd.cmd, entry->size, ucmd.uarg,
				   ucmd.usize);
	if (rc)
		return rc;
	if (iommufd_op_watched() && entry->op)
		return iommufd_op_execute(entry->execute, entry->op, &ucmd);
	return entry->execute(&ucmd);
}

static const struct file_operations iommufd_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = iommufd_fops_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = iommufd_mmap,
	.open = iommufd_fops_open,
	.release = iommufd_fops_release,
};

/**
 * iommufd_file_is_ours - is this a file of /dev/iommu?
 * @file: any file
 */
bool iommufd_file_is_ours(struct file *file)
{
	return file->f_op == &iommufd_fops;
}

/**
 * iommufd_file_new - an iommufd that nobody has opened
 *
 * Return: the file, with an empty context; or an error pointer.
 */
struct file *iommufd_file_new(void)
{
	struct iommufd_ctx *ictx = ctx_new();
	struct file *file;

	if (!ictx)
		return ERR_PTR(-ENOMEM);
	file = anon_inode_getfile("[iommufd]", &iommufd_fops, ictx, O_RDWR);
	if (IS_ERR(file))
		ctx_free(ictx);
	else
		ictx->file = file;
	return file;
}

/**
 * iommufd_ctx_get - hold a context
 * @ictx: already held by the caller
 */
void iommufd_ctx_get(struct iommufd_ctx *ictx)
{
	get_file(ictx->file);
}
EXPORT_SYMBOL_NS_GPL(iommufd_ctx_get, "IOMMUFD");

/**
 * iommufd_ctx_from_file - the context behind a file
 * @file: any file
 *
 * Return: the context, to be released with iommufd_ctx_put(); -EBADFD when
 * @file is not an iommufd.
 */
struct iommufd_ctx *iommufd_ctx_from_file(struct file *file)
{
	if (!iommufd_file_is_ours(file))
		return ERR_PTR(-EBADFD);
	get_file(file);
	return file->private_data;
}
EXPORT_SYMBOL_NS_GPL(iommufd_ctx_from_file, "IOMMUFD");

/**
 * iommufd_ctx_from_fd - the context behind a file descriptor
 * @fd: of the calling process
 *
 * Return: as iommufd_ctx_from_file(); -EBADF when @fd is not open.
 */
struct iommufd_ctx *iommufd_ctx_from_fd(int fd)
{
	CLASS(fd, f)(fd);

	if (fd_empty(f))
		return ERR_PTR(-EBADF);
	return iommufd_ctx_from_file(fd_file(f));
}
EXPORT_SYMBOL_NS_GPL(iommufd_ctx_from_fd, "IOMMUFD");

/**
 * iommufd_ctx_put - end iommufd_ctx_get() or one of the look-ups
 * @ictx: the context
 */
void iommufd_ctx_put(struct iommufd_ctx *ictx)
{
	fput(ictx->file);
}
EXPORT_SYMBOL_NS_GPL(iommufd_ctx_put, "IOMMUFD");

static struct miscdevice iommufd_misc = {
	.name = "iommu",
	.nodename = "iommu",
	.minor = MISC_DYNAMIC_MINOR,
	.mode = 0660,
	.fops = &iommufd_fops,
};

/**
 * iommufd_misc_device - the device behind /dev/iommu, for those who want one
 */
struct device *iommufd_misc_device(void)
{
	return iommufd_misc.this_device;
}

/* For programs that know vfio type 1: the same files under vfio's name */
static struct miscdevice vfio_misc = {
	.name = "vfio",
	.nodename = "vfio/vfio",
	.minor = VFIO_MINOR,
	.mode = 0666,
	.fops = &iommufd_fops,
};

static int __init register_files(void)
{
	int rc = misc_register(&iommufd_misc);

	if (rc || !IS_ENABLED(CONFIG_IOMMUFD_VFIO_CONTAINER))
		return rc;
	rc = misc_register(&vfio_misc);
	if (rc)
		misc_deregister(&iommufd_misc);
	return rc;
}

static int __init iommufd_init(void)
{
	int rc = iommufd_test_init();

	if (rc)
		return rc;
	rc = iommufd_liveupdate_init();
	if (rc)
		goto test_exit;
	rc = register_files();
	if (rc)
		goto liveupdate_exit;
	iommufd_stats_init();
	return 0;

liveupdate_exit:
	iommufd_liveupdate_exit();
test_exit:
	iommufd_test_exit();
	return rc;
}

static void __exit iommufd_exit(void)
{
	iommufd_stats_exit();
	if (IS_ENABLED(CONFIG_IOMMUFD_VFIO_CONTAINER))
		misc_deregister(&vfio_misc);
	misc_deregister(&iommufd_misc);
	iommufd_liveupdate_exit();
	iommufd_test_exit();
}

module_init(iommufd_init);
module_exit(iommufd_exit);

MODULE_DESCRIPTION("I/O address spaces of user memory, programmable with BPF");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("IOMMUFD");
MODULE_IMPORT_NS("IOMMUFD_INTERNAL");
#if IS_ENABLED(CONFIG_IOMMUFD_VFIO_CONTAINER)
MODULE_ALIAS("devname:vfio/vfio");
MODULE_ALIAS_MISCDEV(VFIO_MINOR);
#endif
