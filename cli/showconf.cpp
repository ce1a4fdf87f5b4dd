// SPDX-License-Identifier: MIT
// wgctl showconf INTERFACE: the device as a configuration that setconf takes. Contains the keys.
#include <fmt/format.h>

#include "cli/terminal.hpp"
#include "cli/wg_device.hpp"

namespace wgd::cli {

int run_showconf(const Invocation& invocation) {
    if (invocation.operands.size() != 1) {
        print_wg_usage(invocation, "<interface>");
        return kFailed;
    }
    auto client = open_devices();
    if (!client) return kFailed;
    const auto device = read_device(*client, invocation.operands[0]);
    if (!device) return kFailed;
    std::string text = "[Interface]\n";
    if (device->listen_port != 0) text += fmt::format("ListenPort = {}\n", device->listen_port);
    if (device->fwmark != 0) text += fmt::format("FwMark = {}\n", fwmark_text(device->fwmark));
    if (!device->private_key.is_zero())
        text += fmt::format("PrivateKey = {}\n", device->private_key.reveal_base64());
    for (const auto& peer : device->peers) {
        text += fmt::format("\n[Peer]\nPublicKey = {}\n", peer.public_key.to_base64());
        if (!peer.preshared_key.is_zero())
            text += fmt::format("PresharedKey = {}\n", peer.preshared_key.reveal_base64());
        std::string allowed;
        for (const auto& prefix : peer.allowed_ips)
            allowed += (allowed.empty() ? "" : ", ") + prefix.to_string();
        if (!allowed.empty()) text += fmt::format("AllowedIPs = {}\n", allowed);
        if (peer.endpoint) text += fmt::format("Endpoint = {}\n", peer.endpoint->to_string());
        if (peer.persistent_keepalive != 0)
            text += fmt::format("PersistentKeepalive = {}\n", peer.persistent_keepalive);
    }
    if (device->peers.empty()) text += "\n";
    const int result = print(text);
    sodium_memzero(text.data(), text.size());
    return result;
}

} // namespace wgd::cli
