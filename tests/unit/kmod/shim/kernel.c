/* SPDX-License-Identifier: MIT */

#include <sodium.h>
#include "kernel.h"

long wg_shim_live_objects;
long wg_shim_allocations_left = -1;

void memzero_explicit(void *p, size_t len)
{
	sodium_memzero(p, len);
}

const void *memchr_inv(const void *p, int c, size_t len)
{
	const u8 *at = p;

	for (; len; --len, ++at)
		if (*at != (u8)c)
			return at;
	return NULL;
}

unsigned long crypto_memneq(const void *a, const void *b, size_t len)
{
	return sodium_memcmp(a, b, len) != 0;
}

void get_random_bytes(void *out, size_t len)
{
	static u64 state = 0x9e3779b97f4a7c15;
	u8 *at = out;

	while (len--) {
		state = state * 6364136223846793005ULL + 1442695040888963407ULL;
		*at++ = state >> 56;
	}
}

struct kmem_cache *wg_shim_cache_create(size_t size)
{
	struct kmem_cache *cache = calloc(1, sizeof(*cache));

	cache->size = size;
	return cache;
}

void *kmem_cache_zalloc(struct kmem_cache *cache, int flags)
{
	(void)flags;
	if (!wg_shim_allocations_left)
		return NULL;
	if (wg_shim_allocations_left > 0)
		--wg_shim_allocations_left;
	++cache->live;
	++wg_shim_live_objects;
	return calloc(1, cache->size);
}

void kmem_cache_free(struct kmem_cache *cache, void *object)
{
	--cache->live;
	--wg_shim_live_objects;
	free(object);
}

void kmem_cache_destroy(struct kmem_cache *cache)
{
	assert(!cache->live);
	free(cache);
}

u64 siphash_2u64(u64 a, u64 b, const siphash_key_t *key)
{
	const u64 input[2] = { a, b };
	u64 out;

	crypto_shorthash_siphash24((unsigned char *)&out, (const unsigned char *)input, sizeof(input),
				   (const unsigned char *)key);
	return out;
}

/* BLAKE2s, RFC 7693. */

static const u32 iv[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };
static const u8 sigma[10][16] = {
	{ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 }, { 14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3 },
	{ 11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4 }, { 7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8 },
	{ 9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13 }, { 2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9 },
	{ 12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11 }, { 13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10 },
	{ 6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5 }, { 10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0 },
};

static u32 rotate(u32 x, int by)
{
	return (x >> by) | (x << (32 - by));
}

static void mix(u32 v[16], int a, int b, int c, int d, u32 x, u32 y)
{
	v[a] += v[b] + x;
	v[d] = rotate(v[d] ^ v[a], 16);
	v[c] += v[d];
	v[b] = rotate(v[b] ^ v[c], 12);
	v[a] += v[b] + y;
	v[d] = rotate(v[d] ^ v[a], 8);
	v[c] += v[d];
	v[b] = rotate(v[b] ^ v[c], 7);
}

static void compress(struct blake2s_ctx *s, bool last)
{
	u32 v[16], m[16];
	int i, round;

	memcpy(m, s->block, sizeof(m));
	memcpy(v, s->h, sizeof(s->h));
	memcpy(v + 8, iv, sizeof(iv));
	v[12] ^= (u32)s->counted;
	v[13] ^= (u32)(s->counted >> 32);
	if (last)
		v[14] = ~v[14];
	for (round = 0; round < 10; ++round) {
		const u8 *o = sigma[round];

		mix(v, 0, 4, 8, 12, m[o[0]], m[o[1]]);
		mix(v, 1, 5, 9, 13, m[o[2]], m[o[3]]);
		mix(v, 2, 6, 10, 14, m[o[4]], m[o[5]]);
		mix(v, 3, 7, 11, 15, m[o[6]], m[o[7]]);
		mix(v, 0, 5, 10, 15, m[o[8]], m[o[9]]);
		mix(v, 1, 6, 11, 12, m[o[10]], m[o[11]]);
		mix(v, 2, 7, 8, 13, m[o[12]], m[o[13]]);
		mix(v, 3, 4, 9, 14, m[o[14]], m[o[15]]);
	}
	for (i = 0; i < 8; ++i)
		s->h[i] ^= v[i] ^ v[i + 8];
}

void blake2s_init_key(struct blake2s_ctx *s, size_t out_len, const void *key, size_t key_len)
{
	memset(s, 0, sizeof(*s));
	memcpy(s->h, iv, sizeof(iv));
	s->h[0] ^= 0x01010000 ^ (u32)(key_len << 8) ^ (u32)out_len;
	s->out_len = out_len;
	if (key_len) {
		memcpy(s->block, key, key_len);
		s->filled = BLAKE2S_BLOCK_SIZE;
	}
}

void blake2s_init(struct blake2s_ctx *s, size_t out_len)
{
	blake2s_init_key(s, out_len, NULL, 0);
}

void blake2s_update(struct blake2s_ctx *s, const void *in, size_t len)
{
	const u8 *at = in;

	for (; len; --len) {
		if (s->filled == BLAKE2S_BLOCK_SIZE) {
			s->counted += BLAKE2S_BLOCK_SIZE;
			compress(s, false);
			s->filled = 0;
		}
		s->block[s->filled++] = *at++;
	}
}

void blake2s_final(struct blake2s_ctx *s, void *out)
{
	s->counted += s->filled;
	memset(s->block + s->filled, 0, BLAKE2S_BLOCK_SIZE - s->filled);
	compress(s, true);
	memcpy(out, s->h, s->out_len);
}

/* AEAD and X25519. */

static void make_nonce(u8 out[12], u64 nonce)
{
	memset(out, 0, 4);
	memcpy(out + 4, &nonce, sizeof(nonce));
}

void chacha20poly1305_encrypt(u8 *out, const u8 *in, size_t len, const u8 *ad, size_t ad_len, u64 nonce, const u8 *key)
{
	u8 n[12];

	make_nonce(n, nonce);
	crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, in, len, ad, ad_len, NULL, n, key);
}

bool chacha20poly1305_decrypt(u8 *out, const u8 *in, size_t len, const u8 *ad, size_t ad_len, u64 nonce, const u8 *key)
{
	u8 n[12], none[1];

	make_nonce(n, nonce);
	return !crypto_aead_chacha20poly1305_ietf_decrypt(out ? out : none, NULL, NULL, in, len, ad, ad_len, n, key);
}

void xchacha20poly1305_encrypt(u8 *out, const u8 *in, size_t len, const u8 *ad, size_t ad_len, const u8 *nonce,
			       const u8 *key)
{
	crypto_aead_xchacha20poly1305_ietf_encrypt(out, NULL, in, len, ad, ad_len, NULL, nonce, key);
}

bool xchacha20poly1305_decrypt(u8 *out, const u8 *in, size_t len, const u8 *ad, size_t ad_len, const u8 *nonce,
			       const u8 *key)
{
	return !crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, in, len, ad, ad_len, nonce, key);
}

bool curve25519(u8 *out, const u8 *secret, const u8 *point)
{
	/* libsodium refuses points of small order itself, and leaves the output unset. */
	return !crypto_scalarmult_curve25519(out, secret, point);
}

bool curve25519_generate_public(u8 *out, const u8 *secret)
{
	return memchr_inv(secret, 0, 32) && !crypto_scalarmult_curve25519_base(out, secret);
}
