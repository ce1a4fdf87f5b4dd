// SPDX-License-Identifier: MIT
// FakePaths: ways to addresses, with the MTU of their narrowest place.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <string>

#include "daemon/ports/ports.hpp"
#include "tests/fakes/turns.hpp"

namespace wgd::fakes {

class FakePaths final : public ports::PathProber {
  public:
    explicit FakePaths(Turns& turns)
        : turns_(turns) {}

    // Of an address that was never set nothing is heard.
    void set(const std::string& address, std::uint32_t mtu) { mtus_[*IpAddress::parse(address)] = mtu; }
    void silence(const std::string& address) { mtus_.erase(*IpAddress::parse(address)); }
    void refuse(std::string why) { refusal_ = std::move(why); }
    [[nodiscard]] int measured() const { return measured_; }
    [[nodiscard]] std::uint32_t last_mark() const { return last_mark_; }

    std::unique_ptr<Measurement> measure(const IpAddress& destination, std::uint32_t mark,
                                         std::uint32_t ceiling, Found found) override {
        ++measured_;
        last_mark_ = mark;
        if (!refusal_.empty()) {
            found(fail(ErrorCode::kIo, refusal_));
            return nullptr;
        }
        auto handle = std::make_unique<Handle>();
        handle->found = std::make_shared<Found>(std::move(found));
        turns_.complete([this, destination, ceiling, weak = std::weak_ptr<Found>(handle->found)] {
            const auto live = weak.lock();
            if (!live) return;
            const auto mtu = mtus_.find(destination);
            if (mtu == mtus_.end())
                (*live)(std::nullopt);
            else
                (*live)(std::min(mtu->second, ceiling));
        });
        return handle;
    }

  private:
    struct Handle final : Measurement {
        std::shared_ptr<Found> found;
    };
    Turns& turns_;
    std::map<IpAddress, std::uint32_t> mtus_;
    std::string refusal_;
    int measured_ = 0;
    std::uint32_t last_mark_ = 0;
};

} // namespace wgd::fakes
