// SPDX-License-Identifier: MIT
// wgctl show, as `wg show`: for people without a field, for scripts with one.
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <functional>
#include <net/if.h>
#include <optional>
#include <string>

#include "cli/terminal.hpp"
#include "cli/wg_device.hpp"

namespace wgd::cli {
namespace {

constexpr char kArguments[] =
    "{ <interface> | all | interfaces } [public-key | private-key | listen-port | fwmark | "
    "peers | preshared-keys | endpoints | allowed-ips | latest-handshakes | transfer | "
    "persistent-keepalive | dump]";

std::uint64_t handshake_seconds(const WgPeer& peer) {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::seconds>(peer.latest_handshake.time_since_epoch()).count());
}

std::string public_key_text(const PublicKey& key) {
    return key.is_zero() ? "(none)" : key.to_base64();
}

template <class Key>
std::string secret_text(const Key& key) {
    return key.is_zero() ? "(none)" : key.reveal_base64();
}

// A link-local address is shown with its interface's name, where it has one.
std::string endpoint_text(const std::optional<Endpoint>& endpoint) {
    if (!endpoint) return "(none)";
    std::array<char, IF_NAMESIZE> name{};
    if (endpoint->scope_id == 0 || ::if_indextoname(endpoint->scope_id, name.data()) == nullptr)
        return endpoint->to_string();
    return fmt::format("[{}%{}]:{}", endpoint->address.to_string(), name.data(), endpoint->port);
}

std::string keepalive_text(std::uint16_t seconds) {
    return seconds == 0 ? "off" : std::to_string(seconds);
}

std::string allowed_ips_text(const WgPeer& peer, std::string_view separator) {
    std::string text;
    for (const auto& prefix : peer.allowed_ips)
        text += (text.empty() ? "" : std::string(separator)) + prefix.to_string();
    return text.empty() ? "(none)" : text;
}

// ---- for scripts: one line for the device, or one for each of its peers ----

struct Field {
    std::string_view name;
    std::function<std::string(const WgDevice&)> of_device; // either
    std::function<std::string(const WgPeer&)> of_peer;     // or
};

const std::vector<Field>& fields() {
    static const std::vector<Field> table{
        {"public-key", [](const WgDevice& d) { return public_key_text(d.public_key); }, {}},
        {"private-key", [](const WgDevice& d) { return secret_text(d.private_key); }, {}},
        {"listen-port", [](const WgDevice& d) { return std::to_string(d.listen_port); }, {}},
        {"fwmark", [](const WgDevice& d) { return fwmark_text(d.fwmark); }, {}},
        {"peers", {}, [](const WgPeer&) { return std::string(); }},
        {"preshared-keys", {}, [](const WgPeer& p) { return secret_text(p.preshared_key); }},
        {"endpoints", {}, [](const WgPeer& p) { return endpoint_text(p.endpoint); }},
        {"allowed-ips", {}, [](const WgPeer& p) { return allowed_ips_text(p, " "); }},
        {"latest-handshakes", {}, [](const WgPeer& p) { return std::to_string(handshake_seconds(p)); }},
        {"transfer", {}, [](const WgPeer& p) { return fmt::format("{}\t{}", p.rx_bytes, p.tx_bytes); }},
        {"persistent-keepalive", {}, [](const WgPeer& p) { return keepalive_text(p.persistent_keepalive); }},
        // Its first line, the device's, is dump_head().
        {"dump",
         {},
         [](const WgPeer& p) {
             return fmt::format("{}\t{}\t{}\t{}\t{}\t{}\t{}", secret_text(p.preshared_key),
                                endpoint_text(p.endpoint), allowed_ips_text(p, ","), handshake_seconds(p),
                                p.rx_bytes, p.tx_bytes, keepalive_text(p.persistent_keepalive));
         }},
    };
    return table;
}

const Field* find_field(std::string_view name) {
    for (const auto& field : fields())
        if (field.name == name) return &field;
    return nullptr;
}

std::string dump_head(const WgDevice& device) {
    return fmt::format("{}\t{}\t{}\t{}", secret_text(device.private_key), public_key_text(device.public_key),
                       device.listen_port, fwmark_text(device.fwmark));
}

std::string field_text(const WgDevice& device, const Field& field, bool with_name) {
    const std::string head = with_name ? device.name + "\t" : "";
    std::string text;
    if (field.of_device) return head + field.of_device(device) + "\n";
    if (field.name == "dump") text = head + dump_head(device) + "\n";
    for (const auto& peer : device.peers) {
        const std::string value = field.of_peer(peer);
        text += head + peer.public_key.to_base64() + (value.empty() ? "" : "\t") + value + "\n";
    }
    return text;
}

// ---- for people ----

bool hide_keys() {
    const char* mode = std::getenv("WG_HIDE_KEYS");
    return mode == nullptr || std::string_view(mode) != "never";
}

// wg(8)'s own sequences, so that what was made for its output fits ours.
class Painter {
  public:
    explicit Painter(Style style)
        : style_(style) {}
    [[nodiscard]] std::string reset() const { return on("\x1b[0m"); }
    [[nodiscard]] std::string title(const char* colour, std::string_view kind, std::string_view name) const {
        return fmt::format("{}{}{}{}: {}{}{}\n", on(colour), on("\x1b[1m"), kind, reset(), on(colour), name,
                           reset());
    }
    [[nodiscard]] std::string line(std::string_view label, std::string_view value) const {
        return fmt::format("  {}{}{}: {}\n", on("\x1b[1m"), label, reset(), value);
    }
    [[nodiscard]] std::string prefix(const IpPrefix& prefix) const {
        return fmt::format("{}{}{}", prefix.address().to_string(), style_.cyan("/"), prefix.length());
    }
    [[nodiscard]] const Style& style() const { return style_; }

