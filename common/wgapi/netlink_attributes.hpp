// SPDX-License-Identifier: MIT
// Netlink attributes as bytes: a writer with nests and a reader that checks every length. Source: netlink(7).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "common/base/bytes.hpp"
#include "common/base/secret_text.hpp"

namespace wgd::wgnl {

class AttributeWriter {
  public:
    void put(std::uint16_t type, ByteView value);
    void put_string(std::uint16_t type, std::string_view value); // with a zero byte behind it
    template <class Int>
    void put_int(std::uint16_t type, Int value) {
        put(type, {reinterpret_cast<const std::uint8_t*>(&value), sizeof value});
    }
    // Returns a token for end(); everything put between them is inside.
    [[nodiscard]] std::size_t begin(std::uint16_t type);
    void end(std::size_t nest);

    [[nodiscard]] std::size_t size() const { return out_.size(); }
    [[nodiscard]] SecretBytes take() && { return std::move(out_); }

  private:
    SecretBytes out_;
};

struct Attribute {
    std::uint16_t type = 0; // without the nested and byte-order flags
    ByteView value;

    // The value as an integer of exactly that size, in host order.
    template <class Int>
    [[nodiscard]] std::optional<Int> as() const {
        Int out{};
        if (value.size() != sizeof out) return std::nullopt;
        std::memcpy(&out, value.data(), sizeof out);
        return out;
    }
    [[nodiscard]] std::string_view as_string() const; // without its zero byte
};

class AttributeReader {
  public:
    explicit AttributeReader(ByteView bytes)
        : rest_(bytes) {}
    bool next(Attribute& attribute); // false: at the end, or malformed
    [[nodiscard]] bool malformed() const { return malformed_; }

  private:
    ByteView rest_;
    bool malformed_ = false;
};

} // namespace wgd::wgnl
