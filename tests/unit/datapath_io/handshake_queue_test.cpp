// SPDX-License-Identifier: MIT
#include <catch2/catch.hpp>
#include <thread>

#include "datapath/io/handshake_queue.hpp"

using namespace wgd;
using namespace wgd::io;

TEST_CASE("the handshake queue is bounded and drops the newest") {
    const Event ready = std::move(*Event::make());
    HandshakeQueue queue(ready);
    const Bytes datagram(148, 7);
    for (std::size_t i = 0; i < HandshakeQueue::kCapacity; ++i)
        REQUIRE(queue.push(datagram, {}));
    CHECK_FALSE(queue.push(datagram, {}));
    CHECK(queue.size() == HandshakeQueue::kCapacity);
    queue.pop();
    CHECK(queue.push(datagram, {}));
    CHECK_FALSE(queue.prepare_to_wait());
}

TEST_CASE("a datagram that cannot be a handshake message is refused") {
    const Event ready = std::move(*Event::make());
    HandshakeQueue queue(ready);
    CHECK_FALSE(queue.push(Bytes(HandshakeQueue::kMaxDatagram + 1), {}));
    CHECK(queue.front() == nullptr);
}

TEST_CASE("everything arrives in order and the consumer is never left asleep") {
    const Event ready = std::move(*Event::make());
    HandshakeQueue queue(ready);
    constexpr std::uint32_t kCount = 100000;
    std::thread producer([&] {
        for (std::uint32_t i = 0; i < kCount;) {
            Bytes datagram(4);
            store_le(datagram.data(), i);
            wg::Path from;
            from.remote.port = static_cast<std::uint16_t>(i);
            if (queue.push(datagram, from)) ++i;
        }
    });
    std::uint32_t next = 0;
    bool in_order = true;
    while (next < kCount) {
        if (queue.prepare_to_wait()) { // block without a time limit: a lost wake-up would hang the test
            std::uint64_t count = 0;
            while (::read(ready.fd(), &count, sizeof count) < 0)
                std::this_thread::yield();
        }
        while (const auto* entry = queue.front()) {
            in_order = in_order && load_le<std::uint32_t>(entry->view().data()) == next &&
                       entry->from.remote.port == static_cast<std::uint16_t>(next);
            ++next;
            queue.pop();
        }
    }
    producer.join();
    CHECK(in_order);
}
