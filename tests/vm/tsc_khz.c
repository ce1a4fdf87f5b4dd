// SPDX-License-Identifier: MIT
/*
 * tsc_khz: the frequency of this machine's time stamp counter, which QEMU's emulated CPU shows to the guest as it is. The
 * guest is told: its own measurement, against an emulated timer on a busy machine, has been seen wrong by a factor of 7.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_RAW, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

/* A counter value and the time it belongs to, the closest of several tries: we may be interrupted between the two. */
static void sample(uint64_t *ticks, uint64_t *ns)
{
	uint64_t best = UINT64_MAX;
	int i;

	for (i = 0; i < 50; ++i) {
		uint64_t before = now_ns(), count, after;

#if defined(__x86_64__)
		count = __rdtsc();
#else
		count = before; /* QEMU counts ns there */
#endif
		after = now_ns();
		if (after - before < best) {
			best = after - before;
			*ticks = count;
			*ns = before + (after - before) / 2;
		}
	}
}

int main(void)
{
	const struct timespec pause = { .tv_nsec = 20000000 };
	uint64_t ticks0, ns0, ticks1, ns1;

	sample(&ticks0, &ns0);
	nanosleep(&pause, NULL);
	sample(&ticks1, &ns1);
	printf("%llu\n", (unsigned long long)((double)(ticks1 - ticks0) * 1e6 / (double)(ns1 - ns0)));
	return 0;
}
