/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * keypairs.h: sessions. A key pair is made when its handshake starts, so that its index, by which the other side
 * addresses us, belongs to one object for good: nascent while the handshake lasts, then live, then retired.
 */
#ifndef WG_KEYPAIRS_H
#define WG_KEYPAIRS_H

#include <linux/kref.h>
#include <linux/rhashtable.h>
#include <linux/spinlock.h>
#include "noise.h"
#include "replay.h"

struct wg_device;
struct wg_peer;

enum wg_keypair_state {
	WG_KEYPAIR_NASCENT,
	WG_KEYPAIR_LIVE,    /* the keys are set; release by wg_keypairs_install(), acquire by readers */
	WG_KEYPAIR_RETIRED, /* no longer found by its index; packets in flight with it are dropped */
};

struct wg_keypair {
	struct noise_keys keys;
	u64 send_counter; /* the next to use; under the lock of the peer's sending FIFO */
	u64 born; /* ns; when it went live */
	__le32 index;
	__le32 remote_index;
	u8 state;
	bool initiator;
	struct wg_peer *peer; /* a reference */
	struct kref refs;
	spinlock_t replay_lock; /* of replay */
	struct wg_replay replay;
	struct rhash_head node;
	struct rcu_head rcu;
	u64 id;
};

/* Of a peer. Written under lock, read under RCU. */
struct wg_keypairs {
	spinlock_t lock; /* of the three places, for those who write */
	struct wg_keypair __rcu *current_pair; /* sends and receives */
	struct wg_keypair __rcu *previous; /* still receives */
	struct wg_keypair __rcu *next; /* responder's: sends once the initiator has shown that it has the keys */
};

/* Per device: by index. */
int wg_keypair_table_init(struct rhashtable *table);
/* Without a reference: valid within the caller's RCU section. */
struct wg_keypair *wg_keypair_find(struct wg_device *device, __le32 index);

/* Nascent, with an index; the caller's reference. NULL: no memory. */
struct wg_keypair *wg_keypair_create(struct wg_peer *peer);
struct wg_keypair *wg_keypair_get(struct wg_keypair *keypair);
void wg_keypair_put(struct wg_keypair *keypair);

/* Sets the keys and installs it: the initiator's sends at once, the responder's is next. Takes the reference. */
void wg_keypairs_install(struct wg_peer *peer, struct wg_keypair *keypair, const struct noise_keys *keys,
			 bool initiator, __le32 remote_index);
/* Something came in with this key pair: if it is the next one, it becomes the current. True if it did. */
bool wg_keypairs_promote(struct wg_peer *peer, struct wg_keypair *keypair);
/* Retires them all. */
void wg_keypairs_clear(struct wg_peer *peer);
/* Not found by its index any more, not used any more; takes the reference of the place that held it. NULL is allowed. */
void wg_keypair_retire(struct wg_keypair *keypair);

bool wg_keypair_is_live(const struct wg_keypair *keypair);
/* Live, and younger than REJECT_AFTER_TIME. */
bool wg_keypair_is_usable(const struct wg_keypair *keypair);

#endif
