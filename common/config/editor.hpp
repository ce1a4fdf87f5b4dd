// SPDX-License-Identifier: MIT
// Changes to a profile's text that leave all the rest as it was written: comments, order, spacing, line ends,
// host names, search domains (compat D5). Pure; every function takes the whole text and gives the whole new
// one. The texts hold keys. Give texts that parse() accepts; parse the result again before you save it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/base/secret_text.hpp"
#include "common/config/key_table.hpp"
#include "common/config/profile.hpp"

namespace wgd {

// Gives `key` of [Interface] the value: in place of the first such line (its comment stays), further ones go;
// or behind the section's last key. nullopt takes the key out. kInvalidArgument: not a key of [Interface],
// the value has a line break in it (or, but for hooks, a '#'), or the text has no [Interface].
Result<SecretText> set_interface_key(std::string_view text, KeyId key, std::optional<std::string_view> value);

// The same in the [Peer] with that public key; kNotFound if there is none.
Result<SecretText> set_peer_key(std::string_view text, const PublicKey& peer, KeyId key,
                                std::optional<std::string_view> value);

// A change of a key whose value is a list, which may stand on several lines.
struct ListEdit {
    std::function<bool(std::string_view item)> stays; // asked of each item as it is written
    std::vector<std::string> added;
};
// Takes items out and puts others behind the last one that stays: lines of which all items stay keep their
// bytes, a line of which none does goes (the first one takes what is added, if there is no other). Errors as
// above.
Result<SecretText> edit_interface_list(std::string_view text, KeyId key, const ListEdit& edit);
Result<SecretText> edit_peer_list(std::string_view text, const PublicKey& peer, KeyId key,
                                  const ListEdit& edit);

// Adds a [Peer] at the end, its name as "# friendly_name = x" inside it. kInvalidArgument: a control
// character in the name or the endpoint's text (it may come from a caller, and would make lines of its own).
Result<SecretText> add_peer(std::string_view text, const ProfilePeer& peer);

// Takes out the peer's section with the comment that stands directly in front of it; kNotFound if there is
// none.
Result<SecretText> remove_peer(std::string_view text, const PublicKey& peer);

} // namespace wgd
