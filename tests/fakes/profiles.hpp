// SPDX-License-Identifier: MIT
// A handful of profiles, one for each shape a plan can have. Keys are made up for tests.
#pragma once

#include <string>
#include <vector>

namespace wgd::fakes {

inline const std::string kPrivateKey = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
inline const std::string kPeerA = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
inline const std::string kPeerB = "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=";
inline const std::string kPeerC = "gN65BkIKy1eCE9pP1wdc8ROUtkHLF2PfAqYdyYBz6EA=";
inline const std::string kPresharedKey = "FpCyhws9cxwWoV4xELtfJvjJN+zQVRPISllRWgeopVE=";

struct NamedProfile {
    std::string name;
    std::string text;
};

inline std::vector<NamedProfile> sample_profiles() {
    const std::string interface = "[Interface]\nPrivateKey = " + kPrivateKey + "\n";
    const std::string peer = "[Peer]\nPublicKey = " + kPeerA + "\n";
    return {
        {"split",
         interface + "Address = 10.7.0.2/24, fd07::2/64\nListenPort = 51820\n" + peer +
             "PresharedKey = " + kPresharedKey +
             "\nAllowedIPs = 10.7.0.0/24, 10.8.0.0/16, fd07::/64, fd08::/48\nEndpoint = 198.51.100.7:51820\n"
             "PersistentKeepalive = 25\n"},
        {"hooks", interface +
                      "Address = 10.4.0.2/24\nPreUp = make early\nPostUp = make late %i\nPreDown = drop late "
                      "%i\nPostDown = drop early\n" +
                      peer + "AllowedIPs = 10.4.0.0/16\n"},
        {"full", interface +
                     "Address = 10.5.0.2/24\nAddress = 10.6.0.1, fd05::2/64\nDNS = 10.5.0.1, corp.lan\n" +
                     peer +
                     "AllowedIPs = 0.0.0.0/0, ::/0, 10.7.0.0/16, 10.5.0.0/24, 10.5.0.77/32\nEndpoint = "
                     "198.51.100.7:51820\n"},
        {"full4", interface + "Address = 10.5.1.2/32\n" + peer +
                      "AllowedIPs = 0.0.0.0/0\nEndpoint = 198.51.100.7:51820\n"},
        {"full6", interface + "Address = fd05:1::2/128\n" + peer +
                      "AllowedIPs = ::/0\nEndpoint = 198.51.100.7:51820\n"},
        {"given", interface + "Address = 10.5.2.2/32\nFwMark = 0x1234\n" + peer +
                      "AllowedIPs = 0.0.0.0/0\nEndpoint = 198.51.100.7:51820\n"},
        {"halves", interface + "Address = 10.5.3.2/32\n" + peer +
                       "AllowedIPs = 0.0.0.0/1, 128.0.0.0/1\nEndpoint = 198.51.100.7:51820\n"},
        {"tableoff", interface + "Address = 10.5.4.2/32\nTable = off\n" + peer + "AllowedIPs = 0.0.0.0/0\n"},
        {"tablenum",
         interface + "Address = 10.5.5.2/24\nTable = 77\n" + peer + "AllowedIPs = 0.0.0.0/0, 10.5.5.0/24\n"},
        {"server", interface + "Address = 10.9.0.1/24\nListenPort = 51821\nMTU = 1380\n" + peer +
                       "AllowedIPs = 10.9.0.2/32\n[Peer]\nPublicKey = " + kPeerB +
                       "\nAllowedIPs = 10.9.0.3/32, 192.168.44.0/24\n[Peer]\nPublicKey = " + kPeerC + "\n"},
        {"bare", interface},
        {"named", interface + "Address = 10.5.6.2/32\n" + peer +
                      "AllowedIPs = 10.66.0.0/16\nEndpoint = vpn.example.net:51820\n"},
    };
}

} // namespace wgd::fakes
