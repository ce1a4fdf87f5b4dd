// SPDX-License-Identifier: GPL-2.0-only

#include <linux/mm.h>
#include <linux/sched.h>
#include "keypairs.h"
#include "queueing.h"

void wg_fifo_init(struct wg_fifo *fifo)
{
	skb_queue_head_init(&fifo->batches);
	spin_lock_init(&fifo->drain_lock);
	fifo->packets = 0;
}

bool wg_fifo_push(struct wg_fifo *fifo, struct sk_buff *batch)
{
	lockdep_assert_held(&fifo->batches.lock);
	if (fifo->packets + wg_packet(batch)->count > WG_FIFO_PACKETS)
		return false;
	fifo->packets += wg_packet(batch)->count;
	__skb_queue_tail(&fifo->batches, batch);
	return true;
}

bool wg_fifo_is_empty(const struct wg_fifo *fifo)
{
	return skb_queue_empty_lockless(&fifo->batches);
}

static bool is_done(struct sk_buff *batch)
{
	/* Pairs with wg_batch_finish(): what the work made of the batch is seen. */
	return smp_load_acquire(&wg_packet(batch)->state) != WG_BATCH_PENDING;
}

struct sk_buff *wg_fifo_pop_done(struct wg_fifo *fifo)
{
	struct sk_buff *batch;

	if (wg_fifo_is_empty(fifo))
		return NULL;
	spin_lock_bh(&fifo->batches.lock);
	batch = skb_peek(&fifo->batches);
	if (batch && is_done(batch)) {
		__skb_unlink(batch, &fifo->batches);
		fifo->packets -= wg_packet(batch)->count;
	} else {
		batch = NULL;
	}
	spin_unlock_bh(&fifo->batches.lock);
	return batch;
}

bool wg_fifo_head_is_done(struct wg_fifo *fifo)
{
	struct sk_buff *batch;
	bool done;

	if (wg_fifo_is_empty(fifo))
		return false;
	spin_lock_bh(&fifo->batches.lock);
	batch = skb_peek(&fifo->batches);
	done = batch && is_done(batch);
	spin_unlock_bh(&fifo->batches.lock);
	return done;
}

void wg_fifo_purge(struct wg_fifo *fifo)
{
	struct sk_buff *batch;

	while ((batch = skb_dequeue(&fifo->batches)))
		wg_batch_free(batch);
	fifo->packets = 0;
}

void wg_batch_free(struct sk_buff *batch)
{
	struct wg_keypair *keypair = wg_packet(batch)->keypair;

	kfree_skb_list(wg_packet(batch)->rest);
	kfree_skb(batch);
	if (keypair)
		wg_keypair_put(keypair);
}

static void crew_work(struct work_struct *work)
{
	struct wg_crew_member *member = container_of(work, struct wg_crew_member, work);
	struct sk_buff *skb;

	while ((skb = ptr_ring_consume_bh(&member->crew->ring))) {
		member->crew->task(member, skb);
		cond_resched();
	}
}

int wg_crew_init(struct wg_crew *crew, struct workqueue_struct *workqueue, int size,
		 void (*task)(struct wg_crew_member *, struct sk_buff *))
{
	int cpu, err;

	crew->task = task;
	crew->workqueue = workqueue;
	crew->last_cpu = 0;
	crew->members = alloc_percpu(struct wg_crew_member);
	if (!crew->members)
		return -ENOMEM;
	for_each_possible_cpu(cpu) {
		struct wg_crew_member *member = per_cpu_ptr(crew->members, cpu);

		INIT_WORK(&member->work, crew_work);
		member->crew = crew;
	}
	err = ptr_ring_init(&crew->ring, size, GFP_KERNEL);
	if (err) {
		free_percpu(crew->members);
		crew->members = NULL;
	}
	return err;
}

static void free_waiting(void *skb)
{
	kfree_skb(skb);
}

void wg_crew_destroy(struct wg_crew *crew)
{
	int cpu;

	if (!crew->members)
		return;
	for_each_possible_cpu(cpu) {
		struct wg_crew_member *member = per_cpu_ptr(crew->members, cpu);

		if (member->memory.page)
			put_page(member->memory.page);
	}
	free_percpu(crew->members);
	ptr_ring_cleanup(&crew->ring, free_waiting);
}

bool wg_crew_push(struct wg_crew *crew, struct sk_buff *skb)
{
	unsigned int cpu;

	if (ptr_ring_produce_bh(&crew->ring, skb))
		return false;
	/* Round robin; that two callers may pick the same CPU is no harm. */
	cpu = cpumask_next(READ_ONCE(crew->last_cpu), cpu_online_mask);
	if (cpu >= nr_cpu_ids)
		cpu = cpumask_first(cpu_online_mask);
	WRITE_ONCE(crew->last_cpu, cpu);
	queue_work_on(cpu, crew->workqueue, &per_cpu_ptr(crew->members, cpu)->work);
	return true;
}
