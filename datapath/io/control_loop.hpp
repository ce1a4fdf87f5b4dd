// SPDX-License-Identifier: MIT
// ControlLoop: the thread that decides. It owns the engine, answers the configuration socket, does the
// handshakes and the timers, and follows the interface. The packets are moved by Transmitters and Receivers
// on threads of their own, which it starts and stops: as many of each as the TUN has queues. Packets that
// come one by one it moves itself, with a Transmitter and a Receiver of its own (duty.hpp).
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "common/base/fd.hpp"
#include "common/base/result.hpp"
#include "datapath/crypto/aead.hpp"
#include "datapath/io/crew.hpp"
#include "datapath/io/duty.hpp"
#include "datapath/io/handshake_queue.hpp"
#include "datapath/io/link_watch.hpp"
#include "datapath/io/receiver.hpp"
#include "datapath/io/sender.hpp"
#include "datapath/io/socket_source.hpp"
#include "datapath/io/transmitter.hpp"
#include "datapath/io/tun.hpp"
#include "datapath/io/uapi_server.hpp"
#include "datapath/wg/engine.hpp"

namespace wgd::io {

using AeadFactory = std::function<std::unique_ptr<crypto::Aead>()>;

class ControlLoop {
  public:
    struct Parts {
        Tun tun;
        UapiSocket uapi;
        LinkWatch link;
        Fd signals; // signalfd(2) of the signals that end the program
        std::unique_ptr<SocketSource> sockets;
        AeadFactory make_aead; // one per data thread, by that thread; null: no cipher works here
        std::unique_ptr<crypto::Aead> control_aead;
        Offloads offloads;
    };
    enum class End { kSignal, kSocketRemoved, kLinkDeleted, kParentGone };

    static Result<std::unique_ptr<ControlLoop>> make(Parts parts);
    ~ControlLoop();

    void start_threads();
    // Until something ends the tunnel; after start_threads(). The configuration socket's file is left to the
    // caller.
    Result<End> run();

    // A descriptor whose hang-up means: end (the cage's parent).
    void watch_parent(int fd) { parent_fd_ = fd; }

  private:
    explicit ControlLoop(Parts parts, Event attention, Event handshakes_ready, Fd epoll, Fd timer);
    Result<void> build();

    WgDevice get_device() const;
    int set_device(DeviceDelta delta); // 0 or an errno
    void link_changed();
    void set_up(bool up);
    bool bind_now();
    void handle_handshakes();
    void service();
    void flush_outbox();
    bool arm_timer();                  // true: something is due already
    void transmit(std::size_t number); // the threads
    void receive(std::size_t number);
    void stop_threads();
    template <class Serve>
    void attend(Duty& duty, Serve&& serve); // a source that the control thread is on duty for
    // With what takes longer than a packet: the workers are to take the packets, for a while or until the
    // reply is out.
    void occupied();
    void answer_callers();
    void back_to_control(Duty& duty); // a worker's thread: only lone packets there
    Result<void> replace_sockets(BoundSockets sockets);

    Parts parts_;
    Event attention_;        // rung by data threads: run service(), look at SharedState
    Event handshakes_ready_; // rung by receivers
    Fd epoll_;
    Fd timer_;
    int parent_fd_ = -1;
    SharedState shared_;
    std::unique_ptr<UdpSockets> udp_;
    std::unique_ptr<wg::Engine> engine_;
    std::unique_ptr<wg::DataThread> data_thread_; // this thread's, for forget_source()
    std::unique_ptr<Sender> sender_;
    std::optional<UapiServer> server_;
    wg::Outbox outbox_;

    std::uint16_t port_ = 0; // asked for or, once bound, the real one
    std::uint32_t mark_ = 0;
    bool bound_ = false;
    bool up_ = false;
    std::optional<Instant> armed_;
    bool link_deleted_ = false;
    std::optional<Instant> forget_sources_at_; // routes changed; let the burst of changes end first

    std::vector<std::unique_ptr<HandshakeQueue>> handshakes_;
    std::unique_ptr<Crew> transmit_crew_, receive_crew_;
    std::vector<std::unique_ptr<Duty>> tun_duties_, socket_duties_; // by lane
    std::atomic<Instant> occupied_until_{Instant{}};
    std::unique_ptr<Transmitter> transmitter_; // this thread's
    std::unique_ptr<Receiver> receiver_;
    std::vector<std::thread> threads_;
};

} // namespace wgd::io
