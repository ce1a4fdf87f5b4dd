// SPDX-License-Identifier: GPL-2.0-only

#include <linux/inetdevice.h>
#include <net/addrconf.h>
#include <net/ip_tunnels.h>
#include <net/udp_tunnel.h>
#include "compat.h"
#include "device.h"
#include "messages.h"
#include "receive.h"
#include "socket.h"

void wg_endpoint_read(struct wg_peer *peer, struct wg_endpoint *endpoint)
{
	unsigned int seq;

	do {
		seq = read_seqbegin(&peer->endpoint_lock);
		*endpoint = peer->endpoint;
	} while (read_seqretry(&peer->endpoint_lock, seq));
}

bool wg_endpoint_is_set(struct wg_peer *peer)
{
	return READ_ONCE(peer->endpoint.addr.sa_family) != AF_UNSPEC;
}

static bool same_place(const struct wg_endpoint *a, const struct wg_endpoint *b)
{
	if (a->addr.sa_family != b->addr.sa_family)
		return false;
	if (a->addr.sa_family == AF_INET)
		return a->addr4.sin_port == b->addr4.sin_port && a->addr4.sin_addr.s_addr == b->addr4.sin_addr.s_addr &&
		       a->src4.s_addr == b->src4.s_addr && a->src_ifindex4 == b->src_ifindex4;
	return a->addr6.sin6_port == b->addr6.sin6_port && a->addr6.sin6_scope_id == b->addr6.sin6_scope_id &&
	       ipv6_addr_equal(&a->addr6.sin6_addr, &b->addr6.sin6_addr) && ipv6_addr_equal(&a->src6, &b->src6);
}

void wg_endpoint_learn(struct wg_peer *peer, const struct wg_endpoint *endpoint)
{
	struct wg_endpoint known;

	wg_endpoint_read(peer, &known);
	if (same_place(&known, endpoint))
		return;
	write_seqlock_bh(&peer->endpoint_lock);
	peer->endpoint = *endpoint;
	dst_cache_reset(&peer->endpoint_cache);
	write_sequnlock_bh(&peer->endpoint_lock);
}

void wg_endpoint_forget_source(struct wg_peer *peer)
{
	write_seqlock_bh(&peer->endpoint_lock);
	memset(&peer->endpoint.src6, 0, sizeof(peer->endpoint.src6));
	dst_cache_reset(&peer->endpoint_cache);
	write_sequnlock_bh(&peer->endpoint_lock);
}

void wg_endpoint_of(struct wg_endpoint *endpoint, const struct sk_buff *skb)
{
	memset(endpoint, 0, sizeof(*endpoint));
	if (skb->protocol == htons(ETH_P_IP)) {
		endpoint->addr4.sin_family = AF_INET;
		endpoint->addr4.sin_port = udp_hdr(skb)->source;
		endpoint->addr4.sin_addr.s_addr = ip_hdr(skb)->saddr;
		endpoint->src4.s_addr = ip_hdr(skb)->daddr;
		endpoint->src_ifindex4 = skb->skb_iif;
	} else {
		endpoint->addr6.sin6_family = AF_INET6;
		endpoint->addr6.sin6_port = udp_hdr(skb)->source;
		endpoint->addr6.sin6_addr = ipv6_hdr(skb)->saddr;
		endpoint->addr6.sin6_scope_id = ipv6_iface_scope_id(&ipv6_hdr(skb)->saddr, skb->skb_iif);
		endpoint->src6 = ipv6_hdr(skb)->daddr;
	}
}

/* The address that we used to answer from no longer works. */
static void source_failed(struct wg_peer *peer, struct wg_endpoint *used)
{
	if (peer)
		wg_endpoint_forget_source(peer);
	memset(&used->src6, 0, sizeof(used->src6));
}

