// SPDX-License-Identifier: MIT
#include "common/base/ip.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <netinet/in.h>

namespace wgd {
namespace {

template <class Int>
std::optional<Int> parse_decimal(std::string_view text, Int max) {
    unsigned long value = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || ec != std::errc{} || end != text.data() + text.size() || value > max)
        return std::nullopt;
    return static_cast<Int>(value);
}

// FNV-1a: addresses in our tables come from configuration, not from strangers, so no keyed hash is needed.
std::size_t fnv1a(ByteView bytes, std::size_t seed) {
    std::size_t hash = 0xcbf29ce484222325ULL ^ seed;
    for (const auto byte : bytes)
        hash = (hash ^ byte) * 0x100000001b3ULL;
    return hash;
}

} // namespace

IpAddress IpAddress::v4(std::array<std::uint8_t, 4> bytes) {
    IpAddress address;
    std::copy(bytes.begin(), bytes.end(), address.bytes_.begin());
    return address;
}

IpAddress IpAddress::v6(std::array<std::uint8_t, 16> bytes) {
    IpAddress address;
    address.family_ = Family::kIpv6;
    address.bytes_ = bytes;
    return address;
}

std::optional<IpAddress> IpAddress::from_bytes(ByteView bytes) {
    IpAddress address;
    if (bytes.size() != 4 && bytes.size() != 16) return std::nullopt;
    address.family_ = bytes.size() == 4 ? Family::kIpv4 : Family::kIpv6;
    std::copy(bytes.begin(), bytes.end(), address.bytes_.begin());
    return address;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
    char buffer[INET6_ADDRSTRLEN];
    if (text.empty() || text.size() >= sizeof buffer || text.find('\0') != std::string_view::npos)
        return std::nullopt;
    *std::copy(text.begin(), text.end(), buffer) = '\0';
    IpAddress address;
    address.family_ = text.find(':') == std::string_view::npos ? Family::kIpv4 : Family::kIpv6;
    if (inet_pton(address.af(), buffer, address.bytes_.data()) != 1) return std::nullopt;
    return address;
}

int IpAddress::af() const {
    return is_v4() ? AF_INET : AF_INET6;
}

bool IpAddress::is_unspecified() const {
    return std::all_of(bytes_.begin(), bytes_.end(), [](auto byte) { return byte == 0; });
}

bool IpAddress::is_link_local() const {
    return is_v4() ? bytes_[0] == 169 && bytes_[1] == 254 : bytes_[0] == 0xfe && (bytes_[1] & 0xc0) == 0x80;
}

bool IpAddress::is_multicast() const {
    return is_v4() ? (bytes_[0] & 0xf0) == 0xe0 : bytes_[0] == 0xff;
}

bool IpAddress::is_loopback() const {
    if (is_v4()) return bytes_[0] == 127;
    return std::all_of(bytes_.begin(), bytes_.end() - 1, [](auto byte) { return byte == 0; }) &&
           bytes_[15] == 1;
}

namespace {

// Digits at `at`; where they end.
char* put_decimal(char* at, unsigned value) {
    return std::to_chars(at, at + 3, value).ptr; // an octet
}

char* put_v4(char* at, const std::uint8_t* bytes) {
    for (int i = 0; i < 4; ++i) {
        if (i != 0) *at++ = '.';
        at = put_decimal(at, bytes[i]);
    }
    return at;
}

// RFC 5952: no leading zeros, the longest run of at least two zero groups, the first of equals, as "::"; an
// IPv4 address at the end where the prefix says so (RFC 4291 2.5.5), as inet_ntop(3) has it.
char* put_v6(char* at, const std::uint8_t* bytes) {
    std::array<unsigned, 8> groups;
    for (std::size_t i = 0; i < groups.size(); ++i)
        groups[i] = static_cast<unsigned>(bytes[2 * i] << 8 | bytes[2 * i + 1]);
    std::size_t begin = groups.size(), length = 1; // of the run
    for (std::size_t i = 0; i < groups.size(); ++i) {
        std::size_t end = i;
        while (end < groups.size() && groups[end] == 0)
            ++end;
        if (end - i > length) begin = i, length = end - i;
        if (end > i) i = end - 1;
    }
    const bool v4_inside = begin == 0 && (length == 6 || (length == 5 && groups[5] == 0xffff));
    for (std::size_t i = 0; i < groups.size(); ++i) {
        if (i == begin) {
            *at++ = ':';
            i += length - 1;
            if (i + 1 == groups.size()) *at++ = ':';
            continue;
        }
        if (i != 0) *at++ = ':';
        if (i == 6 && v4_inside) return put_v4(at, bytes + 12);
        at = std::to_chars(at, at + 4, groups[i], 16).ptr;
    }
    return at;
}

} // namespace

// Not by inet_ntop(3), which goes through printf: lists of peers have tens of thousands of addresses.
std::string IpAddress::to_string() const {
    char buffer[INET6_ADDRSTRLEN];
    char* const end = is_v4() ? put_v4(buffer, bytes_.data()) : put_v6(buffer, bytes_.data());
    return {buffer, end};
}

