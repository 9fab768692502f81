// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <linux/vfio.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "lu_plan.h"
#include "lu_state.h"
#include "msg.h"
#include "vfio_pci.h"

/* How often to ask again for findings that become more while they are asked for. */
#define TRIES 4

static void no_memory(void)
{
	msg_errno(ENOMEM, "plan", NULL);
}

/* --- items and their problems --------------------------------------------- */

static struct plan_item *add_item(struct plan *plan, enum proc_file_kind kind,
				  const struct proc_file *file)
{
	struct plan_item *items = reallocarray(plan->items, plan->nr + 1, sizeof(*items));

	if (!items) {
		no_memory();
		return NULL;
	}
	plan->items = items;
	items[plan->nr] = (struct plan_item){ .kind = kind, .file = file };
	return &items[plan->nr++];
}

static bool add_problem(struct plan_problems *problems, const struct plan_problem *problem)
{
	struct plan_problem *list;

	list = reallocarray(problems->list, problems->nr + 1, sizeof(*list));
	if (!list) {
		no_memory();
		return false;
	}
	problems->list = list;
	list[problems->nr++] = *problem;
	return true;
}

static bool add_simple(struct plan_problems *problems, const char *kind, int err, const char *why,
		       const char *mend)
{
	struct plan_problem problem = { .kind = kind, .err = err, .mend = mend };

	snprintf(problem.why, sizeof(problem.why), "%s", why);
	return add_problem(problems, &problem);
}

static bool add_no_descriptor(struct plan_item *item)
{
	return add_simple(&item->problems, "no-descriptor", EBADF,
			  "the process has no descriptor of it",
			  "preserve it from the process that has, in the same session");
}

/* --- what the kernel finds in an iommufd ---------------------------------- */

struct findings {
	struct iox_lu_finding *list;
	__u32 nr;
};

/* Of more findings than there is room for, those that fit; @wanted is how many there are. */
static int ask(int fd, struct findings *findings, __u32 room, __u32 *wanted)
{
	struct iox_lu_check check = { .size = sizeof(check), .nr = room };
	int err;

	free(findings->list);
	findings->list = calloc(room, sizeof(*findings->list));
	if (!findings->list)
		return -ENOMEM;
	check.findings_uptr = (uintptr_t)findings->list;
	err = ioctl(fd, IOX_LU_CHECK, &check) ? -errno : 0;
	*wanted = check.nr;
	findings->nr = check.nr < room ? check.nr : room;
	return err;
}

/* The kernel has a limit, too: what is beyond it is left out. */
static bool read_findings(const struct proc_file *file, struct findings *findings)
{
	__u32 room = 64;
	int err = -EMSGSIZE;

	*findings = (struct findings){};
	for (int i = 0; i < TRIES && err == -EMSGSIZE; i++)
		err = ask(file->fd, findings, room, &room);
	if (!err || err == -EMSGSIZE)
		return true;
	if (err == -ENOTTY)
		msg_error("this kernel's iommufd", "cannot be preserved",
			  "boot the kernel of this tree ('make kernel')");
	else
		msg_errno(err, "iommufd", NULL);
	free(findings->list);
	return false;
}

