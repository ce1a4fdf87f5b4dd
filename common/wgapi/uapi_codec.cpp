// SPDX-License-Identifier: MIT
#include "common/wgapi/uapi_codec.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <fmt/format.h>
#include <iterator>
#include <limits>
#include <type_traits>

namespace wgd::uapi {
namespace {

// --- writing ---

// Branch-free per digit, straight into memory that is zeroed later: encode_hex would leave a copy behind.
void append_hex(SecretText& out, ByteView bytes) {
    const auto digit = [](unsigned nibble) {
        return static_cast<char>(nibble + '0' + (((9U - nibble) >> 8) & ('a' - '9' - 1U)));
    };
    std::size_t at = out.size();
    out.resize(at + 2 * bytes.size());
    for (const unsigned byte : bytes) {
        out[at++] = digit(byte >> 4);
        out[at++] = digit(byte & 15);
    }
}

void append_key(SecretText& out, std::string_view name, ByteView bytes) {
    out.append(name).push_back('=');
    append_hex(out, bytes);
    out.push_back('\n');
}

void append_line(SecretText& out, std::string_view name, std::string_view value) {
    out.append(name).push_back('=');
    out.append(value).push_back('\n');
}

template <class Int, class = std::enable_if_t<std::is_integral_v<Int>>>
void append_line(SecretText& out, std::string_view name, Int value) {
    std::array<char, std::numeric_limits<Int>::digits10 + 2> digits;
    const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
    append_line(out, name, std::string_view(digits.data(), static_cast<std::size_t>(end - digits.data())));
}

// What a line and a peer take, on the large side of the usual: a text that outgrows its memory is copied, but
// memory that was taken for nothing is zeroed all the same.
constexpr std::size_t kLineEstimate = 36;
constexpr std::size_t kPeerEstimate = 340;

// --- reading ---

struct Entry {
    std::string_view key;
    std::string_view value;
};

// Takes "key=value\n" off the front of `text`. nullopt: no '=' before the newline, or no newline.
std::optional<Entry> take_entry(std::string_view& text) {
    const auto newline = text.find('\n');
    const auto line = text.substr(0, newline);
    const auto equals = line.find('=');
    if (newline == std::string_view::npos || equals == std::string_view::npos) return std::nullopt;
    text.remove_prefix(newline + 1);
    return Entry{line.substr(0, equals), line.substr(equals + 1)};
}

template <class Int>
bool read(std::string_view text, Int& out) { // decimal digits only: no sign, no space, no overflow
    if (text.empty() || text.front() < '0' || text.front() > '9') return false;
    const auto* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, out);
    return error == std::errc{} && stop == end;
}

template <class Int>
bool read(std::string_view text, std::optional<Int>& out) {
    Int value{};
    if (!read(text, value)) return false;
    out = value;
    return true;
}

bool read_true(std::string_view text, bool& out) {
    return out = text == "true";
}

bool read(std::string_view text, PublicKey& out) {
    const auto key = PublicKey::from_hex(text);
    if (key) out = *key;
    return key.has_value();
}

template <class Key>
bool read_secret(std::string_view text, Key& out) {
    auto key = Key::from_hex(text);
    if (!key) return false;
    out = std::move(*key);
    return true;
}

template <class Key>
bool read_secret(std::string_view text, std::optional<Key>& out) {
    out = Key::from_hex(text);
    return out.has_value();
}

bool read(std::string_view text, std::optional<Endpoint>& out, const ScopeLookup& scopes) {
    out = Endpoint::parse(text);
    if (out || !scopes) return out.has_value();
    const auto percent = text.find('%');
    const auto bracket = text.find(']');
    if (percent == std::string_view::npos || bracket == std::string_view::npos || bracket < percent)
        return false;
    const auto index = scopes(text.substr(percent + 1, bracket - percent - 1));
    std::string without_scope(text.substr(0, percent));
    without_scope += text.substr(bracket);
    out = Endpoint::parse(without_scope);
    if (index == 0 || !out) return false;
    out->scope_id = index;
    return true;
}

bool read(std::string_view text, IpPrefix& out) {
    const auto prefix = IpPrefix::parse(text);
    if (prefix) out = prefix->network();
    return prefix.has_value();
}

// A reply's errno line, if `entry` is one.
Result<int> read_errno(std::string_view value) {
    int code = 0;
    const bool negative = !value.empty() && value.front() == '-';
    if (!read(value.substr(negative ? 1 : 0), code))
        return fail(ErrorCode::kProtocol, "the datapath's reply has a malformed errno");
    return code;
}

Result<void> refuse_errno(int code) {
    if (code == 0) return {};
    return fail_errno(ErrorCode::kBackend, code, "the datapath refused");
}

Failure malformed(std::string_view key) {
    return fail(ErrorCode::kProtocol, fmt::format("the datapath's reply has a malformed {}", key));
}

} // namespace

