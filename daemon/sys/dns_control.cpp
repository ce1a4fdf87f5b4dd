// SPDX-License-Identifier: MIT
#include "daemon/sys/dns_control.hpp"

#include "common/base/log.hpp"
#include "daemon/sys/dns_facts.hpp"
#include "daemon/sys/dns_file.hpp"
#include "daemon/sys/dns_networkmanager.hpp"
#include "daemon/sys/dns_resolvconf.hpp"
#include "daemon/sys/dns_resolved.hpp"

namespace wgd::sys {
namespace {

constexpr const char* kResolvedName = "org.freedesktop.resolve1";
constexpr const char* kNetworkManagerName = "org.freedesktop.NetworkManager";

// On a machine without a bus nobody is on it.
class NobodyThere final : public DnsKeeper {
  public:
    void set(const std::string&, const plan::DnsSettings&, ports::Done done) override {
        done(fail(ErrorCode::kBackend, "it is not running"));
    }
    void clear(const std::string&, ports::Done done) override { done({}); }
    bool intact(const std::string&, const plan::DnsSettings&) override { return false; }
};

} // namespace

DnsControl::DnsControl(loop::EventLoop& loop, Options options, DnsLedger ledger)
    : options_(std::move(options))
    , ledger_(std::move(ledger)) {
    using plan::DnsBackend;
    keepers_[DnsBackend::kFile] = std::make_unique<DnsFile>(ledger_, options_.resolv_conf);
    keepers_[DnsBackend::kResolvconf] =
        std::make_unique<DnsResolvconf>(loop, options_.resolv_conf, options_.resolvconf_limit);
    keepers_[DnsBackend::kResolved] = std::make_unique<NobodyThere>();
    keepers_[DnsBackend::kNetworkManager] = std::make_unique<NobodyThere>();
    if (!options_.bus) return;
    bus_ = std::make_unique<SystemBus>(loop);
    keepers_[DnsBackend::kResolved] =
        std::make_unique<DnsResolved>(ledger_, *bus_, options_.time_limit, [this] { changed(); });
    keepers_[DnsBackend::kNetworkManager] =
        std::make_unique<DnsNetworkManager>(loop, *bus_, options_.time_limit, [this] { changed(); });
}

DnsControl::~DnsControl() = default;

Result<std::unique_ptr<DnsControl>> DnsControl::create(loop::EventLoop& loop, Options options) {
    auto ledger = DnsLedger::open(options.directory);
    if (!ledger) return fail(std::move(ledger).error());
    auto control = std::unique_ptr<DnsControl>(new DnsControl(loop, std::move(options), std::move(*ledger)));
    DnsFile file(control->ledger_, control->options_.resolv_conf);
    if (auto recovered = file.recover(); !recovered) log::error("DNS: {}", recovered.error().message);
    // A directory that cannot be watched (none at all, in a chroot) is no reason not to run.
    auto watch = FileWatch::create(loop, control->options_.resolv_conf,
                                   [raw = control.get()] { raw->file_changed(); });
    if (watch)
        control->watch_ = std::move(*watch);
    else
        log::warning("DNS is not watched: {}", watch.error().message);
    control->settled();
    return control;
}

DnsKeeper& DnsControl::keeper(plan::DnsBackend backend) {
    return *keepers_.at(backend);
}

plan::DnsFacts DnsControl::facts() const {
    plan::DnsFacts facts = read_dns_facts(options_.resolv_conf);
    facts.resolved_running = bus_ && bus_->running(kResolvedName);
    facts.network_manager_running = bus_ && bus_->running(kNetworkManagerName);
    return facts;
}

plan::DnsView DnsControl::view(const std::string& link) {
    plan::DnsView view;
    view.facts = facts();
    for (const plan::SetDns& entry : ledger_.entries())
        if (entry.link == link)
            view.applied[entry.backend] = {entry.settings,
                                           keeper(entry.backend).intact(link, entry.settings)};
    if (const auto problem = problems_.find(link); problem != problems_.end()) view.problem = problem->second;
    return view;
}

void DnsControl::set(const plan::SetDns& op, ports::Done done) {
    const auto finish = [this, op, done = std::move(done)](Result<void> result) {
        --running_;
        settled();
        if (result) {
            problems_.erase(op.link);
            return done({});
        }
        if (!op.best_effort) return done(std::move(result));
        log::warning("{}: DNS is not set: {}", op.link, result.error().message);
        problems_[op.link] = result.error().message;
        done({});
    };
    ++running_;
    if (auto entered = ledger_.enter(op); !entered) return finish(std::move(entered));
    keeper(op.backend).set(op.link, op.settings, [this, op, finish](Result<void> result) {
        if (result) return finish({});
        if (result.error().code == ErrorCode::kTimeout) { // it is not waited for a second time
            (void)ledger_.remove(op.link, op.backend);
            keeper(op.backend).clear(op.link, [](const Result<void>&) {});
            return finish(std::move(result));
        }
        // Half of it must not stay, nor what was there before and is not wanted any more.
        keeper(op.backend)
            .clear(op.link, [this, op, finish, error = result.error()](const Result<void>& gone) {
                if (gone) (void)ledger_.remove(op.link, op.backend);
                finish(fail(error));
            });
    });
}

void DnsControl::clear(const plan::ClearDns& op, ports::Done done) {
    ++running_;
    keeper(op.backend).clear(op.link, [this, op, done = std::move(done)](Result<void> result) {
        --running_;
        if (result) result = ledger_.remove(op.link, op.backend);
        if (result) problems_.erase(op.link);
        settled();
        done(std::move(result));
    });
}

void DnsControl::settled() {
    const plan::DnsFacts now = read_dns_facts(options_.resolv_conf);
    seen_ = now.link_target + "\n" + now.head;
}

// Also called for what we wrote ourselves.
void DnsControl::file_changed() {
    if (running_ != 0) return; // settled() looks when it is done
    const std::string before = seen_;
    settled();
    if (seen_ != before) changed();
}

void DnsControl::changed() {
    problems_.clear();
    if (changed_) changed_();
}

} // namespace wgd::sys
