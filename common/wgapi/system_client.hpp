// SPDX-License-Identifier: MIT
// SystemClient: the device of a name, whether userspace or the kernel runs it. A userspace socket that
// somebody listens on wins, as in wg(8).
#pragma once

#include "common/wgapi/netlink_client.hpp"
#include "common/wgapi/uapi_client.hpp"

namespace wgd {

class SystemClient final : public WgClient {
  public:
    static Result<SystemClient> open(UapiClient::Options options = {});

    Result<WgDevice> get(std::string_view name) override;
    Result<void> set(std::string_view name, const DeviceDelta& delta) override;
    Result<std::vector<std::string>> list() override; // kernel links first, then userspace sockets

  private:
    SystemClient(NetlinkClient kernel, UapiClient userspace)
        : kernel_(std::move(kernel))
        , userspace_(std::move(userspace)) {}
    WgClient& client_for(std::string_view name);

    NetlinkClient kernel_;
    UapiClient userspace_;
};

} // namespace wgd
