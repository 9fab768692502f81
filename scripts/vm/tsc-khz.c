// SPDX-License-Identifier: GPL-2.0-only
/*
 * Prints how fast this machine's time stamp counter runs, in kHz. QEMU's
 * emulation hands it to the guest as it is, and a guest that measures it on a
 * busy machine can be wrong by orders of magnitude; so it is told.
 */
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

#define SPAN_NS 20000000ULL

static unsigned long long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_RAW, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/*
 * Reads both clocks as close together as a few tries get, so that being
 * interrupted between them does not count.
 */
static void read_clocks(unsigned long long *ticks, unsigned long long *ns)
{
	unsigned long long best = -1ULL;

	for (int i = 0; i < 50; i++) {
		unsigned long long before = __rdtsc();
		unsigned long long at = now_ns();
		unsigned long long took = __rdtsc() - before;

		if (took < best) {
			best = took;
			*ticks = before + took / 2;
			*ns = at;
		}
	}
}

int main(void)
{
	unsigned long long ticks, ns, ticks_after, ns_after;

	read_clocks(&ticks, &ns);
	do {
		read_clocks(&ticks_after, &ns_after);
	} while (ns_after - ns < SPAN_NS);
	printf("%llu\n", (ticks_after - ticks) * 1000000ULL / (ns_after - ns));
	return 0;
}
