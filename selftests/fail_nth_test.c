// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every ioctl of /dev/iommu with each of its allocations failing in turn: it
 * says so, nothing has changed, and made once more it succeeds. What cannot fail
 * must not. The table is FIXTURE_VARIANT_ADD, one entry a case.
 */
#include <linux/iox.h>
#include <sys/wait.h>

#include "fail_nth.h"
#include "lib/pt_model.h"

/* --- address spaces ------------------------------------------------------------- */

static int alloc_call(struct world *w)
{
	return ioas_alloc(w->fd, &w->id);
}

static int alloc_check(struct world *w)
{
	world_own_id(w, w->id);
	return ioas_map_fixed(w->fd, w->id, w->buffer, PAGE, WORLD_TO);
}

CASE(ioas_alloc, .call = alloc_call, .check = alloc_check);

static int allow_call(struct world *w)
{
	struct iommu_iova_range ranges[] = {
		{ .start = WORLD_AT, .last = WORLD_AT + PAGE - 1 },
		{ .start = WORLD_TO, .last = WORLD_TO + PAGE - 1 },
	};

	return ioas_allow(w->fd, w->other, ranges, 2);
}

static int reserve(struct world *w, __u32 ioas, __u64 start)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_ADD_RESERVED,
		.id = ioas,
		.add_reserved = { .start = start, .length = PAGE },
	};

	return mock_call(w->fd, &cmd);
}

/* What is allowed cannot be reserved. */
static int allow_check(struct world *w)
{
	return reserve(w, w->other, WORLD_AT) == -EADDRINUSE &&
	       reserve(w, w->other, WORLD_TO) == -EADDRINUSE ? 0 : -EIO;
}

CASE(ioas_allow_iovas, .call = allow_call, .check = allow_check);

static int reserve_call(struct world *w)
{
	return reserve(w, w->other, WORLD_AT);
}

static int reserve_check(struct world *w)
{
	return ioas_map_fixed(w->fd, w->other, w->buffer, PAGE, WORLD_AT) ==
	       -EINVAL ? 0 : -EIO;
}

CASE(reserve, .call = reserve_call, .check = reserve_check);

static int ranges_call(struct world *w)
{
	struct iommu_iova_range ranges[16];
	__u32 nr = 16;

	return ioas_ranges(w->fd, w->ioas, ranges, &nr, NULL);
}

CASE(ioas_iova_ranges, .call = ranges_call);

/* A second device, so that what is mapped in the other IOAS gets PTEs. */
static int plug_other(struct world *w)
{
	struct mock mock;
	int err = mock_plug(w->fd, w->other, 0, &mock);

	if (!err)
		world_own_id(w, mock.stdev);
	w->a = mock.hwpt;
	w->b = mock.dev;
	w->c = mock.stdev;
	return err;
}

static int copy_call(struct world *w)
{
	struct iommu_ioas_copy cmd = {
		.size = sizeof(cmd),
		.flags = MAP_RW | IOMMU_IOAS_MAP_FIXED_IOVA,
		.dst_ioas_id = w->other,
		.src_ioas_id = w->ioas,
		.length = WORLD_LENGTH / 2,
		.dst_iova = WORLD_TO,
		.src_iova = WORLD_AT + WORLD_LENGTH / 4,
	};

	return xioctl(w->fd, IOMMU_IOAS_COPY, &cmd);
}

static int copy_check(struct world *w)
{
	return mock_check_map(w->fd, w->a, WORLD_TO,
			      w->buffer + WORLD_LENGTH / 4, WORLD_LENGTH / 2);
}

CASE(ioas_copy, .prepare = plug_other, .call = copy_call, .check = copy_check);

static int map_call(struct world *w)
{
	return ioas_map_fixed(w->fd, w->ioas, w->buffer + WORLD_FREE, PAGE,
			      WORLD_TO);
}

static int map_check(struct world *w)
{
	return mock_check_map(w->fd, w->mock.hwpt, WORLD_TO,
			      w->buffer + WORLD_FREE, PAGE) ?:
	       mock_check_pins(w->fd, w->buffer + WORLD_FREE, PAGE, 1);
}

CASE(ioas_map, .call = map_call, .check = map_check);

