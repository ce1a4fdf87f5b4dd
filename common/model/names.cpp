// SPDX-License-Identifier: MIT
#include "common/model/names.hpp"

#include <algorithm>

#include "common/model/limits.hpp"

namespace wgd {
namespace {

bool is_name_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_=+.-").find(c) != std::string_view::npos;
}

// A refused name goes back to a terminal: show it without its control characters.
std::string printable(std::string_view text) {
    std::string shown(text.substr(0, 64));
    std::replace_if(
        shown.begin(), shown.end(), [](char c) { return c < 0x20 || c > 0x7e; }, '?');
    return shown;
}

} // namespace

Result<ProfileName> ProfileName::parse(std::string_view text) {
    const auto refuse = [&](std::string_view why) {
        return fail(ErrorCode::kInvalidName,
                    "'" + printable(text) + "' cannot be a tunnel name: " + std::string(why));
    };
    if (text.empty()) return refuse("it is empty");
    if (text.size() > kMaxInterfaceName) return refuse("it is longer than 15 characters");
    if (!std::all_of(text.begin(), text.end(), is_name_char))
        return refuse("only letters, digits and _ = + . - are allowed");
    if (text == "." || text == "..") return refuse("it is a directory");
    if (text.front() == '-') return refuse("it begins with '-'");
    return ProfileName(std::string(text));
}

} // namespace wgd