/* What is said of each kind of finding. */
static const struct {
	const char *kind, *why, *mend;
} words[] = {
	[IOX_LU_FINDING_NO_MARK] = { "no-mark", "no HWPT is marked",
		"mark those that devices use: IOMMU_HWPT_LU_MARK_PRESERVE" },
	[IOX_LU_FINDING_PRESERVED] = { "preserved", "a session has preserved it already",
		"see 'iox lu status'" },
	[IOX_LU_FINDING_USER_MEMORY] = { "user-memory", "memory of a process",
		"map a sealed memfd instead: IOMMU_IOAS_MAP_FILE" },
	[IOX_LU_FINDING_DMABUF] = { "dmabuf", "a dma-buf", "unmap it, and map it anew afterwards" },
	[IOX_LU_FINDING_NO_MEMFD] = { "no-memfd", "a file that is no memfd",
		"map a sealed memfd instead: memfd_create(2)" },
	[IOX_LU_FINDING_HUGETLB] = { "hugetlb", "memory of hugetlbfs",
		"map a memfd without MFD_HUGETLB instead" },
	[IOX_LU_FINDING_UNSEALED] = { "unsealed", "a memfd that may shrink",
		"seal it: fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK)" },
	[IOX_LU_FINDING_LOST] = { "lost",
		"memory that the file has lost, to a hole or a truncation",
		"unmap it, and map anew what the file has" },
	[IOX_LU_FINDING_NO_DEVICE] = { "no-device", "no device is attached to a marked HWPT",
		"attach one, or take the mark off: IOX_LU_UNMARK" },
};

static const char unknown_mend[] = "see docs/live-update.md";

static const char *file_name(const struct iox_lu_finding *f)
{
	static const char prefix[] = "memfd:";
	const size_t length = sizeof(prefix) - 1;

	return strncmp(f->name, prefix, length) ? f->name : f->name + length;
}

static bool add_finding(struct plan_item *item, const struct iox_lu_finding *f)
{
	bool known = f->kind < sizeof(words) / sizeof(words[0]) && words[f->kind].kind;
	struct plan_problem problem = {
		.kind = known ? words[f->kind].kind : "unknown",
		.err = -f->err,
		.mend = known ? words[f->kind].mend : unknown_mend,
		.iova = f->iova,
		.areas = f->areas,
		.bytes = f->bytes,
	};

	snprintf(problem.why, sizeof(problem.why), "%s%s%.32s",
		 known ? words[f->kind].why : "something this program does not know",
		 *f->name ? ": " : "", file_name(f));
	return add_problem(&item->problems, &problem);
}

static bool add_hwpt(struct plan_item *item, const struct iox_lu_finding *f)
{
	struct iox_lu_finding *list;

	list = reallocarray(item->hwpts, item->nr_hwpts + 1, sizeof(*list));
	if (!list) {
		no_memory();
		return false;
	}
	item->hwpts = list;
	list[item->nr_hwpts++] = *f;
	if (!f->err)
		return true;
	return add_simple(&item->problems, "hwpt", -f->err,
			  "the page table of a marked HWPT cannot be handed over",
			  "see the limits in docs/live-update.md");
}

/* --- memfds --------------------------------------------------------------- */

static const struct proc_file *find_memfd(const struct plan *plan, const struct iox_lu_finding *f)
{
	for (size_t i = 0; i < plan->files.nr; i++) {
		const struct proc_file *file = &plan->files.list[i];

		if (file->kind == PROC_MEMFD && file->ino == f->ino && file->dev == f->dev)
			return file;
	}
	return NULL;
}

static bool is_planned(const struct plan *plan, const struct iox_lu_finding *f)
{
	for (size_t i = 0; i < plan->nr; i++)
		if (plan->items[i].kind == PROC_MEMFD && plan->items[i].ino == f->ino &&
		    plan->items[i].dev == f->dev)
			return true;
	return false;
}

/* A memfd that has to go first, also if there is something to mend before. */
static bool plan_memfd(struct plan *plan, const struct iox_lu_finding *f)
{
	struct plan_item *item;

	if (f->kind != IOX_LU_FINDING_MEMFD && f->kind != IOX_LU_FINDING_UNSEALED &&
	    f->kind != IOX_LU_FINDING_LOST)
		return true;
	if (is_planned(plan, f))
		return true;
	item = add_item(plan, PROC_MEMFD, find_memfd(plan, f));
	if (!item)
		return false;
	item->ino = f->ino;
	item->dev = f->dev;
	snprintf(item->name, sizeof(item->name), "%.32s", file_name(f));
	return item->file || add_no_descriptor(item);
}

