// SPDX-License-Identifier: MIT
// Which counters of a session were seen (WG 5.4.6, RFC 6479's idea): every counter is accepted at most once,
// and none that lies kSize or more behind the greatest. Any number of threads, no lock.
//
// The ring holds blocks of 32 counters; a word is the block's round through the ring (upper half) and its 32
// bits (lower half). A thread that finds an older round in the word replaces it in one compare-and-swap, so
// nothing is ever cleared in between, and a slow thread can never bring an old round back.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace wgd::wg {

class ReplayWindow {
  public:
    static constexpr std::uint64_t kSize = 8192;

    // Only for counters of packets that proved authentic. False: seen before, or too old.
    [[nodiscard]] bool accept(std::uint64_t counter) {
        std::uint64_t greatest = greatest_.load(std::memory_order_relaxed);
        if (counter < greatest && greatest - counter >= kSize) return false;

        const std::uint64_t block = counter / kBitsPerWord;
        // Rounds fit 32 bits for the first 2^45 packets of a session; after that late packets may be refused,
        // never accepted twice, because a word's round only grows.
        const std::uint64_t round = (block / kWords) & 0xffffffffu;
        const std::uint64_t bit = std::uint64_t{1} << (counter % kBitsPerWord);
        std::atomic<std::uint64_t>& word = ring_[block % kWords];
        std::uint64_t seen = word.load(std::memory_order_relaxed);
        for (;;) {
            std::uint64_t next;
            if ((seen >> 32) == round) {
                if ((seen & bit) != 0) return false;
                next = seen | bit;
            } else if ((seen >> 32) < round) {
                next = (round << 32) | bit;
            } else {
                return false;
            }
            if (word.compare_exchange_weak(seen, next, std::memory_order_relaxed)) break;
        }
        while (counter > greatest &&
               !greatest_.compare_exchange_weak(greatest, counter, std::memory_order_relaxed)) {
        }
        return true;
    }

  private:
    static constexpr std::uint64_t kBitsPerWord = 32;
    // One more than kSize needs, so that a counter inside the window never meets a younger round in its word.
    static constexpr std::size_t kWords = kSize / kBitsPerWord + 1;

    std::atomic<std::uint64_t> greatest_{0};
    std::array<std::atomic<std::uint64_t>, kWords> ring_{};
};

} // namespace wgd::wg
