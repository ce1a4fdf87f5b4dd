// SPDX-License-Identifier: MIT
#include "common/config/values.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <fmt/format.h>

#include "common/base/encoding.hpp"
#include "common/config/lexer.hpp"
#include "common/model/limits.hpp"

namespace wgd {
namespace {

tl::unexpected<ValueError> bad(std::string message, std::size_t offset = 0, std::string suggestion = {}) {
    return tl::unexpected<ValueError>(ValueError{std::move(message), offset, std::move(suggestion)});
}

constexpr bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
constexpr bool is_alnum(char c) {
    return is_digit(c) || (to_lower(c) >= 'a' && to_lower(c) <= 'z');
}
constexpr bool is_base64(char c) {
    return is_alnum(c) || c == '+' || c == '/';
}

bool all_digits(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
}

// A number that does not fit is the largest one: every caller has a smaller limit.
std::uint64_t number(std::string_view digits, int base = 10) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
    return error == std::errc{} ? value : UINT64_MAX;
}

} // namespace

namespace {

// Whether so many base64 characters in a row may be a piece of a key that was put in the wrong place. Words
// of people seldom mix capitals, small letters and digits.
bool is_key_like(std::string_view run) {
    const auto has = [&](auto predicate) { return std::any_of(run.begin(), run.end(), predicate); };
    return run.size() >= 24 ||
           (run.size() >= 8 && has(is_digit) && has([](char c) { return c >= 'a' && c <= 'z'; }) &&
            has([](char c) { return c >= 'A' && c <= 'Z'; }));
}

} // namespace

std::string quote(std::string_view text) {
    constexpr std::size_t kShown = 40;
    const auto base64 = static_cast<std::size_t>(std::count_if(text.begin(), text.end(), is_base64));
    if (text.size() >= kShown && text.size() <= 48 && base64 >= 36)
        return "'(hidden)'"; // a whole key with a slip in it
    std::string out = "'";
    for (std::size_t i = 0; i < text.size();) {
        if (out.size() > kShown) {
            out += "...";
            break;
        }
        const auto rest = text.substr(i);
        const auto* end = std::find_if_not(rest.begin(), rest.end(), is_base64);
        const auto run = rest.substr(0, static_cast<std::size_t>(end - rest.begin()));
        if (is_key_like(run))
            out += "(hidden)";
        else if (!run.empty())
            out += run;
        else
            out += rest.front() >= 0x20 && rest.front() < 0x7f ? rest.front() : '?';
        i += std::max<std::size_t>(run.size(), 1);
    }
    return out + "'";
}

Parsed<void> parse_key(std::string_view text, ByteSpan out) {
    const bool hex = text.size() == 2 * out.size() && std::all_of(text.begin(), text.end(), [](char c) {
                         return is_digit(c) || (to_lower(c) >= 'a' && to_lower(c) <= 'f');
                     });
    if (hex) return bad("the key is in hexadecimal; write it in base64, 44 characters");
    const auto body = text.substr(0, std::min(text.size(), kKeyBase64Size - 1));
    const auto* stranger = std::find_if_not(body.begin(), body.end(), is_base64);
    if (stranger != body.end() && *stranger != '=')
        return bad(fmt::format("character {} of the key is not a base64 one", stranger - body.begin() + 1),
                   static_cast<std::size_t>(stranger - body.begin()));
    if (text.size() != kKeyBase64Size) {
        const bool lost_end = text.size() == kKeyBase64Size - 1 && stranger == body.end();
        return bad(fmt::format("a key is 44 characters of base64, this has {}{}", text.size(),
                               lost_end ? "; is the '=' at its end missing?" : ""));
    }
    if (stranger != body.end() || text.back() != '=')
        return bad("the 44th character of a key, and no other, is '='",
                   stranger != body.end() ? static_cast<std::size_t>(stranger - body.begin())
                                          : text.size() - 1);
    if (!decode_base64(text, out))
        return bad("the key's last letter cannot be right: it was mistyped or cut", text.size() - 2);
    return {};
}

