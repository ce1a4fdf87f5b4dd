// SPDX-License-Identifier: MIT
// FakeResolver: names with addresses, names without, and names that do not answer until told to.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "daemon/ports/ports.hpp"
#include "tests/fakes/turns.hpp"

namespace wgd::fakes {

class FakeResolver final : public ports::Resolver {
  public:
    explicit FakeResolver(Turns& turns)
        : turns_(turns) {}

    void know(const std::string& host, const std::string& address) {
        names_[host].push_back(*IpAddress::parse(address));
    }
    void forget(const std::string& host) { names_.erase(host); }
    void hold(const std::string& host) { held_.insert(host); }
    // Answers what was asked about a held name meanwhile.
    void release(const std::string& host) {
        held_.erase(host);
        auto waiting = std::move(waiting_[host]);
        waiting_.erase(host);
        for (auto& [spec, answer] : waiting)
            if (const auto live = answer.lock()) answer_now(spec, *live);
    }
    void set_ttl(std::optional<Duration> ttl) { ttl_ = ttl; } // of every answer from now on
    [[nodiscard]] int asked() const { return asked_; }
    [[nodiscard]] const ports::LookupPath& last_path() const { return last_path_; }

    std::unique_ptr<Query> resolve(const EndpointSpec& endpoint, const ports::LookupPath& path,
                                   Answer done) override {
        ++asked_;
        last_path_ = path;
        auto handle = std::make_unique<Handle>();
        handle->answer = std::make_shared<Answer>(std::move(done));
        std::weak_ptr<Answer> weak = handle->answer;
        if (held_.count(endpoint.host) != 0) {
            waiting_[endpoint.host].emplace_back(endpoint, weak);
        } else {
            turns_.complete([this, endpoint, weak] {
                if (const auto live = weak.lock()) answer_now(endpoint, *live);
            });
        }
        return handle;
    }

  private:
    struct Handle final : Query {
        std::shared_ptr<Answer> answer;
    };
    void answer_now(const EndpointSpec& endpoint, const Answer& answer) {
        const auto found = names_.find(endpoint.host);
        if (found == names_.end()) {
            answer(fail(ErrorCode::kResolve, endpoint.host + ": Name or service not known"));
            return;
        }
        ports::Resolution resolution;
        for (const IpAddress& address : found->second)
            resolution.addresses.push_back({address, endpoint.port, 0});
        resolution.ttl = ttl_;
        answer(std::move(resolution));
    }

    Turns& turns_;
    int asked_ = 0;
    std::optional<Duration> ttl_;
    ports::LookupPath last_path_;
    std::map<std::string, std::vector<IpAddress>> names_;
    std::set<std::string> held_;
    std::map<std::string, std::vector<std::pair<EndpointSpec, std::weak_ptr<Answer>>>> waiting_;
};

} // namespace wgd::fakes
