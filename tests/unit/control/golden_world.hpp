// SPDX-License-Identifier: MIT
// The profiles of tests/golden/profiles, and a machine for one of them.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "tests/source_tree/source_tree.hpp"
#include "tests/unit/control/daemon_fixture.hpp"

namespace wgd::control {

inline std::vector<fakes::NamedProfile> golden_profiles() {
    std::vector<fakes::NamedProfile> profiles;
    for (const auto& entry :
         std::filesystem::directory_iterator(test::source_tree("tests/golden/profiles"))) {
        if (entry.path().extension() != ".conf") continue;
        std::ifstream file(entry.path(), std::ios::binary);
        std::stringstream text;
        text << file.rdbuf();
        profiles.push_back({entry.path().stem().string(), text.str()});
    }
    std::sort(profiles.begin(), profiles.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return profiles;
}

struct GoldenWorld : FakeWorld {
    explicit GoldenWorld(const fakes::NamedProfile& profile, plan::Backend backend = plan::Backend::kKernel) {
        kernel.add_link("lo", 65536);
        kernel.add_link("eth0", 1500);
        kernel.add_address("eth0", "172.31.250.10/24");
        kernel.add_route("0.0.0.0/0", "eth0");
        kernel.add_table_name("vpn", 200);
        probe.report.kernel = backend == plan::Backend::kKernel;
        disk.put("golden", profile.text); // file names may be longer than link names
    }
};

} // namespace wgd::control
