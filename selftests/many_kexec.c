// SPDX-License-Identifier: GPL-2.0-only
/*
 * Four devices in two sessions over a kexec. selftests/many_kexec calls this in
 * each kernel:
 *
 *	leave		starts the devices, preserves them, and waits for the end
 *	carry-on	gets the first session back, and preserves that alone
 *	CASE		in the last kernel: see cases[]. Prints TAP
 *
 * Each session has a memfd, an iommufd with one IOAS, and two devices. In the
 * first one, each device has an HWPT of its own over the same IOAS; in the second
 * one, both are attached to the same.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/buffer.h"
#include "lib/child.h"
#include "lib/edu.h"
#include "lib/iommufd.h"
#include "lib/leak.h"
#include "lib/luo.h"
#include "lib/steps.h"
#include "lib/type1.h"

#define AT 0x100000000ULL
#define NEW_AT 0x200000000ULL
/* Where a device could read before it was stopped */
#define BLOCKED_AT (AT + REGION(0))
#define PIECE 1024
#define DEVICES 2
/* Enough to be missed when it is not freed */
#define MEMORY (64UL << 20)

/* A device copies within a region of its own. */
#define REGION(i) ((1 + (i)) * HUGE_PAGE)
#define FROM 0
#define TO (300 * PAGE + 512)
#define KEPT (16 * PAGE)

enum token { MEMFD_TOKEN = 7, IOMMUFD_TOKEN, DEVICE_TOKEN };
#define HWPT_TOKEN 0x8000000000000001ULL
#define SEED_KEPT 41

/* The first page of a session's memory, for the next kernel */
struct note {
	char names[DEVICES][PCI_NAME_SIZE];
	/* Those of the other session */
	char others[DEVICES][PCI_NAME_SIZE];
};

struct party {
	const char *name;
	bool shared;
	int session, memfd, fd;
	__u32 ioas, hwpt[DEVICES];
	struct edu edu[DEVICES];
	char *memory;
};

static struct party first, second;

static struct note *note_of(struct party *p)
{
	return (struct note *)p->memory;
}

static int hwpts(const struct party *p)
{
	return p->shared ? 1 : DEVICES;
}

static int map_memory(struct party *p)
{
	p->memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED,
			 p->memfd, 0);
	return p->memory == MAP_FAILED ? -errno : 0;
}

/* One device copies in its region, all of which is mapped at @iova. */
static int dma(struct party *p, int i, __u64 iova, __u32 seed)
{
	char *region = p->memory + REGION(i);
	int err;

	buffer_fill(region + FROM, PIECE, seed);
	memset(region + TO, 0, PIECE);
	iova += REGION(i);
	err = edu_copy(&p->edu[i], iova + TO, iova + FROM, PIECE);
	if (err)
		return err;
	return buffer_holds(region + TO, PIECE, seed) ? 0 : -EILSEQ;
}

/* All devices of a session, at the IOVAs that they had from the beginning */
static int all_go_on(struct party *p)
{
	static __u32 seed = 100;
	int err = 0;

	for (int i = 0; i < DEVICES && !err; i++)
		err = dma(p, i, AT, seed++);
	return err;
}

/* --- before -------------------------------------------------------------------- */

static void start_device(struct party *p, int i, const char *name)
{
	__u32 pt;

	need(edu_open_name(&p->edu[i], name), name);
	need(edu_start(&p->edu[i], p->fd), "bind");
	if (!i || !p->shared)
		need(hwpt_alloc_paging(p->fd, p->edu[i].id, p->ioas,
				       &p->hwpt[i]), "hwpt");
	else
		p->hwpt[i] = p->hwpt[0];
	pt = p->hwpt[i];
	need(vfio_attach(p->edu[i].fd, &pt), "attach");
	buffer_fill(p->memory + REGION(i) + FROM, PIECE, SEED_KEPT + i);
	need(edu_copy(&p->edu[i], AT + REGION(i) + KEPT, AT + REGION(i) + FROM,
		      PIECE), "dma");
}

