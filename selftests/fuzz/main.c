// SPDX-License-Identifier: GPL-2.0-only
/* Rounds of worlds, and whether anything is left after each. */
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "../lib/leak.h"
#include "vandal.h"

#define MAX_THREADS 16
#define AUTOMATIC_SIZE (64UL << 20)

const char *fuzz_replay;
bool fuzz_has_cma;
bool fuzz_trace;

struct options {
	__u64 seed;
	unsigned long ops;
	unsigned long rounds;
	unsigned long seconds;
	unsigned int threads;
};

static void usage(FILE *to)
{
	fprintf(to,
"Usage: iox-fuzz [OPTION]...\n"
"\n"
"Make random calls into /dev/iommu and check every answer, and the bytes behind\n"
"every IOVA, against a model. For use in the VM, as root, on a kernel with\n"
"CONFIG_IOMMUFD_TEST.\n"
"\n"
"A round has one thread, or several that share a context while others attach,\n"
"race, kill and close. After each nothing may be left over.\n"
"\n"
"  --seed N      of the first round; the next has N + 1, and so on (random)\n"
"  --ops N       operations of a round, shared by its threads (2000)\n"
"  --threads N   of rounds that have several; with 1 none has (3)\n"
"  --rounds N    stop after so many\n"
"  --seconds N   begin no round after so long (10, unless --rounds is given)\n"
"  --trace       print each call; one whose result is missing has not returned\n"
"  -h, --help    this text\n"
"\n"
"A round with one thread does the same whenever its seed, --ops and --threads\n"
"are the same. So does each of several threads, but not the moment of it.\n"
"\n"
"Exit status: 0 nothing found, 1 an answer was wrong or something was left over,\n"
"2 the fuzzer could not go on, or wrong usage.\n");
}

static unsigned long long number(const char *text)
{
	char *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(text, &end, 0);
	if (errno || !*text || *end || *text == '-')
		errx(2, "'%s' is not a number (see --help)", text);
	return value;
}

static struct options parse(int argc, char **argv)
{
	enum { SEED = 1, OPS, THREADS, ROUNDS, SECONDS, TRACE };
	static const struct option known[] = {
		{ "seed", required_argument, NULL, SEED },
		{ "ops", required_argument, NULL, OPS },
		{ "threads", required_argument, NULL, THREADS },
		{ "rounds", required_argument, NULL, ROUNDS },
		{ "seconds", required_argument, NULL, SECONDS },
		{ "trace", no_argument, NULL, TRACE },
		{ "help", no_argument, NULL, 'h' },
		{}
	};
	struct options options = { .ops = 2000, .threads = 3 };
	int option;

	if (getrandom(&options.seed, sizeof(options.seed), 0) < 0)
		err(2, "getrandom");
	options.seed %= 1000000000;
	while ((option = getopt_long(argc, argv, "h", known, NULL)) != -1) {
		switch (option) {
		case SEED:
			options.seed = number(optarg);
			break;
		case OPS:
			options.ops = number(optarg);
			break;
		case THREADS:
			options.threads = number(optarg);
			break;
		case ROUNDS:
			options.rounds = number(optarg);
			break;
		case SECONDS:
			options.seconds = number(optarg);
			break;
		case TRACE:
			fuzz_trace = true;
			break;
		case 'h':
			usage(stdout);
			exit(0);
		default:
			exit(2);
		}
	}
	if (optind < argc)
		errx(2, "unknown argument '%s' (see --help)", argv[optind]);
	if (!options.threads || options.threads > MAX_THREADS)
		errx(2, "--threads is from 1 to %d", MAX_THREADS);
	if (!options.rounds && !options.seconds)
		options.seconds = 10;
	return options;
}

/* --- a round --------------------------------------------------------------------------- */

static void *world_thread(void *world)
{
	world_run(world);
	return NULL;
}

static struct world *world_new(const struct options *options, __u64 seed,
			       unsigned int nr, struct common *common)
{
	struct world *w = calloc(1, sizeof(*w));

	if (!w)
		err(2, "a world");
	w->seed = seed;
	w->number = nr;
	w->ops = common ? options->ops / options->threads : options->ops;
	w->common = common;
	return w;
}

static void run_alone(const struct options *options, __u64 seed)
{
	struct world *w = world_new(options, seed, 0, NULL);

	world_run(w);
	free(w);
}

