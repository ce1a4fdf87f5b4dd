// SPDX-License-Identifier: MIT
#include "common/wgapi/netlink_attributes.hpp"

#include <algorithm>
#include <linux/netlink.h>

namespace wgd::wgnl {
namespace {

constexpr std::size_t aligned(std::size_t length) {
    return (length + NLA_ALIGNTO - 1) & ~std::size_t{NLA_ALIGNTO - 1};
}
constexpr std::size_t kHeader = aligned(sizeof(nlattr));

void store_header(std::uint8_t* to, std::size_t length, std::uint16_t type) {
    nlattr header{};
    header.nla_len = static_cast<std::uint16_t>(length);
    header.nla_type = type;
    std::memcpy(to, &header, sizeof header);
}

} // namespace

void AttributeWriter::put(std::uint16_t type, ByteView value) {
    const auto at = out_.size();
    out_.resize(at + kHeader + aligned(value.size()));
    store_header(out_.data() + at, kHeader + value.size(), type);
    std::copy(value.begin(), value.end(), out_.begin() + static_cast<std::ptrdiff_t>(at + kHeader));
}

void AttributeWriter::put_string(std::uint16_t type, std::string_view value) {
    SecretBytes bytes(value.begin(), value.end());
    bytes.push_back(0);
    put(type, bytes);
}

std::size_t AttributeWriter::begin(std::uint16_t type) {
    const auto at = out_.size();
    out_.resize(at + kHeader);
    store_header(out_.data() + at, kHeader, static_cast<std::uint16_t>(type | NLA_F_NESTED));
    return at;
}

void AttributeWriter::end(std::size_t nest) {
    nlattr header{};
    std::memcpy(&header, out_.data() + nest, sizeof header);
    store_header(out_.data() + nest, out_.size() - nest, header.nla_type);
}

std::string_view Attribute::as_string() const {
    const std::string_view text(reinterpret_cast<const char*>(value.data()), value.size());
    return text.substr(0, text.find('\0'));
}

bool AttributeReader::next(Attribute& attribute) {
    if (rest_.empty() || malformed_) return false;
    nlattr header{};
    if (rest_.size() >= sizeof header) std::memcpy(&header, rest_.data(), sizeof header);
    if (header.nla_len < kHeader || header.nla_len > rest_.size()) {
        malformed_ = true;
        return false;
    }
    attribute.type = header.nla_type & NLA_TYPE_MASK;
    attribute.value = rest_.subspan(kHeader, header.nla_len - kHeader);
    rest_ = rest_.subspan(std::min(aligned(header.nla_len), rest_.size()));
    return true;
}

} // namespace wgd::wgnl
