// SPDX-License-Identifier: GPL-2.0-only
/*
 * Receives numbered datagrams with a network card that is given to this program
 * by vfio-pci, and hands the card on: to another process, or over a kexec to one
 * in the next kernel. Whoever goes on with the card checks that each number has
 * come, once and in order, those included that came while nobody was there.
 *
 *	iox-nic hold SOCKET	holds files for others
 *	iox-nic start KEEP	leaves memory, iommufd and card in KEEP
 *	iox-nic go-on KEEP	finds them there
 *	iox-nic anew KEEP	finds the memory, but no card that still receives
 *
 * lib/keep.h says what KEEP can be.
 */
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/datagram.h"
#include "lib/e1000e.h"
#include "lib/iommufd.h"
#include "lib/keep.h"
#include "lib/luo.h"

#define USAGE_STATUS 2
#define MEMORY_IOVA 0x100000000ULL
#define NAP_NS 2000000
#define RECEIVE_LIMIT_S 60
#define WAIT_LIMIT_MS 120000

enum token {
	TOKEN_MEMORY = 0x100,
	TOKEN_IOMMUFD,
	TOKEN_CARD,
	TOKEN_HWPT,
};

struct options {
	unsigned int ring;
	unsigned int count;	/* datagrams to receive */
	bool stay;		/* then leave the card, and receive until killed */
	unsigned int rebuild;	/* how often to replace the card's domain */
	bool only_memory;	/* leave the memory, neither iommufd nor card */
	const char *place;
};

struct nic {
	struct card card;
	struct keep keep;
	int iommufd;
	int memory;
	__u32 hwpt;		/* of a card that was set up here, else 0 */
	struct tally *tally;	/* in the memory, for whoever goes on */
};

static const char usage_text[] =
"Usage: iox-nic hold SOCKET\n"
"       iox-nic start [--ring N] [--count N] [--only-memory] KEEP\n"
"       iox-nic go-on [--count N] [--rebuild N] [--stay] KEEP\n"
"       iox-nic anew [--count N] KEEP\n"
"       iox-nic reset KEEP\n"
"       iox-nic wait COUNT\n"
"\n"
"Receive the datagrams of ./vm --datagrams RATE with a card on vfio-pci, and\n"
"hand the running card on. KEEP is luo:NAME, a session of /dev/liveupdate, or\n"
"the SOCKET of an \"iox-nic hold\", which stands in for one.\n"
"\n"
"  hold    hold the files that others leave, until killed\n"
"  start   set up a card with a ring of N descriptors (4096), receive --count\n"
"          datagrams (200), leave the card in KEEP, and receive until killed;\n"
"          --only-memory leaves what the driver knows, but not the card\n"
"  go-on   take the card, check that every datagram has come, once and in order,\n"
"          and receive --count more; --rebuild replaces the card's domain N times\n"
"          by one of a new address space; --stay leaves the card in KEEP again,\n"
"          and receives until killed\n"
"  anew    take only what the last driver knew, set up the card anew, receive\n"
"          --count datagrams, and say how many are lost\n"
"  reset   take the card and reset it\n"
"  wait    wait until the host has had COUNT more datagrams to send\n"
"\n"
"Exit status: 0 done, and every datagram has come; 1 not so; 2 wrong usage.\n";

/* Ends the program unless @result is 0. */
static void need(int result, const char *what)
{
	if (result)
		errx(1, "%s: %s", what, strerror(-result));
}

static int need_fd(int fd, const char *what)
{
	need(fd < 0 ? fd : 0, what);
	return fd;
}

/* --- receiving -------------------------------------------------------------- */

static void count_datagram(void *arg, __u64 index, const void *frame,
			   size_t length)
{
	struct nic *nic = arg;

	tally_add(nic->tally, index, frame, length);
}

static unsigned int receive(struct nic *nic, unsigned int max)
{
	int count = card_receive(&nic->card, count_datagram, nic, max);

	need(count < 0 ? count : 0, "receiving");
	return count;
}

