// SPDX-License-Identifier: MIT
// SystemResolver: ports::Resolver. A name is asked of DNS first (DnsLookup: cancellable, with the time an
// answer holds, on the path the caller names); what DNS does not know is asked of the system
// (getaddrinfo(3)), which may know further sources, as mDNS. Numeric endpoints are answered before resolve()
// returns.
//
// Outside of a tunnel: DNS is asked with the tunnel's mark, and of name servers that are not the tunnel's, so
// that the name of an endpoint can be found while the tunnel, and all that goes through it, is broken.
#pragma once

#include <deque>
#include <memory>
#include <string>

#include "daemon/loop/event_loop.hpp"
#include "daemon/ports/ports.hpp"
#include "daemon/sys/thread_resolver.hpp"

namespace wgd::sys {

class SystemResolver final : public ports::Resolver {
  public:
    struct Options {
        std::size_t max_asking = 16; // questions at a time; the others wait for their turn
        std::string root;            // before the paths of resolv.conf and its like, for tests
        std::uint16_t dns_port = 53;
        ThreadResolver::Options system;
    };

    static Result<std::unique_ptr<SystemResolver>> create(loop::EventLoop& loop, Options options);
    static Result<std::unique_ptr<SystemResolver>> create(loop::EventLoop& loop) {
        return create(loop, Options());
    }
    ~SystemResolver() override;

    std::unique_ptr<Query> resolve(const EndpointSpec& endpoint, const ports::LookupPath& path,
                                   Answer done) override;

  private:
    struct Question;
    struct Handle;
    SystemResolver(loop::EventLoop& loop, Options options, std::unique_ptr<ThreadResolver> system)
        : loop_(loop)
        , options_(std::move(options))
        , system_(std::move(system)) {}
    void next();
    void ask_dns(const std::shared_ptr<Question>& question);
    void ask_system(const std::shared_ptr<Question>& question, const std::string& dns_said);

    loop::EventLoop& loop_;
    Options options_;
    std::unique_ptr<ThreadResolver> system_;
    std::deque<std::weak_ptr<Question>> waiting_;
    std::size_t asking_ = 0;
    bool handing_out_ = false;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

} // namespace wgd::sys
