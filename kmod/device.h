/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * device.h: a tunnel: the network device and what belongs to all of its peers. Locks in README.md.
 */
#ifndef WG_DEVICE_H
#define WG_DEVICE_H

#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/rhashtable.h>
#include <linux/rwsem.h>
#include "allowed_ips.h"
#include "cookie.h"
#include "noise.h"
#include "queueing.h"
#include "ratelimiter.h"

#define WG_PEERS_MAX BIT(20)
#define WG_MTU_DEFAULT (ETH_DATA_LEN - WG_OVERHEAD)
/* IPv6 and UDP headers, data message header, tag. */
#define WG_OVERHEAD (40 + 8 + 16 + 16)

struct wg_device {
	struct net_device *dev;
	struct mutex config_lock; /* of the configuration, see README.md */
	struct list_head entry; /* of all devices; under rtnl */

	/* Who we are. Written under config_lock and identity_lock. */
	struct rw_semaphore identity_lock;
	struct noise_identity identity;
	struct wg_cookie_checker cookies;

	/* Our peers. Written under config_lock, the tables read under RCU. */
	struct rhashtable peers;    /* by public key */
	struct rhashtable keypairs; /* by index */
	struct list_head peer_list;
	unsigned int peer_count;
	struct wg_allowed_ips allowed_ips;
	u64 generation; /* changes with every change of configuration; unique among all devices */

	/* Where we meet the world. sock4 and sock6 are read under RCU, written under config_lock. */
	struct sock __rcu *sock4, *sock6;
	struct net __rcu *creating_net; /* without a reference; NULL when it is gone */
	spinlock_t receive_lock; /* of who takes packets out of the sockets' queues, up to the peers' FIFOs */
	u16 port;
	u32 fwmark;

	/* Who does the work. */
	struct workqueue_struct *crypt_queue;
	struct workqueue_struct *handshake_queue;
	struct wg_crew sealers;
	struct wg_crew openers;
	struct wg_crew handshakers;
	atomic_t handshakes_waiting;
	atomic64_t under_load_until;
};

int wg_device_module_init(void);
void wg_device_module_exit(void);

/* The limiter of all devices. */
extern struct wg_ratelimiter wg_ratelimiter;

bool wg_device_is_ours(const struct net_device *dev);
/* Under config_lock, after each change that a dump could show. */
void wg_device_changed(struct wg_device *device);
/* Under config_lock. The way to every peer is looked for anew. */
void wg_device_forget_sources(struct wg_device *device);
/* Under config_lock. Zeros clear the key; all sessions end. */
void wg_device_set_private_key(struct wg_device *device, const u8 key[WG_KEY_SIZE]);

#endif
