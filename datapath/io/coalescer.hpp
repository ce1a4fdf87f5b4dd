// SPDX-License-Identifier: MIT
// Coalescer: the reverse of Splitter. Takes opened packets of one batch, joins those that follow each other
// in a TCP or UDP flow into super-packets, and hands them out as iovecs for one writev(2) each: the payload
// stays where it was opened. The head's IP and transport header are rewritten in place.
//
// A packet is joined only if splitting the result gives back the very bytes that came in, its checksum was
// verified (a super-packet tells the kernel that they are right), and nothing of its flow is overtaken. Flows
// may overtake each other. Bounded and without allocation after construction; one thread.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <sys/uio.h>
#include <vector>

#include "datapath/io/inner_header.hpp"
#include "datapath/io/splitter.hpp"

namespace wgd::io {

class Coalescer {
  public:
    struct Options {
        bool tcp4 = true;
        bool tcp6 = true;
        bool udp = true; // needs a TUN that takes UDP super-packets (Linux 6.2)
    };
    // `capacity` is the most packets of one batch.
    Coalescer(std::size_t capacity, Options options);

    [[nodiscard]] bool full() const { return packets_.size() == packets_.capacity(); }
    [[nodiscard]] bool empty() const { return packets_.empty(); }
    // The packet must stay in place until flush(). Precondition: not full().
    void add(std::uint8_t* packet, std::size_t size);

    // Calls write(span<const iovec>, flow) for each packet or super-packet: iovec 0 is the vnet header,
    // `flow` a number that is the same for all of a flow. Then forgets them.
    template <class Write>
    void flush(Write&& write) {
        for (Group& group : groups_)
            write(finish(group), group.flow);
        clear();
    }

    struct Counters {
        std::uint64_t packets = 0; // added
        std::uint64_t writes = 0;  // handed out
    };
    [[nodiscard]] const Counters& counters() const { return counters_; }

  private:
    static constexpr std::uint32_t kNone = 0xffffffff;
    static constexpr std::size_t kBuckets = 256;
    static constexpr std::size_t kMaxSegments = 64; // UDP_MAX_SEGMENTS of older kernels

    struct Packet {
        std::uint8_t* data;
        std::uint32_t size;
        std::uint32_t next; // in its group
    };
    struct Group {
        std::uint32_t first;
        std::uint32_t last;
        std::uint32_t count = 1;
        std::uint32_t size; // of the super-packet
        std::size_t flow = 0;
        InnerHeader header;
        std::uint32_t segment_payload = 0; // of all but the last
        std::uint32_t next_sequence = 0;   // TCP
        std::uint16_t next_id = 0;         // IPv4
        bool open = false;                 // takes more packets
        bool verified = false;             // the head's checksum was looked at and is right
    };

    // What to do with a packet as far as its own headers tell.
    enum class Kind : std::uint8_t {
        kForeign,  // no flow we know
        kAlone,    // of a flow, but not to be joined; nothing of the flow may pass it
        kJoinable, // may head or follow
    };
    [[nodiscard]] Kind classify(const std::uint8_t* packet, std::size_t size, InnerHeader& header) const;
    [[nodiscard]] bool try_join(Group& group, std::uint8_t* packet, std::size_t size,
                                const InnerHeader& header, std::uint32_t index);
    std::span<const iovec> finish(Group& group);
    void clear();

    Options options_;
    std::vector<Packet> packets_;
    std::vector<Group> groups_; // in the order their heads came
    // Flow hash to the group that may take its next packet. A collision merely closes the other group.
    std::array<std::uint32_t, kBuckets> bucket_{};
    std::vector<std::uint16_t> used_buckets_;
    VnetHeader vnet_{};
    std::array<iovec, kMaxSegments + 2> vectors_{};
    Counters counters_;
};

} // namespace wgd::io
