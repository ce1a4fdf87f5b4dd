/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * noise.h: the handshake, Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s (WG 5.4). Values in, values out: nothing here knows of
 * devices, peers, sockets or clocks, and randomness comes from the caller. No locking inside: a handshake is its
 * peer's, under the peer's handshake lock; the identity is read under the device's identity lock.
 */
#ifndef WG_NOISE_H
#define WG_NOISE_H

#include <linux/types.h>
#include "messages.h"

struct noise_identity {
	u8 private_key[WG_KEY_SIZE];
	u8 public_key[WG_KEY_SIZE];
	bool set;
};

/* Noise's SymmetricState: h and ck. */
struct noise_symmetric {
	u8 hash[WG_HASH_SIZE];
	u8 chaining_key[WG_HASH_SIZE];
};

enum noise_state {
	NOISE_IDLE,
	NOISE_INITIATION_SENT,
	NOISE_INITIATION_CONSUMED,
	NOISE_RESPONSE_SENT,
	NOISE_RESPONSE_CONSUMED,
};

struct noise_handshake {
	enum noise_state state;
	struct noise_symmetric symmetric;
	u8 ephemeral_private[WG_KEY_SIZE];
	u8 remote_ephemeral[WG_KEY_SIZE];
	u8 remote_static[WG_KEY_SIZE];
	u8 preshared_key[WG_KEY_SIZE];
	u8 static_static[WG_KEY_SIZE]; /* DH(own static, remote static), worked out when first needed */
	bool static_static_known;
	u8 latest_timestamp[WG_TIMESTAMP_SIZE];
	u64 last_initiation; /* when the latest one was accepted, ns */
	__le32 remote_index;
};

/* An initiation of which only the sender's static key has been read. */
struct noise_opening {
	struct noise_symmetric symmetric;
	u8 key[WG_KEY_SIZE];
	u8 ephemeral[WG_KEY_SIZE];
	u8 remote_static[WG_KEY_SIZE];
};

struct noise_keys {
	u8 sending[WG_KEY_SIZE];
	u8 receiving[WG_KEY_SIZE];
};

void noise_module_init(void);

/* Zeros clear it. The key is clamped. */
void noise_identity_set(struct noise_identity *identity, const u8 private_key[WG_KEY_SIZE]);

void noise_handshake_init(struct noise_handshake *hs, const u8 remote_static[WG_KEY_SIZE]);
/* Back to idle; the remote key, psk and latest timestamp stay. */
void noise_handshake_clear(struct noise_handshake *hs);
/* After the own identity changed. */
void noise_handshake_forget_static(struct noise_handshake *hs);

/* TAI64N; its precision is cut to 2^24 ns so that it tells nothing of our clock's finer steps. */
void noise_timestamp(u8 out[WG_TIMESTAMP_SIZE], s64 seconds, u32 nanoseconds);

/* Each returns false, with the handshake as it was, if a key is missing or bad or the message is not authentic. */
bool noise_create_initiation(struct noise_handshake *hs, const struct noise_identity *own,
			     const u8 ephemeral[WG_KEY_SIZE], const u8 timestamp[WG_TIMESTAMP_SIZE], __le32 sender,
			     struct wg_msg_initiation *msg);
bool noise_open_initiation(struct noise_opening *opening, const struct noise_identity *own,
			   const struct wg_msg_initiation *msg);
/* @opening->remote_static is @hs's. @now in ns; initiations closer than 1/50 s to the last are refused. */
bool noise_consume_initiation(struct noise_handshake *hs, const struct noise_identity *own,
			      const struct noise_opening *opening, const struct wg_msg_initiation *msg, u64 now);
bool noise_create_response(struct noise_handshake *hs, const u8 ephemeral[WG_KEY_SIZE], __le32 sender,
			   struct wg_msg_response *msg);
bool noise_consume_response(struct noise_handshake *hs, const struct noise_identity *own,
			    const struct wg_msg_response *msg);
/* The transport keys, as the role demands; the handshake is idle afterwards. False if it was not complete. */
bool noise_split(struct noise_handshake *hs, struct noise_keys *keys);

/* The parts, for those above and for the test vectors. */
void noise_symmetric_init(struct noise_symmetric *s, const char *protocol, size_t protocol_len, const void *prologue,
			  size_t prologue_len);
void noise_mix_hash(struct noise_symmetric *s, const void *data, size_t len);
void noise_mix_key(struct noise_symmetric *s, u8 key[WG_KEY_SIZE], const u8 input[WG_KEY_SIZE]);
bool noise_mix_dh(struct noise_symmetric *s, u8 key[WG_KEY_SIZE], const u8 private_key[WG_KEY_SIZE],
		  const u8 public_key[WG_KEY_SIZE]);
void noise_mix_psk(struct noise_symmetric *s, u8 key[WG_KEY_SIZE], const u8 psk[WG_KEY_SIZE]);
void noise_mix_ephemeral(struct noise_symmetric *s, const u8 ephemeral[WG_KEY_SIZE]);
void noise_seal(struct noise_symmetric *s, u8 *sealed, const u8 *plain, size_t len, const u8 key[WG_KEY_SIZE]);
bool noise_open(struct noise_symmetric *s, u8 *plain, const u8 *sealed, size_t sealed_len,
		const u8 key[WG_KEY_SIZE]);
void noise_kdf(u8 *first, u8 *second, u8 *third, const u8 key[WG_HASH_SIZE], const void *input, size_t input_len);

#endif
