// SPDX-License-Identifier: GPL-2.0-only
/* Map and unmap of one page, by one thread or by several at the same time. */
#include <pthread.h>
#include <stdio.h>

#include "../lib/buffer.h"
#include "../lib/iommufd.h"
#include "bench.h"

#define WARM_UP 200

struct worker {
	pthread_t thread;
	pthread_barrier_t *start;
	int fd;
	__u32 ioas;
	void *page;
	__u64 iova;
	unsigned int rounds;
	bool automatic;
};

static void map_unmap(struct worker *w, unsigned int rounds)
{
	for (unsigned int i = 0; i < rounds; i++) {
		__u64 iova = w->iova;

		if (w->automatic)
			check(ioas_map_auto(w->fd, w->ioas, w->page, PAGE,
					    &iova), "map");
		else
			check(ioas_map_fixed(w->fd, w->ioas, w->page, PAGE,
					     iova), "map");
		check(ioas_unmap(w->fd, w->ioas, iova, PAGE), "unmap");
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

/* Clock per map+unmap, all threads together */
static double measure(struct rig *rig, int threads, bool shared, bool automatic,
		      unsigned int rounds)
{
	struct worker workers[RIG_MAX];
	pthread_barrier_t start;
	__u64 t;

	pthread_barrier_init(&start, NULL, threads + 1);
	for (int i = 0; i < threads; i++) {
		workers[i] = (struct worker){
			.start = &start,
			.fd = rig->fd,
			.ioas = rig->ioas[shared ? 0 : i],
			.page = buffer_small(PAGE),
			.iova = MAP_AT + i * GIB,
			.rounds = rounds,
			.automatic = automatic,
		};
		*(char *)workers[i].page = 1;
		check(-pthread_create(&workers[i].thread, NULL, work,
				      &workers[i]), "thread");
	}
	pthread_barrier_wait(&start);
	t = now();
	for (int i = 0; i < threads; i++)
		pthread_join(workers[i].thread, NULL);
	t = now() - t;
	for (int i = 0; i < threads; i++)
		buffer_free(BUFFER_SMALL, workers[i].page, PAGE);
	pthread_barrier_destroy(&start);
	return (double)t / rounds / threads;
}

void bench_page(const struct bench *bench)
{
	unsigned int rounds = bench->quick ? 500 : 4000;
	int most = bench->threads ? RIG_MAX : 1;
	struct rig rig;
	char name[64];

	if (wanted(bench, "page/fixed/1")) {
		rig_open(&rig, 1, true);
		report("page/fixed/1", "clock",
		       measure(&rig, 1, true, false, rounds));
		rig_close(&rig);
	}
	if (wanted(bench, "page/automatic/1")) {
		rig_open(&rig, 1, true);
		report("page/automatic/1", "clock",
		       measure(&rig, 1, true, true, rounds));
		rig_close(&rig);
	}
	for (int shared = 1; shared >= 0; shared--)
		for (int threads = 2; threads <= most; threads *= 2) {
			snprintf(name, sizeof(name), "page/%s/%d",
				 shared ? "one-ioas" : "own-ioas", threads);
			if (!wanted(bench, name))
				continue;
			rig_open(&rig, threads, true);
			report(name, "clock", measure(&rig, threads, shared,
						      false, rounds));
			rig_close(&rig);
		}
}
