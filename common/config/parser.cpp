// SPDX-License-Identifier: MIT
#include "common/config/parser.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <iterator>
#include <unordered_map>
#include <utility>

#include "common/base/secret_text.hpp"
#include "common/config/collector.hpp"
#include "common/config/key_table.hpp"
#include "common/config/lexer.hpp"
#include "common/config/peer_names.hpp"
#include "common/config/values.hpp"
#include "common/model/limits.hpp"

namespace wgd {
namespace {

// A value without its white space. Points into the text where there is none, else owns a copy that is zeroed.
class Squeezed {
  public:
    explicit Squeezed(std::string_view original)
        : original_(original)
        , view_(original) {
        if (std::none_of(original.begin(), original.end(), is_space)) return;
        copy_.reserve(original.size());
        std::remove_copy_if(original.begin(), original.end(), std::back_inserter(copy_), is_space);
        view_ = copy_;
    }
    Squeezed(const Squeezed&) = delete;
    Squeezed& operator=(const Squeezed&) = delete;
    [[nodiscard]] std::string_view view() const { return view_; }
    // The part of the original that begins where the `offset`th byte of view() came from.
    [[nodiscard]] std::string_view original_at(std::size_t offset) const {
        std::size_t at = 0;
        for (; at < original_.size(); ++at)
            if (!is_space(original_[at]) && offset-- == 0) break;
        return original_.substr(at);
    }

  private:
    std::string_view original_;
    SecretText copy_;
    std::string_view view_;
};

class Parser {
  public:
    Parser(const ProfileName& name, Dialect dialect)
        : dialect_(dialect)
        , profile_(name) {}
    ParseOutcome run(std::string_view text) &&;

  private:
    [[nodiscard]] bool is_quick() const { return dialect_ == Dialect::kWgQuick; }
    [[nodiscard]] std::string_view check_encoding(std::string_view text);
    void on_line(const Line& line);
    void on_section(const Line& line);
    void on_entry(const Line& line);
    void refuse_unknown(const Line& line);
    void on_interface_key(const Line& line, KeyId key);
    void on_peer_key(const Line& line, KeyId key);
    void on_hook(const Line& line, std::vector<Hook>& hooks);
    void on_addresses(const Line& line);
    void on_dns(const Line& line);
    void on_allowed_ips(const Line& line);
    void on_endpoint(const Line& line);
    void close_peer();
    void check_claims();
    void check_whole();

    void report(const Line& line, const Squeezed& value, const ValueError& error) {
        diagnostics_.error(line.position_of(value.original_at(error.offset)), error.message,
                           error.suggestion);
    }
    // Stores what `parse` makes of the value, or reports why not.
    template <class T, class Target>
    bool store(const Line& line, Parsed<T> (*parse)(std::string_view), Target& target) {
        const Squeezed value(line.value);
        auto parsed = parse(value.view());
        if (!parsed) {
            report(line, value, parsed.error());
            return false;
        }
        target = std::move(*parsed);
        return true;
    }
    template <class Key>
    void store_secret(const Line& line, std::optional<Key>& target) {
        const Squeezed value(line.value);
        Key key;
        if (const auto parsed = parse_key(value.view(), key.expose_mut()); parsed)
            target = std::move(key);
        else
            report(line, value, parsed.error());
    }

