// SPDX-License-Identifier: GPL-2.0-only

#include <linux/jiffies.h>
#include <linux/math64.h>
#include "compat.h"
#include "device.h"
#include "peer.h"
#include "send.h"
#include "socket.h"
#include "timers.h"

#define MAX_HANDSHAKES (WG_REKEY_ATTEMPT_TIME / WG_REKEY_TIMEOUT)
#define JITTER_PARTS 3 /* of a second: up to one third is added */

struct wg_times wg_times __read_mostly;

void wg_times_init(unsigned int scale)
{
	const u64 second = div_u64(NSEC_PER_SEC, scale);

	wg_times.second = second;
	wg_times.rekey_after = WG_REKEY_AFTER_TIME * second;
	wg_times.reject_after = WG_REJECT_AFTER_TIME * second;
	wg_times.rekey_timeout = WG_REKEY_TIMEOUT * second;
	wg_times.keepalive_timeout = WG_KEEPALIVE_TIMEOUT * second;
	wg_times.cookie_secret_age = WG_COOKIE_SECRET_AGE * second;
	wg_times.cookie_use = (WG_COOKIE_SECRET_AGE - WG_COOKIE_LATENCY) * second;
}

static void set_due(struct wg_peer *peer, enum wg_deadline which, u64 delay)
{
	struct wg_timers *timers = &peer->timers;
	/*
	 * Never early, by the coarse clock of wg_now() either: the present tick has partly gone, and what is left over
	 * of the delay counts as one. A retransmission that came early would be refused as one too many, and be the last.
	 */
	unsigned long due = jiffies + nsecs_to_jiffies(delay) + 2, before;

	if (unlikely(READ_ONCE(peer->dead)) || !netif_running(peer->device->dev))
		return;
	due += !due;
	before = xchg(&timers->due[which], due);
	/* Moved back only: the timer fires at the old time, finds this one and goes on. */
	if (!before || time_before(due, before))
		timer_reduce(&timers->timer, due);
}

static void set_due_if_unset(struct wg_peer *peer, enum wg_deadline which, u64 delay)
{
	if (!READ_ONCE(peer->timers.due[which]))
		set_due(peer, which, delay);
}

static void unset_due(struct wg_peer *peer, enum wg_deadline which)
{
	if (READ_ONCE(peer->timers.due[which]))
		WRITE_ONCE(peer->timers.due[which], 0);
}

static u64 jitter(void)
{
	return div_u64(wg_times.second, JITTER_PARTS * 256) * (get_random_u32() & 0xff);
}

static void fire_retransmit(struct wg_peer *peer)
{
	struct wg_timers *timers = &peer->timers;

	if (timers->handshake_attempts >= MAX_HANDSHAKES) {
		pr_debug("%s: handshake with peer %llu gave up after %u attempts\n", peer->device->dev->name, peer->id,
			 timers->handshake_attempts + 1);
		unset_due(peer, WG_DUE_KEEPALIVE);
		wg_send_drop_staged(peer);
		/* What is left of the last session shall not outlive it either. */
		set_due_if_unset(peer, WG_DUE_ZERO_KEYS, 3 * wg_times.reject_after);
		return;
	}
	++timers->handshake_attempts;
	/* Perhaps the address we send from stopped working. */
	wg_endpoint_forget_source(peer);
	wg_send_queue_initiation(peer, true);
}

static void fire(struct wg_peer *peer, enum wg_deadline which)
{
	struct wg_timers *timers = &peer->timers;

	switch (which) {
	case WG_DUE_RETRANSMIT:
		fire_retransmit(peer);
		break;
	case WG_DUE_KEEPALIVE:
		wg_send_keepalive(peer);
		if (READ_ONCE(timers->keepalive_again)) {
			WRITE_ONCE(timers->keepalive_again, false);
			set_due(peer, WG_DUE_KEEPALIVE, wg_times.keepalive_timeout);
		}
		break;
	case WG_DUE_REHANDSHAKE:
		wg_endpoint_forget_source(peer);
		wg_send_queue_initiation(peer, false);
		break;
	case WG_DUE_ZERO_KEYS:
		wg_peer_queue_clear(peer);
		break;
	case WG_DUE_PERSISTENT:
		if (READ_ONCE(peer->keepalive_interval))
			wg_send_keepalive(peer);
		break;
	case WG_DEADLINES:
		break;
	}
}

