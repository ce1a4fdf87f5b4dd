// SPDX-License-Identifier: MIT
// NetlinkClient: the kernel's WireGuard devices, in the network namespace of the thread that opened it.
#pragma once

#include "common/wgapi/netlink_socket.hpp"
#include "common/wgapi/wg_client.hpp"

namespace wgd {

class NetlinkClient final : public WgClient {
  public:
    // Opens the sockets. Does not fail for want of a WireGuard module: the kernel may load it later, so the
    // family is looked up when it is needed (kUnsupported while there is none).
    static Result<NetlinkClient> open();

    Result<WgDevice> get(std::string_view name) override;
    // In several messages if it is long; the kernel is not transactional, an error may leave a part applied.
    Result<void> set(std::string_view name, const DeviceDelta& delta) override;
    Result<std::vector<std::string>> list() override; // links of kind "wireguard"

  private:
    NetlinkClient(wgnl::NetlinkSocket generic, wgnl::NetlinkSocket route)
        : generic_(std::move(generic))
        , route_(std::move(route)) {}
    Result<std::uint16_t> family();
    Result<void> command(std::uint8_t command, std::uint16_t flags, ByteView attributes,
                         const std::function<Result<void>(ByteView attributes)>& on_message = {});

    wgnl::NetlinkSocket generic_;
    wgnl::NetlinkSocket route_;
    std::uint16_t family_ = 0; // 0: not known yet
};

} // namespace wgd
