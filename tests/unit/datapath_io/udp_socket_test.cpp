// SPDX-License-Identifier: MIT
// Over the loopback; no privilege.
#include <catch2/catch.hpp>
#include <cerrno>
#include <map>
#include <netinet/in.h>
#include <poll.h>

#include "datapath/io/sender.hpp"

using namespace wgd;
using namespace wgd::io;

namespace {

struct Received {
    std::vector<Bytes> datagrams;
    ReceivedHead head;
};

Received receive(int fd, std::size_t expected) {
    Received all;
    while (all.datagrams.size() < expected) {
        pollfd poll{fd, POLLIN, 0};
        REQUIRE(::poll(&poll, 1, 2000) == 1);
        Bytes buffer(65536);
        iovec vector{buffer.data(), buffer.size()};
        sockaddr_storage name{};
        alignas(cmsghdr) std::array<std::uint8_t, kReceiveControlSize> control;
        msghdr message{};
        message.msg_name = &name;
        message.msg_namelen = sizeof name;
        message.msg_iov = &vector;
        message.msg_iovlen = 1;
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        const ssize_t got = ::recvmsg(fd, &message, 0);
        REQUIRE(got >= 0);
        REQUIRE(decode_received(message, all.head));
        const std::size_t step =
            all.head.segment_size != 0 ? all.head.segment_size : static_cast<std::size_t>(got);
        for (std::size_t at = 0; at < static_cast<std::size_t>(got); at += step)
            all.datagrams.emplace_back(buffer.begin() + static_cast<std::ptrdiff_t>(at),
                                       buffer.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                            at + step, static_cast<std::size_t>(got))));
    }
    return all;
}

Endpoint loopback(bool v6, std::uint16_t port) {
    return *Endpoint::parse((v6 ? "[::1]:" : "127.0.0.1:") + std::to_string(port));
}

} // namespace

TEST_CASE("both families share one port, and a busy one is an error") {
    const auto first = bind_sockets(0, 0, {});
    REQUIRE(first);
    CHECK(first->port != 0);
    const auto second = bind_sockets(first->port, 0, {});
    REQUIRE_FALSE(second);
    CHECK(second.error().sys_errno == EADDRINUSE);
    CHECK(second.error().code == ErrorCode::kConflict);
}

TEST_CASE("several sockets share a port among themselves and with nobody else") {
    const SocketOptions four{{}, 4};
    auto bound = bind_sockets(0, 0, four);
    REQUIRE(bound);
    const std::uint16_t port = bound->port;
    for (const SocketOptions& options : {SocketOptions{}, four}) {
        const auto other = bind_sockets(port, 0, options);
        REQUIRE_FALSE(other);
        CHECK(other.error().sys_errno == EADDRINUSE);
    }

    for (const auto* sockets : {&bound->v4, &bound->v6}) {
        if (sockets->empty()) continue;
        REQUIRE(sockets->size() == 4);
        // Each of 64 senders is given to one of the four, and stays with it; none of the four goes without
        // (the odds are 4 * 0.75^64).
        std::map<std::uint16_t, std::size_t> home; // by the sender's port
        for (int sender = 0; sender < 64; ++sender) {
            const auto from = bind_sockets(0, 0, {});
            REQUIRE(from);
            const bool v6 = sockets == &bound->v6;
            sockaddr_storage to{};
            const socklen_t length = loopback(v6, port).to_sockaddr(to);
            for (int i = 0; i < 3; ++i)
                REQUIRE(::sendto((v6 ? from->v6 : from->v4).front().get(), "x", 1, 0,
                                 reinterpret_cast<sockaddr*>(&to), length) == 1);
        }
        std::size_t got = 0;
        for (std::size_t i = 0; i < 4; ++i) {
            std::size_t here = 0;
            for (pollfd poll{(*sockets)[i].get(), POLLIN, 0}; ::poll(&poll, 1, 0) == 1; ++here) {
                const Endpoint from = receive(poll.fd, 1).head.path.remote;
                CHECK(home.emplace(from.port, i).first->second == i);
            }
            CHECK(here > 0);
            got += here;
        }
        CHECK(got == 64 * 3);
    }

    auto sockets = UdpSockets::make(four);
    REQUIRE(sockets);
    REQUIRE((*sockets)->replace(std::move(*bound)));
    CHECK_FALSE(bind_sockets(port, 0, four));
    REQUIRE((*sockets)->replace({}));
    CHECK(bind_sockets(port, 0, four)); // free again
}