Parsed<std::uint16_t> parse_port(std::string_view text) {
    struct Service {
        std::string_view name;
        std::uint16_t port;
    };
    static constexpr std::array<Service, 8> kServices{{{"domain", 53},
                                                       {"http", 80},
                                                       {"ntp", 123},
                                                       {"snmp", 161},
                                                       {"https", 443},
                                                       {"isakmp", 500},
                                                       {"openvpn", 1194},
                                                       {"ipsec-nat-t", 4500}}};
    const auto digits = text.substr(text.front() == '+' ? 1 : 0);
    if (all_digits(digits)) {
        if (const auto value = number(digits); value <= 0xffff) return static_cast<std::uint16_t>(value);
        return bad(fmt::format("port {} is larger than 65535", quote(digits)));
    }
    const auto* service = std::find_if(kServices.begin(), kServices.end(),
                                       [&](const Service& each) { return each.name == text; });
    if (service != kServices.end()) return service->port;
    return bad(fmt::format("{} is not a port: write a number from 0 to 65535", quote(text)));
}

Parsed<std::uint32_t> parse_fwmark(std::string_view text) {
    if (equals_ignoring_case(text, "off")) return 0U;
    constexpr std::string_view kHexDigits = "0123456789abcdefABCDEF";
    const bool hex = text.substr(0, 2) == "0x";
    const auto digits = hex ? text.substr(2) : text;
    const bool good = hex ? !digits.empty() && digits.find_first_not_of(kHexDigits) == std::string_view::npos
                          : all_digits(digits);
    if (!good) {
        if (text.substr(0, 2) == "0X" && text.size() <= 10 &&
            text.find_first_not_of(kHexDigits, 2) == std::string_view::npos)
            return bad("FwMark takes '0x' with a small x", 1, "0x" + std::string(text.substr(2)));
        return bad(
            fmt::format("{} is not a mark: write off, a number, or 0x and hexadecimal digits", quote(text)));
    }
    if (const auto value = number(digits, hex ? 16 : 10); value <= 0xffffffff)
        return static_cast<std::uint32_t>(value);
    return bad(fmt::format("mark {} is larger than 0xffffffff", quote(text)));
}

Parsed<std::uint16_t> parse_keepalive(std::string_view text) {
    if (equals_ignoring_case(text, "off")) return std::uint16_t{0};
    if (!all_digits(text)) {
        const auto end = std::min(text.find_first_not_of("0123456789"), text.size());
        const bool seconds = end > 0 && end < 6 && equals_ignoring_case(text.substr(end), "s");
        return bad(fmt::format("{} is not an interval: write off or seconds from 1 to 65535", quote(text)),
                   end, seconds ? std::string(text.substr(0, end)) : "");
    }
    if (const auto value = number(text); value <= 0xffff) return static_cast<std::uint16_t>(value);
    return bad(fmt::format("interval {} is longer than 65535 seconds", quote(text)));
}

Parsed<unsigned> parse_mtu(std::string_view text) {
    if (!all_digits(text)) return bad(fmt::format("{} is not an MTU: write a number of bytes", quote(text)));
    const auto value = number(text);
    if (value == 0) return bad("an MTU of 0 is impossible; leave the line out to have it chosen");
    if (value < kMinMtu || value > kMaxMtu)
        return bad(fmt::format("MTU {} is outside {}-{}", quote(text), kMinMtu, kMaxMtu));
    return static_cast<unsigned>(value);
}

