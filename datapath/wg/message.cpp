// SPDX-License-Identifier: MIT
#include "datapath/wg/message.hpp"

namespace wgd::wg {

std::optional<MessageType> classify(ByteView datagram) {
    if (datagram.size() < 4) return std::nullopt;
    // Type and reserved bytes compared as one word: a reserved byte that is not zero is not a message of
    // ours.
    switch (load_le<std::uint32_t>(datagram.data())) {
    case 1:
        if (datagram.size() == kInitiationSize) return MessageType::kInitiation;
        break;
    case 2:
        if (datagram.size() == kResponseSize) return MessageType::kResponse;
        break;
    case 3:
        if (datagram.size() == kCookieReplySize) return MessageType::kCookieReply;
        break;
    case 4:
        if (datagram.size() >= kMinTransportSize) return MessageType::kTransport;
        break;
    default:
        break;
    }
    return std::nullopt;
}

} // namespace wgd::wg
