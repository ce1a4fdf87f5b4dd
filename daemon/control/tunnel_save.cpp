// SPDX-License-Identifier: MIT
// A tunnel written into its profile: `wgctl save`, and SaveConfig = true when it goes down.
#include <algorithm>

#include "common/base/log.hpp"
#include "common/config/parser.hpp"
#include "common/config/saved_profile.hpp"
#include "daemon/control/tunnel.hpp"

namespace wgd::control {

Result<std::vector<std::string>> Tunnel::save(bool force,
                                              const std::function<Result<LoadedProfile>()>& load) {
    if (auto may = may_reload(); !may) return fail(std::move(may).error());
    auto stored = ports_.profiles.read(name_);
    WGD_TRY(stored);
    if (!force && control::profile_digest(stored->text) != record_.profile_digest)
        return fail(ErrorCode::kConflict,
                    stored->path +
                        " has changed since it was applied: a reload applies the change, and saving by "
                        "force (--force) writes over the lines that are not as the tunnel is");
    ParseOutcome parsed = parse(stored->text, name_);
    if (!parsed.profile) {
        std::string findings = format(parsed.diagnostics, stored->path);
        while (!findings.empty() && findings.back() == '\n')
            findings.pop_back();
        return fail(ErrorCode::kParse, std::move(findings));
    }
    auto snapshot = look({});
    WGD_TRY(snapshot);
    if (!snapshot->device || !has_link(*snapshot))
        return fail(ErrorCode::kBackend, "the WireGuard device of '" + name_.str() + "' does not answer");

    std::vector<IpPrefix> addresses;
    if (const auto found = snapshot->addresses.find(name_.str()); found != snapshot->addresses.end())
        std::copy_if(found->second.begin(), found->second.end(), std::back_inserter(addresses),
                     [](const IpPrefix& address) {
                         return !address.address().is_link_local() || address.address().is_v4();
                     });
    const bool automatic = record_.mark && !record_.fwmark_given;
    auto saved = save_profile(stored->text, *parsed.profile,
                              {*snapshot->device, std::move(addresses), snapshot->links.at(name_.str()).mtu,
                               automatic ? record_.mark : std::nullopt, snapshot->ipv6_available});
    WGD_TRY(saved);
    if (saved->changes.empty()) return std::vector<std::string>{};
    // What is written is read again one day: better found out now.
    if (const ParseOutcome again = parse(saved->text, name_); !again.profile)
        return fail(ErrorCode::kInternal, "the profile would not be readable any more; it is left alone");
    WGD_TRY(ports_.profiles.replace(*stored, saved->text));
    log::notice("{}: saved into {}: {} changes", name_.str(), stored->path, saved->changes.size());

    // The tunnel is what this text says; nothing of it is to be applied.
    auto loaded = load();
    if (!loaded) return fail(std::move(loaded).error());
    record_.profile_digest = loaded->digest;
    loaded_ = std::move(*loaded);
    loaded_is_applied_ = true;
    profile_changed_ = false;
    if (auto recorded = ports_.journal.save_record(name_, to_json(record_)); !recorded)
        log::warning("{}: {}", name_.str(), recorded.error().message);
    host_.tunnel_changed(*this);
    return std::move(saved->changes);
}

} // namespace wgd::control
