// SPDX-License-Identifier: GPL-2.0-only
/*
 * As fail_nth_test: calls about devices, virtual IOMMUs and accesses, calls that
 * take things away, and those of vfio, with a real device.
 */
#include <fcntl.h>
#include <sys/mman.h>

#include "fail_nth.h"
#include "lib/type1.h"

/* --- virtual IOMMUs ------------------------------------------------------------------ */

static struct iommu_viommu_selftest viommu_data;

static int viommu_call(struct world *w)
{
	struct iommu_viommu_alloc cmd = {
		.size = sizeof(cmd),
		.type = IOMMU_VIOMMU_TYPE_SELFTEST,
		.dev_id = w->mock.dev,
		.hwpt_id = w->a,
		.data_len = sizeof(viommu_data),
		.data_uptr = (uintptr_t)&viommu_data,
	};
	int err;

	viommu_data.in_data = 42;
	err = xioctl(w->fd, IOMMU_VIOMMU_ALLOC, &cmd);
	if (!err)
		w->id = cmd.out_viommu_id;
	return err;
}

static int viommu_check(struct world *w)
{
	world_own_id(w, w->id);
	return viommu_data.out_data == 42 ? 0 : -EIO;
}

CASE(viommu_alloc, .prepare = new_parent, .call = viommu_call,
     .check = viommu_check);

static int new_viommu(struct world *w)
{
	int err = new_parent(w) ?: viommu_call(w) ?: viommu_check(w);

	w->b = w->id;
	return err;
}

static int viommu_nested_call(struct world *w)
{
	return hwpt_alloc(w, w->mock.dev, w->b, 0, 0, IOMMU_HWPT_DATA_SELFTEST,
			  &w->id);
}

CASE(viommu_hwpt_alloc, .prepare = new_viommu, .call = viommu_nested_call,
     .check = own_new_id);

static int vdevice_call(struct world *w)
{
	struct iommu_vdevice_alloc cmd = {
		.size = sizeof(cmd),
		.viommu_id = w->b,
		.dev_id = w->mock.dev,
		.virt_id = 99,
	};
	int err = xioctl(w->fd, IOMMU_VDEVICE_ALLOC, &cmd);

	if (!err)
		w->id = cmd.out_vdevice_id;
	return err;
}

CASE(vdevice_alloc, .prepare = new_viommu, .call = vdevice_call,
     .check = own_new_id);

static int veventq_call(struct world *w)
{
	struct iommu_veventq_alloc cmd = {
		.size = sizeof(cmd),
		.viommu_id = w->b,
		.type = IOMMU_VEVENTQ_TYPE_SELFTEST,
		.veventq_depth = 2,
	};
	int err = xioctl(w->fd, IOMMU_VEVENTQ_ALLOC, &cmd);

	if (!err) {
		w->id = cmd.out_veventq_id;
		w->file = cmd.out_veventq_fd;
	}
	return err;
}

CASE(veventq_alloc, .prepare = new_viommu, .call = veventq_call,
     .check = own_new_queue);

/* The device is attached to the vIOMMU, and its events go to a queue. */
static int eventful_device(struct world *w)
{
	/* The vDEVICE goes with the device. */
	int err = new_viommu(w) ?: vdevice_call(w) ?: veventq_call(w) ?: own_new_queue(w) ?: viommu_nested_call(w);

	if (err)
		return err;
	world_own_id(w, w->id);
	w->c = w->id;
	err = mock_replace(w->fd, w->mock.stdev, &w->c);
	world_own_id(w, w->mock.stdev);
	w->mock.stdev = 0;
	return err;
}

static int event_call(struct world *w)
{
	return mock_event(w->fd, w->mock.dev);
}

struct vevent {
	struct iommufd_vevent_header header;
	struct iommu_viommu_event_selftest event;
} __attribute__((packed));

static struct vevent vevent;

static int read_event_call(struct world *w)
{
	ssize_t got = read(w->file, &vevent, sizeof(vevent));

	return got < 0 ? -errno : got == sizeof(vevent) ? 0 : -EAGAIN;
}

static int read_event_check(struct world *w)
{
	return vevent.event.virt_id == 99 && !vevent.header.flags ? 0 : -EIO;
}

static int new_event(struct world *w)
{
	return eventful_device(w) ?: event_call(w);
}

CASE(veventq_read, .prepare = new_event, .call = read_event_call,
     .check = read_event_check);

