// SPDX-License-Identifier: MIT
#include "datapath/io/control_loop.hpp"

#include <algorithm>
#include <cerrno>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#include "common/base/log.hpp"

namespace wgd::io {

namespace {

enum class Source : std::uint64_t {
    kSignals,
    kUapi,
    kUapiFile,
    kLink,
    kTimer,
    kAttention,
    kHandshakes,
    kParent,
    kTun, // these two with the number of a lane
    kSocket,
};

constexpr unsigned kLaneShift = 8; // in an event's data: the source below, the lane above

std::uint64_t tag_of(Source source, std::size_t lane) {
    return static_cast<std::uint64_t>(source) | static_cast<std::uint64_t>(lane) << kLaneShift;
}

Result<void> watch(int epoll, int fd, Source source) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = static_cast<std::uint64_t>(source);
    if (::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        return fail_errno(ErrorCode::kIo, errno, "cannot watch a descriptor");
    return {};
}

constexpr Duration kOccupied = std::chrono::milliseconds(100);
constexpr Duration kRoutingSettles = std::chrono::milliseconds(500);

int errno_of(const Error& error) {
    if (error.sys_errno != 0) return error.sys_errno;
    switch (error.code) {
    case ErrorCode::kInvalidArgument:
        return EINVAL;
    case ErrorCode::kUnsupported:
        return EOPNOTSUPP;
    default:
        return EIO;
    }
}

} // namespace

Result<std::unique_ptr<ControlLoop>> ControlLoop::make(Parts parts) {
    Result<Event> attention = Event::make();
    WGD_TRY(attention);
    Result<Event> ready = Event::make();
    WGD_TRY(ready);
    Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
    // Boot time, as the engine's deadlines: a session that expired while the machine slept is dealt with at
    // once.
    Fd timer(::timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK));
    if (!epoll || !timer)
        return fail_errno(ErrorCode::kIo, errno, "cannot make an epoll or timer descriptor");
    std::unique_ptr<ControlLoop> loop(new ControlLoop(std::move(parts), std::move(*attention),
                                                      std::move(*ready), std::move(epoll), std::move(timer)));
    WGD_TRY(loop->build());
    return loop;
}

ControlLoop::ControlLoop(Parts parts, Event attention, Event handshakes_ready, Fd epoll, Fd timer)
    : parts_(std::move(parts))
    , attention_(std::move(attention))
    , handshakes_ready_(std::move(handshakes_ready))
    , epoll_(std::move(epoll))
    , timer_(std::move(timer)) {
    shared_.attention = &attention_;
    shared_.mtu.store(parts_.tun.mtu());
}

ControlLoop::~ControlLoop() {
    stop_threads();
}

