// SPDX-License-Identifier: MIT
// Writing to people: colours where they are wanted, text that cannot drive the terminal, amounts and times in
// words.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace wgd::cli {

// Writes to standard output. Returns the exit code: kOk, or kFailed with a message when it could not be
// written (a full disk must not look like an empty answer).
int print(std::string_view text);

// `text` with control characters and malformed UTF-8 replaced, so that a name in a profile cannot send escape
// sequences.
std::string printable(std::string_view text);
// The same, but keeps line breaks.
std::string printable_lines(std::string_view text);

class Style {
  public:
    explicit Style(bool colours)
        : colours_(colours) {}
    // Colours if standard output is a terminal, unless $NO_COLOR is set (no-color.org) or $WG_COLOR_MODE says
    // "never"; "always" forces them (wg(8)).
    static Style for_stdout();

    [[nodiscard]] std::string bold(std::string_view text) const { return wrap("1", text); }
    [[nodiscard]] std::string dim(std::string_view text) const { return wrap("2", text); }
    [[nodiscard]] std::string red(std::string_view text) const { return wrap("1;31", text); }
    [[nodiscard]] std::string green(std::string_view text) const { return wrap("1;32", text); }
    [[nodiscard]] std::string yellow(std::string_view text) const { return wrap("1;33", text); }
    [[nodiscard]] std::string cyan(std::string_view text) const { return wrap("36", text); }
    [[nodiscard]] bool colours() const { return colours_; }

  private:
    [[nodiscard]] std::string wrap(const char* code, std::string_view text) const;
    bool colours_;
};

// "1 minute, 4 seconds", as wg(8) writes a span of seconds: non-zero units, years of 365 days; "0 seconds"
// for none.
std::string duration_text(std::uint64_t seconds, const Style& style);
// "1 minute, 4 seconds ago", "Now", or the remark about a clock that went backwards. Both are epoch seconds.
std::string ago_text(std::uint64_t then, std::uint64_t now, const Style& style);
// "17 B", "1.21 KiB", ... up to TiB, two decimals.
std::string bytes_text(std::uint64_t bytes, const Style& style);

std::uint64_t now_epoch(); // CLOCK_REALTIME in seconds

} // namespace wgd::cli
