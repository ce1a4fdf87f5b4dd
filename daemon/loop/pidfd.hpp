// SPDX-License-Identifier: MIT
// pidfd_open(2) and pidfd_send_signal(2). glibc 2.36 declares them in <sys/pidfd.h>, but without C linkage
// for C++.
#pragma once

#include <csignal>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include "common/base/fd.hpp"

namespace wgd::loop {

// Empty on failure, with errno set. The descriptor is close-on-exec.
inline Fd open_pidfd(pid_t pid) {
    return Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U)));
}

// False on failure (the process is gone), with errno set.
inline bool signal_pidfd(int pidfd, int signal) {
    return ::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0U) == 0;
}

} // namespace wgd::loop
