// SPDX-License-Identifier: MIT
// Opening a file below a directory that is open already, such that no symbolic link and no ".." can lead
// elsewhere. Source: openat2(2), RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS.
#pragma once

#include <string>
#include <string_view>
#include <sys/types.h>

#include "common/base/fd.hpp"
#include "common/base/result.hpp"

namespace wgd::sys {

// O_CLOEXEC and O_NOFOLLOW are always set. An empty Fd and errno as openat2(2) left it, on failure.
Fd open_beneath(int directory, const std::string& path, int flags, mode_t mode = 0);

// A directory whose own name is no symbolic link. kNotFound, kUnsafeFile (not a directory), kIo.
Result<Fd> open_directory(const std::string& path);

// All of a file's bytes from the current position, for Text = std::string or SecretText. kIo; kUnsafeFile if
// there are more than `limit`.
template <class Text>
Result<Text> read_to_end(int fd, std::size_t limit, const std::string& path);
// write(2) until everything is written.
Result<void> write_all(int fd, std::string_view bytes, const std::string& path);

} // namespace wgd::sys
