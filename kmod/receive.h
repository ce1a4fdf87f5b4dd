/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * receive.h: from the wire to a plain packet.
 */
#ifndef WG_RECEIVE_H
#define WG_RECEIVE_H

#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include "cookie.h"
#include "queueing.h"

/* sk_data_ready of the sockets: takes out what is there, datagrams and packets of several that GRO merged. */
void wg_receive(struct sock *sk);

/* Crew members' tasks; the first also without a member, who stands where the packet came in. */
void wg_receive_open(struct wg_crew_member *member, struct sk_buff *batch);
void wg_receive_handshake(struct wg_crew_member *member, struct sk_buff *skb);

/* A peer's NAPI poll: hands on what was opened, in order. */
int wg_receive_poll(struct napi_struct *napi, int budget);

/* What a cookie is bound to. */
void wg_receive_source(const struct sk_buff *skb, struct wg_cookie_source *source);

#endif
