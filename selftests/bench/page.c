// SPDX-License-Identifier: GPL-2.0-only
/* Map and unmap of one page, by one thread or by several at the same time. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#include "../lib/buffer.h"
#include "../lib/iommufd.h"
#include "bench.h"

#define WARM_UP 200
#define BATCH 50
#define MAX_BATCHES 100

struct worker {
	pthread_t thread;
	pthread_barrier_t *start;
	int fd;
	__u32 ioas;
	void *page;
	size_t length;
	__u64 iova;
	unsigned int rounds;
	bool automatic;
};

static void map_unmap(struct worker *w, unsigned int rounds)
{
	for (unsigned int i = 0; i < rounds; i++) {
		__u64 iova = w->iova;

		if (w->automatic)
			check(ioas_map_auto(w->fd, w->ioas, w->page,
					    w->length, &iova), "map");
		else
			check(ioas_map_fixed(w->fd, w->ioas, w->page,
					     w->length, iova), "map");
		check(ioas_unmap(w->fd, w->ioas, iova, w->length), "unmap");
	}
}

static void *work(void *arg)
{
	struct worker *w = arg;

	map_unmap(w, WARM_UP);
	pthread_barrier_wait(w->start);
	map_unmap(w, w->rounds);
	return NULL;
}

static void init_worker(struct worker *w, struct rig *rig, int ioas,
			enum buffer_kind kind, size_t length)
{
	*w = (struct worker){
		.fd = rig->fd,
		.ioas = rig->ioas[ioas],
		.page = buffer_alloc(kind, length),
		.length = length,
	};
	check(w->page ? 0 : -ENOMEM, "memory");
	*(char *)w->page = 1;
}

/* Clock per map+unmap; batches that something else came into do not count. */
static void measure_one(const char *name, bool automatic,
			enum buffer_kind kind, size_t length,
			unsigned int batches)
{
	double values[MAX_BATCHES];
	struct worker w;
	struct rig rig;
	__u64 t;

	rig_open(&rig, 1, true);
	init_worker(&w, &rig, 0, kind, length);
	w.iova = MAP_AT;
	w.automatic = automatic;
	map_unmap(&w, WARM_UP);
	for (unsigned int i = 0; i < batches; i++) {
		t = now();
		map_unmap(&w, BATCH);
		values[i] = (double)(now() - t) / BATCH;
	}
	report(name, "clock", median(values, batches));
	rig_close(&rig);
	buffer_free(kind, w.page, length);
}

/* At an automatic IOVA that a policy chooses */
static void measure_policy(const char *name, unsigned int batches)
{
	if (!policy_start()) {
		report_missing(name, -EOPNOTSUPP);
		return;
	}
	measure_one(name, true, BUFFER_SMALL, PAGE, batches);
	policy_stop();
}

/* Clock per map+unmap, all threads together */
static void measure_threads(const char *name, int threads, bool shared,
			    unsigned int rounds)
{
	struct worker workers[RIG_MAX];
	pthread_barrier_t start;
	struct rig rig;
	__u64 t;

	rig_open(&rig, shared ? 1 : threads, true);
	pthread_barrier_init(&start, NULL, threads + 1);
	for (int i = 0; i < threads; i++) {
		struct worker *w = &workers[i];

		init_worker(w, &rig, shared ? 0 : i, BUFFER_SMALL, PAGE);
		w->start = &start;
		w->iova = MAP_AT + i * GIB;
		w->rounds = rounds;
		check(-pthread_create(&w->thread, NULL, work, w), "thread");
	}
	pthread_barrier_wait(&start);
	t = now();
	for (int i = 0; i < threads; i++)
		pthread_join(workers[i].thread, NULL);
	t = now() - t;
	report(name, "clock", (double)t / rounds / threads);
	for (int i = 0; i < threads; i++)
		buffer_free(BUFFER_SMALL, workers[i].page, PAGE);
	pthread_barrier_destroy(&start);
	rig_close(&rig);
}

void bench_page(const struct bench *bench)
{
	unsigned int batches = bench->quick ? MAX_BATCHES / 10 : MAX_BATCHES;
	char name[64];

	if (wanted(bench, "page/fixed/1"))
		measure_one("page/fixed/1", false, BUFFER_SMALL, PAGE, batches);
	if (wanted(bench, "page/automatic/1"))
		measure_one("page/automatic/1", true, BUFFER_SMALL, PAGE,
			    batches);
	if (wanted(bench, "page/policy/1"))
		measure_policy("page/policy/1", batches);
	if (wanted(bench, "page/huge/1"))
		measure_one("page/huge/1", false, BUFFER_THP, HUGE_PAGE,
			    batches);
	if (!bench->threads)
		return;
	for (int shared = 1; shared >= 0; shared--)
		for (int threads = 2; threads <= RIG_MAX; threads *= 2) {
			snprintf(name, sizeof(name), "page/%s/%d",
				 shared ? "one-ioas" : "own-ioas", threads);
			if (wanted(bench, name))
				measure_threads(name, threads, shared,
						batches * BATCH);
		}
}
