/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * netlink.h: configuration through generic netlink, as <linux/wireguard.h> describes it.
 */
#ifndef WG_NETLINK_H
#define WG_NETLINK_H

int wg_netlink_module_init(void);
void wg_netlink_module_exit(void);

#endif
