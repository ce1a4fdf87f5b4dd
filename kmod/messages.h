/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * messages.h: what goes over the wire (WG 5.4) and the protocol's constants (WG 6.1). Integers are little-endian;
 * every message is a multiple of four octets up to its payload, so no packing is needed.
 */
#ifndef WG_MESSAGES_H
#define WG_MESSAGES_H

#include <linux/limits.h>
#include <linux/types.h>

#define WG_KEY_SIZE 32
#define WG_HASH_SIZE 32
#define WG_TAG_SIZE 16
#define WG_TIMESTAMP_SIZE 12
#define WG_MAC_SIZE 16
#define WG_COOKIE_SIZE 16
#define WG_COOKIE_NONCE_SIZE 24

enum wg_message_type {
	WG_MSG_INITIATION = 1,
	WG_MSG_RESPONSE = 2,
	WG_MSG_COOKIE = 3,
	WG_MSG_DATA = 4,
};

/* Seconds, but for the last group. The time_scale parameter divides the seconds, see timers.h. */
#define WG_REKEY_AFTER_TIME 120
#define WG_REJECT_AFTER_TIME 180
#define WG_REKEY_TIMEOUT 5
#define WG_REKEY_ATTEMPT_TIME 90
#define WG_KEEPALIVE_TIMEOUT 10
#define WG_COOKIE_SECRET_AGE 120
#define WG_COOKIE_LATENCY 5
#define WG_REKEY_AFTER_MESSAGES (1ULL << 60)
#define WG_REPLAY_BITS 8192
/* The replay window must never wrap (WG 6.1: 2^64 - 2^13 - 1). */
#define WG_REJECT_AFTER_MESSAGES (U64_MAX - WG_REPLAY_BITS)
#define WG_INITIATIONS_PER_SECOND 50
#define WG_PADDING 16

struct wg_macs {
	u8 mac1[WG_MAC_SIZE];
	u8 mac2[WG_MAC_SIZE];
};

struct wg_msg_initiation {
	__le32 type;
	__le32 sender;
	u8 ephemeral[WG_KEY_SIZE];
	u8 sealed_static[WG_KEY_SIZE + WG_TAG_SIZE];
	u8 sealed_timestamp[WG_TIMESTAMP_SIZE + WG_TAG_SIZE];
	struct wg_macs macs;
};

struct wg_msg_response {
	__le32 type;
	__le32 sender;
	__le32 receiver;
	u8 ephemeral[WG_KEY_SIZE];
	u8 sealed_nothing[WG_TAG_SIZE];
	struct wg_macs macs;
};

struct wg_msg_cookie {
	__le32 type;
	__le32 receiver;
	u8 nonce[WG_COOKIE_NONCE_SIZE];
	u8 sealed_cookie[WG_COOKIE_SIZE + WG_TAG_SIZE];
};

struct wg_msg_data {
	__le32 type;
	__le32 receiver;
	__le64 counter;
	u8 sealed_packet[];
};

/* The length of a data message that carries @len octets, padding included in @len. */
static inline size_t wg_data_message_len(size_t len)
{
	return sizeof(struct wg_msg_data) + len + WG_TAG_SIZE;
}

/*
 * WG 5.4.6: packets are padded to a multiple of 16, but never beyond the tunnel's MTU. What is longer than the MTU
 * (forwarded, or the MTU just shrank) is padded as its last MTU-sized unit would be.
 */
static inline unsigned int wg_padded_len(unsigned int len, unsigned int mtu)
{
	unsigned int last = len, whole = 0;

	if (!mtu)
		return (len + WG_PADDING - 1) & ~(WG_PADDING - 1);
	if (len > mtu) {
		last = len % mtu;
		whole = len - last;
	}
	last = (last + WG_PADDING - 1) & ~(WG_PADDING - 1);
	return whole + (last < mtu ? last : mtu);
}

#endif
