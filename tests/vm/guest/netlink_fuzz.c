// SPDX-License-Identifier: MIT
/*
 * netlink_fuzz check: what the generic netlink family must answer, error by error (<linux/wireguard.h>).
 * netlink_fuzz fuzz SECONDS SEED DEVICE...: half-valid random requests and dumps from four threads at once.
 * The devices exist already; check wants wg0 (a wireguard device, down) and lo.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/wireguard.h>
#include <net/if.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ALLOWEDIP_A_FLAGS 4
#define ALLOWEDIP_F_REMOVE_ME 1

struct message {
	struct nlmsghdr header;
	struct genlmsghdr genl;
	uint8_t body[16384];
};

static int family;

static struct nlattr *end_of(struct message *m)
{
	return (struct nlattr *)((uint8_t *)m + NLMSG_ALIGN(m->header.nlmsg_len));
}

static struct nlattr *put(struct message *m, int type, const void *data, size_t len)
{
	struct nlattr *attr = end_of(m);

	if (NLMSG_ALIGN(m->header.nlmsg_len) + NLA_HDRLEN + NLA_ALIGN(len) > sizeof(*m))
		return attr;
	attr->nla_type = type;
	attr->nla_len = NLA_HDRLEN + len;
	memset((uint8_t *)attr + NLA_HDRLEN, 0, NLA_ALIGN(len));
	if (data)
		memcpy((uint8_t *)attr + NLA_HDRLEN, data, len);
	m->header.nlmsg_len = NLMSG_ALIGN(m->header.nlmsg_len) + NLA_HDRLEN + NLA_ALIGN(len);
	return attr;
}

static struct nlattr *nest(struct message *m, int type)
{
	return put(m, type | NLA_F_NESTED, NULL, 0);
}

static void nest_end(struct message *m, struct nlattr *attr)
{
	attr->nla_len = (uint8_t *)end_of(m) - (uint8_t *)attr;
}

static void put_u8(struct message *m, int type, uint8_t v) { put(m, type, &v, sizeof(v)); }
static void put_u16(struct message *m, int type, uint16_t v) { put(m, type, &v, sizeof(v)); }
static void put_u32(struct message *m, int type, uint32_t v) { put(m, type, &v, sizeof(v)); }

static void start(struct message *m, int command, int flags)
{
	memset(&m->header, 0, sizeof(m->header) + sizeof(m->genl));
	m->header.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN);
	m->header.nlmsg_type = family;
	m->header.nlmsg_flags = NLM_F_REQUEST | flags;
	m->genl.cmd = command;
	m->genl.version = WG_GENL_VERSION;
}

static int open_socket(void)
{
	struct timeval patience = { .tv_sec = 20 };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);

	if (fd < 0) {
		perror("netlink socket");
		exit(1);
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

/* Sends and reads to the end; the errno of the answer. Dumped messages' total length is added to *dumped. */
static int talk(int fd, struct message *m, size_t *dumped)
{
	static __thread uint8_t in[65536];
	const int is_dump = (m->header.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;

	if (send(fd, m, m->header.nlmsg_len, 0) < 0)
		return errno;
	for (;;) {
		ssize_t len = recv(fd, in, sizeof(in), 0);
		struct nlmsghdr *h = (struct nlmsghdr *)in;

		if (len < 0) {
			if (errno == EAGAIN) {
				fprintf(stderr, "no answer in 20 s\n");
				exit(1);
			}
			return errno;
		}
		for (; NLMSG_OK(h, (size_t)len); h = NLMSG_NEXT(h, len)) {
			if (h->nlmsg_type == NLMSG_ERROR)
				return -((struct nlmsgerr *)NLMSG_DATA(h))->error;
			if (h->nlmsg_type == NLMSG_DONE)
				return -*(int *)NLMSG_DATA(h);
			if (dumped)
				*dumped += h->nlmsg_len;
			if (!is_dump && !(h->nlmsg_flags & NLM_F_MULTI))
				return 0;
		}
	}
}

static void find_family(int fd)
{
	static uint8_t in[8192];
	struct message m;
	struct nlattr *attr;
	ssize_t len;

	family = GENL_ID_CTRL;
	start(&m, CTRL_CMD_GETFAMILY, 0);
	put(&m, CTRL_ATTR_FAMILY_NAME, WG_GENL_NAME, sizeof(WG_GENL_NAME));
	if (send(fd, &m, m.header.nlmsg_len, 0) < 0 || (len = recv(fd, in, sizeof(in), 0)) < 0)
		exit(1);
	attr = (struct nlattr *)(in + NLMSG_LENGTH(GENL_HDRLEN));
	while ((uint8_t *)attr + NLA_HDRLEN < in + len && attr->nla_len) {
		if (attr->nla_type == CTRL_ATTR_FAMILY_ID)
			family = *(uint16_t *)((uint8_t *)attr + NLA_HDRLEN);
		attr = (struct nlattr *)((uint8_t *)attr + NLA_ALIGN(attr->nla_len));
	}
	if (family == GENL_ID_CTRL) {
		fprintf(stderr, "no family " WG_GENL_NAME "\n");
		exit(1);
	}
	recv(fd, in, sizeof(in), MSG_DONTWAIT);
}

/* check */

static int failures;

static void expect(int fd, struct message *m, int want, const char *what)
{
	int got = talk(fd, m, NULL);

	if (got != want) {
		printf("FAIL %s: %s, expected %s\n", what, strerror(got), strerror(want));
		++failures;
	}
}

static const uint8_t key1[WG_KEY_LEN] = { 1, 2, 3 }, key2[WG_KEY_LEN] = { 4, 5, 6 };

/* One peer with one attribute more, from type, data and len; or one allowed IP. */
static void set_wg0(struct message *m, uint32_t flags)
{
	start(m, WG_CMD_SET_DEVICE, NLM_F_ACK);
	put(m, WGDEVICE_A_IFNAME, "wg0", 4);
	if (flags)
		put_u32(m, WGDEVICE_A_FLAGS, flags);
}

static void one_peer(struct message *m, const uint8_t *key, int type, const void *data, size_t len)
{
	struct nlattr *peers, *peer;

	set_wg0(m, 0);
	peers = nest(m, WGDEVICE_A_PEERS);
	peer = nest(m, 0);
	if (key)
		put(m, WGPEER_A_PUBLIC_KEY, key, WG_KEY_LEN);
	if (type)
		put(m, type, data, len);
	nest_end(m, peer);
	nest_end(m, peers);
}

static void one_ip(struct message *m, const uint8_t *key, int ip_family, const char *address, int addr_len, int cidr,
		   uint32_t flags)
{
	struct nlattr *peers, *peer, *ips, *ip;
	uint8_t binary[16] = { 0 };

	inet_pton(ip_family, address, binary);
	set_wg0(m, 0);
	peers = nest(m, WGDEVICE_A_PEERS);
	peer = nest(m, 0);
	put(m, WGPEER_A_PUBLIC_KEY, key, WG_KEY_LEN);
	ips = nest(m, WGPEER_A_ALLOWEDIPS);
	ip = nest(m, 0);
	put_u16(m, WGALLOWEDIP_A_FAMILY, ip_family);
	put(m, WGALLOWEDIP_A_IPADDR, binary, addr_len);
	put_u8(m, WGALLOWEDIP_A_CIDR_MASK, cidr);
	if (flags)
		put_u32(m, ALLOWEDIP_A_FLAGS, flags);
	nest_end(m, ip);
	nest_end(m, ips);
	nest_end(m, peer);
	nest_end(m, peers);
}

static void dump_of(struct message *m, const char *name)
{
	start(m, WG_CMD_GET_DEVICE, NLM_F_DUMP);
	if (name)
		put(m, WGDEVICE_A_IFNAME, name, strlen(name) + 1);
}

static int check(int fd)
{
	struct message m;
	uint32_t u32;
	uint16_t u16;
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(1) };

	dump_of(&m, NULL);
	expect(fd, &m, EBADR, "GET without a device");
	dump_of(&m, "wg0");
	put_u32(&m, WGDEVICE_A_IFINDEX, 1);
	expect(fd, &m, EBADR, "GET with name and index");
	dump_of(&m, "nothere");
	expect(fd, &m, ENODEV, "GET of no device");
	dump_of(&m, "lo");
	expect(fd, &m, EOPNOTSUPP, "GET of another kind");
	dump_of(&m, "wg0");
	expect(fd, &m, 0, "GET");
	start(&m, WG_CMD_SET_DEVICE, NLM_F_ACK);
	expect(fd, &m, EBADR, "SET without a device");
	start(&m, WG_CMD_SET_DEVICE, NLM_F_ACK);
	put_u32(&m, WGDEVICE_A_IFINDEX, if_nametoindex("lo"));
	expect(fd, &m, EOPNOTSUPP, "SET of another kind");
	start(&m, WG_CMD_SET_DEVICE, NLM_F_ACK);
	put(&m, WGDEVICE_A_IFNAME, "a-name-that-is-too-long", 24);
	expect(fd, &m, EINVAL, "a name that is too long");
	set_wg0(&m, 2);
	expect(fd, &m, EOPNOTSUPP, "unknown device flag");
	set_wg0(&m, 0);
	put(&m, WGDEVICE_A_PRIVATE_KEY, key1, WG_KEY_LEN - 1);
	expect(fd, &m, ERANGE, "short private key");
	set_wg0(&m, 0);
	put(&m, WGDEVICE_A_PRIVATE_KEY, key1, WG_KEY_LEN);
	expect(fd, &m, 0, "private key");

	one_peer(&m, NULL, 0, NULL, 0);
	expect(fd, &m, EINVAL, "peer without a key");
	u32 = 8;
	one_peer(&m, key2, WGPEER_A_FLAGS, &u32, 4);
	expect(fd, &m, EOPNOTSUPP, "unknown peer flag");
	u32 = 2;
	one_peer(&m, key2, WGPEER_A_PROTOCOL_VERSION, &u32, 4);
	expect(fd, &m, EPFNOSUPPORT, "another protocol version");
	u32 = 1;
	one_peer(&m, key2, WGPEER_A_PROTOCOL_VERSION, &u32, 4);
	expect(fd, &m, 0, "protocol version 1");
	u32 = WGPEER_F_REMOVE_ME;
	one_peer(&m, key1, WGPEER_A_FLAGS, &u32, 4);
	expect(fd, &m, 0, "removing a peer that is not there");
	u32 = WGPEER_F_UPDATE_ONLY;
	one_peer(&m, key1, WGPEER_A_FLAGS, &u32, 4);
	expect(fd, &m, 0, "updating a peer that is not there");
	u16 = 25;
	one_peer(&m, key2, WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL, &u16, 2);
	expect(fd, &m, 0, "keepalive");
	one_peer(&m, key2, WGPEER_A_ENDPOINT, &in6, sizeof(in6));
	expect(fd, &m, 0, "IPv6 endpoint");
	one_peer(&m, key2, WGPEER_A_ENDPOINT, &in6, 8);
	expect(fd, &m, ERANGE, "short endpoint");
	one_peer(&m, key2, WGPEER_A_PRESHARED_KEY, key1, 31);
	expect(fd, &m, ERANGE, "short preshared key");

	one_ip(&m, key2, AF_INET, "10.0.0.0", 4, 33, 0);
	expect(fd, &m, EINVAL, "IPv4 prefix of 33");
	one_ip(&m, key2, AF_INET6, "fd00::", 16, 129, 0);
	expect(fd, &m, EINVAL, "IPv6 prefix of 129");
	one_ip(&m, key2, AF_INET6, "fd00::", 4, 16, 0);
	expect(fd, &m, EINVAL, "IPv6 address of 4 octets");
	one_ip(&m, key2, AF_UNIX, "10.0.0.0", 4, 8, 0);
	expect(fd, &m, EINVAL, "another family");
	one_ip(&m, key2, AF_INET, "10.0.0.0", 4, 8, 2);
	expect(fd, &m, EOPNOTSUPP, "unknown allowed IP flag");
	one_ip(&m, key2, AF_INET, "10.1.2.3", 4, 8, 0);
	expect(fd, &m, 0, "allowed IP");
	one_ip(&m, key2, AF_INET, "10.0.0.0", 4, 8, ALLOWEDIP_F_REMOVE_ME);
	expect(fd, &m, 0, "removing an allowed IP");
	one_ip(&m, key2, AF_INET, "10.0.0.0", 4, 8, ALLOWEDIP_F_REMOVE_ME);
	expect(fd, &m, 0, "removing an allowed IP again");
	one_ip(&m, key2, AF_INET6, "::", 16, 0, 0);
	expect(fd, &m, 0, "all of IPv6");
	one_ip(&m, key2, AF_INET6, "fd00::1", 16, 128, 0);
	expect(fd, &m, 0, "one IPv6 address");
	printf("%s\n", failures ? "check FAILED" : "check passed");
	return failures != 0;
}

