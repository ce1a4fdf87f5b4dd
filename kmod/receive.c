// SPDX-License-Identifier: GPL-2.0-only
/*
 * The way of a datagram: wg_receive() finds its session by the index and puts it, or the several that GRO merged, as
 * one batch into the peer's FIFO; a crew member (or, for something small, the receiving interrupt) opens it;
 * wg_receive_poll(), the peer's NAPI, hands on what is done, in order. Handshake messages go to the handshakers, who
 * may sleep.
 */

#include <crypto/chacha20poly1305.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <net/dsfield.h>
#include <net/inet_ecn.h>
#include <net/ip_tunnels.h>
#include "allowed_ips.h"
#include "compat.h"
#include "device.h"
#include "peer.h"
#include "receive.h"
#include "send.h"
#include "socket.h"
#include "timers.h"

/* Data: on to the peer. */

/* The traces of the outer packet that must not follow the inner one in. */
static void scrub(struct sk_buff *skb)
{
	skb_orphan(skb);
	skb_scrub_packet(skb, true);
	skb_gso_reset(skb);
	skb_clear_hash(skb);
	skb->encapsulation = 0;
	skb->queue_mapping = 0;
	skb->priority = 0;
	__vlan_hwaccel_clear_tag(skb);
	/* The tag proved that every octet is as the sender had it: no checksum within can tell more. */
	skb->ip_summed = CHECKSUM_UNNECESSARY;
	skb->csum_level = ~0;
}

/* An opened packet, its plain text at skb->data, may be padded. False: it is not what it should be, and not taken. */
static bool deliver(struct wg_peer *peer, struct sk_buff *skb, u8 outer_ds)
{
	struct wg_device *device = peer->device;
	struct wg_peer *owner;
	unsigned int len;

	skb_reset_network_header(skb);
	if (!pskb_network_may_pull(skb, sizeof(struct iphdr)))
		goto bad_length;
	skb->protocol = ip_tunnel_parse_protocol(skb);
	if (skb->protocol == htons(ETH_P_IP)) {
		len = ntohs(ip_hdr(skb)->tot_len);
		if (len < sizeof(struct iphdr) || len > skb->len)
			goto bad_length;
		if (INET_ECN_is_ce(outer_ds))
			IP_ECN_set_ce(ip_hdr(skb));
		owner = wg_allowed_ips_lookup4(&device->allowed_ips, ip_hdr(skb)->saddr);
	} else if (skb->protocol == htons(ETH_P_IPV6)) {
		if (!pskb_network_may_pull(skb, sizeof(struct ipv6hdr)))
			goto bad_length;
		len = ntohs(ipv6_hdr(skb)->payload_len) + sizeof(struct ipv6hdr);
		if (len > skb->len)
			goto bad_length;
		if (INET_ECN_is_ce(outer_ds))
			IP6_ECN_set_ce(skb, ipv6_hdr(skb));
		owner = wg_allowed_ips_lookup6(&device->allowed_ips, &ipv6_hdr(skb)->saddr);
	} else {
		goto bad_length;
	}
	if (unlikely(owner != peer)) {
		net_dbg_ratelimited("%s: packet from peer %llu has a source that is not among its allowed IPs\n",
				    device->dev->name, peer->id);
		DEV_STATS_INC(device->dev, rx_errors);
		DEV_STATS_INC(device->dev, rx_frame_errors);
		return false;
	}
	if (unlikely(pskb_trim(skb, len)))
		return false;
	scrub(skb);
	skb_reset_transport_header(skb);
	skb->dev = device->dev;
	napi_gro_receive(&peer->napi, skb);
	return true;

bad_length:
	net_dbg_ratelimited("%s: packet from peer %llu is no IP packet\n", device->dev->name, peer->id);
	DEV_STATS_INC(device->dev, rx_errors);
	DEV_STATS_INC(device->dev, rx_length_errors);
	return false;
}

static u8 outer_ds(const struct sk_buff *skb)
{
	return skb->protocol == htons(ETH_P_IP) ? ip_hdr(skb)->tos : ipv6_get_dsfield(ipv6_hdr(skb));
}