TEST_CASE("runs of unequal datagrams arrive as they were sent, with each offload on and off") {
    for (bool v6 : {false, true})
        for (const char* off : {"", "gso", "gro", "gso,gro"}) {
            const Offloads offloads = *Offloads::all_but(off);
            auto to = bind_sockets(0, 0, {offloads});
            REQUIRE(to);
            auto from = bind_sockets(0, 0, {offloads});
            REQUIRE(from);
            if (v6 && (to->v6.empty() || from->v6.empty())) continue;
            const std::uint16_t from_port = from->port;
            auto pair = UdpSockets::make({offloads});
            REQUIRE(pair);
            REQUIRE((*pair)->replace(std::move(*from)));
            Sender sender(**pair);

            // Equal ones, a short one, longer ones, with other marks, and slots with gaps between them.
            Bytes arena(400000);
            std::vector<wg::OutPacket> packets;
            std::size_t at = 0;
            const auto add = [&](std::uint32_t size, std::uint8_t tos, std::size_t gap) {
                wg::OutPacket packet;
                packet.buffer = arena.data() + at;
                packet.datagram_size = size;
                packet.tos = tos;
                for (std::uint32_t i = 0; i < size; ++i)
                    packet.buffer[i] = static_cast<std::uint8_t>(packets.size() * 31 + i);
                packets.push_back(packet);
                at += size + gap;
            };
            for (int i = 0; i < 100; ++i)
                add(1452, 0, 0);
            add(700, 0, 0);
            for (int i = 0; i < 5; ++i)
                add(800, 0, 4);
            for (int i = 0; i < 3; ++i)
                add(800, 1, 0);
            add(32, 1, 0);

            wg::Path path;
            path.remote = loopback(v6, to->port);
            CHECK_FALSE(sender.send(0, path, packets));
            CHECK(sender.counters().datagrams == packets.size());
            CHECK(sender.counters().errors == 0);
            if (offloads.udp_gso)
                CHECK(sender.counters().messages < 10);
            else
                CHECK(sender.counters().messages == packets.size());

            const Received got = receive((v6 ? to->v6 : to->v4).front().get(), packets.size());
            REQUIRE(got.datagrams.size() == packets.size());
            for (std::size_t i = 0; i < packets.size(); ++i)
                REQUIRE(got.datagrams[i] ==
                        Bytes(packets[i].buffer, packets[i].buffer + packets[i].datagram_size));
            CHECK(got.head.path.remote == loopback(v6, from_port));
            CHECK(got.head.path.local == loopback(v6, 0).address);
            CHECK(got.head.path.local_ifindex != 0);
            CHECK(got.head.tos == 1);
        }
}

TEST_CASE("the source address that was spoken to is answered from, and given up when it is gone") {
    auto to = bind_sockets(0, 0, {});
    auto from = bind_sockets(0, 0, {});
    REQUIRE((to && from));
    auto pair = UdpSockets::make({});
    REQUIRE((*pair)->replace(std::move(*from)));
    Sender sender(**pair);
    const Bytes datagram(100, 3);
    wg::Path path;
    path.remote = loopback(false, to->port);

    path.local = *IpAddress::parse("127.0.0.77");
    CHECK_FALSE(sender.send_one(path, 0, datagram));
    CHECK(receive(to->v4.front().get(), 1).head.path.remote.address == path.local);

    path.local = *IpAddress::parse("192.0.2.1"); // nobody's
    CHECK(sender.send_one(path, 0, datagram));
    CHECK(receive(to->v4.front().get(), 1).head.path.remote.address == *IpAddress::parse("127.0.0.1"));

    wg::OutPacket packets[2];
    Bytes arena(200, 4);
    for (std::size_t i = 0; i < 2; ++i) {
        packets[i].buffer = arena.data() + 100 * i;
        packets[i].datagram_size = 100;
    }
    CHECK(sender.send(0, path, packets));
    CHECK(receive(to->v4.front().get(), 2).datagrams.size() == 2);
    CHECK(sender.counters().errors == 0);
}

TEST_CASE("a pair without sockets neither sends nor becomes readable") {
    auto pair = UdpSockets::make({});
    REQUIRE(pair);
    Sender sender(**pair);
    wg::Path path;
    path.remote = loopback(false, 9);
    (void)sender.send_one(path, 0, Bytes(10));
    CHECK(sender.counters().errors == 1);
    pollfd fds[2] = {{(*pair)->fd(Family::kIpv4, 0), POLLIN, 0}, {(*pair)->fd(Family::kIpv6, 0), POLLIN, 0}};
    CHECK(::poll(fds, 2, 0) == 0);
}

TEST_CASE("replacing the sockets keeps the descriptors' numbers") {
    auto pair = UdpSockets::make({});
    REQUIRE(pair);
    const int v4 = (*pair)->fd(Family::kIpv4, 0);
    auto a = bind_sockets(0, 0, {});
    REQUIRE(a);
    const std::uint16_t port = a->port;
    REQUIRE((*pair)->replace(std::move(*a)));
    CHECK((*pair)->fd(Family::kIpv4, 0) == v4);
    CHECK_FALSE(bind_sockets(port, 0, {})); // in use
    REQUIRE((*pair)->replace({}));
    CHECK(bind_sockets(port, 0, {})); // free again
}