static bool plan_memfds(struct plan *plan, const struct findings *findings)
{
	for (__u32 i = 0; i < findings->nr; i++)
		if (!plan_memfd(plan, &findings->list[i]))
			return false;
	return true;
}

/* Some session's, if this process may see what sessions have. */
static bool check_memfds(struct plan *plan)
{
	struct lu_state state;
	bool ok = true;

	if (!lu_state_is_readable())
		return true;
	if (!lu_state_read(&state))
		return false;
	for (size_t i = 0; ok && i < plan->nr; i++)
		if (plan->items[i].kind == PROC_MEMFD && lu_has_memfd(&state, plan->items[i].ino))
			ok = add_simple(&plan->items[i].problems, "preserved", EBUSY,
					words[IOX_LU_FINDING_PRESERVED].why,
					words[IOX_LU_FINDING_PRESERVED].mend);
	lu_state_free(&state);
	return ok;
}

/* --- iommufds ------------------------------------------------------------- */

/* Of the areas that an HWPT maps, where the kernel has not summed them up. */
static void sum_up(struct plan_item *item, const struct findings *findings)
{
	for (size_t i = 0; i < item->nr_hwpts; i++) {
		struct iox_lu_finding *hwpt = &item->hwpts[i];

		if (hwpt->areas)
			continue;
		for (__u32 j = 0; j < findings->nr; j++) {
			if (findings->list[j].hwpt_id != hwpt->hwpt_id)
				continue;
			hwpt->areas += findings->list[j].areas;
			hwpt->bytes += findings->list[j].bytes;
		}
	}
}

static bool plan_iommufd(struct plan *plan, const struct proc_file *file,
			 const struct findings *findings)
{
	struct plan_item *item = add_item(plan, PROC_IOMMUFD, file);
	bool ok = item;

	for (__u32 i = 0; ok && i < findings->nr; i++) {
		const struct iox_lu_finding *f = &findings->list[i];

		if (f->kind == IOX_LU_FINDING_HWPT)
			ok = add_hwpt(item, f);
		else if (f->kind != IOX_LU_FINDING_DEVICE && f->err)
			ok = add_finding(item, f);
	}
	if (ok)
		sum_up(item, findings);
	return ok;
}

/* --- devices -------------------------------------------------------------- */

/* A device's number, by what vfio says of a descriptor */
static const char *device_name(const struct proc_file *file)
{
	const char *slash = strrchr(file->device, '/');

	return slash ? slash + 1 : "?";
}

/* A descriptor that is not bound knows nothing of its device, though another one may be. */
static bool is_bound(const struct proc_file *file)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };

	return !ioctl(file->fd, VFIO_DEVICE_GET_INFO, &info);
}

/* Why preserving a device that is bound says no. */
static bool add_device_errno(struct plan_item *item, int err)
{
	static const struct {
		int err;
		const char *kind, *why, *mend;
	} reasons[] = {
		{ 0, NULL, NULL, NULL },
		{ EINVAL, "not-attached", "it is attached to nothing",
		  "attach it to a marked HWPT: VFIO_DEVICE_ATTACH_IOMMUFD_PT" },
		{ ENOENT, "hwpt-not-marked", "the HWPT that it is attached to is not marked",
		  "mark it: IOMMU_HWPT_LU_MARK_PRESERVE" },
		{ EBUSY, "preserved", "a session has preserved it already", "see 'iox lu status'" },
		{ EOPNOTSUPP, "iommu", "it uses PASIDs, or an IOMMU that cannot be handed over",
		  "see the limits in docs/live-update.md" },
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].err == err)
			return !err || add_simple(&item->problems, reasons[i].kind, err,
						  reasons[i].why, reasons[i].mend);
	return add_simple(&item->problems, "iommu", err, strerror(err), unknown_mend);
}