static void start(struct party *p, char names[DEVICES][PCI_NAME_SIZE],
		  char others[DEVICES][PCI_NAME_SIZE])
{
	p->fd = iommufd_open();
	need(p->fd, "iommufd");
	need(ioas_alloc(p->fd, &p->ioas), "ioas");
	p->memfd = luo_memfd(MEMORY);
	need(p->memfd, "memfd");
	need(map_memory(p), "mmap");
	memcpy(note_of(p)->names, names, sizeof(note_of(p)->names));
	memcpy(note_of(p)->others, others, sizeof(note_of(p)->others));
	need(ioas_map_memfd(p->fd, p->ioas, p->memfd, MEMORY, AT), "map");
	for (int i = 0; i < DEVICES; i++)
		start_device(p, i, names[i]);
}

static void start_all(void)
{
	char names[2 * DEVICES][PCI_NAME_SIZE];

	for (int i = 0; i < 2 * DEVICES; i++)
		need(edu_find(i, names[i]), "four edu devices");
	start(&first, names, names + DEVICES);
	start(&second, names + DEVICES, names);
}

static void preserve(struct party *p)
{
	p->session = luo_create(p->name);
	need(p->session, "session");
	for (int i = 0; i < hwpts(p); i++)
		need(hwpt_mark(p->fd, p->hwpt[i], HWPT_TOKEN + i), "mark");
	need(luo_preserve_fd(p->session, p->memfd, MEMFD_TOKEN), "memfd");
	need(luo_preserve_fd(p->session, p->fd, IOMMUFD_TOKEN), "iommufd");
	for (int i = 0; i < DEVICES; i++)
		need(luo_preserve_fd(p->session, p->edu[i].fd,
				     DEVICE_TOKEN + i), "device");
	need(all_go_on(p), "dma while preserved");
}

static void wait_for_the_end(void)
{
	printf("left\n");
	fflush(stdout);
	for (;;)
		pause();
}

/* --- after --------------------------------------------------------------------- */

static void get_session(struct party *p)
{
	p->session = luo_retrieve(p->name);
	need(p->session, "session");
}

static void get_memory(struct party *p)
{
	p->memfd = luo_retrieve_fd(p->session, MEMFD_TOKEN);
	need(p->memfd, "memfd");
	need(map_memory(p), "mmap");
}

static void get_iommufd(struct party *p)
{
	p->fd = luo_retrieve_fd(p->session, IOMMUFD_TOKEN);
	need(p->fd, "iommufd");
	for (int i = 0; i < DEVICES; i++)
		need(hwpt_find(p->fd, HWPT_TOKEN + (p->shared ? 0 : i),
			       &p->hwpt[i]), "hwpt");
}

static void get_device(struct party *p, int i)
{
	struct edu *edu = &p->edu[i];

	strcpy(edu->name, note_of(p)->names[i]);
	need(vfio_pci_claim(edu->name), "vfio-pci");
	edu->fd = luo_retrieve_fd(p->session, DEVICE_TOKEN + i);
	need(edu->fd, "device");
	need(vfio_map_bar(edu->fd, VFIO_PCI_BAR0_REGION_INDEX, &edu->bar,
			  &edu->bar_size), "bar");
}

static int check_kept(struct party *p)
{
	for (int i = 0; i < DEVICES; i++)
		if (!buffer_holds(p->memory + REGION(i) + KEPT, PIECE,
				  SEED_KEPT + i))
			return -EILSEQ;
	return 0;
}

static void get_all(struct party *p)
{
	get_session(p);
	get_memory(p);
	get_iommufd(p);
	for (int i = 0; i < DEVICES; i++)
		get_device(p, i);
	result(check_kept(p), "what devices wrote before is in the memory");
	result(all_go_on(p), "their DMA goes through the restored domains");
}

/* Is it so with both devices of a session? */
static int both_masters(char names[DEVICES][PCI_NAME_SIZE], bool wanted)
{
	int err = 0;

	for (int i = 0; i < DEVICES && !err; i++)
		err = pci_check_master(names[i], wanted);
	return err;
}