static int map_large_check(struct world *w)
{
	return mock_check_map(w->fd, w->mock.hwpt, WORLD_TO,
			      w->buffer + WORLD_FREE, LARGE) ?:
	       mock_check_pins(w->fd, w->buffer + WORLD_FREE, LARGE, 1);
}

CASE(ioas_map_large, .call = map_large_call, .check = map_large_check);

static int map_auto_call(struct world *w)
{
	return ioas_map_auto(w->fd, w->ioas, w->buffer + WORLD_FREE, PAGE,
			     &w->iova);
}

static int map_auto_check(struct world *w)
{
	return mock_check_map(w->fd, w->mock.hwpt, w->iova,
			      w->buffer + WORLD_FREE, PAGE);
}

CASE(ioas_map_automatic, .call = map_auto_call, .check = map_auto_check);

/* One more domain beside the device's own: the first to be filled is emptied. */
static int another_domain(struct world *w)
{
	int err = hwpt_alloc(w, w->mock.dev, w->ioas, 0, 0, 0, &w->a);

	if (!err)
		world_own_id(w, w->a);
	return err;
}

static int map_two_check(struct world *w)
{
	return mock_check_map(w->fd, w->mock.hwpt, WORLD_TO,
			      w->buffer + WORLD_FREE, LARGE) ?:
	       mock_check_map(w->fd, w->a, WORLD_TO, w->buffer + WORLD_FREE,
			      LARGE) ?:
	       mock_check_pins(w->fd, w->buffer + WORLD_FREE, LARGE, 1);
}

CASE(ioas_map_in_two_domains, .prepare = another_domain,
     .call = map_large_call, .check = map_two_check);

static int map_file(struct world *w, __u32 ioas, int fd, __u64 start,
		    __u64 length)
{
	return ioas_map_file_fixed(w->fd, ioas, fd, start, length, WORLD_TO);
}

static int map_memfd_call(struct world *w)
{
	return map_file(w, w->ioas, w->memfd, WORLD_FREE, LARGE);
}

static int map_memfd_check(struct world *w)
{
	return mock_check_map(w->fd, w->mock.hwpt, WORLD_TO,
			      w->shared + WORLD_FREE, LARGE);
}

CASE(ioas_map_file_memfd, .call = map_memfd_call, .check = map_memfd_check);

static int get_dmabuf(struct world *w)
{
	w->file = mock_dmabuf(w->fd, 4 * PAGE);
	if (w->file < 0)
		return w->file;
	world_own_file(w, w->file);
	return 0;
}

static int map_dmabuf_call(struct world *w)
{
	return map_file(w, w->ioas, w->file, 0, 4 * PAGE);
}

static int is_mapped(struct world *w, __u32 ioas, __u64 iova, bool mapped)
{
	int err = ioas_unmap(w->fd, ioas, iova, 0);

	if (err != -EINVAL)
		return err;
	err = ioas_map_fixed(w->fd, ioas, w->buffer, PAGE, iova);
	if (!err)
		err = ioas_unmap(w->fd, ioas, iova, PAGE);
	return err == (mapped ? -EEXIST : 0) ? 0 : -EIO;
}

static int map_dmabuf_check(struct world *w)
{
	return is_mapped(w, w->ioas, WORLD_TO, true) ?:
	       ioas_unmap(w->fd, w->ioas, WORLD_TO, 4 * PAGE);
}

CASE(ioas_map_file_dmabuf, .prepare = get_dmabuf, .call = map_dmabuf_call,
     .check = map_dmabuf_check);

static int get_and_map_dmabuf(struct world *w)
{
	return get_dmabuf(w) ?: map_dmabuf_call(w);
}

static int revoke_call(struct world *w)
{
	return mock_dmabuf_revoke(w->fd, w->file, true);
}

CASE(dmabuf_revoke, .prepare = get_and_map_dmabuf, .call = revoke_call,
     .never_fails = true);

static int unmap_call(struct world *w)
{
	return ioas_unmap(w->fd, w->ioas, WORLD_AT, WORLD_LENGTH);
}

static int unmap_check(struct world *w)
{
	return is_mapped(w, w->ioas, WORLD_AT, false) ?:
	       mock_check_pins(w->fd, w->buffer, WORLD_LENGTH, 0);
}

CASE(ioas_unmap, .call = unmap_call, .check = unmap_check,
     .done_before_answer = true);

static int unmap_all_call(struct world *w)
{
	return ioas_unmap_all(w->fd, w->ioas);
}

