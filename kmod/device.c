// SPDX-License-Identifier: GPL-2.0-only

#include <linux/if_arp.h>
#include <linux/inetdevice.h>
#include <linux/suspend.h>
#include <net/addrconf.h>
#include <net/ip_tunnels.h>
#include <net/rtnetlink.h>
#include "compat.h"
#include "device.h"
#include "peer.h"
#include "receive.h"
#include "send.h"
#include "socket.h"

#define KIND "wireguard"

static LIST_HEAD(devices); /* under rtnl */
static struct rtnl_link_ops link_ops;
struct wg_ratelimiter wg_ratelimiter;

void wg_device_changed(struct wg_device *device)
{
	static atomic64_t last_generation = ATOMIC64_INIT(0);

	lockdep_assert_held(&device->config_lock);
	device->generation = atomic64_inc_return(&last_generation);
}

bool wg_device_is_ours(const struct net_device *dev)
{
	return dev->rtnl_link_ops == &link_ops;
}

void wg_device_forget_sources(struct wg_device *device)
{
	struct wg_peer *peer;

	lockdep_assert_held(&device->config_lock);
	list_for_each_entry(peer, &device->peer_list, entry)
		wg_endpoint_forget_source(peer);
}

/* No key is left of what was agreed on, and the next handshake may begin at once. */
static void clear_all_sessions(struct wg_device *device)
{
	struct wg_peer *peer;

	lockdep_assert_held(&device->config_lock);
	list_for_each_entry(peer, &device->peer_list, entry) {
		wg_peer_clear_sessions(peer);
		atomic64_set(&peer->last_initiation_sent, 0);
	}
}

void wg_device_set_private_key(struct wg_device *device, const u8 key[WG_KEY_SIZE])
{
	struct noise_identity identity;
	struct wg_peer *peer;

	lockdep_assert_held(&device->config_lock);
	noise_identity_set(&identity, key);
	/* Nobody is their own peer. */
	if (identity.set) {
		rcu_read_lock();
		peer = wg_peer_find(device, identity.public_key);
		rcu_read_unlock();
		if (peer)
			wg_peer_remove(peer);
	}
	down_write(&device->identity_lock);
	device->identity = identity;
	list_for_each_entry(peer, &device->peer_list, entry) {
		mutex_lock(&peer->handshake_lock);
		noise_handshake_forget_static(&peer->handshake);
		mutex_unlock(&peer->handshake_lock);
		wg_peer_clear_sessions(peer);
	}
	wg_cookie_checker_set_key(&device->cookies, identity.set ? identity.public_key : NULL);
	up_write(&device->identity_lock);
	memzero_explicit(&identity, sizeof(identity));
}

static int device_open(struct net_device *dev)
{
	struct in_device *in_dev = __in_dev_get_rtnl(dev);
#if IS_ENABLED(CONFIG_IPV6)
	struct inet6_dev *in6_dev = __in6_dev_get(dev);
#endif
	struct wg_device *device = netdev_priv(dev);
	struct wg_peer *peer;
	int err;

	/* The far end of a tunnel is no neighbour that could be redirected to another. */
	if (in_dev) {
		IN_DEV_CONF_SET(in_dev, SEND_REDIRECTS, false);
		IPV4_DEVCONF_ALL(dev_net(dev), SEND_REDIRECTS) = false;
	}
#if IS_ENABLED(CONFIG_IPV6)
	/* No link-local addresses: what peers may use is said in the allowed IPs. */
	if (in6_dev)
		in6_dev->cnf.addr_gen_mode = IN6_ADDR_GEN_MODE_NONE;
#endif
	mutex_lock(&device->config_lock);
	err = wg_socket_open(device, device->port);
	if (!err) {
		list_for_each_entry(peer, &device->peer_list, entry) {
			wg_send_staged(peer);
			if (peer->keepalive_interval)
				wg_send_keepalive(peer);
		}
	}
	mutex_unlock(&device->config_lock);
	return err;
}

static int device_stop(struct net_device *dev)
{
	struct wg_device *device = netdev_priv(dev);
	struct wg_peer *peer;

	mutex_lock(&device->config_lock);
	/* Nothing comes in any more, so nothing is staged or set anew from there; netif_running() is false already. */
	wg_socket_close(device);
	/* What came in before may still be with the handshakers, and would make a session that outlives this. */
	flush_workqueue(device->handshake_queue);
	list_for_each_entry(peer, &device->peer_list, entry) {
		wg_timers_stop(peer);
		wg_send_drop_staged(peer);
	}
	clear_all_sessions(device);
	mutex_unlock(&device->config_lock);
	return 0;
}

