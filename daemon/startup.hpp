// SPDX-License-Identifier: MIT
// What wgd does before there is anything to wire: its command line, its own protection, its settings file.
#pragma once

#include <optional>
#include <string>

#include "common/base/log.hpp"
#include "common/base/result.hpp"
#include "daemon/control/settings.hpp"

namespace wgd {

struct StartupOptions {
    std::string config = "/etc/wgd/wgd.toml";
    bool config_given = false; // on the command line: then it must exist
    std::string runtime_directory = "/run/wgd";
    std::optional<log::Level> log_level; // wins over the settings
    bool lockdown_only = false;          // load the firewall of `lockdown` and end
};

// Either options to go on with, or an exit status: --help and --version were answered on standard output, a
// mistake on standard error (status 2).
struct CommandLine {
    std::optional<StartupOptions> options;
    int exit_status = 0;
};
CommandLine parse_command_line(int argc, char** argv);

// This process holds private keys and root's rights: files it makes are root's alone, no core dump, no ptrace
// by others (PR_SET_DUMPABLE), standard descriptors open, working directory "/". kNotAuthorized when not
// root.
Result<void> protect_process();

// kUnsafeFile when others than root may write the file (it names a program that root runs), kParse with all
// findings. A missing file is the defaults, unless it was asked for.
Result<control::Settings> load_settings(const StartupOptions& options);

} // namespace wgd
