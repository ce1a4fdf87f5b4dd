// SPDX-License-Identifier: GPL-2.0-only

#include <linux/init.h>
#include <linux/module.h>
#include <net/genetlink.h>
#include <net/rtnetlink.h>
#include <uapi/linux/wireguard.h>
#include "allowed_ips.h"
#include "device.h"
#include "netlink.h"
#include "noise.h"
#include "peer.h"
#include "queueing.h"
#include "timers.h"

static unsigned int time_scale = 1;
module_param(time_scale, uint, 0444);
MODULE_PARM_DESC(time_scale, "for tests: divide all times of the protocol by this (1 to 100)");

unsigned int wg_batch_limit __read_mostly = WG_BATCH_MAX;
module_param_named(batch, wg_batch_limit, uint, 0444);
MODULE_PARM_DESC(batch, "for measurements: how many packets pass as one at most (1 to 64)");

static int __init wg_init(void)
{
	int err;

	if (wg_batch_limit < 1 || wg_batch_limit > WG_BATCH_MAX || time_scale < 1 || time_scale > 100)
		return -EINVAL;
	if (time_scale != 1)
		pr_warn("all times are divided by %u, other implementations' are not\n", time_scale);
	wg_times_init(time_scale);
	noise_module_init();

	err = wg_allowed_ips_module_init();
	if (err)
		return err;
	err = wg_peer_module_init();
	if (err)
		goto no_peers;
	err = wg_device_module_init();
	if (err)
		goto no_devices;
	err = wg_netlink_module_init();
	if (err)
		goto no_netlink;
	pr_info("wgd's WireGuard module " WG_VERSION " loaded\n");
	return 0;

no_netlink:
	wg_device_module_exit();
no_devices:
	wg_peer_module_exit();
no_peers:
	wg_allowed_ips_module_exit();
	return err;
}

static void __exit wg_exit(void)
{
	wg_netlink_module_exit();
	wg_device_module_exit();
	wg_peer_module_exit();
	wg_allowed_ips_module_exit();
}

module_init(wg_init);
module_exit(wg_exit);
MODULE_LICENSE("GPL v2");
MODULE_DESCRIPTION("WireGuard secure network tunnel, as bundled with wgd");
MODULE_AUTHOR("The wgd developers");
/* Above the 1.0.0 of the kernel's own, or DKMS would not install this one in its place. */
MODULE_VERSION(WG_VERSION);
MODULE_ALIAS_RTNL_LINK("wireguard");
MODULE_ALIAS_GENL_FAMILY(WG_GENL_NAME);