/* What vfio-pci looks at. */
static bool check_pci(struct plan_item *item, const char *sysfs)
{
	const struct vfio_pci_rule *rule;
	char irq[64];
	bool ok = true;

	for (rule = vfio_pci_rules; ok && rule->kind; rule++)
		if (rule->is_broken(sysfs))
			ok = add_simple(&item->problems, rule->kind, rule->err, rule->why,
					rule->mend);
	if (ok && vfio_pci_find_irq(item->name, irq, sizeof(irq))) {
		struct plan_problem later = {
			.kind = "interrupts",
			.err = EBUSY,
			.mend = "turn them off just before the kernel is replaced, it does not go "
				"otherwise: VFIO_DEVICE_SET_IRQS",
		};

		snprintf(later.why, sizeof(later.why), "interrupts are on (%s)", irq);
		ok = add_problem(&item->later, &later);
	}
	return ok;
}

/* An iommufd of the process, and what the kernel finds in it */
struct checked {
	const struct proc_file *file;
	struct findings findings;
};

struct checks {
	struct checked *list;
	size_t nr;
};

static const struct iox_lu_finding *find_device(const struct checks *checks, const char *name,
						const struct proc_file **iommufd)
{
	for (size_t i = 0; i < checks->nr; i++) {
		const struct findings *findings = &checks->list[i].findings;

		*iommufd = checks->list[i].file;
		for (__u32 j = 0; j < findings->nr; j++)
			if (findings->list[j].kind == IOX_LU_FINDING_DEVICE &&
			    !strncmp(findings->list[j].name, name, sizeof(findings->list[j].name)))
				return &findings->list[j];
	}
	*iommufd = NULL;
	return NULL;
}

/* Has the process the device by its group, as programs do that are older than iommufd? */
static bool is_of_group(const struct plan *plan, const struct proc_file *file)
{
	char group[64];

	if (strncmp(file->link, "anon_inode:", 11) || !vfio_pci_group(file->device, group))
		return false;
	for (size_t i = 0; i < plan->files.nr; i++)
		if (plan->files.list[i].kind == PROC_GROUP &&
		    !strcmp(plan->files.list[i].link, group))
			return true;
	return false;
}

static bool plan_device(struct plan *plan, const struct proc_file *file,
			const struct checks *checks)
{
	struct plan_item *item = add_item(plan, PROC_DEVICE, file);
	const struct iox_lu_finding *f;

	if (!item)
		return false;
	snprintf(item->name, sizeof(item->name), "%s", device_name(file));
	if (is_of_group(plan, file))
		return add_simple(&item->problems, "group", ENOENT, "it is open by its group",
				  "open its own character device, /dev/vfio/devices/vfioN");
	f = is_bound(file) ? find_device(checks, item->name, &item->iommufd) : NULL;
	if (!f)
		return add_simple(&item->problems, "not-bound", EINVAL,
				  "it is not bound to an iommufd of this process",
				  "bind it: VFIO_DEVICE_BIND_IOMMUFD");
	item->hwpt_id = f->hwpt_id;
	return add_device_errno(item, -f->err) && check_pci(item, file->device);
}

/* One that is bound here, but is some other process's. */
static bool plan_device_of_others(struct plan *plan, const struct iox_lu_finding *f,
				  const struct proc_file *iommufd)
{
	struct plan_item *item;

	for (size_t i = 0; i < plan->files.nr; i++)
		if (plan->files.list[i].kind == PROC_DEVICE &&
		    !strcmp(device_name(&plan->files.list[i]), f->name))
			return true;
	item = add_item(plan, PROC_DEVICE, NULL);
	if (!item)
		return false;
	snprintf(item->name, sizeof(item->name), "%.31s", f->name);
	item->hwpt_id = f->hwpt_id;
	item->iommufd = iommufd;
	return add_no_descriptor(item);
}