Result<void> ControlLoop::build() {
    const std::size_t queues = parts_.tun.queues(); // as many sockets of each family, and threads each way
    Result<std::unique_ptr<UdpSockets>> udp = UdpSockets::make({parts_.offloads, queues});
    WGD_TRY(udp);
    udp_ = std::move(*udp);
    sender_ = std::make_unique<Sender>(*udp_);
    engine_ = std::make_unique<wg::Engine>(
        wg::EngineEnvironment{&system_random(), parts_.control_aead.get(), [this] { attention_.ring(); }});
    engine_->set_mtu(parts_.tun.mtu());
    data_thread_ = std::make_unique<wg::DataThread>(engine_->data_path().attach(*parts_.control_aead));

    Result<UapiServer> server = UapiServer::make(
        parts_.uapi.fd(), {[this] { return get_device(); },
                           [this](DeviceDelta delta) { return set_device(std::move(delta)); }});
    WGD_TRY(server);
    server_.emplace(std::move(*server));

    Result<std::unique_ptr<Crew>> transmit_crew = Crew::make(queues, queues);
    WGD_TRY(transmit_crew);
    transmit_crew_ = std::move(*transmit_crew);
    Result<std::unique_ptr<Crew>> receive_crew = Crew::make(queues, queues * Receiver::kFamilies);
    WGD_TRY(receive_crew);
    receive_crew_ = std::move(*receive_crew);
    for (std::size_t number = 0; number < queues + 1; ++number) // the last is this thread's
        handshakes_.push_back(std::make_unique<HandshakeQueue>(handshakes_ready_));
    for (std::size_t queue = 0; queue < queues; ++queue)
        tun_duties_.push_back(std::make_unique<Duty>(parts_.tun.fd(queue),
                                                     Duty::Post{epoll_.get(), tag_of(Source::kTun, queue)},
                                                     Duty::Post{transmit_crew_->epoll(queue), queue}));
    for (std::size_t lane = 0; lane < queues * Receiver::kFamilies; ++lane)
        socket_duties_.push_back(
            std::make_unique<Duty>(udp_->fd(Receiver::family_of(lane), Receiver::socket_of(lane)),
                                   Duty::Post{epoll_.get(), tag_of(Source::kSocket, lane)},
                                   Duty::Post{receive_crew_->epoll(Receiver::socket_of(lane)), lane}));
    transmitter_ = std::make_unique<Transmitter>(parts_.tun, *transmit_crew_, queues, *udp_,
                                                 engine_->data_path(), *parts_.control_aead, shared_);
    receiver_ = std::make_unique<Receiver>(parts_.tun, *receive_crew_, queues, *udp_, engine_->data_path(),
                                           *parts_.control_aead, *handshakes_.back(), shared_);
    for (const auto* duties : {&tun_duties_, &socket_duties_})
        for (const auto& duty : *duties)
            duty->give_to(Duty::Who::kControl);

    WGD_TRY(watch(epoll_.get(), parts_.signals.get(), Source::kSignals));
    WGD_TRY(watch(epoll_.get(), server_->fd(), Source::kUapi));
    if (parts_.uapi.watch_fd() >= 0) WGD_TRY(watch(epoll_.get(), parts_.uapi.watch_fd(), Source::kUapiFile));
    WGD_TRY(watch(epoll_.get(), parts_.link.fd(), Source::kLink));
    WGD_TRY(watch(epoll_.get(), timer_.get(), Source::kTimer));
    WGD_TRY(watch(epoll_.get(), attention_.fd(), Source::kAttention));
    return watch(epoll_.get(), handshakes_ready_.fd(), Source::kHandshakes);
}

void ControlLoop::start_threads() {
    const auto start = [&](const char* name, auto body) {
        threads_.emplace_back([name, body = std::move(body)] {
            pthread_setname_np(pthread_self(),
                               name); // from inside: from outside it would open /proc, which the cage lacks
            body();
        });
    };
    for (std::size_t number = 0; number < parts_.tun.queues(); ++number) {
        start("receive", [this, number] { receive(number); });
        start("transmit", [this, number] { transmit(number); });
    }
}

// What a data thread needs it makes itself, while the control thread already serves its callers.
void ControlLoop::transmit(std::size_t number) {
    if (const std::unique_ptr<crypto::Aead> aead = parts_.make_aead())
        Transmitter(parts_.tun, *transmit_crew_, number, *udp_, engine_->data_path(), *aead, shared_)
            .run([this](std::size_t queue) { back_to_control(*tun_duties_[queue]); });
    else
        shared_.report(shared_.no_cipher);
}

void ControlLoop::receive(std::size_t number) {
    if (const std::unique_ptr<crypto::Aead> aead = parts_.make_aead())
        Receiver(parts_.tun, *receive_crew_, number, *udp_, engine_->data_path(), *aead, *handshakes_[number],
                 shared_)
            .run([this](std::size_t lane) { back_to_control(*socket_duties_[lane]); });
    else
        shared_.report(shared_.no_cipher);
}

void ControlLoop::stop_threads() {
    shared_.stop.store(true);
    if (transmit_crew_) transmit_crew_->wake();
    if (receive_crew_) receive_crew_->wake();
    for (std::thread& thread : threads_)
        thread.join();
    threads_.clear();
    // These tickets go before the engine that gave them.
    transmitter_.reset();
    receiver_.reset();
    data_thread_.reset();
}

template <class Serve>
void ControlLoop::attend(Duty& duty, Serve&& serve) {
    if (serve() >= Found::kSome) duty.give_to(Duty::Who::kWorker);
}

void ControlLoop::occupied() {
    occupied_until_.store(system_clock().now() + kOccupied);
    for (const auto* duties : {&tun_duties_, &socket_duties_})
        for (const auto& duty : *duties)
            duty->give_to(Duty::Who::kWorker);
}

