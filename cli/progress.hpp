// SPDX-License-Identifier: MIT
// A line on the terminal that says what a long operation is doing. Nothing at all when standard error is no
// terminal or the operation is quick.
#pragma once

#include <chrono>
#include <string>

#include "cli/daemon_client.hpp"

namespace wgd::cli {

class ProgressLine {
  public:
    explicit ProgressLine(std::string what); // "home"
    ~ProgressLine();                         // wipes the line
    ProgressLine(const ProgressLine&) = delete;
    ProgressLine& operator=(const ProgressLine&) = delete;

    // To hand to DaemonClient; empty when nothing is to be shown. Refers to this object.
    DaemonClient::Progress callback();

  private:
    void show(const std::string& state);

    std::string what_;
    bool terminal_;
    bool shown_ = false;
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

} // namespace wgd::cli
