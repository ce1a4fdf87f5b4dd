// SPDX-License-Identifier: MIT
#include <catch2/catch.hpp>
#include <fstream>
#include <regex>
#include <sstream>

#include "daemon/control/settings.hpp"
#include "daemon/plan/exclusion.hpp"
#include "tests/source_tree/source_tree.hpp"

using namespace wgd;
using namespace wgd::control;
using namespace std::chrono_literals;

namespace {

std::string complaint(const std::string& text) {
    const auto settings = Settings::parse(text, "wgd.toml");
    REQUIRE_FALSE(settings);
    CHECK(settings.error().code == ErrorCode::kParse);
    return settings.error().message;
}

std::string documented() {
    std::ifstream file(test::source_tree("conf/wgd.toml"));
    REQUIRE(file);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

} // namespace

TEST_CASE("settings: a tunnel's own, over the defaults, wherever they stand") {
    const auto settings = Settings::parse("[tunnel.home]\nbackend = \"userspace\"\n"
                                          "[tunnel.\"a.b\"]\nendpoint_retry = 7\n"
                                          "[defaults]\nbackend = \"kernel\"\nendpoint_wait = 0\n"
                                          "[daemon]\nlog_level = \"debug\"\nprofile_dir = \"/srv/wg\"\n",
                                          "wgd.toml");
    REQUIRE(settings);
    CHECK(settings->log_level == log::Level::kDebug);
    CHECK(settings->profile_dir == "/srv/wg");
    CHECK(settings->of(*ProfileName::parse("home")).backend == BackendPreference::kUserspace);
    CHECK(settings->of(*ProfileName::parse("home")).endpoint_wait == 0s);
    CHECK(settings->of(*ProfileName::parse("a.b")).backend == BackendPreference::kKernel);
    CHECK(settings->of(*ProfileName::parse("a.b")).endpoint_retry == 7s);
    CHECK(settings->of(*ProfileName::parse("other")) == settings->defaults);
}

TEST_CASE("settings: every problem, with its line and what was meant") {
    CHECK(complaint("[defaults]\nbackned = \"auto\"\n") ==
          "wgd.toml:2: unknown key 'backned' in [defaults] (did you mean 'backend'?)");
    CHECK(complaint("[default]\nbackend = \"auto\"\n") ==
          "wgd.toml:1: unknown section or key 'default' (did you mean 'defaults'?)");
    CHECK(complaint("[defaults]\nzebra = 1\n") == "wgd.toml:2: unknown key 'zebra' in [defaults]");
    CHECK(complaint("[tunnel.x]\nbackend = \"krnel\"\n") ==
          "wgd.toml:2: backend = \"krnel\" is none of \"auto\", \"kernel\", \"userspace\"");
    CHECK(complaint("[daemon]\nprofile_dir = 3\ndatapath = \"wgd-datapath\"\n") ==
          "wgd.toml:2: profile_dir is a text: write it in quotes\n"
          "wgd.toml:3: datapath is a path from the root: begin it with '/'");
    CHECK(complaint("[defaults]\nendpoint_retry = 0\n") ==
          "wgd.toml:2: endpoint_retry is a number of seconds from 1 to 86400");
    CHECK(complaint("[defaults]\nendpoint_retry = \"5s\"\n").find("wgd.toml:2:") == 0);
    CHECK(complaint("[defaults]\nendpoint_retry = 600\n").find("is more than endpoint_retry_max (300 s)") !=
          std::string::npos);
    CHECK(complaint("[tunnel.\"../etc\"]\n").find("wgd.toml:1: '../etc' cannot be a tunnel name") == 0);
    CHECK(complaint("tunnel = 3\n").find("wgd.toml:1:") == 0);
    CHECK(complaint("daemon = \"x\"\n").find("wgd.toml:1:") == 0);
    CHECK(complaint("[daemon\n").find("wgd.toml:1:") == 0);
    CHECK(complaint("[daemon]\nlog_level = \"info\"\nlog_level = \"debug\"\n").find("wgd.toml:") == 0);
    CHECK(complaint("[defaults]\nnetns = \"../x\"\n").find("wgd.toml:2: netns is a name of letters") == 0);
    CHECK(complaint("[defaults]\nnetns = \"..\"\n").find("wgd.toml:2: netns is a name of letters") == 0);
    CHECK(complaint("[defaults]\nkill_switch = true\n[tunnel.x]\nnetns = \"vpn\"\n")
              .find("wgd.toml:3: kill_switch and netns exclude each other in [tunnel.x]") == 0);
    CHECK(complaint("[defaults]\nexclude = \"lan\"\n").find("wgd.toml:2: exclude is a list") == 0);
    CHECK(complaint("[defaults]\nexclude = [\"10/8\",\n \"0.0.0.0/0\"]\n") ==
          "wgd.toml:2: exclude has \"10/8\", which is neither an address range nor \"lan\"\n"
          "wgd.toml:3: exclude has \"0.0.0.0/0\": nothing would be left for the tunnel");
}

TEST_CASE("settings: a tunnel's exceptions replace the defaults', and \"lan\" is many") {
    const auto settings = Settings::parse(
        "[defaults]\nexclude = [\"lan\"]\n"
        "[tunnel.home]\nexclude = [\"192.0.2.7/24\", \"2001:db8::1\"]\n[tunnel.all]\nexclude = []\n",
        "wgd.toml");
    REQUIRE(settings);
    CHECK(settings->defaults.exclude == plan::lan_ranges());
    CHECK(settings->of(*ProfileName::parse("home")).exclude ==
          std::vector<IpPrefix>{*IpPrefix::parse("192.0.2.0/24"), *IpPrefix::parse("2001:db8::1/128")});
    CHECK(settings->of(*ProfileName::parse("all")).exclude.empty());
}

TEST_CASE("settings: a gateway's") {
    const auto settings = Settings::parse("[tunnel.home]\nforward = true\nmasquerade = \"eth0\"\n"
                                          "mss_clamp = true\nisolate_peers = true\n"
                                          "[tunnel.all]\nmasquerade = true\n",
                                          "wgd.toml");
    REQUIRE(settings);
    CHECK(settings->of(*ProfileName::parse("home")).gateway == plan::Gateway{true, true, "eth0", true, true});
    CHECK(settings->of(*ProfileName::parse("all")).gateway == plan::Gateway{false, true, "", false, false});
    for (const char* value : {"3", "\"\"", "\"eth0\\\" accept; #\"", "\"a b\"", "\"wlan*\"", "[\"eth0\"]"})
        CHECK(complaint(std::string("[defaults]\nmasquerade = ") + value + "\n") ==
              "wgd.toml:2: masquerade is true, false, or the name of an interface in quotes");
}

TEST_CASE("settings: the kill switch") {
    const auto settings =
        Settings::parse("[daemon]\nlockdown = \"lan\"\n[defaults]\nkill_switch = true\n"
                        "[tunnel.home]\nkill_switch = \"lan\"\n[tunnel.off]\nkill_switch = false\n",
                        "wgd.toml");
    REQUIRE(settings);
    CHECK(settings->lockdown == plan::LockMode::kLan);
    CHECK(settings->defaults.kill_switch == plan::LockMode::kOn);
    CHECK(settings->of(*ProfileName::parse("home")).kill_switch == plan::LockMode::kLan);
    CHECK(settings->of(*ProfileName::parse("off")).kill_switch == plan::LockMode::kOff);
    CHECK(complaint("[defaults]\nkill_switch = \"on\"\n") ==
          "wgd.toml:2: kill_switch is true, false or \"lan\"");
}

TEST_CASE("settings: an empty file is the defaults") {
    const auto settings = Settings::parse("", "wgd.toml");
    REQUIRE(settings);
    CHECK(*settings == Settings{});
}

TEST_CASE("settings: conf/wgd.toml as it is installed, and with every key in force, is the defaults") {
    const std::string text = documented();
    const auto installed = Settings::parse(text, "wgd.toml");
    if (!installed) FAIL(installed.error().message);
    CHECK(*installed == Settings{});

    // "#key = value" in the first column is a default; the path of the datapath and the example are not.
    const std::string without_example = text.substr(0, text.find("\n#[tunnel.home]"));
    const std::string in_force = std::regex_replace(without_example, std::regex("\n#([a-z_]+ = )"), "\n$1");
    CHECK(in_force != without_example);
    const auto settings = Settings::parse(in_force, "wgd.toml");
    if (!settings) FAIL(settings.error().message);
    Settings expected;
    expected.datapath = settings->datapath;
    CHECK(*settings == expected);
    for (const char* key : {"profile_dir", "datapath", "log_level", "backend", "endpoint_wait",
                            "endpoint_retry", "endpoint_retry_max", "exclude", "netns"})
        CHECK(in_force.find(std::string("\n") + key + " = ") != std::string::npos);

    const auto example = Settings::parse(
        std::regex_replace(text.substr(text.find("\n#[tunnel.home]")), std::regex("\n#"), "\n"), "wgd.toml");
    REQUIRE(example);
    CHECK(example->of(*ProfileName::parse("home")).backend == BackendPreference::kUserspace);
    CHECK(example->of(*ProfileName::parse("home")).autoconnect);
    CHECK(complaint("[defaults]\nautoconnect = true\n").find("for one tunnel") != std::string::npos);
}
