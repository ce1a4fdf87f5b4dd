// SPDX-License-Identifier: MIT
// SharedPath: a peer's Path, read by every transmit thread and now and then replaced by a receive thread (the
// peer has moved) or the control thread. A sequence lock: readers write nothing, writers exclude each other
// with its odd state.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <optional>

#include "datapath/wg/path.hpp"

namespace wgd::wg {

class SharedPath {
  public:
    // nullopt: no endpoint known. Retries while a writer is in the middle, which is some fifty instructions.
    [[nodiscard]] std::optional<Path> load() const {
        for (;;) {
            const std::uint32_t before = sequence_.load(std::memory_order_acquire);
            if ((before & 1u) != 0) continue;
            Words words;
            for (std::size_t i = 0; i < words.size(); ++i)
                words[i] = words_[i].load(std::memory_order_acquire);
            if (sequence_.load(std::memory_order_relaxed) != before) continue;
            if (words[kPathWords] == 0) return std::nullopt;
            Path path;
            std::memcpy(static_cast<void*>(&path), words.data(), sizeof path);
            return path;
        }
    }

    // For a data thread: if another is writing at this moment, its news is as good as ours.
    void try_store(const Path& path) {
        std::uint32_t sequence = sequence_.load(std::memory_order_relaxed);
        if ((sequence & 1u) == 0 &&
            sequence_.compare_exchange_strong(sequence, sequence + 1, std::memory_order_acq_rel))
            write(path, sequence);
    }
    void store(const Path& path) { write(path, lock()); }
    // Keeps the remote end, forgets our own address.
    void forget_source() {
        const std::uint32_t sequence = lock();
        Words words;
        for (std::size_t i = 0; i < words.size(); ++i)
            words[i] = words_[i].load(std::memory_order_relaxed);
        if (words[kPathWords] == 0) {
            sequence_.store(sequence + 2, std::memory_order_release);
            return;
        }
        Path path;
        std::memcpy(static_cast<void*>(&path), words.data(), sizeof path);
        path.local = IpAddress{};
        path.local_ifindex = 0;
        write(path, sequence);
    }

  private:
    static constexpr std::size_t kPathWords = (sizeof(Path) + 7) / 8;
    using Words = std::array<std::uint64_t, kPathWords + 1>; // the last: 1 if there is a path

    std::uint32_t lock() {
        for (;;) {
            std::uint32_t sequence = sequence_.load(std::memory_order_relaxed);
            if ((sequence & 1u) == 0 &&
                sequence_.compare_exchange_weak(sequence, sequence + 1, std::memory_order_acq_rel))
                return sequence;
        }
    }
    void write(const Path& path, std::uint32_t sequence) {
        Words words{};
        std::memcpy(words.data(), &path, sizeof path);
        words[kPathWords] = 1;
        // Release stores of the words keep the odd sequence number before them.
        for (std::size_t i = 0; i < words.size(); ++i)
            words_[i].store(words[i], std::memory_order_release);
        sequence_.store(sequence + 2, std::memory_order_release);
    }

    std::atomic<std::uint32_t> sequence_{0};
    std::array<std::atomic<std::uint64_t>, kPathWords + 1> words_{};
};

} // namespace wgd::wg