/* WG 6.2: a session that would soon refuse what we receive is renewed by its initiator, asking once. */
static void keep_key_fresh(struct wg_peer *peer, const struct wg_keypair *keypair)
{
	if (!keypair->initiator || READ_ONCE(peer->timers.asked_for_rekey))
		return;
	if (wg_now() - keypair->born >= wg_times.reject_after - wg_times.keepalive_timeout - wg_times.rekey_timeout) {
		WRITE_ONCE(peer->timers.asked_for_rekey, true);
		wg_send_queue_initiation(peer, false);
	}
}

/* Hands on an opened batch. */
static unsigned int deliver_batch(struct wg_peer *peer, struct sk_buff *batch)
{
	struct wg_keypair *keypair = wg_packet(batch)->keypair;
	struct wg_device *device = peer->device;
	struct sk_buff *list, *skb, *next, *accepted = NULL, **end = &accepted;
	unsigned int count = wg_packet(batch)->count;
	struct wg_endpoint endpoint;
	bool data = false;
	u64 bytes = 0;
	u8 ds;

	if (unlikely(wg_packet(batch)->state == WG_BATCH_DEAD)) {
		DEV_STATS_INC(device->dev, rx_dropped);
		wg_batch_free(batch);
		return count;
	}
	/* First what the outer headers say: a packet opened in place is about to lose them. */
	ds = outer_ds(batch);
	wg_endpoint_of(&endpoint, batch);
	list = wg_packet(batch)->rest;
	wg_packet(batch)->rest = NULL;
	if (list)
		consume_skb(batch);
	else
		list = batch;

	spin_lock(&keypair->replay_lock);
	skb_list_walk_safe(list, skb, next) {
		skb_mark_not_on_list(skb);
		if (likely(wg_replay_accept(&keypair->replay, wg_packet(skb)->counter))) {
			*end = skb;
			end = &skb->next;
			bytes += wg_data_message_len(skb->len);
			data |= skb->len;
		} else {
			net_dbg_ratelimited("%s: packet from peer %llu comes twice or too late (counter %llu)\n",
					    device->dev->name, peer->id, wg_packet(skb)->counter);
			DEV_STATS_INC(device->dev, rx_errors);
			kfree_skb(skb);
		}
	}
	spin_unlock(&keypair->replay_lock);
	if (unlikely(!accepted))
		goto out;

	wg_endpoint_learn(peer, &endpoint);
	if (unlikely(wg_keypairs_promote(peer, keypair))) {
		wg_timers_handshake_complete(peer);
		wg_send_staged(peer);
	}
	keep_key_fresh(peer, keypair);
	wg_timers_authenticated_received(peer);
	if (data)
		wg_timers_data_received(peer);
	atomic64_add(bytes, &peer->rx_bytes);

	skb_list_walk_safe(accepted, skb, next) {
		skb_mark_not_on_list(skb);
		dev_sw_netstats_rx_add(device->dev, wg_data_message_len(skb->len));
		if (!skb->len) /* a keepalive */
			consume_skb(skb);
		else if (!deliver(peer, skb, ds))
			kfree_skb(skb);
	}
out:
	wg_keypair_put(keypair);
	return count;
}

int wg_receive_poll(struct napi_struct *napi, int budget)
{
	struct wg_peer *peer = container_of(napi, struct wg_peer, napi);
	struct sk_buff *batch;
	int work = 0;

	if (unlikely(budget <= 0))
		return 0;
	rcu_read_lock_bh();
	while (work < budget && (batch = wg_fifo_pop_done(&peer->receiving)))
		work += deliver_batch(peer, batch);
	rcu_read_unlock_bh();
	if (work >= budget)
		return budget;
	napi_complete_done(napi, work);
	return work;
}

/* Data: opening. */

static bool open_in_place(struct sk_buff *skb, const struct wg_keypair *keypair)
{
	u8 *sealed;
	u64 counter;

	if (skb_linearize_cow(skb))
		return false;
	counter = le64_to_cpu(((struct wg_msg_data *)skb->data)->counter);
	sealed = skb->data + sizeof(struct wg_msg_data);
	if (!chacha20poly1305_decrypt(sealed, sealed, skb->len - sizeof(struct wg_msg_data), NULL, 0, counter,
				      keypair->keys.receiving))
		return false;
	wg_packet(skb)->counter = counter;
	__skb_pull(skb, sizeof(struct wg_msg_data));
	__skb_trim(skb, skb->len - WG_TAG_SIZE);
	return true;
}

