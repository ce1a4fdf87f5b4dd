// SPDX-License-Identifier: MIT
// What the rest of the world may see of tunnels: plain values without secrets, made by control, shown by bus.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ip.hpp"
#include "common/base/result.hpp"
#include "common/base/time.hpp"
#include "common/model/keys.hpp"
#include "common/model/names.hpp"
#include "daemon/plan/lock.hpp"
#include "daemon/plan/op.hpp"

namespace wgd::control {

enum class TunnelState { kDown, kResolving, kApplying, kUp, kReapplying, kRollingBack, kFailed, kRemoving };
std::string_view to_string(TunnelState state); // "down", "resolving", ... as on the bus

// compat.md C15.4: a handshake's age alone says little.
enum class PeerState { kNever, kActive, kIdle, kFailing };
std::string_view to_string(PeerState state); // "never", "active", "idle", "failing"

struct PeerView {
    PublicKey public_key;
    std::string name;          // from the profile's comments, may be empty
    std::string endpoint_spec; // as in the profile ("vpn.example.net:51820"), may be empty
    std::optional<Endpoint> endpoint;
    std::vector<IpPrefix> allowed_ips;
    std::uint16_t persistent_keepalive = 0; // seconds, 0 off
    bool has_preshared_key = false;
    // Read on demand, not signalled.
    PeerState state = PeerState::kNever;
    WallTime latest_handshake{}; // epoch: never
    std::uint64_t rx_bytes = 0;
    std::uint64_t tx_bytes = 0;
};

// The peers of a tunnel as they were seen at one moment. All views of that moment share them: there may be
// ten thousand, and every change of state is told with a view.
class PeerViews {
  public:
    PeerViews() = default;
    PeerViews(std::vector<PeerView> peers)
        : peers_(std::make_shared<const std::vector<PeerView>>(std::move(peers))) {}
    [[nodiscard]] const PeerView* begin() const { return peers_ ? peers_->data() : nullptr; }
    [[nodiscard]] const PeerView* end() const { return begin() + size(); }
    [[nodiscard]] std::size_t size() const { return peers_ ? peers_->size() : 0; }
    [[nodiscard]] const PeerView& operator[](std::size_t index) const { return (*peers_)[index]; }
    [[nodiscard]] bool same_moment(const PeerViews& other) const { return peers_ == other.peers_; }

  private:
    std::shared_ptr<const std::vector<PeerView>> peers_;
};

struct TunnelView {
    ProfileName name;
    TunnelState state = TunnelState::kDown;
    plan::Backend backend = plan::Backend::kKernel;
    std::string backend_reason; // why this one ("no kernel WireGuard: Operation not supported")
    std::string interface;
    std::string netns; // the network namespace it is in, by name; "" for the daemon's
    std::uint32_t ifindex = 0;
    PublicKey public_key;
    std::uint16_t listen_port = 0;
    std::uint32_t fwmark = 0;
    std::uint32_t mtu = 0;
    std::uint32_t path_mtu = 0; // the smallest that was measured to an endpoint; 0: none was
    std::vector<IpPrefix> addresses;
    std::vector<std::string> dns; // servers and search domains as in the profile
    std::string dns_backend;      // who keeps them for the system ("resolved", ...); empty: nobody
    std::string dns_reason;       // why that one, or why nobody; empty: the profile has no DNS
    std::vector<std::string> warnings;
    plan::LockMode kill_switch = plan::LockMode::kOff;
    std::string last_error;           // of the last failed operation, empty if none
    std::vector<std::string> residue; // what a failed undo left behind
    std::uint32_t drift_count = 0;    // how often something was put back since the daemon started
    std::string drift_last;           // what it was the last time
    PeerViews peers;
};

} // namespace wgd::control
