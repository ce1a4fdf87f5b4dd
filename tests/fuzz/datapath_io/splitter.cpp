// SPDX-License-Identifier: MIT
// What the kernel, or whoever holds the TUN, may hand us: any virtio-net header in front of any packet. Every
// segment fits the size announced for it (AddressSanitizer sees the exact allocations).
#include <cstdlib>

#include "datapath/io/splitter.hpp"

using namespace wgd;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < io::kVnetHeaderSize) return 0;
    io::VnetHeader vnet;
    std::memcpy(&vnet, data, sizeof vnet);
    const Bytes packet(data + sizeof vnet, data + size); // a copy, so that reading past its end shows
    io::Splitter splitter;
    if (!splitter.begin(vnet, packet)) return 0;
    if (splitter.count() == 0 || splitter.count() > 65536) std::abort();
    std::size_t payload = 0;
    for (std::size_t i = 0; i < splitter.count(); ++i) {
        const std::size_t segment = splitter.segment_size(i);
        if (segment == 0 || segment > packet.size()) std::abort();
        Bytes out(segment);
        splitter.write(i, out.data());
        payload += segment;
    }
    if (payload < packet.size()) std::abort(); // nothing is lost
    return 0;
}