/* Takes the packet if it returns 0; so does send6(). */
static int send4(struct wg_device *device, struct wg_peer *peer, struct wg_endpoint *endpoint, struct sk_buff *skb,
		 u8 ds)
{
	struct dst_cache *cache = peer ? &peer->endpoint_cache : NULL;
	struct sock *sock = rcu_dereference_bh(device->sock4);
	struct flowi4 flow = {
		.saddr = endpoint->src4.s_addr,
		.daddr = endpoint->addr4.sin_addr.s_addr,
		.fl4_dport = endpoint->addr4.sin_port,
		.flowi4_mark = READ_ONCE(device->fwmark),
		.flowi4_proto = IPPROTO_UDP,
	};
	struct rtable *rt = NULL;

	if (unlikely(!sock))
		return -ENONET;
	flow.fl4_sport = inet_sk(sock)->inet_sport;
	if (cache)
		rt = dst_cache_get_ip4(cache, &flow.saddr);
	if (!rt) {
		security_sk_classify_flow(sock, flowi4_to_flowi_common(&flow));
		if (flow.saddr && !inet_confirm_addr(sock_net(sock), NULL, 0, flow.saddr, RT_SCOPE_HOST)) {
			source_failed(peer, endpoint);
			flow.saddr = 0;
		}
		rt = ip_route_output_flow(sock_net(sock), &flow, sock);
		/* Stick to the address only while it leads out where the peer's packets came in. */
		if (flow.saddr && endpoint->src_ifindex4 &&
		    (IS_ERR(rt) ? PTR_ERR(rt) == -EINVAL : rt->dst.dev->ifindex != endpoint->src_ifindex4)) {
			source_failed(peer, endpoint);
			flow.saddr = 0;
			if (!IS_ERR(rt))
				ip_rt_put(rt);
			rt = ip_route_output_flow(sock_net(sock), &flow, sock);
		}
		if (IS_ERR(rt))
			return PTR_ERR(rt);
		if (cache)
			dst_cache_set_ip4(cache, &rt->dst, flow.saddr);
	}
	skb->ignore_df = 1;
	udp_tunnel_xmit_skb(rt, sock, skb, flow.saddr, flow.daddr, ds, ip4_dst_hoplimit(&rt->dst), 0, flow.fl4_sport,
			    flow.fl4_dport, false, false, 0);
	return 0;
}

#if IS_ENABLED(CONFIG_IPV6)
static int send6(struct wg_device *device, struct wg_peer *peer, struct wg_endpoint *endpoint, struct sk_buff *skb,
		 u8 ds)
{
	struct dst_cache *cache = peer ? &peer->endpoint_cache : NULL;
	struct sock *sock = rcu_dereference_bh(device->sock6);
	struct flowi6 flow = {
		.saddr = endpoint->src6,
		.daddr = endpoint->addr6.sin6_addr,
		.fl6_dport = endpoint->addr6.sin6_port,
		.flowi6_mark = READ_ONCE(device->fwmark),
		.flowi6_oif = endpoint->addr6.sin6_scope_id,
		.flowi6_proto = IPPROTO_UDP,
	};
	struct dst_entry *dst = NULL;

	if (unlikely(!sock))
		return -ENONET;
	flow.fl6_sport = inet_sk(sock)->inet_sport;
	if (cache)
		dst = dst_cache_get_ip6(cache, &flow.saddr);
	if (!dst) {
		security_sk_classify_flow(sock, flowi6_to_flowi_common(&flow));
		if (!ipv6_addr_any(&flow.saddr) && !ipv6_chk_addr(sock_net(sock), &flow.saddr, NULL, 0)) {
			source_failed(peer, endpoint);
			flow.saddr = in6addr_any;
		}
		dst = ip6_dst_lookup_flow(sock_net(sock), sock, &flow, NULL);
		if (IS_ERR(dst))
			return PTR_ERR(dst);
		if (cache)
			dst_cache_set_ip6(cache, dst, &flow.saddr);
	}
	skb->ignore_df = 1;
	udp_tunnel6_xmit_skb(dst, sock, skb, NULL, &flow.saddr, &flow.daddr, ds, ip6_dst_hoplimit(dst), 0,
			     flow.fl6_sport, flow.fl6_dport, false, 0);
	return 0;
}
#endif

static int send_to(struct wg_device *device, struct wg_peer *peer, struct wg_endpoint *endpoint, struct sk_buff *skb,
		   u8 ds)
{
	int err = -EDESTADDRREQ;

	skb_mark_not_on_list(skb);
	/* No device yet: the tunnel's counters are ours to keep, packet by packet, not iptunnel_xmit()'s. */
	skb->dev = NULL;
	skb->mark = READ_ONCE(device->fwmark);
	if (endpoint->addr.sa_family == AF_INET)
		err = send4(device, peer, endpoint, skb, ds);
#if IS_ENABLED(CONFIG_IPV6)
	else if (endpoint->addr.sa_family == AF_INET6)
		err = send6(device, peer, endpoint, skb, ds);
#endif
	if (err)
		kfree_skb(skb);
	return err;
}

int wg_socket_send(struct wg_peer *peer, struct sk_buff *skb, u8 ds)
{
	struct wg_endpoint endpoint;

	wg_endpoint_read(peer, &endpoint);
	return send_to(peer->device, peer, &endpoint, skb, ds);
}

static struct sk_buff *packet_of(const void *buffer, size_t len)
{
	struct sk_buff *skb = alloc_skb(WG_OUTER_HEADROOM + len, GFP_KERNEL);

	if (skb) {
		skb_reserve(skb, WG_OUTER_HEADROOM);
		skb_put_data(skb, buffer, len);
		skb_reset_inner_headers(skb);
	}
	return skb;
}

