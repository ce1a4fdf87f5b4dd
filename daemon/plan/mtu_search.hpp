// SPDX-License-Identifier: MIT
// MtuSearch: how large an IP packet may be to arrive in one piece, found by sending some (RFC 8899 5.3): the
// largest first, which mostly passes; then what a router on the way said (RFC 1191, RFC 8201), and where none
// says anything, between what passes and what does not. Pure: which size is next, and what came of it.
#pragma once

#include <cstdint>
#include <optional>

namespace wgd::plan {

class MtuSearch {
  public:
    // Bytes of whole packets. `floor` is what any path carries; `ceiling` what the first link of it does.
    MtuSearch(std::uint32_t floor, std::uint32_t ceiling);

    // The size of the next packet; nullopt: there is nothing more to find out.
    [[nodiscard]] std::optional<std::uint32_t> next() const;

    // What came of the packet of that size: it was answered; somebody on the way said what would fit (0: said
    // only that it does not); or nothing was heard, however often it was sent.
    void answered();
    void too_big(std::uint32_t mtu);
    void silent();

    // What passes; nullopt: nobody answers, and nobody said anything.
    [[nodiscard]] std::optional<std::uint32_t> result() const;

  private:
    void halve();

    std::uint32_t floor_;
    std::uint32_t size_;       // of the next packet, 0: done
    std::uint32_t passes_ = 0; // the largest that was answered
    std::uint32_t fails_;      // the smallest that cannot pass
    std::uint32_t told_ = 0;   // the last thing that somebody on the way said
};

} // namespace wgd::plan
