// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "msg.h"
#include "pt.h"
#include "pt.skel.h"

#define READ_SIZE (64 * 1024)

struct pt {
	struct pt_bpf *skel;
};

static const char *const why_name[IOX_PT_WHYS] = { "short", "scattered", "unaligned", "unused" };

const char *pt_why_name(unsigned int why)
{
	return why_name[why];
}

bool pt_is_there(void)
{
	return libbpf_find_vmlinux_btf_id("iox_hwpt", BPF_TRACE_ITER) > 0;
}

static bool kernel_has_it(void)
{
	if (pt_is_there())
		return true;
	if (access("/sys/kernel/btf/vmlinux", R_OK))
		msg_error("this kernel", "has no BTF", "it must be built with CONFIG_DEBUG_INFO_BTF=y");
	else
		msg_error("this kernel", "has no page-table statistics (BPF iterator iox_hwpt)",
			  "boot one with iox and CONFIG_IOX_STATS=y");
	return false;
}

struct pt *pt_open(void)
{
	struct pt *pt;
	int err;

	if (!kernel_has_it())
		return NULL;
	pt = calloc(1, sizeof(*pt));
	if (pt)
		pt->skel = pt_bpf__open();
	if (!pt || !pt->skel) {
		msg_errno(ENOMEM, "preparing the BPF iterators", NULL);
		pt_close(pt);
		return NULL;
	}
	err = pt_bpf__load(pt->skel);
	if (!err)
		return pt;
	msg_errno(err, "loading the BPF iterators",
		  err == -EPERM ? "run it as root" : "IOX_DEBUG=1 in the environment tells more");
	pt_close(pt);
	return NULL;
}

void pt_close(struct pt *pt)
{
	if (!pt)
		return;
	pt_bpf__destroy(pt->skel);
	free(pt);
}

/* All that can be read from @fd; the errno is negative. */
static int read_all(int fd, char **data, size_t *length)
{
	size_t room = 0;
	ssize_t got = 1;
	char *more;

	*data = NULL;
	*length = 0;
	while (got) {
		if (room - *length < READ_SIZE) {
			room = 2 * room + READ_SIZE;
			more = realloc(*data, room);
			if (!more)
				return -ENOMEM;
			*data = more;
		}
		got = read(fd, *data + *length, READ_SIZE);
		if (got < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		if (got > 0)
			*length += (size_t)got;
	}
	return 0;
}

static int run(const struct bpf_program *prog, char **data, size_t *length)
{
	struct bpf_link *link = bpf_program__attach_iter(prog, NULL);
	int fd, err;

	if (!link)
		return -errno;
	fd = bpf_iter_create(bpf_link__fd(link));
	err = fd < 0 ? fd : read_all(fd, data, length);
	if (fd >= 0)
		close(fd);
	bpf_link__destroy(link);
	return err;
}

/* The next @size bytes of what is left, or NULL. */
static const void *take(const char **at, const char *end, size_t size)
{
	const char *p = *at;

	if ((size_t)(end - p) < size)
		return NULL;
	*at = p + size;
	return p;
}

static bool take_hwpt(struct pt_hwpt *h, const char **at, const char *end)
{
	h->head = take(at, end, sizeof(*h->head));
	if (!h->head)
		return false;
	h->levels = take(at, end, h->head->nr_levels * sizeof(*h->levels));
	h->sizes = take(at, end, h->head->nr_sizes * sizeof(*h->sizes));
	return h->levels && h->sizes;
}

static bool take_area(struct pt_area *a, const char **at, const char *end)
{
	a->head = take(at, end, sizeof(*a->head));
	if (!a->head)
		return false;
	a->sizes = take(at, end, a->head->nr_sizes * sizeof(*a->sizes));
	return a->sizes;
}

static int read_hwpts(const struct pt *pt, struct pt_view *view)
{
	size_t length = 0;
	int err = run(pt->skel->progs.iox_pt_hwpts, &view->hwpt_data, &length);
	const char *at = view->hwpt_data;

	if (err || !length)
		return err;
	view->hwpts = calloc(length / sizeof(struct iox_pt_hwpt) + 1, sizeof(*view->hwpts));
	if (!view->hwpts)
		return -ENOMEM;
	while (take_hwpt(&view->hwpts[view->nr_hwpts], &at, view->hwpt_data + length))
		view->nr_hwpts++;
	return 0;
}

static int read_areas(const struct pt *pt, struct pt_view *view)
{
	size_t length = 0;
	int err = run(pt->skel->progs.iox_pt_areas, &view->area_data, &length);
	const char *at = view->area_data;

	if (err || !length)
		return err;
	view->areas = calloc(length / sizeof(struct iox_pt_area) + 1, sizeof(*view->areas));
	if (!view->areas)
		return -ENOMEM;
	while (take_area(&view->areas[view->nr_areas], &at, view->area_data + length))
		view->nr_areas++;
	return 0;
}

bool pt_read(struct pt *pt, bool areas, struct pt_view *view)
{
	int err;

	memset(view, 0, sizeof(*view));
	err = read_hwpts(pt, view);
	if (!err && areas)
		err = read_areas(pt, view);
	if (err)
		msg_errno(err, "reading page tables", NULL);
	return !err;
}

void pt_view_free(struct pt_view *view)
{
	free(view->hwpts);
	free(view->areas);
	free(view->hwpt_data);
	free(view->area_data);
	memset(view, 0, sizeof(*view));
}

/* Negative, 0, positive: @a is of an HWPT before @h, of @h, of one behind it. */
static int compare(const struct pt_area *a, const struct pt_hwpt *h)
{
	if (a->head->ctx_id != h->head->ctx_id)
		return a->head->ctx_id < h->head->ctx_id ? -1 : 1;
	if (a->head->hwpt_id != h->head->hwpt_id)
		return a->head->hwpt_id < h->head->hwpt_id ? -1 : 1;
	return 0;
}

/* The first area that compares with @h as more than @than. */
static size_t find(const struct pt_view *view, const struct pt_hwpt *h, int than)
{
	size_t low = 0, high = view->nr_areas, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (compare(&view->areas[middle], h) > than)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

const struct pt_area *pt_areas_of(const struct pt_view *view, const struct pt_hwpt *hwpt, size_t *nr)
{
	size_t first = find(view, hwpt, -1);

	*nr = find(view, hwpt, 0) - first;
	return view->areas + first;
}