static void expired(struct timer_list *timer)
{
	struct wg_peer *peer = timer_container_of(peer, timer, timers.timer);
	struct wg_timers *timers = &peer->timers;
	unsigned long due, earliest = 0;
	int which;

	for (which = 0; which < WG_DEADLINES; ++which) {
		due = READ_ONCE(timers->due[which]);
		/* If it was set anew meanwhile, it is not over; if it was unset, neither. */
		if (due && time_after_eq(jiffies, due) && cmpxchg(&timers->due[which], due, 0) == due)
			fire(peer, which);
	}
	for (which = 0; which < WG_DEADLINES; ++which) {
		due = READ_ONCE(timers->due[which]);
		if (due && (!earliest || time_before(due, earliest)))
			earliest = due;
	}
	if (earliest && !READ_ONCE(peer->dead))
		timer_reduce(&timers->timer, earliest);
}

void wg_timers_init(struct wg_peer *peer)
{
	memset(&peer->timers, 0, sizeof(peer->timers));
	timer_setup(&peer->timers.timer, expired, 0);
}

void wg_timers_stop(struct wg_peer *peer)
{
	int which;

	/* Twice: a timer that was just running may have set deadlines after the first pass. */
	for (which = 0; which < WG_DEADLINES; ++which)
		WRITE_ONCE(peer->timers.due[which], 0);
	timer_delete_sync(&peer->timers.timer);
	for (which = 0; which < WG_DEADLINES; ++which)
		WRITE_ONCE(peer->timers.due[which], 0);
}

/* Data went out: something has to come back within keepalive and handshake time, or the session is broken. */
void wg_timers_data_sent(struct wg_peer *peer)
{
	set_due_if_unset(peer, WG_DUE_REHANDSHAKE, wg_times.keepalive_timeout + wg_times.rekey_timeout + jitter());
}

/* Data came in: unless we have data to send ourselves, say that it arrived. */
void wg_timers_data_received(struct wg_peer *peer)
{
	if (!READ_ONCE(peer->timers.due[WG_DUE_KEEPALIVE]))
		set_due(peer, WG_DUE_KEEPALIVE, wg_times.keepalive_timeout);
	else if (!READ_ONCE(peer->timers.keepalive_again))
		WRITE_ONCE(peer->timers.keepalive_again, true);
}

/* Whichever way an authenticated packet went: the next persistent keepalive is due an interval after it. */
static void authenticated_traversed(struct wg_peer *peer)
{
	u16 interval = READ_ONCE(peer->keepalive_interval);

	if (interval)
		set_due(peer, WG_DUE_PERSISTENT, interval * wg_times.second);
}

void wg_timers_authenticated_sent(struct wg_peer *peer)
{
	unset_due(peer, WG_DUE_KEEPALIVE);
	authenticated_traversed(peer);
}

void wg_timers_authenticated_received(struct wg_peer *peer)
{
	unset_due(peer, WG_DUE_REHANDSHAKE);
	authenticated_traversed(peer);
}

void wg_timers_handshake_initiated(struct wg_peer *peer)
{
	set_due(peer, WG_DUE_RETRANSMIT, wg_times.rekey_timeout + jitter());
}

void wg_timers_handshake_complete(struct wg_peer *peer)
{
	unset_due(peer, WG_DUE_RETRANSMIT);
	peer->timers.handshake_attempts = 0;
	WRITE_ONCE(peer->timers.asked_for_rekey, false);
	atomic64_set(&peer->last_handshake, ktime_get_real_ns());
}

void wg_timers_session_derived(struct wg_peer *peer)
{
	set_due(peer, WG_DUE_ZERO_KEYS, 3 * wg_times.reject_after);
}