/* A driver of the kernel's own, before vfio-pci has the device */
static int try_driver(const char *name)
{
	int err;

	err = pci_write(name, "driver_override", "virtio-pci");
	if (err)
		return err;
	err = sysfs_write("/sys/bus/pci/drivers/virtio-pci/bind", name);
	return pci_write(name, "driver_override", "\n") ?: err;
}

static int try_open(const char *name)
{
	int fd = vfio_open(name);

	if (fd >= 0)
		close(fd);
	return fd;
}

/* Through its group, bound and attached to an address space of our own */
static int try_group(const char *name)
{
	int fd = iommufd_open(), group;
	struct edu edu = { .fd = -1 };
	__u64 iommu = VFIO_TYPE1v2_IOMMU;
	int err;

	if (fd < 0)
		return fd;
	strcpy(edu.name, name);
	group = type1_join(&edu, fd);
	if (group < 0) {
		close(fd);
		return group;
	}
	err = type1_ioctl(fd, VFIO_SET_IOMMU, iommu);
	err = err ?: type1_open_device(&edu, group);
	edu_close(&edu);
	close(group);
	close(fd);
	return err;
}

static int try_both(char names[DEVICES][PCI_NAME_SIZE],
		    int (*attempt)(const char *name))
{
	int err = 0;

	for (int i = 0; i < DEVICES && !err; i++)
		err = expect(-EBUSY, attempt(names[i]));
	return err;
}

static void refuse_strangers(char names[DEVICES][PCI_NAME_SIZE])
{
	result(try_both(names, try_open), "nobody opens a device that waits");
	result(try_both(names, try_group),
	       "nor binds and attaches it through its group");
	result(both_masters(names, true), "it was never stopped");
}

/* Anybody may use the device now, and stops it by closing it. */
static int use_anew(const char *name)
{
	struct party p = { .memfd = luo_memfd(MEMORY), .fd = iommufd_open() };
	int err;

	err = p.fd < 0 ? p.fd : p.memfd < 0 ? p.memfd : map_memory(&p);
	err = err ?: ioas_alloc(p.fd, &p.ioas);
	err = err ?: ioas_map_memfd(p.fd, p.ioas, p.memfd, MEMORY, AT);
	err = err ?: edu_open_name(&p.edu[0], name);
	err = err ?: edu_start(&p.edu[0], p.fd);
	err = err ?: vfio_attach_ioas(p.edu[0].fd, p.ioas);
	err = err ?: dma(&p, 0, AT, 9);
	edu_close(&p.edu[0]);
	munmap(p.memory, MEMORY);
	close(p.fd);
	close(p.memfd);
	return err ?: pci_check_master(name, false);
}

static int use_both_anew(char names[DEVICES][PCI_NAME_SIZE])
{
	return use_anew(names[0]) ?: use_anew(names[1]);
}

static void finish(struct party *p)
{
	result(luo_finish(p->session), "the session is finished");
	result(expect(-ENOENT, luo_retrieve_fd(p->session, DEVICE_TOKEN)),
	       "and has no files any more");
	close(p->session);
	result(expect(-ENOENT, luo_retrieve(p->name)), "nor is it there again");
}

static void close_all(struct party *p)
{
	munmap(p->memory, MEMORY);
	for (int i = 0; i < DEVICES; i++)
		edu_close(&p->edu[i]);
	result(close(p->fd) ? -errno : 0, "its iommufd closes");
	close(p->memfd);
}

/* One device of the first session moves to a new address space, the other stays. */
static void replace_one(void)
{
	__u32 ioas, pt;

	need(ioas_alloc(first.fd, &ioas), "ioas");
	need(ioas_map_memfd(first.fd, ioas, first.memfd, MEMORY, NEW_AT), "map");
	pt = ioas;
	result(vfio_attach(first.edu[0].fd, &pt),
	       "a new HWPT replaces one of the restored ones");
	result(iommufd_destroy(first.fd, first.hwpt[0]), "which can go");
	result(dma(&first, 0, NEW_AT, 5), "DMA goes through the new one");
	result(dma(&first, 1, AT, 6), "and through the other restored one");
	result(expect(-EBUSY, iommufd_destroy(first.fd, first.hwpt[1])),
	       "which cannot go");
}

