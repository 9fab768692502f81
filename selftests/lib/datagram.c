// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "datagram.h"

#define MAGIC 0x696f782d64617461ULL	/* "iox-data" */
#define ETHER_HEADER 14
#define POLL_MS 50

int datagram_read(struct datagram *datagram, const void *frame, size_t length)
{
	__u64 words[4];

	if (length < ETHER_HEADER + sizeof(words))
		return -EPROTO;
	memcpy(words, (const char *)frame + ETHER_HEADER, sizeof(words));
	if (be64toh(words[0]) != MAGIC)
		return -EPROTO;
	datagram->number = be64toh(words[1]);
	datagram->time = be64toh(words[2]);
	datagram->dropped = be64toh(words[3]);
	return 0;
}

void tally_begin(struct tally *tally)
{
	*tally = (struct tally){ .unjudged = DATAGRAMS_STALE + 1 };
}

void tally_begin_after(struct tally *tally, const struct datagram *last)
{
	*tally = (struct tally){
		.base = last->number + 1,
		.first = last->number + 1,
		.last = *last,
	};
}

void tally_add(struct tally *tally, __u64 index, const void *frame,
	       size_t length)
{
	struct datagram datagram;
	__u64 base;

	if (datagram_read(&datagram, frame, length)) {
		tally->strange++;
		tally->base--;
		return;
	}
	base = datagram.number - index;
	if (index < tally->unjudged) {
		tally->base = base;
		tally->first = datagram.number;
	}
	if (base > tally->base) {
		tally->lost += base - tally->base;
		tally->gap[0] = tally->last;
		tally->gap[1] = datagram;
	} else if (base < tally->base) {
		tally->again++;
	} else if (index >= tally->unjudged &&
		   datagram.number > tally->last.number + 1) {
		/* A driver has counted frames without handing them on. */
		tally->lost += datagram.number - tally->last.number - 1;
	}
	tally->base = base;
	tally->last = datagram;
}

bool tally_clean(const struct tally *tally)
{
	return !tally->lost && !tally->again && !tally->strange;
}

int wire_read(struct wire *wire)
{
	const char *path = getenv("IOX_VM_DATAGRAMS");
	int count;
	FILE *f;

	if (!path)
		return -ENODEV;
	f = fopen(path, "re");
	if (!f)
		return -errno;
	count = fscanf(f, "%llu %llu %llu", &wire->sent, &wire->taken,
		       &wire->dropped);
	fclose(f);
	return count == 3 ? 0 : -EIO;
}

int wire_wait(__u64 number, int ms)
{
	const struct timespec nap = { .tv_nsec = POLL_MS * 1000000 };
	struct wire wire;
	int err = wire_read(&wire);

	for (; !err && wire.taken < number; ms -= POLL_MS) {
		if (ms <= 0)
			return -ETIMEDOUT;
		nanosleep(&nap, NULL);
		err = wire_read(&wire);
	}
	return err;
}
