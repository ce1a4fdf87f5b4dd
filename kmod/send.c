// SPDX-License-Identifier: GPL-2.0-only
/*
 * The way of a packet: wg_send_xmit() finds the peer and splits GSO packets; wg_send_staged() gives the batch its
 * counters and its place in the peer's FIFO; a crew member (or, for something small, the sender itself) seals it;
 * wg_send_drain() sends what is done, in order. A batch of several leaves as one UDP GSO packet: it passes the stack
 * below once, and a device or its neighbour (veth, virtio) may take it whole.
 */

#include <crypto/chacha20poly1305.h>
#include <crypto/curve25519.h>
#include <linux/icmpv6.h>
#include <linux/mm.h>
#include <net/dst_metadata.h>
#include <net/icmp.h>
#include <net/ip.h>
#include <net/ip_tunnels.h>
#include "allowed_ips.h"
#include "compat.h"
#include "device.h"
#include "peer.h"
#include "receive.h"
#include "send.h"
#include "socket.h"
#include "timers.h"

/* Handshakes. */

void wg_send_queue_initiation(struct wg_peer *peer, bool retry)
{
	u64 last;

	if (!retry)
		peer->timers.handshake_attempts = 0;
	rcu_read_lock_bh();
	last = atomic64_read(&peer->last_initiation_sent);
	if (!READ_ONCE(peer->dead) && (!last || wg_now() - last >= wg_times.rekey_timeout)) {
		wg_peer_get(peer);
		if (!queue_work(peer->device->handshake_queue, &peer->initiation_work))
			wg_peer_put(peer);
	}
	rcu_read_unlock_bh();
}

static void send_handshake(struct wg_peer *peer, void *msg, size_t len)
{
	wg_cookie_sign(&peer->cookie_jar, msg, len, wg_now());
	wg_timers_authenticated_sent(peer);
	wg_socket_send_buffer(peer, msg, len, WG_HANDSHAKE_DS);
}

static void send_initiation(struct wg_peer *peer)
{
	struct wg_device *device = peer->device;
	struct wg_keypair *keypair, *before = NULL;
	u8 ephemeral[WG_KEY_SIZE], timestamp[WG_TIMESTAMP_SIZE];
	struct wg_msg_initiation msg;
	struct timespec64 wall;
	const u64 now = wg_now(), last = atomic64_read(&peer->last_initiation_sent);
	bool good = false;

	if (last && now - last < wg_times.rekey_timeout)
		return;
	atomic64_set(&peer->last_initiation_sent, now);

	keypair = wg_keypair_create(peer);
	if (!keypair)
		return;
	curve25519_generate_secret(ephemeral);
	ktime_get_real_ts64(&wall);
	noise_timestamp(timestamp, wall.tv_sec, wall.tv_nsec);

	down_read(&device->identity_lock);
	mutex_lock(&peer->handshake_lock);
	if (!READ_ONCE(peer->dead) && noise_create_initiation(&peer->handshake, &device->identity, ephemeral, timestamp,
							      keypair->index, &msg)) {
		before = peer->nascent;
		peer->nascent = keypair;
		keypair = NULL;
		good = true;
	}
	mutex_unlock(&peer->handshake_lock);
	up_read(&device->identity_lock);
	memzero_explicit(ephemeral, sizeof(ephemeral));
	wg_keypair_retire(before);
	wg_keypair_retire(keypair);
	if (!good)
		return;

	pr_debug("%s: sending a handshake initiation to peer %llu\n", device->dev->name, peer->id);
	send_handshake(peer, &msg, sizeof(msg));
	wg_timers_handshake_initiated(peer);
}

void wg_send_initiation_work(struct work_struct *work)
{
	struct wg_peer *peer = container_of(work, struct wg_peer, initiation_work);

	send_initiation(peer);
	wg_peer_put(peer);
}

