// SPDX-License-Identifier: MIT
// Finds the names people give their peers in comments, since the grammar has no key for one.
//
// Read, best first:
//   # friendly_name = Alice      # Name = Alice          inside [Peer], or in the comment in front of it
//   ### Client alice             # Client: alice (id)    # Peer: alice   ### begin alice ###    in front of
//   [Peer] [Peer] # alice               a short comment in the line in front of [Peer], or first inside it
#pragma once

#include <string>
#include <string_view>

#include "common/config/lexer.hpp"

namespace wgd {

// "### end alice ###": belongs to the peer in front of it.
[[nodiscard]] bool closes_peer(std::string_view comment);

class PeerNames {
  public:
    void on_blank();
    void on_comment(std::string_view comment); // Line::comment of a comment line
    void on_section(bool is_peer, std::string_view comment);
    void on_entry();
    // The name of the peer whose section is open (or was last), "" if none; valid UTF-8 without control
    // characters, at most 64 bytes.
    [[nodiscard]] const std::string& current() const { return current_.text; }

  private:
    enum class Rank { kNone, kPlain, kHeading, kTag };
    struct Candidate {
        std::string text;
        Rank rank = Rank::kNone;
        void offer(Candidate other) {
            if (other.rank > rank) *this = std::move(other);
        }
    };
    static Candidate read(std::string_view comment);

    Candidate current_; // of the open [Peer]
    Candidate pending_; // said in front of a [Peer] that has not come yet
    bool in_peer_ = false;
    bool at_top_ = false; // nothing but the [Peer] line so far
};

} // namespace wgd
