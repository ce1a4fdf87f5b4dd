// SPDX-License-Identifier: GPL-2.0-only

#include "replay.h"

/* The word that holds the newest counter is never fully valid history, hence one word less than the ring holds. */
#define WINDOW (WG_REPLAY_BITS - 64)

static u64 *word_of(struct wg_replay *replay, u64 counter)
{
	return &replay->seen[(counter / 64) % WG_REPLAY_WORDS];
}

bool wg_replay_accept(struct wg_replay *replay, u64 counter)
{
	const u64 bit = 1ULL << (counter % 64);
	u64 *word = word_of(replay, counter);

	if (counter >= WG_REJECT_AFTER_MESSAGES)
		return false;

	if (counter >= replay->next) {
		/* Clear the words between the newest one so far and this one; all of them if it jumped that far. */
		u64 newest = replay->next ? (replay->next - 1) / 64 : 0;
		u64 steps = counter / 64 - newest;

		if (steps > WG_REPLAY_WORDS)
			steps = WG_REPLAY_WORDS;
		while (steps--)
			replay->seen[++newest % WG_REPLAY_WORDS] = 0;
		/* A jump beyond the ring cleared everything, whatever newest was then. */
		replay->next = counter + 1;
	} else if (counter + WINDOW < replay->next) {
		return false;
	}

	if (*word & bit)
		return false;
	*word |= bit;
	return true;
}
