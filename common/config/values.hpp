// SPDX-License-Identifier: MIT
// The right-hand sides of a profile: one function per kind of value, text -> value or what is wrong with it.
// Every function expects the text without white space inside (wg(8) deletes it) and not empty.
// Messages quote what was written only where it cannot be a key.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "common/base/bytes.hpp"
#include "common/config/profile.hpp"

namespace wgd {

struct ValueError {
    std::string message;
    std::size_t offset = 0; // of the offending byte in the text
    std::string suggestion;
};
template <class T>
using Parsed = tl::expected<T, ValueError>;

// Base64 of 32 bytes into `out`, canonical. The message says what is wrong and never shows the text.
Parsed<void> parse_key(std::string_view text, ByteSpan out);
// 0-65535 in decimal, a '+' in front and leading zeros allowed, or the name of a service that WireGuard is
// run on to pass firewalls ("domain", "https"...): wg(8) asks the system's services file, this is a fixed
// table.
Parsed<std::uint16_t> parse_port(std::string_view text);
Parsed<std::uint32_t> parse_fwmark(std::string_view text);    // off, decimal, 0x hexadecimal
Parsed<std::uint16_t> parse_keepalive(std::string_view text); // off, 0-65535
Parsed<unsigned> parse_mtu(std::string_view text);            // kMinMtu..kMaxMtu
Parsed<TableSpec> parse_table(std::string_view text);         // auto, off, number, name
Parsed<bool> parse_bool(std::string_view text);               // true, false
Parsed<IpPrefix> parse_address(std::string_view text); // a.b.c.d[/len], also /255.255.255.0 as ip(8) takes it
Parsed<IpPrefix> parse_allowed_ip(std::string_view text); // without the + or -; host bits as written
Parsed<EndpointSpec>
parse_endpoint(std::string_view text); // "host:port" split at the last colon, "[host]:port"
Parsed<std::string> parse_search_domain(std::string_view text);

// `text` in quotes for a message: printable, at most 40 bytes, and with anything that could be a key masked.
std::string quote(std::string_view text);

} // namespace wgd
