// SPDX-License-Identifier: MIT
#include "daemon/sys/bus_partner.hpp"

#include "common/base/log.hpp"

namespace wgd::sys {

void BusPartner::on_restart(std::function<void()> call) {
    bus_.watch_name(service_, [title = title_, call = std::move(call)](bool running) {
        log::info("{} {}", title, running ? "is there" : "is gone");
        call();
    });
}

void BusPartner::on_properties(const std::string& path, std::function<void()> call) {
    bus_.watch_properties(service_, path, std::move(call));
}

Result<BusMessage> BusPartner::method(const std::string& path, const std::string& interface,
                                      const std::string& member) {
    return bus_.method(service_, path, interface, member);
}

void BusPartner::ask(Result<BusMessage> question, SystemBus::Answer answer) {
    if (!question) return answer(fail(std::move(question).error().with_context(title_)));
    bus_.call(std::move(*question), time_limit_,
              [answer = std::move(answer), title = title_,
               alive = std::weak_ptr<int>(alive_)](Result<sd_bus_message*> reply) {
                  if (alive.expired()) return;
                  if (!reply) return answer(fail(std::move(reply).error().with_context(title)));
                  answer(reply);
              });
}

} // namespace wgd::sys