static int hw_queue_call(struct world *w)
{
	struct iommu_hw_queue_alloc cmd = {
		.size = sizeof(cmd),
		.viommu_id = w->b,
		.type = IOMMU_HW_QUEUE_TYPE_SELFTEST,
		.nesting_parent_iova = WORLD_AT,
		.length = PAGE,
	};
	int err = xioctl(w->fd, IOMMU_HW_QUEUE_ALLOC, &cmd);

	if (!err)
		w->id = cmd.out_hw_queue_id;
	return err;
}

CASE(hw_queue_alloc, .prepare = new_viommu, .call = hw_queue_call,
     .check = own_new_id);

static int mmap_call(struct world *w)
{
	w->map = mmap(NULL, viommu_data.out_mmap_length,
		      PROT_READ | PROT_WRITE, MAP_SHARED, w->fd,
		      viommu_data.out_mmap_offset);
	return w->map == MAP_FAILED ? -errno : 0;
}

static int mmap_check(struct world *w)
{
	if (iommufd_destroy(w->fd, w->b) != -EBUSY)
		return -EIO;
	return munmap(w->map, viommu_data.out_mmap_length) ? -errno : 0;
}

CASE(viommu_mmap, .prepare = new_viommu, .call = mmap_call,
     .check = mmap_check);

/* --- devices ------------------------------------------------------------------------ */

static int plug_call(struct world *w)
{
	struct mock mock;
	int err = mock_plug(w->fd, w->other, 0, &mock);

	if (!err)
		w->id = mock.stdev;
	return err;
}

/* Nobody hears of it when the IOMMU cannot take the device; it has none then. */
CASE(device_bind_and_attach, .call = plug_call, .check = own_new_id,
     .also = EINVAL);

/* To the other address space, which has something that is to be mapped */
static int map_in_other(struct world *w)
{
	return ioas_map_fixed(w->fd, w->other, w->buffer + WORLD_FREE, LARGE,
			      WORLD_TO);
}

static int replace_call(struct world *w)
{
	__u32 pt = w->other;
	int err = mock_replace(w->fd, w->mock.stdev, &pt);

	if (!err)
		w->id = pt;
	return err;
}

static int replace_check(struct world *w)
{
	int err = mock_check_pins(w->fd, w->buffer, WORLD_LENGTH, 0);

	/* The name of where it is now may not have arrived. */
	return err || !w->id ? err :
	       mock_pasid_check(w->fd, w->mock.stdev, 0, w->id) ?:
	       mock_check_map(w->fd, w->id, WORLD_TO, w->buffer + WORLD_FREE,
			      LARGE);
}

CASE(device_replace, .prepare = map_in_other, .call = replace_call,
     .check = replace_check, .done_before_answer = true);

/* Two HWPTs made for PASIDs, the device attached to the first */
static int prepare_pasids(struct world *w)
{
	__u32 pt;
	int err = new_hwpt(w) ?: hwpt_call(w) ?: own_new_id(w);

	w->b = w->id;
	pt = w->a;
	err = err ?: mock_replace(w->fd, w->mock.stdev, &pt);
	world_own_id(w, w->mock.stdev);
	return err;
}

/* What the state looks at is not there any more when the device has moved. */
static int prepare_pasid_attach(struct world *w)
{
	int err = prepare_pasids(w);

	w->c = w->mock.stdev;
	w->mock.stdev = 0;
	return err;
}

static int pasid_attach_call(struct world *w)
{
	return mock_pasid_attach(w->fd, w->c, 1, w->b);
}

static int pasid_attach_check(struct world *w)
{
	return mock_pasid_check(w->fd, w->c, 1, w->b);
}

CASE(pasid_attach, .prepare = prepare_pasid_attach, .call = pasid_attach_call,
     .check = pasid_attach_check);

static int prepare_pasid_replace(struct world *w)
{
	return prepare_pasid_attach(w) ?: pasid_attach_call(w);
}

static int pasid_replace_call(struct world *w)
{
	return mock_pasid_replace(w->fd, w->c, 1, w->a);
}

static int pasid_replace_check(struct world *w)
{
	return mock_pasid_check(w->fd, w->c, 1, w->a);
}

CASE(pasid_replace, .prepare = prepare_pasid_replace,
     .call = pasid_replace_call, .check = pasid_replace_check);

static int pasid_detach_call(struct world *w)
{
	return mock_pasid_detach(w->fd, w->c, 1);
}

static int pasid_detach_check(struct world *w)
{
	return mock_pasid_check(w->fd, w->c, 1, 0);
}

CASE(pasid_detach, .prepare = prepare_pasid_replace, .call = pasid_detach_call,
     .check = pasid_detach_check);

