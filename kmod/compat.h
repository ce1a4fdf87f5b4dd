/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * compat.h: one face for the kernels from 5.10 on. The WG_HAVE_ macros come from Kbuild, which looks into the headers;
 * version numbers decide only where there is nothing to look for.
 */
#ifndef WG_COMPAT_H
#define WG_COMPAT_H

#include <linux/types.h>

#ifdef __KERNEL__
#include <crypto/algapi.h>
#include <crypto/blake2s.h>
#include <linux/ipv6.h>
#include <linux/netdevice.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/timer.h>
#include <linux/udp.h>
#include <linux/version.h>
#include <linux/workqueue.h>
#include <net/genetlink.h>
#include <net/rtnetlink.h>
#include <net/udp.h>
#include <net/udp_tunnel.h>
#ifdef WG_HAVE_LINUX_UNALIGNED_H
#include <linux/unaligned.h>
#else
#include <asm/unaligned.h>
#endif
#ifdef WG_HAVE_NET_GSO_H
#include <net/gso.h>
#endif

#ifdef WG_HAVE_IPV6_STUBS
#include <net/ipv6_stubs.h>
#endif

#ifdef WG_HAVE_BLAKE2S_CTX
typedef struct blake2s_ctx wg_blake2s_context;
#else
typedef struct blake2s_state wg_blake2s_context;
#endif

#ifndef WG_HAVE_KFREE_SENSITIVE
#define kfree_sensitive kzfree
#endif

#ifndef WG_HAVE_VMFORK
static inline int register_random_vmfork_notifier(struct notifier_block *nb)
{
	return 0;
}

static inline int unregister_random_vmfork_notifier(struct notifier_block *nb)
{
	return 0;
}
#endif

#if defined(WG_HAVE_TIMER_CONTAINER_OF)
#define wg_timer_owner timer_container_of
#else
#define wg_timer_owner from_timer
#endif
#ifndef WG_HAVE_TIMER_DELETE
#define timer_delete_sync del_timer_sync
#endif

#ifndef WG_HAVE_DEV_STATS_INC
#define DEV_STATS_INC(dev, field) ((dev)->stats.field++)
#endif

#ifndef WG_HAVE_WQ_PERCPU
#define WQ_PERCPU 0
#endif

/* Let whole GRO packets through to the tunnel's receive function. */
static inline void wg_udp_accept_gro(struct sock *sk)
{
#if defined(WG_HAVE_UDP_SET_BIT)
	udp_set_bit(GRO_ENABLED, sk);
	udp_set_bit(ACCEPT_L4, sk);
#else
	udp_sk(sk)->gro_enabled = 1;
#ifdef WG_HAVE_ACCEPT_UDP_L4_FIELD
	udp_sk(sk)->accept_udp_l4 = 1;
#endif
#endif
}

static inline void wg_napi_add(struct net_device *dev, struct napi_struct *napi,
			       int (*poll)(struct napi_struct *, int))
{
#ifdef WG_HAVE_NAPI_ADD_WEIGHT
	netif_napi_add(dev, napi, poll);
#else
	netif_napi_add(dev, napi, poll, NAPI_POLL_WEIGHT);
#endif
}

static inline void wg_count_rx(struct net_device *dev, unsigned int packets, unsigned int bytes)
{
	struct pcpu_sw_netstats *stats = this_cpu_ptr(dev->tstats);

	u64_stats_update_begin(&stats->syncp);
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 0, 0)
	u64_stats_add(&stats->rx_packets, packets);
	u64_stats_add(&stats->rx_bytes, bytes);
#else
	stats->rx_packets += packets;
	stats->rx_bytes += bytes;
#endif
	u64_stats_update_end(&stats->syncp);
}

static inline void wg_count_tx(struct net_device *dev, unsigned int packets, unsigned int bytes)
{
	struct pcpu_sw_netstats *stats = this_cpu_ptr(dev->tstats);

	u64_stats_update_begin(&stats->syncp);
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 0, 0)
	u64_stats_add(&stats->tx_packets, packets);
	u64_stats_add(&stats->tx_bytes, bytes);
#else
	stats->tx_packets += packets;
	stats->tx_bytes += bytes;
#endif
	u64_stats_update_end(&stats->syncp);
}

static inline void wg_classify_flow(struct sock *sk, struct flowi *flow)
{
#ifdef WG_HAVE_SK_CLASSIFY_COMMON
	security_sk_classify_flow(sk, &flow->u.__fl_common);
#else
	security_sk_classify_flow(sk, flow);
#endif
}

static inline void wg_udp_xmit4(struct rtable *rt, struct sock *sk, struct sk_buff *skb, __be32 source, __be32 dest,
				u8 tos, u8 ttl, __be16 source_port, __be16 dest_port)
{
#ifdef WG_HAVE_UDP_TUNNEL_CB_FLAGS
	udp_tunnel_xmit_skb(rt, sk, skb, source, dest, tos, ttl, 0, source_port, dest_port, false, false, 0);
#else
	udp_tunnel_xmit_skb(rt, sk, skb, source, dest, tos, ttl, 0, source_port, dest_port, false, false);
#endif
}

static inline void wg_udp_xmit6(struct dst_entry *dst, struct sock *sk, struct sk_buff *skb, struct in6_addr *source,
				struct in6_addr *dest, u8 priority, u8 ttl, __be16 source_port, __be16 dest_port)
{
#ifdef WG_HAVE_UDP_TUNNEL_CB_FLAGS
	udp_tunnel6_xmit_skb(dst, sk, skb, NULL, source, dest, priority, ttl, 0, source_port, dest_port, false, 0);
#else
	udp_tunnel6_xmit_skb(dst, sk, skb, NULL, source, dest, priority, ttl, 0, source_port, dest_port, false);
#endif
}

#if IS_ENABLED(CONFIG_IPV6)
static inline struct dst_entry *wg_route6(struct net *net, struct sock *sk, struct flowi6 *flow)
{
#ifdef WG_HAVE_IPV6_STUBS
	return ipv6_stub->ipv6_dst_lookup_flow(net, sk, flow, NULL);
#else
	return ip6_dst_lookup_flow(net, sk, flow, NULL);
#endif
}
#endif

static inline void wg_udp_tunnel_setup(struct net *net, struct sock *sk, struct udp_tunnel_sock_cfg *config)
{
#ifdef WG_HAVE_UDP_TUNNEL_SOCK
	setup_udp_tunnel_sock(net, sk, config);
#else
	setup_udp_tunnel_sock(net, sk->sk_socket, config);
#endif
}

static inline void wg_udp_tunnel_release(struct sock *sk)
{
#ifdef WG_HAVE_UDP_TUNNEL_SOCK
	udp_tunnel_sock_release(sk);
#else
	udp_tunnel_sock_release(sk->sk_socket);
#endif
}

static inline struct nlattr **wg_dump_attributes(struct netlink_callback *cb)
{
#ifdef WG_HAVE_GENL_INFO_DUMP
	return genl_info_dump(cb)->attrs;
#else
	return genl_dumpit_info(cb)->attrs;
#endif
}
#endif

/* Values of newer uapi headers than the oldest kernel has. */
#define WG_ALLOWEDIP_A_FLAGS 4
#define WG_ALLOWEDIP_A_MAX WG_ALLOWEDIP_A_FLAGS
#define WG_ALLOWEDIP_F_REMOVE_ME 1U
#define WG_ALLOWEDIP_F_ALL WG_ALLOWEDIP_F_REMOVE_ME

#endif