void wg_send_response(struct wg_peer *peer)
{
	struct wg_keypair *keypair = wg_keypair_create(peer);
	u8 ephemeral[WG_KEY_SIZE];
	struct wg_msg_response msg;
	struct noise_keys keys;
	__le32 remote_index;
	bool good;

	if (!keypair)
		return;
	atomic64_set(&peer->last_initiation_sent, wg_now());
	curve25519_generate_secret(ephemeral);
	mutex_lock(&peer->handshake_lock);
	remote_index = peer->handshake.remote_index;
	good = noise_create_response(&peer->handshake, ephemeral, keypair->index, &msg) &&
	       noise_split(&peer->handshake, &keys);
	/* Under the lock, as in receive_response(). */
	if (good)
		wg_keypairs_install(peer, keypair, &keys, false, remote_index);
	mutex_unlock(&peer->handshake_lock);
	memzero_explicit(&keys, sizeof(keys));
	memzero_explicit(ephemeral, sizeof(ephemeral));
	if (!good) {
		wg_keypair_retire(keypair);
		return;
	}

	pr_debug("%s: sending a handshake response to peer %llu\n", peer->device->dev->name, peer->id);
	wg_timers_session_derived(peer);
	send_handshake(peer, &msg, sizeof(msg));
}

void wg_send_cookie_reply(struct wg_device *device, const struct sk_buff *in, __le32 receiver)
{
	struct wg_cookie_source source;
	struct wg_msg_cookie reply;

	wg_receive_source(in, &source);
	if (wg_cookie_reply(&device->cookies, &source, in->data, in->len, receiver, wg_now(),
			    wg_times.cookie_secret_age, &reply))
		wg_socket_reply(device, in, &reply, sizeof(reply));
}

/* Sealing. */

/* The traces of the inner packet that must not follow it out, or that would confuse the outer stack. */
static void scrub(struct sk_buff *skb)
{
	skb_scrub_packet(skb, true);
	skb_gso_reset(skb);
	skb->encapsulation = 0;
	skb->ip_summed = CHECKSUM_NONE;
	skb->csum_level = 0;
	skb->csum_not_inet = 0;
	skb->queue_mapping = 0;
	__vlan_hwaccel_clear_tag(skb);
	skb_reset_inner_headers(skb);
}

static void write_header(struct wg_msg_data *header, const struct wg_keypair *keypair, u64 counter)
{
	header->type = cpu_to_le32(WG_MSG_DATA);
	header->receiver = keypair->remote_index;
	header->counter = cpu_to_le64(counter);
}

/* One packet, in its own memory. */
static bool seal_in_place(struct sk_buff *skb, const struct wg_keypair *keypair, u64 counter, u32 mtu)
{
	const unsigned int len = skb->len, padded = wg_padded_len(len, mtu);
	const unsigned int tail = padded - len + WG_TAG_SIZE;
	u8 *data;

	if (skb->ip_summed == CHECKSUM_PARTIAL && skb_checksum_help(skb))
		return false;
	if (skb_linearize(skb))
		return false;
	if (skb_cloned(skb) || skb_headroom(skb) < WG_HEADROOM || skb_tailroom(skb) < tail) {
		int more_head = max_t(int, 0, WG_HEADROOM - skb_headroom(skb));
		int more_tail = max_t(int, 0, tail - skb_tailroom(skb));

		if (pskb_expand_head(skb, SKB_DATA_ALIGN(more_head), more_tail, GFP_ATOMIC))
			return false;
	}
	data = skb->data;
	memset(__skb_put(skb, tail), 0, padded - len);
	write_header(__skb_push(skb, sizeof(struct wg_msg_data)), keypair, counter);
	chacha20poly1305_encrypt(data, data, padded, NULL, 0, counter, keypair->keys.sending);
	scrub(skb);
	return true;
}

/*
 * The sealed packet holds what its parts held: the sender's socket goes on being charged until the wire has them.
 * Either all parts are charged alike (TCP) or the last one alone for all of them.
 */
static void take_charge(struct sk_buff *sealed, struct sk_buff *part)
{
	if (!part->destructor)
		return;
	if (!sealed->destructor) {
		sealed->destructor = part->destructor;
		sealed->sk = part->sk;
		sealed->truesize = part->truesize;
	} else if (sealed->destructor == part->destructor && sealed->sk == part->sk) {
		sealed->truesize += part->truesize;
	} else {
		return;
	}
	part->destructor = NULL;
	part->sk = NULL;
}

