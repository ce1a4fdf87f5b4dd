// SPDX-License-Identifier: MIT
// NetlinkClient: the kernel's WireGuard devices, in the network namespace of the thread that opened it.
#pragma once

#include <memory>

#include "common/wgapi/wg_client.hpp"

struct nl_sock;

namespace wgd {

class NetlinkClient final : public WgClient {
  public:
    // Opens the sockets. Does not fail for want of a WireGuard module: the kernel may load it later, so the
    // family is looked up per call (kUnsupported while there is none).
    static Result<NetlinkClient> open();

    Result<WgDevice> get(std::string_view name) override;
    // In several messages if it is long; the kernel is not transactional, an error may leave a part applied.
    Result<void> set(std::string_view name, const DeviceDelta& delta) override;
    Result<std::vector<std::string>> list() override; // links of kind "wireguard"

  private:
    struct SocketDeleter {
        void operator()(nl_sock* socket) const;
    };
    using Socket = std::unique_ptr<nl_sock, SocketDeleter>;
    NetlinkClient(Socket generic, Socket route)
        : generic_(std::move(generic))
        , route_(std::move(route)) {}
    Result<int> family();

    Socket generic_;
    Socket route_;
    int family_ = 0; // 0: not known yet
};

} // namespace wgd
