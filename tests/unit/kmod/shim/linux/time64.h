/* SPDX-License-Identifier: MIT */
#if defined(__has_include_next)
#if __has_include_next(<linux/time64.h>)
#include_next <linux/time64.h>
#endif
#endif
#include "kernel.h"