/* fuzz */

static char **devices;
static int device_count;
static time_t deadline;
static unsigned long sent, accepted;

static uint32_t any(uint64_t *seed, uint32_t below)
{
	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(*seed >> 33) % below;
}

static size_t odd_len(uint64_t *seed, size_t right)
{
	return any(seed, 12) ? right : any(seed, 48);
}

static void random_bytes(uint64_t *seed, uint8_t *out, size_t len)
{
	while (len--)
		*out++ = any(seed, 256);
}

/* Keys and addresses come from small sets, so that requests meet. */
static void random_peer(struct message *m, uint64_t *seed)
{
	struct nlattr *peer = nest(m, any(seed, 3)), *ips, *ip;
	uint8_t data[64] = { 0 };
	int n;

	data[0] = 1 + any(seed, 40);
	if (any(seed, 20))
		put(m, WGPEER_A_PUBLIC_KEY, data, odd_len(seed, WG_KEY_LEN));
	if (!any(seed, 3))
		put_u32(m, WGPEER_A_FLAGS, any(seed, 20) ? any(seed, 8) : any(seed, 1 << 30));
	if (!any(seed, 4)) {
		random_bytes(seed, data, 32);
		put(m, WGPEER_A_PRESHARED_KEY, data, odd_len(seed, WG_KEY_LEN));
	}
	if (!any(seed, 3)) {
		struct sockaddr_in in = { .sin_family = any(seed, 12) ? AF_INET : any(seed, 20), .sin_port = any(seed, 65536),
					  .sin_addr.s_addr = htonl(0x7f000001) };

		put(m, WGPEER_A_ENDPOINT, &in, odd_len(seed, sizeof(in)));
	}
	if (!any(seed, 4))
		put_u16(m, WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL, any(seed, 3));
	if (!any(seed, 12))
		put_u32(m, WGPEER_A_PROTOCOL_VERSION, any(seed, 3));
	if (any(seed, 3)) {
		ips = nest(m, WGPEER_A_ALLOWEDIPS);
		for (n = any(seed, 12); n > 0; --n) {
			int v6 = any(seed, 2);

			memset(data, 0, sizeof(data));
			data[0] = v6 ? 0xfd : 10;
			data[any(seed, v6 ? 16 : 4)] ^= 1 << any(seed, 8);
			ip = nest(m, 0);
			put_u16(m, WGALLOWEDIP_A_FAMILY, any(seed, 20) ? (v6 ? AF_INET6 : AF_INET) : any(seed, 65536));
			if (any(seed, 30))
				put(m, WGALLOWEDIP_A_IPADDR, data, odd_len(seed, v6 ? 16 : 4));
			put_u8(m, WGALLOWEDIP_A_CIDR_MASK, any(seed, v6 ? 130 : 34));
			if (!any(seed, 4))
				put_u32(m, ALLOWEDIP_A_FLAGS, any(seed, 3));
			nest_end(m, ip);
		}
		nest_end(m, ips);
	}
	nest_end(m, peer);
}