void wg_socket_send_buffer(struct wg_peer *peer, const void *buffer, size_t len, u8 ds)
{
	struct sk_buff *skb = packet_of(buffer, len);

	if (!skb)
		return;
	rcu_read_lock_bh();
	if (!wg_socket_send(peer, skb, ds)) {
		atomic64_add(len, &peer->tx_bytes);
		dev_sw_netstats_tx_add(peer->device->dev, 1, len);
	}
	rcu_read_unlock_bh();
}

void wg_socket_reply(struct wg_device *device, const struct sk_buff *in, const void *buffer, size_t len)
{
	struct sk_buff *skb = packet_of(buffer, len);
	struct wg_endpoint endpoint;

	if (!skb)
		return;
	wg_endpoint_of(&endpoint, in);
	rcu_read_lock_bh();
	if (!send_to(device, NULL, &endpoint, skb, 0))
		dev_sw_netstats_tx_add(device->dev, 1, len);
	rcu_read_unlock_bh();
}

static struct sock *open_one(struct wg_device *device, struct net *net, struct udp_port_cfg *config, int *err)
{
	struct udp_tunnel_sock_cfg tunnel = {
		.sk_user_data = device,
	};
	struct socket *sock;
	int on = 1;
	struct sock *sk;

	*err = udp_sock_create(net, config, &sock);
	if (*err)
		return NULL;
	sk = sock->sk;
	sk->sk_allocation = GFP_ATOMIC;
	sk->sk_sndbuf = INT_MAX;
	/* Its queue is emptied by whoever fills it, so no limit is needed, and a merged packet may be large. */
	sk->sk_rcvbuf = INT_MAX;
	sk->sk_data_ready = wg_receive;
	/* The tunnel must go on when memory is short: swap may lie behind it. */
	sk_set_memalloc(sk);
#ifdef CONFIG_NET_RX_BUSY_POLL
	sk->sk_ll_usec = 0; /* whatever net.core.busy_read says: who reads does not wait */
#endif
	if (wg_batch_limit > 1)
		sk->sk_prot->setsockopt(sk, SOL_UDP, UDP_GRO, KERNEL_SOCKPTR(&on), sizeof(on));
	setup_udp_tunnel_sock(net, sk, &tunnel);
	return sk;
}

static void close_one(struct sock *sk)
{
	if (!sk)
		return;
	sk_clear_memalloc(sk);
	udp_tunnel_sock_release(sk);
}

/* The present sockets go after a grace period: nobody sends through them or receives from them any more. */
static void replace(struct wg_device *device, struct sock *sock4, struct sock *sock6)
{
	struct sock *old4, *old6;

	lockdep_assert_held(&device->config_lock);
	old4 = rcu_replace_pointer(device->sock4, sock4, lockdep_is_held(&device->config_lock));
	old6 = rcu_replace_pointer(device->sock6, sock6, lockdep_is_held(&device->config_lock));
	if (sock4)
		device->port = ntohs(inet_sk(sock4)->inet_sport);
	if (!old4 && !old6)
		return;
	synchronize_net();
	close_one(old4);
	close_one(old6);
}

int wg_socket_open(struct wg_device *device, u16 port)
{
	struct udp_port_cfg config4 = {
		.family = AF_INET,
		.local_ip.s_addr = htonl(INADDR_ANY),
		.use_udp_checksums = true,
	};
#if IS_ENABLED(CONFIG_IPV6)
	struct udp_port_cfg config6 = {
		.family = AF_INET6,
		.local_ip6 = IN6ADDR_ANY_INIT,
		.use_udp6_tx_checksums = true,
		.use_udp6_rx_checksums = true,
		.ipv6_v6only = true,
	};
	int tries = 100;
#endif
	struct sock *sock4, *sock6 = NULL;
	struct net *net;
	int err;

	/* The namespace is being torn down (pre_exit takes the pointer away) or it is held here while we bind. */
	rcu_read_lock();
	net = rcu_dereference(device->creating_net);
	net = net ? maybe_get_net(net) : NULL;
	rcu_read_unlock();
	if (!net)
		return -ENONET;

again:
	config4.local_udp_port = htons(port);
	sock4 = open_one(device, net, &config4, &err);
	if (!sock4)
		goto out;
#if IS_ENABLED(CONFIG_IPV6)
	if (ipv6_mod_enabled()) {
		config6.local_udp_port = inet_sk(sock4)->inet_sport;
		sock6 = open_one(device, net, &config6, &err);
		if (!sock6) {
			close_one(sock4);
			/* The free port of one family may be taken in the other. */
			if (err == -EADDRINUSE && !port && --tries)
				goto again;
			goto out;
		}
	}
#endif
	replace(device, sock4, sock6);
out:
	put_net(net);
	return err;
}

void wg_socket_close(struct wg_device *device)
{
	replace(device, NULL, NULL);
}
