// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device that really does DMA, over a kexec. selftests/edu_kexec and jump_kexec
 * call this in each kernel:
 *
 *	leave		starts the device, preserves it, and waits for the end
 *	obey		the same, but asks standard input what to do: see orders[]
 *	start		starts the device, and waits for somebody to preserve it
 *	leave-memory	preserves some memory, no device, and waits for the end
 *	leave-noisy	the same with an interrupt on, until SIGUSR1 comes
 *	carry-on	gets all back, uses it, preserves it as it is, and waits
 *	adopt		in the last kernel, of "iox lu hold": uses what that has brought
 *			back. Prints TAP
 *	CASE		in the last kernel: see cases[]. Prints TAP
 */
#include <errno.h>
#include <linux/pci_regs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "lib/buffer.h"
#include "lib/edu.h"
#include "lib/iommufd.h"
#include "lib/luo.h"
#include "lib/pt_model.h"
#include "lib/steps.h"

#define SESSION "edu_kexec"
#define MEMORY HUGE_PAGE
#define AT 0x100000000ULL
/* The same memory once more: an IOVA far away */
#define ALIAS_AT 0x7000000000ULL
#define NEW_AT 0x200000000ULL
#define PIECE 1024
/* Longer than a transfer takes */
#define BUSY_US 300000
/* In the memory: what the first kernel had the device write, and three places */
#define KEPT (16 * PAGE)
#define BUSY (32 * PAGE)
#define FROM 0
#define TO (300 * PAGE + 512)

enum token { MEMFD_TOKEN = 7, IOMMUFD_TOKEN, DEVICE_TOKEN };
#define HWPT_TOKEN 0x8000000000000001ULL
#define SEED_KEPT 41

struct state {
	int session, memfd, fd;
	__u32 ioas, hwpt;
	struct edu edu;
	char *memory;
};

static int map_memory(struct state *s)
{
	s->memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED,
			 s->memfd, 0);
	return s->memory == MAP_FAILED ? -errno : 0;
}

/* The device copies from one place to another, both at @iova. */
static int dma(struct state *s, __u64 iova, __u32 seed)
{
	int err;

	buffer_fill(s->memory + FROM, PIECE, seed);
	memset(s->memory + TO, 0, PIECE);
	err = edu_copy(&s->edu, iova + TO, iova + FROM, PIECE);
	if (err)
		return err;
	return buffer_holds(s->memory + TO, PIECE, seed) ? 0 : -EILSEQ;
}

/* --- before -------------------------------------------------------------------- */

static void start_device(struct state *s)
{
	__u32 pt;

	need(edu_bind_new(&s->edu, &s->fd, &s->ioas), "edu");
	s->memfd = luo_memfd(MEMORY);
	need(s->memfd, "memfd");
	need(map_memory(s), "mmap");
	need(ioas_map_memfd(s->fd, s->ioas, s->memfd, MEMORY, AT), "map");
	need(ioas_map_memfd(s->fd, s->ioas, s->memfd, MEMORY, ALIAS_AT), "alias");
	need(hwpt_alloc_paging(s->fd, s->edu.id, s->ioas, &s->hwpt), "hwpt");
	pt = s->hwpt;
	need(vfio_attach(s->edu.fd, &pt), "attach");
	need(dma(s, AT, 1), "dma");
	buffer_fill(s->memory + FROM, PIECE, SEED_KEPT);
	need(edu_copy(&s->edu, ALIAS_AT + KEPT, AT + FROM, PIECE), "dma");
}

/* A VMM that leaves preserving to others: all it does is to mark. */
static void start(struct state *s)
{
	start_device(s);
	need(hwpt_mark(s->fd, s->hwpt, HWPT_TOKEN), "mark");
	need(dma(s, ALIAS_AT, 2), "dma");
	printf("vmm %d memfd %d iommufd %d device %d\n", getpid(), s->memfd, s->fd,
	       s->edu.fd);
	fflush(stdout);
	for (;;)
		pause();
}