/* Room for one sealed packet of @len octets at the end of @sealed, or NULL if it takes no more. */
static u8 *grow(struct sk_buff *sealed, struct page_frag *memory, unsigned int len)
{
	struct skb_shared_info *shared = skb_shinfo(sealed);
	int last = shared->nr_frags - 1;
	u8 *room;

	if (!skb_page_frag_refill(len, memory, GFP_ATOMIC) || memory->size - memory->offset < len)
		return NULL;
	if (last >= 0 && skb_can_coalesce(sealed, last + 1, memory->page, memory->offset)) {
		skb_frag_size_add(&shared->frags[last], len);
	} else {
		if (last + 1 >= MAX_SKB_FRAGS)
			return NULL;
		get_page(memory->page);
		skb_fill_page_desc(sealed, last + 1, memory->page, memory->offset, len);
	}
	room = page_address(memory->page) + memory->offset;
	memory->offset += len;
	sealed->len += len;
	sealed->data_len += len;
	return room;
}

/* The parts are complete: make it a GSO packet for UDP, if it has several. */
static void finish_merged(struct sk_buff *sealed, unsigned int part_len, unsigned int parts)
{
	/* An uncharged one pays for its memory like any other. */
	if (!sealed->destructor)
		sealed->truesize += sealed->data_len;
	if (parts < 2)
		return;
	skb_shinfo(sealed)->gso_type = SKB_GSO_UDP_L4;
	skb_shinfo(sealed)->gso_size = part_len;
	skb_shinfo(sealed)->gso_segs = parts;
	/* For the UDP header that udp_tunnel_xmit_skb() is going to put in front. */
	sealed->ip_summed = CHECKSUM_PARTIAL;
	sealed->csum_start = skb_headroom(sealed) - sizeof(struct udphdr);
	sealed->csum_offset = offsetof(struct udphdr, check);
}

/*
 * Several packets, from their memory into pages that one outgoing packet carries. All of one GSO packet have one length
 * but for the last, so in nearly all cases one comes out; where that is not so, or the pages are scattered, more do.
 */
static struct sk_buff *seal_merged(struct sk_buff *parts, const struct wg_keypair *keypair, u64 counter, u32 mtu,
				   struct page_frag *memory)
{
	struct sk_buff *first = NULL, *sealed = NULL, **end = &first, *part, *next;
	unsigned int count = 0, part_len = 0;

	skb_list_walk_safe(parts, part, next) {
		const unsigned int len = part->len, padded = wg_padded_len(len, mtu);
		const unsigned int whole = wg_data_message_len(padded);
		const u8 *plain;
		u8 *room = NULL;

		if ((part->ip_summed == CHECKSUM_PARTIAL && skb_checksum_help(part)) || skb_linearize(part))
			goto fail;
		plain = part->data;
		if (sealed && whole <= part_len && sealed->len == count * part_len && count < WG_BATCH_MAX &&
		    sealed->len + whole + sizeof(struct udphdr) + sizeof(struct ipv6hdr) <= U16_MAX)
			room = grow(sealed, memory, whole);
		if (!room) {
			if (sealed)
				finish_merged(sealed, part_len, count);
			sealed = alloc_skb(WG_OUTER_HEADROOM, GFP_ATOMIC);
			if (!sealed)
				goto fail;
			skb_reserve(sealed, WG_OUTER_HEADROOM);
			*end = sealed;
			end = &sealed->next;
			room = grow(sealed, memory, whole);
			if (!room)
				goto fail;
			sealed->priority = part->priority;
			skb_copy_hash(sealed, part);
			skb_reset_inner_headers(sealed);
			part_len = whole;
			count = 0;
		}
		write_header((struct wg_msg_data *)room, keypair, counter);
		room += sizeof(struct wg_msg_data);
		if (padded != len) {
			/* The cipher wants its padding behind the plain text. */
			memcpy(room, plain, len);
			memset(room + len, 0, padded - len);
			plain = room;
		}
		chacha20poly1305_encrypt(room, plain, padded, NULL, 0, counter, keypair->keys.sending);
		take_charge(sealed, part);
		++count;
		++counter;
	}
	finish_merged(sealed, part_len, count);
	return first;
fail:
	kfree_skb_list(first);
	return NULL;
}

