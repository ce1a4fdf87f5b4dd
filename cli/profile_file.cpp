// SPDX-License-Identifier: MIT
#include "cli/profile_file.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

#include "common/base/fd.hpp"
#include "common/model/limits.hpp"

namespace wgd::cli {

bool is_file_name(const std::string& word) {
    const bool conf = word.size() > 5 && word.compare(word.size() - 5, 5, ".conf") == 0;
    return word == "-" || word.find('/') != std::string::npos || conf;
}

Outcome<SecretText> read_file(const std::string& path) {
    const auto failed = [&](int err) {
        return tl::unexpected(CommandError{err == ENOENT   ? kNotFound
                                           : err == EACCES ? kDenied
                                                           : kFailed,
                                           err == ENOENT ? "not-found" : "io",
                                           path + ": " + std::strerror(err)});
    };
    const Fd file(path == "-" ? ::dup(STDIN_FILENO) : ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
    if (!file) return failed(errno);
    SecretText text;
    std::array<char, 65536> block; // holds keys: zeroed below
    for (;;) {
        const ssize_t n = ::read(file.get(), block.data(), block.size());
        const int err = errno;
        if (n > 0) text.append(block.data(), static_cast<std::size_t>(n));
        sodium_memzero(block.data(), block.size());
        if (n == 0) return text;
        if (n < 0 && err != EINTR) return failed(err);
        if (text.size() > kMaxProfileBytes)
            return tl::unexpected(
                CommandError{kBadProfile, "parse", path + ": larger than a profile may be"});
    }
}

Result<ProfileName> name_of_file(const std::string& path) {
    if (path == "-") return ProfileName::parse("stdin");
    std::string base = path.substr(path.rfind('/') + 1); // npos + 1 is 0
    if (base.size() > 5 && base.compare(base.size() - 5, 5, ".conf") == 0) base.resize(base.size() - 5);
    return ProfileName::parse(base);
}

} // namespace wgd::cli
