/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * peer.h: another party: its key, its session, its endpoint, its queues.
 */
#ifndef WG_PEER_H
#define WG_PEER_H

#include <linux/in.h>
#include <linux/in6.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/netdevice.h>
#include <linux/rhashtable.h>
#include <linux/seqlock.h>
#include <linux/workqueue.h>
#include <net/dst_cache.h>
#include "cookie.h"
#include "keypairs.h"
#include "noise.h"
#include "queueing.h"
#include "timers.h"

struct wg_device;

/* Where the peer is, and from where it last heard us: replies keep to that address and interface. */
struct wg_endpoint {
	union {
		struct sockaddr addr;
		struct sockaddr_in addr4;
		struct sockaddr_in6 addr6;
	};
	union {
		struct {
			struct in_addr src4;
			int src_ifindex4;
		};
		struct in6_addr src6;
	};
};

struct wg_peer {
	struct wg_device *device;
	bool dead; /* set once; who reads it false under RCU is waited for */

	/* Sending. */
	struct wg_fifo sending;
	struct sk_buff_head staged; /* batches that wait for a session; under sending's lock */
	unsigned int staged_packets;
	struct wg_keypairs keypairs;
	seqlock_t endpoint_lock;
	struct wg_endpoint endpoint;
	struct dst_cache endpoint_cache;
	u16 keepalive_interval; /* seconds, 0: off */
	atomic64_t tx_bytes;

	/* Receiving. */
	struct wg_fifo receiving;
	struct napi_struct napi;
	atomic64_t rx_bytes;

	/* Shaking hands. */
	struct mutex handshake_lock;
	struct noise_handshake handshake;
	struct wg_keypair *nascent; /* of our initiation; under handshake_lock */
	struct wg_cookie_jar cookie_jar;
	struct wg_timers timers;
	atomic64_t last_initiation_sent; /* ns; 0: never */
	atomic64_t last_handshake; /* wall clock, ns; 0: never */
	struct work_struct initiation_work;
	struct work_struct clear_work;

	/* Identity and configuration, under config_lock. */
	u8 public_key[WG_KEY_SIZE];
	struct rhash_head key_node;
	struct list_head entry;
	struct list_head allowed_ips;
	u64 id;

	struct kref refs;
	struct rcu_head rcu;
};

int wg_peer_module_init(void);
void wg_peer_module_exit(void);

int wg_peer_table_init(struct rhashtable *table);

/* Under config_lock. ERR_PTR: -ENOMEM, -EEXIST, or the table is full. */
struct wg_peer *wg_peer_create(struct wg_device *device, const u8 public_key[WG_KEY_SIZE]);
/* Under config_lock. They sleep; afterwards nothing of ours uses the peer but through references. */
void wg_peer_remove(struct wg_peer *peer);
void wg_peer_remove_all(struct wg_device *device);

/* Within the caller's RCU section; no reference. */
struct wg_peer *wg_peer_find(struct wg_device *device, const u8 public_key[WG_KEY_SIZE]);
struct wg_peer *wg_peer_get(struct wg_peer *peer);
void wg_peer_put(struct wg_peer *peer);

/* Ends all sessions and the handshake. Process context. */
void wg_peer_clear_sessions(struct wg_peer *peer);
/* The same, from any context, later. */
void wg_peer_queue_clear(struct wg_peer *peer);

#endif
