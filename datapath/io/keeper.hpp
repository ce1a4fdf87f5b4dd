// SPDX-License-Identifier: MIT
// Keeper: the small privileged parent of a caged datapath. It binds sockets and sets marks when asked, over a
// SOCK_SEQPACKET pair, and does nothing else; it sees no packet and no key. When the datapath ends it removes
// the configuration socket's file and ends too; when it ends, the datapath ends (the pair hangs up).
#pragma once

#include <sys/types.h>

#include "datapath/io/socket_source.hpp"
#include "datapath/io/uapi_server.hpp"

namespace wgd::io {

// The datapath's end.
class KeptSocketSource final : public SocketSource {
  public:
    explicit KeptSocketSource(Fd channel)
        : channel_(std::move(channel)) {}
    [[nodiscard]] int channel() const { return channel_.get(); }

    Result<BoundSockets> bind(std::uint16_t port, std::uint32_t mark) override;
    Result<void> set_mark(UdpSockets& sockets, std::uint32_t mark) override;

  private:
    Fd channel_;
};

// A connected pair: first for the datapath, second for the keeper.
Result<std::pair<Fd, Fd>> make_keeper_channel();

// The keeper's life: serves `channel` until the datapath `worker` ends. `signals` is a signalfd of those that
// end us: then the channel is shut down, which ends the datapath, and that is waited for. Returns the exit
// status.
int keep(Fd channel, Fd signals, pid_t worker, const SocketOptions& options, UapiSocket& file);

} // namespace wgd::io
