// SPDX-License-Identifier: GPL-2.0-only

#include <linux/capability.h>
#include <linux/rtnetlink.h>
#include <net/genetlink.h>
#include <net/sock.h>
#include <uapi/linux/wireguard.h>
#include "compat.h"
#include "device.h"
#include "netlink.h"
#include "peer.h"
#include "send.h"
#include "socket.h"

static struct genl_family family;

static const struct nla_policy device_policy[WGDEVICE_A_MAX + 1] = {
	[WGDEVICE_A_IFINDEX] = { .type = NLA_U32 },
	[WGDEVICE_A_IFNAME] = { .type = NLA_NUL_STRING, .len = IFNAMSIZ - 1 },
	[WGDEVICE_A_PRIVATE_KEY] = NLA_POLICY_EXACT_LEN(WG_KEY_SIZE),
	[WGDEVICE_A_PUBLIC_KEY] = NLA_POLICY_EXACT_LEN(WG_KEY_SIZE),
	[WGDEVICE_A_FLAGS] = { .type = NLA_U32 },
	[WGDEVICE_A_LISTEN_PORT] = { .type = NLA_U16 },
	[WGDEVICE_A_FWMARK] = { .type = NLA_U32 },
	[WGDEVICE_A_PEERS] = { .type = NLA_NESTED },
};

static const struct nla_policy peer_policy[WGPEER_A_MAX + 1] = {
	[WGPEER_A_PUBLIC_KEY] = NLA_POLICY_EXACT_LEN(WG_KEY_SIZE),
	[WGPEER_A_PRESHARED_KEY] = NLA_POLICY_EXACT_LEN(WG_KEY_SIZE),
	[WGPEER_A_FLAGS] = { .type = NLA_U32 },
	[WGPEER_A_ENDPOINT] = NLA_POLICY_MIN_LEN(sizeof(struct sockaddr)),
	[WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL] = { .type = NLA_U16 },
	[WGPEER_A_LAST_HANDSHAKE_TIME] = NLA_POLICY_EXACT_LEN(sizeof(struct __kernel_timespec)),
	[WGPEER_A_RX_BYTES] = { .type = NLA_U64 },
	[WGPEER_A_TX_BYTES] = { .type = NLA_U64 },
	[WGPEER_A_ALLOWEDIPS] = { .type = NLA_NESTED },
	[WGPEER_A_PROTOCOL_VERSION] = { .type = NLA_U32 },
};

static const struct nla_policy allowed_ip_policy[WG_ALLOWEDIP_A_MAX + 1] = {
	[WGALLOWEDIP_A_FAMILY] = { .type = NLA_U16 },
	[WGALLOWEDIP_A_IPADDR] = NLA_POLICY_MIN_LEN(sizeof(struct in_addr)),
	[WGALLOWEDIP_A_CIDR_MASK] = { .type = NLA_U8 },
	[WG_ALLOWEDIP_A_FLAGS] = { .type = NLA_U32 },
};

/* With a reference. -EBADR: not exactly one of index and name; -ENODEV; -EOPNOTSUPP: not a tunnel of ours. */
static struct net_device *device_named(struct nlattr **attrs, struct net *net)
{
	struct net_device *dev;

	if (!attrs[WGDEVICE_A_IFINDEX] == !attrs[WGDEVICE_A_IFNAME])
		return ERR_PTR(-EBADR);
	if (attrs[WGDEVICE_A_IFINDEX])
		dev = dev_get_by_index(net, nla_get_u32(attrs[WGDEVICE_A_IFINDEX]));
	else
		dev = dev_get_by_name(net, nla_data(attrs[WGDEVICE_A_IFNAME]));
	if (!dev)
		return ERR_PTR(-ENODEV);
	if (!wg_device_is_ours(dev)) {
		dev_put(dev);
		return ERR_PTR(-EOPNOTSUPP);
	}
	return dev;
}

