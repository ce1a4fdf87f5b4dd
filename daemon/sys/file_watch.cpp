// SPDX-License-Identifier: MIT
#include "daemon/sys/file_watch.hpp"

#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <sys/epoll.h>
#include <sys/inotify.h>

namespace wgd::sys {
namespace {

constexpr std::uint32_t kInDirectory =
    IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ONLYDIR;
constexpr std::uint32_t kOfFile = IN_CLOSE_WRITE | IN_DELETE_SELF | IN_MOVE_SELF;

} // namespace

Result<std::unique_ptr<FileWatch>> FileWatch::create(loop::EventLoop& loop, const std::string& path,
                                                     std::function<void()> changed) {
    Fd fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!fd) return fail_errno(ErrorCode::kIo, errno, "cannot watch " + path);
    auto watch = std::unique_ptr<FileWatch>(new FileWatch(loop, path, std::move(changed), std::move(fd)));
    const std::string directory = path.substr(0, path.rfind('/') + 1);
    watch->directory_watch_ = ::inotify_add_watch(watch->fd_.get(), directory.c_str(), kInDirectory);
    if (watch->directory_watch_ < 0) return fail_errno(ErrorCode::kIo, errno, "cannot watch " + directory);
    watch->watch_file();
    auto source =
        loop.add_fd(watch->fd_.get(), EPOLLIN, [raw = watch.get()](std::uint32_t) { raw->read_some(); });
    if (!source) return fail(std::move(source).error());
    watch->source_ = std::move(*source);
    return watch;
}

// The file behind the name, through links. The name may lead to another file each time; the same file gives
// the same number.
void FileWatch::watch_file() {
    const int now = ::inotify_add_watch(fd_.get(), path_.c_str(), kOfFile);
    if (file_watch_ >= 0 && now != file_watch_) ::inotify_rm_watch(fd_.get(), file_watch_);
    file_watch_ = now;
}

void FileWatch::read_some() {
    alignas(inotify_event) std::array<char, 4096> buffer{};
    const std::string name = path_.substr(path_.rfind('/') + 1);
    bool touched = false;
    for (;;) {
        const ssize_t length = ::read(fd_.get(), buffer.data(), buffer.size());
        if (length <= 0) break;
        for (std::size_t at = 0; at < static_cast<std::size_t>(length);) {
            inotify_event event;
            std::memcpy(&event, buffer.data() + at, sizeof event);
            const char* entry = buffer.data() + at + sizeof event;
            touched = touched || (event.mask & IN_Q_OVERFLOW) != 0 || event.wd == file_watch_ ||
                      (event.wd == directory_watch_ && event.len != 0 && name == entry);
            at += sizeof event + event.len;
        }
    }
    if (!touched) return;
    watch_file();
    auto timer = loop_.add_timer(kQuietTime, [this] {
        report_.reset();
        watch_file();
        changed_();
    });
    if (timer && !report_) report_ = std::move(*timer);
}

} // namespace wgd::sys
