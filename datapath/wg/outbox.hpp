// SPDX-License-Identifier: MIT
// Outbox: the datagrams an Engine call wants sent, in a buffer of its own. The caller sends them and clears
// it; the memory is kept for the next call.
#pragma once

#include <cstdint>
#include <vector>

#include "common/base/bytes.hpp"
#include "datapath/wg/path.hpp"

namespace wgd::wg {

class Peer;

class Outbox {
  public:
    struct Datagram {
        Path to;
        std::uint8_t tos = 0; // IP_TOS / IPV6_TCLASS of the outer packet
        // Whose path `to` is, for DataPath::forget_source() when sending from to.local fails; null for
        // answers to someone we do not know (cookie replies). Valid until the next call of the Engine.
        Peer* peer = nullptr;
        std::size_t offset = 0;
        std::size_t size = 0;
    };

    [[nodiscard]] bool empty() const { return datagrams_.empty(); }
    [[nodiscard]] const std::vector<Datagram>& datagrams() const { return datagrams_; }
    [[nodiscard]] ByteView bytes(const Datagram& datagram) const {
        return ByteView(bytes_).subspan(datagram.offset, datagram.size);
    }
    void clear() {
        datagrams_.clear();
        bytes_.clear();
    }

    // Appends `size` bytes for the caller to fill. The span is valid until the next call.
    ByteSpan add(const Path& to, std::uint8_t tos, Peer* peer, std::size_t size);

  private:
    std::vector<Datagram> datagrams_;
    Bytes bytes_;
};

} // namespace wgd::wg