static int unmap_all_check(struct world *w)
{
	return unmap_check(w) ?:
	       is_mapped(w, w->ioas, WORLD_TO, false) ?:
	       mock_check_pins(w->fd, w->buffer, WORLD_BUFFER, 0);
}

CASE(ioas_unmap_all, .prepare = map_more, .call = unmap_all_call,
     .check = unmap_all_check, .done_before_answer = true);

/* --- IOVAs without memory ---------------------------------------------------------- */

static int is_reserved(struct world *w, __u64 iova, bool reserved)
{
	int err = ioas_reserve_fixed(w->fd, w->ioas, PAGE, iova);

	if (!err)
		err = ioas_unmap(w->fd, w->ioas, iova, PAGE);
	return err == (reserved ? -EEXIST : 0) ? 0 : -EIO;
}

static int keep_call(struct world *w)
{
	w->iova = WORLD_TO;
	return ioas_reserve(w->fd, w->ioas, 0, 4 * PAGE, &w->iova);
}

static int keep_check(struct world *w)
{
	return w->iova == WORLD_TO ? is_reserved(w, WORLD_TO, true) : -EIO;
}

CASE(ioas_reserve, .call = keep_call, .check = keep_check);

static int try_call(struct world *w)
{
	struct iox_ioas_try_map cmd = {
		.size = sizeof(cmd),
		.ioas_id = w->ioas,
		.flags = MAP_RW,
		.length = 4 * PAGE,
		.iova = WORLD_TO,
	};
	int err = xioctl(w->fd, IOX_IOAS_TRY_MAP, &cmd);

	w->iova = cmd.iova;
	return err;
}

CASE(ioas_try_map, .call = try_call, .check = keep_check);

/* Two, with a page between them. */
static int keep_some(struct world *w)
{
	return ioas_reserve_fixed(w->fd, w->ioas, 4 * PAGE, WORLD_TO) ?:
	       ioas_reserve_fixed(w->fd, w->ioas, 4 * PAGE,
				  WORLD_TO + 5 * PAGE);
}

static int map_over_call(struct world *w)
{
	return ioas_map_fixed(w->fd, w->ioas, w->buffer + WORLD_FREE, 7 * PAGE,
			      WORLD_TO + PAGE);
}

static int map_over_check(struct world *w)
{
	return mock_check_map(w->fd, w->mock.hwpt, WORLD_TO + PAGE,
			      w->buffer + WORLD_FREE, 7 * PAGE) ?:
	       is_reserved(w, WORLD_TO, true) ?:
	       is_reserved(w, WORLD_TO + 8 * PAGE, true);
}

CASE(ioas_map_over_reservations, .prepare = keep_some, .call = map_over_call,
     .check = map_over_check);

static int keep_and_map(struct world *w)
{
	return keep_some(w) ?: map_over_call(w);
}

static int unmap_over_call(struct world *w)
{
	return ioas_unmap(w->fd, w->ioas, WORLD_TO + PAGE, 7 * PAGE);
}

static int unmap_over_check(struct world *w)
{
	int err = 0;

	for (int i = 0; i < 10 && !err; i++)
		err = is_reserved(w, WORLD_TO + i * PAGE, i != 4 && i != 9);
	return err;
}

CASE(ioas_unmap_over_reservations, .prepare = keep_and_map,
     .call = unmap_over_call, .check = unmap_over_check,
     .done_before_answer = true);

static int cut_call(struct world *w)
{
	return ioas_unmap(w->fd, w->ioas, WORLD_TO + PAGE, 2 * PAGE);
}

static int cut_check(struct world *w)
{
	return is_reserved(w, WORLD_TO, true) ?:
	       is_reserved(w, WORLD_TO + PAGE, false) ?:
	       is_reserved(w, WORLD_TO + 2 * PAGE, false) ?:
	       is_reserved(w, WORLD_TO + 3 * PAGE, true);
}

CASE(ioas_cut_reservation, .prepare = keep_some, .call = cut_call,
     .check = cut_check, .done_before_answer = true);

/* --- options, and who pays -------------------------------------------------------- */

static int option(struct world *w, __u32 id, __u32 option, __u16 op, __u64 *val)
{
	struct iommu_option cmd = {
		.size = sizeof(cmd),
		.option_id = option,
		.op = op,
		.object_id = id,
		.val64 = *val,
	};
	int err = xioctl(w->fd, IOMMU_OPTION, &cmd);

	*val = cmd.val64;
	return err;
}