static bool seal(struct sk_buff *batch, struct page_frag *memory)
{
	struct wg_packet *packet = wg_packet(batch);
	const struct wg_keypair *keypair = packet->keypair;
	struct sk_buff *parts, *sealed;

	if (unlikely(!wg_keypair_is_live(keypair)))
		return false;
	if (packet->count == 1)
		return seal_in_place(batch, keypair, packet->counter, packet->mtu);

	/* The head stays in the FIFO, where its next pointer serves: its packet goes through a copy of the head. */
	parts = skb_clone(batch, GFP_ATOMIC);
	if (!parts)
		return false;
	take_charge(parts, batch);
	parts->next = packet->rest;
	packet->rest = NULL;
	sealed = seal_merged(parts, keypair, packet->counter, packet->mtu, memory);
	kfree_skb_list(parts);
	packet->rest = sealed;
	return sealed;
}

/* Sending. */

static void keep_key_fresh(struct wg_peer *peer, const struct wg_keypair *keypair, u64 sent)
{
	/* WG 6.2: the initiator of a session renews it, and after very many messages either side does. */
	if (unlikely(sent > WG_REKEY_AFTER_MESSAGES ||
		     (keypair->initiator && wg_now() - keypair->born >= wg_times.rekey_after)))
		wg_send_queue_initiation(peer, false);
}

static void send_batch(struct wg_peer *peer, struct sk_buff *batch)
{
	struct wg_packet packet = *wg_packet(batch);
	struct wg_device *device = peer->device;
	struct sk_buff *skb, *next, *list;
	const bool merged = packet.count > 1;
	bool data = true;
	u64 bytes = 0;

	if (unlikely(packet.state == WG_BATCH_DEAD)) {
		DEV_STATS_INC(device->dev, tx_dropped);
		wg_batch_free(batch);
		return;
	}
	if (merged) {
		list = packet.rest;
		consume_skb(batch);
	} else {
		list = batch;
		skb_mark_not_on_list(batch);
		data = batch->len > wg_data_message_len(0);
	}
	wg_timers_authenticated_sent(peer);
	skb_list_walk_safe(list, skb, next) {
		const unsigned int len = skb->len;

		if (likely(!wg_socket_send(peer, skb, packet.ds)))
			bytes += len;
		else
			DEV_STATS_INC(device->dev, tx_errors);
	}
	if (likely(bytes)) {
		atomic64_add(bytes, &peer->tx_bytes);
		dev_sw_netstats_tx_add(device->dev, packet.count, bytes);
		if (data)
			wg_timers_data_sent(peer);
	}
	wg_keypair_put(packet.keypair);
}

/*
 * Sends what is done at the head of the FIFO. One at a time does: who does not get the lock leaves the work to the one
 * who has it, who looks again after letting go. Each side has a full barrier between its store (the state of a batch;
 * the lock) and its look at the other's. Nested calls on one CPU (a tunnel in a tunnel) end at the trylock as well.
 */
static void wg_send_drain(struct wg_peer *peer)
{
	struct wg_fifo *fifo = &peer->sending;
	struct sk_buff *batch;

	rcu_read_lock_bh();
	do {
		if (!spin_trylock(&fifo->drain_lock))
			break;
		while ((batch = wg_fifo_pop_done(fifo)))
			send_batch(peer, batch);
		spin_unlock(&fifo->drain_lock);
		/* Letting go comes before the look: pairs with the barrier in wg_batch_finish(). */
		smp_mb();
	} while (wg_fifo_head_is_done(fifo));
	rcu_read_unlock_bh();
}

static void seal_and_send(struct sk_buff *batch, struct page_frag *memory)
{
	struct wg_peer *peer = wg_packet(batch)->keypair->peer;
	bool good = seal(batch, memory);

	/* The batch holds the peer; it may be sent and gone as soon as it is done. */
	wg_peer_get(peer);
	wg_batch_finish(batch, good ? WG_BATCH_DONE : WG_BATCH_DEAD);
	wg_send_drain(peer);
	wg_peer_put(peer);
}

void wg_send_seal(struct wg_crew_member *member, struct sk_buff *batch)
{
	seal_and_send(batch, &member->memory);
}

/* Sealing where we stand takes stack; a tunnel in a tunnel does without. */
static DEFINE_PER_CPU(int, inline_depth);

/*
 * Moves staged batches into the FIFO, each with its counters, under the FIFO's lock: the order of counters is the order
 * of sending. Stops at one to be sealed here, which is returned.
 */