static void preserve(struct state *s)
{
	s->session = luo_create(SESSION);
	need(s->session, "session");
	need(hwpt_mark(s->fd, s->hwpt, HWPT_TOKEN), "mark");
	need(luo_preserve_fd(s->session, s->memfd, MEMFD_TOKEN), "memfd");
	need(luo_preserve_fd(s->session, s->fd, IOMMUFD_TOKEN), "iommufd");
	need(luo_preserve_fd(s->session, s->edu.fd, DEVICE_TOKEN), "device");
}

/* The device is busy with it when the kernel goes, or has just finished. */
static void wait_for_the_end(struct state *s)
{
	need(dma(s, ALIAS_AT, 2), "dma while preserved");
	printf("left\n");
	fflush(stdout);
	for (;;)
		pause();
}

static void leave_memory(struct state *s)
{
	s->memfd = luo_memfd(MEMORY);
	need(s->memfd, "memfd");
	need(map_memory(s), "mmap");
	buffer_fill(s->memory + KEPT, PIECE, SEED_KEPT);
	s->session = luo_create(SESSION);
	need(s->session, "session");
	need(luo_preserve_fd(s->session, s->memfd, MEMFD_TOKEN), "memfd");
	printf("left\n");
	fflush(stdout);
	for (;;)
		pause();
}

/* Nothing is let go of, and nothing is held up. */
static int order_work(struct state *s)
{
	int err;

	err = expect(-EBUSY, ioas_map_memfd(s->fd, s->ioas, s->memfd, MEMORY,
					    NEW_AT));
	err = err ?: expect(-EBUSY, vfio_detach(s->edu.fd));
	return err ?: dma(s, AT, 3);
}

/* All is as before the session, which is closed, and can go into another one. */
static int order_thaw(struct state *s)
{
	__u64 length = MEMORY;
	int err;

	err = close(s->session) ? -errno : 0;
	err = err ?: hwpt_unmark(s->fd, s->hwpt);
	err = err ?: ioas_map_memfd(s->fd, s->ioas, s->memfd, MEMORY, NEW_AT);
	err = err ?: dma(s, NEW_AT, 4);
	err = err ?: ioas_unmap(s->fd, s->ioas, NEW_AT, length);
	buffer_fill(s->memory + FROM, PIECE, SEED_KEPT);
	if (!err)
		preserve(s);
	return err;
}

/* One transfer after the other until the kernel ends. The answer comes before. */
static int order_hurry(struct state *s)
{
	int err;

	printf("0\n");
	fflush(stdout);
	do
		err = edu_copy(&s->edu, AT + BUSY, AT + KEPT, PIECE);
	while (!err);
	return err;
}

static const struct {
	const char *name;
	int (*run)(struct state *s);
} orders[] = {
	{ "work", order_work },
	{ "thaw", order_thaw },
	{ "hurry", order_hurry },
};

/* Each is a line; the answer is one, too: 0 or an errno. */
static void obey(struct state *s)
{
	char line[32];

	start_device(s);
	preserve(s);
	printf("left\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		int err = -ENOSYS;

		line[strcspn(line, "\n")] = '\0';
		for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
			if (!strcmp(line, orders[i].name))
				err = orders[i].run(s);
		}
		printf("%d\n", -err);
		fflush(stdout);
	}
}

/* --- after --------------------------------------------------------------------- */

static int check_strangers(struct state *s)
{
	int fd = vfio_open(s->edu.name);
	int err = expect(-EBUSY, fd);

	if (fd >= 0)
		close(fd);
	return err;
}

static int check_stranger_group(struct state *s)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	int group = vfio_group_open(s->edu.name);
	int err;

	if (group < 0)
		return group;
	err = xioctl(group, VFIO_GROUP_GET_STATUS, &status);
	close(group);
	return err ?: status.flags & VFIO_GROUP_FLAGS_VIABLE ? -EPROTO : 0;
}

static int check_master(struct state *s)
{
	__u16 command;
	int err = vfio_pci_command(s->edu.fd, &command);

	if (err)
		return err;
	return command & PCI_COMMAND_MASTER ? 0 : -EPROTO;
}

static void find_device(struct state *s)
{
	need(pci_find(0x1234, 0x11e8, s->edu.name), "edu");
	result(pci_check_master(s->edu.name, true), "the device is still bus master");
	need(vfio_pci_claim(s->edu.name), "vfio-pci");
	result(pci_check_master(s->edu.name, true), "and is so with vfio-pci as its driver");
	result(check_strangers(s), "nobody else opens it before it is retrieved");
	result(check_stranger_group(s), "nor its group");
}

