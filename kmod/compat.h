/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * compat.h: the code is written for the newest kernel; here older ones, from 5.10 on, are given what they lack. The
 * WG_HAVE_ macros come from Kbuild, which looks into the headers: distributions carry newer interfaces back to older
 * version numbers. A macro that names itself is the kernel's own function with the arguments of its time.
 */
#ifndef WG_COMPAT_H
#define WG_COMPAT_H

#include <linux/types.h>

#ifdef __KERNEL__
#include <crypto/algapi.h>
#include <crypto/blake2s.h>
#include <linux/netdevice.h>
#include <linux/random.h>
#include <linux/timer.h>
#include <linux/workqueue.h>
#include <net/genetlink.h>
#include <net/ip6_route.h>
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

#ifndef WG_HAVE_BLAKE2S_CTX
#define blake2s_ctx blake2s_state
#endif

#ifndef WG_HAVE_GENL_INFO_DUMP
#define genl_info_dump genl_dumpit_info
#endif

#ifdef WG_HAVE_IPV6_STUBS
#include <net/ipv6_stubs.h>
#define ip6_dst_lookup_flow(net, sk, flow, final) ipv6_stub->ipv6_dst_lookup_flow(net, sk, flow, final)
#endif

#ifndef WG_HAVE_NAPI_ADD_WEIGHT
#define netif_napi_add(dev, napi, poll) netif_napi_add(dev, napi, poll, NAPI_POLL_WEIGHT)
#endif

#ifdef WG_HAVE_RECV_UDP_NOBLOCK
#define skb_recv_udp(sk, flags, err) skb_recv_udp(sk, flags, 1, err)
#endif

#ifndef WG_HAVE_SW_NETSTATS_TX_ADD
static inline void dev_sw_netstats_tx_add(struct net_device *dev, unsigned int packets, unsigned int bytes)
{
	struct pcpu_sw_netstats *stats = this_cpu_ptr(dev->tstats);

	u64_stats_update_begin(&stats->syncp);
	stats->tx_packets += packets;
	stats->tx_bytes += bytes;
	u64_stats_update_end(&stats->syncp);
}
#endif

#ifndef WG_HAVE_TIMER_CONTAINER_OF
#define timer_container_of from_timer
#endif

#ifndef WG_HAVE_UDP_TUNNEL_FLAGS
#define udp_tunnel_xmit_skb(rt, sk, skb, from, to, ds, ttl, df, sport, dport, xnet, nocheck, flags) \
	udp_tunnel_xmit_skb(rt, sk, skb, from, to, ds, ttl, df, sport, dport, xnet, nocheck)
#define udp_tunnel6_xmit_skb(dst, sk, skb, dev, from, to, ds, ttl, label, sport, dport, nocheck, flags) \
	udp_tunnel6_xmit_skb(dst, sk, skb, dev, from, to, ds, ttl, label, sport, dport, nocheck)
#endif

#ifndef WG_HAVE_UDP_TUNNEL_SOCK
#define setup_udp_tunnel_sock(net, sk, config) setup_udp_tunnel_sock(net, (sk)->sk_socket, config)
#define udp_tunnel_sock_release(sk) udp_tunnel_sock_release((sk)->sk_socket)
#endif

#ifndef WG_HAVE_VMFORK
#define register_random_vmfork_notifier(block) ((void)(block), 0)
#define unregister_random_vmfork_notifier(block) ((void)(block))
#endif

#ifndef WG_HAVE_WQ_PERCPU
#define WQ_PERCPU 0
#endif
#endif

/* Values of newer uapi headers than the oldest kernel has. */
#define WG_ALLOWEDIP_A_FLAGS 4
#define WG_ALLOWEDIP_A_MAX WG_ALLOWEDIP_A_FLAGS
#define WG_ALLOWEDIP_F_REMOVE_ME 1U
#define WG_ALLOWEDIP_F_ALL WG_ALLOWEDIP_F_REMOVE_ME

#endif
