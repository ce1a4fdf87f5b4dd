// SPDX-License-Identifier: GPL-2.0-only

#include <linux/slab.h>
#include "allowed_ips.h"
#include "compat.h"
#include "device.h"
#include "peer.h"
#include "receive.h"
#include "send.h"
#include "socket.h"

static struct kmem_cache *peer_cache;
static atomic64_t last_id = ATOMIC64_INIT(0);

static const struct rhashtable_params key_params = {
	.key_len = WG_KEY_SIZE,
	.key_offset = offsetof(struct wg_peer, public_key),
	.head_offset = offsetof(struct wg_peer, key_node),
	.automatic_shrinking = true,
};

int wg_peer_module_init(void)
{
	peer_cache = KMEM_CACHE(wg_peer, 0);
	return peer_cache ? 0 : -ENOMEM;
}

void wg_peer_module_exit(void)
{
	rcu_barrier();
	kmem_cache_destroy(peer_cache);
}

int wg_peer_table_init(struct rhashtable *table)
{
	return rhashtable_init(table, &key_params);
}

struct wg_peer *wg_peer_find(struct wg_device *device, const u8 public_key[WG_KEY_SIZE])
{
	return rhashtable_lookup(&device->peers, public_key, key_params);
}

struct wg_peer *wg_peer_get(struct wg_peer *peer)
{
	kref_get(&peer->refs);
	return peer;
}

static void free_after_grace(struct rcu_head *rcu)
{
	struct wg_peer *peer = container_of(rcu, struct wg_peer, rcu);

	memzero_explicit(peer, sizeof(*peer));
	kmem_cache_free(peer_cache, peer);
}

static void release(struct kref *refs)
{
	struct wg_peer *peer = container_of(refs, struct wg_peer, refs);

	pr_debug("peer %llu destroyed\n", peer->id);
	dst_cache_destroy(&peer->endpoint_cache);
	call_rcu(&peer->rcu, free_after_grace);
}

void wg_peer_put(struct wg_peer *peer)
{
	kref_put(&peer->refs, release);
}

static void clear_work(struct work_struct *work)
{
	struct wg_peer *peer = container_of(work, struct wg_peer, clear_work);

	pr_debug("%s: keys of peer %llu are zeroed, they are too old\n", peer->device->dev->name, peer->id);
	wg_peer_clear_sessions(peer);
	wg_peer_put(peer);
}

void wg_peer_queue_clear(struct wg_peer *peer)
{
	wg_peer_get(peer);
	if (!queue_work(peer->device->handshake_queue, &peer->clear_work))
		wg_peer_put(peer);
}

void wg_peer_clear_sessions(struct wg_peer *peer)
{
	struct wg_keypair *nascent;

	mutex_lock(&peer->handshake_lock);
	noise_handshake_clear(&peer->handshake);
	nascent = peer->nascent;
	peer->nascent = NULL;
	mutex_unlock(&peer->handshake_lock);
	wg_keypair_retire(nascent);
	wg_keypairs_clear(peer);
}

struct wg_peer *wg_peer_create(struct wg_device *device, const u8 public_key[WG_KEY_SIZE])
{
	struct wg_peer *peer;
	int err;

	lockdep_assert_held(&device->config_lock);
	if (device->peer_count >= WG_PEERS_MAX)
		return ERR_PTR(-ENOSPC);
	peer = kmem_cache_zalloc(peer_cache, GFP_KERNEL);
	if (!peer)
		return ERR_PTR(-ENOMEM);
	err = dst_cache_init(&peer->endpoint_cache, GFP_KERNEL);
	if (err)
		goto err_free;