/* One of several merged datagrams, from the merged packet's memory into one of its own; NULL if it is not authentic. */
static struct sk_buff *open_part(struct sk_buff *merged, unsigned int at, unsigned int len,
				 const struct wg_keypair *keypair)
{
	const size_t sealed_len = len - sizeof(struct wg_msg_data);
	struct sk_buff *skb = netdev_alloc_skb(keypair->peer->device->dev, len);
	const struct wg_msg_data *header;
	struct skb_seq_state state;
	const u8 *block;
	bool good;

	if (!skb)
		return NULL;
	skb_reserve(skb, sizeof(*header));
	/* Nearly always in one piece, in a page or a buffer, and read where it is; else it is copied, and opened in place. */
	skb_prepare_seq_read(merged, at, at + len, &state);
	if (skb_seq_read(0, &block, &state) < len) {
		block = skb->data - sizeof(*header);
		skb_copy_bits(merged, at, (u8 *)block, len);
	}
	header = (const struct wg_msg_data *)block;
	wg_packet(skb)->counter = le64_to_cpu(header->counter);
	good = chacha20poly1305_decrypt(__skb_put(skb, sealed_len - WG_TAG_SIZE), header->sealed_packet, sealed_len,
					NULL, 0, wg_packet(skb)->counter, keypair->keys.receiving);
	skb_abort_seq_read(&state);
	if (good)
		return skb;
	kfree_skb(skb);
	return NULL;
}

static struct sk_buff *open_merged(struct sk_buff *merged, const struct wg_keypair *keypair)
{
	const unsigned int part_len = skb_shinfo(merged)->gso_size;
	struct sk_buff *first = NULL, **end = &first;
	unsigned int at;

	for (at = 0; at + wg_data_message_len(0) <= merged->len; at += part_len) {
		*end = open_part(merged, at, min(part_len, merged->len - at), keypair);
		if (*end)
			end = &(*end)->next;
	}
	return first;
}

static bool open_batch(struct sk_buff *batch)
{
	struct wg_packet *packet = wg_packet(batch);

	if (unlikely(!wg_keypair_is_usable(packet->keypair)))
		return false;
	if (packet->count == 1)
		return open_in_place(batch, packet->keypair);
	packet->rest = open_merged(batch, packet->keypair);
	return packet->rest;
}

void wg_receive_open(struct wg_crew_member *member, struct sk_buff *batch)
{
	struct wg_peer *peer = wg_packet(batch)->keypair->peer;
	const bool good = open_batch(batch);

	/* The batch holds the peer; it may be handed on and gone as soon as it is done. */
	wg_peer_get(peer);
	wg_batch_finish(batch, good ? WG_BATCH_DONE : WG_BATCH_DEAD);
	local_bh_disable();
	napi_schedule(&peer->napi);
	local_bh_enable();
	wg_peer_put(peer);
}

/* From the socket. */

/* Takes the packet. Under RCU and with bottom halves off, as all that comes from the socket. */
static void receive_data(struct wg_device *device, struct sk_buff *skb, __le32 index, unsigned int count)
{
	struct wg_keypair *keypair = wg_keypair_find(device, index);
	struct wg_packet *packet = wg_packet(skb);
	struct wg_peer *peer;
	bool accepted, here;

	if (unlikely(!keypair || !wg_keypair_is_usable(keypair) || !wg_keypair_get(keypair)))
		goto drop;
	peer = keypair->peer;
	memset(packet, 0, sizeof(*packet));
	packet->keypair = keypair;
	packet->count = count;
	packet->state = WG_BATCH_PENDING;

	spin_lock(&peer->receiving.batches.lock);
	here = count == 1 && skb->len <= WG_INLINE_LENGTH && wg_fifo_is_empty(&peer->receiving);
	accepted = !READ_ONCE(peer->dead) && wg_fifo_push(&peer->receiving, skb);
	spin_unlock(&peer->receiving.batches.lock);
	if (unlikely(!accepted)) {
		DEV_STATS_INC(device->dev, rx_dropped);
		wg_batch_free(skb);
		return;
	}
	if (here) {
		wg_receive_open(NULL, skb);
	} else if (unlikely(!wg_crew_push(&device->openers, skb))) {
		wg_peer_get(peer);
		wg_batch_finish(skb, WG_BATCH_DEAD);
		napi_schedule(&peer->napi);
		wg_peer_put(peer);
	}
	return;
drop:
	DEV_STATS_INC(device->dev, rx_dropped);
	kfree_skb(skb);
}