// --- client side ---

SecretText encode_get_request() {
    return "get=1\n\n";
}

SecretText encode_set_request(const DeviceDelta& delta) {
    SecretText out;
    std::size_t ips = 0;
    for (const auto& peer : delta.peers)
        ips += peer.allowed_ips.size();
    out.reserve(kPeerEstimate * (delta.peers.size() + 1) + kLineEstimate * ips);
    out += "set=1\n";
    if (delta.private_key) append_key(out, "private_key", delta.private_key->expose());
    if (delta.listen_port) append_line(out, "listen_port", *delta.listen_port);
    if (delta.fwmark) append_line(out, "fwmark", *delta.fwmark);
    if (delta.replace_peers) out += "replace_peers=true\n";
    for (const auto& peer : delta.peers) {
        append_key(out, "public_key", peer.public_key.bytes());
        if (peer.remove) {
            out += "remove=true\n";
            continue;
        }
        if (peer.update_only) // right behind the key: a datapath that reads line by line would create the
                              // peer
            out += "update_only=true\n";
        if (peer.preshared_key) append_key(out, "preshared_key", peer.preshared_key->expose());
        if (peer.endpoint) append_line(out, "endpoint", peer.endpoint->to_string());
        if (peer.persistent_keepalive)
            append_line(out, "persistent_keepalive_interval", *peer.persistent_keepalive);
        if (peer.replace_allowed_ips) out += "replace_allowed_ips=true\n";
        for (const auto& ip : peer.allowed_ips)
            fmt::format_to(std::back_inserter(out), "allowed_ip={}{}\n", ip.remove ? "-" : "",
                           ip.prefix.to_string());
    }
    out.push_back('\n');
    return out;
}

Result<WgDevice> parse_get_reply(std::string_view reply, const ScopeLookup& scopes) {
    WgDevice device;
    std::optional<int> code;
    std::uint64_t handshake_seconds = 0; // of the current peer
    while (!reply.empty() && reply != "\n") {
        const auto entry = take_entry(reply);
        if (!entry) return fail(ErrorCode::kProtocol, "the datapath's reply has a line without '='");
        const auto [key, value] = *entry;
        bool good = true;
        if (key == "errno") {
            auto parsed = read_errno(value);
            WGD_TRY(parsed);
            code = *parsed;
        } else if (key == "private_key") {
            good = read_secret(value, device.private_key);
        } else if (key == "listen_port") {
            good = read(value, device.listen_port);
        } else if (key == "fwmark") {
            good = read(value, device.fwmark);
        } else if (key == "public_key") {
            good = read(value, device.peers.emplace_back().public_key);
            handshake_seconds = 0;
        } else if (device.peers.empty()) {
            continue; // a device key that we do not know
        } else if (auto& peer = device.peers.back(); key == "preshared_key") {
            good = read_secret(value, peer.preshared_key);
        } else if (key == "endpoint") {
            good = read(value, peer.endpoint, scopes);
        } else if (key == "persistent_keepalive_interval") {
            good = read(value, peer.persistent_keepalive);
        } else if (key == "last_handshake_time_sec") {
            good = read(value, handshake_seconds) &&
                   handshake_seconds <= 9'000'000'000; // nanoseconds in 63 bits
            if (good) peer.latest_handshake += std::chrono::seconds(handshake_seconds);
        } else if (key == "last_handshake_time_nsec") {
            std::uint32_t nanoseconds = 0;
            good = read(value, nanoseconds) && nanoseconds < 1'000'000'000;
            peer.latest_handshake += std::chrono::nanoseconds(nanoseconds);
        } else if (key == "rx_bytes") {
            good = read(value, peer.rx_bytes);
        } else if (key == "tx_bytes") {
            good = read(value, peer.tx_bytes);
        } else if (key == "allowed_ip") {
            good = read(value, peer.allowed_ips.emplace_back());
        }
        if (!good) return malformed(key.substr(0, 32));
    }
    if (!code) return fail(ErrorCode::kProtocol, "the datapath's reply ends without an errno");
    WGD_TRY(refuse_errno(*code));
    if (!device.private_key.is_zero()) device.public_key = derive_public_key(device.private_key);
    return device;
}

Result<void> parse_set_reply(std::string_view reply) {
    std::optional<int> code;
    while (!reply.empty() && reply != "\n") {
        const auto entry = take_entry(reply);
        if (!entry) return fail(ErrorCode::kProtocol, "the datapath's reply has a line without '='");
        if (entry->key != "errno") continue;
        auto parsed = read_errno(entry->value);
        WGD_TRY(parsed);
        code = *parsed;
    }
    if (!code) return fail(ErrorCode::kProtocol, "the datapath's reply ends without an errno");
    return refuse_errno(*code);
}

// --- server side ---

