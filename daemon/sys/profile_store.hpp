// SPDX-License-Identifier: MIT
// DirectoryProfileStore: the profiles of one directory (/etc/wireguard), trusted only if root alone could
// have written them and nobody else can read them. Everything is decided on the opened file, never on its
// name, so that swapping the file between a check and its use gains nothing.
#pragma once

#include <string>

#include "common/base/fd.hpp"
#include "common/model/limits.hpp"
#include "daemon/ports/ports.hpp"

namespace wgd::sys {

class DirectoryProfileStore final : public ports::ProfileStore {
  public:
    struct Options {
        std::string directory = "/etc/wireguard";
        std::size_t max_bytes = kMaxProfileBytes;
    };
    explicit DirectoryProfileStore(Options options)
        : options_(std::move(options)) {}

    // A directory that does not exist holds no profiles.
    Result<std::vector<ProfileName>> list() override;
    Result<ports::StoredProfile> read(const ProfileName& name) override;
    Result<void> replace(const ports::StoredProfile& read, const SecretText& text) override;

  private:
    // Opened anew each time: an administrator may replace the directory while we run.
    Result<Fd> open_checked_directory() const;

    Options options_;
};

} // namespace wgd::sys
