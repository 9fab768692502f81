// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ring: descriptors count modulo their number. The card owns those from its
 * head up to, not including, its tail, and moves the head; an empty ring is one
 * whose head is its tail. The driver owns the others, at least one. In terms of
 * frames received so far (R) and of those whose buffers have been handed back
 * (H <= R), the tail is H - 1, and the next frame comes to R.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <linux/pci_regs.h>

#include "e1000e.h"

#define CARD_VENDOR 0x8086
#define CARD_DEVICE 0x10d3

#define CARD_MAGIC 0x6531303030657278ULL	/* "e1000erx" */
#define CARD_VERSION 1

/* Handed back so often, the ring is never short of descriptors for long. */
#define BATCH 64U

enum card_register {
	REG_CTRL = 0x0000,
	REG_STATUS = 0x0008,
	REG_IMC = 0x00d8,
	REG_RCTL = 0x0100,
	REG_RDBAL = 0x2800,
	REG_RDBAH = 0x2804,
	REG_RDLEN = 0x2808,
	REG_RDH = 0x2810,
	REG_RDT = 0x2818,
};

#define CTRL_SET_LINK_UP (1U << 6)
#define CTRL_RESET (1U << 26)
#define STATUS_LINK_UP (1U << 1)
#define RCTL_ENABLE (1U << 1)
#define RCTL_BROADCAST (1U << 15)
#define RCTL_STRIP_CRC (1U << 26)
#define RCTL_WANTED (RCTL_ENABLE | RCTL_BROADCAST | RCTL_STRIP_CRC)

#define POLL_NS 1000000
#define POLL_LIMIT 5000

/* What the card reads and writes ("legacy receive descriptor"). */
struct descriptor {
	__u64 address;
	__u16 length;
	__u16 checksum;
	__u8 status;
	__u8 errors;
	__u16 special;
};

#define DESC_DONE 0x01
#define DESC_END_OF_PACKET 0x02

_Static_assert(sizeof(struct descriptor) == 16, "the card's own layout");
_Static_assert(sizeof(struct card_head) == 4096, "one page");
_Static_assert(offsetof(struct card_head, received) == 48, "an ABI");

static __u32 reg_read(const struct card *card, enum card_register reg)
{
	return *(volatile __u32 *)((char *)card->bar + reg);
}

static void reg_write(struct card *card, enum card_register reg, __u32 value)
{
	*(volatile __u32 *)((char *)card->bar + reg) = value;
}

/* --- memory --------------------------------------------------------------- */

static struct card_head head_for(__u32 descriptors)
{
	struct card_head head = {
		.magic = CARD_MAGIC,
		.version = CARD_VERSION,
		.descriptors = descriptors,
		.ring = sizeof(head),
	};
	__u64 ring_size = descriptors * sizeof(struct descriptor);

	head.buffers = (head.ring + ring_size + 4095) & ~4095ULL;
	head.size = head.buffers + (__u64)descriptors * CARD_BUFFER;
	return head;
}

int card_memory(__u32 descriptors, size_t *size)
{
	struct card_head head = head_for(descriptors);
	int fd, err;

	/* The card wants its ring in units of 128 bytes, at most 512 KiB. */
	if (descriptors < 8 || descriptors > 32768 ||
	    descriptors & (descriptors - 1))
		return -EINVAL;
	fd = memfd_create("e1000e", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, head.size) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) ||
	    pwrite(fd, &head, sizeof(head), 0) != sizeof(head)) {
		err = -errno;
		close(fd);
		return err;
	}
	*size = head.size;
	return fd;
}

/* Whoever wrote this memfd, it is used only if all its places are the right ones. */
static int check_head(const struct card_head *head, __u64 size)
{
	struct card_head want;

	if (head->magic != CARD_MAGIC || head->version != CARD_VERSION ||
	    head->descriptors < 8 || head->descriptors > 32768 ||
	    head->descriptors & (head->descriptors - 1))
		return -EBADMSG;
	want = head_for(head->descriptors);
	if (head->size != want.size || size != want.size ||
	    head->ring != want.ring || head->buffers != want.buffers)
		return -EBADMSG;
	return 0;
}

