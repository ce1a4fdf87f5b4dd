// SPDX-License-Identifier: MIT
// What the daemon does first, before anybody can ask for anything.
//
//   undo log, no record of a tunnel that is up   an `up` was cut short: undone
//   undo log and such a record                   cut between the commit and the clearing of the log: log
//   dropped record, intent up or reconcile, live link    taken over record, intent down a `down` was cut
//   short: finished record, no link of ours                      gone while we were away: its leftovers
//   removed a link that bears our mark, and no record    taken over, with what can be seen of it
#include <algorithm>

#include "common/base/log.hpp"
#include "common/model/marks.hpp"
#include "daemon/control/tunnel_manager.hpp"
#include "daemon/plan/routing.hpp"

namespace wgd::control {

struct TunnelManager::Recovery : std::enable_shared_from_this<Recovery> {
    Recovery(TunnelManager& owner, Reply<void> reply)
        : manager(owner)
        , done(std::move(reply))
        , applier(owner.ports_.executor, owner.ports_.journal) {}

    Result<void> read() {
        auto undo = manager.ports_.journal.pending_undo();
        WGD_TRY(undo);
        logs = std::move(*undo);
        auto texts = manager.ports_.journal.load_records();
        WGD_TRY(texts);
        for (const auto& [name, json] : *texts) {
            auto record = record_from_json(json);
            if (record) {
                records.emplace(name, std::move(*record));
            } else {
                // If its link is there it is taken over without a record; what cannot be read helps nobody.
                log::error("{}: {}", name.str(), record.error().message);
                (void)manager.ports_.journal.remove_record(name);
            }
        }
        return find_unrecorded();
    }

    // The runtime directory was emptied under a running system.
    Result<void> find_unrecorded() {
        auto snapshot = manager.ports_.reader.read({});
        WGD_TRY(snapshot);
        for (const auto& [name, link] : snapshot->links) {
            if (link.alias != std::string(kLinkAliasPrefix) + name) continue;
            const auto parsed = ProfileName::parse(name);
            if (!parsed || records.count(*parsed) != 0) continue;
            if (std::any_of(logs.begin(), logs.end(), [&](const auto& log) { return log.first == *parsed; }))
                continue;
            auto close = manager.ports_.reader.read({name, {}, 0, {}});
            if (!close || !close->device) {
                log::warning("{}: a link that looks like ours cannot be taken over: {}", name,
                             close ? "its device does not answer" : close.error().message);
                continue;
            }
            log::warning("{}: found up, but without a record; taken over", name);
            Record record;
            record.backend = close->device_backend.value_or(plan::Backend::kKernel);
            record.backend_reason = "found running";
            record.mark = plan::mark_of_device(*close);
            record.rules = plan::rules_of_tunnel(*close, record.mark, {});
            records.emplace(*parsed, std::move(record));
        }
        return {};
    }

    // A sysctl that a tunnel which is up needs is not taken back for the sake of one that was not to be.
    [[nodiscard]] bool keeps(const plan::Op& op) const {
        const auto* sysctl = std::get_if<plan::SetSysctl>(&op);
        return sysctl != nullptr && std::any_of(records.begin(), records.end(), [&](const auto& entry) {
                   return entry.second.intent != Record::Intent::kDown &&
                          entry.second.original_sysctls.count(sysctl->key) != 0;
               });
    }

    void next_log() {
        if (logs.empty()) return next_record();
        auto [name, ops] = std::move(logs.back());
        logs.pop_back();
        const auto self = shared_from_this();
        if (records.count(name) != 0) {
            if (auto cleared = manager.ports_.journal.clear_undo(name); !cleared)
                log::warning("{}: {}", name.str(), cleared.error().message);
            return next_log();
        }
        log::notice("{}: bringing it up was cut short; undoing what was done", name.str());
        applier.undo(
            name, std::move(ops), [self](const plan::Op& op) { return self->keeps(op); },
            [self, tunnel_name = name](Outcome outcome) {
                if (outcome.error) {
                    log::error("{}: {}", tunnel_name.str(), outcome.error->message);
                    self->manager.make(tunnel_name)->recover_failed(std::move(outcome));
                }
                self->next_log();
            });
    }

    void next_record() {
        // All of them exist before the first is worked on: each must see what the others need.
        for (auto& [name, record] : records) {
            const auto tunnel = manager.make(name);
            tunnel->reserve(record);
            waiting.emplace_back(tunnel, std::move(record));
        }
        records.clear();
        next_tunnel();
    }

    void next_tunnel() {
        if (waiting.empty()) {
            for (const auto& [name, hold] : manager.kill_switch_.all())
                if (!manager.find(name)) manager.make(name)->recover_locked();
            KillSwitch& lock = manager.kill_switch_;
            if (lock.lockdown() != plan::LockMode::kOff || lock.in_doubt())
                for (const auto& [name, tunnel] : manager.tunnels_)
                    if (tunnel->wanted_lock() != plan::LockMode::kOff) tunnel->hold_lock();
            return lock.settle([self = shared_from_this()](const Result<void>& settled) {
                if (!settled)
                    log::error("the kill switch is not as it should be: {}", settled.error().message);
                const auto finished = std::exchange(self->done, nullptr);
                if (finished) finished({});
            });
        }
        auto [tunnel, record] = std::move(waiting.back());
        waiting.pop_back();
        std::optional<LoadedProfile> loaded;
        if (auto read = manager.load(tunnel->name()); read) loaded = std::move(*read);
        tunnel->recover(std::move(record), std::move(loaded),
                        [self = shared_from_this()] { self->next_tunnel(); });
    }

    TunnelManager& manager;
    Reply<void> done;
    Applier applier;
    std::vector<std::pair<ProfileName, std::vector<plan::Op>>> logs;
    std::map<ProfileName, Record> records;
    std::vector<std::pair<std::shared_ptr<Tunnel>, Record>> waiting;
};

void TunnelManager::recover(Reply<void> done) {
    const auto recovery = std::make_shared<Recovery>(*this, std::move(done));
    kill_switch_.recover(settings_.lockdown, [this, recovery](const Result<void>& locked) {
        // Nobody could bring a tunnel down, and the switch open, if this ended the daemon.
        if (!locked) log::error("the kill switch is not as it should be: {}", locked.error().message);
        if (auto read = recovery->read(); !read) return recovery->done(std::move(read));
        recovery->next_log();
    });
}

} // namespace wgd::control
