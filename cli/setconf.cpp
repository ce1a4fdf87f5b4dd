// SPDX-License-Identifier: MIT
// wgctl setconf, addconf, syncconf INTERFACE FILE: three ways of making a device what a configuration says.
#include <cstdio>

#include "cli/profile_file.hpp"
#include "cli/terminal.hpp"
#include "cli/wg_device.hpp"
#include "common/config/parser.hpp"

namespace wgd::cli {
namespace {

template <class MakeDelta>
int apply(const Invocation& invocation, MakeDelta make_delta) {
    if (invocation.operands.size() != 2) {
        print_wg_usage(invocation, "<interface> <configuration filename>");
        return kFailed;
    }
    const std::string& name = invocation.operands[0];
    const std::string& path = invocation.operands[1];
    // A path, even "-": wg(8) opens it like any other.
    const auto text = read_file(path == "-" ? "./-" : path);
    if (!text) {
        std::fprintf(stderr, "%s\n", printable(text.error().message).c_str());
        return kFailed;
    }
    // What wg(8) configures need not be called as a profile may.
    auto profile_name = ProfileName::parse(name);
    const auto parsed = parse(*text, profile_name ? *profile_name : *ProfileName::parse("wg"), Dialect::kWg);
    std::fputs(printable_lines(format(parsed.diagnostics, path)).c_str(), stderr);
    if (!parsed.profile) {
        std::fputs("Configuration parsing error\n", stderr);
        return kFailed;
    }
    const auto endpoints = look_up_all(*parsed.profile);
    if (!endpoints) {
        std::fputs("Configuration parsing error\n", stderr);
        return kFailed;
    }
    auto client = open_devices();
    if (!client) return kFailed;
    const std::optional<DeviceDelta> delta = make_delta(*client, name, *parsed.profile, *endpoints);
    return delta && change_device(*client, name, *delta) ? kOk : kFailed;
}

} // namespace

int run_setconf(const Invocation& invocation) {
    return apply(invocation,
                 [](WgClient&, const std::string&, const Profile& profile,
                    const ResolvedPeerEndpoints& endpoints) -> std::optional<DeviceDelta> {
                     return setconf_delta(profile, endpoints);
                 });
}

int run_addconf(const Invocation& invocation) {
    return apply(invocation,
                 [](WgClient&, const std::string&, const Profile& profile,
                    const ResolvedPeerEndpoints& endpoints) -> std::optional<DeviceDelta> {
                     return addconf_delta(profile, endpoints);
                 });
}

int run_syncconf(const Invocation& invocation) {
    return apply(invocation,
                 [](WgClient& client, const std::string& name, const Profile& profile,
                    const ResolvedPeerEndpoints& endpoints) -> std::optional<DeviceDelta> {
                     const auto current = read_device(client, name);
                     if (!current) return std::nullopt;
                     return syncconf_delta(profile, endpoints, *current);
                 });
}

} // namespace wgd::cli