static void receive_count(struct nic *nic, unsigned int count)
{
	const struct timespec nap = { .tv_nsec = NAP_NS };
	time_t limit = time(NULL) + RECEIVE_LIMIT_S;

	while (count) {
		unsigned int got = receive(nic, count);

		count -= got;
		if (got)
			continue;
		if (time(NULL) > limit)
			errx(1, "no datagrams come any more, %u are missing",
			     count);
		nanosleep(&nap, NULL);
	}
}

static void receive_forever(struct nic *nic)
{
	const struct timespec nap = { .tv_nsec = NAP_NS };

	fflush(stdout);
	for (;;)
		if (!receive(nic, UINT_MAX))
			nanosleep(&nap, NULL);
}

static void need_clean(const struct nic *nic)
{
	const struct tally *tally = nic->tally;

	if (tally_clean(tally))
		return;
	fflush(stdout);
	errx(1, "of datagrams %llu to %llu: %llu lost, %llu twice or late, %llu strange frames",
	     tally->first, tally->last.number, tally->lost, tally->again,
	     tally->strange);
}

/* A line of the time line, which begins with the last datagram before. */
__attribute__((format(printf, 3, 4)))
static void tell(const struct datagram *start, const struct datagram *datagram,
		 const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf("%8.3f s  datagram %llu: ",
	       (double)(__s64)(datagram->time - start->time) / 1e9,
	       datagram->number);
	vprintf(format, args);
	printf("\n");
	va_end(args);
}

static void tell_sums(const struct tally *tally)
{
	printf("%llu to %llu: %llu lost, %llu twice\n", tally->first,
	       tally->last.number, tally->lost, tally->again);
	fflush(stdout);
}

/* --- start -------------------------------------------------------------------- */

static void set_up(struct nic *nic, unsigned int ring)
{
	__u32 device, ioas, attached;
	size_t size;
	int err = card_open(&nic->card);

	if (err == -ENODEV)
		errx(1, "%s", NEED_CARD);
	need(err, "opening the card");
	nic->memory = need_fd(card_memory(ring, &size), "making its memory");
	nic->iommufd = need_fd(iommufd_open(), "opening /dev/iommu");
	need(ioas_alloc(nic->iommufd, &ioas), "making an I/O address space");
	need(ioas_map_memfd(nic->iommufd, ioas, nic->memory, size,
			    MEMORY_IOVA), "mapping the memory");
	need(vfio_bind(nic->card.fd, nic->iommufd, &device),
	     "binding the card");
	need(hwpt_alloc_paging(nic->iommufd, device, ioas, &nic->hwpt),
	     "making a domain");
	attached = nic->hwpt;
	need(vfio_attach(nic->card.fd, &attached), "attaching the card");
	need(card_start(&nic->card, nic->memory, MEMORY_IOVA),
	     "starting the card");
	nic->tally = (struct tally *)nic->card.head->user;
	tally_begin(nic->tally);
}

/* One that was gone on with has its mark already. */
static void leave_card(const struct nic *nic)
{
	if (nic->hwpt)
		need(keep_put_hwpt(&nic->keep, nic->iommufd, nic->hwpt,
				   TOKEN_HWPT), "marking the domain");
	need(keep_put(&nic->keep, TOKEN_IOMMUFD, nic->iommufd),
	     "leaving the iommufd");
	need(keep_put(&nic->keep, TOKEN_CARD, nic->card.fd),
	     "leaving the card");
}

/* What a file rests on goes before it. */
static void leave(struct nic *nic, const struct options *options)
{
	need(keep_create(&nic->keep, options->place), options->place);
	need(keep_put(&nic->keep, TOKEN_MEMORY, nic->memory),
	     "leaving the memory");
	if (!options->only_memory)
		leave_card(nic);
	printf("left in %s, a ring of %u\n", options->place,
	       nic->card.head->descriptors);
}

