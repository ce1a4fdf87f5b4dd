// SPDX-License-Identifier: MIT
// FakeDisk: profiles, undo logs and records, as text, so that what is not written down is lost in a crash.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/base/ip.hpp"
#include "daemon/plan/op_json.hpp"
#include "daemon/ports/ports.hpp"
#include "tests/fakes/faults.hpp"

namespace wgd::fakes {

class FakeDisk final : public ports::ProfileStore, public ports::Journal {
  public:
    explicit FakeDisk(Faults& faults)
        : faults_(faults) {}

    void put(const std::string& name, std::string text) { profiles_[name] = std::move(text); }
    void remove(const std::string& name) { profiles_.erase(name); }

    Result<std::vector<ProfileName>> list() override {
        std::vector<ProfileName> names;
        for (const auto& [name, text] : profiles_)
            names.push_back(*ProfileName::parse(name));
        return names;
    }
    Result<ports::StoredProfile> read(const ProfileName& name) override {
        const auto found = profiles_.find(name.str());
        if (found == profiles_.end())
            return fail(ErrorCode::kNotFound, "no profile named '" + name.str() + "'");
        return ports::StoredProfile{name,
                                    "/etc/wireguard/" + name.str() + ".conf",
                                    SecretText(found->second.begin(), found->second.end()),
                                    {}};
    }

    Result<void> replace(const ports::StoredProfile& before, const SecretText& text) override {
        std::string& file = profiles_[before.name.str()];
        if (file != std::string_view(before.text)) return fail(ErrorCode::kConflict, "changed meanwhile");
        return faults_.around("replace profile", [&]() -> Result<void> {
            file.assign(text.begin(), text.end());
            return {};
        });
    }
    [[nodiscard]] std::string text(const std::string& name) const { return profiles_.at(name); }

    Result<void> append_undo(const ProfileName& name, const std::vector<plan::Op>& undo) override {
        return faults_.around("append undo", [&]() -> Result<void> {
            undo_[name.str()].push_back(plan::ops_to_json(undo));
            return {};
        });
    }
    Result<void> clear_undo(const ProfileName& name) override {
        return faults_.around("clear undo", [&]() -> Result<void> {
            undo_.erase(name.str());
            return {};
        });
    }
    Result<std::vector<std::pair<ProfileName, std::vector<plan::Op>>>> pending_undo() override {
        std::vector<std::pair<ProfileName, std::vector<plan::Op>>> pending;
        for (const auto& [name, steps] : undo_) {
            std::vector<plan::Op> ops;
            for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
                auto parsed = plan::ops_from_json(*step);
                WGD_TRY(parsed);
                for (plan::Op& op : *parsed)
                    ops.push_back(std::move(op));
            }
            pending.emplace_back(*ProfileName::parse(name), std::move(ops));
        }
        return pending;
    }
    Result<void> save_record(const ProfileName& name, const std::string& json) override {
        return faults_.around("save record", [&]() -> Result<void> {
            records_[name.str()] = json;
            return {};
        });
    }
    Result<void> remove_record(const ProfileName& name) override {
        return faults_.around("remove record", [&]() -> Result<void> {
            records_.erase(name.str());
            return {};
        });
    }
    Result<std::vector<std::pair<ProfileName, std::string>>> load_records() override {
        std::vector<std::pair<ProfileName, std::string>> records;
        for (const auto& [name, json] : records_)
            records.emplace_back(*ProfileName::parse(name), json);
        return records;
    }

    Result<void> set_taken_down(const ProfileName& name, bool taken_down) override {
        if (taken_down)
            taken_down_.insert(name);
        else
            taken_down_.erase(name);
        return {};
    }
    [[nodiscard]] bool is_taken_down(const ProfileName& name) const override {
        return taken_down_.count(name) != 0;
    }

    Result<void> save_lock(const std::string& json) override {
        return faults_.around("save lock", [&]() -> Result<void> {
            lock_ = json;
            return {};
        });
    }
    Result<std::string> load_lock() override { return lock_; }

    [[nodiscard]] bool clean() const { return undo_.empty() && records_.empty() && lock_.empty(); }
    [[nodiscard]] const std::map<std::string, std::vector<std::string>>& undo() const { return undo_; }
    [[nodiscard]] std::map<std::string, std::string>& records() { return records_; }

  private:
    Faults& faults_;
    std::string lock_;
    std::set<ProfileName> taken_down_;
    std::map<std::string, std::string> profiles_;
    std::map<std::string, std::vector<std::string>> undo_;
    std::map<std::string, std::string> records_;
};

} // namespace wgd::fakes
