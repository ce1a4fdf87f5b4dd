// SPDX-License-Identifier: MIT
#include "daemon/bus/authorization.hpp"

#include <catch2/catch.hpp>
#include <fstream>
#include <regex>
#include <sstream>

#include "dbus/names.hpp"
#include "tests/source_tree/source_tree.hpp"

using namespace wgd;

namespace {

std::vector<std::string> methods_of(const std::string& interface) {
    std::ifstream file(test::source_tree("dbus/" + interface + ".xml"));
    REQUIRE(file);
    std::stringstream text;
    text << file.rdbuf();
    const std::string xml = text.str();
    const std::regex method("<method name=\"([A-Za-z]+)\"");
    std::vector<std::string> names;
    for (std::sregex_iterator at(xml.begin(), xml.end(), method), end; at != end; ++at)
        names.push_back((*at)[1]);
    return names;
}

} // namespace

TEST_CASE("every method of the contract has a row, so that none is denied by oversight") {
    std::size_t methods = 0;
    for (const char* interface : {dbus::kManagerInterface, dbus::kTunnelInterface, dbus::kPeerInterface})
        for (const auto& method : methods_of(interface)) {
            INFO(interface << "." << method);
            CHECK(bus::action_of(interface, method));
            ++methods;
        }
    CHECK(methods >= 6);
}

TEST_CASE("a method without a row has no action") {
    CHECK_FALSE(bus::action_of(dbus::kManagerInterface, "RevealSecrets"));
    CHECK_FALSE(bus::action_of(dbus::kPeerInterface, "Up"));
    CHECK_FALSE(bus::action_of("", ""));
}

TEST_CASE("only looking is for everybody") {
    using bus::Action;
    CHECK(bus::action_of(dbus::kManagerInterface, "Up") == Action::kControl);
    CHECK(bus::action_of(dbus::kManagerInterface, "Down") == Action::kControl);
    // A plan and a check tell what is in a file that only root may read.
    CHECK(bus::action_of(dbus::kManagerInterface, "Plan") == Action::kInspect);
    CHECK(bus::action_of(dbus::kManagerInterface, "Save") == Action::kControl);
    CHECK(bus::action_of(dbus::kManagerInterface, "Reload") == Action::kControl);
    CHECK(bus::action_of(dbus::kManagerInterface, "Check") == Action::kInspect);
    CHECK(bus::action_of(dbus::kManagerInterface, "ListProfiles") == Action::kStatus);
    CHECK(bus::action_of(dbus::kTunnelInterface, "GetPeers") == Action::kStatus);
}