static struct sk_buff *admit(struct wg_peer *peer, struct wg_keypair *keypair, bool *starved, bool *dropped)
{
	struct sk_buff *batch;

	while ((batch = skb_peek(&peer->staged))) {
		struct wg_packet *packet = wg_packet(batch);
		const bool small = packet->count == 1 && batch->len <= WG_INLINE_LENGTH;
		const bool first = wg_fifo_is_empty(&peer->sending);

		if (!keypair || keypair->send_counter + packet->count > WG_REJECT_AFTER_MESSAGES) {
			*starved = true;
			break;
		}
		__skb_unlink(batch, &peer->staged);
		peer->staged_packets -= packet->count;
		packet->keypair = wg_keypair_get(keypair);
		packet->counter = keypair->send_counter;
		keypair->send_counter += packet->count;
		packet->state = WG_BATCH_PENDING;
		if (READ_ONCE(peer->dead) || !wg_fifo_push(&peer->sending, batch)) {
			DEV_STATS_INC(peer->device->dev, tx_dropped);
			wg_batch_free(batch);
		} else if (small && first && !this_cpu_read(inline_depth)) {
			return batch;
		} else if (!wg_crew_push(&peer->device->sealers, batch)) {
			wg_batch_finish(batch, WG_BATCH_DEAD);
			*dropped = true;
		}
	}
	return NULL;
}

void wg_send_staged(struct wg_peer *peer)
{
	bool starved = false, dropped = false;
	struct wg_keypair *keypair;
	struct sk_buff *here;
	u64 sent;

	rcu_read_lock_bh();
	keypair = rcu_dereference_bh(peer->keypairs.current_pair);
	if (keypair && (!wg_keypair_is_usable(keypair) || !wg_keypair_get(keypair)))
		keypair = NULL;
	do {
		spin_lock(&peer->sending.batches.lock);
		here = admit(peer, keypair, &starved, &dropped);
		sent = keypair ? keypair->send_counter : 0;
		spin_unlock(&peer->sending.batches.lock);
		if (here) {
			this_cpu_inc(inline_depth);
			seal_and_send(here, NULL);
			this_cpu_dec(inline_depth);
		}
	} while (here);
	if (dropped)
		wg_send_drain(peer);
	if (keypair) {
		keep_key_fresh(peer, keypair, sent);
		wg_keypair_put(keypair);
	}
	rcu_read_unlock_bh();
	if (starved)
		wg_send_queue_initiation(peer, false);
}

static struct sk_buff *make_batch(struct sk_buff *head, struct sk_buff *rest, unsigned int count, u32 mtu, u8 ds)
{
	struct wg_packet *packet = wg_packet(head);

	memset(packet, 0, sizeof(*packet));
	packet->rest = rest;
	packet->count = count;
	packet->mtu = mtu;
	packet->ds = ds;
	return head;
}

static void stage(struct wg_peer *peer, struct sk_buff *batch)
{
	struct sk_buff_head excess;
	struct sk_buff *old;

	__skb_queue_head_init(&excess);
	spin_lock_bh(&peer->sending.batches.lock);
	if (unlikely(READ_ONCE(peer->dead))) {
		__skb_queue_tail(&excess, batch);
	} else {
		__skb_queue_tail(&peer->staged, batch);
		peer->staged_packets += wg_packet(batch)->count;
		while (peer->staged_packets > WG_STAGED_PACKETS) {
			old = __skb_dequeue(&peer->staged);
			peer->staged_packets -= wg_packet(old)->count;
			__skb_queue_tail(&excess, old);
		}
	}
	spin_unlock_bh(&peer->sending.batches.lock);
	while ((old = __skb_dequeue(&excess))) {
		DEV_STATS_INC(peer->device->dev, tx_dropped);
		wg_batch_free(old);
	}
}

void wg_send_drop_staged(struct wg_peer *peer)
{
	struct sk_buff_head dropped;
	struct sk_buff *batch;

	__skb_queue_head_init(&dropped);
	spin_lock_bh(&peer->sending.batches.lock);
	skb_queue_splice_init(&peer->staged, &dropped);
	peer->staged_packets = 0;
	spin_unlock_bh(&peer->sending.batches.lock);
	while ((batch = __skb_dequeue(&dropped)))
		wg_batch_free(batch);
}