/* A context, and in it an IOAS whose ranges and alignment stay as they are */
static void common_open(struct common *common, int *access)
{
	struct iommu_iova_range automatic;
	struct iommu_ioas_allow_iovas allow = {
		.size = sizeof(allow),
		.num_iovas = 1,
		.allowed_iovas = (uintptr_t)&automatic,
	};

	common->fd = iommufd_open();
	common->automatic.first = APERTURE_LAST + 1 - AUTOMATIC_SIZE;
	common->automatic.last = APERTURE_LAST;
	automatic.start = common->automatic.first;
	automatic.last = common->automatic.last;
	pthread_mutex_init(&common->fork_lock, NULL);
	if (common->fd < 0 || ioas_alloc(common->fd, &common->ioas))
		errx(2, "cannot make a context for all");
	allow.ioas_id = common->ioas;
	if (mock_reserve(common->fd, common->ioas, 0, APERTURE_FIRST - 1) ||
	    mock_reserve(common->fd, common->ioas, APERTURE_LAST + 1,
			 UINT64_MAX) ||
	    xioctl(common->fd, IOMMU_IOAS_ALLOW_IOVAS, &allow))
		errx(2, "cannot set up the IOAS of all");
	*access = mock_access(common->fd, common->ioas, true);
	if (*access < 0)
		errx(2, "cannot have an access to the IOAS of all");
}

static void stop_vandals(struct vandal *vandal, pthread_t *threads,
			 unsigned int nr, __u64 seed)
{
	void *wrong;

	vandal->stop = true;
	for (unsigned int i = 0; i < nr; i++) {
		pthread_join(threads[i], &wrong);
		if (!wrong)
			continue;
		printf("# MISMATCH: %s\n# beside the worlds of seed %llu; replay: %s\n",
		       (char *)wrong, seed, fuzz_replay);
		exit(1);
	}
}

static void run_together(const struct options *options, __u64 seed)
{
	static void *(*const kinds[])(void *) = {
		vandal_attach, vandal_race, vandal_kill, vandal_close,
	};
	pthread_t vandals[ARRAY_SIZE(kinds)], threads[MAX_THREADS];
	struct world *world[MAX_THREADS];
	struct common common = {};
	struct vandal vandal = { .common = &common, .seed = seed };
	int access;

	common_open(&common, &access);
	for (unsigned int i = 0; i < options->threads; i++) {
		world[i] = world_new(options, seed, i, &common);
		pthread_create(&threads[i], NULL, world_thread, world[i]);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++)
		pthread_create(&vandals[i], NULL, kinds[i], &vandal);
	for (unsigned int i = 0; i < options->threads; i++) {
		pthread_join(threads[i], NULL);
		free(world[i]);
	}
	stop_vandals(&vandal, vandals, ARRAY_SIZE(kinds), seed);
	close(access);
	close(common.fd);
	pthread_mutex_destroy(&common.fork_lock);
}

static void set_replay(const struct options *options, __u64 seed)
{
	static char text[120];

	snprintf(text, sizeof(text),
		 "iox-fuzz --seed %llu --ops %lu --threads %u --rounds 1", seed,
		 options->ops, options->threads);
	fuzz_replay = text;
}

/* Seeds decide also about what kind of round it is. */
static bool is_alone(const struct options *options, __u64 seed)
{
	return options->threads == 1 || seed % 2;
}

static void run_round(const struct options *options, __u64 seed)
{
	const char *left;
	struct leak_mark mark;

	set_replay(options, seed);
	printf("# seed %llu\n", seed);
	leak_mark(&mark);
	if (is_alone(options, seed))
		run_alone(options, seed);
	else
		run_together(options, seed);
	left = leak_check(&mark);
	if (!left)
		return;
	printf("# LEAK: %s\n# after the round of seed %llu; replay: %s\n", left,
	       seed, fuzz_replay);
	exit(1);
}

static bool has_cma(void)
{
	char line[128];
	long free_kb = 0;
	FILE *f = fopen("/proc/meminfo", "re");

	/* The total is what drivers have, the free part is everybody's. */
	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "CmaFree: %ld", &free_kb);
	if (f)
		fclose(f);
	return free_kb;
}

static void check_kernel(const struct options *options)
{
	struct iommu_test_cmd cmd = { .size = sizeof(cmd) };
	int fd = iommufd_open(), rc;

	if (fd < 0)
		errx(2, "cannot open /dev/iommu: is this root in the VM?");
	rc = xioctl(fd, IOMMU_TEST_CMD, &cmd);
	close(fd);
	if (rc == -ENOTTY)
		errx(2, "this kernel has no CONFIG_IOMMUFD_TEST");
	if (!buffer_hugetlb_pool(options->threads * HUGETLB_PAGES))
		errx(2, "cannot set the size of the hugetlbfs pool");
}

int main(int argc, char **argv)
{
	const struct options options = parse(argc, argv);
	time_t begun = time(NULL);
	unsigned long round = 0;

	setlinebuf(stdout);
	check_kernel(&options);
	fuzz_has_cma = has_cma();
	while ((!options.rounds || round < options.rounds) &&
	       (!options.seconds ||
		time(NULL) - begun < (time_t)options.seconds))
		run_round(&options, options.seed + round++);
	buffer_hugetlb_pool(0);
	printf("# %lu rounds in %ld s, seeds %llu to %llu: nothing found\n",
	       round, (long)(time(NULL) - begun), options.seed,
	       options.seed + round - 1);
	return 0;
}