/* GET_DEVICE. */

/* What a dump remembers from one message to the next. It holds no device: a slow reader must not keep one alive. */
struct dump {
	int ifindex;
	bool begun;
	u64 generation;
	struct wg_peer *peer; /* to go on with, a reference; NULL with begun set: the list was done */
	struct wg_prefix_node *prefix; /* of the peer, to go on with; valid while the generation is the same */
};

static struct dump *dump_of(struct netlink_callback *cb)
{
	BUILD_BUG_ON(sizeof(struct dump) > sizeof(cb->args));
	return (struct dump *)cb->args;
}

static int put_prefix(struct sk_buff *skb, const struct wg_prefix_node *node)
{
	struct nlattr *nest = nla_nest_start(skb, 0);
	u8 address[16], length, address_family;

	if (!nest)
		return -EMSGSIZE;
	address_family = wg_prefix_node_read(node, address, &length);
	if (nla_put_u8(skb, WGALLOWEDIP_A_CIDR_MASK, length) ||
	    nla_put_u16(skb, WGALLOWEDIP_A_FAMILY, address_family) ||
	    nla_put(skb, WGALLOWEDIP_A_IPADDR,
		    address_family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr), address)) {
		nla_nest_cancel(skb, nest);
		return -EMSGSIZE;
	}
	nla_nest_end(skb, nest);
	return 0;
}

static int put_endpoint(struct sk_buff *skb, struct wg_peer *peer)
{
	struct wg_endpoint endpoint;

	wg_endpoint_read(peer, &endpoint);
	if (endpoint.addr.sa_family == AF_INET)
		return nla_put(skb, WGPEER_A_ENDPOINT, sizeof(endpoint.addr4), &endpoint.addr4);
	if (endpoint.addr.sa_family == AF_INET6)
		return nla_put(skb, WGPEER_A_ENDPOINT, sizeof(endpoint.addr6), &endpoint.addr6);
	return 0;
}

static int put_peer_head(struct sk_buff *skb, struct wg_peer *peer)
{
	s64 last_handshake = atomic64_read(&peer->last_handshake);
	struct __kernel_timespec time = { 0 };
	u8 preshared_key[WG_KEY_SIZE];
	s32 nanoseconds = 0;
	int err;

	if (last_handshake) {
		time.tv_sec = div_s64_rem(last_handshake, NSEC_PER_SEC, &nanoseconds);
		time.tv_nsec = nanoseconds;
	}
	mutex_lock(&peer->handshake_lock);
	memcpy(preshared_key, peer->handshake.preshared_key, WG_KEY_SIZE);
	mutex_unlock(&peer->handshake_lock);
	err = nla_put(skb, WGPEER_A_PRESHARED_KEY, WG_KEY_SIZE, preshared_key) ||
	      nla_put(skb, WGPEER_A_LAST_HANDSHAKE_TIME, sizeof(time), &time) ||
	      nla_put_u16(skb, WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL, peer->keepalive_interval) ||
	      nla_put_u64_64bit(skb, WGPEER_A_TX_BYTES, atomic64_read(&peer->tx_bytes), WGPEER_A_UNSPEC) ||
	      nla_put_u64_64bit(skb, WGPEER_A_RX_BYTES, atomic64_read(&peer->rx_bytes), WGPEER_A_UNSPEC) ||
	      nla_put_u32(skb, WGPEER_A_PROTOCOL_VERSION, 1) ||
	      put_endpoint(skb, peer);
	memzero_explicit(preshared_key, sizeof(preshared_key));
	return err ? -EMSGSIZE : 0;
}

