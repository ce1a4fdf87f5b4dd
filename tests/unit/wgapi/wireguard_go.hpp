// SPDX-License-Identifier: MIT
// Debian's wireguard-go for tests, in a network and a mount namespace of the test's own, so that
// /var/run/wireguard holds its sockets only.
#pragma once

#include <string>
#include <sys/types.h>

namespace wgd::test {

// Enters the namespaces. "" or what is missing to do that: a program's missing_requirement()
// (tests/requirement).
std::string enter_own_namespaces();

// One running datapath; gone with its interface when the object goes.
class WireguardGo {
  public:
    explicit WireguardGo(std::string interface);
    ~WireguardGo();
    WireguardGo(const WireguardGo&) = delete;
    WireguardGo& operator=(const WireguardGo&) = delete;
    [[nodiscard]] const std::string& interface() const { return interface_; }

  private:
    std::string interface_;
    pid_t pid_ = -1;
};

// Standard output of a shell command.
std::string output_of(const std::string& command);

} // namespace wgd::test
