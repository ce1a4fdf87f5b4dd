/* SPDX-License-Identifier: MIT */
#if defined(__has_include_next)
#if __has_include_next(<linux/limits.h>)
#include_next <linux/limits.h>
#endif
#endif
#include "kernel.h"
