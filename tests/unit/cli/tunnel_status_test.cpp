// SPDX-License-Identifier: MIT
#include "cli/tunnel_status.hpp"

#include <catch2/catch.hpp>

using namespace wgd::cli;

namespace {

constexpr std::uint64_t kNow = 1'700'000'000;

TunnelStatus home() {
    TunnelStatus tunnel;
    tunnel.name = "home";
    tunnel.state = "up";
    tunnel.backend = "userspace";
    tunnel.backend_reason = "no kernel WireGuard";
    tunnel.interface = "home";
    tunnel.ifindex = 7;
    tunnel.mtu = 1420;
    tunnel.public_key = "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=";
    tunnel.listen_port = 51820;
    tunnel.fwmark = 0xca6c;
    tunnel.addresses = {"10.9.0.2/32", "fd09::2/128"};
    tunnel.warnings = {"vpn2 does not resolve"};
    PeerStatus silent;
    silent.public_key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAEI=";
    silent.state = "never";
    silent.endpoint_spec = "vpn2.example.net:51820";
    PeerStatus office;
    office.public_key = "BBBBAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAEI=";
    office.name = "office";
    office.state = "active";
    office.endpoint = "203.0.113.77:51820";
    office.endpoint_spec = office.endpoint;
    office.allowed_ips = {"0.0.0.0/0", "::/0"};
    office.persistent_keepalive = 25;
    office.has_preshared_key = true;
    office.latest_handshake = kNow - 65;
    office.rx_bytes = 2048;
    office.tx_bytes = 17;
    tunnel.peers = {silent, office};
    return tunnel;
}

} // namespace

TEST_CASE("status reads as a person wants it, the peer that talks first") {
    CHECK(status_text(home(), kNow, Style(false)) ==
          R"(home: up
  interface:   home (index 7), mtu 1420
  backend:     userspace (no kernel WireGuard)
  addresses:   10.9.0.2/32, fd09::2/128
  public key:  HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=
  port:        51820
  fwmark:      0xca6c
  warning:     vpn2 does not resolve

  peer office
    public key:  BBBBAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAEI=
    state:       active, handshake 1 minute, 5 seconds ago
    endpoint:    203.0.113.77:51820
    allowed ips: 0.0.0.0/0, ::/0
    transfer:    2.00 KiB received, 17 B sent
    keepalive:   every 25 seconds
    preshared:   yes

  peer AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAEI=
    state:       never, no handshake yet
    endpoint:    not resolved (vpn2.example.net:51820)
    allowed ips: (none)
)");
}

TEST_CASE("what went wrong is the first thing shown") {
    TunnelStatus failed;
    failed.name = "home";
    failed.state = "failed";
    failed.last_error = "PostUp failed";
    failed.residue = {"ip rule del table 51820"};
    CHECK(status_text(failed, kNow, Style(false)) == "home: failed\n"
                                                     "  error:       PostUp failed\n"
                                                     "  left behind: ip rule del table 51820\n");
}

TEST_CASE("a name in a profile cannot send escape sequences") {
    auto tunnel = home();
    tunnel.peers[1].name = "of\x1b[2Jfice";
    CHECK(status_text(tunnel, kNow, Style(false)).find('\x1b') == std::string::npos);
}

TEST_CASE("JSON keeps its shape") {
    const auto json = status_json({home()}, "lan");
    CHECK(json["version"] == 1);
    CHECK(json["lockdown"] == "lan");
    std::string keys;
    for (const auto& [key, value] : json["tunnels"][0].items())
        keys += key + " ";
    CHECK(keys ==
          "name state last_error backend backend_reason kill_switch interface netns ifindex public_key "
          "listen_port fwmark mtu path_mtu "
          "addresses dns dns_backend dns_reason warnings residue drift peers ");
    keys.clear();
    for (const auto& [key, value] : json["tunnels"][0]["peers"][1].items())
        keys += key + " ";
    CHECK(keys ==
          "public_key name state endpoint endpoint_spec allowed_ips persistent_keepalive has_preshared_key "
          "latest_handshake rx_bytes tx_bytes ");
    CHECK(status_json({}, "off")["tunnels"].is_array());
    CHECK(list_json({})["profiles"].is_array());
    auto latin = home();
    latin.peers[0].name = "caf\xe9";
    CHECK_NOTHROW(dump(status_json({latin}, "off")));
}

TEST_CASE("the list lines up and says what is wrong") {
    CHECK(
        list_text({{"home", "/etc/wireguard/home.conf", "up", ""}, {"wg-office", "/x", "down", "line 3: no"}},
                  Style(false)) == "home       up\n"
                                   "wg-office  down  line 3: no\n");
    CHECK(list_text({}, Style(false)).empty());
}

TEST_CASE("lockdown is told whether a tunnel is up or not") {
    CHECK(lockdown_text("off", Style(false)).empty());
    CHECK(lockdown_text("", Style(false)).empty()); // a daemon of before there was one
    CHECK(lockdown_text("on", Style(false)) == "lockdown:    closed: nothing leaves outside of a tunnel\n");
    CHECK(lockdown_text("lan", Style(false)).find("but to the local network") != std::string::npos);
}
