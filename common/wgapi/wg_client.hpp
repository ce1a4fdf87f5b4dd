// SPDX-License-Identifier: MIT
// WgClient: reads and changes a WireGuard device, whoever runs it. Two transports: NetlinkClient (the
// kernel's device) and UapiClient (a userspace one); SystemClient picks per device, as wg(8) does.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/model/device.hpp"

namespace wgd {

// Calls block, for at most the transport's time limit. One object is used by one thread at a time.
// Errors: kNotFound (no such device; sys_errno ENODEV), kUnsupported (a link that is not WireGuard; no kernel
// support), kNotAuthorized, kTimeout, kProtocol (nonsense from the other end), kKernel or kBackend with
// sys_errno (the device refused), kInvalidName.
class WgClient {
  public:
    virtual ~WgClient() = default;
    // The device as it is now. Contains the private and preshared keys.
    virtual Result<WgDevice> get(std::string_view name) = 0;
    virtual Result<void> set(std::string_view name, const DeviceDelta& delta) = 0;
    virtual Result<std::vector<std::string>> list() = 0;
};

} // namespace wgd
