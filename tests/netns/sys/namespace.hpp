// SPDX-License-Identifier: MIT
// FreshNamespaces: puts the calling thread into a network and mount namespace of its own, with an empty /run
// and loopback up. Children inherit both; they go with the last process in them, so there is nothing to clean
// up.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace wgd::test {

struct FreshNamespaces {
    FreshNamespaces();
};

// Runs a shell command (iproute2 and the like); its standard output. Fails the test if the status is not 0.
std::string run(const std::string& command);
// The same as JSON ("ip -j ...").
nlohmann::json run_json(const std::string& command);
int status_of(const std::string& command);

} // namespace wgd::test
