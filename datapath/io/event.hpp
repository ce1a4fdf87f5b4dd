// SPDX-License-Identifier: MIT
// Event: something one thread rings and another waits for with poll(2) or epoll(7); an eventfd(2).
#pragma once

#include <cerrno>
#include <cstdint>
#include <sys/eventfd.h>

#include "common/base/fd.hpp"
#include "common/base/result.hpp"

namespace wgd::io {

class Event {
  public:
    static Result<Event> make() {
        Fd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
        if (!fd) return fail_errno(ErrorCode::kIo, errno, "cannot make an eventfd");
        return Event(std::move(fd));
    }
    [[nodiscard]] int fd() const { return fd_.get(); }
    void ring() const { // any thread; async-signal-safe
        const std::uint64_t one = 1;
        (void)!::write(fd_.get(), &one, sizeof one);
    }
    void clear() const {
        std::uint64_t count = 0;
        (void)!::read(fd_.get(), &count, sizeof count);
    }

  private:
    explicit Event(Fd fd)
        : fd_(std::move(fd)) {}
    Fd fd_;
};

} // namespace wgd::io