static int map_memory(struct card *card, int memfd)
{
	struct stat st;

	if (fstat(memfd, &st))
		return -errno;
	if (st.st_size < (off_t)sizeof(struct card_head))
		return -EBADMSG;
	card->memory_size = st.st_size;
	card->memory = mmap(NULL, card->memory_size, PROT_READ | PROT_WRITE,
			    MAP_SHARED, memfd, 0);
	if (card->memory == MAP_FAILED) {
		card->memory = NULL;
		return -errno;
	}
	card->head = card->memory;
	return check_head(card->head, card->memory_size);
}

static int map_card(struct card *card, int memfd)
{
	int err;

	err = vfio_map_bar(card->fd, VFIO_PCI_BAR0_REGION_INDEX, &card->bar,
			   &card->bar_size);
	if (err) {
		card->bar = NULL;
		return err;
	}
	return map_memory(card, memfd);
}

void card_unmap(struct card *card)
{
	if (card->bar)
		munmap(card->bar, card->bar_size);
	if (card->memory)
		munmap(card->memory, card->memory_size);
	card->bar = NULL;
	card->memory = NULL;
	card->head = NULL;
}

/* --- the ring --------------------------------------------------------------- */

static volatile struct descriptor *descriptor(const struct card *card,
					      __u64 index)
{
	struct descriptor *ring = (void *)((char *)card->memory +
					   card->head->ring);

	return &ring[index & (card->head->descriptors - 1)];
}

static void *buffer(const struct card *card, __u64 index)
{
	index &= card->head->descriptors - 1;
	return (char *)card->memory + card->head->buffers +
	       index * CARD_BUFFER;
}

static void fill_ring(struct card *card)
{
	struct card_head *head = card->head;

	for (__u32 i = 0; i < head->descriptors; i++) {
		volatile struct descriptor *desc = descriptor(card, i);

		desc->status = 0;
		desc->address = head->iova + head->buffers +
				(__u64)i * CARD_BUFFER;
	}
}

/* Hands back all buffers whose frames have been dealt with. */
static void hand_back(struct card *card)
{
	__u32 mask = card->head->descriptors - 1;
	__u64 received = card->head->received;
	__u32 tail = reg_read(card, REG_RDT) & mask;

	for (; tail != ((received - 1) & mask); tail++, tail &= mask)
		descriptor(card, tail)->status = 0;
	descriptor(card, tail)->status = 0;
	atomic_thread_fence(memory_order_release);
	reg_write(card, REG_RDT, tail);
}

static bool has_come(const struct card *card, __u64 index)
{
	bool done = descriptor(card, index)->status & DESC_DONE;

	/* What else is in the descriptor and the buffer counts only after that. */
	atomic_thread_fence(memory_order_acquire);
	return done;
}

unsigned int card_waiting(const struct card *card)
{
	__u64 first = card->head->received;
	unsigned int count = 0;

	while (count < card->head->descriptors - 1 &&
	       has_come(card, first + count))
		count++;
	return count;
}

static int receive_one(struct card *card, card_handler handle, void *arg)
{
	__u64 index = card->head->received;
	volatile struct descriptor *desc = descriptor(card, index);

	if (!(desc->status & DESC_END_OF_PACKET) || desc->errors ||
	    desc->length > CARD_BUFFER)
		return -EPROTO;
	handle(arg, index, buffer(card, index), desc->length);
	atomic_store_explicit((_Atomic __u64 *)&card->head->received,
			      index + 1, memory_order_release);
	return 0;
}

int card_receive(struct card *card, card_handler handle, void *arg,
		 unsigned int max)
{
	unsigned int batch = card->head->descriptors / 2;
	unsigned int count = 0;
	int err = 0;

	/* Never all descriptors in one batch: the one that stays free looks old. */
	if (batch > BATCH)
		batch = BATCH;
	while (!err && count < max && has_come(card, card->head->received)) {
		err = receive_one(card, handle, arg);
		if (!err && ++count % batch == 0)
			hand_back(card);
	}
	if (count % batch)
		hand_back(card);
	return err ?: (int)count;
}

