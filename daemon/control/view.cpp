// SPDX-License-Identifier: MIT
#include "daemon/control/view.hpp"

namespace wgd::control {

std::string_view to_string(TunnelState state) {
    switch (state) {
    case TunnelState::kDown:
        return "down";
    case TunnelState::kResolving:
        return "resolving";
    case TunnelState::kApplying:
        return "applying";
    case TunnelState::kUp:
        return "up";
    case TunnelState::kReapplying:
        return "reapplying";
    case TunnelState::kRollingBack:
        return "rolling-back";
    case TunnelState::kFailed:
        return "failed";
    case TunnelState::kRemoving:
        return "removing";
    }
    return "unknown";
}

std::string_view to_string(PeerState state) {
    switch (state) {
    case PeerState::kNever:
        return "never";
    case PeerState::kActive:
        return "active";
    case PeerState::kIdle:
        return "idle";
    case PeerState::kFailing:
        return "failing";
    }
    return "unknown";
}

} // namespace wgd::control