static void *fuzz_thread(void *argument)
{
	uint64_t seed = (uintptr_t)argument;
	struct message *m = malloc(sizeof(*m));
	int fd = open_socket();

	while (time(NULL) < deadline) {
		const char *device = devices[any(&seed, device_count)];
		struct nlattr *peers;
		uint8_t key[WG_KEY_LEN];
		int n, err;

		if (!any(&seed, 4)) {
			dump_of(m, device);
			err = talk(fd, m, NULL);
		} else if (!any(&seed, 25)) {
			/* A dump that nobody reads. */
			int other = open_socket();

			dump_of(m, device);
			if (send(other, m, m->header.nlmsg_len, 0) < 0)
				perror("send");
			close(other);
			continue;
		} else {
			start(m, WG_CMD_SET_DEVICE, NLM_F_ACK);
			put(m, WGDEVICE_A_IFNAME, device, strlen(device) + 1);
			if (!any(&seed, 30))
				put_u32(m, WGDEVICE_A_FLAGS, any(&seed, 3));
			if (!any(&seed, 10)) {
				random_bytes(&seed, key, sizeof(key));
				key[31] &= 127;
				put(m, WGDEVICE_A_PRIVATE_KEY, key, odd_len(&seed, WG_KEY_LEN));
			}
			if (!any(&seed, 30))
				put_u16(m, WGDEVICE_A_LISTEN_PORT, any(&seed, 65536));
			if (!any(&seed, 20))
				put_u32(m, WGDEVICE_A_FWMARK, any(&seed, 3));
			peers = nest(m, WGDEVICE_A_PEERS);
			for (n = any(&seed, 6); n > 0; --n)
				random_peer(m, &seed);
			nest_end(m, peers);
			/* And now and then something flips after it was well made. */
			if (!any(&seed, 6))
				m->body[any(&seed, m->header.nlmsg_len - NLMSG_LENGTH(GENL_HDRLEN))] ^= 1 << any(&seed, 8);
			err = talk(fd, m, NULL);
		}
		__atomic_add_fetch(&sent, 1, __ATOMIC_RELAXED);
		if (!err)
			__atomic_add_fetch(&accepted, 1, __ATOMIC_RELAXED);
	}
	close(fd);
	free(m);
	return NULL;
}

static int fuzz(int seconds, unsigned long seed)
{
	pthread_t threads[4];
	unsigned long i;

	deadline = time(NULL) + seconds;
	for (i = 0; i < 4; ++i)
		pthread_create(&threads[i], NULL, fuzz_thread, (void *)(uintptr_t)(seed * 4 + i));
	for (i = 0; i < 4; ++i)
		pthread_join(threads[i], NULL);
	printf("fuzz: %lu requests, %lu accepted, seed %lu\n", sent, accepted, seed);
	/* All refused, or none, would mean that it tries nothing. */
	return sent < 20 || accepted < sent / 50 || accepted == sent;
}

int main(int argc, char **argv)
{
	int fd = open_socket();

	find_family(fd);
	if (argc == 2 && !strcmp(argv[1], "check"))
		return check(fd);
	if (argc >= 5 && !strcmp(argv[1], "fuzz")) {
		devices = argv + 4;
		device_count = argc - 4;
		return fuzz(atoi(argv[2]), strtoul(argv[3], NULL, 0));
	}
	fprintf(stderr, "usage: netlink_fuzz check | fuzz SECONDS SEED DEVICE...\n");
	return 2;
}
