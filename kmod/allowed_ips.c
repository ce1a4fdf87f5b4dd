// SPDX-License-Identifier: GPL-2.0-only
/*
 * A binary trie with compressed paths: every node has a peer or two children (or both), so there are at most twice as
 * many nodes as prefixes and a lookup passes no more nodes than the prefix has nested ones and forks.
 */

#include <linux/errno.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/socket.h>
#include "allowed_ips.h"
#include "compat.h"

static struct kmem_cache *node_cache;

int wg_allowed_ips_module_init(void)
{
	node_cache = KMEM_CACHE(wg_prefix_node, 0);
	return node_cache ? 0 : -ENOMEM;
}

void wg_allowed_ips_module_exit(void)
{
	rcu_barrier();
	kmem_cache_destroy(node_cache);
}

static struct wg_bits bits_from(u8 family, const void *address)
{
	struct wg_bits bits = { 0, 0 };

	if (family == AF_INET) {
		bits.high = (u64)get_unaligned_be32(address) << 32;
	} else {
		bits.high = get_unaligned_be64(address);
		bits.low = get_unaligned_be64((const u8 *)address + 8);
	}
	return bits;
}

static struct wg_bits bits_head(struct wg_bits bits, u8 length)
{
	if (length < 64) {
		bits.high &= length ? ~0ULL << (64 - length) : 0;
		bits.low = 0;
	} else if (length < 128) {
		bits.low &= length > 64 ? ~0ULL << (128 - length) : 0;
	}
	return bits;
}

/* How many leading bits are equal. */
static u8 bits_common(struct wg_bits a, struct wg_bits b)
{
	if (a.high != b.high)
		return 63 - (fls64(a.high ^ b.high) - 1);
	if (a.low != b.low)
		return 127 - (fls64(a.low ^ b.low) - 1);
	return 128;
}

/* Bit number @at, counted from the front; past the end there is only one way to go, and no node takes it. */
static unsigned int bits_at(struct wg_bits bits, u8 at)
{
	if (at < 64)
		return (bits.high >> (63 - at)) & 1;
	return at < 128 ? (bits.low >> (127 - at)) & 1 : 0;
}

static bool node_covers(const struct wg_prefix_node *node, struct wg_bits bits)
{
	return bits_common(node->bits, bits) >= node->length;
}

static void node_free(struct rcu_head *rcu)
{
	kmem_cache_free(node_cache, container_of(rcu, struct wg_prefix_node, rcu));
}

static struct wg_prefix_node *node_create(u8 family, struct wg_bits bits, u8 length)
{
	struct wg_prefix_node *node = kmem_cache_zalloc(node_cache, GFP_KERNEL);

	if (!node)
		return NULL;
	node->bits = bits_head(bits, length);
	node->length = length;
	node->family = family;
	INIT_LIST_HEAD(&node->peer_entry);
	return node;
}

static void node_assign(struct wg_prefix_node *node, struct wg_peer *peer, struct list_head *entries)
{
	rcu_assign_pointer(node->peer, peer);
	if (peer)
		list_move_tail(&node->peer_entry, entries);
	else
		list_del_init(&node->peer_entry);
}

static struct wg_prefix_node __rcu **root_of(struct wg_allowed_ips *table, u8 family)
{
	return family == AF_INET ? &table->root4 : &table->root6;
}

static struct wg_prefix_node *follow(struct wg_prefix_node __rcu *link, struct mutex *lock)
{
	return rcu_dereference_protected(link, lockdep_is_held(lock));
}

int wg_allowed_ips_insert(struct wg_allowed_ips *table, u8 family, const void *address, u8 length,
			  struct wg_peer *peer, struct list_head *entries, struct mutex *lock)
{
	struct wg_prefix_node __rcu **link = root_of(table, family);
	struct wg_bits bits = bits_head(bits_from(family, address), length);
	struct wg_prefix_node *node, *added, *fork;
	u8 common = 0;

	if (length > (family == AF_INET ? 32 : 128))
		return -EINVAL;

	while ((node = follow(*link, lock))) {
		common = min3(bits_common(node->bits, bits), node->length, length);
		if (common < node->length)
			break;
		if (node->length == length) {
			node_assign(node, peer, entries);
			return 0;
		}
		link = &node->child[bits_at(bits, node->length)];
	}

