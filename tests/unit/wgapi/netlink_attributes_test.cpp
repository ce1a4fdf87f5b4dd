// SPDX-License-Identifier: MIT
#include "common/wgapi/netlink_attributes.hpp"

#include <catch2/catch.hpp>

using namespace wgd;
using namespace wgd::wgnl;

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "the bytes below are those of a little-endian machine");

TEST_CASE("attributes are padded, nests know their length") {
    AttributeWriter writer;
    writer.put_string(2, "wg0");
    const auto nest = writer.begin(8);
    writer.put_int<std::uint16_t>(6, 0x1234);
    writer.end(nest);
    const auto bytes = std::move(writer).take();
    const SecretBytes expected{8,  0, 2, 0,    'w',  'g',  '0', 0, //
                               12, 0, 8, 0x80,                     // NLA_F_NESTED
                               6,  0, 6, 0,    0x34, 0x12, 0,   0};
    CHECK(bytes == expected);

    AttributeReader reader(bytes);
    Attribute each;
    REQUIRE(reader.next(each));
    CHECK(each.type == 2);
    CHECK(each.as_string() == "wg0");
    REQUIRE(reader.next(each));
    CHECK(each.type == 8);
    AttributeReader inner(each.value);
    REQUIRE(inner.next(each));
    CHECK(each.as<std::uint16_t>() == 0x1234);
    CHECK_FALSE(each.as<std::uint32_t>());
    CHECK_FALSE(inner.next(each));
    CHECK_FALSE(inner.malformed());
    CHECK_FALSE(reader.next(each));
    CHECK_FALSE(reader.malformed());
}

TEST_CASE("lengths that lie") {
    const auto malformed = [](std::initializer_list<std::uint8_t> list) {
        const Bytes bytes(list);
        AttributeReader reader(bytes);
        Attribute each;
        while (reader.next(each)) {
        }
        return reader.malformed();
    };
    CHECK_FALSE(malformed({}));
    CHECK(malformed({4}));
    CHECK(malformed({4, 0, 1}));
    CHECK(malformed({3, 0, 1, 0})); // shorter than a header
    CHECK(malformed({0, 0, 0, 0})); // would never end
    CHECK(malformed({9, 0, 1, 0, 1, 2, 3, 4}));
    CHECK_FALSE(malformed({5, 0, 1, 0, 1})); // the last padding may be missing
    CHECK(malformed({4, 0, 1, 0, 1}));
}
