/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The numbered datagrams that "./vm --datagrams RATE" sends to a network card
 * (scripts/vm/datagrams), and whether all of them have come, each once and in
 * order.
 */
#ifndef IOX_SELFTEST_DATAGRAM_H
#define IOX_SELFTEST_DATAGRAM_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

struct datagram {
	__u64 number;
	__u64 time;	/* when it was sent, ns of the host's clock */
	__u64 dropped;	/* how many the host had dropped, the card being off */
};

/* What there is to say about all datagrams of one card since it was started. */
struct tally {
	__u64 unjudged;	/* frames at the start whose numbers may be any */
	__u64 base;	/* number less index, of every datagram if none is lost */
	__u64 first;	/* number of the first one that counts */
	__u64 lost;	/* numbers that were left out */
	__u64 again;	/* numbers that came though a later one had */
	__u64 strange;	/* frames that are no datagrams */
	struct datagram last;
	struct datagram gap[2];	/* before and after the newest one */
};

/* When a card starts, this many of its frames may be from long before. */
#define DATAGRAMS_STALE 2

/* Returns 0 or -EPROTO. */
int datagram_read(struct datagram *datagram, const void *frame, size_t length);

/* The first datagram that counts is the first one that is not stale. */
void tally_begin(struct tally *tally);

/* All count, and the first one should be the one after @last. */
void tally_begin_after(struct tally *tally, const struct datagram *last);

/*
 * Takes account of the datagram in the card's frame number @index. To do so
 * twice with the same frame changes nothing as long as nothing was lost.
 */
void tally_add(struct tally *tally, __u64 index, const void *frame,
	       size_t length);

/* Has each come, and once? */
bool tally_clean(const struct tally *tally);

/* What the host says it has done. */
struct wire {
	__u64 sent;	/* number of the last datagram sent */
	__u64 taken;	/* the card has this one, and all that were sent before */
	__u64 dropped;	/* how many it did not send, the card being off */
};

/* -ENODEV if nobody sends datagrams to this VM. */
int wire_read(struct wire *wire);

/* Waits until the card has @number, -ETIMEDOUT after @ms. */
int wire_wait(__u64 number, int ms);

#endif