Parsed<TableSpec> parse_table(std::string_view text) {
    if (equals_ignoring_case(text, "off")) return TableSpec(TableOff{});
    if (equals_ignoring_case(text, "auto")) return TableSpec(TableAuto{});
    const bool hex = text.size() > 2 && (text.substr(0, 2) == "0x" || text.substr(0, 2) == "0X");
    if (hex || is_digit(text.front())) {
        const auto digits = hex ? text.substr(2) : text;
        const bool good = hex ? digits.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos
                              : all_digits(digits);
        const auto value = good ? number(digits, hex ? 16 : 10) : 0;
        if (value == 0 || value > 0xffffffff)
            return bad(fmt::format(
                "{} is not a table: write auto, off, 1-4294967295 or a name from rt_tables", quote(text)));
        return TableSpec(TableNumber{static_cast<std::uint32_t>(value)});
    }
    const auto is_name_char = [](char c) { return is_alnum(c) || c == '_' || c == '-' || c == '.'; };
    if (text.front() == '-' || text.size() > 64 || !std::all_of(text.begin(), text.end(), is_name_char))
        return bad(fmt::format("{} is not a table: write auto, off, a number or a name from rt_tables",
                               quote(text)));
    return TableSpec(TableName{std::string(text)});
}

Parsed<bool> parse_bool(std::string_view text) {
    if (equals_ignoring_case(text, "true")) return true;
    if (equals_ignoring_case(text, "false")) return false;
    return bad(fmt::format("{} is neither true nor false", quote(text)));
}

namespace {

Parsed<unsigned> parse_length(std::string_view text, unsigned bits, std::size_t offset) {
    if (!all_digits(text)) return bad(fmt::format("{} is not a prefix length", quote(text)), offset);
    if (const auto value = number(text); value <= bits) return static_cast<unsigned>(value);
    return bad(fmt::format("prefix length {} is larger than {}", quote(text), bits), offset);
}

// "255.255.255.0" is 24; nullopt if the ones are not all in front.
std::optional<unsigned> netmask_length(std::string_view text) {
    const auto mask = IpAddress::parse(text);
    if (!mask || !mask->is_v4()) return std::nullopt;
    const auto bits = load_be<std::uint32_t>(mask->bytes().data());
    unsigned length = 0;
    while (length < 32 && ((bits >> (31 - length)) & 1U) != 0)
        ++length;
    return length < 32 && (bits << length) != 0 ? std::nullopt : std::optional(length);
}

Parsed<IpAddress> parse_ip(std::string_view text) {
    if (const auto address = IpAddress::parse(text)) return *address;
    if (text.empty()) return bad("an address is missing");
    return bad(fmt::format("{} is not an IPv4 or IPv6 address", quote(text)));
}

} // namespace

Parsed<IpPrefix> parse_allowed_ip(std::string_view text) {
    const auto slash = std::min(text.find('/'), text.size());
    const auto address = parse_ip(text.substr(0, slash));
    if (!address) return tl::unexpected(address.error());
    if (slash == text.size()) return IpPrefix::host(*address);
    const auto length = parse_length(text.substr(slash + 1), address->bits(), slash + 1);
    if (!length) return tl::unexpected(length.error());
    return *IpPrefix::make(*address, *length);
}

Parsed<IpPrefix> parse_address(std::string_view text) {
    const auto slash = text.find('/');
    if (slash != std::string_view::npos)
        if (const auto length = netmask_length(text.substr(slash + 1)))
            if (const auto address = IpAddress::parse(text.substr(0, slash)); address && address->is_v4())
                return *IpPrefix::make(*address, *length);
    return parse_allowed_ip(text);
}

Parsed<std::string> parse_search_domain(std::string_view text) {
    const auto name = text.substr(text.front() == '~' ? 1 : 0);
    if (name == "." && text.size() == 2)
        return std::string(text); // "~.": all names, as systemd-resolved writes it
    const auto is_label_char = [](char c) { return is_alnum(c) || c == '-' || c == '_' || c == '.'; };
    const bool numeric = name.find_first_not_of("0123456789.") == std::string_view::npos;
    if (name.empty() || name.size() > 253 || !std::all_of(name.begin(), name.end(), is_label_char) ||
        name.front() == '.' || name.front() == '-' || name.find("..") != std::string_view::npos || numeric)
        return bad(fmt::format("{} is neither the address of a DNS server nor a search domain", quote(text)));
    return std::string(text);
}

} // namespace wgd