static int rlimit_call(struct world *w)
{
	__u64 on = 1;

	return option(w, 0, IOMMU_OPTION_RLIMIT_MODE, IOMMU_OPTION_OP_SET, &on);
}

static int free_probe(struct world *w)
{
	int err = iommufd_destroy(w->fd, w->probe);

	w->probe = 0;
	return err;
}

static int rlimit_check(struct world *w)
{
	__u64 mode = 0;

	return option(w, 0, IOMMU_OPTION_RLIMIT_MODE, IOMMU_OPTION_OP_GET,
		      &mode) ?: mode == 1 ? 0 : -EIO;
}

CASE(option_rlimit_mode, .kind = WORLD_EMPTY, .prepare = free_probe,
     .call = rlimit_call, .check = rlimit_check);

static int small_pages_call(struct world *w)
{
	__u64 off = 0;

	return option(w, w->other, IOMMU_OPTION_HUGE_PAGES, IOMMU_OPTION_OP_SET,
		      &off);
}

static int small_pages_check(struct world *w)
{
	__u64 huge = 1;

	return option(w, w->other, IOMMU_OPTION_HUGE_PAGES, IOMMU_OPTION_OP_GET,
		      &huge) ?: huge == 0 ? 0 : -EIO;
}

CASE(option_huge_pages, .call = small_pages_call, .check = small_pages_check);

static int get_option_call(struct world *w)
{
	__u64 huge = 0;

	return option(w, w->other, IOMMU_OPTION_HUGE_PAGES, IOMMU_OPTION_OP_GET,
		      &huge);
}

CASE(option_get, .call = get_option_call);

static int pt_stats_call(struct world *w)
{
	struct pt_stats stats;

	return pt_stats_read(w->fd, w->mock.hwpt, &stats);
}

CASE(hwpt_pt_stats, .possible = iommufd_is_iox, .prepare = map_more,
     .call = pt_stats_call);

/* Another process has mapped files for a device, and is gone. */
static int map_files_elsewhere(struct world *w)
{
	pid_t pid;
	int status;

	if (ioas_alloc(w->fd, &w->ioas) ||
	    mock_plug(w->fd, w->ioas, 0, &w->mock))
		return -EIO;
	pid = fork();
	if (!pid) {
		int err = map_file(w, w->ioas, w->memfd, WORLD_FREE, LARGE);

		for (__u64 i = 0; i < 10 && !err; i++)
			err = ioas_map_file_fixed(w->fd, w->ioas, w->memfd,
						  i * PAGE, PAGE,
						  WORLD_AT + 2 * i * PAGE);
		_exit(err ? 1 : 0);
	}
	return waitpid(pid, &status, 0) == pid && !status ? 0 : -EIO;
}

static int change_process_call(struct world *w)
{
	struct iommu_ioas_change_process cmd = { .size = sizeof(cmd) };

	return xioctl(w->fd, IOMMU_IOAS_CHANGE_PROCESS, &cmd);
}

static int change_process_check(struct world *w)
{
	return leak_charged_kb() == (LARGE + 10 * PAGE) / 1024 ? 0 : -EIO;
}

CASE(ioas_change_process, .kind = WORLD_EMPTY, .prepare = map_files_elsewhere,
     .call = change_process_call, .check = change_process_check);

/* --- vfio type 1 on an iommufd ------------------------------------------------------ */

static int vfio_ioas(struct world *w, __u16 op, __u32 *ioas)
{
	struct iommu_vfio_ioas cmd = {
		.size = sizeof(cmd),
		.ioas_id = *ioas,
		.op = op,
	};
	int err = xioctl(w->fd, IOMMU_VFIO_IOAS, &cmd);

	*ioas = cmd.ioas_id;
	return err;
}

static int vfio_ioas_set_call(struct world *w)
{
	__u32 ioas = w->ioas;

	return vfio_ioas(w, IOMMU_VFIO_IOAS_SET, &ioas);
}

static int vfio_ioas_get_call(struct world *w)
{
	w->id = 0;
	return vfio_ioas(w, IOMMU_VFIO_IOAS_GET, &w->id);
}

static int vfio_ioas_check(struct world *w)
{
	return vfio_ioas_get_call(w) ?: w->id == w->ioas ? 0 : -EIO;
}