/* --- drivers that use the CPU ------------------------------------------------------- */

static int access_call(struct world *w)
{
	int file = mock_access(w->fd, w->ioas, true);

	w->file = file;
	return file < 0 ? file : 0;
}

static int copying_access_call(struct world *w)
{
	int file = mock_access(w->fd, w->ioas, false);

	w->file = file;
	return file < 0 ? file : 0;
}

static int own_new_file(struct world *w)
{
	world_own_file(w, w->file);
	return 0;
}

CASE(access_create, .call = access_call, .check = own_new_file);
CASE(access_create_copying, .call = copying_access_call,
     .check = own_new_file);

static int new_access(struct world *w)
{
	return map_in_other(w) ?: access_call(w) ?: own_new_file(w);
}

static int access_replace_call(struct world *w)
{
	return mock_access_replace(w->fd, w->file, w->other);
}

static char copied[3 * PAGE];

static int read_call(struct world *w)
{
	memset(copied, 0, sizeof(copied));
	return mock_access_rw(w->fd, w->file, WORLD_TO + 100, copied,
			      sizeof(copied), 0);
}

static int read_check(struct world *w)
{
	return memcmp(copied, w->buffer + WORLD_FREE + 100, sizeof(copied)) ?
	       -EIO : 0;
}

static int access_replace_check(struct world *w)
{
	return read_call(w) ?: read_check(w);
}

CASE(access_replace, .prepare = new_access, .call = access_replace_call,
     .check = access_replace_check);

/* At memory that no device has */
static int new_access_to_other(struct world *w)
{
	return new_access(w) ?: access_replace_call(w);
}

CASE(access_read, .prepare = new_access_to_other, .call = read_call,
     .check = read_check);

static int slow_read_call(struct world *w)
{
	memset(copied, 0, sizeof(copied));
	return mock_access_rw(w->fd, w->file, WORLD_TO + 100, copied,
			      sizeof(copied), MOCK_ACCESS_RW_SLOW_PATH);
}

CASE(access_read_slow, .prepare = new_access_to_other, .call = slow_read_call,
     .check = read_check);

static int write_call(struct world *w)
{
	memcpy(copied, w->buffer + WORLD_FREE + 100, sizeof(copied));
	return mock_access_rw(w->fd, w->file, WORLD_TO + 100, copied,
			      sizeof(copied), MOCK_ACCESS_RW_WRITE);
}

CASE(access_write, .prepare = new_access_to_other, .call = write_call,
     .check = read_check);

static int pin_call(struct world *w)
{
	return mock_access_pin(w->fd, w->file, WORLD_TO,
			       w->buffer + WORLD_FREE, LARGE, &w->id);
}

static int unpin_call(struct world *w)
{
	return mock_access_unpin(w->fd, w->file, w->id);
}

static int unpin_check(struct world *w)
{
	return mock_check_pins(w->fd, w->buffer + WORLD_FREE, LARGE, 0);
}

static int pin_check(struct world *w)
{
	return mock_check_pins(w->fd, w->buffer + WORLD_FREE, LARGE, 1) ?:
	       unpin_call(w) ?: unpin_check(w);
}

static int pin(struct world *w)
{
	return new_access_to_other(w) ?: pin_call(w);
}

CASE(access_pin, .prepare = new_access_to_other, .call = pin_call,
     .check = pin_check);
CASE(access_unpin, .prepare = pin, .call = unpin_call, .check = unpin_check,
     .never_fails = true);

/* --- taking away ---------------------------------------------------------------------- */

static int destroy_ioas_call(struct world *w)
{
	return iommufd_destroy(w->fd, w->other);
}

static int destroy_ioas_check(struct world *w)
{
	w->other = 0;
	return 0;
}

CASE(destroy_ioas, .prepare = map_in_other, .call = destroy_ioas_call,
     .check = destroy_ioas_check, .never_fails = true);

static int destroy_call(struct world *w)
{
	return iommufd_destroy(w->fd, w->id);
}

static int map_more_for_hwpt(struct world *w)
{
	return map_more(w) ?: hwpt_call(w);
}

static int new_vdevice(struct world *w)
{
	return new_viommu(w) ?: vdevice_call(w);
}

static int new_hw_queue(struct world *w)
{
	return new_viommu(w) ?: hw_queue_call(w);
}

static int new_viommu_only(struct world *w)
{
	return new_parent(w) ?: viommu_call(w);
}

CASE(destroy_hwpt, .prepare = map_more_for_hwpt, .call = destroy_call,
     .never_fails = true);
