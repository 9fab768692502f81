/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A driver for the receiving half of Intel's 82574 network card ("e1000e" in
 * QEMU), which can be left and gone on with: all that the driver knows lies in
 * a memfd, and the rest in the card. Who has this memfd and the card's device
 * file, be it another process or one in another kernel, goes on with the frame
 * after the last one, and the card receives all the time.
 *
 *	card_memory()		a memfd with room for the ring and its buffers
 *	card_start()		resets the card and begins to receive
 *	card_receive()		hands on what has come
 *	card_adopt()		goes on where another driver of the card ended
 *
 * The memfd has to be mapped for the card as a whole, at one IOVA, before
 * card_start(), and to stay mapped there. There are no interrupts: who wants to
 * know what has come looks.
 *
 * What has to hold so that no frame is lost: the card may write to memory only
 * (bus master), its memory stays mapped, nobody resets it, and the ring has a
 * free descriptor for each frame that comes before the driver looks again. The
 * card uses one descriptor a frame, and one of the ring stays free. The ring of
 * CARD_RING holds 20 s of 200 frames a second.
 */
#ifndef IOX_SELFTEST_E1000E_H
#define IOX_SELFTEST_E1000E_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "vfio.h"

#define NEED_CARD "no network card: boot with --datagrams RATE"

#define CARD_RING 4096
#define CARD_BUFFER 2048
#define CARD_USER 1024

/*
 * The head of the memfd. All places are offsets in the memfd; nothing here
 * depends on where a process, or a kernel, has it mapped.
 *
 * Only @received changes once the card is started. It is a single word and the
 * last thing that is written for a frame, so whenever a driver is killed, either
 * it has dealt with a frame, or the next one will. Which descriptors the card
 * owns is known to the card (its tail register) and is not repeated here.
 */
struct card_head {
	__u64 magic;
	__u32 version;
	__u32 descriptors;	/* in the ring; a power of two */
	__u64 size;		/* of the memfd */
	__u64 iova;		/* where the card sees the memfd's first byte */
	__u64 ring;		/* place of the descriptors */
	__u64 buffers;		/* place of the buffers, CARD_BUFFER bytes each */
	__u64 received;		/* frames that card_receive() has handed on */
	__u8 reserved[4096 - 56 - CARD_USER];
	__u8 user[CARD_USER];	/* for whoever uses the driver */
};

struct card {
	int fd;			/* vfio's character device */
	void *bar;
	size_t bar_size;
	void *memory;		/* the memfd */
	size_t memory_size;
	struct card_head *head;
	char name[PCI_NAME_SIZE];
};

/*
 * Is called with each frame once, in the order in which they came; @index
 * counts them from 0. Called again with the same frame only if the driver was
 * killed before the call had returned and card_receive() taken note of it.
 */
typedef void (*card_handler)(void *arg, __u64 index, const void *frame,
			     size_t length);

/* Returns a sealed memfd for a ring of @descriptors, *@size bytes long. */
int card_memory(__u32 descriptors, size_t *size);

/* Finds the card and makes vfio-pci its driver. */
int card_claim(struct card *card);

/* Claims the card and opens it, not bound yet to any iommufd. */
int card_open(struct card *card);

/*
 * Resets an open card, which has to be bound to an iommufd and attached to an
 * address space that has @memfd at @iova, and starts it.
 */
int card_start(struct card *card, int memfd, __u64 iova);

/*
 * Goes on with a card that runs. Changes nothing of it but the tail of its ring.
 * -EBADMSG: @memfd is not of such a card; -ESTALE: the card is not what it was
 * when it was left (it was reset, or may not write to memory any more).
 */
int card_adopt(struct card *card, int device_fd, int memfd);

/*
 * Hands on the frames that have come, @max of them at most, and their buffers
 * back to the card. Returns how many, or a negative errno.
 */
int card_receive(struct card *card, card_handler handle, void *arg,
		 unsigned int max);

/* How many frames have come that nobody has looked at? */
unsigned int card_waiting(const struct card *card);

/* Stops the card and puts it into the state in which it was switched on. */
int card_reset(struct card *card);

/* Lets go of the card's registers and memory; card and device file go on. */
void card_unmap(struct card *card);

#endif