static void get_session(struct state *s)
{
	s->session = luo_retrieve(SESSION);
	need(s->session, "session");
}

static void get_memory(struct state *s)
{
	s->memfd = luo_retrieve_fd(s->session, MEMFD_TOKEN);
	need(s->memfd, "memfd");
	need(map_memory(s), "mmap");
}

static void get_device(struct state *s)
{
	int again;

	s->edu.fd = luo_retrieve_fd(s->session, DEVICE_TOKEN);
	need(s->edu.fd, "device");
	s->fd = luo_retrieve_fd(s->session, IOMMUFD_TOKEN);
	need(s->fd, "iommufd");
	need(hwpt_find(s->fd, HWPT_TOKEN, &s->hwpt), "hwpt");
	need(vfio_map_bar(s->edu.fd, VFIO_PCI_BAR0_REGION_INDEX, &s->edu.bar,
			  &s->edu.bar_size), "bar");
	again = luo_retrieve_fd(s->session, DEVICE_TOKEN);
	if (again >= 0)
		close(again);
	result(again < 0 ? again : 0, "the device's file is there for who asks again");
}

/* Files that this process was started with, under the names that iox gives them */
static void adopt_files(struct state *s)
{
	struct {
		const char *name;
		int *fd;
	} const wanted[] = {
		{ "memfd-0x7", &s->memfd },
		{ "iommufd-0x8", &s->fd },
		{ "vfio-pci-0x9", &s->edu.fd },
		{ "session", &s->session },
	};
	char **names;
	int nr = sd_listen_fds_with_names(1, &names);

	need(nr, "files");
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		for (int n = 0; n < nr; n++)
			if (!strcmp(names[n], wanted[i].name))
				*wanted[i].fd = SD_LISTEN_FDS_START + n;
		result(*wanted[i].fd < 0 ? -ENOENT : 0, wanted[i].name);
	}
	result(expect(4, nr), "and no other file is passed");
}

static void get_all(struct state *s)
{
	find_device(s);
	get_session(s);
	get_memory(s);
	get_device(s);
	result(buffer_holds(s->memory + KEPT, PIECE, SEED_KEPT) ? 0 : -EILSEQ,
	       "what the device wrote before is in the memory");
	result(check_master(s), "the device was never stopped");
	result(dma(s, AT, 3), "DMA goes through the restored domain");
	result(dma(s, ALIAS_AT, 4), "at all IOVAs that were mapped");
	result(check_strangers(s), "nobody else opens it once it is retrieved");
}

/* Move to a new address space over the same memory, which brings a new HWPT. */
static int replace(struct state *s, __u32 *ioas)
{
	__u32 pt;
	int err;

	err = ioas_alloc(s->fd, ioas);
	err = err ?: ioas_map_memfd(s->fd, *ioas, s->memfd, MEMORY, NEW_AT);
	pt = *ioas;
	return err ?: vfio_attach(s->edu.fd, &pt);
}

/* edu's register that raises an interrupt, and the one that takes it back */
#define EDU_RAISE 0x60
#define EDU_ACKNOWLEDGE 0x64

static int check_interrupts(struct state *s)
{
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	volatile __u32 *raise = (void *)((char *)s->edu.bar + EDU_RAISE);
	volatile __u32 *ack = (void *)((char *)s->edu.bar + EDU_ACKNOWLEDGE);
	__u64 count = 0;
	int err;

	if (event < 0)
		return -errno;
	err = vfio_msi_on(s->edu.fd, event);
	if (!err) {
		*raise = 1;
		usleep(100000);
		if (read(event, &count, sizeof(count)) != sizeof(count))
			err = -errno;
		*ack = 1;
	}
	close(event);
	return err;
}

static void close_all(struct state *s)
{
	munmap(s->memory, MEMORY);
	edu_close(&s->edu);
	result(close(s->fd) ? -errno : 0, "the iommufd closes");
	close(s->memfd);
}