static void receive_handshake(struct wg_device *device, struct sk_buff *skb)
{
	atomic_inc(&device->handshakes_waiting);
	if (unlikely(!wg_crew_push(&device->handshakers, skb))) {
		atomic_dec(&device->handshakes_waiting);
		DEV_STATS_INC(device->dev, rx_dropped);
		kfree_skb(skb);
	}
}

static enum wg_message_type type_of(const struct sk_buff *skb)
{
	return le32_to_cpu(*(const __le32 *)skb->data);
}

static size_t handshake_len(enum wg_message_type type)
{
	switch (type) {
	case WG_MSG_INITIATION:
		return sizeof(struct wg_msg_initiation);
	case WG_MSG_RESPONSE:
		return sizeof(struct wg_msg_response);
	case WG_MSG_COOKIE:
		return sizeof(struct wg_msg_cookie);
	default:
		return 0;
	}
}

/* One datagram, its message at skb->data. */
static void receive_one(struct wg_device *device, struct sk_buff *skb)
{
	if (unlikely(!pskb_may_pull(skb, sizeof(struct wg_msg_data))))
		goto drop;
	if (likely(type_of(skb) == WG_MSG_DATA)) {
		if (skb->len < wg_data_message_len(0))
			goto drop;
		receive_data(device, skb, ((struct wg_msg_data *)skb->data)->receiver, 1);
	} else {
		if (skb->len != handshake_len(type_of(skb)) || skb_linearize(skb))
			goto drop;
		receive_handshake(device, skb);
	}
	return;
drop:
	DEV_STATS_INC(device->dev, rx_errors);
	DEV_STATS_INC(device->dev, rx_frame_errors);
	kfree_skb(skb);
}

/* Are all parts of a merged packet data of one session? */
static bool is_uniform(struct sk_buff *merged, unsigned int part_len, __le32 *index)
{
	const struct wg_msg_data *first, *header;
	struct wg_msg_data buffer1, buffer2;
	unsigned int at;

	first = skb_header_pointer(merged, 0, sizeof(buffer1), &buffer1);
	if (!first || first->type != cpu_to_le32(WG_MSG_DATA) || part_len < wg_data_message_len(0))
		return false;
	for (at = part_len; at < merged->len; at += part_len) {
		header = skb_header_pointer(merged, at, sizeof(buffer2), &buffer2);
		if (!header || header->type != first->type || header->receiver != first->receiver)
			return false;
	}
	*index = first->receiver;
	return true;
}

/* A merged packet of different messages: into datagrams with outer headers of their own, as UDP would have. */
static void receive_apart(struct wg_device *device, struct sock *sk, struct sk_buff *merged)
{
	struct sk_buff *skb, *next;

	__skb_push(merged, -skb_mac_offset(merged));
	skb = udp_rcv_segment(sk, merged, sk->sk_family == AF_INET);
	skb_list_walk_safe(skb, skb, next) {
		skb_mark_not_on_list(skb);
		__skb_pull(skb, skb_transport_offset(skb) + sizeof(struct udphdr));
		receive_one(device, skb);
	}
}

