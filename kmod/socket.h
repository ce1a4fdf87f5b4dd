/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * socket.h: the UDP sockets of a device, and the way to a peer's endpoint.
 */
#ifndef WG_SOCKET_H
#define WG_SOCKET_H

#include <linux/skbuff.h>
#include <linux/types.h>
#include "peer.h"

struct wg_device;

/* Under config_lock. Binds both families to @port (0: a free one), replaces the present sockets; they stay if it fails. */
int wg_socket_open(struct wg_device *device, u16 port);
void wg_socket_close(struct wg_device *device);

/*
 * Sends @skb, which may be a UDP GSO packet and is consumed, to the peer's endpoint. Under RCU-bh.
 * -EDESTADDRREQ, -EAFNOSUPPORT, -ENETUNREACH and what routing says.
 */
int wg_socket_send(struct wg_peer *peer, struct sk_buff *skb, u8 ds);
/* The same for a handshake message. Process context. */
void wg_socket_send_buffer(struct wg_peer *peer, const void *buffer, size_t len, u8 ds);
/* Answers to where @in came from. Process context. */
void wg_socket_reply(struct wg_device *device, const struct sk_buff *in, const void *buffer, size_t len);

/* Where @skb came from, its outer headers being in place: those of IPv4 or IPv6, for UDP has no others. */
void wg_endpoint_of(struct wg_endpoint *endpoint, const struct sk_buff *skb);
/* Roaming: the peer is where its latest authentic packet came from. */
void wg_endpoint_learn(struct wg_peer *peer, const struct wg_endpoint *endpoint);
void wg_endpoint_forget_source(struct wg_peer *peer);
bool wg_endpoint_is_set(struct wg_peer *peer);
void wg_endpoint_read(struct wg_peer *peer, struct wg_endpoint *endpoint);

/* The room before and in a packet that we send: outer IP and UDP headers, and the device's below. */
#define WG_OUTER_HEADROOM ALIGN(NET_SKB_PAD + sizeof(struct ipv6hdr) + sizeof(struct udphdr), 8)
#define WG_HEADROOM ALIGN(WG_OUTER_HEADROOM + sizeof(struct wg_msg_data), 8)

#endif
