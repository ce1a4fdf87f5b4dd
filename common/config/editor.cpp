// SPDX-License-Identifier: MIT
#include "common/config/editor.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>
#include <vector>

#include "common/config/lexer.hpp"
#include "common/config/peer_names.hpp"

namespace wgd {
namespace {

bool is_hook(KeyId key) {
    return key == KeyId::kPreUp || key == KeyId::kPostUp || key == KeyId::kPreDown || key == KeyId::kPostDown;
}

const KeyInfo& info(KeyId id) {
    return all_keys()[static_cast<std::size_t>(id)];
}

bool is_key(const Line& line, KeyId id) {
    const auto* key = line.kind == LineKind::kEntry ? find_key(line.head) : nullptr;
    return key != nullptr && key->id == id;
}

// The text as lines, and where its sections lie.
class Document {
  public:
    explicit Document(std::string_view text)
        : text_(text) {
        Lexer lexer(text);
        for (Line line; lexer.next(line);)
            lines_.push_back(line);
    }

    struct Range { // of lines, the header first
        std::size_t begin = 0;
        std::size_t end = 0;
    };

    // The next section of that kind that begins at line `from` or later.
    [[nodiscard]] std::optional<Range> section(Section kind, std::size_t from) const {
        for (std::size_t begin = from; begin < lines_.size(); ++begin) {
            if (lines_[begin].kind != LineKind::kSection || parse_section(lines_[begin].head) != kind)
                continue;
            std::size_t end = begin + 1;
            while (end < lines_.size() && lines_[end].kind != LineKind::kSection)
                ++end;
            return Range{begin, end};
        }
        return std::nullopt;
    }

    [[nodiscard]] std::optional<Range> peer(const PublicKey& wanted) const {
        for (auto found = section(Section::kPeer, 0); found; found = section(Section::kPeer, found->end)) {
            std::optional<PublicKey> key; // the last one counts, as for wg(8)
            for (std::size_t i = found->begin; i < found->end; ++i)
                if (is_key(lines_[i], KeyId::kPublicKey)) {
                    std::string value(lines_[i].value);
                    value.erase(std::remove_if(value.begin(), value.end(), is_space), value.end());
                    key = PublicKey::from_base64(value);
                }
            if (key == wanted) return found;
        }
        return std::nullopt;
    }

    // Every range in whose lines `key` of [Interface] may stand: the section may be there several times.
    [[nodiscard]] std::vector<Range> interfaces() const {
        std::vector<Range> all;
        for (auto found = section(Section::kInterface, 0); found;
             found = section(Section::kInterface, found->end))
            all.push_back(*found);
        return all;
    }

    [[nodiscard]] const Line& line(std::size_t index) const { return lines_[index]; }
    [[nodiscard]] std::size_t size() const { return lines_.size(); }
    [[nodiscard]] std::string_view text() const { return text_; }
    [[nodiscard]] std::size_t offset(std::size_t index) const {
        return index < lines_.size() ? lines_[index].offset : text_.size();
    }
    [[nodiscard]] std::string_view line_end() const { // of the first line; new lines get the same
        return !lines_.empty() && lines_.front().text.ends_with('\r') ? "\r\n" : "\n";
    }