/* All is as if there had been no live update. */
static void check_anew(struct state *s)
{
	struct state anew = { .session = -1 };

	start_device(&anew);
	result(dma(&anew, AT, 9), "the device can be used anew");
	munmap(anew.memory, MEMORY);
	edu_close(&anew.edu);
	close(anew.fd);
	close(anew.memfd);
	result(pci_check_master(s->edu.name, false), "and is stopped when it is closed");
}

static void finish(struct state *s)
{
	result(luo_finish(s->session), "the session is finished");
	close(s->session);
}

/* --- cases --------------------------------------------------------------------- */

static void case_replace(struct state *s)
{
	__u32 ioas;

	get_all(s);
	result(expect(-EBUSY, iommufd_destroy(s->fd, s->hwpt)),
	       "the restored HWPT cannot go while it is in use");
	result(check_interrupts(s), "interrupts work when they are set up anew");
	result(replace(s, &ioas), "a new HWPT replaces the restored one");
	result(dma(s, NEW_AT, 5), "DMA goes through the new one");
	result(iommufd_destroy(s->fd, s->hwpt), "the restored HWPT can go");
	result(dma(s, NEW_AT, 6), "DMA goes on without it");
	finish(s);
	result(dma(s, NEW_AT, 7), "DMA goes on without the session");
	result(vfio_detach(s->edu.fd), "the device detaches");
	result(vfio_attach_ioas(s->edu.fd, ioas), "and attaches again");
	result(dma(s, NEW_AT, 8), "and works");
	close_all(s);
	check_anew(s);
}

static int check_page_table(struct state *s)
{
	struct pt_stats stats;
	int err = pt_stats_read(s->fd, s->hwpt, &stats);

	return err ?: stats.mapped == 2 * MEMORY ? 0 : -EILSEQ;
}

static void case_keep(struct state *s)
{
	get_all(s);
	result(check_page_table(s), "the restored page table maps all that it did");
	finish(s);
	result(dma(s, AT, 5), "DMA goes on through the restored domain");
	close_all(s);
	check_anew(s);
}

/* iox lu hold has brought everything back, and left the session with it. */
static void case_adopt(struct state *s)
{
	__u32 ioas;

	adopt_files(s);
	need(pci_find(0x1234, 0x11e8, s->edu.name), "edu");
	need(map_memory(s), "mmap");
	need(hwpt_find(s->fd, HWPT_TOKEN, &s->hwpt), "hwpt");
	need(vfio_map_bar(s->edu.fd, VFIO_PCI_BAR0_REGION_INDEX, &s->edu.bar,
			  &s->edu.bar_size), "bar");
	result(buffer_holds(s->memory + KEPT, PIECE, SEED_KEPT) ? 0 : -EILSEQ,
	       "what the device wrote before is in the memory");
	result(check_master(s), "the device was never stopped");
	result(dma(s, ALIAS_AT, 3), "DMA goes through the restored domain");
	result(check_strangers(s), "nobody else opens the device");
	result(replace(s, &ioas), "a new HWPT replaces the restored one");
	result(iommufd_destroy(s->fd, s->hwpt), "the restored HWPT can go");
	finish(s);
	result(dma(s, NEW_AT, 4), "DMA goes on without the session");
	close_all(s);
}

/* Nobody wants the files. */
static void case_unused(struct state *s)
{
	find_device(s);
	get_session(s);
	finish(s);
	result(pci_check_master(s->edu.name, false), "the device is stopped then");
	check_anew(s);
}

/* Only the memory is wanted. */
static void case_memory(struct state *s)
{
	find_device(s);
	get_session(s);
	get_memory(s);
	result(buffer_holds(s->memory + KEPT, PIECE, SEED_KEPT) ? 0 : -EILSEQ,
	       "what the device wrote before is in the memory");
	finish(s);
	result(pci_check_master(s->edu.name, false), "the device is stopped then");
	check_anew(s);
}

/* A policy has something against it: nobody gets it back, and it is stopped. */
static void case_unwelcome(struct state *s)
{
	find_device(s);
	get_session(s);
	get_memory(s);
	result(expect(-EPERM, luo_retrieve_fd(s->session, DEVICE_TOKEN)),
	       "the device is refused");
	result(expect(-EPERM, luo_retrieve_fd(s->session, IOMMUFD_TOKEN)),
	       "so is the iommufd");
	result(pci_check_master(s->edu.name, true), "which changes nothing yet");
	finish(s);
	result(pci_check_master(s->edu.name, false),
	       "the device is stopped with the session");
	check_anew(s);
}

