// SPDX-License-Identifier: MIT
// LinkWatch: what happens to our interface (up, down, MTU, deleted, moved to another network namespace) and
// to the host's addresses and routes, from rtnetlink. The socket stays in the namespace where we began, but
// is told about all others that have an id there, and moving an interface gives its new home one: so it can
// be followed. Source: rtnetlink(7), netlink(7) NETLINK_LISTEN_ALL_NSID, <linux/if_link.h> IFLA_NEW_NETNSID.
#pragma once

#include <optional>
#include <string>

#include "common/base/bytes.hpp"
#include "common/base/fd.hpp"
#include "common/base/result.hpp"

namespace wgd::io {

struct LinkChanges {
    std::optional<bool> up;
    std::optional<unsigned> mtu;
    bool perhaps_deleted = false; // gone from where it was; ask Tun::alive()
    bool routing = false;         // an address or route of the host changed
};

class LinkWatch {
  public:
    // Follows interface `index`, named `name` when it moves. Asks for its present state, which comes as a
    // change.
    static Result<LinkWatch> open(unsigned index, std::string name);

    [[nodiscard]] int fd() const { return socket_.get(); }
    [[nodiscard]] LinkChanges read(); // all that is pending

  private:
    LinkWatch(Fd socket, unsigned index, std::string name);
    void ask();
    void take(ByteView message, std::optional<int> nsid, LinkChanges& changes);
    void take_link(std::uint16_t type, ByteView body, std::optional<int> nsid, LinkChanges& changes);

    Fd socket_;
    unsigned index_;
    std::string name_;
    std::optional<int> nsid_; // where it is now; nullopt: where we are
    bool moving_ = false;     // left its old place, not seen at the new one yet
};

} // namespace wgd::io
