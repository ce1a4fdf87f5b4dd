// SPDX-License-Identifier: MIT
// Gate: the one way from a method of the bus to the work behind it. Finds the method's row, asks the
// Authority, and only then runs the work, which gets the ticket to answer with. Loop's thread.
#pragma once

#include <string>
#include <utility>

#include "daemon/bus/authorization.hpp"
#include "daemon/bus/call.hpp"

namespace wgd::bus {

class Gate {
  public:
    Gate(Authority& authority, CallTable& calls)
        : authority_(authority)
        , calls_(calls) {}

    // For use inside a method handler of `object`. `work` is called as work(TicketPtr<Values...>), at once or
    // when the decision comes, and must keep nothing alive or referenced that may go before the decision
    // comes.
    template <class... Values, class Work>
    void admit(const char* interface, const char* method, const sdbus::IObject& object,
               sdbus::Result<Values...>&& result, Work work) {
        guarded(method, [&] {
            const auto action = action_of(interface, method);
            if (!action)
                throw to_bus_error(Error{ErrorCode::kNotAuthorized, "nobody may call this method", 0});
            std::string sender = object.getCurrentlyProcessedMessage()->getSender();
            auto ticket = open_ticket(calls_, sender, std::move(result));
            authority_.decide(sender, *action,
                              [ticket, method, work = std::move(work)](Result<void> decision) mutable {
                                  if (!decision)
                                      return ticket->fail(std::move(decision).error().with_context(method));
                                  run(method, *ticket, [&] { work(ticket); });
                              });
        });
    }

  private:
    // What the work throws becomes the call's answer: there is no handler to throw out of any more.
    template <class TicketType, class Body>
    static void run(const char* method, TicketType& ticket, Body&& body) {
        try {
            guarded(method, std::forward<Body>(body));
        } catch (const sdbus::Error&) {
            ticket.fail(Error{ErrorCode::kInternal, "internal error, see the daemon's log", 0});
        }
    }

    Authority& authority_;
    CallTable& calls_;
};

} // namespace wgd::bus