static int both_parts_work(void)
{
	return dma(&first, 0, NEW_AT, 7) ?: dma(&first, 1, AT, 8);
}

/* Free pages, also those that CPUs have aside, of which there can be many. */
static long free_mib(void)
{
	FILE *f = fopen("/proc/zoneinfo", "re");
	unsigned long pages = 0, count;
	char line[256];

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, " nr_free_pages %lu", &count) == 1 ||
		    sscanf(line, " count: %lu", &count) == 1)
			pages += count;
	fclose(f);
	return pages * PAGE >> 20;
}

/* --- cases --------------------------------------------------------------------- */

/* Nobody ever asks for the second session. */
static void case_waits(void)
{
	struct note note;
	int again;

	get_all(&first);
	note = *note_of(&first);
	result(both_masters(note.others, true),
	       "devices of a session that waits are bus masters");
	result(try_both(note.others, try_driver),
	       "no other driver gets a device that waits");
	for (int i = 0; i < DEVICES; i++)
		need(vfio_pci_claim(note.others[i]), "vfio-pci");
	refuse_strangers(note.others);
	result(expect(-EINVAL, luo_retrieve(first.name)),
	       "a session is there only once");
	again = luo_retrieve_fd(first.session, DEVICE_TOKEN);
	result(again < 0 ? again : 0, "its files are there for who asks again");
	close(again);
	result(expect(-ENOENT, luo_retrieve_fd(first.session, 99)),
	       "what it never had is not");
	replace_one();
	finish(&first);
	result(both_parts_work(), "the first session's devices go on without it");
	refuse_strangers(note.others);
	close_all(&first);
	result(use_both_anew(note.names), "they can be used anew");
	refuse_strangers(note.others);
}

/* The second session is wanted by name only. */
static void case_unwanted(void)
{
	struct note note;
	long mib, tables;

	get_all(&first);
	note = *note_of(&first);
	for (int i = 0; i < DEVICES; i++)
		need(vfio_pci_claim(note.others[i]), "vfio-pci");
	get_session(&second);
	refuse_strangers(note.others);
	result(all_go_on(&first), "the first session's devices go on");
	mib = free_mib();
	tables = leak_iommu_pages();
	finish(&second);
	result(both_masters(note.others, false), "its devices are stopped then");
	result(free_mib() - mib < (long)(MEMORY >> 20) * 9 / 10 ? -ENOMEM : 0,
	       "its memory is freed");
	result(leak_iommu_pages() < tables ? 0 : -ENOMEM,
	       "so are its page tables");
	for (int i = 0; i < DEVICES; i++)
		result(edu_check_blocked(note.others[i], BLOCKED_AT),
		       "a device that is made to go on is blocked");
	result(all_go_on(&first), "the first session's devices go on");
	replace_one();
	result(use_both_anew(note.others), "the others can be used anew");
	finish(&first);
	result(use_both_anew(note.others), "again when no session is left");
	result(both_parts_work(), "the first session's devices go on");
	close_all(&first);
	result(use_both_anew(note.names), "they can be used anew");
}

