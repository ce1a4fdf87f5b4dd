// SPDX-License-Identifier: GPL-2.0-only

#include <linux/rcupdate.h>
#include <linux/slab.h>
#include "compat.h"
#include "device.h"
#include "keypairs.h"
#include "peer.h"
#include "timers.h"

static const struct rhashtable_params index_params = {
	.key_len = sizeof(__le32),
	.key_offset = offsetof(struct wg_keypair, index),
	.head_offset = offsetof(struct wg_keypair, node),
	.automatic_shrinking = true,
};

int wg_keypair_table_init(struct rhashtable *table)
{
	return rhashtable_init(table, &index_params);
}

struct wg_keypair *wg_keypair_find(struct wg_device *device, __le32 index)
{
	return rhashtable_lookup(&device->keypairs, &index, index_params);
}

struct wg_keypair *wg_keypair_create(struct wg_peer *peer)
{
	static atomic64_t last_id = ATOMIC64_INIT(0);
	struct wg_keypair *keypair = kzalloc(sizeof(*keypair), GFP_KERNEL);
	int tries = 32, err;

	if (!keypair)
		return NULL;
	kref_init(&keypair->refs);
	spin_lock_init(&keypair->replay_lock);
	keypair->peer = peer;
	keypair->id = atomic64_inc_return(&last_id);
	/* Random, and nobody else's on this device. */
	do {
		get_random_bytes(&keypair->index, sizeof(keypair->index));
		err = rhashtable_lookup_insert_fast(&peer->device->keypairs, &keypair->node, index_params);
	} while (err && --tries);
	if (err) {
		kfree(keypair);
		return NULL;
	}
	wg_peer_get(peer);
	pr_debug("%s: keypair %llu created for peer %llu\n", peer->device->dev->name, keypair->id, peer->id);
	return keypair;
}

struct wg_keypair *wg_keypair_get(struct wg_keypair *keypair)
{
	return kref_get_unless_zero(&keypair->refs) ? keypair : NULL;
}

static void free_after_grace(struct rcu_head *rcu)
{
	kfree_sensitive(container_of(rcu, struct wg_keypair, rcu));
}

static void release(struct kref *refs)
{
	struct wg_keypair *keypair = container_of(refs, struct wg_keypair, refs);

	pr_debug("keypair %llu destroyed\n", keypair->id);
	wg_peer_put(keypair->peer);
	call_rcu(&keypair->rcu, free_after_grace);
}

void wg_keypair_put(struct wg_keypair *keypair)
{
	kref_put(&keypair->refs, release);
}

void wg_keypair_retire(struct wg_keypair *keypair)
{
	if (!keypair)
		return;
	/* Pairs with wg_keypair_is_live(). */
	smp_store_release(&keypair->state, WG_KEYPAIR_RETIRED);
	rhashtable_remove_fast(&keypair->peer->device->keypairs, &keypair->node, index_params);
	wg_keypair_put(keypair);
}

static struct wg_keypair *held(struct wg_keypair __rcu *place, struct wg_keypairs *keypairs)
{
	return rcu_dereference_protected(place, lockdep_is_held(&keypairs->lock));
}

void wg_keypairs_install(struct wg_peer *peer, struct wg_keypair *keypair, const struct noise_keys *keys,
			 bool initiator, __le32 remote_index)
{
	struct wg_keypairs *keypairs = &peer->keypairs;
	struct wg_keypair *unused1, *unused2 = NULL;

	keypair->keys = *keys;
	keypair->initiator = initiator;
	keypair->remote_index = remote_index;
	keypair->born = wg_now();
	/* Who sees it live sees the keys: pairs with wg_keypair_is_live(). */
	smp_store_release(&keypair->state, WG_KEYPAIR_LIVE);

	spin_lock_bh(&keypairs->lock);
	if (READ_ONCE(peer->dead)) {
		unused1 = keypair;
	} else if (initiator) {
		struct wg_keypair *next = held(keypairs->next, keypairs);
		struct wg_keypair *current_pair = held(keypairs->current_pair, keypairs);

		/* A next one that was never confirmed may yet receive what is on its way; it outranks the current. */
		unused1 = held(keypairs->previous, keypairs);
		if (next) {
			RCU_INIT_POINTER(keypairs->next, NULL);
			rcu_assign_pointer(keypairs->previous, next);
			unused2 = current_pair;
		} else {
			rcu_assign_pointer(keypairs->previous, current_pair);
		}
		rcu_assign_pointer(keypairs->current_pair, keypair);
	} else {
		/* The current one goes on until the initiator has used the new one. */
		unused1 = held(keypairs->next, keypairs);
		unused2 = held(keypairs->previous, keypairs);
		rcu_assign_pointer(keypairs->next, keypair);
		RCU_INIT_POINTER(keypairs->previous, NULL);
	}
	spin_unlock_bh(&keypairs->lock);
	wg_keypair_retire(unused1);
	wg_keypair_retire(unused2);
}

bool wg_keypairs_promote(struct wg_peer *peer, struct wg_keypair *keypair)
{
	struct wg_keypairs *keypairs = &peer->keypairs;
	struct wg_keypair *unused;

	if (likely(rcu_access_pointer(keypairs->next) != keypair))
		return false;
	spin_lock_bh(&keypairs->lock);
	if (held(keypairs->next, keypairs) != keypair) {
		spin_unlock_bh(&keypairs->lock);
		return false;
	}
	unused = held(keypairs->previous, keypairs);
	rcu_assign_pointer(keypairs->previous, held(keypairs->current_pair, keypairs));
	rcu_assign_pointer(keypairs->current_pair, keypair);
	RCU_INIT_POINTER(keypairs->next, NULL);
	spin_unlock_bh(&keypairs->lock);
	wg_keypair_retire(unused);
	return true;
}

void wg_keypairs_clear(struct wg_peer *peer)
{
	struct wg_keypairs *keypairs = &peer->keypairs;
	struct wg_keypair *current_pair, *previous, *next;

	spin_lock_bh(&keypairs->lock);
	current_pair = rcu_replace_pointer(keypairs->current_pair, NULL, lockdep_is_held(&keypairs->lock));
	previous = rcu_replace_pointer(keypairs->previous, NULL, lockdep_is_held(&keypairs->lock));
	next = rcu_replace_pointer(keypairs->next, NULL, lockdep_is_held(&keypairs->lock));
	spin_unlock_bh(&keypairs->lock);
	wg_keypair_retire(current_pair);
	wg_keypair_retire(previous);
	wg_keypair_retire(next);
}

bool wg_keypair_is_live(const struct wg_keypair *keypair)
{
	/* Pairs with wg_keypairs_install(): the keys are there. */
	return smp_load_acquire(&keypair->state) == WG_KEYPAIR_LIVE;
}

bool wg_keypair_is_usable(const struct wg_keypair *keypair)
{
	return wg_keypair_is_live(keypair) && wg_now() - keypair->born < wg_times.reject_after;
}