static bool plan_devices(struct plan *plan, const struct checks *checks)
{
	bool ok = true;

	for (size_t i = 0; ok && i < plan->files.nr; i++)
		if (plan->files.list[i].kind == PROC_DEVICE)
			ok = plan_device(plan, &plan->files.list[i], checks);
	for (size_t i = 0; i < checks->nr; i++) {
		const struct findings *findings = &checks->list[i].findings;

		for (__u32 j = 0; ok && j < findings->nr; j++)
			if (findings->list[j].kind == IOX_LU_FINDING_DEVICE)
				ok = plan_device_of_others(plan, &findings->list[j],
							   checks->list[i].file);
	}
	return ok;
}

static bool plan_groups(struct plan *plan)
{
	for (size_t i = 0; i < plan->files.nr; i++) {
		const struct proc_file *file = &plan->files.list[i];
		struct plan_item *item;

		if (file->kind != PROC_GROUP)
			continue;
		item = add_item(plan, PROC_GROUP, file);
		if (!item)
			return false;
		snprintf(item->name, sizeof(item->name), "%.63s", file->link);
		if (!add_simple(&item->problems, "group", ENOENT,
				"live update knows neither vfio's groups nor its container",
				"use /dev/iommu and the devices' own /dev/vfio/devices/vfioN"))
			return false;
	}
	return true;
}

/* --- all ------------------------------------------------------------------ */

/* iommufd can stand in for vfio's container; then that is an iommufd to live update, too. */
static void recognize_containers(struct plan *plan)
{
	for (size_t i = 0; i < plan->files.nr; i++) {
		struct iox_lu_check check = { .size = sizeof(check) };
		struct proc_file *file = &plan->files.list[i];

		if (file->kind != PROC_GROUP || strcmp(file->link, "/dev/vfio/vfio"))
			continue;
		if (!ioctl(file->fd, IOX_LU_CHECK, &check) || errno == EMSGSIZE)
			file->kind = PROC_IOMMUFD;
	}
}

static bool ask_iommufds(const struct plan *plan, struct checks *checks)
{
	checks->nr = 0;
	checks->list = calloc(plan->files.nr + 1, sizeof(*checks->list));
	if (!checks->list) {
		no_memory();
		return false;
	}
	for (size_t i = 0; i < plan->files.nr; i++) {
		struct checked *c = &checks->list[checks->nr];

		if (plan->files.list[i].kind != PROC_IOMMUFD)
			continue;
		c->file = &plan->files.list[i];
		if (!read_findings(c->file, &c->findings))
			return false;
		checks->nr++;
	}
	return true;
}

static bool put_in_order(struct plan *plan, const struct checks *checks)
{
	bool ok = true;

	for (size_t i = 0; ok && i < checks->nr; i++)
		ok = plan_memfds(plan, &checks->list[i].findings);
	ok = ok && check_memfds(plan);
	for (size_t i = 0; ok && i < checks->nr; i++)
		ok = plan_iommufd(plan, checks->list[i].file, &checks->list[i].findings);
	return ok && plan_devices(plan, checks) && plan_groups(plan);
}

bool plan_make(pid_t pid, struct plan *plan)
{
	struct checks checks;
	bool ok;

	*plan = (struct plan){};
	if (!lu_is_on() || !proc_files_read(pid, &plan->files))
		return false;
	recognize_containers(plan);
	ok = ask_iommufds(plan, &checks) && put_in_order(plan, &checks);
	for (size_t i = 0; i < checks.nr; i++)
		free(checks.list[i].findings.list);
	free(checks.list);
	if (!ok)
		plan_free(plan);
	return ok;
}

void plan_free(struct plan *plan)
{
	for (size_t i = 0; i < plan->nr; i++) {
		free(plan->items[i].hwpts);
		free(plan->items[i].problems.list);
		free(plan->items[i].later.list);
	}
	free(plan->items);
	proc_files_free(&plan->files);
	*plan = (struct plan){};
}

bool plan_is_clear(const struct plan *plan)
{
	for (size_t i = 0; i < plan->nr; i++)
		if (plan->items[i].problems.nr)
			return false;
	return true;
}
