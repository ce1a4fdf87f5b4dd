/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * allowed_ips.h: which peer an address belongs to: longest prefix match, the cryptokey routing table (WG 2).
 * Readers hold RCU (any flavour). Writers hold the device's config_lock.
 */
#ifndef WG_ALLOWED_IPS_H
#define WG_ALLOWED_IPS_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>

struct wg_peer;
struct wg_prefix_node;

/* Empty when it is zeros. */
struct wg_allowed_ips {
	struct wg_prefix_node __rcu *root4;
	struct wg_prefix_node __rcu *root6;
};

/* An address as 128 bits, the first one highest; an IPv4 address fills the first 32. */
struct wg_bits {
	u64 high, low;
};

struct wg_prefix_node {
	struct wg_prefix_node __rcu *child[2];
	struct wg_peer __rcu *peer; /* NULL: only a fork */
	struct wg_bits bits;
	u8 length;
	u8 family;
	struct list_head peer_entry;
	struct rcu_head rcu;
};

int wg_allowed_ips_module_init(void);
void wg_allowed_ips_module_exit(void);

/* @address is 4 or 16 octets in network order. An equal prefix of another peer moves to @peer. -ENOMEM, -EINVAL. */
int wg_allowed_ips_insert(struct wg_allowed_ips *table, u8 family, const void *address, u8 length,
			  struct wg_peer *peer, struct list_head *entries, struct mutex *lock);
/* Removes the prefix if it is @peer's; otherwise nothing. */
int wg_allowed_ips_remove(struct wg_allowed_ips *table, u8 family, const void *address, u8 length,
			  struct wg_peer *peer, struct mutex *lock);
void wg_allowed_ips_remove_all(struct wg_allowed_ips *table, struct list_head *entries, struct mutex *lock);

/* The peer, without a reference: valid as long as the caller's RCU section. */
struct wg_peer *wg_allowed_ips_lookup4(const struct wg_allowed_ips *table, __be32 address);
struct wg_peer *wg_allowed_ips_lookup6(const struct wg_allowed_ips *table, const void *address);

/* For dumps: the prefix of a node on a peer's list. Returns the family. */
u8 wg_prefix_node_read(const struct wg_prefix_node *node, u8 address[16], u8 *length);

#endif
