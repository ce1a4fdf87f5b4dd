// SPDX-License-Identifier: MIT
// What the kernel announces about nftables (nfnetlink group NFNLGRP_NFTABLES): somebody has changed one of
// our tables, or flushed the whole ruleset. Loop's thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/base/fd.hpp"
#include "common/base/result.hpp"
#include "daemon/loop/event_loop.hpp"

struct nlmsghdr;

namespace wgd::sys {

class NftAnnouncements {
  public:
    // `changed` is called for every transaction of another process that concerns a table of ours.
    // kUnsupported where there is no nftables.
    static Result<std::unique_ptr<NftAnnouncements>> create(loop::EventLoop& loop,
                                                            std::function<void(bool elsewhere)> changed);

  private:
    NftAnnouncements(Fd fd, std::function<void(bool elsewhere)> changed);
    void read_some();
    void take(const nlmsghdr* message, bool elsewhere);

    Fd fd_;
    std::function<void(bool elsewhere)> changed_;
    std::string own_name_;   // of this process, as the kernel shows it
    bool concerned_ = false; // the transaction that is being announced
    std::vector<unsigned char> buffer_;
    loop::SourcePtr source_;
};

} // namespace wgd::sys