/* Of two devices with the same HWPT, only one is wanted. */
static void case_shared(void)
{
	char *wanted, *unwanted;
	struct edu *edu = &second.edu[1];
	__u32 pt;

	get_session(&second);
	get_memory(&second);
	wanted = note_of(&second)->names[0];
	unwanted = note_of(&second)->names[1];
	get_iommufd(&second);
	get_device(&second, 0);
	result(dma(&second, 0, AT, 2), "DMA goes through the restored domain");
	need(vfio_pci_claim(unwanted), "vfio-pci");
	result(expect(-EBUSY, try_open(unwanted)),
	       "nobody opens the other device");
	finish(&second);
	result(pci_check_master(unwanted, false),
	       "the device that nobody retrieved is stopped then");
	result(edu_check_blocked(unwanted, BLOCKED_AT), "and blocked");
	result(pci_check_master(wanted, true), "the one that somebody did is not");
	result(dma(&second, 0, AT, 3), "its DMA goes on");
	result(use_anew(unwanted), "the stopped one can be used anew");
	need(edu_open_name(edu, unwanted), "open");
	need(edu_start(edu, second.fd), "bind");
	pt = second.hwpt[0];
	result(expect(-EINVAL, vfio_attach(edu->fd, &pt)),
	       "but does not come back to the restored HWPT");
	result(dma(&second, 0, AT, 4), "the other's DMA goes on");
	need(ioas_alloc(second.fd, &second.ioas), "ioas");
	need(ioas_map_memfd(second.fd, second.ioas, second.memfd, MEMORY, AT),
	     "map");
	for (int i = DEVICES - 1; i >= 0; i--)
		need(vfio_attach_ioas(second.edu[i].fd, second.ioas), "attach");
	result(iommufd_destroy(second.fd, second.hwpt[0]),
	       "the restored HWPT can go when a new one has both");
	result(all_go_on(&second), "which works");
	close_all(&second);
	get_all(&first);
	finish(&first);
	result(all_go_on(&first), "the first session's devices go on");
}

/* Somebody gets the first session, but dies half way. */
static void take_half(int ready)
{
	get_session(&first);
	get_memory(&first);
	get_iommufd(&first);
	get_device(&first, 0);
	need(dma(&first, 0, AT, 2), "dma");
	child_ready(ready);
	for (;;)
		pause();
}

static void case_killed(void)
{
	struct note note;
	pid_t pid;

	pid = child_start(take_half);
	need(pid, "somebody gets half of a session");
	result(expect(-EINVAL, luo_retrieve(first.name)),
	       "nobody else gets the session meanwhile");
	result(child_kill(pid), "somebody is killed who has half of a session");
	result(expect(-ENOENT, luo_retrieve(first.name)), "the session goes, too");
	get_all(&second);
	note = *note_of(&second);
	result(both_masters(note.others, false),
	       "its devices are stopped, got back or not");
	for (int i = 0; i < DEVICES; i++)
		result(edu_check_blocked(note.others[i], BLOCKED_AT), "and blocked");
	result(use_both_anew(note.others), "they can be used anew");
	result(all_go_on(&second), "the second session's devices go on");
	finish(&second);
	result(all_go_on(&second), "without the session, too");
}

/* In the kernel before, nobody asked for the second session. */
static void case_abandoned(void)
{
	struct note note;

	result(expect(-ENOENT, luo_retrieve(second.name)),
	       "a session that nobody wanted stays behind with the next kexec");
	get_all(&first);
	note = *note_of(&first);
	result(both_masters(note.others, false), "its devices are stopped");
	result(use_both_anew(note.others), "they can be used anew");
	result(all_go_on(&first), "the first session's devices go on");
	finish(&first);
	result(all_go_on(&first), "without the session, too");
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{ "waits", case_waits },
	{ "unwanted", case_unwanted },
	{ "shared", case_shared },
	{ "killed", case_killed },
	{ "abandoned", case_abandoned },
};

static void leave(void)
{
	start_all();
	preserve(&first);
	preserve(&second);
	need(all_go_on(&first), "dma while both are preserved");
	wait_for_the_end();
}

static void carry_on(void)
{
	get_all(&first);
	finish(&first);
	if (steps_failed())
		exit(1);
	preserve(&first);
	wait_for_the_end();
}

static void run_case(const char *name)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (strcmp(cases[i].name, name))
			continue;
		printf("TAP version 13\n");
		cases[i].run();
		steps_end();
	}
}

int main(int argc, char **argv)
{
	first = (struct party){ .name = "many_kexec first" };
	second = (struct party){ .name = "many_kexec second", .shared = true };
	if (argc == 2 && !strcmp(argv[1], "leave"))
		leave();
	if (argc == 2 && !strcmp(argv[1], "carry-on"))
		carry_on();
	if (argc == 2)
		run_case(argv[1]);
	fprintf(stderr, "usage: iox-many-kexec leave|carry-on|CASE\n");
	return 2;
}
