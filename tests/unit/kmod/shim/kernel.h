/* SPDX-License-Identifier: MIT */
/*
 * kernel.h: as much of the kernel's interfaces as the module's pure parts use, for one thread in user space. Locks are
 * counted, so that a forgotten unlock shows; what RCU would free later is freed at once, so that ASan sees who goes on
 * using it.
 */
#ifndef WG_SHIM_KERNEL_H
#define WG_SHIM_KERNEL_H

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t s64;

#ifndef __rcu
#define __rcu
#endif
#define U64_MAX UINT64_MAX
#define NSEC_PER_SEC 1000000000L
#define GFP_KERNEL 0
#define min3(a, b, c) ((a) < (b) ? ((a) < (c) ? (a) : (c)) : ((b) < (c) ? (b) : (c)))
#define container_of(pointer, type, member) ((type *)((char *)(pointer) - offsetof(type, member)))
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the shim knows little-endian machines only"
#endif
#define cpu_to_le32(x) (x)

static inline int fls64(u64 x)
{
	return x ? 64 - __builtin_clzll(x) : 0;
}

static inline u32 get_unaligned_be32(const void *p)
{
	u32 x;

	memcpy(&x, p, sizeof(x));
	return __builtin_bswap32(x);
}

static inline u64 get_unaligned_be64(const void *p)
{
	u64 x;

	memcpy(&x, p, sizeof(x));
	return __builtin_bswap64(x);
}

static inline void put_unaligned_be32(u32 x, void *p)
{
	x = __builtin_bswap32(x);
	memcpy(p, &x, sizeof(x));
}

static inline void put_unaligned_be64(u64 x, void *p)
{
	x = __builtin_bswap64(x);
	memcpy(p, &x, sizeof(x));
}

void memzero_explicit(void *p, size_t len);
const void *memchr_inv(const void *p, int c, size_t len);
unsigned long crypto_memneq(const void *a, const void *b, size_t len);
/* From a fixed seed: runs repeat. */
void get_random_bytes(void *out, size_t len);

/* Locks. */
struct mutex {
	int held;
};

typedef struct {
	int held;
} spinlock_t;

static inline void mutex_init(struct mutex *lock) { lock->held = 0; }
static inline void mutex_lock(struct mutex *lock) { assert(!lock->held++); }
static inline void mutex_unlock(struct mutex *lock) { assert(!--lock->held); }
static inline void spin_lock_init(spinlock_t *lock) { lock->held = 0; }
static inline void spin_lock_bh(spinlock_t *lock) { assert(!lock->held++); }
static inline void spin_unlock_bh(spinlock_t *lock) { assert(!--lock->held); }
#define lockdep_is_held(lock) ((lock)->held)
#define lockdep_assert_held(lock) assert((lock)->held)

/* RCU. */
struct wg_shim_rcu_head {
	void *unused;
};
#define rcu_head wg_shim_rcu_head
#define RCU_INIT_POINTER(place, value) ((place) = (value))
#define rcu_assign_pointer(place, value) ((place) = (value))
#define rcu_access_pointer(place) (place)
#define rcu_dereference_check(place, condition) (place)
#define rcu_dereference_protected(place, condition) (assert(condition), (place))
#define rcu_read_lock_bh_held() true
#define call_rcu(head, function) (function)(head)
static inline void rcu_barrier(void) { }

/* Lists. */
struct list_head {
	struct list_head *next, *prev;
};

static inline void INIT_LIST_HEAD(struct list_head *head) { head->next = head->prev = head; }
static inline bool list_empty(const struct list_head *head) { return head->next == head; }

static inline void list_del_init(struct list_head *entry)
{
	entry->next->prev = entry->prev;
	entry->prev->next = entry->next;
	INIT_LIST_HEAD(entry);
}

static inline void list_move_tail(struct list_head *entry, struct list_head *head)
{
	list_del_init(entry);
	entry->prev = head->prev;
	entry->next = head;
	head->prev->next = entry;
	head->prev = entry;
}

#define list_for_each_entry_safe(at, following, head, member)                                                          \
	for (at = container_of((head)->next, __typeof__(*at), member),                                                 \
	    following = container_of(at->member.next, __typeof__(*at), member);                                        \
	     &at->member != (head); at = following, following = container_of(at->member.next, __typeof__(*at), member))

/* Slab. */
struct kmem_cache {
	size_t size;
	long live;
};
extern long wg_shim_live_objects;
/* When not negative: that many allocations succeed, the next one fails. */
extern long wg_shim_allocations_left;
struct kmem_cache *wg_shim_cache_create(size_t size);
#define KMEM_CACHE(type, flags) wg_shim_cache_create(sizeof(struct type))
void *kmem_cache_zalloc(struct kmem_cache *cache, int flags);
void kmem_cache_free(struct kmem_cache *cache, void *object);
void kmem_cache_destroy(struct kmem_cache *cache);

/* SipHash: any keyed mixing will do. */
typedef struct {
	u64 key[2];
} siphash_key_t;
u64 siphash_2u64(u64 a, u64 b, const siphash_key_t *key);

/* Crypto: BLAKE2s of our own (RFC 7693), the rest libsodium's. */
#define BLAKE2S_BLOCK_SIZE 64
struct blake2s_ctx {
	u32 h[8];
	u64 counted;
	u8 block[BLAKE2S_BLOCK_SIZE];
	size_t filled, out_len;
};
void blake2s_init(struct blake2s_ctx *context, size_t out_len);
void blake2s_init_key(struct blake2s_ctx *context, size_t out_len, const void *key, size_t key_len);
void blake2s_update(struct blake2s_ctx *context, const void *in, size_t len);
void blake2s_final(struct blake2s_ctx *context, void *out);

void chacha20poly1305_encrypt(u8 *out, const u8 *in, size_t len, const u8 *ad, size_t ad_len, u64 nonce,
			      const u8 *key);
bool chacha20poly1305_decrypt(u8 *out, const u8 *in, size_t len, const u8 *ad, size_t ad_len, u64 nonce,
			      const u8 *key);
void xchacha20poly1305_encrypt(u8 *out, const u8 *in, size_t len, const u8 *ad, size_t ad_len, const u8 *nonce,
			       const u8 *key);
bool xchacha20poly1305_decrypt(u8 *out, const u8 *in, size_t len, const u8 *ad, size_t ad_len, const u8 *nonce,
			       const u8 *key);
bool curve25519(u8 *out, const u8 *secret, const u8 *point);
bool curve25519_generate_public(u8 *out, const u8 *secret);
static inline void curve25519_clamp_secret(u8 *secret)
{
	secret[0] &= 248;
	secret[31] = (secret[31] & 127) | 64;
}

#ifdef __cplusplus
}
#endif

#endif
