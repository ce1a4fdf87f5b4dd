// SPDX-License-Identifier: MIT
// Record: what must be remembered of a tunnel over a restart of the daemon, as JSON in the runtime directory.
// Never a key in it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/base/secret_text.hpp"
#include "common/model/keys.hpp"
#include "daemon/plan/plan.hpp"

namespace wgd::control {

struct Record {
    // What was asked for last; recovery finishes it. The system ends as it was or as it was asked to be.
    enum class Intent {
        kUp,        // up and verified
        kReconcile, // up, and being brought in line with the profile
        kDown,      // being removed
    };
    Intent intent = Intent::kUp;
    plan::Backend backend = plan::Backend::kKernel;
    std::string backend_reason;
    std::string netns; // where its link is; "" for the daemon's namespace
    std::optional<std::uint32_t> mark;
    std::vector<plan::Rule> rules;                       // with priorities
    std::map<std::string, std::string> original_sysctls; // before the first tunnel of ours changed them
    std::map<PublicKey, Endpoint> endpoints;             // as we set them
    // The profile's words for them, "" left out; absent in the record of a link that was found without one.
    std::optional<std::map<PublicKey, std::string>> endpoint_specs;
    std::uint32_t mtu = 0;                        // as we set it
    std::map<IpAddress, std::uint32_t> path_mtus; // measured, of endpoints whose way has a narrow place
    bool fwmark_given = false;                    // the profile has a FwMark
    std::map<std::string, std::string> tables;    // nftables: name -> transaction that made it
    plan::HookSet hooks;                          // of the profile that it came up with
    plan::LinkByHooks by_hooks;                   // what those did to the link
    std::string dns_backend;                      // who was told of its DNS; empty: nobody
    std::string dns_reason;                       // why them
    std::string profile_digest; // of the text that was applied; with kReconcile, that is being applied

    bool operator==(const Record&) const = default;
};

std::string to_json(const Record& record);
Result<Record> record_from_json(std::string_view text); // kParse

// BLAKE2b-256 in hex: tells whether a profile's text is the one that was applied.
std::string profile_digest(const SecretText& text);

} // namespace wgd::control
