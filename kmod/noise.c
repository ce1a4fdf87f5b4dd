// SPDX-License-Identifier: GPL-2.0-only
/*
 * The paragraph headings are Noise's tokens. Every consume function works on copies and commits at its end, so that a
 * forged message leaves no trace.
 */

#include <crypto/blake2s.h>
#include <crypto/chacha20poly1305.h>
#include <crypto/curve25519.h>
#include <linux/errno.h>
#include <linux/string.h>
#include <linux/time64.h>
#include "compat.h"
#include "noise.h"

static const char protocol_name[] = "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s";
static const char prologue[] = "WireGuard v1 zx2c4 Jason@zx2c4.com";
static struct noise_symmetric initial_state;

/* HMAC of RFC 2104 over BLAKE2s; keys here are never longer than a block. */
static void hmac(u8 out[WG_HASH_SIZE], const u8 key[WG_HASH_SIZE], const void *data, size_t len, const u8 *tail,
		 size_t tail_len)
{
	u8 block[BLAKE2S_BLOCK_SIZE] = { 0 };
	struct blake2s_ctx inner, outer;
	size_t i;

	memcpy(block, key, WG_HASH_SIZE);
	for (i = 0; i < sizeof(block); ++i)
		block[i] ^= 0x36;
	blake2s_init(&inner, WG_HASH_SIZE);
	blake2s_update(&inner, block, sizeof(block));
	blake2s_update(&inner, data, len);
	blake2s_update(&inner, tail, tail_len);
	for (i = 0; i < sizeof(block); ++i)
		block[i] ^= 0x36 ^ 0x5c;
	blake2s_init(&outer, WG_HASH_SIZE);
	blake2s_update(&outer, block, sizeof(block));
	blake2s_final(&inner, block);
	blake2s_update(&outer, block, WG_HASH_SIZE);
	blake2s_final(&outer, out);
	memzero_explicit(block, sizeof(block));
}

/* HKDF of RFC 5869: up to three outputs; pass NULL for those not wanted. */
void noise_kdf(u8 *first, u8 *second, u8 *third, const u8 key[WG_HASH_SIZE], const void *input, size_t input_len)
{
	static const u8 one = 1, two = 2, three = 3;
	u8 secret[WG_HASH_SIZE], t[WG_HASH_SIZE];

	hmac(secret, key, input, input_len, NULL, 0);
	hmac(t, secret, &one, 1, NULL, 0);
	if (first)
		memcpy(first, t, sizeof(t));
	if (second || third) {
		hmac(t, secret, t, sizeof(t), &two, 1);
		if (second)
			memcpy(second, t, sizeof(t));
	}
	if (third) {
		hmac(t, secret, t, sizeof(t), &three, 1);
		memcpy(third, t, sizeof(t));
	}
	memzero_explicit(secret, sizeof(secret));
	memzero_explicit(t, sizeof(t));
}

void noise_mix_hash(struct noise_symmetric *s, const void *data, size_t len)
{
	struct blake2s_ctx context;

	blake2s_init(&context, WG_HASH_SIZE);
	blake2s_update(&context, s->hash, sizeof(s->hash));
	blake2s_update(&context, data, len);
	blake2s_final(&context, s->hash);
}

void noise_symmetric_init(struct noise_symmetric *s, const char *protocol, size_t protocol_len,
			  const void *prologue_data, size_t prologue_len)
{
	struct blake2s_ctx context;

	blake2s_init(&context, WG_HASH_SIZE);
	blake2s_update(&context, (const u8 *)protocol, protocol_len);
	blake2s_final(&context, s->chaining_key);
	memcpy(s->hash, s->chaining_key, sizeof(s->hash));
	noise_mix_hash(s, prologue_data, prologue_len);
}

void noise_mix_key(struct noise_symmetric *s, u8 key[WG_KEY_SIZE], const u8 input[WG_KEY_SIZE])
{
	noise_kdf(s->chaining_key, key, NULL, s->chaining_key, input, WG_KEY_SIZE);
}

/* False if the result is zero: a public key of low order. */
bool noise_mix_dh(struct noise_symmetric *s, u8 key[WG_KEY_SIZE], const u8 private_key[WG_KEY_SIZE],
		  const u8 public_key[WG_KEY_SIZE])
{
	u8 shared[WG_KEY_SIZE];
	bool good = curve25519(shared, private_key, public_key);

	if (good)
		noise_mix_key(s, key, shared);
	memzero_explicit(shared, sizeof(shared));
	return good;
}

void noise_mix_psk(struct noise_symmetric *s, u8 key[WG_KEY_SIZE], const u8 psk[WG_KEY_SIZE])
{
	u8 hash_input[WG_HASH_SIZE];

	noise_kdf(s->chaining_key, hash_input, key, s->chaining_key, psk, WG_KEY_SIZE);
	noise_mix_hash(s, hash_input, sizeof(hash_input));
	memzero_explicit(hash_input, sizeof(hash_input));
}