namespace {

Failure refuse(int code, std::size_t line, std::string_view why) {
    return fail(
        Error{ErrorCode::kInvalidArgument, fmt::format("line {} of the request: {}", line, why), code});
}

bool read_device_line(const Entry& entry, DeviceDelta& delta) {
    const auto [key, value] = entry;
    if (key == "private_key") return read_secret(value, delta.private_key);
    if (key == "listen_port") return read(value, delta.listen_port);
    if (key == "fwmark") return read(value, delta.fwmark);
    if (key == "replace_peers") return read_true(value, delta.replace_peers);
    return false;
}

bool read_peer_line(const Entry& entry, PeerDelta& peer, const ScopeLookup& scopes) {
    const auto [key, value] = entry;
    if (key == "update_only") return read_true(value, peer.update_only);
    if (key == "remove") return read_true(value, peer.remove);
    if (key == "preshared_key") return read_secret(value, peer.preshared_key);
    if (key == "endpoint") return read(value, peer.endpoint, scopes);
    if (key == "persistent_keepalive_interval") return read(value, peer.persistent_keepalive);
    if (key == "replace_allowed_ips") return read_true(value, peer.replace_allowed_ips);
    if (key == "protocol_version") return value == "1";
    if (key == "allowed_ip") {
        auto& ip = peer.allowed_ips.emplace_back();
        ip.remove = !value.empty() && value.front() == '-';
        return read(value.substr(ip.remove ? 1 : 0), ip.prefix);
    }
    return false;
}

} // namespace

Result<Request> parse_request(std::string_view request, const ScopeLookup& scopes) {
    const auto operation = take_entry(request);
    if (!operation || (operation->key != "get" && operation->key != "set") || operation->value != "1")
        return refuse(EPROTO, 1, "neither get=1 nor set=1");
    if (operation->key == "get") {
        if (request != "\n") return refuse(EINVAL, 2, "get=1 takes no keys");
        return Request(GetRequest{});
    }

    SetRequest set;
    // A peer with an endpoint and an allowed IP is at least that long; to grow is to move all keys once more.
    constexpr std::size_t kUsualPeer = 128;
    set.delta.peers.reserve(request.size() / kUsualPeer);
    for (std::size_t line = 2; request != "\n"; ++line) {
        const auto entry = take_entry(request);
        if (!entry) return refuse(EPROTO, line, "not key=value");
        bool good = false;
        if (entry->key == "public_key")
            good = read(entry->value, set.delta.peers.emplace_back().public_key);
        else if (set.delta.peers.empty())
            good = read_device_line(*entry, set.delta);
        else
            good = read_peer_line(*entry, set.delta.peers.back(), scopes);
        if (!good) return refuse(EINVAL, line, "unknown key, key out of place or bad value");
    }
    return Request(std::move(set));
}

SecretText encode_get_reply(const WgDevice& device) {
    SecretText out;
    std::size_t ips = 0;
    for (const auto& peer : device.peers)
        ips += peer.allowed_ips.size();
    out.reserve(kPeerEstimate * (device.peers.size() + 1) + kLineEstimate * ips);
    if (!device.private_key.is_zero()) append_key(out, "private_key", device.private_key.expose());
    if (device.listen_port != 0) append_line(out, "listen_port", device.listen_port);
    if (device.fwmark != 0) append_line(out, "fwmark", device.fwmark);
    for (const auto& peer : device.peers) {
        append_key(out, "public_key", peer.public_key.bytes());
        append_key(out, "preshared_key", peer.preshared_key.expose());
        out += "protocol_version=1\n";
        if (peer.endpoint) append_line(out, "endpoint", peer.endpoint->to_string());
        const auto since_epoch = peer.latest_handshake.time_since_epoch();
        const auto seconds = std::chrono::floor<std::chrono::seconds>(since_epoch);
        append_line(out, "last_handshake_time_sec", seconds.count());
        append_line(out, "last_handshake_time_nsec", (since_epoch - seconds).count());
        append_line(out, "tx_bytes", peer.tx_bytes);
        append_line(out, "rx_bytes", peer.rx_bytes);
        append_line(out, "persistent_keepalive_interval", peer.persistent_keepalive);
        for (const auto& ip : peer.allowed_ips)
            append_line(out, "allowed_ip", ip.to_string());
    }
    out += "errno=0\n\n";
    return out;
}

SecretText encode_errno_reply(int code) {
    SecretText out;
    append_line(out, "errno", code);
    out.push_back('\n');
    return out;
}

std::optional<std::size_t> message_end(std::string_view buffer, std::size_t& scanned) {
    const auto end = buffer.find("\n\n", scanned);
    if (end == std::string_view::npos) {
        scanned =
            buffer.empty() ? 0 : buffer.size() - 1; // the last byte may be the first newline of the pair
        return std::nullopt;
    }
    return end + 2;
}

} // namespace wgd::uapi
