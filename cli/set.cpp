// SPDX-License-Identifier: MIT
// wgctl set INTERFACE WORDS...: changes a running device. The words are a small language (wg(8), `set`):
// words of the interface first, then `peer KEY` begins a peer, and what follows is about it.
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fmt/format.h>

#include "cli/profile_file.hpp"
#include "cli/terminal.hpp"
#include "cli/wg_device.hpp"
#include "common/config/values.hpp"

namespace wgd::cli {
namespace {

constexpr char kArguments[] = "<interface> [listen-port <port>] [fwmark <mark>] [private-key <file path>] "
                              "[peer <base64 public key> [remove] "
                              "[preshared-key <file path>] [endpoint <ip>:<port>] [persistent-keepalive "
                              "<interval seconds>] [allowed-ips "
                              "<ip1>/<cidr1>[,<ip2>/<cidr2>]...] ]...";

bool is_blank(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

std::string without_blanks(std::string text) {
    text.erase(std::remove_if(text.begin(), text.end(), is_blank), text.end());
    return text;
}

bool complain(const std::string& message) {
    std::fprintf(stderr, "%s\n", printable(message).c_str());
    return false;
}

// A key file: 44 characters and then only white space; an empty file is the zero key, which removes.
template <class Key>
std::optional<Key> read_key_file(const std::string& path) {
    const auto text = read_file(path == "-" ? "./-" : path);
    if (!text) {
        complain(text.error().message);
        return std::nullopt;
    }
    if (text->empty()) return Key{};
    auto key = Key::from_base64(std::string_view(*text).substr(0, kKeyBase64Size));
    if (!key) {
        complain("Key is not the correct length or format"); // without quoting: it may be most of a key
        return std::nullopt;
    }
    for (const char c : std::string_view(*text).substr(kKeyBase64Size))
        if (!is_blank(c)) {
            complain(fmt::format("Found trailing character in key file: `{}'", c));
            return std::nullopt;
        }
    return key;
}

class SetParser {
  public:
    explicit SetParser(const std::vector<std::string>& words)
        : words_(words) {}

    // Of the words after the interface. Complains and gives nullopt.
    std::optional<DeviceDelta> parse() {
        for (at_ = 1; at_ < words_.size();)
            if (!(peer_ == nullptr ? interface_word() : peer_word())) return std::nullopt;
        return std::move(delta_);
    }

  private:
    [[nodiscard]] bool is(std::string_view word) const { return words_[at_] == word; }
    bool unknown() const { return complain("Invalid argument: " + words_[at_]); }

    // The word after the current one, past which we go; a keyword without one is an invalid argument.
    const std::string* value() {
        if (at_ + 1 >= words_.size()) return nullptr;
        at_ += 2;
        return &words_[at_ - 1];
    }

    template <class T>
    bool take(const Parsed<T>& parsed, std::optional<T>& into) {
        if (!parsed) return complain(parsed.error().message);
        into = *parsed;
        return true;
    }

    bool interface_word() {
        if (at_ + 1 >= words_.size()) return unknown();
        if (is("listen-port")) return take(parse_port(without_blanks(*value())), delta_.listen_port);
        if (is("fwmark")) return take(parse_fwmark(without_blanks(*value())), delta_.fwmark);
        if (is("private-key")) {
            delta_.private_key = read_key_file<PrivateKey>(*value());
            return delta_.private_key.has_value();
        }
        return is("peer") ? begin_peer() : unknown();
    }

    bool begin_peer() {
        if (at_ + 1 >= words_.size()) return unknown();
        const auto key = PublicKey::from_base64(*value());
        if (!key) return complain("Key is not the correct length or format");
        peer_ = &delta_.peers.emplace_back();
        peer_->public_key = *key;
        return true;
    }

    bool peer_word() {
        if (is("peer")) return begin_peer();
        if (is("remove")) {
            peer_->remove = true;
            ++at_;
            return true;
        }
        if (at_ + 1 >= words_.size()) return unknown();
        if (is("preshared-key")) {
            peer_->preshared_key = read_key_file<PresharedKey>(*value());
            return peer_->preshared_key.has_value();
        }
        if (is("endpoint")) {
            const auto spec = parse_endpoint(without_blanks(*value()));
            if (!spec) return complain(spec.error().message);
            peer_->endpoint = look_up(*spec);
            return peer_->endpoint.has_value();
        }
        if (is("persistent-keepalive"))
            return take(parse_keepalive(without_blanks(*value())), peer_->persistent_keepalive);
        if (is("allowed-ips")) return allowed_ips(without_blanks(*value()));
        return unknown();
    }

    // A list; an empty one clears; "+" and "-" in front add to and take from what the peer has.
    bool allowed_ips(const std::string& list) {
        peer_->replace_allowed_ips = true;
        if (list.empty()) return true;
        bool incremental = false;
        for (std::size_t begin = 0; begin <= list.size();) {
            const std::size_t end = std::min(list.find(',', begin), list.size());
            std::string item = list.substr(begin, end - begin);
            begin = end + 1;
            const bool signed_item = !item.empty() && (item[0] == '+' || item[0] == '-');
            const bool remove = signed_item && item[0] == '-';
            if (signed_item) item.erase(0, 1);
            incremental = incremental || signed_item;
            if (item.empty()) return complain("Unable to parse IP address: `'");
            const auto prefix = parse_allowed_ip(item);
            if (!prefix) return complain(prefix.error().message);
            if (prefix->has_host_bits())
                std::fputs(
                    fmt::format("Warning: AllowedIP has nonzero host part: {}\n", printable(item)).c_str(),
                    stderr);
            peer_->allowed_ips.push_back({prefix->network(), remove});
        }
        if (incremental) peer_->replace_allowed_ips = false;
        return true;
    }

    const std::vector<std::string>& words_;
    std::size_t at_ = 1;
    DeviceDelta delta_;
    PeerDelta* peer_ = nullptr; // the last of delta_.peers
};

} // namespace

int run_set(const Invocation& invocation) {
    if (invocation.operands.size() < 2) {
        print_wg_usage(invocation, kArguments);
        return kFailed;
    }
    const auto delta = SetParser(invocation.operands).parse();
    if (!delta) return kFailed;
    auto client = open_devices();
    return client && change_device(*client, invocation.operands[0], *delta) ? kOk : kFailed;
}

} // namespace wgd::cli
