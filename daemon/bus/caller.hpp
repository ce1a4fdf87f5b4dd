// SPDX-License-Identifier: MIT
// CallerLookup: which user is behind a unique bus name. Asks the bus driver without waiting for it, and
// remembers: a unique name is never given to a second connection while the bus runs. Loop's thread; lives no
// longer than its connection.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <sys/types.h>
#include <unordered_map>

#include "common/base/result.hpp"

namespace sdbus {
class IConnection;
class IProxy;
} // namespace sdbus

namespace wgd::bus {

class CallerLookup {
  public:
    explicit CallerLookup(sdbus::IConnection& connection);
    ~CallerLookup();

    // kNotFound when the caller is gone already. Not called after this object is destroyed.
    void uid_of(const std::string& sender, std::function<void(Result<uid_t>)> answer);

  private:
    std::unique_ptr<sdbus::IProxy> driver_;
    std::unordered_map<std::string, uid_t> known_;
};

} // namespace wgd::bus
