// SPDX-License-Identifier: MIT
// Every key a profile may contain: its spelling, its section, and whose it is. Source: wg(8), wg-quick(8).
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace wgd {

enum class Section { kNone, kInterface, kPeer };
enum class KeyOwner { kWg, kWgQuick };
enum class KeyId {
    kPrivateKey,
    kListenPort,
    kFwMark,
    kAddress,
    kDns,
    kMtu,
    kTable,
    kPreUp,
    kPostUp,
    kPreDown,
    kPostDown,
    kSaveConfig,
    kPublicKey,
    kPresharedKey,
    kAllowedIps,
    kEndpoint,
    kPersistentKeepalive,
};

struct KeyInfo {
    KeyId id;
    std::string_view name; // as manuals spell it
    Section section;
    KeyOwner owner;
};

[[nodiscard]] std::span<const KeyInfo> all_keys(); // in the order of KeyId
// Ignores case, and white space inside the key as wg(8) does. nullptr: no such key.
const KeyInfo* find_key(std::string_view text);
// The key that was probably meant (edit distance, or a name other tools use); nullptr if none is near.
const KeyInfo* nearest_key(std::string_view text);

// "[Interface]", "[Peer]", else kNone; ignores case and white space as wg(8) does.
Section parse_section(std::string_view header);
std::string nearest_section(std::string_view header); // "" if none is near
std::string_view section_name(Section section);

} // namespace wgd
