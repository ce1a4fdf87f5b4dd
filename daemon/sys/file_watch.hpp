// SPDX-License-Identifier: MIT
// FileWatch: tells when one file is written or replaced by whatever means (inotify(7)): written in place, a
// new file or link in its place, removed; also where the name is a mount point or a link, whose file lives in
// another directory. What comes within kQuietTime is one report.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/base/fd.hpp"
#include "common/base/result.hpp"
#include "common/base/time.hpp"
#include "daemon/loop/event_loop.hpp"

namespace wgd::sys {

class FileWatch {
  public:
    static Result<std::unique_ptr<FileWatch>> create(loop::EventLoop& loop, const std::string& path,
                                                     std::function<void()> changed);

    static constexpr Duration kQuietTime = std::chrono::milliseconds(100);

  private:
    FileWatch(loop::EventLoop& loop, std::string path, std::function<void()> changed, Fd fd)
        : loop_(loop)
        , path_(std::move(path))
        , changed_(std::move(changed))
        , fd_(std::move(fd)) {}
    void watch_file();
    void read_some();

    loop::EventLoop& loop_;
    std::string path_;
    std::function<void()> changed_;
    Fd fd_;
    int directory_watch_ = -1;
    int file_watch_ = -1;
    loop::SourcePtr source_;
    loop::SourcePtr report_;
};

} // namespace wgd::sys
