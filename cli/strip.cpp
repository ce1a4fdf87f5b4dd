// SPDX-License-Identifier: MIT
// wgctl strip NAME|FILE, as `wg-quick strip`: the profile without what only wg-quick understands.
#include "common/config/strip.hpp"
#include "cli/command.hpp"
#include "cli/profile_file.hpp"
#include "cli/terminal.hpp"

namespace wgd::cli {

int run_strip(const Invocation& invocation) {
    const std::string& what = invocation.operands[0];
    std::string path = what;
    if (!is_file_name(what)) {
        const auto name = ProfileName::parse(what);
        if (!name) return report(invocation, to_command_error(name.error()));
        path = "/etc/wireguard/" + name->str() + ".conf";
    }
    const auto text = read_file(path);
    if (!text) return report(invocation, text.error());
    return print(strip(*text));
}

} // namespace wgd::cli
