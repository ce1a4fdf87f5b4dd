// SPDX-License-Identifier: MIT
// LinkRemover: deletes links without waiting for the kernel to forget them.
//
// RTM_DELLINK takes a link out of its namespace within a fraction of a millisecond, with its addresses and
// routes, and announces that; then the request goes on for 13 ms and more, until the last reader that may
// have seen the link is done (netdev_run_todo). Nobody can see the link in that time, and its name is free.
// So the request is made by a thread, and remove() returns with the announcement.
#pragma once

#include <atomic>
#include <list>
#include <memory>
#include <string>
#include <thread>

#include "common/base/result.hpp"

namespace wgd::sys {

class LinkRemover {
  public:
    LinkRemover() = default;
    ~LinkRemover(); // waits for what is under way
    LinkRemover(const LinkRemover&) = delete;
    LinkRemover& operator=(const LinkRemover&) = delete;

    // In the network namespace of the calling thread. Success when there is no such link.
    Result<void> remove(const std::string& name);

  private:
    struct Removal {
        std::atomic<bool> ended{false};
        std::thread thread;
    };
    std::list<Removal> removals_;
};

} // namespace wgd::sys