CASE(destroy_vdevice, .prepare = new_vdevice, .call = destroy_call,
     .never_fails = true);
CASE(destroy_hw_queue, .prepare = new_hw_queue, .call = destroy_call,
     .never_fails = true);
CASE(destroy_viommu, .prepare = new_viommu_only, .call = destroy_call,
     .never_fails = true);

static int unplug_call(struct world *w)
{
	return iommufd_destroy(w->fd, w->mock.stdev);
}

static int unplug_check(struct world *w)
{
	w->mock.stdev = 0;
	return mock_check_pins(w->fd, w->buffer, WORLD_BUFFER, 0);
}

CASE(device_unplug, .prepare = map_more, .call = unplug_call,
     .check = unplug_check, .never_fails = true);

static int open_call(struct world *w)
{
	w->file = iommufd_open();
	return w->file < 0 ? w->file : 0;
}

CASE(open, .kind = WORLD_EMPTY, .call = open_call, .check = own_new_file);

/* --- type 1, with mock devices ---------------------------------------------------------- */

static int set_vfio_ioas(struct world *w)
{
	struct iommu_vfio_ioas cmd = {
		.size = sizeof(cmd),
		.ioas_id = w->ioas,
		.op = IOMMU_VFIO_IOAS_SET,
	};

	return xioctl(w->fd, IOMMU_VFIO_IOAS, &cmd);
}

static int type1_info_call(struct world *w)
{
	char info[512] = {};
	struct vfio_iommu_type1_info *cmd = (void *)info;

	cmd->argsz = sizeof(info);
	return xioctl(w->fd, VFIO_IOMMU_GET_INFO, cmd);
}

CASE(type1_get_info, .prepare = set_vfio_ioas, .call = type1_info_call);

static int type1_map_call(struct world *w)
{
	return type1_map(w->fd, w->buffer + WORLD_FREE, LARGE, WORLD_TO);
}

static int type1_map_check(struct world *w)
{
	return mock_check_pins(w->fd, w->buffer + WORLD_FREE, LARGE, 1);
}

CASE(type1_map, .prepare = set_vfio_ioas, .call = type1_map_call,
     .check = type1_map_check);

static int type1_map_first(struct world *w)
{
	return set_vfio_ioas(w) ?: type1_map_call(w);
}

static int type1_unmap_call(struct world *w)
{
	__u64 size = LARGE;

	return type1_unmap(w->fd, WORLD_TO, &size);
}

CASE(type1_unmap, .prepare = type1_map_first, .call = type1_unmap_call,
     .check = unpin_check, .done_before_answer = true);

static int type1_unmap_all_call(struct world *w)
{
	__u64 size;

	return type1_unmap_all(w->fd, &size);
}

static int type1_unmap_all_check(struct world *w)
{
	return mock_check_pins(w->fd, w->buffer, WORLD_BUFFER, 0);
}

CASE(type1_unmap_all, .prepare = type1_map_first,
     .call = type1_unmap_all_call, .check = type1_unmap_all_check,
     .done_before_answer = true);

/* --- a real device, by its own file ---------------------------------------------------- */

/*
 * Not a case: it powers the device up, and the kernel's ACPI interpreter does
 * not survive that without memory. Mock devices are bound above.
 */
static int vfio_bind_edu(struct world *w)
{
	return vfio_bind(w->edu.fd, w->fd, &w->edu.id);
}

static int bind_full(struct world *w)
{
	return vfio_bind_edu(w) ?: map_large_call(w);
}

static int vfio_attach_call(struct world *w)
{
	return vfio_attach_ioas(w->edu.fd, w->ioas);
}

static int is_attached(struct world *w)
{
	return mock_check_pins(w->fd, w->buffer, WORLD_LENGTH, 1) ?:
	       mock_check_pins(w->fd, w->buffer + WORLD_FREE, LARGE, 1);
}

CASE(vfio_attach, .kind = WORLD_EDU, .prepare = bind_full,
     .call = vfio_attach_call, .check = is_attached);

static int attach_full(struct world *w)
{
	return bind_full(w) ?: vfio_attach_call(w);
}

/* Two address spaces with the same memory at other IOVAs */
static int attach_and_map_other(struct world *w)
{
	return vfio_bind_edu(w) ?: vfio_attach_call(w) ?: map_in_other(w);
}

static int vfio_replace_call(struct world *w)
{
	int err = vfio_attach_ioas(w->edu.fd, w->other);

	w->b = err == -EFAULT;
	return err;
}