/* With a psk in the pattern, e is mixed into the key as well. */
void noise_mix_ephemeral(struct noise_symmetric *s, const u8 ephemeral[WG_KEY_SIZE])
{
	noise_mix_hash(s, ephemeral, WG_KEY_SIZE);
	noise_mix_key(s, NULL, ephemeral);
}

void noise_seal(struct noise_symmetric *s, u8 *sealed, const u8 *plain, size_t len, const u8 key[WG_KEY_SIZE])
{
	chacha20poly1305_encrypt(sealed, plain, len, s->hash, sizeof(s->hash), 0, key);
	noise_mix_hash(s, sealed, len + WG_TAG_SIZE);
}

bool noise_open(struct noise_symmetric *s, u8 *plain, const u8 *sealed, size_t sealed_len, const u8 key[WG_KEY_SIZE])
{
	if (!chacha20poly1305_decrypt(plain, sealed, sealed_len, s->hash, sizeof(s->hash), 0, key))
		return false;
	noise_mix_hash(s, sealed, sealed_len);
	return true;
}

void noise_module_init(void)
{
	noise_symmetric_init(&initial_state, protocol_name, sizeof(protocol_name) - 1, prologue, sizeof(prologue) - 1);
}

void noise_identity_set(struct noise_identity *identity, const u8 private_key[WG_KEY_SIZE])
{
	memcpy(identity->private_key, private_key, WG_KEY_SIZE);
	identity->set = false;
	if (memchr_inv(private_key, 0, WG_KEY_SIZE)) {
		curve25519_clamp_secret(identity->private_key);
		identity->set = curve25519_generate_public(identity->public_key, identity->private_key);
	}
	if (!identity->set)
		memzero_explicit(identity, sizeof(*identity));
}

void noise_handshake_init(struct noise_handshake *hs, const u8 remote_static[WG_KEY_SIZE])
{
	memset(hs, 0, sizeof(*hs));
	memcpy(hs->remote_static, remote_static, WG_KEY_SIZE);
}

void noise_handshake_clear(struct noise_handshake *hs)
{
	memzero_explicit(&hs->symmetric, sizeof(hs->symmetric));
	memzero_explicit(hs->ephemeral_private, sizeof(hs->ephemeral_private));
	memzero_explicit(hs->remote_ephemeral, sizeof(hs->remote_ephemeral));
	hs->remote_index = 0;
	hs->state = NOISE_IDLE;
}

void noise_handshake_forget_static(struct noise_handshake *hs)
{
	memzero_explicit(hs->static_static, sizeof(hs->static_static));
	hs->static_static_known = false;
}

static bool mix_static_static(struct noise_handshake *hs, struct noise_symmetric *s, u8 key[WG_KEY_SIZE],
			      const struct noise_identity *own)
{
	if (!hs->static_static_known)
		hs->static_static_known = curve25519(hs->static_static, own->private_key, hs->remote_static);
	if (hs->static_static_known)
		noise_mix_key(s, key, hs->static_static);
	return hs->static_static_known;
}

void noise_timestamp(u8 out[WG_TIMESTAMP_SIZE], s64 seconds, u32 nanoseconds)
{
	/* TAI64's epoch, with the ten leap seconds of 1972. */
	put_unaligned_be64(0x400000000000000aULL + seconds, out);
	put_unaligned_be32(nanoseconds & ~0xffffffU, out + 8);
}

bool noise_create_initiation(struct noise_handshake *hs, const struct noise_identity *own,
			     const u8 ephemeral[WG_KEY_SIZE], const u8 timestamp[WG_TIMESTAMP_SIZE], __le32 sender,
			     struct wg_msg_initiation *msg)
{
	struct noise_symmetric s = initial_state;
	u8 key[WG_KEY_SIZE];
	bool good = false;

	if (!own->set)
		return false;
	msg->type = cpu_to_le32(WG_MSG_INITIATION);
	msg->sender = sender;
	noise_mix_hash(&s, hs->remote_static, WG_KEY_SIZE);

	/* e */
	if (!curve25519_generate_public(msg->ephemeral, ephemeral))
		goto out;
	noise_mix_ephemeral(&s, msg->ephemeral);

	/* es */
	if (!noise_mix_dh(&s, key, ephemeral, hs->remote_static))
		goto out;

	/* s */
	noise_seal(&s, msg->sealed_static, own->public_key, WG_KEY_SIZE, key);

	/* ss */
	if (!mix_static_static(hs, &s, key, own))
		goto out;

	/* {t} */
	noise_seal(&s, msg->sealed_timestamp, timestamp, WG_TIMESTAMP_SIZE, key);

	memcpy(hs->ephemeral_private, ephemeral, WG_KEY_SIZE);
	hs->symmetric = s;
	hs->state = NOISE_INITIATION_SENT;
	good = true;
out:
	memzero_explicit(&s, sizeof(s));
	memzero_explicit(key, sizeof(key));
	return good;
}