static void device_get_stats64(struct net_device *dev, struct rtnl_link_stats64 *stats)
{
	netdev_stats_to_stats64(stats, &dev->stats);
	dev_fetch_sw_netstats(stats, dev->tstats);
}

/* All that create() made; it may have got stuck in between. */
static void free_parts(struct wg_device *device)
{
	if (device->handshake_queue)
		destroy_workqueue(device->handshake_queue);
	if (device->crypt_queue)
		destroy_workqueue(device->crypt_queue);
	wg_crew_destroy(&device->handshakers);
	wg_crew_destroy(&device->openers);
	wg_crew_destroy(&device->sealers);
	rhashtable_destroy(&device->keypairs);
	rhashtable_destroy(&device->peers);
	free_percpu(device->dev->tstats);
	device->dev->tstats = NULL;
	memzero_explicit(&device->identity, sizeof(device->identity));
	memzero_explicit(&device->cookies, sizeof(device->cookies));
}

static void destruct(struct net_device *dev)
{
	struct wg_device *device = netdev_priv(dev);

	mutex_lock(&device->config_lock);
	rcu_assign_pointer(device->creating_net, NULL);
	wg_socket_close(device);
	wg_peer_remove_all(device);
	mutex_unlock(&device->config_lock);
	/* The workqueues first: messages from before the socket closed may still be with the handshakers. */
	free_parts(device);
	pr_debug("%s: interface destroyed\n", dev->name);
}

static const struct net_device_ops device_ops = {
	.ndo_open = device_open,
	.ndo_stop = device_stop,
	.ndo_start_xmit = wg_send_xmit,
	.ndo_get_stats64 = device_get_stats64,
};

static const struct device_type device_type = { .name = KIND };

static void setup(struct net_device *dev)
{
	/* HW_CSUM: checksums are made when a packet is cut or sealed. SG: what is not linear is made so then. */
	const netdev_features_t features = NETIF_F_HW_CSUM | NETIF_F_RXCSUM | NETIF_F_SG | NETIF_F_GSO |
					   NETIF_F_GSO_SOFTWARE | NETIF_F_HIGHDMA;

	dev->netdev_ops = &device_ops;
	dev->header_ops = &ip_tunnel_header_ops;
	dev->hard_header_len = 0;
	dev->addr_len = 0;
	dev->needed_headroom = WG_HEADROOM;
	dev->needed_tailroom = WG_PADDING + WG_TAG_SIZE;
	dev->type = ARPHRD_NONE;
	dev->flags = IFF_POINTOPOINT | IFF_NOARP;
	dev->priv_flags |= IFF_NO_QUEUE;
	dev->features |= features;
	dev->hw_features |= features;
	dev->hw_enc_features |= features;
#ifdef WG_HAVE_LLTX_FIELD
	dev->lltx = true;
#else
	dev->features |= NETIF_F_LLTX;
#endif
	dev->mtu = WG_MTU_DEFAULT;
	dev->max_mtu = round_down(INT_MAX, WG_PADDING) - WG_OVERHEAD;
	dev->needs_free_netdev = true;
	SET_NETDEV_DEVTYPE(dev, &device_type);
	/* It belongs to nobody's link, so routing may keep its destinations. */
	netif_keep_dst(dev);
	memset(netdev_priv(dev), 0, sizeof(struct wg_device));
	((struct wg_device *)netdev_priv(dev))->dev = dev;
}

static int create(struct net *creating_net, struct net_device *dev)
{
	struct wg_device *device = netdev_priv(dev);
	int err;

	rcu_assign_pointer(device->creating_net, creating_net);
	mutex_init(&device->config_lock);
	init_rwsem(&device->identity_lock);
	spin_lock_init(&device->receive_lock);
	wg_cookie_checker_init(&device->cookies);
	INIT_LIST_HEAD(&device->peer_list);

	/* These two cannot be taken back half made, the others can. */
	err = wg_peer_table_init(&device->peers);
	if (err)
		return err;
	err = wg_keypair_table_init(&device->keypairs);
	if (err) {
		rhashtable_destroy(&device->peers);
		return err;
	}
	err = -ENOMEM;
	dev->tstats = netdev_alloc_pcpu_stats(struct pcpu_sw_netstats);
	device->handshake_queue = alloc_workqueue("wg-shake-%s", WQ_CPU_INTENSIVE | WQ_FREEZABLE | WQ_PERCPU, 0,
						  dev->name);
	device->crypt_queue = alloc_workqueue("wg-crypt-%s", WQ_CPU_INTENSIVE | WQ_MEM_RECLAIM | WQ_PERCPU, 0,
					      dev->name);
	if (!dev->tstats || !device->handshake_queue || !device->crypt_queue ||
	    wg_crew_init(&device->sealers, device->crypt_queue, WG_RING_SIZE, wg_send_seal) ||
	    wg_crew_init(&device->openers, device->crypt_queue, WG_RING_SIZE, wg_receive_open) ||
	    wg_crew_init(&device->handshakers, device->handshake_queue, WG_HANDSHAKE_RING_SIZE, wg_receive_handshake))
		goto fail;

	mutex_lock(&device->config_lock);
	wg_device_changed(device);
	mutex_unlock(&device->config_lock);
	err = register_netdevice(dev);
	if (err)
		goto fail;
	/* Only now: register_netdevice() would call it when it fails, for things half made. */
	dev->priv_destructor = destruct;
	list_add(&device->entry, &devices);
	pr_debug("%s: interface created\n", dev->name);
	return 0;

fail:
	free_parts(device);
	return err;
}

