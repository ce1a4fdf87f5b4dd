/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * timers.h: the five timers of the protocol (WG 6), as deadlines behind one kernel timer a peer. The functions are
 * named after what happened. Callers hold RCU or otherwise know that the peer is not being freed; any context but
 * hard interrupts.
 */
#ifndef WG_TIMERS_H
#define WG_TIMERS_H

#include <linux/ktime.h>
#include <linux/timekeeping.h>
#include <linux/timer.h>

struct wg_peer;

/* WG 6.1 in ns, divided by the time_scale parameter. Set once when the module loads. */
struct wg_times {
	u64 rekey_after;
	u64 reject_after;
	u64 rekey_timeout;
	u64 keepalive_timeout;
	u64 cookie_secret_age;
	u64 cookie_use;
	u64 second;
};

extern struct wg_times wg_times;
void wg_times_init(unsigned int scale);

enum wg_deadline {
	WG_DUE_RETRANSMIT,  /* no response to our initiation */
	WG_DUE_KEEPALIVE,   /* we received, but had nothing to send */
	WG_DUE_REHANDSHAKE, /* we sent, but nothing came back */
	WG_DUE_ZERO_KEYS,   /* no new session for long */
	WG_DUE_PERSISTENT,  /* the persistent keepalive */
	WG_DEADLINES
};

struct wg_timers {
	struct timer_list timer;
	/*
	 * In jiffies, 0: none. Every deadline that is set has the timer pending at or before it, or about to look at
	 * it: a setter changes the deadline first (fully ordered), then brings the timer forward if need be.
	 */
	unsigned long due[WG_DEADLINES];
	unsigned int handshake_attempts;
	bool keepalive_again; /* received more while a keepalive was due already */
	bool asked_for_rekey; /* WG 6.2: only once a session on receiving */
};

/* What the protocol's clock says; goes on in suspend, so that sessions age there too. ns. */
static inline u64 wg_now(void)
{
	return ktime_get_coarse_boottime_ns();
}

void wg_timers_init(struct wg_peer *peer);
/* None is due afterwards, and it stays so if those who set timers were stopped for good before. */
void wg_timers_stop(struct wg_peer *peer);

void wg_timers_data_sent(struct wg_peer *peer);
void wg_timers_data_received(struct wg_peer *peer);
void wg_timers_authenticated_sent(struct wg_peer *peer);
void wg_timers_authenticated_received(struct wg_peer *peer);
void wg_timers_handshake_initiated(struct wg_peer *peer);
void wg_timers_handshake_complete(struct wg_peer *peer);
void wg_timers_session_derived(struct wg_peer *peer);

#endif
