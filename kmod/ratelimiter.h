/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ratelimiter.h: how often one source address may cost us a handshake (WG 5.3): 20 a second, 5 at once. IPv6 sources
 * count by /64. One table of fixed size for the module: under attack it forgets, it does not grow.
 */
#ifndef WG_RATELIMITER_H
#define WG_RATELIMITER_H

#include <linux/siphash.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#define WG_RATELIMITER_BUCKETS 1024
#define WG_RATELIMITER_WAYS 8
#define WG_RATELIMITER_PER_SECOND 20
#define WG_RATELIMITER_BURST 5

struct wg_ratelimiter {
	siphash_key_t key;
	struct wg_ratelimiter_bucket {
		spinlock_t lock; /* of its slots */
		struct {
			u64 source; /* keyed hash of the address */
			u64 tab;    /* when its next packet would be due at the allowed rate, ns */
		} slot[WG_RATELIMITER_WAYS];
	} bucket[WG_RATELIMITER_BUCKETS];
};

void wg_ratelimiter_init(struct wg_ratelimiter *limiter);

/*
 * May a handshake from this source be worked on? @address is 4 or 16 octets, @scope tells apart equal addresses of
 * different network namespaces, @now is in ns and does not go back. Any context.
 */
bool wg_ratelimiter_allow(struct wg_ratelimiter *limiter, const void *address, size_t length, u64 scope, u64 now);

#endif
