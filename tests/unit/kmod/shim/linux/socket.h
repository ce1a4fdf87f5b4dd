/* SPDX-License-Identifier: MIT */
#if defined(__has_include_next)
#if __has_include_next(<linux/socket.h>)
#include_next <linux/socket.h>
#endif
#endif
#include "kernel.h"