#ifdef WG_HAVE_RTNL_NEWLINK_PARAMS
static int newlink(struct net_device *dev, struct rtnl_newlink_params *params, struct netlink_ext_ack *extack)
{
	return create(rtnl_newlink_link_net(params), dev);
}
#else
static int newlink(struct net *creating_net, struct net_device *dev, struct nlattr *tb[], struct nlattr *data[],
		   struct netlink_ext_ack *extack)
{
	return create(creating_net, dev);
}
#endif

static void dellink(struct net_device *dev, struct list_head *head)
{
	struct wg_device *device = netdev_priv(dev);

	list_del(&device->entry);
	unregister_netdevice_queue(dev, head);
}

static struct rtnl_link_ops link_ops __read_mostly = {
	.kind = KIND,
	.priv_size = sizeof(struct wg_device),
	.setup = setup,
	.newlink = newlink,
	.dellink = dellink,
};

/* Sleeping or copied machines: keys that memory images hold are worth nothing afterwards. */
static void forget_everything(void)
{
	struct wg_device *device;

	rtnl_lock();
	list_for_each_entry(device, &devices, entry) {
		mutex_lock(&device->config_lock);
		clear_all_sessions(device);
		mutex_unlock(&device->config_lock);
	}
	rtnl_unlock();
	rcu_barrier();
}

static int pm_event(struct notifier_block *block, unsigned long action, void *data)
{
	/* Machines that sleep whenever the screen goes dark would shake hands all day. */
	if (IS_ENABLED(CONFIG_PM_AUTOSLEEP))
		return 0;
	if (action == PM_HIBERNATION_PREPARE || action == PM_SUSPEND_PREPARE)
		forget_everything();
	return 0;
}

static struct notifier_block pm_block = { .notifier_call = pm_event };

static int vmfork_event(struct notifier_block *block, unsigned long action, void *data)
{
	forget_everything();
	return 0;
}

static struct notifier_block vmfork_block = { .notifier_call = vmfork_event };

/* The namespace that holds our socket goes. The device may live on in another, without a socket for ever. */
static void net_pre_exit(struct net *net)
{
	struct wg_device *device;

	rtnl_lock();
	list_for_each_entry(device, &devices, entry) {
		if (rcu_access_pointer(device->creating_net) != net)
			continue;
		pr_debug("%s: the namespace of the socket exits\n", device->dev->name);
		netif_carrier_off(device->dev);
		mutex_lock(&device->config_lock);
		rcu_assign_pointer(device->creating_net, NULL);
		wg_socket_close(device);
		/* Cached routes hold devices of that namespace. */
		wg_device_forget_sources(device);
		mutex_unlock(&device->config_lock);
	}
	rtnl_unlock();
}

static struct pernet_operations net_ops = { .pre_exit = net_pre_exit };

int wg_device_module_init(void)
{
	int err;

	wg_ratelimiter_init(&wg_ratelimiter);
	err = register_pm_notifier(&pm_block);
	if (err)
		return err;
	err = register_random_vmfork_notifier(&vmfork_block);
	if (err)
		goto no_vmfork;
	err = register_pernet_device(&net_ops);
	if (err)
		goto no_net;
	err = rtnl_link_register(&link_ops);
	if (err)
		goto no_link;
	return 0;

no_link:
	unregister_pernet_device(&net_ops);
no_net:
	unregister_random_vmfork_notifier(&vmfork_block);
no_vmfork:
	unregister_pm_notifier(&pm_block);
	return err;
}

void wg_device_module_exit(void)
{
	rtnl_link_unregister(&link_ops);
	unregister_pernet_device(&net_ops);
	unregister_random_vmfork_notifier(&vmfork_block);
	unregister_pm_notifier(&pm_block);
	rcu_barrier();
}