// What is asked for right after (a ping, say) finds things as they were before.
void ControlLoop::answer_callers() {
    std::vector<Duty*> lent;
    for (const auto* duties : {&tun_duties_, &socket_duties_})
        for (const auto& duty : *duties)
            if (duty->give_to(Duty::Who::kWorker)) lent.push_back(duty.get());
    server_->dispatch();
    for (Duty* const duty : lent)
        duty->give_to(Duty::Who::kControl);
}

void ControlLoop::back_to_control(Duty& duty) {
    if (system_clock().now() >= occupied_until_.load()) duty.give_to(Duty::Who::kControl);
}

Result<void> ControlLoop::replace_sockets(BoundSockets sockets) {
    std::vector<Duty::Pause> pauses;
    for (const auto& duty : socket_duties_)
        pauses.emplace_back(*duty);
    return udp_->replace(std::move(sockets));
}

Result<ControlLoop::End> ControlLoop::run() {
    if (parent_fd_ >= 0) WGD_TRY(watch(epoll_.get(), parent_fd_, Source::kParent));
    link_changed(); // the answer to LinkWatch::open()'s question
    for (;;) {
        bool due = arm_timer();
        int patience = due ? 0 : -1;
        for (auto& queue : handshakes_)
            if (!queue->prepare_to_wait()) patience = 0;
        constexpr int kEvents = 16;
        epoll_event events[kEvents];
        const int count = ::epoll_wait(epoll_.get(), events, kEvents, patience);
        if (count < 0 && errno != EINTR) return fail_errno(ErrorCode::kIo, errno, "epoll_wait failed");
        for (int i = 0; i < count; ++i) {
            const std::size_t lane = events[i].data.u64 >> kLaneShift;
            switch (static_cast<Source>(events[i].data.u64 & ((1U << kLaneShift) - 1))) {
            case Source::kTun:
                attend(*tun_duties_[lane], [&] { return transmitter_->serve(lane); });
                if (!transmitter_->alive()) return End::kLinkDeleted;
                break;
            case Source::kSocket:
                attend(*socket_duties_[lane], [&] { return receiver_->serve(lane); });
                break;
            case Source::kSignals:
                return End::kSignal;
            case Source::kParent:
                return End::kParentGone;
            case Source::kUapi:
                answer_callers();
                break;
            case Source::kUapiFile:
                if (parts_.uapi.removed()) return End::kSocketRemoved;
                break;
            case Source::kLink:
                link_changed();
                break;
            case Source::kTimer: {
                std::uint64_t expirations = 0;
                (void)!::read(timer_.get(), &expirations, sizeof expirations);
                armed_.reset();
                due = true;
                break;
            }
            case Source::kAttention:
                attention_.clear();
                due = true;
                break;
            case Source::kHandshakes:
                handshakes_ready_.clear();
                break;
            }
        }
        if (shared_.no_cipher.load(std::memory_order_relaxed))
            return fail(ErrorCode::kUnsupported, "no cipher back end gives right results on this machine");
        if (shared_.tun_gone.load(std::memory_order_relaxed) || link_deleted_) return End::kLinkDeleted;
        handle_handshakes();
        if (due) service();
    }
}

bool ControlLoop::arm_timer() {
    std::optional<Instant> deadline = engine_->next_deadline();
    if (forget_sources_at_ && (!deadline || *forget_sources_at_ < *deadline)) deadline = forget_sources_at_;
    if (deadline == armed_) return false;
    if (deadline && *deadline <= system_clock().now()) return true;
    armed_ = deadline;
    itimerspec when{};
    if (deadline) {
        const auto since_boot = std::max<std::int64_t>(1, deadline->time_since_epoch().count());
        when.it_value.tv_sec = since_boot / 1'000'000'000;
        when.it_value.tv_nsec = since_boot % 1'000'000'000;
    }
    ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
    return false;
}

void ControlLoop::handle_handshakes() {
    for (auto& queue : handshakes_) {
        while (const HandshakeQueue::Entry* entry = queue->front()) {
            const std::size_t waiting = queue->size() - 1;
            if (waiting > 0) occupied();
            engine_->on_handshake(entry->view(), entry->from, waiting, read_clocks(), outbox_);
            queue->pop();
            flush_outbox();
        }
    }
}

