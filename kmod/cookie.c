// SPDX-License-Identifier: GPL-2.0-only

#include <crypto/blake2s.h>
#include <crypto/chacha20poly1305.h>
#include <linux/random.h>
#include <linux/string.h>
#include "compat.h"
#include "cookie.h"

static const u8 mac1_label[8] = "mac1----";
static const u8 cookie_label[8] = "cookie--";

static void derive(u8 out[WG_KEY_SIZE], const u8 label[8], const u8 public_key[WG_KEY_SIZE])
{
	struct blake2s_ctx context;

	blake2s_init(&context, WG_KEY_SIZE);
	blake2s_update(&context, label, 8);
	blake2s_update(&context, public_key, WG_KEY_SIZE);
	blake2s_final(&context, out);
}

static void mac(u8 out[WG_MAC_SIZE], const void *data, size_t len, const u8 *key, size_t key_len)
{
	struct blake2s_ctx context;

	blake2s_init_key(&context, WG_MAC_SIZE, key, key_len);
	blake2s_update(&context, data, len);
	blake2s_final(&context, out);
}

/* They end every handshake message; mac1 covers what is before it, and so does mac2. */
static struct wg_macs *macs_of(const void *msg, size_t len)
{
	return (struct wg_macs *)((u8 *)msg + len) - 1;
}

void wg_cookie_checker_init(struct wg_cookie_checker *checker)
{
	memset(checker, 0, sizeof(*checker));
	mutex_init(&checker->lock);
}

void wg_cookie_checker_set_key(struct wg_cookie_checker *checker, const u8 *public_key)
{
	mutex_lock(&checker->lock);
	checker->ready = public_key;
	if (public_key) {
		derive(checker->mac1_key, mac1_label, public_key);
		derive(checker->cookie_key, cookie_label, public_key);
	}
	mutex_unlock(&checker->lock);
}

void wg_cookie_jar_init(struct wg_cookie_jar *jar, const u8 remote_public[WG_KEY_SIZE])
{
	memset(jar, 0, sizeof(*jar));
	mutex_init(&jar->lock);
	derive(jar->mac1_key, mac1_label, remote_public);
	derive(jar->cookie_key, cookie_label, remote_public);
}

void wg_cookie_sign(struct wg_cookie_jar *jar, void *msg, size_t len, u64 now)
{
	struct wg_macs *macs = macs_of(msg, len);

	mutex_lock(&jar->lock);
	mac(macs->mac1, msg, len - sizeof(*macs), jar->mac1_key, WG_KEY_SIZE);
	memcpy(jar->last_mac1, macs->mac1, WG_MAC_SIZE);
	jar->awaits_reply = true;
	if (now < jar->cookie_until)
		mac(macs->mac2, msg, len - WG_MAC_SIZE, jar->cookie, WG_COOKIE_SIZE);
	else
		memset(macs->mac2, 0, WG_MAC_SIZE);
	mutex_unlock(&jar->lock);
}

/* The cookie of a source, from the secret of the moment, which is renewed when its time is over. */
static void bake(struct wg_cookie_checker *checker, u8 cookie[WG_COOKIE_SIZE], const struct wg_cookie_source *source,
		 u64 now, u64 lifetime)
{
	lockdep_assert_held(&checker->lock);
	if (now >= checker->secret_until) {
		get_random_bytes(checker->secret, sizeof(checker->secret));
		checker->secret_until = now + lifetime;
	}
	mac(cookie, source->octets, source->length, checker->secret, sizeof(checker->secret));
}

enum wg_cookie_verdict wg_cookie_check(struct wg_cookie_checker *checker, const struct wg_cookie_source *source,
				       const void *msg, size_t len, bool under_load, u64 now, u64 lifetime)
{
	const struct wg_macs *macs = macs_of(msg, len);
	enum wg_cookie_verdict verdict = WG_MAC_INVALID;
	u8 cookie[WG_COOKIE_SIZE], expected[WG_MAC_SIZE], mac1_key[WG_KEY_SIZE];
	bool ready;

	mutex_lock(&checker->lock);
	ready = checker->ready;
	memcpy(mac1_key, checker->mac1_key, sizeof(mac1_key));
	mutex_unlock(&checker->lock);
	if (!ready)
		return verdict;

	mac(expected, msg, len - sizeof(*macs), mac1_key, WG_KEY_SIZE);
	if (crypto_memneq(expected, macs->mac1, WG_MAC_SIZE))
		return verdict;
	verdict = WG_MAC1_VALID;
	if (!under_load)
		return verdict;

	mutex_lock(&checker->lock);
	bake(checker, cookie, source, now, lifetime);
	mutex_unlock(&checker->lock);
	mac(expected, msg, len - WG_MAC_SIZE, cookie, WG_COOKIE_SIZE);
	if (!crypto_memneq(expected, macs->mac2, WG_MAC_SIZE))
		verdict = WG_MAC2_VALID;
	memzero_explicit(cookie, sizeof(cookie));
	return verdict;
}

bool wg_cookie_reply(struct wg_cookie_checker *checker, const struct wg_cookie_source *source, const void *msg,
		     size_t len, __le32 receiver, u64 now, u64 lifetime, struct wg_msg_cookie *reply)
{
	u8 cookie[WG_COOKIE_SIZE];
	bool ready;

	reply->type = cpu_to_le32(WG_MSG_COOKIE);
	reply->receiver = receiver;
	get_random_bytes(reply->nonce, sizeof(reply->nonce));

	mutex_lock(&checker->lock);
	ready = checker->ready;
	if (ready) {
		bake(checker, cookie, source, now, lifetime);
		xchacha20poly1305_encrypt(reply->sealed_cookie, cookie, WG_COOKIE_SIZE, macs_of(msg, len)->mac1, WG_MAC_SIZE,
					  reply->nonce, checker->cookie_key);
	}
	mutex_unlock(&checker->lock);
	memzero_explicit(cookie, sizeof(cookie));
	return ready;
}

bool wg_cookie_accept(struct wg_cookie_jar *jar, const struct wg_msg_cookie *reply, u64 now, u64 lifetime)
{
	u8 cookie[WG_COOKIE_SIZE];
	bool good = false;

	mutex_lock(&jar->lock);
	if (jar->awaits_reply &&
	    xchacha20poly1305_decrypt(cookie, reply->sealed_cookie, sizeof(reply->sealed_cookie), jar->last_mac1,
				      WG_MAC_SIZE, reply->nonce, jar->cookie_key)) {
		memcpy(jar->cookie, cookie, sizeof(cookie));
		jar->cookie_until = now + lifetime;
		jar->awaits_reply = false;
		good = true;
	}
	mutex_unlock(&jar->lock);
	memzero_explicit(cookie, sizeof(cookie));
	return good;
}
