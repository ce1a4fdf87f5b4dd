// SPDX-License-Identifier: MIT
// HandshakeQueue: handshake datagrams on their way from a receive thread to the control thread. A bounded
// ring for one producer and one consumer, without locks; when it is full the newest is dropped (WG 5.3: under
// load the handshake work is what gives way). The consumer is woken once, not for every datagram.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <type_traits>

#include "common/base/bytes.hpp"
#include "datapath/io/event.hpp"
#include "datapath/wg/path.hpp"

namespace wgd::io {

class HandshakeQueue {
  public:
    static constexpr std::size_t kCapacity = 1024;   // a power of two
    static constexpr std::size_t kMaxDatagram = 160; // the longest message, an initiation, has 148 bytes

    struct Entry {
        wg::Path from;
        std::uint32_t size = 0;
        std::array<std::uint8_t, kMaxDatagram> bytes;
        [[nodiscard]] ByteView view() const { return {bytes.data(), size}; }
    };

    explicit HandshakeQueue(const Event& ready)
        : entries_(std::allocator<Entry>().allocate(kCapacity))
        , ready_(&ready) {}
    HandshakeQueue(const HandshakeQueue&) = delete;
    HandshakeQueue& operator=(const HandshakeQueue&) = delete;
    ~HandshakeQueue() { std::allocator<Entry>().deallocate(entries_, kCapacity); }

    // Producer. False if it was dropped.
    bool push(ByteView datagram, const wg::Path& from) {
        const std::size_t tail = tail_.load(std::memory_order_relaxed);
        if (datagram.size() > kMaxDatagram || tail - head_.load(std::memory_order_acquire) == kCapacity)
            return false;
        Entry& entry = *std::construct_at(&entries_[tail % kCapacity]);
        entry.from = from;
        entry.size = static_cast<std::uint32_t>(datagram.size());
        std::memcpy(entry.bytes.data(), datagram.data(), datagram.size());
        tail_.store(tail + 1, std::memory_order_seq_cst);
        if (sleeping_.exchange(false, std::memory_order_seq_cst)) ready_->ring();
        return true;
    }

    // Consumer. The front entry, or null; stays valid until pop().
    [[nodiscard]] const Entry* front() const {
        const std::size_t head = head_.load(std::memory_order_relaxed);
        return head == tail_.load(std::memory_order_acquire) ? nullptr : &entries_[head % kCapacity];
    }
    void pop() { head_.store(head_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }
    [[nodiscard]] std::size_t size() const {
        return tail_.load(std::memory_order_acquire) - head_.load(std::memory_order_relaxed);
    }
    // Consumer, before it waits for the event. False if something came in between: do not wait.
    [[nodiscard]] bool prepare_to_wait() {
        sleeping_.store(true, std::memory_order_seq_cst);
        return tail_.load(std::memory_order_seq_cst) == head_.load(std::memory_order_relaxed);
    }

  private:
    // Constructed when first used: a quarter of a megabyte that most tunnels never touch.
    static_assert(std::is_trivially_destructible_v<Entry>);
    Entry* entries_;
    const Event* ready_;
    alignas(64) std::atomic<std::size_t> head_{0};
    alignas(64) std::atomic<std::size_t> tail_{0};
    alignas(64) std::atomic<bool> sleeping_{true};
};

} // namespace wgd::io
