// SPDX-License-Identifier: MIT
// LinuxBackendProbe: what can carry a tunnel here. Looking up the generic netlink family makes the kernel
// load the module if it has one, and creates nothing.
#pragma once

#include <string>

#include "daemon/ports/ports.hpp"

namespace wgd::sys {

class LinuxBackendProbe final : public ports::BackendProbe {
  public:
    // `datapath_program`: what find_datapath_program() found.
    explicit LinuxBackendProbe(std::string datapath_program)
        : datapath_program_(std::move(datapath_program)) {}
    ports::BackendReport probe() override;

  private:
    std::string datapath_program_;
};

// Which code serves the kernel's WireGuard, by what sysfs says of its module: "in-tree", "wgd kmod 1.1.0"
// (kmod/), "out-of-tree module, version ...", or "built into the kernel" where sysfs knows no such module.
inline constexpr const char* kKernelModule = "/sys/module/wireguard";
std::string kernel_module_text(const std::string& sysfs_folder);

// The path of wgd-datapath: `configured` if it is not empty, else beside our own program, else in the usual
// directories. Empty if there is none that can be executed.
std::string find_datapath_program(const std::string& configured);

} // namespace wgd::sys
