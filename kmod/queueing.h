/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * queueing.h: how packets get through the ciphers in parallel and come out in order.
 *
 * The unit of work is a batch: what one GSO packet of the inner or outer stack carries, at most WG_BATCH_MAX packets.
 * A batch is handed to two queues at once: the peer's FIFO, which fixes the order, and the device's crew, whose members
 * (one a CPU) take batches in any order and mark them done. Whoever marks a batch done then empties the FIFO from its
 * head as far as it is done: for sending under the FIFO's drain lock (send.c), for receiving in the peer's NAPI poll
 * (receive.c). A batch thus costs one lock, one reference and one wake-up, however many packets it has.
 */
#ifndef WG_QUEUEING_H
#define WG_QUEUEING_H

#include <linux/ptr_ring.h>
#include <linux/skbuff.h>
#include <linux/types.h>
#include <linux/workqueue.h>

struct wg_keypair;
struct wg_peer;

#define WG_BATCH_MAX 64
/* Module parameter: for measurements, to see what batching gains. 1 to WG_BATCH_MAX. Set once when the module loads. */
extern unsigned int wg_batch_limit;
/* Batches waiting for a crew, a device; packets waiting in one peer's FIFO; packets waiting for a session. */
#define WG_RING_SIZE 1024
#define WG_FIFO_PACKETS 4096
#define WG_STAGED_PACKETS 128
#define WG_HANDSHAKE_RING_SIZE 4096
/* A single packet up to this length is ciphered where it stands: a wake-up would cost more. */
#define WG_INLINE_LENGTH 512

enum wg_batch_state {
	WG_BATCH_PENDING,
	WG_BATCH_DONE,
	WG_BATCH_DEAD, /* done, and to be thrown away */
};

/*
 * What is noted on a packet, in skb->cb. On a batch's head all fields mean something; on the other packets of a batch
 * only keypair and counter do, when receiving.
 */
struct wg_packet {
	struct sk_buff *rest; /* to send: the further inner packets, then the sealed ones; received: the opened ones */
	struct wg_keypair *keypair; /* the head holds a reference */
	u64 counter; /* of the first packet; the others follow */
	u32 mtu;
	u16 count;
	u8 ds; /* the outer TOS or traffic class octet */
	u8 state; /* enum wg_batch_state; release by the one who did the work, acquire by the one who empties the FIFO */
};

static inline struct wg_packet *wg_packet(struct sk_buff *skb)
{
	BUILD_BUG_ON(sizeof(struct wg_packet) > sizeof(skb->cb));
	return (struct wg_packet *)skb->cb;
}

struct wg_fifo {
	struct sk_buff_head batches; /* its lock guards all of this but drain_lock */
	unsigned int packets;
	spinlock_t drain_lock; /* sending only: held while handing out; taken by trylock alone */
};

void wg_fifo_init(struct wg_fifo *fifo);
/* Both under batches.lock. Push fails if the FIFO is full. */
bool wg_fifo_push(struct wg_fifo *fifo, struct sk_buff *batch);
bool wg_fifo_is_empty(const struct wg_fifo *fifo);
/* The head, if it is done. Any context but hard interrupts. */
struct sk_buff *wg_fifo_pop_done(struct wg_fifo *fifo);
bool wg_fifo_head_is_done(struct wg_fifo *fifo);
void wg_fifo_purge(struct wg_fifo *fifo);

/* Marks the work on a batch as over. The batch may be gone when this returns. */
static inline void wg_batch_finish(struct sk_buff *batch, enum wg_batch_state state)
{
	/* What the work made of it is seen by who sees the state: pairs with is_done(). */
	smp_store_release(&wg_packet(batch)->state, state);
	/* Before the look at who empties the FIFO: pairs with the barrier in wg_send_drain(). */
	smp_mb();
}

/* Frees a batch's packets and drops its key pair. */
void wg_batch_free(struct sk_buff *batch);

/* A ring of work and one worker a CPU. */
struct wg_crew_member {
	struct work_struct work;
	struct wg_crew *crew;
	struct page_frag memory; /* for the member's sealed batches, see send.c */
};

struct wg_crew {
	struct ptr_ring ring;
	struct workqueue_struct *workqueue;
	struct wg_crew_member __percpu *members;
	void (*task)(struct wg_crew_member *member, struct sk_buff *skb);
	unsigned int last_cpu;
};

int wg_crew_init(struct wg_crew *crew, struct workqueue_struct *workqueue, int size,
		 void (*task)(struct wg_crew_member *, struct sk_buff *));
/* The workqueue has been flushed and nothing is pushed any more. Does nothing to a crew that was never made. */
void wg_crew_destroy(struct wg_crew *crew);
/* Fails if the ring is full. Not in hard interrupts. */
bool wg_crew_push(struct wg_crew *crew, struct sk_buff *skb);

#endif
