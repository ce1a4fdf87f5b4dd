// SPDX-License-Identifier: MIT
// Names a user may give a tunnel. Checked once, here, before any path, link or object is made from them.
#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "common/base/result.hpp"

namespace wgd {

// The name of a profile and of its interface: ^[a-zA-Z0-9_=+.-]{1,15}$ as wg-quick(8), and, because it
// becomes a path, a link name and a bus object, also: not "." or "..", not beginning with '-'.
class ProfileName {
  public:
    static Result<ProfileName> parse(std::string_view text); // kInvalidName, with the reason
    [[nodiscard]] const std::string& str() const { return name_; }
    auto operator<=>(const ProfileName&) const = default;

  private:
    explicit ProfileName(std::string name)
        : name_(std::move(name)) {}
    std::string name_;
};

} // namespace wgd
