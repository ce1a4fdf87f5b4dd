// SPDX-License-Identifier: MIT
// wgctl genkey: a Curve25519 private key.
#include "cli/key_tool.hpp"
#include "common/base/time.hpp"
#include "common/model/keys.hpp"

namespace wgd::cli {

int run_genkey(const Invocation& invocation) {
    if (!invocation.operands.empty()) return key_tool_usage(invocation);
    warn_if_world_accessible();
    Secret<kKeySize> random;
    system_random().fill(random.expose_mut());
    return print_key(clamp_private_key(random.expose()).reveal_base64());
}

} // namespace wgd::cli
