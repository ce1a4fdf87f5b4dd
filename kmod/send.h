/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * send.h: from a plain packet to the wire.
 */
#ifndef WG_SEND_H
#define WG_SEND_H

#include <linux/skbuff.h>
#include <linux/workqueue.h>
#include "queueing.h"

struct wg_device;
struct wg_peer;

/* DSCP AF41: handshakes shall arrive when the line is full. */
#define WG_HANDSHAKE_DS 0x88

/* ndo_start_xmit */
netdev_tx_t wg_send_xmit(struct sk_buff *skb, struct net_device *dev);

/* Sends what waits for a session, or asks for one. Any context but hard interrupts. */
void wg_send_staged(struct wg_peer *peer);
void wg_send_drop_staged(struct wg_peer *peer);
void wg_send_keepalive(struct wg_peer *peer);

/* A crew member's task: seals a batch. */
void wg_send_seal(struct wg_crew_member *member, struct sk_buff *batch);

/* Starts a handshake, unless one was started within REKEY_TIMEOUT. @retry: it goes on with the attempts so far. */
void wg_send_queue_initiation(struct wg_peer *peer, bool retry);
void wg_send_initiation_work(struct work_struct *work);
/* To an initiation just consumed. Process context. */
void wg_send_response(struct wg_peer *peer);
void wg_send_cookie_reply(struct wg_device *device, const struct sk_buff *in, __le32 receiver);

#endif
