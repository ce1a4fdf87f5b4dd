// SPDX-License-Identifier: MIT
// Tun: the tunnel's network interface, with virtio-net headers and as many offloads as the kernel has.
// Source: Documentation/networking/tuntap.rst, <linux/if_tun.h>.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/fd.hpp"
#include "common/base/result.hpp"
#include "datapath/io/offloads.hpp"

namespace wgd::io {

class Tun {
  public:
    // Creates (or attaches to a persistent) interface `name` with `queues` queues, fewer if a persistent one
    // allows only one. Sets MTU and transmit
    // queue length if it made the interface. kConflict if the name is taken; kNotAuthorized, kUnsupported (no
    // /dev/net/tun).
    static Result<Tun> open(const std::string& name, unsigned queues, Offloads wanted);
    // Takes over the descriptor of an interface that is there already ($WG_TUN_FD). One queue.
    static Result<Tun> adopt(Fd fd, Offloads wanted);

    [[nodiscard]] const std::string& name() const {
        return name_;
    } // as at open; the interface may be renamed later
    [[nodiscard]] unsigned index() const { return index_; }
    [[nodiscard]] unsigned mtu() const { return mtu_; }
    [[nodiscard]] bool is_up() const { return up_; } // at open
    [[nodiscard]] std::size_t queues() const { return queues_.size(); }
    [[nodiscard]] int fd(std::size_t queue) const { return queues_[queue].get(); } // non-blocking
    // Whether reads and writes begin with a virtio-net header (not so for an adopted descriptor that has
    // none).
    [[nodiscard]] bool has_vnet_header() const { return vnet_header_; }
    [[nodiscard]] const Offloads& offloads() const { return offloads_; } // what the kernel granted

    // Whether the interface still exists, in whatever network namespace.
    [[nodiscard]] bool alive() const;

  private:
    static int attach(int fd, const std::string& name, bool several, std::string& real_name); // 0 or errno
    Result<void> configure(Offloads wanted);
    Result<void> read_link(bool created);

    std::string name_;
    unsigned index_ = 0;
    unsigned mtu_ = 0;
    bool up_ = false;
    bool vnet_header_ = true;
    Offloads offloads_;
    std::vector<Fd> queues_;
};

} // namespace wgd::io
