// SPDX-License-Identifier: GPL-2.0-only
/*
 * What "make demo" runs inside of the VM: a tour of iox in steps, each of which
 * says what it proves. Ends with status 1 at the first thing that is not so.
 */
#include <err.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/buffer.h"
#include "lib/edu.h"
#include "lib/iommufd.h"
#include "lib/kmsg.h"
#include "lib/leak.h"

#define BPFTOOL "build/tools/bin/bpftool"
#define POLICY "top_down"
#define MEMORY_SIZE (8UL << 20)
#define DMA_SIZE (2 * PAGE)
#define PROBE 8
#define CHURN_ROUNDS 4000
#define CHURN_LIVE 64

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct demo {
	int fd;			/* of /dev/iommu */
	int kmsg;
	__u32 ioas;		/* the device is attached to this one */
	struct edu edu;
	char *memory;
	struct leak_mark mark;
};

static const size_t placed_sizes[] = {
	PAGE, PAGE, 4 * PAGE, 16 * PAGE, 64UL << 10, 1UL << 20, HUGE_PAGE,
	HUGE_PAGE, MEMORY_SIZE, PAGE,
};

/* --- telling ------------------------------------------------------------- */

static void title(const char *text)
{
	static int number;

	printf("\n%d. %s\n", ++number, text);
}

__attribute__((format(printf, 1, 2)))
static void tell(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf("   ");
	vprintf(format, args);
	printf("\n");
	va_end(args);
}

static void proves(const char *text)
{
	printf("   => %s\n", text);
}

/* Ends the demo unless @result is 0. */
static void need(int result, const char *what)
{
	if (!result)
		return;
	fflush(stdout);
	if (result < 0)
		errx(1, "FAILED: %s: %s", what, strerror(-result));
	errx(1, "FAILED: %s", what);
}

static const char *size_text(size_t bytes)
{
	static char text[32];

	if (bytes >= 1 << 20)
		snprintf(text, sizeof(text), "%zu MiB", bytes >> 20);
	else
		snprintf(text, sizeof(text), "%zu KiB", bytes >> 10);
	return text;
}

/* Runs a command and shows it with what it prints. */
static void run(const char *command)
{
	char line[512];
	FILE *f;

	tell("$ %s", command);
	fflush(stdout);
	f = popen(command, "re");
	if (!f)
		err(1, "FAILED: cannot run %s", command);
	while (fgets(line, sizeof(line), f))
		printf("     %s", line);
	need(pclose(f), command);
}

/* --- steps ---------------------------------------------------------------- */

static void show_windows(struct demo *d)
{
	struct iommu_iova_range ranges[16];
	__u32 count = COUNT(ranges);

	need(ioas_ranges(d->fd, d->ioas, ranges, &count, NULL),
	     "reading the usable IOVAs");
	for (__u32 i = 0; i < count; i++)
		tell("  0x%010llx - 0x%010llx", ranges[i].start,
		     ranges[i].last);
}

static void attach_device(struct demo *d)
{
	title("A device behind an IOMMU");
	need(edu_open(&d->edu), "giving the edu device to vfio-pci");
	tell("QEMU's edu device at %s is driven by vfio-pci.", d->edu.name);
	need(edu_start(&d->edu, d->fd), "binding the device to /dev/iommu");
	need(vfio_attach_ioas(d->edu.fd, d->ioas), "attaching the device");
	tell("It is attached to an I/O address space; these IOVAs are usable:");
	show_windows(d);
	proves("unmodified vfio works on our iommufd; the hole is x86's MSI window.");
}

/* Maps each of placed_sizes and notes where it went, then unmaps. */
static void place_all(struct demo *d, __u64 *iova)
{
	for (size_t i = 0; i < COUNT(placed_sizes); i++)
		need(ioas_map_auto(d->fd, d->ioas, d->memory, placed_sizes[i],
				   &iova[i]), "mapping memory");
	for (size_t i = 0; i < COUNT(placed_sizes); i++)
		need(ioas_unmap(d->fd, d->ioas, iova[i], placed_sizes[i]),
		     "unmapping memory");
}

