/* SPDX-License-Identifier: MIT */
#if defined(__has_include_next)
#if __has_include_next(<linux/types.h>)
#include_next <linux/types.h>
#endif
#endif
#include "kernel.h"
