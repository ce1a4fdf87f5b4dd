// SPDX-License-Identifier: MIT
#include "cli/key_tool.hpp"

#include <cstdio>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/terminal.hpp"

namespace wgd::cli {

int key_tool_usage(const Invocation& invocation) {
    std::fprintf(stderr, "Usage: %s %s\n", invocation.program.c_str(),
                 std::string(invocation.command).c_str());
    return kFailed;
}

void warn_if_world_accessible() {
    struct stat status {};
    if (::fstat(STDOUT_FILENO, &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & S_IRWXO) != 0)
        std::fputs("Warning: writing to world accessible file.\n"
                   "Consider setting the umask to 077 and trying again.\n",
                   stderr);
}

int print_key(std::string key) {
    key += '\n';
    const int result = print(key);
    sodium_memzero(key.data(), key.size());
    return result;
}

} // namespace wgd::cli