static void load_policy(void)
{
	title("A policy in BPF, loaded with plain bpftool");
	run(BPFTOOL " struct_ops register build/bpf/" POLICY
	    ".bpf.o /sys/fs/bpf/iox");
	run("build/bin/iox policy list");
	proves("a few lines of BPF now decide where memory is mapped.");
}

static void show_placement(const __u64 *builtin, const __u64 *policy)
{
	bool differ = false;

	title("Who puts memory where");
	tell("%-10s %18s %18s", "size", "built-in", POLICY);
	for (size_t i = 0; i < COUNT(placed_sizes); i++) {
		tell("%-10s 0x%016llx 0x%016llx", size_text(placed_sizes[i]),
		     builtin[i], policy[i]);
		differ |= builtin[i] != policy[i];
	}
	need(!differ, "the policy chose no other IOVA than the kernel would");
	proves("the same calls; the policy fills the space from the top.");
}

static void round_trip(struct demo *d)
{
	char *out = d->memory + MEMORY_SIZE / 2;
	__u64 from, to;

	title("The device reads and writes memory through these IOVAs");
	buffer_fill(d->memory, DMA_SIZE, 1);
	memset(out, 0, DMA_SIZE);
	need(ioas_map_auto(d->fd, d->ioas, d->memory, DMA_SIZE, &from),
	     "mapping the source");
	need(ioas_map_auto(d->fd, d->ioas, out, DMA_SIZE, &to),
	     "mapping the target");
	tell("source: %zu random bytes at IOVA 0x%llx", DMA_SIZE, from);
	tell("target: zeros at IOVA 0x%llx", to);
	need(edu_copy(&d->edu, to, from, DMA_SIZE), "copying by DMA");
	tell("The device copied them: source -> its own buffer -> target.");
	need(memcmp(d->memory, out, DMA_SIZE) != 0,
	     "the target holds other bytes than the source");
	tell("Compared: all %zu bytes are equal.", DMA_SIZE);
	need(ioas_unmap(d->fd, d->ioas, from, DMA_SIZE), "unmapping");
	need(ioas_unmap(d->fd, d->ioas, to, DMA_SIZE), "unmapping");
	proves("real DMA, out and back, translated by what we mapped.");
}

static void show_bytes(const char *what, const char *bytes)
{
	char text[3 * PROBE + 1];

	for (int i = 0; i < PROBE; i++)
		sprintf(text + 3 * i, " %02x", (unsigned char)bytes[i]);
	tell("%-32s%s", what, text);
}

static void wait_for_fault(struct demo *d, __u64 iova, const char *kind)
{
	char needle[32], line[512];

	snprintf(needle, sizeof(needle), "fault addr 0x%llx ", iova);
	need(kmsg_wait(d->kmsg, needle, 5000, line, sizeof(line)),
	     "the IOMMU reports no fault");
	need(!strstr(line, kind), "the IOMMU reports another kind of fault");
	tell("kernel: %s", line);
}

static void fault_after_unmap(struct demo *d)
{
	char *secret = d->memory, *out = d->memory + PAGE;
	__u64 iova, mailbox;

	title("What is unmapped is out of the device's reach");
	buffer_fill(secret, PAGE, 2);
	memset(out, 0, PAGE);
	need(ioas_map_auto(d->fd, d->ioas, out, PAGE, &mailbox), "mapping");
	need(ioas_map_auto(d->fd, d->ioas, secret, PAGE, &iova), "mapping");
	need(edu_load(&d->edu, iova, 0, PROBE), "reading by DMA");
	need(edu_store(&d->edu, mailbox, 0, PROBE), "writing by DMA");
	show_bytes("mapped, memory holds:", secret);
	show_bytes("and the device reads:", out);
	need(memcmp(secret, out, PROBE) != 0, "the device read other bytes");

	need(ioas_unmap(d->fd, d->ioas, iova, PAGE), "unmapping");
	buffer_fill(secret, PAGE, 3);
	need(edu_load(&d->edu, iova, 0, PROBE), "trying to read by DMA");
	wait_for_fault(d, iova, "DMA Read");
	need(edu_store(&d->edu, mailbox, 0, PROBE), "writing by DMA");
	show_bytes("unmapped, memory holds:", secret);
	show_bytes("and the device gets:", out);
	need(!memcmp(secret, out, PROBE), "the device read unmapped memory");

	need(edu_store(&d->edu, iova, 0, PROBE), "trying to write by DMA");
	wait_for_fault(d, iova, "DMA Write");
	need(!buffer_holds(secret, PAGE, 3), "the device wrote unmapped memory");
	tell("The device tried to write there too: the memory is unchanged.");
	need(ioas_unmap(d->fd, d->ioas, mailbox, PAGE), "unmapping");
	proves("unmap means unmapped: the IOMMU refused, and told the kernel.");
}