static int start(const struct options *options)
{
	struct nic nic = { 0 };

	set_up(&nic, options->ring);
	receive_count(&nic, options->count + DATAGRAMS_STALE);
	need_clean(&nic);
	leave(&nic, options);
	receive_forever(&nic);
	return 0;
}

/* --- going on ------------------------------------------------------------------ */

static void find(struct nic *nic, const char *place)
{
	int card;

	/* A session gives a card back to the driver that it had. */
	need(card_claim(&nic->card), "claiming the card");
	need(keep_find(&nic->keep, place), place);
	nic->memory = need_fd(keep_get(&nic->keep, TOKEN_MEMORY),
			      "finding the memory");
	nic->iommufd = need_fd(keep_get(&nic->keep, TOKEN_IOMMUFD),
			       "finding the iommufd");
	card = need_fd(keep_get(&nic->keep, TOKEN_CARD), "finding the card");
	need(card_adopt(&nic->card, card, nic->memory),
	     "going on with the card");
	nic->tally = (struct tally *)nic->card.head->user;
}

/* What has come while nobody was there. */
static void catch_up(struct nic *nic, const struct datagram *before)
{
	const struct tally *tally = nic->tally;
	struct wire wire;
	unsigned int waiting;

	need(wire_read(&wire), "asking the host for its counts");
	waiting = card_waiting(&nic->card);
	tell(before, before, "the last one that the driver before has seen");
	if (receive(nic, 1))
		tell(before, &tally->last, "the first one after it");
	receive(nic, waiting - 1);
	tell(before, &tally->last, "the last of %u that came while nobody looked",
	     waiting);
	fflush(stdout);
	need_clean(nic);
	/* Else the wire, and not the ring, would have held some of them. */
	if (tally->last.number < wire.taken)
		errx(1, "the card has datagram %llu, its ring ends at %llu",
		     wire.taken, tally->last.number);
}

/*
 * Puts a domain of a new address space in the place of the card's, which goes on
 * receiving. The domain that came with a session has no address space and ends
 * here; one of a process before is left to the iommufd.
 */
static void rebuild(struct nic *nic, __u32 *ioas)
{
	__u32 before = *ioas;

	need(ioas_alloc(nic->iommufd, ioas), "making an I/O address space");
	need(ioas_map_memfd(nic->iommufd, *ioas, nic->memory,
			    nic->card.memory_size, nic->card.head->iova),
	     "mapping the memory");
	nic->hwpt = *ioas;
	need(vfio_attach(nic->card.fd, &nic->hwpt), "replacing the domain");
	if (before)
		need(iommufd_destroy(nic->iommufd, before),
		     "destroying the address space before");
}

static void rebuild_often(struct nic *nic, unsigned int count)
{
	__u32 restored, ioas = 0;

	if (count && nic->keep.luo)
		need(hwpt_find(nic->iommufd, TOKEN_HWPT, &restored),
		     "finding the domain");
	for (unsigned int i = 0; i < count; i++) {
		rebuild(nic, &ioas);
		if (!i && nic->keep.luo)
			need(iommufd_destroy(nic->iommufd, restored),
			     "destroying the domain before");
		receive(nic, UINT_MAX);
	}
}

static int go_on(const struct options *options)
{
	struct nic nic = { 0 };
	struct datagram before;

	find(&nic, options->place);
	before = nic.tally->last;
	catch_up(&nic, &before);
	rebuild_often(&nic, options->rebuild);
	receive_count(&nic, options->count);
	tell(&before, &nic.tally->last, "the last of %u after that",
	     options->count);
	tell_sums(nic.tally);
	need_clean(&nic);
	need(keep_finish(&nic.keep), "finishing");
	close(nic.keep.fd);
	if (options->stay) {
		leave(&nic, options);
		receive_forever(&nic);
	}
	return 0;
}

/* What the driver before knew, without its card. */
static struct tally find_tally(struct keep *keep, const char *place)
{
	struct tally tally;
	int memory;

