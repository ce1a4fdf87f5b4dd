// SPDX-License-Identifier: MIT
#include "common/config/peer_names.hpp"

#include <algorithm>
#include <array>

namespace wgd {
namespace {

constexpr std::size_t kLongestName = 64;

// Names go to terminals and over D-Bus, which wants UTF-8.
bool is_clean_utf8(std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
        const auto lead = static_cast<unsigned char>(text[i]);
        const unsigned more = lead < 0x80   ? 0
                              : lead < 0xc2 ? 4
                              : lead < 0xe0 ? 1
                              : lead < 0xf0 ? 2
                              : lead < 0xf5 ? 3
                                            : 4;
        if (more == 4 || i + more >= text.size() || lead < 0x20 || lead == 0x7f) return false;
        std::uint32_t point = more == 0 ? lead : lead & (0x3fU >> more);
        for (unsigned k = 1; k <= more; ++k) {
            const auto byte = static_cast<unsigned char>(text[i + k]);
            if ((byte & 0xc0) != 0x80) return false;
            point = (point << 6) | (byte & 0x3fU);
        }
        const bool overlong = (more == 2 && point < 0x800) || (more == 3 && point < 0x10000);
        if (overlong || point > 0x10ffff || (point >= 0xd800 && point < 0xe000) ||
            (point >= 0x80 && point < 0xa0))
            return false;
        i += more + 1;
    }
    return true;
}

std::string_view strip_marks(std::string_view text) { // "### begin x ###" -> "begin x"
    const auto is_mark = [](char c) { return c == '#' || is_space(c); };
    while (!text.empty() && is_mark(text.front()))
        text.remove_prefix(1);
    while (!text.empty() && is_mark(text.back()))
        text.remove_suffix(1);
    return text;
}

// The rest of `text` behind `word` (ignoring case) and a following ':' or white space.
std::string_view after_word(std::string_view text, std::string_view word) {
    if (!equals_ignoring_case(text.substr(0, word.size()), word)) return {};
    const auto rest = text.substr(word.size());
    if (rest.empty() || (rest.front() != ':' && !is_space(rest.front()))) return {};
    return trim(rest.substr(1));
}

std::string_view without_trailing_id(std::string_view name) { // wg-easy: "alice (4b0e...)"
    const auto open = name.rfind(" (");
    return open != std::string_view::npos && name.back() == ')' ? trim(name.substr(0, open)) : name;
}

} // namespace

bool closes_peer(std::string_view comment) {
    return !after_word(strip_marks(comment), "end").empty();
}

PeerNames::Candidate PeerNames::read(std::string_view comment) {
    const auto text = strip_marks(comment);
    const auto candidate = [](std::string_view name, Rank rank) {
        if (name.empty() || name.size() > kLongestName || !is_clean_utf8(name)) return Candidate{};
        return Candidate{std::string(name), rank};
    };
    if (const auto equals = text.find('='); equals != std::string_view::npos) {
        static constexpr std::array<std::string_view, 4> kTags{"friendly_name", "friendly-name",
                                                               "friendlyname", "name"};
        const auto key = trim(text.substr(0, equals));
        const bool is_tag =
            std::any_of(kTags.begin(), kTags.end(), [&](auto tag) { return equals_ignoring_case(key, tag); });
        return is_tag ? candidate(trim(text.substr(equals + 1)), Rank::kTag)
                      : Candidate{}; // else a disabled key
    }
    for (const std::string_view word : {"client", "begin", "peer", "user", "name"})
        if (const auto name = after_word(text, word); !name.empty())
            return candidate(without_trailing_id(name), Rank::kHeading);
    if (closes_peer(comment) || (!text.empty() && text.front() == '[')) return {};
    return candidate(text, Rank::kPlain);
}

void PeerNames::on_blank() {
    pending_ = {};
    at_top_ = false;
}

void PeerNames::on_comment(std::string_view comment) {
    auto found = read(comment);
    if (in_peer_ && (at_top_ || found.rank == Rank::kTag) && found.rank > current_.rank) {
        current_ = std::move(found);
        at_top_ = false;
        return;
    }
    if (found.rank == Rank::kPlain && pending_.rank == Rank::kPlain)
        pending_ = {}; // of plain comments only the line next to [Peer] counts
    pending_.offer(std::move(found));
}

void PeerNames::on_section(bool is_peer, std::string_view comment) {
    in_peer_ = at_top_ = is_peer;
    current_ = is_peer ? std::move(pending_) : Candidate{};
    pending_ = {};
    if (is_peer && !comment.empty()) current_.offer(read(comment));
}

void PeerNames::on_entry() {
    at_top_ = false;
    pending_ = {};
}

} // namespace wgd
