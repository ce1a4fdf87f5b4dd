// SPDX-License-Identifier: MIT
#include "daemon/bus/caller.hpp"

#include <sdbus-c++/sdbus-c++.h>
#include <utility>

#include "daemon/bus/guard.hpp"
#include "dbus/names.hpp"

namespace wgd::bus {
namespace {

constexpr std::size_t kMaxKnown = 4096; // then forget all; each costs one message to learn again

} // namespace

CallerLookup::CallerLookup(sdbus::IConnection& connection)
    // With the connection given: a proxy made without one would start a thread of its own.
    : driver_(sdbus::createProxy(connection, dbus::kDriverName, dbus::kDriverPath)) {}

CallerLookup::~CallerLookup() = default;

void CallerLookup::uid_of(const std::string& sender, std::function<void(Result<uid_t>)> answer) {
    if (const auto at = known_.find(sender); at != known_.end()) return answer(at->second);
    driver_->callMethodAsync("GetConnectionUnixUser")
        .onInterface(dbus::kDriverInterface)
        .withArguments(sender)
        .uponReplyInvoke(
            [this, sender, answer = std::move(answer)](const sdbus::Error* error, std::uint32_t uid) {
                quietly("caller lookup", [&] {
                    if (error != nullptr) return answer(fail(ErrorCode::kNotFound, error->getMessage()));
                    if (known_.size() >= kMaxKnown) known_.clear();
                    known_.emplace(sender, uid);
                    answer(static_cast<uid_t>(uid));
                });
            });
}

} // namespace wgd::bus