	need(keep_find(keep, place), place);
	memory = need_fd(keep_get(keep, TOKEN_MEMORY), "finding the memory");
	if (pread(memory, &tally, sizeof(tally),
		  offsetof(struct card_head, user)) != sizeof(tally))
		err(1, "reading the memory");
	close(memory);
	return tally;
}

static int anew(const struct options *options)
{
	struct nic nic = { 0 };
	struct datagram before = find_tally(&nic.keep, options->place).last;
	const struct tally *tally;

	set_up(&nic, options->ring);
	tally = nic.tally;
	tally_begin_after(nic.tally, &before);
	receive_count(&nic, options->count);
	tell(&before, &before, "the last one that the driver before has seen");
	if (tally->lost && tally->gap[0].number != before.number)
		tell(&before, &tally->gap[0], "the last one before a gap");
	if (tally->lost)
		tell(&before, &tally->gap[1], "the first one after a gap");
	tell(&before, &tally->last, "the last of %u that the new driver has seen",
	     options->count);
	tell_sums(tally);
	need(keep_finish(&nic.keep), "finishing");
	need_clean(&nic);
	return 0;
}

static int reset(const struct options *options)
{
	struct nic nic = { 0 };

	find(&nic, options->place);
	need(card_reset(&nic.card), "resetting the card");
	return 0;
}

/* --- main ----------------------------------------------------------------------- */

/* By the host's clock, as it were: what it drops counts as well. */
static int wait_for(const char *text)
{
	const struct timespec nap = { .tv_nsec = 50000000 };
	struct wire from, wire;
	char *end;
	unsigned long count = strtoul(text, &end, 10);

	if (*end || end == text)
		errx(USAGE_STATUS, "'%s' is no number", text);
	need(wire_read(&from), "asking the host for its counts");
	for (int i = 0; i < WAIT_LIMIT_MS / 50; i++) {
		need(wire_read(&wire), "asking the host for its counts");
		if (wire.taken - from.taken + wire.dropped - from.dropped >= count)
			return 0;
		nanosleep(&nap, NULL);
	}
	errx(1, "the host sends no datagrams any more");
}

static unsigned int number_option(const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*end || end == text || value > INT_MAX)
		errx(USAGE_STATUS, "'%s' is no number (see --help)", text);
	return value;
}

static void parse(struct options *options, int argc, char **argv)
{
	static const struct option known[] = {
		{ "ring", required_argument, NULL, 'r' },
		{ "count", required_argument, NULL, 'c' },
		{ "rebuild", required_argument, NULL, 'b' },
		{ "stay", no_argument, NULL, 's' },
		{ "only-memory", no_argument, NULL, 'm' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "h", known, NULL)) != -1) {
		switch (option) {
		case 'r':
			options->ring = number_option(optarg);
			break;
		case 'c':
			options->count = number_option(optarg);
			break;
		case 'b':
			options->rebuild = number_option(optarg);
			break;
		case 's':
			options->stay = true;
			break;
		case 'm':
			options->only_memory = true;
			break;
		case 'h':
			fputs(usage_text, stdout);
			exit(0);
		default:
			exit(USAGE_STATUS);
		}
	}
	if (optind != argc - 2)
		errx(USAGE_STATUS, "a command and its one argument are needed (see --help)");
	options->place = argv[optind + 1];
}

int main(int argc, char **argv)
{
	struct options options = { .ring = CARD_RING, .count = 200 };
	const char *command;

	parse(&options, argc, argv);
	command = argv[optind];
	if (!strcmp(command, "hold"))
		need(keep_serve(options.place), options.place);
	if (!strcmp(command, "start"))
		return start(&options);
	if (!strcmp(command, "go-on"))
		return go_on(&options);
	if (!strcmp(command, "anew"))
		return anew(&options);
	if (!strcmp(command, "reset"))
		return reset(&options);
	if (!strcmp(command, "wait"))
		return wait_for(options.place);
	errx(USAGE_STATUS, "unknown command '%s' (see --help)", command);
}
