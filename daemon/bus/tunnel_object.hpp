// SPDX-License-Identifier: MIT
// The object of one tunnel and, through it, those of its peers. Shows the view it was last given; compares
// the next one with it to know what to signal. Counters come from a live view, read again when older than
// kFreshness.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/time.hpp"
#include "daemon/bus/gate.hpp"
#include "daemon/bus/peer_object.hpp"
#include "daemon/control/manager.hpp"
#include "dbus/generated/tunnel_adaptor.hpp"

namespace wgd::bus {

// One GetManagedObjects reads hundreds of properties: they share one reading of the device.
inline constexpr Duration kFreshness = std::chrono::milliseconds(500);

class TunnelObject final
    : public sdbus::AdaptorInterfaces<org::wgd1::Tunnel_adaptor, sdbus::Properties_adaptor,
                                      sdbus::ManagedObject_adaptor> {
  public:
    // Throws sdbus::Error. Publishes the tunnel and its peers, with InterfacesAdded for each.
    TunnelObject(sdbus::IConnection& connection, control::Manager& manager, Gate& gate,
                 control::TunnelView view);
    ~TunnelObject();

    // Takes over `view` and signals what changed.
    void update(control::TunnelView view);
    // Says goodbye: InterfacesRemoved for all of it. The caller then destroys the object. Not done by the
    // destructor, which also runs when the connection is gone and there is nobody to tell.
    void withdraw();

  private:
    void sync_peers();
    const control::PeerView* live_peer(const wgd::PublicKey& key);

    void GetPeers(sdbus::Result<std::vector<std::map<std::string, sdbus::Variant>>, uint32_t>&& result,
                  uint32_t offset, uint32_t limit) override;
    std::string Name() override;
    std::string State() override;
    std::string LastError() override;
    std::string Backend() override;
    std::string BackendReason() override;
    std::string KillSwitch() override;
    std::string Interface() override;
    std::string Netns() override;
    uint32_t Ifindex() override;
    std::string PublicKey() override;
    uint16_t ListenPort() override;
    uint32_t FwMark() override;
    uint32_t Mtu() override;
    uint32_t PathMtu() override;
    std::vector<std::string> Addresses() override;
    std::vector<std::string> Dns() override;
    std::string DnsBackend() override;
    std::string DnsReason() override;
    uint32_t PeerCount() override;
    std::vector<std::string> Warnings() override;
    sdbus::Struct<uint32_t, std::string> Drift() override;
    std::vector<std::string> Residue() override;

    sdbus::IConnection& connection_;
    control::Manager& manager_;
    Gate& gate_;
    control::TunnelView view_; // as last signalled
    std::map<wgd::PublicKey, std::unique_ptr<PeerObject>> peers_;
    std::size_t next_peer_ = 0; // never reused while the tunnel lives

    control::PeerViews live_;
    std::map<wgd::PublicKey, std::size_t> live_index_; // of peers_ alone
    std::optional<Instant> live_read_;
};

} // namespace wgd::bus