void ControlLoop::service() {
    const wg::Now now = read_clocks();
    if (forget_sources_at_ && *forget_sources_at_ <= now.mono) {
        forget_sources_at_.reset();
        engine_->forget_sources();
    }
    engine_->service(now, outbox_);
    flush_outbox();
}

void ControlLoop::flush_outbox() {
    if (outbox_.empty()) return;
    data_thread_->online();
    for (const wg::Outbox::Datagram& datagram : outbox_.datagrams()) {
        const bool source_refused = sender_->send_one(datagram.to, datagram.tos, outbox_.bytes(datagram));
        if (source_refused && datagram.peer != nullptr) data_thread_->forget_source(*datagram.peer);
    }
    data_thread_->offline();
    outbox_.clear();
}

WgDevice ControlLoop::get_device() const {
    WgDevice device = engine_->snapshot();
    device.name = parts_.tun.name();
    return device;
}

int ControlLoop::set_device(DeviceDelta delta) {
    // Everything that can be refused is asked first, so that a refusal leaves all as it was.
    if (const auto ok = engine_->check(delta); !ok) return errno_of(ok.error());

    const std::uint32_t mark = delta.fwmark.value_or(mark_);
    const bool new_port =
        delta.listen_port && (*delta.listen_port != port_ || (*delta.listen_port == 0 && bound_));
    const bool new_mark = mark != mark_;
    const std::uint32_t old_mark = mark_;
    BoundSockets sockets;
    if (new_port) {
        // Tried even while the interface is down and nothing is to be bound: better an error now than one in
        // the log when it comes up.
        Result<BoundSockets> made = parts_.sockets->bind(*delta.listen_port, mark);
        if (!made) {
            log::error("{}", made.error().message);
            return errno_of(made.error());
        }
        sockets = std::move(*made);
    } else if (new_mark && bound_) {
        if (const auto marked = parts_.sockets->set_mark(*udp_, mark); !marked) {
            (void)parts_.sockets->set_mark(*udp_, old_mark);
            log::error("{}", marked.error().message);
            return errno_of(marked.error());
        }
    }

    const std::optional<std::uint16_t> asked_port = delta.listen_port;
    if (const auto applied = engine_->apply(std::move(delta), read_clocks(), outbox_); !applied) {
        if (new_mark && bound_ && !new_port) (void)parts_.sockets->set_mark(*udp_, old_mark);
        outbox_.clear();
        return errno_of(applied.error());
    }
    mark_ = mark;
    if (new_port) {
        port_ = *asked_port;
        if (up_) {
            port_ = sockets.port;
            bound_ = true;
            (void)replace_sockets(std::move(sockets)); // dup2 onto a descriptor that is open does not fail
            if (!engine_->is_up())                     // could not bind when the interface came up
                engine_->set_up(true, read_clocks(), outbox_);
        }
        engine_->note_listen_port(port_);
    }
    flush_outbox();
    return 0;
}

bool ControlLoop::bind_now() {
    Result<BoundSockets> sockets = parts_.sockets->bind(port_, mark_);
    if (!sockets) {
        log::error("{}", sockets.error().message);
        return false;
    }
    port_ = sockets->port;
    if (const auto placed = replace_sockets(std::move(*sockets)); !placed) {
        log::error("{}", placed.error().message);
        return false;
    }
    bound_ = true;
    engine_->note_listen_port(port_);
    return true;
}

void ControlLoop::set_up(bool up) {
    if (up == up_) return;
    log::debug("interface {}", up ? "up" : "down");
    up_ = up;
    if (up && !bound_ && !bind_now()) return; // stays without sockets; a set of listen_port tries again
    engine_->set_up(up, read_clocks(), outbox_);
    flush_outbox();
    if (!up) {
        bound_ = false;
        (void)replace_sockets({});
    }
}

void ControlLoop::link_changed() {
    const LinkChanges changes = parts_.link.read();
    if (changes.mtu && *changes.mtu != shared_.mtu.load()) {
        shared_.mtu.store(*changes.mtu);
        engine_->set_mtu(*changes.mtu);
    }
    if (changes.up) set_up(*changes.up);
    if (changes.perhaps_deleted) link_deleted_ = !parts_.tun.alive();
    // Another way out may mean another source address. Changes come in bursts, and on a router all the time.
    if (changes.routing && up_ && !forget_sources_at_)
        forget_sources_at_ = system_clock().now() + kRoutingSettles;
}

} // namespace wgd::io