	peer->device = device;
	peer->id = atomic64_inc_return(&last_id);
	kref_init(&peer->refs);
	memcpy(peer->public_key, public_key, WG_KEY_SIZE);
	wg_fifo_init(&peer->sending);
	wg_fifo_init(&peer->receiving);
	__skb_queue_head_init(&peer->staged);
	spin_lock_init(&peer->keypairs.lock);
	seqlock_init(&peer->endpoint_lock);
	mutex_init(&peer->handshake_lock);
	noise_handshake_init(&peer->handshake, public_key);
	wg_cookie_jar_init(&peer->cookie_jar, public_key);
	wg_timers_init(peer);
	INIT_WORK(&peer->initiation_work, wg_send_initiation_work);
	INIT_WORK(&peer->clear_work, clear_work);
	INIT_LIST_HEAD(&peer->allowed_ips);
	/* Nobody busy-polls a tunnel, and the table of those who might is not made for thousands. */
	set_bit(NAPI_STATE_NO_BUSY_POLL, &peer->napi.state);
	netif_napi_add(device->dev, &peer->napi, wg_receive_poll);
	napi_enable(&peer->napi);

	err = rhashtable_lookup_insert_fast(&device->peers, &peer->key_node, key_params);
	if (err)
		goto err_napi;
	list_add_tail(&peer->entry, &device->peer_list);
	++device->peer_count;
	pr_debug("%s: peer %llu created\n", device->dev->name, peer->id);
	return peer;

err_napi:
	napi_disable(&peer->napi);
	__netif_napi_del(&peer->napi);
	synchronize_net();
	dst_cache_destroy(&peer->endpoint_cache);
err_free:
	memzero_explicit(peer, sizeof(*peer));
	kmem_cache_free(peer_cache, peer);
	return ERR_PTR(err);
}

/*
 * Removal, in the steps of the argument in README.md ("Teardown"). First: nobody finds it any more, and who found it
 * before either saw it dead or is waited for (by the caller, once for many peers).
 */
static void unlink_peer(struct wg_peer *peer, struct list_head *removed)
{
	struct wg_device *device = peer->device;

	lockdep_assert_held(&device->config_lock);
	list_move_tail(&peer->entry, removed);
	--device->peer_count;
	wg_allowed_ips_remove_all(&device->allowed_ips, &peer->allowed_ips, &device->config_lock);
	rhashtable_remove_fast(&device->peers, &peer->key_node, key_params);
	WRITE_ONCE(peer->dead, true);
}

/* Then, after the grace period, for all of them at once: */
static void retire_peers(struct wg_device *device, struct list_head *removed)
{
	struct wg_peer *peer, *next;

	if (list_empty(removed))
		return;
	synchronize_net();

	list_for_each_entry(peer, removed, entry) {
		/* No timer runs or will: set_due() refuses the dead. */
		wg_timers_stop(peer);
		/* No new work: the queueing functions refuse the dead; work already queued or running ends here. */
		if (cancel_work_sync(&peer->clear_work))
			wg_peer_put(peer);
		if (cancel_work_sync(&peer->initiation_work))
			wg_peer_put(peer);
	}
	/* Messages that a handshaker was working on when the peer died: the next steps refuse it. */
	flush_workqueue(device->handshake_queue);
	list_for_each_entry(peer, removed, entry) {
		wg_peer_clear_sessions(peer);
		wg_send_drop_staged(peer);
	}
	/* Batches on their way through the crews arrive in the FIFOs; then nothing wakes the NAPI any more. */
	flush_workqueue(device->crypt_queue);
	list_for_each_entry(peer, removed, entry) {
		napi_disable(&peer->napi);
		__netif_napi_del(&peer->napi);
	}
	/* Drainers that lost the trylock race, and __netif_napi_del()'s readers. */
	synchronize_net();
	list_for_each_entry_safe(peer, next, removed, entry) {
		list_del_init(&peer->entry);
		wg_fifo_purge(&peer->receiving);
		wg_fifo_purge(&peer->sending);
		wg_peer_put(peer);
	}
}

void wg_peer_remove(struct wg_peer *peer)
{
	struct wg_device *device = peer->device;
	LIST_HEAD(removed);

	unlink_peer(peer, &removed);
	retire_peers(device, &removed);
}

void wg_peer_remove_all(struct wg_device *device)
{
	struct wg_peer *peer, *next;
	LIST_HEAD(removed);

	list_for_each_entry_safe(peer, next, &device->peer_list, entry)
		unlink_peer(peer, &removed);
	retire_peers(device, &removed);
}