  private:
    std::string_view text_;
    std::vector<Line> lines_;
};

// `text` with the bytes [begin, end) replaced.
SecretText spliced(std::string_view text, std::size_t begin, std::size_t end, std::string_view with) {
    SecretText out;
    out.reserve(text.size() + with.size());
    out.append(text.substr(0, begin)).append(with).append(text.substr(end));
    return out;
}

void end_last_line(SecretText& text, std::string_view line_end) {
    if (!text.empty() && text.back() != '\n') text += line_end;
}

Result<SecretText> set_key(const Document& document, const std::vector<Document::Range>& ranges, KeyId id,
                           std::optional<std::string_view> value) {
    if (value && (value->find_first_of(std::string_view("\n\r\0", 3)) != std::string_view::npos ||
                  (!is_hook(id) && value->find('#') != std::string_view::npos)))
        return fail(ErrorCode::kInvalidArgument, "a value is one line without a comment");
    const auto text = document.text();
    SecretText out;
    out.reserve(text.size() + (value ? value->size() : 0) + 32);
    std::size_t copied = 0; // bytes of the text that are in `out`
    bool placed = !value;
    std::size_t last_entry =
        ranges.front().begin; // of the first range: its header, or the last key behind it
    for (const auto& range : ranges)
        for (std::size_t i = range.begin; i < range.end; ++i) {
            const auto& line = document.line(i);
            if (line.kind == LineKind::kEntry && range.begin == ranges.front().begin) last_entry = i;
            if (!is_key(line, id)) continue;
            if (placed) { // taken out, or a further one
                out.append(text.substr(copied, document.offset(i) - copied));
                copied = document.offset(i + 1);
                continue;
            }
            const auto old = is_hook(id) ? line.raw_value : line.value;
            // An empty value has no place of its own: it goes right behind the '='.
            const auto at = old.empty() ? line.offset + line.text.find('=') + 1
                                        : line.offset + (line.position_of(old).column - 1);
            out.append(text.substr(copied, at - copied)).append(old.empty() ? " " : "").append(*value);
            copied = at + old.size();
            placed = true;
        }
    out.append(text.substr(copied));
    if (placed) return out;

    const auto at = document.offset(last_entry + 1);
    SecretText addition;
    if (at > 0 && text[at - 1] != '\n') addition += document.line_end();
    addition.append(info(id).name).append(" = ").append(*value).append(document.line_end());
    return spliced(text, at, at, addition);
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && is_space(text.front()))
        text.remove_prefix(1);
    while (!text.empty() && is_space(text.back()))
        text.remove_suffix(1);
    return text;
}

// The items of one line's value, as written.
std::vector<std::string_view> items_of(std::string_view value) {
    std::vector<std::string_view> items;
    for (std::size_t at = 0; at <= value.size();) {
        const std::size_t end = std::min(value.find(',', at), value.size());
        if (const auto item = trimmed(value.substr(at, end - at)); !item.empty()) items.push_back(item);
        at = end + 1;
    }
    return items;
}

template <class Items>
std::string joined(const Items& items) {
    return fmt::format("{}", fmt::join(items, ", "));
}

Result<SecretText> edit_list(const Document& document, const std::vector<Document::Range>& ranges, KeyId id,
                             const ListEdit& edit) {
    struct Place { // a line of the key, with what is to stay of it
        std::size_t line = 0;
        std::vector<std::string_view> items;
        bool changed = false;
    };
    std::vector<Place> places;
    for (const auto& range : ranges)
        for (std::size_t i = range.begin; i < range.end; ++i) {
            if (!is_key(document.line(i), id)) continue;
            Place& place = places.emplace_back();
            place.line = i;
            for (const std::string_view item : items_of(document.line(i).value))
                if (edit.stays(item))
                    place.items.push_back(item);
                else
                    place.changed = true;
        }
    if (places.empty())
        return edit.added.empty() ? Result<SecretText>(SecretText(document.text()))
                                  : set_key(document, ranges, id, joined(edit.added));
    const auto last =
        std::find_if(places.rbegin(), places.rend(), [](const Place& place) { return !place.items.empty(); });
    Place& target = last == places.rend() ? places.front() : *last;
    for (const std::string& item : edit.added) {
        if (item.find_first_of(std::string_view("\n\r#,\0", 5)) != std::string_view::npos)
            return fail(ErrorCode::kInvalidArgument, "an item of a list is one word without a comment");
        target.items.push_back(item);
        target.changed = true;
    }
    const auto text = document.text();
    SecretText out;
    out.reserve(text.size() + 64);
    std::size_t copied = 0;
    for (const Place& place : places) {
        if (!place.changed) continue;
        const auto& line = document.line(place.line);
        if (place.items.empty()) {
            out.append(text.substr(copied, document.offset(place.line) - copied));
            copied = document.offset(place.line + 1);
            continue;
        }
        const auto at = line.value.empty() ? line.offset + line.text.find('=') + 1
                                           : line.offset + (line.position_of(line.value).column - 1);
        out.append(text.substr(copied, at - copied)).append(line.value.empty() ? " " : "");
        out.append(joined(place.items));
        copied = at + line.value.size();
    }
    out.append(text.substr(copied));
    return out;
}

// Where a key of [Interface] may be, and a key of a peer.
Result<std::vector<Document::Range>> places_in_interface(const Document& document, KeyId key) {
    auto ranges = document.interfaces();
    if (info(key).section != Section::kInterface || ranges.empty())
        return fail(ErrorCode::kInvalidArgument, "no such key of [Interface], or no [Interface]");
    return ranges;
}

Result<std::vector<Document::Range>> places_in_peer(const Document& document, const PublicKey& peer,
                                                    KeyId key) {
    if (info(key).section != Section::kPeer)
        return fail(ErrorCode::kInvalidArgument, "no such key of [Peer]");
    const auto range = document.peer(peer);
    if (!range) return fail(ErrorCode::kNotFound, "no peer " + peer.to_base64());
    return std::vector<Document::Range>{*range};
}

} // namespace