static int vfio_ioas_clear_call(struct world *w)
{
	__u32 none = 0;

	return vfio_ioas(w, IOMMU_VFIO_IOAS_CLEAR, &none);
}

CASE(vfio_ioas_set, .call = vfio_ioas_set_call, .check = vfio_ioas_check);
CASE(vfio_ioas_get, .prepare = vfio_ioas_set_call, .call = vfio_ioas_get_call,
     .check = vfio_ioas_check);
CASE(vfio_ioas_clear, .prepare = vfio_ioas_set_call,
     .call = vfio_ioas_clear_call);

/* --- domains ---------------------------------------------------------------------- */

static int hwpt_check(struct world *w)
{
	world_own_id(w, w->id);
	return mock_check_map(w->fd, w->id, WORLD_AT, w->buffer, WORLD_LENGTH);
}

CASE(hwpt_alloc, .call = hwpt_call, .check = hwpt_check);
/* With much to be put into it */
CASE(hwpt_alloc_full, .prepare = map_more, .call = hwpt_call,
     .check = hwpt_check);

CASE(hwpt_alloc_nest_parent, .call = parent_call, .check = hwpt_check);

static int nested_call(struct world *w)
{
	return hwpt_alloc(w, w->mock.dev, w->a, 0, 0, IOMMU_HWPT_DATA_SELFTEST,
			  &w->id);
}

CASE(hwpt_alloc_nested, .prepare = new_parent, .call = nested_call,
     .check = own_new_id);

static int fault_queue(struct world *w, __u32 *id, int *queue)
{
	struct iommu_fault_alloc cmd = { .size = sizeof(cmd) };
	int err = xioctl(w->fd, IOMMU_FAULT_QUEUE_ALLOC, &cmd);

	if (!err) {
		*id = cmd.out_fault_id;
		*queue = cmd.out_fault_fd;
	}
	return err;
}

static int fault_queue_call(struct world *w)
{
	return fault_queue(w, &w->id, &w->file);
}

CASE(fault_queue_alloc, .call = fault_queue_call, .check = own_new_queue);

/* A queue, a nest parent */
static int new_queue_and_parent(struct world *w)
{
	int err = fault_queue(w, &w->b, &w->file);

	if (err)
		return err;
	world_own_id(w, w->b);
	world_own_file(w, w->file);
	return new_parent(w);
}

static int faulting_call(struct world *w)
{
	return hwpt_alloc(w, w->mock.dev, w->a, IOMMU_HWPT_FAULT_ID_VALID, w->b,
			  IOMMU_HWPT_DATA_SELFTEST, &w->id);
}

CASE(hwpt_alloc_with_faults, .prepare = new_queue_and_parent,
     .call = faulting_call, .check = own_new_id);

/* The device is attached to a domain that takes faults, and has one. */
static int new_page_request(struct world *w)
{
	int err = new_queue_and_parent(w) ?: faulting_call(w);

	if (err)
		return err;
	world_own_id(w, w->id);
	w->c = w->id;
	err = mock_replace(w->fd, w->mock.stdev, &w->c) ?:
	      mock_page_request(w->fd, w->mock.dev, 7, WORLD_AT);
	/* To be destroyed before what it is attached to. */
	world_own_id(w, w->mock.stdev);
	w->mock.stdev = 0;
	return err;
}

static struct iommu_hwpt_pgfault page_fault;

static int read_fault_call(struct world *w)
{
	ssize_t got = read(w->file, &page_fault, sizeof(page_fault));

	return got < 0 ? -errno : got == sizeof(page_fault) ? 0 : -EAGAIN;
}

static int answer_call(struct world *w)
{
	struct iommu_hwpt_page_response response = {
		.cookie = page_fault.cookie,
		.code = IOMMUFD_PAGE_RESP_SUCCESS,
	};
	ssize_t put = write(w->file, &response, sizeof(response));

	return put < 0 ? -errno : 0;
}

static int read_fault_check(struct world *w)
{
	if (page_fault.grpid != 7 || page_fault.addr != WORLD_AT)
		return -EIO;
	return answer_call(w);
}

CASE(fault_queue_read, .prepare = new_page_request, .call = read_fault_call,
     .check = read_fault_check);

static int read_page_request(struct world *w)
{
	return new_page_request(w) ?: read_fault_call(w);
}

