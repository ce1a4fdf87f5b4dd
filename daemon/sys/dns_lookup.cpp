// SPDX-License-Identifier: MIT
// c-ares calls back from deep within its own functions, where its channel must not be destroyed. What it says
// is therefore kept, and acted upon when the call into it has returned.
#include "daemon/sys/dns_lookup.hpp"

#include <algorithm>
#include <ares.h>
#include <cerrno>
#include <map>
#include <netdb.h>
#include <optional>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>

namespace wgd::sys {
namespace {

// The library wants to be initialised once in a program, and cannot fail at that on Linux.
void initialise_library() {
    static const int status = ::ares_library_init(ARES_LIB_INIT_ALL);
    static_cast<void>(status);
}

ports::Resolution resolution_of(const ares_addrinfo& info, std::uint16_t port) {
    ports::Resolution resolution;
    std::optional<int> least; // of all records that led to the addresses
    const auto consider = [&](int ttl) { least = least ? std::min(*least, ttl) : ttl; };
    for (const ares_addrinfo_cname* at = info.cnames; at != nullptr; at = at->next)
        consider(at->ttl);
    for (const ares_addrinfo_node* at = info.nodes; at != nullptr; at = at->ai_next) {
        auto endpoint = Endpoint::from_sockaddr(at->ai_addr, at->ai_addrlen);
        if (!endpoint) continue;
        endpoint->port = port;
        resolution.addresses.push_back(*endpoint);
        consider(at->ai_ttl);
    }
    // /etc/hosts knows no time; c-ares says 0 then.
    if (least.value_or(0) > 0) resolution.ttl = std::chrono::seconds(*least);
    return resolution;
}

class AresLookup final : public DnsLookup, public std::enable_shared_from_this<AresLookup> {
  public:
    AresLookup(loop::EventLoop& loop, DnsQuestion question, Answer done)
        : loop_(loop)
        , question_(std::move(question))
        , done_(std::move(done)) {}
    ~AresLookup() override { close(); }

    void begin() {
        initialise_library();
        if (const auto opened = open(); !opened) {
            outcome_ = fail(std::move(opened).error());
        } else {
            ares_addrinfo_hints hints{};
            hints.ai_family = AF_UNSPEC;
            hints.ai_socktype = SOCK_DGRAM;
            hints.ai_protocol = IPPROTO_UDP;
            ::ares_getaddrinfo(channel_, question_.host.c_str(), nullptr, &hints, on_answer, this);
        }
        after_call();
    }
    // No answer is wanted any more.
    void abandon() {
        done_ = nullptr;
        close();
    }

  private:
    Result<void> open() {
        ares_options options{};
        options.timeout =
            static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(kTimeout).count());
        options.tries = kTries;
        options.sock_state_cb = on_socket;
        options.sock_state_cb_data = this;
        int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;
        std::string resolv_conf = question_.resolv_conf;
        if (!resolv_conf.empty()) {
            options.resolvconf_path = resolv_conf.data();
            mask |= ARES_OPT_RESOLVCONF;
        }
        if (const int status = ::ares_init_options(&channel_, &options, mask); status != ARES_SUCCESS) {
            channel_ = nullptr;
            return failed(::ares_strerror(status));
        }
        if (question_.mark != 0) ::ares_set_socket_configure_callback(channel_, on_configure, this);
        if (question_.servers.empty()) return {};
        std::vector<ares_addr_port_node> servers(question_.servers.size());
        for (std::size_t i = 0; i < servers.size(); ++i) {
            sockaddr_storage address{};
            const Endpoint& server = question_.servers[i];
            static_cast<void>(server.to_sockaddr(address));
            servers[i].family = address.ss_family;
            servers[i].udp_port = servers[i].tcp_port = server.port;
            if (address.ss_family == AF_INET)
                servers[i].addr.addr4 = reinterpret_cast<const sockaddr_in&>(address).sin_addr;
            else
                std::copy_n(reinterpret_cast<const sockaddr_in6&>(address).sin6_addr.s6_addr, 16,
                            reinterpret_cast<std::uint8_t*>(&servers[i].addr.addr6));
            servers[i].next = i + 1 < servers.size() ? &servers[i + 1] : nullptr;
        }
        if (const int status = ::ares_set_servers_ports(channel_, servers.data()); status != ARES_SUCCESS)
            return failed(::ares_strerror(status));
        return {};
    }