  private:
    [[nodiscard]] std::string on(const char* sequence) const { return style_.colours() ? sequence : ""; }
    Style style_;
};

std::string pretty_peer(const WgPeer& peer, const Painter& paint) {
    std::string text = "\n" + paint.title("\x1b[33m", "peer", peer.public_key.to_base64());
    if (!peer.preshared_key.is_zero())
        text += paint.line("preshared key", hide_keys() ? "(hidden)" : peer.preshared_key.reveal_base64());
    if (peer.endpoint) text += paint.line("endpoint", endpoint_text(peer.endpoint));
    std::string allowed;
    for (const auto& prefix : peer.allowed_ips)
        allowed += (allowed.empty() ? "" : ", ") + paint.prefix(prefix);
    text += paint.line("allowed ips", allowed.empty() ? "(none)" : allowed);
    if (handshake_seconds(peer) != 0)
        text += paint.line("latest handshake", ago_text(handshake_seconds(peer), now_epoch(), paint.style()));
    if (peer.rx_bytes != 0 || peer.tx_bytes != 0)
        text += paint.line("transfer", bytes_text(peer.rx_bytes, paint.style()) + " received, " +
                                           bytes_text(peer.tx_bytes, paint.style()) + " sent");
    if (peer.persistent_keepalive != 0)
        text += paint.line("persistent keepalive",
                           "every " + duration_text(peer.persistent_keepalive, paint.style()));
    return text;
}

std::string pretty(const WgDevice& device, const Painter& paint) {
    std::string text = paint.reset() + paint.title("\x1b[32m", "interface", device.name);
    if (!device.public_key.is_zero()) text += paint.line("public key", device.public_key.to_base64());
    if (!device.private_key.is_zero())
        text += paint.line("private key", hide_keys() ? "(hidden)" : device.private_key.reveal_base64());
    if (device.listen_port != 0) text += paint.line("listening port", std::to_string(device.listen_port));
    if (device.fwmark != 0) text += paint.line("fwmark", fwmark_text(device.fwmark));
    // The peer that spoke last comes first, those that never did last.
    std::vector<const WgPeer*> peers;
    for (const auto& peer : device.peers)
        peers.push_back(&peer);
    std::stable_sort(peers.begin(), peers.end(), [](const WgPeer* a, const WgPeer* b) {
        return a->latest_handshake > b->latest_handshake;
    });
    for (const auto* peer : peers)
        text += pretty_peer(*peer, paint);
    return text;
}

// ---- which devices ----

int show_names(SystemClient& client) {
    const auto names = client.list();
    if (!names) {
        std::fprintf(stderr, "Unable to list interfaces: %s\n", wg_reason(names.error()).c_str());
        return kFailed;
    }
    std::string text;
    for (const auto& name : *names)
        text += (text.empty() ? "" : " ") + name;
    return text.empty() ? static_cast<int>(kOk) : print(text + "\n");
}

int show_all(SystemClient& client, const Field* field, const Painter& paint) {
    const auto names = client.list();
    if (!names) {
        std::fprintf(stderr, "Unable to list interfaces: %s\n", wg_reason(names.error()).c_str());
        return kFailed;
    }
    bool any = names->empty();
    std::string text;
    for (const auto& name : *names) {
        const auto device = client.get(name);
        if (!device) {
            std::fprintf(stderr, "Unable to access interface %s: %s\n", name.c_str(),
                         wg_reason(device.error()).c_str());
            continue;
        }
        if (field == nullptr && any) text += text.empty() ? "" : "\n";
        any = true;
        text += field != nullptr ? field_text(*device, *field, true) : pretty(*device, paint);
    }
    const int written = print(text);
    return any ? written : static_cast<int>(kFailed);
}

} // namespace

int run_show(const Invocation& invocation) {
    const auto& words = invocation.operands;
    if (words.size() == 1 && (words[0] == "-h" || words[0] == "--help" || words[0] == "help")) {
        print_wg_usage(invocation, kArguments);
        return kOk;
    }
    if (words.size() > 2) {
        print_wg_usage(invocation, kArguments);
        return kFailed;
    }
    const std::string what = words.empty() ? "all" : words[0];
    if (what == "interfaces" && words.size() > 1) {
        print_wg_usage(invocation, kArguments);
        return kFailed;
    }
    const Field* field = nullptr;
    if (words.size() == 2 && (field = find_field(words[1])) == nullptr) {
        std::fprintf(stderr, "Invalid parameter: `%s'\n", printable(words[1]).c_str());
        print_wg_usage(invocation, kArguments);
        return kFailed;
    }
    auto client = open_devices();
    if (!client) return kFailed;
    if (what == "interfaces") return show_names(*client);
    const Painter paint(Style::for_stdout());
    if (what == "all") return show_all(*client, field, paint);
    const auto device = read_device(*client, what);
    if (!device) return kFailed;
    return print(field != nullptr ? field_text(*device, *field, false) : pretty(*device, paint));
}

} // namespace wgd::cli
