// SPDX-License-Identifier: MIT
#include "daemon/sys/name_servers.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "daemon/plan/dns_text.hpp"

using namespace wgd;
using namespace wgd::sys;

namespace {

std::string make_directory() {
    std::string path = (std::filesystem::temp_directory_path() / "wgd-name-servers-XXXXXX").string();
    REQUIRE(::mkdtemp(path.data()) != nullptr);
    return path;
}

// A machine's files, in a directory that goes with it.
struct Machine {
    std::string root = make_directory();
    ~Machine() { std::filesystem::remove_all(root); }
    Machine& file(const std::string& path, const std::string& text) {
        std::filesystem::create_directories(std::filesystem::path(root + path).parent_path());
        std::ofstream(root + path) << text;
        return *this;
    }
    [[nodiscard]] std::vector<std::string> without(const std::vector<std::string>& excluded) const {
        std::vector<IpAddress> addresses;
        for (const std::string& text : excluded)
            addresses.push_back(*IpAddress::parse(text));
        std::vector<std::string> servers;
        for (const Endpoint& server : name_servers_without(addresses, root))
            servers.push_back(server.to_string());
        return servers;
    }
};

using Servers = std::vector<std::string>;

} // namespace

TEST_CASE("the tunnel's servers are left out of resolv.conf, whoever else is in it stays") {
    Machine machine;
    machine.file("/etc/resolv.conf", "# by hand\nsearch lan\nnameserver 10.5.0.1\n nameserver 192.0.2.53\n"
                                     "nameserver 2001:db8::53\noptions edns0\nnameserver\nnameserver x\n");
    CHECK(machine.without({"10.5.0.1"}) == Servers{"192.0.2.53:53", "[2001:db8::53]:53"});
}

TEST_CASE("where resolv.conf names only the tunnel's, those of the links are found") {
    Machine machine;
    machine.file("/etc/resolv.conf", "nameserver 10.5.0.1\n");
    CHECK(machine.without({"10.5.0.1"}).empty());
    SECTION("systemd-resolved") {
        machine.file("/etc/resolv.conf", "nameserver 127.0.0.53\n");
        machine.file("/run/systemd/resolve/resolv.conf", "nameserver 10.5.0.1\nnameserver 192.0.2.1\n");
        CHECK(machine.without({"10.5.0.1"}) == Servers{"192.0.2.1:53"});
    }
    SECTION("NetworkManager") {
        machine.file("/run/NetworkManager/no-stub-resolv.conf", "nameserver 192.0.2.2\n");
        CHECK(machine.without({"10.5.0.1"}) == Servers{"192.0.2.2:53"});
    }
    SECTION("Debian's resolvconf, a file for each link") {
        machine.file("/run/resolvconf/interface/tun.home", "nameserver 10.5.0.1\n");
        machine.file("/run/resolvconf/interface/eth1.dhclient", "nameserver 192.0.2.4\n");
        machine.file("/run/resolvconf/interface/eth0.dhclient", "nameserver 192.0.2.3\n");
        CHECK(machine.without({"10.5.0.1"}) == Servers{"192.0.2.3:53", "192.0.2.4:53"});
    }
    SECTION("openresolv") {
        machine.file("/run/resolvconf/interfaces/eth0", "nameserver 192.0.2.5\n");
        CHECK(machine.without({"10.5.0.1"}) == Servers{"192.0.2.5:53"});
    }
}

TEST_CASE("a server of this machine comes last: it may forward into the tunnel") {
    Machine machine;
    machine.file("/etc/resolv.conf", "nameserver 127.0.0.1\nnameserver 192.0.2.1\n");
    machine.file("/run/NetworkManager/no-stub-resolv.conf", "nameserver 192.0.2.1\nnameserver 192.0.2.2\n");
    CHECK(machine.without({"10.5.0.1"}) == Servers{"192.0.2.1:53", "192.0.2.2:53", "127.0.0.1:53"});
}

TEST_CASE("of a file that wgd made counts what was there before, whichever tunnels are in it") {
    plan::DnsSettings inside;
    inside.servers = {*IpAddress::parse("10.6.0.1")};
    inside.exclusive = true;
    plan::OriginalResolvConf original;
    Machine machine;
    SECTION("a file") {
        original.kind = plan::OriginalResolvConf::Kind::kFile;
        original.text = "nameserver 192.0.2.53\noptions edns0\n";
    }
    SECTION("a link") {
        original.kind = plan::OriginalResolvConf::Kind::kLink;
        original.text = "../run/elsewhere";
        machine.file("/run/elsewhere", "nameserver 192.0.2.53\n");
    }
    machine.file("/etc/resolv.conf", plan::resolv_conf_text({{"other", inside}}, original));
    CHECK(machine.without({"10.5.0.1"}) == Servers{"192.0.2.53:53"});
}