bool noise_open_initiation(struct noise_opening *opening, const struct noise_identity *own,
			   const struct wg_msg_initiation *msg)
{
	struct noise_symmetric *s = &opening->symmetric;

	if (!own->set)
		return false;
	*s = initial_state;
	noise_mix_hash(s, own->public_key, WG_KEY_SIZE);

	/* e */
	memcpy(opening->ephemeral, msg->ephemeral, WG_KEY_SIZE);
	noise_mix_ephemeral(s, msg->ephemeral);

	/* es */
	if (!noise_mix_dh(s, opening->key, own->private_key, msg->ephemeral))
		return false;

	/* s */
	return noise_open(s, opening->remote_static, msg->sealed_static, sizeof(msg->sealed_static), opening->key);
}

bool noise_consume_initiation(struct noise_handshake *hs, const struct noise_identity *own,
			      const struct noise_opening *opening, const struct wg_msg_initiation *msg, u64 now)
{
	struct noise_symmetric s = opening->symmetric;
	u8 key[WG_KEY_SIZE], timestamp[WG_TIMESTAMP_SIZE];
	bool good = false;

	/* ss */
	if (!own->set || !mix_static_static(hs, &s, key, own))
		goto out;

	/* {t} */
	if (!noise_open(&s, timestamp, msg->sealed_timestamp, sizeof(msg->sealed_timestamp), key))
		goto out;

	/* Replayed, or too soon after the last one. */
	if (memcmp(timestamp, hs->latest_timestamp, WG_TIMESTAMP_SIZE) <= 0)
		goto out;
	if (hs->last_initiation && now - hs->last_initiation < NSEC_PER_SEC / WG_INITIATIONS_PER_SECOND)
		goto out;

	memcpy(hs->latest_timestamp, timestamp, WG_TIMESTAMP_SIZE);
	memcpy(hs->remote_ephemeral, opening->ephemeral, WG_KEY_SIZE);
	memzero_explicit(hs->ephemeral_private, sizeof(hs->ephemeral_private));
	hs->symmetric = s;
	hs->remote_index = msg->sender;
	hs->last_initiation = now;
	hs->state = NOISE_INITIATION_CONSUMED;
	good = true;
out:
	memzero_explicit(&s, sizeof(s));
	memzero_explicit(key, sizeof(key));
	return good;
}

bool noise_create_response(struct noise_handshake *hs, const u8 ephemeral[WG_KEY_SIZE], __le32 sender,
			   struct wg_msg_response *msg)
{
	struct noise_symmetric s = hs->symmetric;
	u8 key[WG_KEY_SIZE];
	bool good = false;

	if (hs->state != NOISE_INITIATION_CONSUMED)
		goto out;
	msg->type = cpu_to_le32(WG_MSG_RESPONSE);
	msg->sender = sender;
	msg->receiver = hs->remote_index;

	/* e */
	if (!curve25519_generate_public(msg->ephemeral, ephemeral))
		goto out;
	noise_mix_ephemeral(&s, msg->ephemeral);

	/* ee */
	if (!noise_mix_dh(&s, NULL, ephemeral, hs->remote_ephemeral))
		goto out;

	/* se */
	if (!noise_mix_dh(&s, NULL, ephemeral, hs->remote_static))
		goto out;

	/* psk */
	noise_mix_psk(&s, key, hs->preshared_key);

	/* {} */
	noise_seal(&s, msg->sealed_nothing, NULL, 0, key);

	hs->symmetric = s;
	hs->state = NOISE_RESPONSE_SENT;
	good = true;
out:
	memzero_explicit(&s, sizeof(s));
	memzero_explicit(key, sizeof(key));
	return good;
}

bool noise_consume_response(struct noise_handshake *hs, const struct noise_identity *own,
			    const struct wg_msg_response *msg)
{
	struct noise_symmetric s = hs->symmetric;
	u8 key[WG_KEY_SIZE];
	bool good = false;

	if (!own->set || hs->state != NOISE_INITIATION_SENT)
		goto out;

	/* e */
	noise_mix_ephemeral(&s, msg->ephemeral);

	/* ee */
	if (!noise_mix_dh(&s, NULL, hs->ephemeral_private, msg->ephemeral))
		goto out;

	/* se */
	if (!noise_mix_dh(&s, NULL, own->private_key, msg->ephemeral))
		goto out;

	/* psk */
	noise_mix_psk(&s, key, hs->preshared_key);

	/* {} */
	if (!noise_open(&s, NULL, msg->sealed_nothing, sizeof(msg->sealed_nothing), key))
		goto out;

	hs->symmetric = s;
	hs->remote_index = msg->sender;
	hs->state = NOISE_RESPONSE_CONSUMED;
	good = true;
out:
	memzero_explicit(&s, sizeof(s));
	memzero_explicit(key, sizeof(key));
	return good;
}

bool noise_split(struct noise_handshake *hs, struct noise_keys *keys)
{
	const u8 *chaining_key = hs->symmetric.chaining_key;

	if (hs->state == NOISE_RESPONSE_CONSUMED)
		noise_kdf(keys->sending, keys->receiving, NULL, chaining_key, NULL, 0);
	else if (hs->state == NOISE_RESPONSE_SENT)
		noise_kdf(keys->receiving, keys->sending, NULL, chaining_key, NULL, 0);
	else
		return false;
	noise_handshake_clear(hs);
	return true;
}
