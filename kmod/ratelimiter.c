// SPDX-License-Identifier: GPL-2.0-only

#include <linux/random.h>
#include <linux/string.h>
#include <linux/time64.h>
#include "ratelimiter.h"

#define INTERVAL ((u64)NSEC_PER_SEC / WG_RATELIMITER_PER_SECOND)
#define TOLERANCE (INTERVAL * (WG_RATELIMITER_BURST - 1))

void wg_ratelimiter_init(struct wg_ratelimiter *limiter)
{
	size_t i;

	memset(limiter, 0, sizeof(*limiter));
	get_random_bytes(&limiter->key, sizeof(limiter->key));
	for (i = 0; i < WG_RATELIMITER_BUCKETS; ++i)
		spin_lock_init(&limiter->bucket[i].lock);
}

/*
 * The generic cell rate algorithm: one number a source. A slot whose tab has passed says nothing any more, so it is
 * free; when none is, the source closest to being free is forgotten. An attacker with many addresses (they must be
 * his own: a cookie came back from each) gains a burst for one of them, an honest source loses nothing by it.
 */
bool wg_ratelimiter_allow(struct wg_ratelimiter *limiter, const void *address, size_t length, u64 scope, u64 now)
{
	struct wg_ratelimiter_bucket *bucket;
	struct { u64 words[2]; } input = { { 0, scope } };
	size_t way, chosen = 0;
	bool allowed = false;
	u64 source, tab;

	memcpy(&input.words[0], address, length < sizeof(u64) ? length : sizeof(u64));
	source = siphash_2u64(input.words[0], input.words[1], &limiter->key);
	bucket = &limiter->bucket[source % WG_RATELIMITER_BUCKETS];

	spin_lock_bh(&bucket->lock);
	for (way = 0; way < WG_RATELIMITER_WAYS; ++way) {
		if (bucket->slot[way].source == source) {
			chosen = way;
			break;
		}
		if (bucket->slot[way].tab < bucket->slot[chosen].tab)
			chosen = way;
	}
	tab = bucket->slot[chosen].tab;
	if (bucket->slot[chosen].source != source || tab < now)
		tab = now;
	if (tab - now <= TOLERANCE) {
		bucket->slot[chosen].source = source;
		bucket->slot[chosen].tab = tab + INTERVAL;
		allowed = true;
	}
	spin_unlock_bh(&bucket->lock);
	return allowed;
}