/* Somebody got the iommufd, but not the device, and dies. */
static void case_half(struct state *s)
{
	find_device(s);
	get_session(s);
	s->fd = luo_retrieve_fd(s->session, IOMMUFD_TOKEN);
	need(s->fd, "iommufd");
	need(hwpt_find(s->fd, HWPT_TOKEN, &s->hwpt), "hwpt");
	result(expect(-EBUSY, iommufd_destroy(s->fd, s->hwpt)),
	       "an HWPT that its device has not come back to stays");
	result(close(s->session) ? -errno : 0, "the session is closed");
	result(pci_check_master(s->edu.name, false), "the device is stopped then");
	result(iommufd_destroy(s->fd, s->hwpt), "the HWPT can go");
	result(close(s->fd) ? -errno : 0, "the iommufd closes");
	check_anew(s);
}

/* All of the memory but the places that the device had to write to */
static int check_memory(struct state *s)
{
	static const char zero[PAGE];

	for (size_t at = 0; at < MEMORY; at += PAGE) {
		if (at == FROM || at == KEPT || at == BUSY ||
		    at == TO / PAGE * PAGE)
			continue;
		if (memcmp(s->memory + at, zero, PAGE))
			return -EILSEQ;
	}
	return buffer_holds(s->memory + KEPT, PIECE, SEED_KEPT) ? 0 : -EILSEQ;
}

/* No device was preserved. */
static void case_no_device(struct state *s)
{
	get_session(s);
	get_memory(s);
	result(check_memory(s), "the memory is as it was left");
	finish(s);
}

/* This kernel is of another version than the one that left the device at work. */
static void case_stranger(struct state *s)
{
	need(pci_find(0x1234, 0x11e8, s->edu.name), "edu");
	result(pci_check_master(s->edu.name, false), "the device is stopped");
	need(vfio_pci_claim(s->edu.name), "vfio-pci");
	get_session(s);
	get_memory(s);
	result(check_memory(s), "the memory is as it was left");
	result(luo_retrieve_fd(s->session, DEVICE_TOKEN) < 0 ? 0 : -EPROTO,
	       "the device does not come back");
	usleep(BUSY_US);
	result(check_memory(s), "and nothing writes to the memory");
	munmap(s->memory, MEMORY);
	close(s->memfd);
	finish(s);
	check_anew(s);
}

/* Have the records of preserved files damaged before they are read. */
static int set_damage(const char *module, int how)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/module/%s/parameters/lu_damage",
		 module);
	f = fopen(path, "we");
	if (!f)
		return -errno;
	fprintf(f, "%d", how);
	return fclose(f) ? -errno : 0;
}

static void damaged(struct state *s, const char *module)
{
	need(set_damage(module, 2), module);
	find_device(s);
	get_session(s);
	get_memory(s);
	result(expect(-EINVAL, luo_retrieve_fd(s->session, DEVICE_TOKEN)),
	       "a damaged record is not used");
	result(expect(-EINVAL, luo_retrieve_fd(s->session, DEVICE_TOKEN)),
	       "and is not tried again");
	result(check_strangers(s), "nobody else gets the device");
	finish(s);
	result(pci_check_master(s->edu.name, false), "the device is stopped then");
	result(buffer_holds(s->memory + KEPT, PIECE, SEED_KEPT) ? 0 : -EILSEQ,
	       "the memory is there");
	munmap(s->memory, MEMORY);
	close(s->memfd);
	check_anew(s);
}

static void case_damaged_device(struct state *s)
{
	damaged(s, "vfio_pci");
}

static void case_damaged_iommufd(struct state *s)
{
	damaged(s, "iommufd");
}

/* The kernel's log says how many bits of the records it did not miss. */
static void case_every_bit(struct state *s)
{
	need(set_damage("vfio_pci", 1), "vfio_pci");
	need(set_damage("iommufd", 1), "iommufd");
	get_all(s);
	result(system("test $(dmesg | grep -cE ': 0 of [0-9]+ bits can be damaged unseen') = 2") ?
		       -EILSEQ : 0,
	       "no bit of the records can be damaged unseen");
	finish(s);
	close_all(s);
	check_anew(s);
}

