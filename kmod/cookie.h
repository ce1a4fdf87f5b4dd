/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cookie.h: mac1, mac2 and cookies (WG 5.3, 5.4.4, 5.4.7): who may make us work when we are under load. Times are ns
 * of a clock that does not go back. The functions lock for themselves; process context.
 */
#ifndef WG_COOKIE_H
#define WG_COOKIE_H

#include <linux/mutex.h>
#include <linux/types.h>
#include "messages.h"

/* The receiving side, one a device. */
struct wg_cookie_checker {
	struct mutex lock; /* of all of it */
	bool ready; /* the device has a key */
	u8 mac1_key[WG_KEY_SIZE];
	u8 cookie_key[WG_KEY_SIZE];
	u8 secret[WG_KEY_SIZE];
	u64 secret_until; /* 0: none yet */
};

/* The sending side, one a peer. */
struct wg_cookie_jar {
	struct mutex lock; /* of all of it */
	u8 mac1_key[WG_KEY_SIZE];
	u8 cookie_key[WG_KEY_SIZE];
	u8 cookie[WG_COOKIE_SIZE];
	u64 cookie_until; /* 0: none */
	u8 last_mac1[WG_MAC_SIZE];
	bool awaits_reply; /* last_mac1 is of a message that no reply came to yet */
};

enum wg_cookie_verdict {
	WG_MAC_INVALID,    /* not meant for us: drop */
	WG_MAC1_VALID,     /* meant for us */
	WG_MAC2_VALID,     /* and the sender gets mail at its address */
};

/* Where a message came from: address and port, as octets. */
struct wg_cookie_source {
	u8 octets[18];
	u8 length;
};

void wg_cookie_checker_init(struct wg_cookie_checker *checker);
/* @public_key NULL: the device lost its key. */
void wg_cookie_checker_set_key(struct wg_cookie_checker *checker, const u8 *public_key);
void wg_cookie_jar_init(struct wg_cookie_jar *jar, const u8 remote_public[WG_KEY_SIZE]);

/* @msg ends in struct wg_macs, which is filled in. @lifetime: how long a cookie may be used, ns. */
void wg_cookie_sign(struct wg_cookie_jar *jar, void *msg, size_t len, u64 now);

/* mac2 is looked at only if @under_load. @lifetime: how long a secret lives, ns. */
enum wg_cookie_verdict wg_cookie_check(struct wg_cookie_checker *checker, const struct wg_cookie_source *source,
				       const void *msg, size_t len, bool under_load, u64 now, u64 lifetime);

/* The reply to @msg, whose mac1 was found valid. False if the device has no key. */
bool wg_cookie_reply(struct wg_cookie_checker *checker, const struct wg_cookie_source *source, const void *msg,
		     size_t len, __le32 receiver, u64 now, u64 lifetime, struct wg_msg_cookie *reply);

/* @lifetime: how long the cookie may be used, ns. False if it answers no message of ours. */
bool wg_cookie_accept(struct wg_cookie_jar *jar, const struct wg_msg_cookie *reply, u64 now, u64 lifetime);

#endif
