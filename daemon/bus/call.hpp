// SPDX-License-Identifier: MIT
// Method calls that wait for their answer. The table owns them, because an unanswered call refers to its
// connection and must be gone before it; whoever will answer holds a Ticket, which outlives both harmlessly.
// One thread: the loop's.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "daemon/bus/guard.hpp"

namespace wgd::bus {

// How many calls may wait at once: a caller that does not wait for its answers is refused, the others go on.
inline constexpr std::size_t kMaxCallsPerSender = 32;
inline constexpr std::size_t kMaxCalls = 1024;

class CallTable {
  public:
    struct Entry {
        virtual ~Entry() = default;
        std::string sender;
        std::list<std::shared_ptr<Entry>>::iterator self;
    };

    // Throws sdbus::Error LimitsExceeded.
    void admit(std::shared_ptr<Entry> entry, std::string sender) {
        auto& waiting = per_sender_[sender];
        if (waiting >= kMaxCallsPerSender || entries_.size() >= kMaxCalls)
            throw sdbus::Error(dbus::kLimitsExceeded, waiting >= kMaxCallsPerSender
                                                          ? "too many of your calls are waiting for an answer"
                                                          : "too many calls are waiting for an answer");
        ++waiting;
        entry->sender = std::move(sender);
        entries_.push_front(std::move(entry));
        entries_.front()->self = entries_.begin();
    }

    void remove(Entry& entry) {
        if (const auto at = per_sender_.find(entry.sender); at != per_sender_.end() && --at->second == 0)
            per_sender_.erase(at);
        entries_.erase(entry.self);
    }

    [[nodiscard]] std::size_t size() const { return entries_.size(); }

  private:
    std::list<std::shared_ptr<Entry>> entries_;
    std::map<std::string, std::size_t> per_sender_;
};

template <class... Values>
class Ticket;

template <class... Values>
struct Call : CallTable::Entry {
    Call(CallTable& owner, sdbus::Result<Values...>&& to)
        : table(owner)
        , result(std::move(to)) {}
    CallTable& table;
    sdbus::Result<Values...> result;
};

// The right to answer one call, once. Dropped without an answer, it answers Internal: no caller waits for
// ever.
template <class... Values>
class Ticket {
  public:
    explicit Ticket(std::weak_ptr<Call<Values...>> call)
        : call_(std::move(call)) {}
    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;
    ~Ticket() { fail(Error{ErrorCode::kInternal, "the request was dropped", 0}); }

    void answer(const Values&... values) {
        settle([&](const sdbus::Result<Values...>& result) { result.returnResults(values...); });
    }
    void fail(const Error& error) {
        settle([&](const sdbus::Result<Values...>& result) { result.returnError(to_bus_error(error)); });
    }

  private:
    template <class Reply>
    void settle(Reply&& reply) {
        const auto call = call_.lock(); // gone if answered, or if the connection is
        call_.reset();
        if (!call) return;
        call->table.remove(*call);
        quietly("reply", [&] { reply(call->result); });
    }

    std::weak_ptr<Call<Values...>> call_;
};

template <class... Values>
using TicketPtr = std::shared_ptr<Ticket<Values...>>; // shared: it travels in std::function

template <class... Values>
TicketPtr<Values...> open_ticket(CallTable& table, std::string sender, sdbus::Result<Values...>&& result) {
    auto call = std::make_shared<Call<Values...>>(table, std::move(result));
    table.admit(call, std::move(sender));
    return std::make_shared<Ticket<Values...>>(call);
}

} // namespace wgd::bus