/* -EMSGSIZE: not all of it found room; dump->prefix is where to go on, or NULL if nothing of the peer is there. */
static int put_peer(struct sk_buff *skb, struct wg_peer *peer, struct dump *dump)
{
	struct nlattr *nest = nla_nest_start(skb, 0), *prefixes;
	struct wg_prefix_node *node = dump->prefix;

	if (!nest)
		return -EMSGSIZE;
	if (nla_put(skb, WGPEER_A_PUBLIC_KEY, WG_KEY_SIZE, peer->public_key))
		goto nothing;
	if (!node) {
		if (put_peer_head(skb, peer))
			goto nothing;
		if (list_empty(&peer->allowed_ips)) {
			nla_nest_end(skb, nest);
			return 0;
		}
		node = list_first_entry(&peer->allowed_ips, struct wg_prefix_node, peer_entry);
	}
	prefixes = nla_nest_start(skb, WGPEER_A_ALLOWEDIPS);
	if (!prefixes)
		goto nothing;
	list_for_each_entry_from(node, &peer->allowed_ips, peer_entry) {
		if (put_prefix(skb, node)) {
			nla_nest_end(skb, prefixes);
			nla_nest_end(skb, nest);
			dump->prefix = node;
			return -EMSGSIZE;
		}
	}
	nla_nest_end(skb, prefixes);
	nla_nest_end(skb, nest);
	dump->prefix = NULL;
	return 0;

nothing:
	nla_nest_cancel(skb, nest);
	return -EMSGSIZE;
}

static int put_device_head(struct sk_buff *skb, struct wg_device *device)
{
	int err = 0;

	if (nla_put_u16(skb, WGDEVICE_A_LISTEN_PORT, device->port) ||
	    nla_put_u32(skb, WGDEVICE_A_FWMARK, device->fwmark) ||
	    nla_put_u32(skb, WGDEVICE_A_IFINDEX, device->dev->ifindex) ||
	    nla_put_string(skb, WGDEVICE_A_IFNAME, device->dev->name))
		return -EMSGSIZE;
	down_read(&device->identity_lock);
	if (device->identity.set)
		err = nla_put(skb, WGDEVICE_A_PRIVATE_KEY, WG_KEY_SIZE, device->identity.private_key) ||
		      nla_put(skb, WGDEVICE_A_PUBLIC_KEY, WG_KEY_SIZE, device->identity.public_key);
	up_read(&device->identity_lock);
	return err ? -EMSGSIZE : 0;
}

static int get_start(struct netlink_callback *cb)
{
	struct net_device *dev = device_named(genl_info_dump(cb)->attrs, sock_net(cb->skb->sk));

	if (IS_ERR(dev))
		return PTR_ERR(dev);
	dump_of(cb)->ifindex = dev->ifindex;
	dev_put(dev);
	return 0;
}

static int get_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct dump *dump = dump_of(cb);
	struct wg_device *device;
	struct wg_peer *peer, *reached = NULL;
	struct net_device *dev;
	struct nlattr *peers;
	void *header;
	int err = -EMSGSIZE;

	if (dump->begun && !dump->peer)
		return 0;
	dev = dev_get_by_index(sock_net(cb->skb->sk), dump->ifindex);
	if (!dev || !wg_device_is_ours(dev)) {
		dev_put(dev);
		return -ENODEV;
	}
	device = netdev_priv(dev);
	mutex_lock(&device->config_lock);
	cb->seq = device->generation;
	if (dump->begun && dump->generation != device->generation) {
		/* The reader learns from the closing message that it has to start again: what follows is worthless. */
		wg_peer_put(dump->peer);
		dump->peer = NULL;
		err = 0;
		goto out;
	}
	dump->generation = device->generation;

	header = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq, &family, NLM_F_MULTI,
			     WG_CMD_GET_DEVICE);
	if (!header)
		goto out;
	genl_dump_check_consistent(cb, header);
	if (!dump->begun) {
		if (put_device_head(skb, device))
			goto cancel;
	} else if (nla_put_string(skb, WGDEVICE_A_IFNAME, dev->name)) {
		goto cancel;
	}
	peers = nla_nest_start(skb, WGDEVICE_A_PEERS);
	if (!peers)
		goto cancel;
	peer = dump->begun ? dump->peer : list_first_entry_or_null(&device->peer_list, struct wg_peer, entry);
	if (peer) {
		list_for_each_entry_from(peer, &device->peer_list, entry) {
			if (put_peer(skb, peer, dump)) {
				reached = wg_peer_get(peer);
				break;
			}
		}
	}
	nla_nest_end(skb, peers);
	genlmsg_end(skb, header);
	if (dump->peer)
		wg_peer_put(dump->peer);
	dump->peer = reached;
	dump->begun = true;
	err = skb->len;
	goto out;