static int vfio_replace_check(struct world *w)
{
	/* When its answer cannot be copied, vfio detaches. */
	if (w->b)
		return mock_check_pins(w->fd, w->buffer, WORLD_BUFFER, 0);
	return mock_check_pins(w->fd, w->buffer, WORLD_LENGTH, 0) ?:
	       mock_check_pins(w->fd, w->buffer + WORLD_FREE, LARGE, 1);
}

CASE(vfio_replace, .kind = WORLD_EDU, .prepare = attach_and_map_other,
     .call = vfio_replace_call, .check = vfio_replace_check,
     .done_before_answer = true);

static int is_detached(struct world *w)
{
	return mock_check_pins(w->fd, w->buffer, WORLD_BUFFER, 0);
}

static int vfio_detach_call(struct world *w)
{
	return vfio_detach(w->edu.fd);
}

CASE(vfio_detach, .kind = WORLD_EDU, .prepare = attach_full,
     .call = vfio_detach_call, .check = is_detached, .never_fails = true);

static int attach_only(struct world *w)
{
	return vfio_bind_edu(w) ?: vfio_attach_call(w);
}

CASE(vfio_attached_map, .kind = WORLD_EDU, .prepare = attach_only,
     .call = map_large_call, .check = is_attached);

/* --- a real device that no IOMMU translates for ----------------------------------------- */

static bool has_noiommu(void)
{
	char name[PCI_NAME_SIZE];

	return !edu_find_noiommu(name);
}

static int attach_noiommu(struct world *w)
{
	char name[PCI_NAME_SIZE];

	return vfio_allow_noiommu() ?: edu_find_noiommu(name) ?:
	       edu_open_name(&w->edu, name) ?: ioas_alloc(w->fd, &w->ioas) ?:
	       ioas_map_fixed(w->fd, w->ioas, w->buffer, WORLD_LENGTH,
			      WORLD_AT) ?:
	       attach_only(w);
}

static int get_pa_call(struct world *w)
{
	struct iommu_ioas_noiommu_get_pa cmd = {
		.size = sizeof(cmd),
		.ioas_id = w->ioas,
		.iova = WORLD_AT,
		.length = PAGE,
	};

	return xioctl(w->fd, IOMMU_IOAS_NOIOMMU_GET_PA, &cmd) ?:
	       cmd.out_phys ? 0 : -EIO;
}

CASE(ioas_noiommu_get_pa, .kind = WORLD_EMPTY, .possible = has_noiommu,
     .prepare = attach_noiommu, .call = get_pa_call);

static int attach_noiommu_full(struct world *w)
{
	return attach_noiommu(w) ?: map_large_call(w) ?:
	       vfio_detach(w->edu.fd);
}

CASE(noiommu_attach, .kind = WORLD_EMPTY, .possible = has_noiommu,
     .prepare = attach_noiommu_full, .call = vfio_attach_call,
     .check = is_attached);

/* --- a real device, by its group ----------------------------------------------------------- */

/* The file is a container of type 1, version 1, with the device in it. */
static int open_container(struct world *w)
{
	struct iommu_vfio_ioas get = {
		.size = sizeof(get),
		.op = IOMMU_VFIO_IOAS_GET,
	};
	int err = edu_open(&w->edu);
	int group;

	if (err)
		return err;
	close(w->edu.fd);
	w->edu.fd = -1;
	group = type1_join(&w->edu, w->fd);
	if (group < 0)
		return group;
	world_own_file(w, group);
	err = type1_ioctl(w->fd, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU) ?:
	      type1_open_device(&w->edu, group) ?:
	      xioctl(w->fd, IOMMU_VFIO_IOAS, &get);
	w->ioas = get.ioas_id;
	return err ?: type1_map_call(w);
}

/* In the middle of what is mapped, which the first version of type 1 allows */
static int split_call(struct world *w)
{
	__u64 size = LARGE / 2;

	return type1_unmap(w->fd, WORLD_TO + LARGE / 4, &size);
}

static int split_check(struct world *w)
{
	return mock_check_pins(w->fd, w->buffer + WORLD_FREE + LARGE / 4,
			       LARGE / 2, 0) ?:
	       mock_check_pins(w->fd, w->buffer + WORLD_FREE, LARGE / 4, 1) ?:
	       mock_check_pins(w->fd, w->buffer + WORLD_FREE + LARGE / 4 * 3,
			       LARGE / 4, 1);
}

CASE(type1_unmap_in_the_middle, .kind = WORLD_EMPTY, .prepare = open_container,
     .call = split_call, .check = split_check, .done_before_answer = true);

TEST_HARNESS_MAIN
