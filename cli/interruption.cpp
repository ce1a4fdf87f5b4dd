// SPDX-License-Identifier: MIT
#include "cli/interruption.hpp"

#include <sys/signalfd.h>
#include <unistd.h>

namespace wgd::cli {

Interruption::Interruption() {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP})
        sigaddset(&signals, signal);
    fd_ = Fd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
    ::sigprocmask(fd_ ? SIG_BLOCK : SIG_SETMASK, fd_ ? &signals : nullptr, &before_);
}

// One that came too late to be taken ends the program here.
Interruption::~Interruption() {
    ::sigprocmask(SIG_SETMASK, &before_, nullptr);
}

int Interruption::take() {
    signalfd_siginfo info{};
    if (!fd_ || ::read(fd_.get(), &info, sizeof info) != sizeof info) return 0;
    return static_cast<int>(info.ssi_signo);
}

} // namespace wgd::cli
