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

// The path of wgd-datapath: `configured` if it is not empty, else beside our own program, else in the usual
// directories. Empty if there is none that can be executed.
std::string find_datapath_program(const std::string& configured);

} // namespace wgd::sys
