// SPDX-License-Identifier: MIT
// Endpoints as wg(8) reads them: more forms than Endpoint::parse, and names.
#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <fmt/format.h>

#include "common/config/lexer.hpp"
#include "common/config/values.hpp"

namespace wgd {
namespace {

tl::unexpected<ValueError> bad(std::string message, std::size_t offset) {
    return tl::unexpected<ValueError>(ValueError{std::move(message), offset, {}});
}

// The forms getaddrinfo takes for IPv4: "192.0.2.1", "127.1", "0x7f000001", "2130706433".
std::optional<IpAddress> parse_ipv4_any_form(const std::string& host) {
    in_addr address{};
    if (host.find_first_not_of("0123456789abcdefABCDEFxX.") != std::string::npos ||
        inet_aton(host.c_str(), &address) == 0)
        return std::nullopt;
    std::array<std::uint8_t, 4> bytes{};
    std::memcpy(bytes.data(), &address, bytes.size());
    return IpAddress::v4(bytes);
}

bool is_host_name(std::string_view host) {
    if (!host.empty() && host.back() == '.') // the root's dot
        host.remove_suffix(1);
    if (host.empty() || host.size() > 253) return false;
    std::size_t label = 0;
    for (const char c : host) {
        const bool letter = (to_lower(c) >= 'a' && to_lower(c) <= 'z') || (c >= '0' && c <= '9') || c == '_';
        if (c == '.' ? label == 0 : !letter && (c != '-' || label == 0)) return false;
        label = c == '.' ? 0 : label + 1;
        if (label > 63) return false;
    }
    // RFC 1123 2.1: a name's last label is not all digits, so this is an address gone wrong.
    const auto last = host.substr(host.rfind('.') + 1);
    return last.find_first_not_of("0123456789") != std::string_view::npos;
}

} // namespace

std::optional<Endpoint> EndpointSpec::numeric() const {
    Endpoint endpoint;
    endpoint.port = port;
    if (host.find(':') == std::string::npos) {
        const auto address = parse_ipv4_any_form(host);
        if (!address) return std::nullopt;
        endpoint.address = *address;
        return endpoint;
    }
    const auto address = IpAddress::parse(host);
    if (!address) return std::nullopt;
    endpoint.address = *address;
    if (!scope.empty()) {
        const auto* end = scope.data() + scope.size();
        const auto [stop, error] = std::from_chars(scope.data(), end, endpoint.scope_id);
        if (error != std::errc{} || stop != end) return std::nullopt;
    }
    return endpoint;
}

Parsed<EndpointSpec> parse_endpoint(std::string_view text) {
    EndpointSpec spec;
    spec.text = std::string(text);
    std::string_view host;
    std::size_t colon = 0; // in front of the port
    std::size_t host_offset = 0;
    if (text.front() == '[') {
        const auto bracket = text.find(']');
        if (bracket == std::string_view::npos)
            return bad("the ']' of the endpoint's address is missing", text.size());
        host_offset = 1;
        host = text.substr(1, bracket - 1);
        colon = bracket + 1;
    } else {
        colon = std::min(text.rfind(':'), text.size());
        host = text.substr(0, colon);
    }
    if (colon >= text.size() || text[colon] != ':' || colon + 1 == text.size())
        return bad("the endpoint has no port: write host:port", std::min(colon, text.size()));
    const auto port = parse_port(text.substr(colon + 1));
    if (!port) return bad(port.error().message, colon + 1 + port.error().offset);
    spec.port = *port;

    const auto percent = std::min(host.find('%'), host.size());
    if (percent < host.size()) {
        const auto scope = host.substr(percent + 1);
        if (scope.empty() || scope.size() > 15 || scope.find('/') != std::string_view::npos)
            return bad("the endpoint's scope is not an interface", host_offset + percent);
        spec.scope = std::string(scope);
    }
    spec.host = std::string(host.substr(0, percent));
    if (text.find("://") != std::string_view::npos) return bad("an endpoint is host:port, not a URL", 0);
    if (spec.host.find(':') != std::string::npos && IpAddress::parse(spec.host)) return spec;
    if (!spec.scope.empty()) return bad("only an IPv6 address has a scope", host_offset + percent);
    if (!parse_ipv4_any_form(spec.host) && !is_host_name(spec.host))
        return bad(spec.host.empty()
                       ? "the endpoint has no host: write host:port"
                       : fmt::format("{} is neither an address nor a host name", quote(spec.host)),
                   host_offset);
    return spec;
}

} // namespace wgd
