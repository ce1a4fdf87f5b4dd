// SPDX-License-Identifier: MIT
// The kernel's generic netlink family "wireguard", version 1, as bytes: attributes of SET_DEVICE, and of the
// messages of a GET_DEVICE dump. Pure; NetlinkClient adds the headers and the socket.
// Source: <linux/wireguard.h>, <linux/netlink.h>.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/base/secret_text.hpp"
#include "common/model/device.hpp"

namespace wgd::wgnl {

inline constexpr std::size_t kDefaultMaxPayload = 16u << 10; // a netlink socket's message fits in any buffer

// The attributes of GET_DEVICE for one device.
SecretBytes encode_get(std::string_view interface);

// The attributes of one or more SET_DEVICE messages, each at most `max_payload` bytes, to be sent in order.
// Device attributes and the REPLACE_* flags stand in the first message of the device or peer only, so that a
// later fragment adds to what an earlier one began.
std::vector<SecretBytes> encode_set(std::string_view interface, const DeviceDelta& delta,
                                    std::size_t max_payload = kDefaultMaxPayload);

// Collects the messages of one dump. A peer that was cut in the middle appears again with its public key and
// the rest of its allowed IPs; it is put together again here. The bytes may come from anybody who can answer
// on the socket: every length is checked.
class DeviceDump {
  public:
    Result<void> add(ByteView attributes); // kProtocol: not attributes, or of a wrong size
    WgDevice finish() &&;

  private:
    WgDevice device_;
    bool first_peer_of_message_ = false; // the next peer may continue the last one
    Result<void> add_peer(ByteView attributes);
};

} // namespace wgd::wgnl