cancel:
	genlmsg_cancel(skb, header);
out:
	mutex_unlock(&device->config_lock);
	dev_put(dev);
	return err;
}

static int get_done(struct netlink_callback *cb)
{
	struct dump *dump = dump_of(cb);

	if (dump->peer)
		wg_peer_put(dump->peer);
	dump->peer = NULL;
	return 0;
}

/* SET_DEVICE. */

static int set_port(struct wg_device *device, u16 port)
{
	int err;

	if (port && port == device->port)
		return 0;
	if (netif_running(device->dev)) {
		err = wg_socket_open(device, port);
		if (err)
			return err;
	} else {
		device->port = port;
	}
	wg_device_forget_sources(device);
	return 0;
}

static int set_allowed_ip(struct wg_peer *peer, struct nlattr *const *attrs)
{
	struct wg_device *device = peer->device;
	const struct nlattr *address = attrs[WGALLOWEDIP_A_IPADDR];
	u32 flags = 0;
	u16 address_family;
	u8 length;

	if (!attrs[WGALLOWEDIP_A_FAMILY] || !address || !attrs[WGALLOWEDIP_A_CIDR_MASK])
		return -EINVAL;
	if (attrs[WG_ALLOWEDIP_A_FLAGS])
		flags = nla_get_u32(attrs[WG_ALLOWEDIP_A_FLAGS]);
	if (flags & ~WG_ALLOWEDIP_F_ALL)
		return -EOPNOTSUPP;
	address_family = nla_get_u16(attrs[WGALLOWEDIP_A_FAMILY]);
	length = nla_get_u8(attrs[WGALLOWEDIP_A_CIDR_MASK]);
	if (!(address_family == AF_INET && nla_len(address) == sizeof(struct in_addr)) &&
	    !(address_family == AF_INET6 && nla_len(address) == sizeof(struct in6_addr)))
		return -EINVAL;
	if (flags & WG_ALLOWEDIP_F_REMOVE_ME)
		return wg_allowed_ips_remove(&device->allowed_ips, address_family, nla_data(address), length, peer,
					     &device->config_lock);
	return wg_allowed_ips_insert(&device->allowed_ips, address_family, nla_data(address), length, peer,
				     &peer->allowed_ips, &device->config_lock);
}

static int set_allowed_ips(struct wg_peer *peer, const struct nlattr *list, struct netlink_ext_ack *extack)
{
	struct nlattr *entry, *attrs[WG_ALLOWEDIP_A_MAX + 1];
	int err, remaining;

	nla_for_each_nested(entry, list, remaining) {
		err = nla_parse_nested(attrs, WG_ALLOWEDIP_A_MAX, entry, allowed_ip_policy, extack);
		if (!err)
			err = set_allowed_ip(peer, attrs);
		if (err)
			return err;
	}
	return 0;
}

static void set_endpoint(struct wg_peer *peer, const struct nlattr *attr)
{
	struct wg_endpoint endpoint = { 0 };
	const struct sockaddr *addr = nla_data(attr);

	if (addr->sa_family == AF_INET && nla_len(attr) == sizeof(struct sockaddr_in))
		memcpy(&endpoint.addr4, addr, sizeof(endpoint.addr4));
	else if (addr->sa_family == AF_INET6 && nla_len(attr) == sizeof(struct sockaddr_in6))
		memcpy(&endpoint.addr6, addr, sizeof(endpoint.addr6));
	else
		return;
	wg_endpoint_learn(peer, &endpoint);
}

