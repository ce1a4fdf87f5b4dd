// SPDX-License-Identifier: MIT
// What the verbs of wg(8) share: the device behind an interface, the endpoints behind names, and wg(8)'s way
// of complaining. These verbs talk to the device themselves; the daemon is not asked.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cli/command.hpp"
#include "common/config/profile.hpp"
#include "common/config/profile_delta.hpp"
#include "common/wgapi/system_client.hpp"

namespace wgd::cli {

// "Usage: wg set <interface> ..." to standard error.
void print_wg_usage(const Invocation& invocation, std::string_view arguments);

// Text of the errno behind an error, as wg(8) prints it, or the error's own sentence where there is none.
std::string wg_reason(const Error& error);

// Opens the transports; says why not and gives nullopt.
std::optional<SystemClient> open_devices();
// Both say "Unable to access interface: ..." or "Unable to modify interface: ..." on failure.
std::optional<WgDevice> read_device(WgClient& client, const std::string& name);
bool change_device(WgClient& client, const std::string& name, const DeviceDelta& delta);

// Looks a name up. What may pass (no server answers) is tried again, $WG_ENDPOINT_RESOLUTION_RETRIES times
// (15, or "infinity"), waiting 1 s and then a fifth longer each time, at most 20 s. Says why not and gives
// nullopt.
std::optional<Endpoint> look_up(const EndpointSpec& endpoint);
// Of all peers, in order; nullopt when one fails.
std::optional<ResolvedPeerEndpoints> look_up_all(const Profile& profile);

// "10.0.0.0/24", "0xca6c", "(none)" for the zero key
std::string fwmark_text(std::uint32_t mark);

} // namespace wgd::cli