/* --- the card --------------------------------------------------------------- */

int card_claim(struct card *card)
{
	*card = (struct card){ .fd = -1 };
	return pci_find(CARD_VENDOR, CARD_DEVICE, card->name) ?:
	       vfio_pci_claim(card->name);
}

int card_open(struct card *card)
{
	int err = card_claim(card);

	if (err)
		return err;
	card->fd = vfio_open(card->name);
	return card->fd < 0 ? card->fd : 0;
}

static int wait_for(struct card *card, enum card_register reg, __u32 mask,
		    __u32 value)
{
	const struct timespec nap = { .tv_nsec = POLL_NS };

	for (int i = 0; i < POLL_LIMIT; i++) {
		if ((reg_read(card, reg) & mask) == value)
			return 0;
		nanosleep(&nap, NULL);
	}
	return -ETIMEDOUT;
}

/*
 * The manual has interrupts masked before a reset and again after it. QEMU 7.2
 * resets little more than the card's address, so what is to be off is put off.
 */
int card_reset(struct card *card)
{
	int err;

	reg_write(card, REG_RCTL, 0);
	reg_write(card, REG_IMC, ~0U);
	reg_write(card, REG_CTRL, reg_read(card, REG_CTRL) | CTRL_RESET);
	err = wait_for(card, REG_CTRL, CTRL_RESET, 0);
	reg_write(card, REG_IMC, ~0U);
	return err;
}

static void set_ring(struct card *card)
{
	struct card_head *head = card->head;
	__u64 at = head->iova + head->ring;

	reg_write(card, REG_RDBAL, at);
	reg_write(card, REG_RDBAH, at >> 32);
	reg_write(card, REG_RDLEN,
		  head->descriptors * sizeof(struct descriptor));
	reg_write(card, REG_RDH, 0);
	reg_write(card, REG_RDT, head->descriptors - 1);
}

int card_start(struct card *card, int memfd, __u64 iova)
{
	int err = map_card(card, memfd);

	/* First of all it has to forget the memory that it may have had before. */
	if (!err)
		err = card_reset(card);
	if (!err)
		err = vfio_bus_master(card->fd, true);
	if (err)
		return err;

	card->head->iova = iova;
	card->head->received = 0;
	memset(card->head->user, 0, CARD_USER);
	fill_ring(card);
	set_ring(card);
	reg_write(card, REG_CTRL,
		  reg_read(card, REG_CTRL) | CTRL_SET_LINK_UP);
	err = wait_for(card, REG_STATUS, STATUS_LINK_UP, STATUS_LINK_UP);
	if (err)
		return err;
	reg_write(card, REG_RCTL, RCTL_WANTED);
	return 0;
}

/* Is the card still as card_start() has left it? */
static int check_card(const struct card *card)
{
	const struct card_head *head = card->head;
	__u64 at = head->iova + head->ring;
	__u16 command;
	int err;

	err = vfio_pci_command(card->fd, &command);
	if (err)
		return err;
	if (!(command & PCI_COMMAND_MASTER) ||
	    !(command & PCI_COMMAND_MEMORY) ||
	    !(reg_read(card, REG_STATUS) & STATUS_LINK_UP) ||
	    (reg_read(card, REG_RCTL) & RCTL_WANTED) != RCTL_WANTED ||
	    reg_read(card, REG_RDBAL) != (__u32)at ||
	    reg_read(card, REG_RDBAH) != at >> 32 ||
	    reg_read(card, REG_RDLEN) !=
		    head->descriptors * sizeof(struct descriptor) ||
	    reg_read(card, REG_RDH) >= head->descriptors ||
	    reg_read(card, REG_RDT) >= head->descriptors)
		return -ESTALE;
	return 0;
}

int card_adopt(struct card *card, int device_fd, int memfd)
{
	int err;

	*card = (struct card){ .fd = device_fd };
	err = map_card(card, memfd);
	if (!err)
		err = check_card(card);
	if (!err)
		hand_back(card);
	return err;
}