    tl::unexpected<Error> failed(const std::string& why) const {
        return fail(ErrorCode::kResolve, "cannot resolve " + question_.host + ": " + why);
    }

    // After every call into the library, which may have answered or changed its mind about time.
    void after_call() {
        if (outcome_) {
            const auto self = shared_from_this(); // `done` may let go of it
            close();
            if (const Answer done = std::exchange(done_, nullptr)) done(std::move(*outcome_));
            return;
        }
        timeval left{};
        if (::ares_timeout(channel_, nullptr, &left) == nullptr) {
            timer_.reset();
            return;
        }
        const Duration delay = std::chrono::seconds(left.tv_sec) + std::chrono::microseconds(left.tv_usec);
        auto timer = loop_.add_timer(delay, [this] { process(ARES_SOCKET_BAD, 0); });
        if (!timer) {
            outcome_ = fail(std::move(timer).error());
            return after_call();
        }
        timer_ = std::move(*timer);
    }

    void process(ares_socket_t fd, std::uint32_t events) {
        const auto self = shared_from_this();
        // EPOLLERR and EPOLLHUP are news for whoever reads.
        const bool read = (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0;
        const bool write = (events & EPOLLOUT) != 0;
        ::ares_process_fd(channel_, read ? fd : ARES_SOCKET_BAD, write ? fd : ARES_SOCKET_BAD);
        if (channel_ != nullptr) after_call();
    }

    void close() {
        timer_.reset();
        if (channel_ != nullptr) ::ares_destroy(std::exchange(channel_, nullptr));
        sockets_.clear();
    }

    // C callbacks: nothing may be thrown through c-ares.
    static void on_answer(void* data, int status, int /*timeouts*/, ares_addrinfo* info) noexcept {
        auto& self = *static_cast<AresLookup*>(data);
        const std::unique_ptr<ares_addrinfo, void (*)(ares_addrinfo*)> owner(info, ::ares_freeaddrinfo);
        if (status == ARES_EDESTRUCTION || status == ARES_ECANCELLED) return;
        if (status != ARES_SUCCESS) {
            self.outcome_ = self.failed(::ares_strerror(status));
            return;
        }
        ports::Resolution resolution = resolution_of(*info, self.question_.port);
        if (resolution.addresses.empty())
            self.outcome_ = self.failed("it has no address");
        else
            self.outcome_ = std::move(resolution);
    }
    static void on_socket(void* data, ares_socket_t fd, int readable, int writable) noexcept {
        auto& self = *static_cast<AresLookup*>(data);
        self.sockets_.erase(fd); // the interest changed, or is no more
        if (readable == 0 && writable == 0) return;
        const std::uint32_t events = (readable != 0 ? EPOLLIN : 0U) | (writable != 0 ? EPOLLOUT : 0U);
        auto source =
            self.loop_.add_fd(fd, events, [&self, fd](std::uint32_t ready) { self.process(fd, ready); });
        // Without it the question ends by its timeout.
        if (source) self.sockets_.emplace(fd, std::move(*source));
    }
    static int on_configure(ares_socket_t fd, int /*type*/, void* data) noexcept {
        const std::uint32_t mark = static_cast<AresLookup*>(data)->question_.mark;
        // Unmarked it would go into the tunnel: better not at all (an error here fails this server).
        return ::setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark) == 0 ? 0 : -1;
    }

    loop::EventLoop& loop_;
    DnsQuestion question_;
    Answer done_;
    ares_channel channel_ = nullptr;
    std::map<ares_socket_t, loop::SourcePtr> sockets_;
    loop::SourcePtr timer_;
    std::optional<Result<ports::Resolution>> outcome_;
};

struct Handle final : DnsLookup {
    explicit Handle(std::shared_ptr<AresLookup> owned)
        : lookup(std::move(owned)) {}
    ~Handle() override { lookup->abandon(); }
    std::shared_ptr<AresLookup> lookup;
};

} // namespace

std::unique_ptr<DnsLookup> DnsLookup::start(loop::EventLoop& loop, DnsQuestion question, Answer done) {
    auto lookup = std::make_shared<AresLookup>(loop, std::move(question), std::move(done));
    lookup->begin();
    return std::make_unique<Handle>(std::move(lookup));
}

} // namespace wgd::sys
