// SPDX-License-Identifier: MIT
#include "datapath/wg/outbox.hpp"

namespace wgd::wg {

ByteSpan Outbox::add(const Path& to, std::uint8_t tos, Peer* peer, std::size_t size) {
    const std::size_t offset = bytes_.size();
    bytes_.resize(offset + size);
    datagrams_.push_back({to, tos, peer, offset, size});
    return ByteSpan(bytes_).subspan(offset, size);
}

} // namespace wgd::wg
