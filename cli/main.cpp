// SPDX-License-Identifier: MIT
// wgctl. Installed under the name `wg` it is wg(8).
#include <cstdio>
#include <exception>
#include <sodium.h>
#include <string>
#include <vector>

#include "cli/command.hpp"

int main(int argc, char** argv) {
    const std::string self = argc > 0 ? argv[0] : "wgctl";
    const std::string program = self.substr(self.rfind('/') + 1);
    try {
        if (sodium_init() < 0) {
            std::fprintf(stderr, "%s: the cryptographic library does not start\n", program.c_str());
            return wgd::cli::kFailed;
        }
        const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
        // wg(8) calls itself as it was called, path and all.
        return program == "wg" ? wgd::cli::run_wg(self, arguments) : wgd::cli::run_wgctl(program, arguments);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s: %s\n", program.c_str(), error.what());
        return wgd::cli::kFailed;
    }
}