/* What the kernel handed over about IOMMU and device was damaged on the way. */
static void case_isolated(struct state *s)
{
	need(edu_find(0, s->edu.name), "edu");
	result(pci_check_master(s->edu.name, false), "the device is stopped");
	result(edu_check_blocked(s->edu.name, AT + FROM), "and blocked");
	need(vfio_pci_claim(s->edu.name), "vfio-pci");
	result(check_strangers(s), "nobody else gets the device");
	get_session(s);
	get_memory(s);
	result(buffer_holds(s->memory + KEPT, PIECE, SEED_KEPT) ? 0 : -EILSEQ,
	       "what the device wrote before is in the memory");
	result(expect(-ENODEV, luo_retrieve_fd(s->session, IOMMUFD_TOKEN)),
	       "its iommufd cannot be had");
	result(expect(-ENODEV, luo_retrieve_fd(s->session, DEVICE_TOKEN)),
	       "nor the device");
	finish(s);
	munmap(s->memory, MEMORY);
	close(s->memfd);
	check_anew(s);
}

static const struct {
	const char *name;
	void (*run)(struct state *s);
} cases[] = {
	{ "adopt", case_adopt },
	{ "replace", case_replace },
	{ "keep", case_keep },
	{ "unused", case_unused },
	{ "memory", case_memory },
	{ "unwelcome", case_unwelcome },
	{ "half", case_half },
	{ "no-device", case_no_device },
	{ "stranger", case_stranger },
	{ "damaged-device", case_damaged_device },
	{ "damaged-iommufd", case_damaged_iommufd },
	{ "every-bit", case_every_bit },
	{ "isolated", case_isolated },
};

static void leave(struct state *s)
{
	start_device(s);
	preserve(s);
	wait_for_the_end(s);
}

/* A kernel with an interrupt on does not jump. When it has refused, all goes on. */
static void leave_noisy(struct state *s)
{
	int event = eventfd(0, EFD_CLOEXEC), number;
	sigset_t quiet;

	sigemptyset(&quiet);
	sigaddset(&quiet, SIGUSR1);
	need(-sigprocmask(SIG_BLOCK, &quiet, NULL), "signal");
	start_device(s);
	preserve(s);
	need(event, "eventfd");
	need(vfio_msi_on(s->edu.fd, event), "interrupt");
	printf("noisy\n");
	fflush(stdout);
	need(-sigwait(&quiet, &number), "signal");
	need(dma(s, AT, 2), "dma after the kernel refused to jump");
	need(vfio_msi_off(s->edu.fd), "interrupt");
	wait_for_the_end(s);
}

/* What comes out of one live update goes into the next as it is. */
static void carry_on(struct state *s)
{
	get_all(s);
	finish(s);
	if (steps_failed())
		exit(1);
	preserve(s);
	wait_for_the_end(s);
}

static void run_case(struct state *s, const char *name)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (strcmp(cases[i].name, name))
			continue;
		printf("TAP version 13\n");
		cases[i].run(s);
		steps_end();
	}
}

int main(int argc, char **argv)
{
	struct state s = { .session = -1, .memfd = -1, .fd = -1, .edu.fd = -1 };

	if (argc == 2 && !strcmp(argv[1], "leave"))
		leave(&s);
	if (argc == 2 && !strcmp(argv[1], "start"))
		start(&s);
	if (argc == 2 && !strcmp(argv[1], "leave-memory"))
		leave_memory(&s);
	if (argc == 2 && !strcmp(argv[1], "obey")) {
		obey(&s);
		return 0;
	}
	if (argc == 2 && !strcmp(argv[1], "leave-noisy"))
		leave_noisy(&s);
	if (argc == 2 && !strcmp(argv[1], "carry-on"))
		carry_on(&s);
	if (argc == 2)
		run_case(&s, argv[1]);
	fprintf(stderr, "usage: iox-edu-kexec leave|leave-noisy|start|leave-memory|obey|carry-on|CASE\n");
	return 2;
}
