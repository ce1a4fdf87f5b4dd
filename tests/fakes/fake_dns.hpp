// SPDX-License-Identifier: MIT
// FakeDns: a machine's name resolution: a resolv.conf that anybody can write, and resolvers that keep servers
// per link and forget them with it. FakeKernel performs SetDns and ClearDns on it.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "daemon/plan/dns_text.hpp"
#include "daemon/plan/op.hpp"
#include "daemon/plan/snapshot.hpp"

namespace wgd::fakes {

class FakeDns {
  public:
    // What tests arrange.
    plan::DnsFacts facts;
    std::string resolv_conf = "nameserver 192.0.2.53\noptions edns0\n";
    std::string refuses; // every set fails with these words

    // Somebody else writes the file.
    void overwrite(const std::string& text) {
        resolv_conf = text;
        problems_.clear();
    }
    // A resolver that is told per link is started anew.
    void restart() {
        for (auto& [key, entry] : told_)
            entry.intact = entry.intact && key.second == plan::DnsBackend::kResolvconf;
        problems_.clear();
    }
    [[nodiscard]] const plan::DnsSettings* told(const std::string& link, plan::DnsBackend backend) const {
        const auto found = told_.find({link, backend});
        return found == told_.end() || !found->second.intact ? nullptr : &found->second.settings;
    }

    [[nodiscard]] plan::DnsView view(const std::string& link) const {
        plan::DnsView view;
        view.facts = facts;
        view.facts.resolv_conf_exists = true;
        view.facts.head = resolv_conf;
        for (const auto& [key, entry] : told_)
            if (key.first == link) view.applied[key.second] = entry;
        for (const auto& [name, settings] : requests_)
            if (name == link) view.applied[plan::DnsBackend::kFile] = {settings, resolv_conf == written()};
        if (const auto problem = problems_.find(link); problem != problems_.end())
            view.problem = problem->second;
        return view;
    }

    Result<void> set(const plan::SetDns& op) {
        const bool nobody =
            (op.backend == plan::DnsBackend::kResolved && !facts.resolved_running) ||
            (op.backend == plan::DnsBackend::kNetworkManager && !facts.network_manager_running);
        if (nobody || !refuses.empty()) {
            const std::string why = nobody ? "it is not running" : refuses;
            (void)clear({op.link, op.backend});
            if (!op.best_effort) return fail(ErrorCode::kBackend, why);
            problems_[op.link] = why;
            return {};
        }
        problems_.erase(op.link);
        if (op.backend != plan::DnsBackend::kFile) {
            told_[{op.link, op.backend}] = {op.settings, true};
            return {};
        }
        const auto same = find(op.link);
        if (same == requests_.end())
            requests_.insert(requests_.begin(), {op.link, op.settings});
        else
            same->second = op.settings;
        write();
        return {};
    }

    Result<void> clear(const plan::ClearDns& op) {
        problems_.erase(op.link);
        told_.erase({op.link, op.backend});
        if (op.backend != plan::DnsBackend::kFile) return {};
        const auto same = find(op.link);
        if (same == requests_.end()) return {};
        requests_.erase(same);
        if (!requests_.empty()) {
            write();
        } else if (ours()) {
            resolv_conf = original_.text;
        }
        return {};
    }

    void link_gone(const std::string& link) {
        told_.erase({link, plan::DnsBackend::kResolved});
        told_.erase({link, plan::DnsBackend::kNetworkManager});
    }

    [[nodiscard]] std::string dump() const {
        std::string text = "resolv.conf:\n" + resolv_conf;
        for (const auto& [key, entry] : told_)
            text += std::string(plan::to_string(key.second)) + " " + key.first + ": " +
                    plan::resolvconf_text(entry.settings) + (entry.intact ? "" : " (forgotten)\n");
        return text;
    }

  private:
    [[nodiscard]] bool ours() const { return resolv_conf.rfind(plan::kResolvConfMark, 0) == 0; }
    [[nodiscard]] std::string written() const { return plan::resolv_conf_text(requests_, original_); }
    void write() {
        if (!ours()) {
            original_.kind = plan::OriginalResolvConf::Kind::kFile;
            original_.text = resolv_conf;
        }
        resolv_conf = written();
    }
    plan::DnsRequests::iterator find(const std::string& link) {
        return std::find_if(requests_.begin(), requests_.end(),
                            [&](const auto& request) { return request.first == link; });
    }

    std::map<std::pair<std::string, plan::DnsBackend>, plan::DnsApplied> told_;
    plan::DnsRequests requests_; // of the file, newest first
    plan::OriginalResolvConf original_;
    std::map<std::string, std::string> problems_;
};

} // namespace wgd::fakes