Result<SecretText> edit_interface_list(std::string_view text, KeyId key, const ListEdit& edit) {
    const Document document(text);
    const auto places = places_in_interface(document, key);
    WGD_TRY(places);
    return edit_list(document, *places, key, edit);
}

Result<SecretText> edit_peer_list(std::string_view text, const PublicKey& peer, KeyId key,
                                  const ListEdit& edit) {
    const Document document(text);
    const auto places = places_in_peer(document, peer, key);
    WGD_TRY(places);
    return edit_list(document, *places, key, edit);
}

Result<SecretText> set_interface_key(std::string_view text, KeyId key,
                                     std::optional<std::string_view> value) {
    const Document document(text);
    const auto places = places_in_interface(document, key);
    WGD_TRY(places);
    return set_key(document, *places, key, value);
}

Result<SecretText> set_peer_key(std::string_view text, const PublicKey& peer, KeyId key,
                                std::optional<std::string_view> value) {
    const Document document(text);
    const auto places = places_in_peer(document, peer, key);
    WGD_TRY(places);
    return set_key(document, *places, key, value);
}

Result<SecretText> add_peer(std::string_view text, const ProfilePeer& peer) {
    const auto has_control = [](std::string_view value) {
        return std::any_of(value.begin(), value.end(),
                           [](char c) { return (c >= 0 && c < 0x20) || c == 0x7f; });
    };
    if (has_control(peer.name) || (peer.endpoint && has_control(peer.endpoint->text)))
        return fail(ErrorCode::kInvalidArgument, "a control character in a peer's name or endpoint");
    const auto line_end = Document(text).line_end();
    SecretText out(text);
    end_last_line(out, line_end);
    const auto add = [&](std::string_view line) { out.append(line).append(line_end); };
    if (!out.empty()) add("");
    add("[Peer]");
    if (!peer.name.empty()) add("# friendly_name = " + peer.name);
    add("PublicKey = " + peer.public_key.to_base64());
    if (peer.preshared_key) {
        out += "PresharedKey = ";
        auto key = peer.preshared_key->reveal_base64();
        add(key);
        sodium_memzero(key.data(), key.size());
    }
    std::string ips;
    for (const auto& ip : peer.allowed_ips) {
        const std::string_view sign = ip.remove ? "-" : peer.replace_allowed_ips ? "" : "+";
        fmt::format_to(std::back_inserter(ips), "{}{}{}", ips.empty() ? "" : ", ", sign,
                       ip.prefix.to_string());
    }
    if (!ips.empty()) add("AllowedIPs = " + ips);
    if (peer.endpoint) add("Endpoint = " + peer.endpoint->text);
    if (peer.persistent_keepalive) add("PersistentKeepalive = " + std::to_string(*peer.persistent_keepalive));
    return out;
}

Result<SecretText> remove_peer(std::string_view text, const PublicKey& peer) {
    const Document document(text);
    const auto range = document.peer(peer);
    if (!range) return fail(ErrorCode::kNotFound, "no peer " + peer.to_base64());
    const auto is_comment = [&](std::size_t i) { return document.line(i).kind == LineKind::kComment; };
    const auto ends_a_peer = [&](std::size_t i) { return closes_peer(document.line(i).comment); };
    // In front: the comment block that touches the header, but not what closes the peer before.
    auto begin = range->begin;
    while (begin > 0 && is_comment(begin - 1) && !ends_a_peer(begin - 1))
        --begin;
    // Behind: what touches the next header is the next section's, but for what closes this one.
    auto end = range->end;
    if (end < document.size())
        while (end > range->begin + 1 && is_comment(end - 1) && !ends_a_peer(end - 1))
            --end;
    // One gap is enough where there were two.
    while (end == document.size() && begin > 0 && document.line(begin - 1).kind == LineKind::kBlank)
        --begin;
    return spliced(text, document.offset(begin), document.offset(end), "");
}

} // namespace wgd
