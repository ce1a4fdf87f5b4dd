// SPDX-License-Identifier: MIT
// Nanoseconds per packet of every AEAD back end of this machine, sealing and opening bursts, for a few sizes.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>

#include "datapath/crypto/aead.hpp"

using namespace wgd;
using namespace wgd::crypto;

int main() {
    constexpr std::size_t kBurst = 45;
    std::printf("| back end |  | 64 B | 200 B | 576 B | 1424 B |\n|---|---|---|---|---|---|\n");
    for (AeadBackend backend : available_aead_backends()) {
        const auto aead = make_aead(backend);
        const AeadKey key;
        for (bool open : {false, true}) {
            std::printf("| %s | %s |", std::string(to_string(backend)).c_str(), open ? "open" : "seal");
            for (std::uint32_t size : {64U, 200U, 576U, 1424U}) {
                Bytes buffer(kBurst * 1500);
                std::vector<AeadPacket> packets(kBurst);
                double best = 1e12;
                for (int round = 0; round < 400; ++round) {
                    for (std::size_t i = 0; i < kBurst; ++i)
                        packets[i] = {buffer.data() + i * 1500, buffer.data() + i * 1500, size, false, i};
                    if (open) aead->seal(key, packets);
                    const auto begin = std::chrono::steady_clock::now();
                    open ? aead->open(key, packets) : aead->seal(key, packets);
                    const std::chrono::duration<double, std::nano> took =
                        std::chrono::steady_clock::now() - begin;
                    best = std::min(best, took.count() / kBurst);
                }
                std::printf(" %.0f |", best);
            }
            std::printf("\n");
        }
    }
}
