// SPDX-License-Identifier: MIT
// A cipher that does not encipher, to measure everything else. Compiled into bench/'s wgd-datapath-null only,
// which is never installed: its tunnels are open to read, to write and to replay.
#pragma once

#include <memory>

#include "datapath/crypto/aead.hpp"

namespace wgd::bench {

class NullAead final : public crypto::Aead {
  public:
    void seal(const crypto::AeadKey&, std::span<crypto::AeadPacket> packets) override {
        for (crypto::AeadPacket& packet : packets) {
            if (packet.in != packet.out) std::memmove(packet.out, packet.in, packet.length);
            std::memset(packet.out + packet.length, 0, crypto::kAeadTagSize);
        }
    }
    void open(const crypto::AeadKey&, std::span<crypto::AeadPacket> packets) override {
        for (crypto::AeadPacket& packet : packets) {
            if (packet.in != packet.out) std::memmove(packet.out, packet.in, packet.length);
            packet.authentic = true;
        }
    }
};

inline std::unique_ptr<crypto::Aead> make_null_aead() {
    return std::make_unique<NullAead>();
}

} // namespace wgd::bench
