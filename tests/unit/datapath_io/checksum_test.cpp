// SPDX-License-Identifier: MIT
#include <catch2/catch.hpp>
#include <random>

#include "datapath/io/checksum.hpp"
#include "tests/unit/datapath_io/packets.hpp"

using namespace wgd;
using namespace wgd::io;

namespace {

std::uint16_t as_number(std::uint16_t raw) {
    std::uint8_t bytes[2];
    checksum_store(bytes, raw);
    return load_be<std::uint16_t>(bytes);
}

} // namespace

TEST_CASE("the example of RFC 1071") {
    const Bytes data{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    CHECK(as_number(checksum_fold(checksum_add(data.data(), data.size(), 0))) == 0xddf2);
}

TEST_CASE("sums agree with the naive one for every length and alignment, and copies are copies") {
    std::mt19937 rng(1);
    Bytes data(2100);
    for (auto& byte : data)
        byte = static_cast<std::uint8_t>(rng());
    for (std::size_t size = 0; size < 2048; size += (size < 300 ? 1 : 37)) {
        const std::size_t offset = rng() % 40;
        const Bytes part(data.begin() + static_cast<std::ptrdiff_t>(offset),
                         data.begin() + static_cast<std::ptrdiff_t>(offset + size));
        const std::uint16_t want = test::naive_sum(part);
        INFO(size);
        CHECK(as_number(checksum_fold(checksum_add(data.data() + offset, size, 0))) == want);
        Bytes to(size + 2, 0xee);
        CHECK(as_number(checksum_fold(checksum_copy(to.data(), data.data() + offset, size, 0))) == want);
        CHECK(Bytes(to.begin(), to.end() - 2) == part);
        CHECK((to[size] == 0xee && to[size + 1] == 0xee));
    }
}

TEST_CASE("carries are not lost") {
    const Bytes ones(65536, 0xff);
    CHECK(checksum_fold(checksum_add(ones.data(), ones.size(), 0)) == 0xffff);
    CHECK(checksum_fold(0xffffffffffffffffULL) == 0xffff);
    CHECK(checksum_fold(0) == 0);
    CHECK(checksum_fold(0x10000) == 1);
}

TEST_CASE("parts at even offsets add up") {
    std::mt19937 rng(2);
    Bytes data(1501);
    for (auto& byte : data)
        byte = static_cast<std::uint8_t>(rng());
    const std::uint16_t whole = checksum_fold(checksum_add(data.data(), data.size(), 0));
    for (std::size_t cut = 0; cut < data.size(); cut += 2) {
        const std::uint64_t sum =
            checksum_add(data.data() + cut, data.size() - cut, checksum_add(data.data(), cut, 0));
        REQUIRE(checksum_fold(sum) == whole);
    }
}
