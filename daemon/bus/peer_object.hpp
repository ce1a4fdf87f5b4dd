// SPDX-License-Identifier: MIT
// The object of one peer. What the profile says is kept here; what the datapath counts is asked of the
// tunnel's live view. No logic.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "daemon/control/view.hpp"
#include "dbus/generated/peer_adaptor.hpp"

namespace wgd::bus {

class PeerObject final : public sdbus::AdaptorInterfaces<org::wgd1::Peer_adaptor, sdbus::Properties_adaptor,
                                                         sdbus::ManagedObject_adaptor> {
  public:
    // The live view of a peer, or null when the datapath has it no more. Valid until the next call.
    using Live = std::function<const control::PeerView*(const wgd::PublicKey&)>;

    // Throws sdbus::Error.
    PeerObject(sdbus::IConnection& connection, std::string path, control::PeerView view, Live live);
    ~PeerObject();

    // Takes over `view` and signals what changed of what may be signalled.
    void update(control::PeerView view);

  private:
    const control::PeerView& now() const;

    std::string PublicKey() override;
    std::string Name() override;
    std::vector<std::string> AllowedIps() override;
    uint16_t PersistentKeepalive() override;
    bool HasPresharedKey() override;
    std::string State() override;
    std::string Endpoint() override;
    std::string EndpointSpec() override;
    uint64_t LatestHandshake() override;
    uint64_t RxBytes() override;
    uint64_t TxBytes() override;

    control::PeerView view_;
    Live live_;
};

} // namespace wgd::bus
