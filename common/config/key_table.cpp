// SPDX-License-Identifier: MIT
#include "common/config/key_table.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "common/config/lexer.hpp"

namespace wgd {
namespace {

constexpr std::array<KeyInfo, 17> kKeys{{
    {KeyId::kPrivateKey, "PrivateKey", Section::kInterface, KeyOwner::kWg},
    {KeyId::kListenPort, "ListenPort", Section::kInterface, KeyOwner::kWg},
    {KeyId::kFwMark, "FwMark", Section::kInterface, KeyOwner::kWg},
    {KeyId::kAddress, "Address", Section::kInterface, KeyOwner::kWgQuick},
    {KeyId::kDns, "DNS", Section::kInterface, KeyOwner::kWgQuick},
    {KeyId::kMtu, "MTU", Section::kInterface, KeyOwner::kWgQuick},
    {KeyId::kTable, "Table", Section::kInterface, KeyOwner::kWgQuick},
    {KeyId::kPreUp, "PreUp", Section::kInterface, KeyOwner::kWgQuick},
    {KeyId::kPostUp, "PostUp", Section::kInterface, KeyOwner::kWgQuick},
    {KeyId::kPreDown, "PreDown", Section::kInterface, KeyOwner::kWgQuick},
    {KeyId::kPostDown, "PostDown", Section::kInterface, KeyOwner::kWgQuick},
    {KeyId::kSaveConfig, "SaveConfig", Section::kInterface, KeyOwner::kWgQuick},
    {KeyId::kPublicKey, "PublicKey", Section::kPeer, KeyOwner::kWg},
    {KeyId::kPresharedKey, "PresharedKey", Section::kPeer, KeyOwner::kWg},
    {KeyId::kAllowedIps, "AllowedIPs", Section::kPeer, KeyOwner::kWg},
    {KeyId::kEndpoint, "Endpoint", Section::kPeer, KeyOwner::kWg},
    {KeyId::kPersistentKeepalive, "PersistentKeepalive", Section::kPeer, KeyOwner::kWg},
}};

// What the same thing is called by networkd, NetworkManager, and in people's heads; squeezed, lower case.
struct Alias {
    std::string_view text;
    KeyId id;
};
constexpr std::array<Alias, 15> kAliases{{
    {"ip", KeyId::kAddress},
    {"ipaddress", KeyId::kAddress},
    {"nameserver", KeyId::kDns},
    {"nameservers", KeyId::kDns},
    {"dnsserver", KeyId::kDns},
    {"port", KeyId::kListenPort},
    {"firewallmark", KeyId::kFwMark},
    {"mark", KeyId::kFwMark},
    {"routetable", KeyId::kTable},
    {"psk", KeyId::kPresharedKey},
    {"keepalive", KeyId::kPersistentKeepalive},
    {"persistentkeepaliveinterval", KeyId::kPersistentKeepalive},
    {"routes", KeyId::kAllowedIps},
    {"allowed", KeyId::kAllowedIps},
    {"server", KeyId::kEndpoint},
}};

constexpr std::size_t kLongestGuess = 32; // a longer word is not a misspelt key

// Letters and digits only, lower case: "Allowed-IPs" and "allowed_ips" are near "AllowedIPs" that way.
struct Squeezed {
    std::array<char, kLongestGuess> chars{};
    std::size_t size = 0;
    [[nodiscard]] std::string_view view() const { return {chars.data(), size}; }
};

std::optional<Squeezed> squeeze(std::string_view text) {
    Squeezed out;
    for (const char c : text) {
        if (is_space(c) || c == '-' || c == '_') continue;
        if (out.size == out.chars.size()) return std::nullopt;
        out.chars[out.size++] = to_lower(c);
    }
    return out;
}

// Optimal string alignment: insert, delete, replace, or swap two neighbours, each costs one.
unsigned edit_distance(std::string_view a, std::string_view b) {
    std::array<std::array<unsigned, kLongestGuess + 1>, 3> rows{};
    for (unsigned j = 0; j <= b.size(); ++j)
        rows[0][j] = j;
    for (unsigned i = 1; i <= a.size(); ++i) {
        auto& row = rows[i % 3];
        const auto& above = rows[(i + 2) % 3];
        const auto& two_above = rows[(i + 1) % 3];
        row[0] = i;
        for (unsigned j = 1; j <= b.size(); ++j) {
            row[j] =
                std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] == b[j - 1] ? 0U : 1U)});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = std::min(row[j], two_above[j - 2] + 1);
        }
    }
    return rows[a.size() % 3][b.size()];
}

} // namespace

std::span<const KeyInfo> all_keys() {
    return kKeys;
}

const KeyInfo* find_key(std::string_view text) {
    const auto* found = std::find_if(kKeys.begin(), kKeys.end(),
                                     [&](const KeyInfo& key) { return equals_squeezed(text, key.name); });
    return found == kKeys.end() ? nullptr : found;
}

const KeyInfo* nearest_key(std::string_view text) {
    const auto word = squeeze(text);
    if (!word || word->size == 0) return nullptr;
    for (const auto& alias : kAliases)
        if (alias.text == word->view()) return &kKeys[static_cast<std::size_t>(alias.id)];
    const KeyInfo* best = nullptr;
    unsigned best_distance = std::max<unsigned>(1, static_cast<unsigned>(word->size) / 3) + 1;
    for (const auto& key : kKeys) {
        const auto name = squeeze(key.name);
        if (const auto distance = edit_distance(word->view(), name->view()); distance < best_distance) {
            best = &key;
            best_distance = distance;
        }
    }
    return best;
}

Section parse_section(std::string_view header) {
    if (equals_squeezed(header, "[Interface]")) return Section::kInterface;
    if (equals_squeezed(header, "[Peer]")) return Section::kPeer;
    return Section::kNone;
}

std::string nearest_section(std::string_view header) {
    const auto word = squeeze(header);
    for (const std::string_view name : {"[Interface]", "[Peer]"})
        if (const auto known = squeeze(name); word && edit_distance(word->view(), known->view()) <= 2)
            return std::string(name);
    return {};
}

std::string_view section_name(Section section) {
    switch (section) {
    case Section::kInterface:
        return "[Interface]";
    case Section::kPeer:
        return "[Peer]";
    case Section::kNone:
        break;
    }
    return "no section";
}

} // namespace wgd