static void receive_any(struct wg_device *device, struct sock *sk, struct sk_buff *skb)
{
	const unsigned int part_len = skb_is_gso(skb) ? skb_shinfo(skb)->gso_size : skb->len;
	__le32 index;

	/* UDP leaves the checksum to who reads, and has made its own use of skb->dev. */
	if (unlikely(udp_lib_checksum_complete(skb))) {
		kfree_skb(skb);
		return;
	}
	skb->dev = device->dev;
	if (skb->len <= part_len)
		receive_one(device, skb);
	else if (likely(is_uniform(skb, part_len, &index)))
		receive_data(device, skb, index, DIV_ROUND_UP(skb->len, part_len));
	else
		receive_apart(device, sk, skb);
}

void wg_receive(struct sock *sk)
{
	struct wg_device *device;
	struct sk_buff *skb;
	int err;

	rcu_read_lock_bh();
	device = rcu_dereference_sk_user_data(sk);
	if (likely(device)) {
		/* Other processors may have put something there as well: who takes it out hands it on before the next does. */
		spin_lock(&device->receive_lock);
		while ((skb = skb_recv_udp(sk, MSG_DONTWAIT, &err)))
			receive_any(device, sk, skb);
		spin_unlock(&device->receive_lock);
	}
	rcu_read_unlock_bh();
}

/* Handshakes. */

void wg_receive_source(const struct sk_buff *skb, struct wg_cookie_source *source)
{
	memset(source, 0, sizeof(*source));
	if (skb->protocol == htons(ETH_P_IP)) {
		source->length = sizeof(ip_hdr(skb)->saddr);
		memcpy(source->octets, &ip_hdr(skb)->saddr, source->length);
	} else {
		source->length = sizeof(ipv6_hdr(skb)->saddr);
		memcpy(source->octets, &ipv6_hdr(skb)->saddr, source->length);
	}
	memcpy(source->octets + source->length, &udp_hdr(skb)->source, sizeof(udp_hdr(skb)->source));
	source->length += sizeof(udp_hdr(skb)->source);
}

/* Under load: an eighth of the queue is waiting, or was within the last second. */
static bool is_under_load(struct wg_device *device)
{
	const u64 now = wg_now();

	if (atomic_read(&device->handshakes_waiting) >= WG_HANDSHAKE_RING_SIZE / 8) {
		atomic64_set(&device->under_load_until, now + wg_times.second);
		return true;
	}
	return now < (u64)atomic64_read(&device->under_load_until);
}

/* The macs, and what they allow. False: drop. */
static bool admit(struct wg_device *device, const struct sk_buff *skb, __le32 sender)
{
	const bool under_load = is_under_load(device);
	struct wg_cookie_source source;

	wg_receive_source(skb, &source);
	switch (wg_cookie_check(&device->cookies, &source, skb->data, skb->len, under_load, wg_now(),
				wg_times.cookie_secret_age)) {
	case WG_MAC_INVALID:
		net_dbg_ratelimited("%s: handshake message with a bad mac\n", device->dev->name);
		return false;
	case WG_MAC1_VALID:
		if (!under_load)
			return true;
		wg_send_cookie_reply(device, skb, sender);
		return false;
	case WG_MAC2_VALID:
		return wg_ratelimiter_allow(&wg_ratelimiter, source.octets, source.length - sizeof(__be16),
					    net_hash_mix(dev_net(device->dev)), wg_now());
	}
	return false;
}

static void authenticated(struct wg_peer *peer, const struct sk_buff *skb)
{
	struct wg_endpoint endpoint;

	wg_endpoint_of(&endpoint, skb);
	wg_endpoint_learn(peer, &endpoint);
	atomic64_add(skb->len, &peer->rx_bytes);
	local_bh_disable();
	dev_sw_netstats_rx_add(peer->device->dev, skb->len);
	local_bh_enable();
	wg_timers_authenticated_received(peer);
}

static struct wg_peer *find_peer(struct wg_device *device, const u8 public_key[WG_KEY_SIZE])
{
	struct wg_peer *peer;

	rcu_read_lock();
	peer = wg_peer_find(device, public_key);
	if (peer && !kref_get_unless_zero(&peer->refs))
		peer = NULL;
	rcu_read_unlock();
	return peer;
}

static struct wg_keypair *find_keypair(struct wg_device *device, __le32 index)
{
	struct wg_keypair *keypair;

