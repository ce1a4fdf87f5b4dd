/* SPDX-License-Identifier: MIT */
#if defined(__has_include_next)
#if __has_include_next(<linux/string.h>)
#include_next <linux/string.h>
#endif
#endif
#include "kernel.h"