static void set_preshared_key(struct wg_peer *peer, struct nlattr *attr)
{
	mutex_lock(&peer->handshake_lock);
	memcpy(peer->handshake.preshared_key, nla_data(attr), WG_KEY_SIZE);
	mutex_unlock(&peer->handshake_lock);
}

static void set_keepalive(struct wg_peer *peer, u16 interval)
{
	const bool starts = interval && !peer->keepalive_interval;

	WRITE_ONCE(peer->keepalive_interval, interval);
	if (starts && netif_running(peer->device->dev))
		wg_send_keepalive(peer);
}

static int set_peer(struct wg_device *device, struct nlattr *const *attrs, struct netlink_ext_ack *extack)
{
	struct wg_peer *peer;
	const u8 *public_key;
	u32 flags = 0;
	int err;

	if (!attrs[WGPEER_A_PUBLIC_KEY])
		return -EINVAL;
	public_key = nla_data(attrs[WGPEER_A_PUBLIC_KEY]);
	if (attrs[WGPEER_A_FLAGS])
		flags = nla_get_u32(attrs[WGPEER_A_FLAGS]);
	if (flags & ~(WGPEER_F_REMOVE_ME | WGPEER_F_REPLACE_ALLOWEDIPS | WGPEER_F_UPDATE_ONLY))
		return -EOPNOTSUPP;
	if (attrs[WGPEER_A_PROTOCOL_VERSION] && nla_get_u32(attrs[WGPEER_A_PROTOCOL_VERSION]) != 1)
		return -EPFNOSUPPORT;

	rcu_read_lock();
	peer = wg_peer_find(device, public_key);
	rcu_read_unlock();
	if (!peer) {
		if (flags & (WGPEER_F_REMOVE_ME | WGPEER_F_UPDATE_ONLY))
			return 0;
		if (device->identity.set && !memcmp(public_key, device->identity.public_key, WG_KEY_SIZE))
			return 0;
		peer = wg_peer_create(device, public_key);
		if (IS_ERR(peer))
			return PTR_ERR(peer);
	}
	if (flags & WGPEER_F_REMOVE_ME) {
		wg_peer_remove(peer);
		return 0;
	}
	if (attrs[WGPEER_A_PRESHARED_KEY])
		set_preshared_key(peer, attrs[WGPEER_A_PRESHARED_KEY]);
	if (attrs[WGPEER_A_ENDPOINT])
		set_endpoint(peer, attrs[WGPEER_A_ENDPOINT]);
	if (flags & WGPEER_F_REPLACE_ALLOWEDIPS)
		wg_allowed_ips_remove_all(&device->allowed_ips, &peer->allowed_ips, &device->config_lock);
	if (attrs[WGPEER_A_ALLOWEDIPS]) {
		err = set_allowed_ips(peer, attrs[WGPEER_A_ALLOWEDIPS], extack);
		if (err)
			return err;
	}
	if (attrs[WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL])
		set_keepalive(peer, nla_get_u16(attrs[WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL]));
	if (netif_running(device->dev) && !skb_queue_empty_lockless(&peer->staged))
		wg_send_staged(peer);
	return 0;
}

/* The socket's namespace decides over what leaves through it. */
static bool may_set_socket(struct wg_device *device)
{
	struct net *net;
	bool may;

	rcu_read_lock();
	net = rcu_dereference(device->creating_net);
	may = net && ns_capable(net->user_ns, CAP_NET_ADMIN);
	rcu_read_unlock();
	return may;
}

