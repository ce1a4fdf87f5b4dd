// SPDX-License-Identifier: MIT
// What somebody else did to a tunnel's objects: which of it is put back, in which words it is told, and how
// often before we stop fighting for an object. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "common/base/time.hpp"
#include "daemon/plan/op.hpp"

namespace wgd::control {

// A step that makes something of ours right again. What somebody added stays: it is not ours to take away.
bool is_repair(const plan::Op& op);

// "route 10.0.0.0/24 was removed by somebody"
std::string what_happened(const plan::Op& repair);

class Drift {
  public:
    // How often an object comes back without a pause, and within which time; then after a pause that doubles.
    static constexpr int kFreeRepairs = 5;
    static constexpr Duration kWindow = std::chrono::minutes(1);
    static constexpr Duration kFirstPause = std::chrono::seconds(10);
    static constexpr Duration kLongestPause = std::chrono::minutes(10);
    // After so long without a repair an object starts afresh.
    static constexpr Duration kForgotten = std::chrono::minutes(20);

    // `object` is anything that names it, the same each time.
    [[nodiscard]] bool may_repair(const std::string& object, Instant now) const;
    // Counts a repair. The pause that the object has from now on, zero for none.
    Duration repaired(const std::string& object, const std::string& text, Instant now);
    // Until some object that is on a pause now may be put back.
    [[nodiscard]] std::optional<Duration> next_chance(Instant now) const;

    [[nodiscard]] std::uint32_t count() const { return count_; }
    [[nodiscard]] const std::string& last() const { return last_; } // the latest, in words

  private:
    struct Fight {
        Instant begin{}; // of the window
        Instant last{};
        int repairs = 0; // in the window
        Duration pause{};
    };
    std::map<std::string, Fight> fights_;
    std::uint32_t count_ = 0;
    std::string last_;
};

} // namespace wgd::control
