// SPDX-License-Identifier: MIT
#include "common/wgapi/system_client.hpp"

#include <algorithm>

namespace wgd {

Result<SystemClient> SystemClient::open(UapiClient::Options options) {
    auto kernel = NetlinkClient::open();
    WGD_TRY(kernel);
    return SystemClient(std::move(*kernel), UapiClient(std::move(options)));
}

WgClient& SystemClient::client_for(std::string_view name) {
    if (userspace_.serves(name)) return userspace_;
    return kernel_;
}

Result<WgDevice> SystemClient::get(std::string_view name) {
    return client_for(name).get(name);
}

Result<void> SystemClient::set(std::string_view name, const DeviceDelta& delta) {
    return client_for(name).set(name, delta);
}

Result<std::vector<std::string>> SystemClient::list() {
    auto names = kernel_.list();
    WGD_TRY(names);
    auto sockets = userspace_.list();
    WGD_TRY(sockets);
    for (auto& socket : *sockets)
        if (std::find(names->begin(), names->end(), socket) == names->end())
            names->push_back(std::move(socket));
    return names;
}

} // namespace wgd