static void churn(struct demo *d)
{
	static const size_t sizes[] = {
		PAGE, 4 * PAGE, 16 * PAGE, PAGE, 256 * PAGE, 4 * PAGE, PAGE,
		HUGE_PAGE,
	};
	struct { __u64 iova; size_t size; } live[CHURN_LIVE] = { 0 };
	size_t total = 0;

	title("Thousands of maps and unmaps");
	for (int i = 0; i < CHURN_ROUNDS; i++) {
		size_t slot = i * 37 % CHURN_LIVE;

		if (live[slot].size)
			need(ioas_unmap(d->fd, d->ioas, live[slot].iova,
					live[slot].size), "unmapping");
		live[slot].size = sizes[i % COUNT(sizes)];
		need(ioas_map_auto(d->fd, d->ioas, d->memory, live[slot].size,
				   &live[slot].iova), "mapping");
		total += live[slot].size;
	}
	for (size_t i = 0; i < CHURN_LIVE; i++)
		need(ioas_unmap(d->fd, d->ioas, live[i].iova, live[i].size),
		     "unmapping");
	tell("%d ranges from 4 KiB to 2 MiB, %zu MiB in all, mapped for the",
	     CHURN_ROUNDS, total >> 20);
	tell("device and unmapped, never more than %d at once.", CHURN_LIVE);
	run("build/bin/iox policy list");
	proves("the policy was asked each time, and the kernel checked its answers.");
}

static void finish(struct demo *d)
{
	const char *left;

	title("Taking the policy back, closing everything");
	run(BPFTOOL " struct_ops unregister name " POLICY);
	edu_close(&d->edu);
	close(d->fd);
	left = leak_check(&d->mark);
	if (left)
		errx(1, "FAILED: left over: %s", left);
	proves("no pinned page, no page table and no module user is left.");
}

int main(void)
{
	__u64 builtin[COUNT(placed_sizes)], policy[COUNT(placed_sizes)];
	struct demo d = { 0 };
	__u32 fresh;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("iox: an iommufd of our own, programmed with BPF\n");
	leak_mark(&d.mark);
	d.memory = buffer_alloc(BUFFER_THP, MEMORY_SIZE);
	if (!d.memory)
		errx(1, "FAILED: no transparent huge pages in this kernel");
	d.kmsg = kmsg_open();
	need(d.kmsg < 0 ? d.kmsg : 0, "opening /dev/kmsg");
	d.fd = iommufd_open();
	need(d.fd < 0 ? d.fd : 0, "opening /dev/iommu");
	need(ioas_alloc(d.fd, &d.ioas), "making an I/O address space");

	attach_device(&d);
	place_all(&d, builtin);
	load_policy();
	need(ioas_alloc(d.fd, &fresh), "making an I/O address space");
	need(vfio_attach_ioas(d.edu.fd, fresh), "moving the device there");
	d.ioas = fresh;
	place_all(&d, policy);
	show_placement(builtin, policy);
	round_trip(&d);
	fault_after_unmap(&d);
	churn(&d);
	finish(&d);

	printf("\nWhere the time went, as the probes of \"iox stat\" saw it:\n\n");
	return 0;
}
