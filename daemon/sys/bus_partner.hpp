// SPDX-License-Identifier: MIT
// BusPartner: one program on the system bus that wgd talks to, as whoever talks to it wants it: questions
// with a time limit, errors that say whose they are, and no answer to somebody who is not there any more.
// Loop's thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "daemon/sys/system_bus.hpp"

namespace wgd::sys {

class BusPartner {
  public:
    // `title` is what people call it. `bus` outlives this.
    BusPartner(SystemBus& bus, std::string service, std::string title, Duration time_limit)
        : bus_(bus)
        , service_(std::move(service))
        , title_(std::move(title))
        , time_limit_(time_limit) {}

    [[nodiscard]] bool running() const { return bus_.running(service_); }
    // It was started, ended, or restarted; the log tells.
    void on_restart(std::function<void()> call);
    // PropertiesChanged below a path.
    void on_properties(const std::string& path, std::function<void()> call);

    Result<BusMessage> method(const std::string& path, const std::string& interface,
                              const std::string& member);
    // A question that could not even be made is answered with its error. The reply is valid for the time of
    // the call; no answer is given once this object is gone.
    void ask(Result<BusMessage> question, SystemBus::Answer answer);

  private:
    SystemBus& bus_;
    std::string service_;
    std::string title_;
    Duration time_limit_;
    std::shared_ptr<int> alive_ = std::make_shared<int>();
};

} // namespace wgd::sys