static int answer_check(struct world *w)
{
	return answer_call(w) == -EINVAL ? 0 : -EIO;
}

CASE(fault_queue_write, .prepare = read_page_request, .call = answer_call,
     .check = answer_check);

static int new_nested(struct world *w)
{
	int err = new_parent(w) ?: nested_call(w);

	w->b = w->id;
	return err ?: own_new_id(w);
}

static int invalidate_call(struct world *w)
{
	struct iommu_hwpt_invalidate_selftest entry = { .iotlb_id = 1 };
	struct iommu_hwpt_invalidate cmd = {
		.size = sizeof(cmd),
		.hwpt_id = w->b,
		.data_uptr = (uintptr_t)&entry,
		.data_type = IOMMU_HWPT_INVALIDATE_DATA_SELFTEST,
		.entry_len = sizeof(entry),
		.entry_num = 1,
	};

	return xioctl(w->fd, IOMMU_HWPT_INVALIDATE, &cmd);
}

static int invalidate_check(struct world *w)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_MD_CHECK_IOTLB,
		.id = w->b,
		.check_iotlb = { .id = 1, .iotlb = 0 },
	};

	return mock_call(w->fd, &cmd);
}

CASE(hwpt_invalidate, .prepare = new_nested, .call = invalidate_call,
     .check = invalidate_check);

static int set_tracking(struct world *w, bool on)
{
	struct iommu_hwpt_set_dirty_tracking cmd = {
		.size = sizeof(cmd),
		.flags = on ? IOMMU_HWPT_DIRTY_TRACKING_ENABLE : 0,
		.hwpt_id = w->a,
	};

	return xioctl(w->fd, IOMMU_HWPT_SET_DIRTY_TRACKING, &cmd);
}

static int track_call(struct world *w)
{
	return set_tracking(w, true);
}

static int mark_dirty(struct world *w)
{
	__u8 bits = 0x5a;

	return mock_dirty(w->fd, w->a, WORLD_AT, WORLD_LENGTH, &bits);
}

CASE(hwpt_dirty_tracking_on, .prepare = new_hwpt, .call = track_call,
     .check = mark_dirty);

static int new_tracking_hwpt(struct world *w)
{
	return new_hwpt(w) ?: track_call(w) ?: mark_dirty(w);
}

static int untrack_call(struct world *w)
{
	return set_tracking(w, false);
}

static int untrack_check(struct world *w)
{
	return mark_dirty(w) == -EINVAL ? 0 : -EIO;
}

CASE(hwpt_dirty_tracking_off, .prepare = new_tracking_hwpt,
     .call = untrack_call, .check = untrack_check);

static __u64 dirty_bits;

static int get_dirty_call(struct world *w)
{
	struct iommu_hwpt_get_dirty_bitmap cmd = {
		.size = sizeof(cmd),
		.hwpt_id = w->a,
		.iova = WORLD_AT,
		.length = WORLD_LENGTH,
		.page_size = PAGE,
		.data = (uintptr_t)&dirty_bits,
	};

	return xioctl(w->fd, IOMMU_HWPT_GET_DIRTY_BITMAP, &cmd);
}

/* Bits are only ever added: whatever failed before, none is lost. */
static int get_dirty_check(struct world *w)
{
	__u64 first = dirty_bits;
	int err;

	dirty_bits = 0;
	err = get_dirty_call(w);
	/* Pages that share a PTE are dirty together. */
	return err ?: (first & 0x5a) == 0x5a && !dirty_bits ? 0 : -EIO;
}

CASE(hwpt_get_dirty_bitmap, .prepare = new_tracking_hwpt,
     .call = get_dirty_call, .check = get_dirty_check);

static int hw_info_call(struct world *w)
{
	struct iommu_test_hw_info info = {};
	struct iommu_hw_info cmd = {
		.size = sizeof(cmd),
		.dev_id = w->mock.dev,
		.data_len = sizeof(info),
		.data_uptr = (uintptr_t)&info,
	};
	int err = xioctl(w->fd, IOMMU_GET_HW_INFO, &cmd);

	return err ?: info.test_reg == IOMMU_HW_INFO_SELFTEST_REGVAL ?
	       0 : -EIO;
}

CASE(get_hw_info, .call = hw_info_call);

TEST_HARNESS_MAIN
