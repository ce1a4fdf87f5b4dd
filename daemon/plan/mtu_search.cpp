// SPDX-License-Identifier: MIT
#include "daemon/plan/mtu_search.hpp"

#include <algorithm>

namespace wgd::plan {
namespace {

// Finer is not worth the packets: WireGuard pads to 16 bytes.
constexpr std::uint32_t kFineEnough = 8;

} // namespace

MtuSearch::MtuSearch(std::uint32_t floor, std::uint32_t ceiling)
    : floor_(floor)
    , size_(ceiling > floor ? ceiling : 0)
    , fails_(ceiling + 1) {}

std::optional<std::uint32_t> MtuSearch::next() const {
    if (size_ == 0) return std::nullopt;
    return size_;
}

void MtuSearch::answered() {
    passes_ = std::max(passes_, size_);
    halve();
}

void MtuSearch::too_big(std::uint32_t mtu) {
    fails_ = std::min(fails_, size_);
    // Below the floor, or no smaller than what did not fit: whoever says that knows nothing (or lies).
    if (mtu < floor_ || mtu >= size_ || mtu <= passes_) {
        if (passes_ == 0 && size_ != floor_) {
            size_ = floor_;
            return;
        }
        return halve();
    }
    told_ = mtu;
    fails_ = mtu + 1;
    size_ = mtu;
}

void MtuSearch::silent() {
    fails_ = std::min(fails_, size_);
    if (passes_ != 0) return halve();
    // Not even what passes everywhere is answered: then silence says nothing about sizes.
    size_ = size_ == floor_ ? 0 : floor_;
}

void MtuSearch::halve() {
    size_ = fails_ - passes_ <= kFineEnough ? 0 : passes_ + (fails_ - passes_) / 2;
    if (passes_ == 0 || passes_ + 1 == fails_) size_ = 0;
}

std::optional<std::uint32_t> MtuSearch::result() const {
    if (passes_ != 0) return passes_;
    if (told_ != 0) return told_;
    return std::nullopt;
}

} // namespace wgd::plan
