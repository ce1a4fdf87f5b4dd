// SPDX-License-Identifier: MIT
// Addresses, prefixes and endpoints as values. No name is ever resolved here.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <sys/socket.h>

#include "common/base/bytes.hpp"

namespace wgd {

enum class Family : std::uint8_t { kIpv4, kIpv6 };

// An IPv4 or IPv6 address in network byte order. An IPv4 address uses the first four bytes, the rest is zero.
class IpAddress {
  public:
    IpAddress() = default; // 0.0.0.0
    static IpAddress v4(std::array<std::uint8_t, 4> bytes);
    static IpAddress v6(std::array<std::uint8_t, 16> bytes);
    // From 4 or 16 network-order bytes; any other size is a programming error and gives nullopt.
    static std::optional<IpAddress> from_bytes(ByteView bytes);
    // inet_pton(3) forms only: no short IPv4 forms, no scope, no brackets.
    static std::optional<IpAddress> parse(std::string_view text);

    [[nodiscard]] Family family() const { return family_; }
    [[nodiscard]] bool is_v4() const { return family_ == Family::kIpv4; }
    [[nodiscard]] bool is_v6() const { return family_ == Family::kIpv6; }
    [[nodiscard]] int af() const; // AF_INET or AF_INET6
    [[nodiscard]] unsigned bits() const { return is_v4() ? 32 : 128; }
    [[nodiscard]] ByteView bytes() const { return {bytes_.data(), is_v4() ? 4U : 16U}; }
    [[nodiscard]] bool is_unspecified() const;
    [[nodiscard]] bool is_link_local() const; // 169.254/16, fe80::/10
    [[nodiscard]] bool is_multicast() const;
    [[nodiscard]] bool is_loopback() const; // 127/8, ::1
    [[nodiscard]] std::string to_string() const;

    auto operator<=>(const IpAddress&) const = default;

  private:
    Family family_ = Family::kIpv4;
    std::array<std::uint8_t, 16> bytes_{};
};

// address/length. Host bits are kept as written (an interface address needs them); network() clears them.
class IpPrefix {
  public:
    IpPrefix() = default; // 0.0.0.0/0
    // nullopt if length > address.bits().
    static std::optional<IpPrefix> make(IpAddress address, unsigned length);
    static IpPrefix host(IpAddress address); // /32 or /128
    // "addr" or "addr/len", len decimal (leading zeros allowed as wg(8) does), missing means host.
    static std::optional<IpPrefix> parse(std::string_view text);

    [[nodiscard]] const IpAddress& address() const { return address_; }
    [[nodiscard]] unsigned length() const { return length_; }
    [[nodiscard]] Family family() const { return address_.family(); }
    [[nodiscard]] bool is_default() const { return length_ == 0; } // a /0
    [[nodiscard]] bool is_host() const { return length_ == address_.bits(); }
    [[nodiscard]] bool has_host_bits() const { return !(network() == *this); }
    [[nodiscard]] IpPrefix network() const; // host bits cleared
    [[nodiscard]] bool contains(const IpAddress& address) const;
    [[nodiscard]] bool contains(const IpPrefix& other) const;
    [[nodiscard]] std::string to_string() const; // always with "/len"

    auto operator<=>(const IpPrefix&) const = default;

  private:
    IpAddress address_;
    unsigned length_ = 0;
};

// Where datagrams go: numeric address, UDP port, and for link-local IPv6 the interface index.
struct Endpoint {
    IpAddress address;
    std::uint16_t port = 0;
    std::uint32_t scope_id = 0; // sin6_scope_id, 0 if none

    // "1.2.3.4:51820", "[2001:db8::1]:51820", "[fe80::1%3]:51820" (numeric scope only).
    static std::optional<Endpoint> parse(std::string_view text);
    static std::optional<Endpoint> from_sockaddr(const sockaddr* address, socklen_t length);
    // Fills `out`, returns its length.
    socklen_t to_sockaddr(sockaddr_storage& out) const;
    [[nodiscard]] std::string to_string() const;

    auto operator<=>(const Endpoint&) const = default;
};

} // namespace wgd

template <>
struct std::hash<wgd::IpAddress> {
    std::size_t operator()(const wgd::IpAddress& address) const noexcept;
};
template <>
struct std::hash<wgd::IpPrefix> {
    std::size_t operator()(const wgd::IpPrefix& prefix) const noexcept;
};