    Dialect dialect_;
    Profile profile_;
    Collector diagnostics_;
    PeerNames names_;
    Section section_ = Section::kNone;
    bool skipping_ = false; // in a section that does not exist: said once, its keys are not looked at
    bool has_interface_ = false;
    bool peer_open_ = false;
    bool public_key_seen_ = false;
    bool public_key_good_ = false;
    std::array<unsigned, 32> seen_in_interface_{}; // last line of a key, by KeyId
    std::array<unsigned, 32> seen_in_peer_{};
    SourcePosition public_key_at_;
    struct Claim { // of an allowed IP
        IpPrefix prefix;
        std::size_t peer;
        SourcePosition at;
    };
    std::unordered_map<PublicKey, SourcePosition> peer_keys_;
    std::vector<Claim> claims_; // in the order of the text
    SourcePosition end_{1, 1};
};

constexpr bool is_hook(KeyId key) {
    return key == KeyId::kPreUp || key == KeyId::kPostUp || key == KeyId::kPreDown || key == KeyId::kPostDown;
}

// wg-quick(8) takes an empty value of its own keys, and programs that write profiles from a template leave
// them; wg(8) does not take any.
constexpr bool may_be_empty(KeyId key) {
    return is_hook(key) || key == KeyId::kAddress || key == KeyId::kDns || key == KeyId::kMtu ||
           key == KeyId::kTable;
}

constexpr bool is_repeatable(KeyId key) { // adds to what was said before
    return is_hook(key) || key == KeyId::kAddress || key == KeyId::kDns || key == KeyId::kAllowedIps;
}

// Calls `visit` for every item of a list: separated by commas, and by white space too if `spaces`.
template <class Visit>
void for_each_item(std::string_view list, bool spaces, Visit visit) {
    while (true) {
        const auto comma = std::min(list.find(','), list.size());
        auto part = trim(list.substr(0, comma));
        if (part.empty()) part = list.substr(comma, 0);
        while (spaces && !part.empty()) {
            const auto* space = std::find_if(part.begin(), part.end(), is_space);
            const auto length = static_cast<std::size_t>(space - part.begin());
            visit(part.substr(0, length));
            part = trim(part.substr(length));
        }
        if (!spaces) visit(part);
        if (comma == list.size()) return;
        list.remove_prefix(comma + 1);
    }
}

ParseOutcome Parser::run(std::string_view text) && {
    if (text.size() > kMaxProfileBytes) {
        diagnostics_.error({1, 1}, fmt::format("the file is larger than {} MiB", kMaxProfileBytes >> 20));
        return {std::nullopt, std::move(diagnostics_).take(end_)};
    }
    text = check_encoding(text);
    Lexer lexer(text);
    for (Line line; lexer.next(line);) {
        end_ = {line.number, static_cast<unsigned>(line.text.size()) + 1};
        on_line(line);
    }
    close_peer();
    check_claims();
    check_whole();
    const bool good = !diagnostics_.has_errors();
    ParseOutcome outcome;
    outcome.diagnostics = std::move(diagnostics_).take(end_);
    if (good) outcome.profile = std::move(profile_);
    return outcome;
}

// Editors of other systems leave marks that wg(8) calls an unrecognized line; say what they are.
std::string_view Parser::check_encoding(std::string_view text) {
    if (text.substr(0, 3) == "\xef\xbb\xbf") {
        diagnostics_.error({1, 1}, "the file begins with a byte-order mark; save it as UTF-8 without one");
        return text.substr(3);
    }
    if (text.substr(0, 2) == "\xff\xfe" || text.substr(0, 2) == "\xfe\xff") {
        diagnostics_.error({1, 1}, "the file is in UTF-16; save it as UTF-8 or ASCII");
        has_interface_ = true;
        return {};
    }
    return text;
}

void Parser::on_line(const Line& line) {
    if (const auto nul = line.text.find('\0'); nul != std::string_view::npos) {
        diagnostics_.error(line.position_of(line.text.substr(nul)), "a zero byte; a profile is a text");
        return;
    }
    switch (line.kind) {
    case LineKind::kBlank:
        return names_.on_blank();
    case LineKind::kComment:
        return names_.on_comment(line.comment);
    case LineKind::kSection:
        return on_section(line);
    case LineKind::kEntry:
        names_.on_entry();
        if (peer_open_ && !profile_.peers.empty()) profile_.peers.back().name = names_.current();
        return on_entry(line);
    case LineKind::kOther:
        if (!skipping_)
            diagnostics_.error(line.position_of(line.head),
                               line.head.front() == ';'
                                   ? "a comment begins with '#', not with ';'"
                                   : "neither a section, nor key = value, nor a comment");
        return;
    }
}

void Parser::on_section(const Line& line) {
    close_peer();
    section_ = parse_section(line.head);
    skipping_ = section_ == Section::kNone;
    names_.on_section(section_ == Section::kPeer, line.comment);
    if (skipping_) {
        diagnostics_.error(
            line.position_of(line.head),
            fmt::format("unknown section {}; there are [Interface] and [Peer]", quote(line.head)),
            nearest_section(line.head));
        return;
    }
    if (section_ == Section::kPeer) {
        auto& peer = profile_.peers.emplace_back();
        peer.position = line.position_of(line.head);
        peer_open_ = true;
        public_key_seen_ = public_key_good_ = false;
        seen_in_peer_.fill(0);
        return;
    }
    has_interface_ = true;
    if (is_quick() && !equals_ignoring_case(line.head, "[Interface]"))
        diagnostics_.warning(line.position_of(line.head),
                             "wg-quick does not know a section header with spaces in it", "[Interface]");
}

void Parser::refuse_unknown(const Line& line) {
    const auto* near = diagnostics_.is_full() ? nullptr : nearest_key(line.head);
    diagnostics_.error(line.position_of(line.head), fmt::format("unknown key {}", quote(line.head)),
                       near != nullptr ? std::string(near->name) : "");
}

void Parser::on_entry(const Line& line) {
    if (skipping_) return;
    const auto where = line.position_of(line.head);
    const auto* key = find_key(line.head);
    const bool quick_key = key != nullptr && key->owner == KeyOwner::kWgQuick;
    // wg(8) deletes white space in keys, wg-quick(8) does not.
    if (key == nullptr || (quick_key && !equals_ignoring_case(line.head, key->name)))
        return refuse_unknown(line);
    if (quick_key && !is_quick())
        return diagnostics_.error(where, fmt::format("{} is a key of wg-quick, not of wg", key->name));
    if (section_ == Section::kNone)
        return diagnostics_.error(where, fmt::format("{} stands in front of every section; it belongs in {}",
                                                     key->name, section_name(key->section)));
    if (key->section != section_)
        return diagnostics_.error(where, fmt::format("{} belongs in {}, not in {}", key->name,
                                                     section_name(key->section), section_name(section_)));
    auto& seen =
        (section_ == Section::kPeer ? seen_in_peer_ : seen_in_interface_)[static_cast<std::size_t>(key->id)];
    const auto before = std::exchange(seen, line.number);
    if ((is_hook(key->id) ? line.raw_value : line.value).empty()) {
        if (!may_be_empty(key->id))
            diagnostics_.error(line.position_of(line.value),
                               fmt::format("{} has no value; give one or leave the line out", key->name));
        return;
    }
    if (!is_repeatable(key->id) && before != 0)
        diagnostics_.warning(where,
                             fmt::format("{} again, as in line {}; the last one counts{}", key->name, before,
                                         key->id == KeyId::kPublicKey ? " (is a [Peer] line missing?)" : ""));
    if (section_ == Section::kInterface)
        on_interface_key(line, key->id);
    else
        on_peer_key(line, key->id);
}

void Parser::on_interface_key(const Line& line, KeyId key) {
    switch (key) {
    case KeyId::kPrivateKey:
        return store_secret(line, profile_.private_key);
    case KeyId::kListenPort:
        store(line, parse_port, profile_.listen_port);
        return;
    case KeyId::kFwMark:
        store(line, parse_fwmark, profile_.fwmark);
        return;
    case KeyId::kAddress:
        return on_addresses(line);
    case KeyId::kDns:
        return on_dns(line);
    case KeyId::kMtu:
        store(line, parse_mtu, profile_.mtu);
        return;
    case KeyId::kTable:
        if (store(line, parse_table, profile_.table) &&
            (std::holds_alternative<TableOff>(profile_.table) ||
             std::holds_alternative<TableAuto>(profile_.table)) &&
            line.value != "off" && line.value != "auto")
            diagnostics_.warning(line.position_of(line.value),
                                 "wg-quick knows this word in small letters only",
                                 std::holds_alternative<TableOff>(profile_.table) ? "off" : "auto");
        return;
    case KeyId::kPreUp:
        return on_hook(line, profile_.pre_up);
    case KeyId::kPostUp:
        return on_hook(line, profile_.post_up);
    case KeyId::kPreDown:
        return on_hook(line, profile_.pre_down);
    case KeyId::kPostDown:
        return on_hook(line, profile_.post_down);
    case KeyId::kSaveConfig:
        store(line, parse_bool, profile_.save_config);
        return;
    default:
        return;
    }
}

void Parser::on_hook(const Line& line, std::vector<Hook>& hooks) {
    hooks.push_back({std::string(line.raw_value), line.number});
}

void Parser::on_addresses(const Line& line) {
    for_each_item(line.value, true, [&](std::string_view item) {
        const Squeezed value(item);
        const auto address = parse_address(value.view());
        if (!address) return report(line, value, address.error());
        if (item.find('/') == std::string_view::npos)
            diagnostics_.warning(
                line.position_of(item),
                fmt::format("an address without a length is taken as {}", address->to_string()));
        profile_.addresses.push_back(*address);
    });
}

void Parser::on_dns(const Line& line) {
    for_each_item(line.value, true, [&](std::string_view item) {
        if (const auto server = IpAddress::parse(item)) {
            profile_.dns_servers.push_back(*server);
            return;
        }
        const Squeezed value(item);
        if (auto domain = parse_search_domain(value.view()); domain)
            profile_.dns_search.push_back(std::move(*domain));
        else
            report(line, value, domain.error());
    });
}

void Parser::on_peer_key(const Line& line, KeyId key) {
    auto& peer = profile_.peers.back();
    switch (key) {
    case KeyId::kPublicKey: {
        const Squeezed value(line.value);
        std::array<std::uint8_t, kKeySize> bytes{};
        public_key_seen_ = true;
        const auto parsed = parse_key(value.view(), bytes);
        public_key_good_ = parsed.has_value();
        if (!parsed) return report(line, value, parsed.error());
        peer.public_key = PublicKey(bytes);
        public_key_at_ = line.position_of(line.value);
        return;
    }
    case KeyId::kPresharedKey:
        return store_secret(line, peer.preshared_key);
    case KeyId::kAllowedIps:
        return on_allowed_ips(line);
    case KeyId::kEndpoint:
        return on_endpoint(line);
    case KeyId::kPersistentKeepalive:
        store(line, parse_keepalive, peer.persistent_keepalive);
        return;
    default:
        return;
    }
}

void Parser::on_allowed_ips(const Line& line) {
    auto& peer = profile_.peers.back();
    peer.replace_allowed_ips =
        true; // wg(8): every AllowedIPs line says "replace" until an item of it has a sign
    for_each_item(line.value, false, [&](std::string_view item) {
        const Squeezed squeezed(item);
        auto text = squeezed.view();
        const bool sign = !text.empty() && (text.front() == '+' || text.front() == '-');
        const bool remove = sign && text.front() == '-';
        if (sign) {
            peer.replace_allowed_ips = false;
            text.remove_prefix(1);
        }
        auto prefix = parse_allowed_ip(text);
        if (!prefix) {
            prefix.error().offset += sign ? 1 : 0;
            if (const auto* space = std::find_if(item.begin(), item.end(), is_space);
                space != item.end() && parse_allowed_ip(std::string_view(item.begin(), space)))
                prefix.error() = {"a comma is missing in front of this item",
                                  static_cast<std::size_t>(space - item.begin()),
                                  {}};
            return report(line, squeezed, prefix.error());
        }
        const auto network = prefix->network();
        if (network != *prefix)
            diagnostics_.warning(line.position_of(item),
                                 fmt::format("{} has a host part; WireGuard clears it", quote(text)),
                                 network.to_string());
        peer.allowed_ips.push_back({network, remove});
        if (remove) return;
        claims_.push_back({network, profile_.peers.size() - 1, line.position_of(item)});
    });
}

// Sorted rather than looked up one by one: a profile may have fifty thousand.
void Parser::check_claims() {
    std::stable_sort(claims_.begin(), claims_.end(),
                     [](const Claim& a, const Claim& b) { return a.prefix < b.prefix; });
    std::vector<std::pair<const Claim*, const Claim*>> disputed; // and who had it before
    for (std::size_t i = 1; i < claims_.size(); ++i)
        if (claims_[i].prefix == claims_[i - 1].prefix && claims_[i].peer != claims_[i - 1].peer)
            disputed.emplace_back(&claims_[i], &claims_[i - 1]);
    std::sort(disputed.begin(), disputed.end(),
              [](const auto& a, const auto& b) { return a.first->at < b.first->at; });
    for (const auto& [claim, former] : disputed)
        diagnostics_.warning(
            claim->at, fmt::format("{} is also given to the peer in line {}; this one gets it",
                                   claim->prefix.to_string(), profile_.peers[former->peer].position.line));
}

void Parser::on_endpoint(const Line& line) {
    const Squeezed value(line.value);
    auto endpoint = parse_endpoint(value.view());
    if (!endpoint) return report(line, value, endpoint.error());
    const auto where = line.position_of(line.value);
    if (endpoint->port == 0) diagnostics_.warning(where, "nothing can be sent to port 0");
    const auto numeric = endpoint->numeric();
    if (endpoint->host.find(':') != std::string::npos && value.view().front() != '[')
        diagnostics_.warning(
            where, "an IPv6 address is better written in brackets",
            fmt::format("[{}]:{}", value.view().substr(0, value.view().rfind(':')), endpoint->port));
    else if (numeric && numeric->address.is_v4() && numeric->address.to_string() != endpoint->host)
        diagnostics_.warning(
            where, fmt::format("{} is read as {}", quote(endpoint->host), numeric->address.to_string()));
    profile_.peers.back().endpoint = std::move(*endpoint);
}

void Parser::close_peer() {
    if (!std::exchange(peer_open_, false)) return;
    auto& peer = profile_.peers.back();
    peer.name = names_.current();
    if (!public_key_seen_) return diagnostics_.error(peer.position, "this peer has no PublicKey");
    if (!public_key_good_) return;
    if (peer.public_key.is_zero())
        diagnostics_.warning(public_key_at_, "a public key of all zeros: no peer can have it");
    const auto [first, is_new] = peer_keys_.try_emplace(peer.public_key, public_key_at_);
    if (!is_new) {
        if (is_quick())
            diagnostics_.error(
                public_key_at_,
                fmt::format("the same peer as in line {}; a key can be listed once", first->second.line));
        else
            diagnostics_.warning(public_key_at_,
                                 fmt::format("the same peer as in line {}", first->second.line));
    }
    if (seen_in_peer_[static_cast<std::size_t>(KeyId::kAllowedIps)] == 0 && is_quick())
        diagnostics_.warning(peer.position,
                             "this peer has no AllowedIPs: nothing will be sent to it or taken from it");
}

void Parser::check_whole() {
    if (!has_interface_ && is_quick()) diagnostics_.error(end_, "there is no [Interface] section");
    if (profile_.private_key && profile_.private_key->is_zero())
        diagnostics_.warning({seen_in_interface_[static_cast<std::size_t>(KeyId::kPrivateKey)], 1},
                             "a private key of all zeros is none");
    else if (profile_.private_key) {
        const auto own = peer_keys_.find(derive_public_key(*profile_.private_key));
        if (own != peer_keys_.end())
            diagnostics_.warning(own->second,
                                 "this is the interface's own public key: WireGuard ignores such a peer");
    }
    if (profile_.mtu && *profile_.mtu < kMinIpv6Mtu)
        for (const auto& address : profile_.addresses)
            if (address.family() == Family::kIpv6) {
                diagnostics_.warning(
                    {seen_in_interface_[static_cast<std::size_t>(KeyId::kMtu)], 1},
                    fmt::format("an MTU below {} turns IPv6 off on the interface", kMinIpv6Mtu));
                break;
            }
}

} // namespace

ParseOutcome parse(std::string_view text, const ProfileName& name, Dialect dialect) {
    return Parser(name, dialect).run(text);
}

} // namespace wgd
