// SPDX-License-Identifier: MIT
// Duty: who waits at a descriptor that packets come from. While packets come one by one the control thread
// does: it reads a packet, opens or seals it and sends it on, handshakes included, and no thread has to wake
// another. As soon as more come together, the worker whose home it is takes over, until it finds that only
// lone packets have come for a while (crew.hpp). A hand-over is two system calls and interrupts nobody: each
// of the two waits at an epoll set of its own.
#pragma once

#include <cstdint>
#include <mutex>
#include <sys/epoll.h>
#include <utility>

namespace wgd::io {

class Duty {
  public:
    struct Post {
        int epoll;
        std::uint64_t tag; // what epoll_wait(2) says there when there is something to read
    };
    enum class Who : std::uint8_t { kControl, kWorker };

    // All descriptors outlive it. The control thread is on duty first, from give_to() on.
    Duty(int fd, Post control, Post worker)
        : fd_(fd)
        , control_(control)
        , worker_(worker) {}
    Duty(const Duty&) = delete;
    Duty& operator=(const Duty&) = delete;

    // Any thread. Whoever was waiting may still be at work on what it found. False: that one is on duty
    // already.
    bool give_to(Who who) {
        const std::lock_guard lock(mutex_);
        if (placed_ && who == who_) return false;
        remove();
        who_ = who;
        add();
        return true;
    }
    // Control thread, while it puts another file behind the descriptor: nobody waits at it.
    class Pause {
      public:
        explicit Pause(Duty& duty)
            : duty_(&duty)
            , lock_(duty.mutex_) {
            duty.remove();
        }
        Pause(Pause&&) = default; // only as a container needs it: what was moved from may only end
        Pause& operator=(Pause&&) = delete;
        ~Pause() {
            if (lock_) duty_->add();
        }

      private:
        Duty* duty_;
        std::unique_lock<std::mutex> lock_;
    };

  private:
    [[nodiscard]] const Post& post() const { return who_ == Who::kControl ? control_ : worker_; }
    void add() {
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.u64 = post().tag;
        placed_ = ::epoll_ctl(post().epoll, EPOLL_CTL_ADD, fd_, &event) == 0;
    }
    void remove() {
        if (placed_) (void)::epoll_ctl(post().epoll, EPOLL_CTL_DEL, fd_, nullptr);
        placed_ = false;
    }

    std::mutex mutex_; // of the hand-over, not of the packets
    int fd_;
    Post control_, worker_;
    Who who_ = Who::kControl;
    bool placed_ = false;
};

} // namespace wgd::io