void wg_send_keepalive(struct wg_peer *peer)
{
	struct sk_buff *skb;

	/* What waits is as good as a keepalive. */
	if (skb_queue_empty_lockless(&peer->staged)) {
		skb = alloc_skb(WG_HEADROOM + WG_TAG_SIZE, GFP_ATOMIC);
		if (!skb)
			return;
		skb_reserve(skb, WG_HEADROOM);
		stage(peer, make_batch(skb, NULL, 1, 0, 0));
	}
	wg_send_staged(peer);
}

/* ndo_start_xmit */

static struct wg_peer *peer_for(struct wg_device *device, const struct sk_buff *skb)
{
	if (skb->protocol == htons(ETH_P_IP))
		return wg_allowed_ips_lookup4(&device->allowed_ips, ip_hdr(skb)->daddr);
	return wg_allowed_ips_lookup6(&device->allowed_ips, &ipv6_hdr(skb)->daddr);
}

static void tell_unreachable(struct sk_buff *skb)
{
	if (skb->protocol == htons(ETH_P_IP))
		icmp_ndo_send(skb, ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, 0);
	else if (skb->protocol == htons(ETH_P_IPV6))
		icmpv6_ndo_send(skb, ICMPV6_DEST_UNREACH, ICMPV6_ADDR_UNREACH, 0);
}

/* No session to send in: the packets may wait long, and must not block their sockets meanwhile. */
static void orphan(struct sk_buff *batch)
{
	struct sk_buff *part;

	skb_orphan(batch);
	for (part = wg_packet(batch)->rest; part; part = part->next)
		skb_orphan(part);
}

/* Cuts a list of packets into batches and stages them. */
static void stage_list(struct wg_peer *peer, struct sk_buff *list, u32 mtu, u8 ds, bool wait)
{
	while (list) {
		struct sk_buff *head = list, *last = list, *batch;
		unsigned int count = 1;

		while (count < wg_batch_limit && last->next) {
			last = last->next;
			++count;
		}
		list = last->next;
		last->next = NULL;
		batch = make_batch(head, count > 1 ? head->next : NULL, count, mtu, ds);
		skb_mark_not_on_list(head);
		if (wait)
			orphan(batch);
		stage(peer, batch);
	}
}

netdev_tx_t wg_send_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct wg_device *device = netdev_priv(dev);
	struct wg_keypair *keypair;
	struct wg_peer *peer;
	struct sk_buff *list;
	u32 mtu;
	u8 ds;

	if (unlikely(!pskb_network_may_pull(skb, sizeof(struct iphdr)) ||
		     ip_tunnel_parse_protocol(skb) != skb->protocol))
		goto drop;
	/* The stack calls us under RCU-bh: the peer stays. */
	peer = peer_for(device, skb);
	if (unlikely(!peer)) {
		net_dbg_ratelimited("%s: no peer has the destination among its allowed IPs\n", dev->name);
		goto unreachable;
	}
	if (unlikely(!wg_endpoint_is_set(peer))) {
		net_dbg_ratelimited("%s: peer %llu has no endpoint\n", dev->name, peer->id);
		goto unreachable;
	}

	mtu = skb_valid_dst(skb) ? dst_mtu(skb_dst(skb)) : dev->mtu;
	/* RFC 6040: only the congestion bits are copied out. */
	ds = ip_tunnel_ecn_encap(0, ip_hdr(skb), skb);

	if (skb_is_gso(skb)) {
		list = skb_gso_segment(skb, 0);
		if (IS_ERR_OR_NULL(list))
			goto drop;
		consume_skb(skb);
	} else {
		list = skb_share_check(skb, GFP_ATOMIC);
		if (!list)
			return NETDEV_TX_OK;
		skb_mark_not_on_list(list);
	}
	for (skb = list; skb; skb = skb->next)
		skb_dst_drop(skb);

	keypair = rcu_dereference_bh(peer->keypairs.current_pair);
	stage_list(peer, list, mtu, ds, !keypair || !wg_keypair_is_usable(keypair));
	wg_send_staged(peer);
	return NETDEV_TX_OK;

unreachable:
	tell_unreachable(skb);
drop:
	DEV_STATS_INC(dev, tx_errors);
	kfree_skb(skb);
	return NETDEV_TX_OK;
}
