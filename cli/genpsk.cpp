// SPDX-License-Identifier: MIT
// wgctl genpsk: 32 random bytes.
#include "cli/key_tool.hpp"
#include "common/base/time.hpp"
#include "common/model/keys.hpp"

namespace wgd::cli {

int run_genpsk(const Invocation& invocation) {
    if (!invocation.operands.empty()) return key_tool_usage(invocation);
    warn_if_world_accessible();
    PresharedKey key;
    system_random().fill(key.expose_mut());
    return print_key(key.reveal_base64());
}

} // namespace wgd::cli