	rcu_read_lock();
	keypair = wg_keypair_find(device, index);
	if (keypair)
		keypair = wg_keypair_get(keypair);
	rcu_read_unlock();
	return keypair;
}

static void receive_initiation(struct wg_device *device, const struct sk_buff *skb)
{
	const struct wg_msg_initiation *msg = (const struct wg_msg_initiation *)skb->data;
	struct noise_opening opening;
	struct wg_peer *peer = NULL;
	bool good = false;

	if (!admit(device, skb, msg->sender))
		return;
	down_read(&device->identity_lock);
	if (noise_open_initiation(&opening, &device->identity, msg))
		peer = find_peer(device, opening.remote_static);
	if (peer) {
		mutex_lock(&peer->handshake_lock);
		good = noise_consume_initiation(&peer->handshake, &device->identity, &opening, msg, wg_now());
		mutex_unlock(&peer->handshake_lock);
	}
	up_read(&device->identity_lock);
	memzero_explicit(&opening, sizeof(opening));
	if (good && !READ_ONCE(peer->dead)) {
		pr_debug("%s: received a handshake initiation from peer %llu\n", device->dev->name, peer->id);
		authenticated(peer, skb);
		wg_send_response(peer);
	} else {
		net_dbg_ratelimited("%s: handshake initiation that is not authentic\n", device->dev->name);
	}
	if (peer)
		wg_peer_put(peer);
}

static void receive_response(struct wg_device *device, const struct sk_buff *skb)
{
	const struct wg_msg_response *msg = (const struct wg_msg_response *)skb->data;
	struct wg_keypair *keypair;
	struct wg_peer *peer;
	struct noise_keys keys;
	bool good = false;

	if (!admit(device, skb, msg->sender))
		return;
	keypair = find_keypair(device, msg->receiver);
	if (!keypair)
		return;
	peer = keypair->peer;
	down_read(&device->identity_lock);
	mutex_lock(&peer->handshake_lock);
	/* Installed under the lock: who clears the sessions after changing a key finds this one, or kept it from being. */
	if (peer->nascent == keypair && noise_consume_response(&peer->handshake, &device->identity, msg) &&
	    noise_split(&peer->handshake, &keys)) {
		/* The place's reference goes on to the installed one. */
		peer->nascent = NULL;
		wg_keypairs_install(peer, keypair, &keys, true, msg->sender);
		memzero_explicit(&keys, sizeof(keys));
		good = true;
	}
	mutex_unlock(&peer->handshake_lock);
	up_read(&device->identity_lock);
	if (good) {
		pr_debug("%s: received a handshake response from peer %llu\n", device->dev->name, peer->id);
		authenticated(peer, skb);
		wg_timers_session_derived(peer);
		wg_timers_handshake_complete(peer);
		/* What waits, or a keepalive: the responder must see that we have the keys. */
		wg_send_keepalive(peer);
	} else {
		net_dbg_ratelimited("%s: handshake response that is not authentic\n", device->dev->name);
	}
	wg_keypair_put(keypair);
}

static void receive_cookie(struct wg_device *device, const struct sk_buff *skb)
{
	const struct wg_msg_cookie *msg = (const struct wg_msg_cookie *)skb->data;
	struct wg_keypair *keypair = find_keypair(device, msg->receiver);

	if (!keypair)
		return;
	if (wg_cookie_accept(&keypair->peer->cookie_jar, msg, wg_now(), wg_times.cookie_use))
		pr_debug("%s: received a cookie from peer %llu\n", device->dev->name, keypair->peer->id);
	wg_keypair_put(keypair);
}

void wg_receive_handshake(struct wg_crew_member *member, struct sk_buff *skb)
{
	struct wg_device *device = container_of(member->crew, struct wg_device, handshakers);

	switch (type_of(skb)) {
	case WG_MSG_INITIATION:
		receive_initiation(device, skb);
		break;
	case WG_MSG_RESPONSE:
		receive_response(device, skb);
		break;
	case WG_MSG_COOKIE:
		receive_cookie(device, skb);
		break;
	case WG_MSG_DATA:
		break;
	}
	atomic_dec(&device->handshakes_waiting);
	consume_skb(skb);
}