	added = node_create(family, bits, length);
	if (!added)
		return -ENOMEM;
	if (node && common == length) {
		/* The new prefix contains the node. */
		RCU_INIT_POINTER(added->child[bits_at(node->bits, length)], node);
		fork = added;
	} else if (node) {
		fork = node_create(family, bits, common);
		if (!fork) {
			kmem_cache_free(node_cache, added);
			return -ENOMEM;
		}
		RCU_INIT_POINTER(fork->child[bits_at(node->bits, common)], node);
		RCU_INIT_POINTER(fork->child[bits_at(bits, common)], added);
	} else {
		fork = added;
	}
	node_assign(added, peer, entries);
	rcu_assign_pointer(*link, fork);
	return 0;
}

/* Takes the peer off the prefix, then the nodes out of the trie that have neither peer nor two children. */
static void erase(struct wg_prefix_node __rcu **root, struct wg_bits bits, u8 length, struct wg_peer *peer,
		  struct mutex *lock)
{
	struct wg_prefix_node __rcu **link = root, **parent_link = NULL;
	struct wg_prefix_node *node, *child, *parent = NULL;

	for (;;) {
		node = follow(*link, lock);
		if (!node || node->length > length || !node_covers(node, bits))
			return;
		if (node->length == length)
			break;
		parent = node;
		parent_link = link;
		link = &node->child[bits_at(bits, node->length)];
	}
	if (!peer || rcu_access_pointer(node->peer) != peer)
		return;
	node_assign(node, NULL, NULL);

	if (rcu_access_pointer(node->child[0]) && rcu_access_pointer(node->child[1]))
		return;
	child = follow(node->child[0], lock) ?: follow(node->child[1], lock);
	rcu_assign_pointer(*link, child);
	call_rcu(&node->rcu, node_free);
	if (child || !parent || rcu_access_pointer(parent->peer))
		return;
	/* The parent was a fork and has one child left: that takes its place. */
	child = follow(parent->child[0], lock) ?: follow(parent->child[1], lock);
	rcu_assign_pointer(*parent_link, child);
	call_rcu(&parent->rcu, node_free);
}

int wg_allowed_ips_remove(struct wg_allowed_ips *table, u8 family, const void *address, u8 length,
			  struct wg_peer *peer, struct mutex *lock)
{
	if (length > (family == AF_INET ? 32 : 128))
		return -EINVAL;
	erase(root_of(table, family), bits_head(bits_from(family, address), length), length, peer, lock);
	return 0;
}

void wg_allowed_ips_remove_all(struct wg_allowed_ips *table, struct list_head *entries, struct mutex *lock)
{
	struct wg_prefix_node *node, *next;

	list_for_each_entry_safe(node, next, entries, peer_entry)
		erase(root_of(table, node->family), node->bits, node->length,
		      rcu_dereference_protected(node->peer, lockdep_is_held(lock)), lock);
}

/* Readers hold RCU-bh or RCU; either keeps call_rcu from freeing. */
static struct wg_peer *find(struct wg_prefix_node __rcu *const *root, struct wg_bits bits)
{
	const struct wg_prefix_node *node = rcu_dereference_check(*root, rcu_read_lock_bh_held());
	struct wg_peer *found = NULL;

	while (node && node_covers(node, bits)) {
		struct wg_peer *peer = rcu_dereference_check(node->peer, rcu_read_lock_bh_held());

		if (peer)
			found = peer;
		node = rcu_dereference_check(node->child[bits_at(bits, node->length)], rcu_read_lock_bh_held());
	}
	return found;
}

struct wg_peer *wg_allowed_ips_lookup4(const struct wg_allowed_ips *table, __be32 address)
{
	return find(&table->root4, bits_from(AF_INET, &address));
}

struct wg_peer *wg_allowed_ips_lookup6(const struct wg_allowed_ips *table, const void *address)
{
	return find(&table->root6, bits_from(AF_INET6, address));
}

u8 wg_prefix_node_read(const struct wg_prefix_node *node, u8 address[16], u8 *length)
{
	put_unaligned_be64(node->bits.high, address);
	put_unaligned_be64(node->bits.low, address + 8);
	*length = node->length;
	return node->family;
}
