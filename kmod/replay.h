/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * replay.h: the sliding window that accepts every counter once (WG 5.4.6, RFC 6479). No locking inside.
 */
#ifndef WG_REPLAY_H
#define WG_REPLAY_H

#include <linux/types.h>
#include "messages.h"

#define WG_REPLAY_WORDS (WG_REPLAY_BITS / 64)

struct wg_replay {
	u64 next; /* one above the highest counter accepted */
	u64 seen[WG_REPLAY_WORDS];
};

/* True, and remembered, if @counter is acceptable: below the limit, not too old, not seen. */
bool wg_replay_accept(struct wg_replay *replay, u64 counter);

#endif
