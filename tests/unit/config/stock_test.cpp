// SPDX-License-Identifier: MIT
// The same files through the stock tools and through us: `wg-quick strip`, and what `wg setconf`, `addconf`
// and `syncconf` make of a device. Skipped where the stock tools cannot be run.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <sstream>
#include <unistd.h>

#include "common/config/parser.hpp"
#include "common/config/profile_delta.hpp"
#include "common/config/strip.hpp"
#include "tests/requirement/requirement.hpp"
#include "tests/source_tree/source_tree.hpp"
#include "tests/unit/wgapi/wireguard_go.hpp"

#include "common/wgapi/uapi_client.hpp"

using namespace wgd;
using test::output_of;
namespace fs = std::filesystem;

namespace {

const fs::path kGolden = test::source_tree("tests/golden");
const auto kName = *ProfileName::parse("golden");

std::string read(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

std::set<fs::path> profiles() {
    std::set<fs::path> out;
    for (const auto& entry : fs::directory_iterator(kGolden / "profiles"))
        if (entry.path().extension() == ".conf") out.insert(entry.path());
    return out;
}

// A directory for files that the stock tools read.
class Scratch {
  public:
    Scratch()
        : path_("/var/run/wireguard/files") {
        fs::create_directories(path_);
    } // our own tmpfs
    [[nodiscard]] std::string write(const std::string& name, std::string_view text) const {
        std::ofstream(path_ / name, std::ios::binary) << text;
        return path_ / name;
    }

  private:
    fs::path path_;
};

// Names would be looked up, and there is no network here.
std::string with_numeric_endpoints(const std::string& text) {
    static const std::regex name("(Endpoint *= *)[a-z][a-zA-Z0-9.-]*:", std::regex::icase);
    return std::regex_replace(text, name, "$01192.0.2.77:");
}

std::vector<std::string> split(const std::string& text, char separator) {
    std::vector<std::string> parts;
    std::istringstream in(text);
    for (std::string part; std::getline(in, part, separator);)
        parts.push_back(part);
    return parts;
}

// The device as wg sees it, private key and all, sorted: wireguard-go lists peers and allowed IPs in any
// order.
std::vector<std::string> state_of(const std::string& interface) {
    auto lines = split(output_of("wg show " + interface + " dump"), '\n');
    for (auto& line : lines) {
        auto fields = split(line, '\t');
        if (fields.size() < 8) continue; // the interface's own line
        auto ips = split(fields[3], ',');
        std::sort(ips.begin(), ips.end());
        fields[3] = fmt::format("{}", fmt::join(ips, ","));
        line = fmt::format("{}", fmt::join(fields, "\t"));
    }
    std::sort(lines.begin(), lines.end());
    return lines;
}

} // namespace

TEST_CASE("strip prints what wg-quick strip prints") {
    const Scratch scratch;
    std::size_t compared = 0;
    for (const auto& path : profiles()) {
        CAPTURE(path.filename().string());
        const auto text = read(path);
        const auto file = scratch.write("wgdt.conf", text);
        fs::permissions(file, fs::perms::owner_read);
        const auto stock = output_of("wg-quick strip " + file);
        fs::remove(file);
        CHECK(std::string(strip(text)) == stock);
        ++compared;
    }
    CHECK(compared >= 30);
}

TEST_CASE("setconf, addconf and syncconf leave the device as wg leaves it") {
    const Scratch scratch;
    const auto pid = std::to_string(::getpid());
    const test::WireguardGo stock("wgs" + pid);
    const test::WireguardGo ours("wgo" + pid);
    UapiClient client;

    struct Way {
        const char* verb;
        DeviceDelta (*delta)(const Profile&, const WgDevice&);
    };
    const auto way = GENERATE(values<Way>({
        {"setconf", [](const Profile& p, const WgDevice&) { return setconf_delta(p, numeric_endpoints(p)); }},
        {"addconf", [](const Profile& p, const WgDevice&) { return addconf_delta(p, numeric_endpoints(p)); }},
        {"syncconf",
         [](const Profile& p, const WgDevice& now) { return syncconf_delta(p, numeric_endpoints(p), now); }},
    }));
    // One after the other onto the same device, so that what was there before matters too.
    for (const auto& path : profiles()) {
        const auto file_name = path.stem().string();
        if (file_name == "odd-spacing" || file_name == "incremental")
            continue; // Debian's wg is older than "+"
        CAPTURE(way.verb, file_name);
        // A fixed port each, since "any" would differ.
        const auto text =
            "[Interface]\nListenPort = 0\n" + with_numeric_endpoints(std::string(strip(read(path))));
        const auto outcome = parse(text, kName, Dialect::kWg);
        REQUIRE(outcome.profile);
        auto profile = outcome.profile->clone();
        const auto with_port = [&](int port) {
            return text + "[Interface]\nListenPort = " + std::to_string(port) + "\n";
        };

        const auto said = output_of(std::string("wg ") + way.verb + " " + stock.interface() + " " +
                                    scratch.write("stock.conf", with_port(41001)) + " 2>&1");
        CHECK(said.find("error") == std::string::npos);
        profile.listen_port = 41002;
        const auto now = client.get(ours.interface());
        REQUIRE(now);
        REQUIRE(client.set(ours.interface(), way.delta(profile, *now)));

        auto expected = state_of(stock.interface());
        for (auto& line : expected)
            line = std::regex_replace(line, std::regex("\t41001\t"), "\t41002\t");
        CHECK(state_of(ours.interface()) == expected);
    }
}

TEST_CASE("what wg refuses, we refuse") {
    const Scratch scratch;
    const auto pid = std::to_string(::getpid());
    const test::WireguardGo stock("wgs" + pid);
    const std::string peer = "[Peer]\nPublicKey=HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=\n";
    struct Case {
        std::string text;
        bool accepted;
    };
    const std::vector<Case> cases{
        {"[interface]\nlistenport=5\n", true},
        {"[Interface]\nListenPort=+5\n", true},
        {"[Interface]\nListenPort=domain\n", true},
        {"[Interface]\nListenPort=0x5\n", false},
        {"[Interface]\nListenPort=\n", false},
        {"[Interface]\nFwMark=OFF\n", true},
        {"[Interface]\nFwMark=0xCA6c\n", true},
        {"[Interface]\nFwMark=0XCA6C\n", false},
        {"[Interface]\nFwMark=0x\n", false},
        {"[Interface]\nFwMark=4294967296\n", false},
        {"[Interface]\nPrivateKey=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n", true},
        {"[Interface]\nPrivateKey=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=\n", false},
        {"[Interface]\nPrivateKey=AAAA\n", false},
        {"[Interface]\nAddress=10.0.0.1\n", false},
        {"ListenPort=1\n", false},
        {"[Interfaces]\n", false},
        {"[ Inter face ]\nListen Port = 5 1\n", true},
        {"; x\n", false},
        {"\xef\xbb\xbf[Interface]\n", false},
        {"[Interface]\nEndpoint=192.0.2.1:1\n", false},
        {"[Peer]\n", false},
        {peer, true},
        {peer + peer, true},
        {peer + "ListenPort=1\n", false},
        {peer + "AllowedIPs=10.0.0.0/8,\n", false},
        {peer + "AllowedIPs=\n", false},
        {peer + "AllowedIPs=10/8\n", false},
        {peer + "AllowedIPs=10.0.0.0/08\n", true},
        {peer + "AllowedIPs=10.0.0.0/33\n", false},
        {peer + "AllowedIPs=10.0.0.1/24 , ::ffff:1.2.3.4\n", true},
        {peer + "Endpoint=192.0.2.1\n", false},
        {peer + "Endpoint=192.0.2.1:\n", false},
        {peer + "Endpoint=[192.0.2.1]:5\n", true},
        {peer + "Endpoint=2001:db8::1:5\n", true},
        {peer + "Endpoint=[2001:db8::1:5\n", false},
        {peer + "Endpoint=[2001:db8::1]5\n", false},
        {peer + "Endpoint=127.1:5\n", true},
        {peer + "Endpoint=2130706433:5\n", true},
        {peer + "Endpoint=192.0.2.1:0\n", true},
        {peer + "Endpoint=192.0.2.1:https\n", true},
        {peer + "PersistentKeepalive=OFF\n", true},
        {peer + "PersistentKeepalive=65535\n", true},
        {peer + "PersistentKeepalive=65536\n", false},
        {peer + "PersistentKeepalive=25s\n", false},
        {peer + "PersistentKeepalive=0x19\n", false},
    };
    for (const auto& each : cases) {
        CAPTURE(each.text);
        const auto file = scratch.write("case.conf", each.text);
        const auto stock_says = output_of("WG_ENDPOINT_RESOLUTION_RETRIES=0 wg setconf " + stock.interface() +
                                          " " + file + " >/dev/null 2>&1 && echo yes");
        CHECK((stock_says == "yes\n") == each.accepted);
        CHECK(parse(each.text, kName, Dialect::kWg).profile.has_value() == each.accepted);
    }
    // Where we are stricter on purpose (compat D10): wg takes these, modulo 65536.
    for (const std::string text : {"[Interface]\nListenPort=70000\n", "[Interface]\nListenPort=65536\n"}) {
        CAPTURE(text);
        CHECK(output_of("wg setconf " + stock.interface() + " " + scratch.write("case.conf", text) +
                        " && echo yes") == "yes\n");
        CHECK_FALSE(parse(text, kName, Dialect::kWg).profile);
    }
}

std::string test::missing_requirement() {
    auto missing = enter_own_namespaces();
    if (missing.empty() && std::system("command -v wg-quick >/dev/null") != 0) missing = "wg-quick";
    return missing;
}