std::optional<IpPrefix> IpPrefix::make(IpAddress address, unsigned length) {
    if (length > address.bits()) return std::nullopt;
    IpPrefix prefix;
    prefix.address_ = address;
    prefix.length_ = length;
    return prefix;
}

IpPrefix IpPrefix::host(IpAddress address) {
    IpPrefix prefix;
    prefix.address_ = address;
    prefix.length_ = address.bits();
    return prefix;
}

std::optional<IpPrefix> IpPrefix::parse(std::string_view text) {
    const auto slash = text.find('/');
    const auto address = IpAddress::parse(text.substr(0, slash));
    if (!address) return std::nullopt;
    if (slash == std::string_view::npos) return host(*address);
    const auto length = parse_decimal<unsigned>(text.substr(slash + 1), address->bits());
    if (!length) return std::nullopt;
    return make(*address, *length);
}

IpPrefix IpPrefix::network() const {
    std::array<std::uint8_t, 16> bytes{};
    const auto mine = address_.bytes();
    for (unsigned i = 0; i < mine.size(); ++i) {
        const unsigned kept = length_ <= i * 8 ? 0 : std::min(8U, length_ - i * 8);
        bytes[i] = static_cast<std::uint8_t>(mine[i] & (0xff00U >> kept));
    }
    return *make(*IpAddress::from_bytes({bytes.data(), mine.size()}), length_);
}

bool IpPrefix::contains(const IpAddress& address) const {
    return address.family() == family() && make(address, length_)->network().address() == network().address();
}

bool IpPrefix::contains(const IpPrefix& other) const {
    return other.length_ >= length_ && contains(other.address_);
}

std::string IpPrefix::to_string() const {
    return address_.to_string() + "/" + std::to_string(length_);
}

std::optional<Endpoint> Endpoint::parse(std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    const auto port = parse_decimal<std::uint16_t>(text.substr(colon + 1), 0xffff);
    auto host = text.substr(0, colon);
    Endpoint endpoint;
    const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
    if (bracketed) host = host.substr(1, host.size() - 2);
    if (const auto percent = host.find('%'); bracketed && percent != std::string_view::npos) {
        const auto scope = parse_decimal<std::uint32_t>(host.substr(percent + 1), 0xffffffff);
        if (!scope) return std::nullopt;
        endpoint.scope_id = *scope;
        host = host.substr(0, percent);
    }
    const auto address = IpAddress::parse(host);
    if (!port || !address || address->is_v6() != bracketed) return std::nullopt;
    endpoint.address = *address;
    endpoint.port = *port;
    return endpoint;
}

std::optional<Endpoint> Endpoint::from_sockaddr(const sockaddr* address, socklen_t length) {
    Endpoint endpoint;
    if (length >= sizeof(sockaddr_in) && address->sa_family == AF_INET) {
        sockaddr_in in{};
        std::memcpy(&in, address, sizeof in);
        std::array<std::uint8_t, 4> bytes{};
        std::memcpy(bytes.data(), &in.sin_addr, 4);
        endpoint.address = IpAddress::v4(bytes);
        endpoint.port = ntohs(in.sin_port);
        return endpoint;
    }
    if (length >= sizeof(sockaddr_in6) && address->sa_family == AF_INET6) {
        sockaddr_in6 in{};
        std::memcpy(&in, address, sizeof in);
        std::array<std::uint8_t, 16> bytes{};
        std::memcpy(bytes.data(), &in.sin6_addr, 16);
        endpoint.address = IpAddress::v6(bytes);
        endpoint.port = ntohs(in.sin6_port);
        endpoint.scope_id = in.sin6_scope_id;
        return endpoint;
    }
    return std::nullopt;
}

socklen_t Endpoint::to_sockaddr(sockaddr_storage& out) const {
    std::memset(&out, 0, sizeof out);
    if (address.is_v4()) {
        sockaddr_in in{};
        in.sin_family = AF_INET;
        in.sin_port = htons(port);
        std::memcpy(&in.sin_addr, address.bytes().data(), 4);
        std::memcpy(&out, &in, sizeof in);
        return sizeof in;
    }
    sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(port);
    in.sin6_scope_id = scope_id;
    std::memcpy(&in.sin6_addr, address.bytes().data(), 16);
    std::memcpy(&out, &in, sizeof in);
    return sizeof in;
}

std::string Endpoint::to_string() const {
    if (address.is_v4()) return address.to_string() + ":" + std::to_string(port);
    const std::string scope = scope_id == 0 ? "" : "%" + std::to_string(scope_id);
    return "[" + address.to_string() + scope + "]:" + std::to_string(port);
}

} // namespace wgd

std::size_t std::hash<wgd::IpAddress>::operator()(const wgd::IpAddress& address) const noexcept {
    return wgd::fnv1a(address.bytes(), address.bits());
}

std::size_t std::hash<wgd::IpPrefix>::operator()(const wgd::IpPrefix& prefix) const noexcept {
    return wgd::fnv1a(prefix.address().bytes(), prefix.length() << 8);
}
