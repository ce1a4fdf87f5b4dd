// SPDX-License-Identifier: MIT
#include "daemon/sys/resolver.hpp"

#include "common/base/log.hpp"
#include "daemon/sys/dns_lookup.hpp"
#include "daemon/sys/name_servers.hpp"

namespace wgd::sys {

struct SystemResolver::Question {
    EndpointSpec endpoint;
    ports::LookupPath path;
    Answer done; // empty: nobody waits any more
    bool asking_dns = false;
    std::unique_ptr<DnsLookup> dns;
    std::unique_ptr<Query> system;
};

// Letting go of it cancels: the question has no other owner but what runs on its behalf.
struct SystemResolver::Handle final : Query {
    std::shared_ptr<Question> question;
    SystemResolver* resolver = nullptr;
    std::weak_ptr<bool> alive;
    ~Handle() override {
        if (!question) return;
        question->done = nullptr;
        question->dns.reset();
        question->system.reset();
        if (!std::exchange(question->asking_dns, false) || alive.expired()) return;
        --resolver->asking_;
        resolver->next();
    }
};

SystemResolver::~SystemResolver() = default;

Result<std::unique_ptr<SystemResolver>> SystemResolver::create(loop::EventLoop& loop, Options options) {
    auto system = ThreadResolver::create(loop, options.system);
    WGD_TRY(system);
    return std::unique_ptr<SystemResolver>(new SystemResolver(loop, std::move(options), std::move(*system)));
}

std::unique_ptr<ports::Resolver::Query> SystemResolver::resolve(const EndpointSpec& endpoint,
                                                                const ports::LookupPath& path, Answer done) {
    auto handle = std::make_unique<Handle>();
    if (const auto numeric = endpoint.numeric()) {
        done(ports::Resolution{{*numeric}, std::nullopt});
        return handle;
    }
    handle->question = std::make_shared<Question>();
    handle->resolver = this;
    handle->alive = alive_;
    handle->question->endpoint = endpoint;
    handle->question->path = path;
    handle->question->done = std::move(done);
    // An address with the name of an interface is for the system alone.
    if (!endpoint.scope.empty()) {
        ask_system(handle->question, {});
    } else {
        waiting_.push_back(handle->question);
        next();
    }
    return handle;
}

void SystemResolver::next() {
    if (handing_out_) return; // from an answer that came at once: the loop below goes on
    handing_out_ = true;
    const std::weak_ptr<bool> alive = alive_;
    while (asking_ < options_.max_asking && !waiting_.empty()) {
        const auto question = waiting_.front().lock();
        waiting_.pop_front();
        if (question && question->done) ask_dns(question);
        if (alive.expired()) return; // an answer ended this
    }
    handing_out_ = false;
}

void SystemResolver::ask_dns(const std::shared_ptr<Question>& question) {
    DnsQuestion asked;
    asked.host = question->endpoint.host;
    asked.port = question->endpoint.port;
    asked.mark = question->path.mark;
    if (!options_.root.empty()) asked.resolv_conf = options_.root + "/etc/resolv.conf";
    // Without servers to avoid, resolv.conf is right as it stands. With none left beside them, it is all
    // there is: a server that cannot be reached costs no more than time.
    if (!question->path.avoid.empty())
        asked.servers = name_servers_without(question->path.avoid, options_.root);
    for (Endpoint& server : asked.servers)
        server.port = options_.dns_port;

    question->asking_dns = true;
    ++asking_;
    const std::weak_ptr<bool> alive = alive_;
    auto lookup =
        DnsLookup::start(loop_, std::move(asked), [this, alive, question](Result<ports::Resolution> answer) {
            if (alive.expired() || !std::exchange(question->asking_dns, false)) return;
            --asking_;
            if (answer) {
                if (const Answer done = std::exchange(question->done, nullptr)) done(std::move(answer));
            } else if (question->done) {
                ask_system(question, answer.error().message);
            }
            if (!alive.expired()) next();
        });
    if (question->asking_dns) question->dns = std::move(lookup); // else it has answered already
}

void SystemResolver::ask_system(const std::shared_ptr<Question>& question, const std::string& dns_said) {
    log::debug("{}; asking the system", dns_said.empty() ? question->endpoint.text : dns_said);
    auto query =
        system_->resolve(question->endpoint, question->path, [question](Result<ports::Resolution> answer) {
            if (const Answer done = std::exchange(question->done, nullptr)) done(std::move(answer));
        });
    if (question->done) question->system = std::move(query);
}

} // namespace wgd::sys