static int set_device(struct wg_device *device, struct genl_info *info)
{
	struct nlattr **attrs = info->attrs, *entry, *peer_attrs[WGPEER_A_MAX + 1];
	int err, remaining;
	u32 flags = 0;

	if (attrs[WGDEVICE_A_FLAGS])
		flags = nla_get_u32(attrs[WGDEVICE_A_FLAGS]);
	if (flags & ~WGDEVICE_F_REPLACE_PEERS)
		return -EOPNOTSUPP;
	if ((attrs[WGDEVICE_A_LISTEN_PORT] || attrs[WGDEVICE_A_FWMARK]) && !may_set_socket(device))
		return -EPERM;

	wg_device_changed(device);
	if (attrs[WGDEVICE_A_FWMARK]) {
		WRITE_ONCE(device->fwmark, nla_get_u32(attrs[WGDEVICE_A_FWMARK]));
		wg_device_forget_sources(device);
	}
	if (attrs[WGDEVICE_A_LISTEN_PORT]) {
		err = set_port(device, nla_get_u16(attrs[WGDEVICE_A_LISTEN_PORT]));
		if (err)
			return err;
	}
	if (flags & WGDEVICE_F_REPLACE_PEERS)
		wg_peer_remove_all(device);
	if (attrs[WGDEVICE_A_PRIVATE_KEY]) {
		const u8 *key = nla_data(attrs[WGDEVICE_A_PRIVATE_KEY]);

		/* The identity holds zeros when there is no key. */
		if (crypto_memneq(device->identity.private_key, key, WG_KEY_SIZE))
			wg_device_set_private_key(device, key);
	}
	if (attrs[WGDEVICE_A_PEERS]) {
		nla_for_each_nested(entry, attrs[WGDEVICE_A_PEERS], remaining) {
			err = nla_parse_nested(peer_attrs, WGPEER_A_MAX, entry, peer_policy, info->extack);
			if (!err)
				err = set_peer(device, peer_attrs, info->extack);
			if (err)
				return err;
		}
	}
	return 0;
}

static int set_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct net_device *dev = device_named(info->attrs, genl_info_net(info));
	struct wg_device *device;
	int err;

	if (IS_ERR(dev)) {
		err = PTR_ERR(dev);
		goto out;
	}
	device = netdev_priv(dev);
	/* rtnl: the device neither goes nor changes between up and down meanwhile. */
	rtnl_lock();
	mutex_lock(&device->config_lock);
	err = dev->reg_state == NETREG_REGISTERED ? set_device(device, info) : -ENODEV;
	mutex_unlock(&device->config_lock);
	rtnl_unlock();
	dev_put(dev);
out:
	/*
	 * The message holds keys, also those of peers that an error kept from being reached; its memory is the sender's
	 * again soon. What netlink copies of it into the answer to an error is zeros then, too.
	 */
	memzero_explicit(genlmsg_data(info->genlhdr), genlmsg_len(info->genlhdr));
	return err;
}

static const struct genl_ops ops[] = {
	{
		.cmd = WG_CMD_GET_DEVICE,
		.start = get_start,
		.dumpit = get_dump,
		.done = get_done,
		.flags = GENL_UNS_ADMIN_PERM,
	}, {
		.cmd = WG_CMD_SET_DEVICE,
		.doit = set_doit,
		.flags = GENL_UNS_ADMIN_PERM,
	},
};

static struct genl_family family __ro_after_init = {
	.name = WG_GENL_NAME,
	.version = WG_GENL_VERSION,
	.maxattr = WGDEVICE_A_MAX,
	.policy = device_policy,
	.module = THIS_MODULE,
	.netnsok = true,
	.ops = ops,
	.n_ops = ARRAY_SIZE(ops),
#ifdef WG_HAVE_GENL_RESV_START_OP
	.resv_start_op = WG_CMD_SET_DEVICE + 1,
#endif
};

int __init wg_netlink_module_init(void)
{
	return genl_register_family(&family);
}

void wg_netlink_module_exit(void)
{
	genl_unregister_family(&family);
}
